//! Memory that is refused is an error, at whichever allocation: each of every operation on files fails in turn, by itself and with
//! all after it. An allocation that can't fail and isn't served by the reserve or a promise ends the test.

#[path = "../../tq_memory/tests/failing/mod.rs"]
mod failing;

use failing::Counts;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;
use tq_codec::{Codec, CodecError, Level, Metric, PreparedQuery, RotationKind, Workers, build_rotation};
use tq_files::{
    AtomicFile, BurnpackFile, BurnpackOptions, BurnpackWriter, Container, Corpus, CorpusRowWriter,
    CorpusRows, FloatType, Format, Ids, MatrixFolder, MatrixKey, MergeIds, Metadata, QvecFile, QvecFileError,
    QvecOptions, QvecRows, QvecWriter, RowReader, RowWriter, RowsError, Verification, ZtensorFile,
    ZtensorGeneration, ZtensorOptions, ZtensorWriter, detect, merge_burnpacks, merge_corpora, merge_ztensors,
    read_small,
};
use tq_format::{BitWidth, qvec};

const DIMENSION: u32 = 104;
const ROWS: usize = 700;

/// Whether an error is about memory. What is transparent has no source of its own, so these are looked into.
fn is_memory(error: &(dyn Error + 'static)) -> bool {
    let of_codec =
        |error: &CodecError| matches!(error, CodecError::OutOfMemory { .. } | CodecError::Memory(_));
    let of_index = |error: &qvec::Error| matches!(error, qvec::Error::OutOfMemory { .. });
    error.downcast_ref().is_some_and(of_codec)
        || error.downcast_ref().is_some_and(of_index)
        || match error.downcast_ref() {
            Some(RowsError::Setup(error)) => of_codec(error),
            Some(RowsError::Qvec(error)) => of_index(error),
            _ => false,
        }
        || match error.downcast_ref() {
            Some(QvecFileError::Codec(error)) => of_codec(error),
            Some(QvecFileError::Format(error)) => of_index(error),
            _ => false,
        }
}

fn unit_rows(rows: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let row = |_| (0..DIMENSION).map(|_| next()).collect::<Vec<f32>>();
    (0..rows).map(row).flat_map(|row| tq_codec::normalize(&row).unwrap()).collect()
}

fn codec() -> Arc<Codec> {
    let rotation = build_rotation(RotationKind::Haar, tq_codec::BUILTIN_SEED, DIMENSION).unwrap();
    Arc::new(Codec::builtin(DIMENSION, BitWidth::Four, false, Arc::new(rotation)).unwrap())
}

fn ids() -> [Ids; 4] {
    [
        Ids::Bigint((0..ROWS as i64).map(|i| i * i % 1009).collect()),
        Ids::Bigint((0..ROWS as i64).collect()),
        Ids::Uuid((0..ROWS).map(|i| [i as u8; 16]).collect()),
        Ids::Text((0..ROWS).map(|i| format!("\"id\" {i}\n")).collect()),
    ]
}

#[test]
fn refused_memory_is_an_error_in_every_file() {
    let folder = TempDir::new().unwrap();
    let mut counts = Counts::default();
    metadata(&mut counts);
    corpora(&mut counts, folder.path());
    indexes(&mut counts, folder.path());
    tensors(&mut counts, folder.path());
    small_files(&mut counts, folder.path());
    println!("{counts:?}, deaths: 0");
    assert!(counts.errors > 500 && counts.allocations > 1000, "{counts:?}");
}

fn metadata(counts: &mut Counts) {
    for ids in ids() {
        let user = serde_json::json!({"a": [1, 2.5, {"b": "c\"d"}, null], "e": "f".repeat(1000)});
        let user = Some(user.to_string());
        let codec = codec();
        let metadata = Metadata { codec: Some(codec.definition().unwrap()), user, ids: Some(ids) };
        counts.check("metadata", is_memory, || metadata.encode());
        let bytes = metadata.encode().unwrap();
        counts.check("metadata read", is_memory, || Metadata::parse(&bytes, ROWS as u64));
        counts.check("ours read", is_memory, || Metadata::parse_ours(&bytes, ROWS as u64));
    }
}

fn corpora(counts: &mut Counts, folder: &Path) {
    let (codec, rows) = (codec(), unit_rows(ROWS));
    let [_, _, _, ids] = ids();
    let metadata = Metadata { codec: Some(codec.definition().unwrap()), user: None, ids: Some(ids) };
    let metadata = metadata.encode().unwrap();
    let path = folder.join("corpus");
    let write = |threads| -> Result<(), RowsError> {
        let workers = Arc::new(Workers::new(threads).map_err(RowsError::Setup)?);
        let metadata = tq_memory::copied(&metadata)?;
        let output = Box::new(AtomicFile::create(&path)?);
        let mut writer = Box::new(CorpusRowWriter::new(output, Arc::clone(&codec), workers, metadata)?);
        writer.append(&rows)?;
        writer.finish()
    };
    for threads in [1, 2] {
        counts.check("corpus written", is_memory, || write(threads));
    }
    counts.check("corpus read", is_memory, || {
        let corpus = Corpus::open(&path)?;
        corpus.batch(0..10, |mut records| records.try_for_each(|record| record.map(drop)))
    });
    counts.check("corpus decoded", is_memory, || {
        let workers = Arc::new(Workers::new(2).map_err(RowsError::Setup)?);
        let corpus = Corpus::open(&path)?;
        let reader = CorpusRows::new(corpus, Arc::clone(&codec), workers).map_err(RowsError::Setup)?;
        read_all(Box::new(reader))
    });
    let query = PreparedQuery::new(Arc::clone(&codec), &rows[..DIMENSION as usize], Level::detect()).unwrap();
    let corpus = Corpus::open(&path).unwrap();
    for (metric, threads) in [(Metric::Cosine, 1), (Metric::L2, 2), (Metric::L1, 2)] {
        counts.check("corpus searched", is_memory, || {
            let workers = Workers::new(threads)?;
            corpus.search(&query, metric, 50, &workers, &mut || ())
        });
    }
    // Faults of each kind: the length, and the records of a file whose length is right.
    let whole = std::fs::read(&path).unwrap();
    let mut damaged = whole.clone();
    let body = whole.len() - ROWS * (4 + corpus.header().record_len());
    (0..ROWS).for_each(|row| damaged[body + 4 + row * (4 + corpus.header().record_len())] = 9);
    for (name, bytes) in
        [("whole", &whole[..]), ("cut", &whole[..whole.len() - 7]), ("damaged", &damaged), ("no", b"TQCV")]
    {
        let path = folder.join(name);
        std::fs::write(&path, bytes).unwrap();
        counts.check("corpus verified", is_memory, || {
            let mut verification = Verification::open(&path)?;
            while verification.step()?.is_some() {}
            Ok::<_, tq_files::FileError>(())
        });
    }
    let merged = folder.join("merged");
    for ids in [MergeIds::Keep, MergeIds::Drop] {
        counts.check("corpora merged", is_memory, || {
            let open = || Corpus::open(&path).map_err(RowsError::from);
            let sources = [open()?, open()?];
            let output = Box::new(AtomicFile::create(&merged)?);
            merge_corpora(&sources, ids, output, &mut || ()).map_err(boxed)
        });
    }
}

/// Errors of different types, as one that has them for its source.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Any(#[source] Box<dyn Error + Send + Sync>);

impl From<RowsError> for Any {
    fn from(error: RowsError) -> Self {
        boxed(error)
    }
}

impl From<tq_files::FileError> for Any {
    fn from(error: tq_files::FileError) -> Self {
        boxed(error)
    }
}

impl From<tq_files::OpenError> for Any {
    fn from(error: tq_files::OpenError) -> Self {
        boxed(error)
    }
}

impl From<tq_files::QvecFileError> for Any {
    fn from(error: tq_files::QvecFileError) -> Self {
        boxed(error)
    }
}

impl From<CodecError> for Any {
    fn from(error: CodecError) -> Self {
        boxed(error)
    }
}

fn boxed(error: impl Error + Send + Sync + 'static) -> Any {
    Any(Box::new(error))
}

fn read_all(mut reader: Box<dyn RowReader>) -> Result<(), RowsError> {
    let mut rows = Vec::new();
    while reader.read(usize::MAX, &mut rows)? > 0 {
        rows.clear();
    }
    Ok(())
}

fn indexes(counts: &mut Counts, folder: &Path) {
    // Few, since a row's id is a dozen allocations.
    let rows = unit_rows(70);
    let path = folder.join("index");
    counts.check("index written", is_memory, || {
        let options = QvecOptions { keyed: true, ..QvecOptions::new(DIMENSION) };
        let workers = Arc::new(Workers::new(2)?);
        let output = Box::new(AtomicFile::create(&path)?);
        let mut writer = Box::new(QvecWriter::new(output, &options, folder, workers, &mut || ())?);
        for (number, row) in rows.chunks_exact(DIMENSION as usize).enumerate() {
            writer.append(row)?;
            // Long enough for a temporary file.
            writer.push_id(&qvec::Id::Text(&"x".repeat(2000 + number)))?;
        }
        Ok::<_, Any>(writer.finish()?)
    });
    counts.check("index read", is_memory, || {
        let index = Arc::new(QvecFile::open(&path, &mut || ())?);
        index.ids(0..70)?;
        Ok::<_, Any>(read_all(Box::new(QvecRows::new(index, Arc::new(Workers::new(2)?), &mut || ())?))?)
    });
    let index = QvecFile::open(&path, &mut || ()).unwrap();
    counts.check("index searched", is_memory, || {
        let query = &rows[..DIMENSION as usize];
        Ok::<_, Any>(index.search(query, qvec::Metric::Cosine, 20, &Workers::new(2)?, &mut || ())?)
    });
}

fn tensors(counts: &mut Counts, folder: &Path) {
    let mut rows = unit_rows(ROWS);
    // For the sparse.
    rows.iter_mut().step_by(3).for_each(|x| *x = 0.0);
    for (number, (sparse, compress, generation, float)) in [
        (false, false, ZtensorGeneration::V2, FloatType::F32),
        (false, true, ZtensorGeneration::V2, FloatType::F16),
        (false, true, ZtensorGeneration::V1_2, FloatType::Bf16),
        (true, true, ZtensorGeneration::V2, FloatType::F32),
        (true, false, ZtensorGeneration::V1_2, FloatType::F16),
    ]
    .into_iter()
    .enumerate()
    {
        let paths = ["one", "other"].map(|name| folder.join(format!("{name}{number}.zt")));
        for (path, name) in paths.iter().zip(["embedding", "other"]) {
            counts.check("tensor written", is_memory, || {
                let options = ZtensorOptions {
                    tensor: name.into(),
                    attributes: [("key".into(), "value".into())].into(),
                    temporary: folder.into(),
                    generation,
                    sparse,
                    compress,
                    float,
                    ..ZtensorOptions::default()
                };
                let output = Box::new(AtomicFile::create(path)?);
                let mut writer = Box::new(ZtensorWriter::new(output, DIMENSION, options)?);
                writer.append(&rows)?;
                Ok::<_, Any>(writer.finish()?)
            });
        }
        counts.check("tensor read", is_memory, || {
            let file = Box::new(ZtensorFile::open(&paths[0])?);
            Ok::<_, Any>(read_all(file.rows(0, &mut || ())?)?)
        });
        counts.check("tensors merged", is_memory, || {
            let sources = [ZtensorFile::open(&paths[0])?, ZtensorFile::open(&paths[1])?];
            let output = Box::new(AtomicFile::create(&folder.join("merged"))?);
            merge_ztensors(&sources, output, &mut || ()).map_err(boxed)
        });
    }
    for float in [FloatType::F16, FloatType::F64] {
        let paths = ["one.bpk", "other.bpk"].map(|name| folder.join(name));
        for (path, name) in paths.iter().zip(["embedding", "other"]) {
            counts.check("pack written", is_memory, || {
                let metadata = [("key".into(), "value".into())].into();
                let options =
                    BurnpackOptions { tensor: name.into(), float, metadata, ..BurnpackOptions::default() };
                let output = Box::new(AtomicFile::create(path)?);
                let mut writer = Box::new(BurnpackWriter::new(output, DIMENSION, options)?);
                writer.append(&rows)?;
                Ok::<_, Any>(writer.finish()?)
            });
        }
        counts.check("pack read", is_memory, || {
            let file = Box::new(BurnpackFile::open(&paths[0])?);
            Ok::<_, Any>(read_all(file.rows(0, &mut || ())?)?)
        });
        counts.check("packs merged", is_memory, || {
            let sources = [BurnpackFile::open(&paths[0])?, BurnpackFile::open(&paths[1])?];
            let output = Box::new(AtomicFile::create(&folder.join("merged"))?);
            merge_burnpacks(&sources, output, &mut || ()).map_err(boxed)
        });
    }
    let kind = detect(&folder.join("one0.zt")).unwrap();
    assert_eq!(kind, Some(Format::Ztensor));
}

fn small_files(counts: &mut Counts, folder: &Path) {
    let path = folder.join("small");
    std::fs::write(&path, vec![1; 100_000]).unwrap();
    counts.check("small file", is_memory, || read_small(&path, 1 << 20));
    counts.check("kind of file", is_memory, || detect(&path));
    let matrices = folder.join("matrices");
    std::fs::create_dir(&matrices).unwrap();
    let matrices = MatrixFolder::new(matrices, [7; 16], false);
    let entries = vec![0.5; 64 * 64];
    let key = MatrixKey { kind: 0, seed: 7, dimension: 64 };
    counts.check("matrix written", is_memory, || matrices.store(key, &entries, &mut || {}));
    counts.check("matrix read", is_memory, || matrices.open(key, &mut || {}));
    counts.check("matrices", is_memory, || matrices.list());
}
