//! Indexes of quantvec: written and read, searched and decoded.

mod common;
mod qvec_common;

use std::fs;
use std::sync::Arc;

use common::{Memory, Random};
use qvec_common::{BITS, METRICS, begin, open, read, some_ids, workers, write};
use tempfile::TempDir;
use tq_codec::{CodecError, Quantvec, QuantvecDecoding, Workers, check_vector};
use tq_files::{
    AtomicFile, FileError, Id, QvecFile, QvecFileError, QvecOptions, QvecRows, QvecVersion, RowReader,
    RowWriter, RowsError,
};
use tq_format::qvec;

#[test]
fn there_and_back() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("made.qvec");
    let mut random = Random(1);
    for (number, (dimension, count)) in
        [(8, 0), (8, 1), (24, 700), (64, 700), (264, 9000)].into_iter().enumerate()
    {
        let rows: Vec<f32> = (0..count).flat_map(|_| random.vector(dimension)).collect();
        for (version, layout) in [(QvecVersion::One, qvec::Layout::V1), (QvecVersion::Two, qvec::Layout::V2)]
        {
            for keyed in [false, true] {
                let bits = BITS[(number + usize::from(keyed)) % 3];
                let metric = METRICS[number % 3];
                let seed = number as f64 * -1.25;
                let ids = some_ids(if keyed { count } else { 0 });
                let keyed = !ids.is_empty();
                let options =
                    QvecOptions { version, bits, metric, seed, keyed, ..QvecOptions::new(dimension as u32) };
                let bytes = write(&options, &rows, &ids, 301, folder.path()).unwrap();
                common::write_anew(&path, &bytes);
                let file = Arc::new(open(&path));
                let header = file.header();
                assert_eq!((header.layout, header.keyed), (layout, keyed));
                assert_eq!((header.bits, header.metric, header.seed), (bits, metric, seed));
                assert_eq!((header.dimension as usize, header.count as usize), (dimension, count));
                let kinds = file.id_kinds();
                assert_eq!((kinds.numbers, kinds.texts), (!ids.is_empty(), ids.len() > 1));
                assert_eq!(kinds.integers, ids.len() > 2);
                assert_eq!((file.is_calibrated(), file.lists(), file.probes()), (false, None, None));
                let n = header.count;
                assert_eq!(file.ids(0..u32::MAX).unwrap(), ids);
                assert_eq!(file.ids(n / 3..n / 2).unwrap(), ids.get(count / 3..count / 2).unwrap_or(&[]));

                let back = read(&file, 97).unwrap();
                let square = |rows: &mut dyn Iterator<Item = f32>| rows.map(|x| f64::from(x).powi(2)).sum();
                let error: f64 = square(&mut rows.iter().zip(&back).map(|(a, b)| a - b));
                let whole: f64 = square(&mut rows.iter().copied());
                assert!(error <= whole * [0.17, 0.045, 0.013][bits.bits() as usize - 2], "{error} {whole}");
                for (row, back) in rows.chunks_exact(dimension).zip(back.chunks_exact(dimension)) {
                    let (norm, kept) = (check_vector(row).unwrap(), check_vector(back).unwrap());
                    assert!((kept / norm - 1.0).abs() < 1e-6);
                }
            }
        }
    }
    // Nothing is left of what had to wait.
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn searches_find_what_the_scores_say() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("made.qvec");
    let mut random = Random(2);
    let (dimension, count) = (40, 40_000);
    let mut rows: Vec<f32> = (0..count).flat_map(|_| random.vector(dimension)).collect();
    // Twice the same vector: equal scores, and the first one first.
    let (first, second) = (17 * dimension, 39_000 * dimension);
    rows.copy_within(first..first + dimension, second);
    let options = QvecOptions { bits: qvec::Bits::Three, ..QvecOptions::new(dimension as u32) };
    common::write_anew(&path, &write(&options, &rows, &[], 1000, folder.path()).unwrap());
    let file = open(&path);
    let query = &rows[first..first + dimension];
    let codec = file.codec(&mut || {}).unwrap();
    let prepared = codec.prepare(query).unwrap();
    for metric in METRICS {
        let mut expected: Vec<(u32, f64)> = file
            .read(|view| (0..).zip(view.rows(0..u32::MAX).map(|row| prepared.score(metric, &row))).collect())
            .unwrap();
        let down = metric != qvec::Metric::Euclidean;
        expected.sort_by(|(_, a), (_, b)| if down { b.total_cmp(a) } else { a.total_cmp(b) });
        for threads in [1, 3] {
            let workers = Workers::new(threads).unwrap();
            for limit in [0, 1, 2, 25, count, usize::MAX] {
                let mut polls = 0;
                let found = file.search(query, metric, limit, &workers, &mut || polls += 1).unwrap();
                assert!(found == expected[..limit.min(count)], "{metric:?}, {limit}");
                assert!(polls > 0 || limit == 0);
            }
        }
        if metric != qvec::Metric::Dot {
            assert_eq!(expected[..2].iter().map(|(slot, _)| *slot).collect::<Vec<_>>(), [17, 39_000]);
        }
    }
}

#[test]
fn queries_that_do_not_fit() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("made.qvec");
    let workers = workers();
    for count in [0, 3] {
        let rows = vec![0.5; count * 24];
        common::write_anew(&path, &write(&QvecOptions::new(24), &rows, &[], 10, folder.path()).unwrap());
        let file = open(&path);
        let search =
            |query: &[f32], limit| match file.search(query, qvec::Metric::Dot, limit, &workers, &mut || {}) {
                Err(QvecFileError::Codec(error)) => error,
                other => panic!("{other:?}"),
            };
        for limit in [0, 10] {
            let expected = CodecError::DimensionMismatch { expected: 24, got: 8 };
            assert_eq!(search(&[1.0; 8], limit), expected);
            assert_eq!(search(&[0.0; 24], limit), CodecError::ZeroVector);
            let mut query = [1.0; 24];
            query[5] = f32::INFINITY;
            assert_eq!(search(&query, limit), CodecError::NotFinite { index: 5, value: f32::INFINITY });
        }
    }
}

/// An index without vectors needs no rotation, however dear that of its dimension is.
#[test]
fn no_vectors_no_codec() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("empty.qvec");
    let mut bytes = write(&QvecOptions::new(8), &[], &[], 1, folder.path()).unwrap();
    bytes[8..12].copy_from_slice(&15_992u32.to_le_bytes());
    fs::write(&path, &bytes).unwrap();
    let file = Arc::new(open(&path));
    assert_eq!(file.header().dimension, 15_992);
    assert!(read(&file, 10).unwrap().is_empty());
    let found = file.search(&[1.0; 15_992], qvec::Metric::Cosine, 10, &workers(), &mut || {});
    assert!(found.unwrap().is_empty());
}

#[test]
fn what_cannot_be_written() {
    let folder = TempDir::new().unwrap();
    let target = folder.path().join("kept.qvec");
    fs::write(&target, "before").unwrap();
    let begin =
        |options: &QvecOptions| begin(Box::new(AtomicFile::create(&target).unwrap()), options, folder.path());
    for dimension in [0, 4, 12, 16_008] {
        let error = begin(&QvecOptions::new(dimension)).err();
        let Some(RowsError::Setup(CodecError::QuantvecDimension { dimension: got })) = error else {
            panic!("{error:?}")
        };
        assert_eq!(got, u64::from(dimension));
    }
    for seed in [f64::NAN, f64::INFINITY] {
        let error = begin(&QvecOptions { seed, ..QvecOptions::new(8) }).err();
        assert!(matches!(error, Some(RowsError::QvecSeed { .. })), "{error:?}");
    }
    let positional = QvecOptions::new(8);
    let keyed = QvecOptions { keyed: true, ..positional };

    // Rows are counted over all blocks.
    let mut writer = begin(&positional).unwrap();
    writer.append(&[1.0; 24]).unwrap();
    let mut rows = vec![1.0; 10_000 * 8];
    rows[9_000 * 8..][..8].fill(0.0);
    let error = writer.append(&rows).unwrap_err();
    assert!(matches!(error, RowsError::Codec { row: 9_004, source: CodecError::ZeroVector }), "{error}");
    drop(writer);
    let mut writer = begin(&positional).unwrap();
    let error = writer.append(&[1.0; 12]).unwrap_err();
    assert!(
        matches!(error, RowsError::Codec { row: 2, source: CodecError::DimensionMismatch { .. } }),
        "{error}"
    );
    drop(writer);

    for (options, ids, rows) in [(positional, 1, 1), (keyed, 0, 1), (keyed, 2, 1), (keyed, 1, 0)] {
        let mut writer = Box::new(begin(&options).unwrap());
        writer.append(&vec![1.0; rows * 8]).unwrap();
        (0..ids).for_each(|id| writer.push_id(&qvec::Id::Number(id.into())).unwrap());
        let error = writer.finish().unwrap_err();
        assert!(matches!(error, RowsError::QvecIdCount { ids: got, .. } if got == ids), "{error}");
    }

    let mut writer = begin(&keyed).unwrap();
    writer.push_id(&qvec::Id::Number(0.0)).unwrap();
    for id in [
        qvec::Id::Number(f64::NAN),
        qvec::Id::Number(f64::NEG_INFINITY),
        qvec::Id::Integer("007"),
        qvec::Id::Integer(""),
        qvec::Id::Text("\u{FEFF}a"),
    ] {
        let error = writer.push_id(&id).unwrap_err();
        assert!(matches!(error, RowsError::QvecId { row: 2, .. }), "{error}");
    }
    let error = writer.push_id(&qvec::Id::Number(-0.0)).unwrap_err();
    assert_eq!(error.to_string(), "row 2: id -0 is that of row 1 too");
    drop(writer);
    assert_eq!(fs::read(&target).unwrap(), b"before");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// More ids than wait in memory: the one that comes twice is found in the temporary file.
#[test]
fn many_ids_of_which_one_comes_twice() {
    let folder = TempDir::new().unwrap();
    let options = QvecOptions { keyed: true, ..QvecOptions::new(8) };
    let memory = Memory::default();
    let mut writer = Box::new(begin(Box::new(memory.clone()), &options, folder.path()).unwrap());
    let ids = some_ids(100_000);
    for id in &ids {
        writer.push_id(&id.view()).unwrap();
    }
    for row in [0, 1, 2, 55_555, 99_998, 99_999] {
        let error = writer.push_id(&ids[row].view()).unwrap_err();
        let RowsError::QvecDuplicateId { row: 100_001, first, .. } = error else { panic!("{error}") };
        assert_eq!(first, row as u64 + 1);
    }
    writer.append(&vec![1.0; ids.len() * 8]).unwrap();
    writer.finish().unwrap();
    let path = folder.path().join("made.qvec");
    fs::write(&path, memory.bytes()).unwrap();
    let file = open(&path);
    let back: Vec<Id> = (0..100).flat_map(|part| file.ids(part * 1000..(part + 1) * 1000).unwrap()).collect();
    assert!(back == ids);
}

#[test]
fn cut_off_while_it_is_read() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.qvec");
    let options = QvecOptions { keyed: true, ..QvecOptions::new(1000) };
    let rows: Vec<f32> = Random(6).vector(400 * 1000);
    let bytes = write(&options, &rows, &some_ids(400), 100, folder.path()).unwrap();
    let workers = workers();
    for length in [0, 23, 4000, 100_000, bytes.len() as u64 - 1] {
        common::write_anew(&path, &bytes);
        let file = Arc::new(open(&path));
        let mut reader = QvecRows::new(Arc::clone(&file), workers.clone(), &mut || {}).unwrap();
        let mut out = Vec::new();
        assert_eq!(reader.read(10, &mut out).unwrap(), 10);
        fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
        let error = reader.read(1000, &mut out).unwrap_err();
        assert!(matches!(error, RowsError::File(FileError::Truncated { .. })), "{error}");
        assert_eq!(out.len(), 10_000);
        let error = file.search(&rows[..1000], qvec::Metric::Dot, 5, &workers, &mut || {}).unwrap_err();
        assert!(matches!(error, QvecFileError::File(FileError::Truncated { .. })), "{error}");
        let error = file.ids(0..400).unwrap_err();
        assert!(matches!(error, QvecFileError::File(FileError::Truncated { .. })), "{error}");
        let error = QvecFile::open(&path, &mut || {}).err();
        assert!(matches!(error, Some(QvecFileError::Format(_))), "{error:?}");
    }
}

#[test]
fn decoded_as_the_codec_decodes() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("made.qvec");
    let rows = Random(8).vector(50 * 24);
    common::write_anew(&path, &write(&QvecOptions::new(24), &rows, &[], 7, folder.path()).unwrap());
    let file = Arc::new(open(&path));
    let codec = Quantvec::new(24, qvec::Bits::Four, 42.0, &mut || {}).unwrap();
    let mut expected = Vec::new();
    file.read(|view| {
        let rows: Vec<_> = view.rows(0..50).collect();
        codec.decode_batch(&rows, QuantvecDecoding::Unit, &mut expected).unwrap();
    })
    .unwrap();
    assert_eq!(read(&file, 9).unwrap(), expected);
    // What quantvec lets pass is an error with its place.
    let mut bytes = fs::read(&path).unwrap();
    let norms = 24 + 50 * 12 + 50 * 4;
    bytes[norms + 4 * 3..][..4].copy_from_slice(&0f32.to_le_bytes());
    common::write_anew(&path, &bytes);
    let error = QvecFile::open(&path, &mut || {}).unwrap_err();
    let QvecFileError::Format(qvec::Error::BadNorm { slot: 3, .. }) = error else { panic!("{error}") };
}
