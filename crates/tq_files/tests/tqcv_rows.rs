//! Corpora as rows of floats, and made of such rows.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::Random;
use tempfile::TempDir;
use tq_codec::{Codebook, Codec, CodecError, Rotation, Workers, sidecar};
use tq_files::{
    AtomicFile, Corpus, CorpusRowWriter, CorpusRows, FileError, Metadata, RowReader, RowWriter, RowsError,
};
use tq_format::{BitWidth, CorpusError, CorpusView, tqcb};

fn builtin(dimension: u32, residual: bool) -> Arc<Codec> {
    let rotation = Arc::new(Rotation::haar(tq_codec::BUILTIN_SEED, dimension));
    Arc::new(Codec::builtin(dimension, BitWidth::Four, residual, rotation).unwrap())
}

fn write(
    path: &Path,
    codec: &Arc<Codec>,
    rows: &[f32],
    block: usize,
    metadata: &[u8],
) -> Result<u64, RowsError> {
    let workers = Arc::new(Workers::new(2).unwrap());
    let output = Box::new(AtomicFile::create(path).unwrap());
    let mut writer = Box::new(CorpusRowWriter::new(output, Arc::clone(codec), workers, metadata.to_vec())?);
    for block in rows.chunks(block * codec.config().dimension() as usize) {
        writer.append(block)?;
    }
    let bytes = writer.bytes();
    assert_eq!(writer.count(), rows.len() as u64 / u64::from(codec.config().dimension()));
    writer.finish()?;
    assert_eq!(fs::metadata(path).unwrap().len(), bytes);
    Ok(bytes)
}

fn reader(path: &Path, codec: &Arc<Codec>) -> CorpusRows {
    let workers = Arc::new(Workers::new(2).unwrap());
    CorpusRows::new(Corpus::open(path).unwrap(), Arc::clone(codec), workers).unwrap()
}

fn read(path: &Path, codec: &Arc<Codec>, most: usize) -> Result<Vec<f32>, RowsError> {
    let mut reader = reader(path, codec);
    let mut rows = Vec::new();
    loop {
        let before = rows.len();
        let count = reader.read(most, &mut rows)?;
        assert_eq!(rows.len() - before, count * reader.dimension() as usize);
        assert!(count <= most);
        if count == 0 {
            assert_eq!(rows.len() as u64, reader.rows() * u64::from(reader.dimension()));
            return Ok(rows);
        }
    }
}

#[test]
fn golden_corpora() {
    let Some(folder) = common::golden("tqcv") else { return };
    let temporary = TempDir::new().unwrap();
    let (mut corpora, mut values) = (0, 0);
    for path in common::files(&folder, "tqcv") {
        let stem = path.to_str().unwrap().strip_suffix(".tqcv").unwrap();
        let Ok(json) = fs::read(format!("{stem}.config.json")) else { continue };
        let config = sidecar::parse(&json).unwrap().config;
        let (width, entries) = tqcb::parse(&fs::read(format!("{stem}.tqcb")).unwrap()).unwrap();
        let rotation = Arc::new(Rotation::haar(config.seed(), config.dimension()));
        let codec = Codec::new(config, Codebook::new(width, entries).unwrap(), rotation);
        let codec = Arc::new(codec.unwrap());

        let expected = common::read_f32s(Path::new(&format!("{stem}.dec.f32.bin")));
        let rows = read(&path, &codec, 1 + corpora * 7).unwrap();
        assert_eq!(rows.len(), expected.len(), "{stem}");
        let d = config.dimension() as usize;
        for (row, expected) in rows.chunks_exact(d).zip(expected.chunks_exact(d)) {
            let norm = tq_codec::check_vector(expected).unwrap();
            let near = |(a, b): (&f32, &f32)| f64::from((a - b).abs()) <= 2e-5 * norm;
            assert!(row.iter().zip(expected).all(near), "{stem}");
        }

        let golden = fs::read(&path).unwrap();
        let input = common::read_f32s(Path::new(&format!("{stem}.in.f32.bin")));
        let metadata = CorpusView::parse(&golden).unwrap().metadata().to_vec();
        let made = temporary.path().join("made");
        write(&made, &codec, &input, 1 + corpora * 5, &metadata).unwrap();
        assert!(fs::read(&made).unwrap() == golden, "{stem}");
        corpora += 1;
        values += rows.len();
    }
    eprintln!("{corpora} corpora with {values} values read, and made again to the byte");
    assert!(corpora > 20);
}

#[test]
fn there_and_back() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("made.tqcv");
    let mut random = Random(1);
    for residual in [false, true] {
        let codec = builtin(24, residual);
        let metadata = Metadata { codec: Some(codec.definition().unwrap()), ..Metadata::default() };
        let metadata = metadata.encode().unwrap();
        for count in [0, 1, 2, 1000] {
            let rows: Vec<f32> = (0..count).flat_map(|_| random.unit_vector(24)).collect();
            write(&path, &codec, &rows, 300, &metadata).unwrap();
            let corpus = Corpus::open(&path).unwrap();
            assert_eq!(corpus.vector_count(), count);
            assert_eq!(corpus.header().metadata, metadata);
            let back = read(&path, &codec, 77).unwrap();
            let error: f32 = rows.iter().zip(&back).map(|(a, b)| (a - b).powi(2)).sum();
            assert!(error <= count as f32 * if residual { 1e-6 } else { 0.03 }, "{error}");
            assert_eq!(back, read(&path, &codec, 77).unwrap());
        }
    }
    // A corpus read and written again is the same but for what its header says.
    let (codec, again) = (builtin(24, true), folder.path().join("again.tqcv"));
    write(&again, &codec, &read(&path, &codec, usize::MAX).unwrap(), 100, b"other").unwrap();
    assert_eq!(Corpus::open(&again).unwrap().vector_count(), 1000);
}

#[test]
fn another_codec_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("made.tqcv");
    write(&path, &builtin(24, false), &Random(2).unit_vector(24), 1, b"").unwrap();
    for other in [builtin(24, true), builtin(25, false)] {
        let workers = Arc::new(Workers::new(1).unwrap());
        let error = CorpusRows::new(Corpus::open(&path).unwrap(), other, workers).err().unwrap();
        assert!(matches!(error, CodecError::ConfigMismatch { .. }), "{error}");
    }
}

#[test]
fn the_row_that_can_not_be_compressed_is_named() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("made.tqcv");
    fs::write(&path, "before").unwrap();
    let codec = builtin(24, false);
    let mut rows: Vec<f32> = (0..500).flat_map(|_| Random(3).unit_vector(24)).collect();
    rows[321 * 24 + 5] = f32::NAN;
    let error = write(&path, &codec, &rows, 100, b"").unwrap_err();
    let bad = CodecError::NotFinite { index: 5, value: f32::NAN }.to_string();
    assert_eq!(error.to_string(), format!("row 322: {bad}"));
    let error = write(&path, &codec, &rows[..25], 100, b"").unwrap_err();
    assert_eq!(error.to_string(), "row 2: expected 24 dimensions, not 1");
    let error = write(&path, &codec, &[], 1, &vec![0; (16 << 20) + 1]).unwrap_err();
    assert!(matches!(error, RowsError::Corpus(CorpusError::MetadataTooLong { .. })), "{error}");
    assert_eq!(fs::read(&path).unwrap(), b"before");
}

#[test]
fn damage_and_change_are_told() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("made.tqcv");
    let codec = builtin(24, false);
    let rows: Vec<f32> = (0..5000).flat_map(|i| Random(i).unit_vector(24)).collect();
    write(&path, &codec, &rows, 5000, b"").unwrap();
    let good = fs::read(&path).unwrap();

    let mut bad = good.clone();
    let stride = 4 + 70 + 12 + 1;
    bad[96 + 4000 * stride + 4] = 9;
    fs::write(&path, &bad).unwrap();
    let mut reader = reader(&path, &codec);
    let mut out = vec![1.0];
    assert_eq!(reader.read(3000, &mut out).unwrap(), 3000);
    let error = reader.read(3000, &mut out).unwrap_err();
    assert!(matches!(&error, RowsError::Corpus(CorpusError::Record { number: 4001, .. })), "{error}");
    assert_eq!(out.len(), 1 + 3000 * 24);

    fs::write(&path, &good).unwrap();
    let mut reader = self::reader(&path, &codec);
    assert_eq!(reader.read(10, &mut out).unwrap(), 10);
    fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(200).unwrap();
    let error = reader.read(4000, &mut out).unwrap_err();
    assert!(matches!(error, RowsError::File(FileError::Truncated { .. })), "{error}");
}
