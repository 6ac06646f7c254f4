//! Indexes of quantvec that were damaged or cut off: errors, or read as what they say; never a panic, nor memory taken for what
//! isn't there.

mod common;
mod qvec_common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use common::Random;
use qvec_common::{BITS, METRICS, some_ids, write};
use tempfile::TempDir;
use tq_codec::Workers;
use tq_files::{QvecFile, QvecFileError, QvecOptions, QvecRows, QvecVersion, RowReader, RowsError};
use tq_format::qvec;

const CASES: usize = 100_000;

/// Small indexes of both versions with and without ids, and with a calibration, lists, and the first description's layout.
fn samples(folder: &Path) -> Vec<Vec<u8>> {
    let mut random = Random(4);
    let mut samples = Vec::new();
    for (number, dimension) in [8, 24, 32].into_iter().enumerate() {
        for version in [QvecVersion::One, QvecVersion::Two] {
            for keyed in [false, true] {
                let count = 3 + 5 * number;
                let (bits, metric) = (BITS[(number + 2) % 3], METRICS[(number + usize::from(keyed)) % 3]);
                let options =
                    QvecOptions { version, bits, metric, keyed, ..QvecOptions::new(dimension as u32) };
                let rows = random.vector(count * dimension);
                let ids = some_ids(if keyed { count } else { 0 });
                samples.push(write(&options, &rows, &ids, 4, folder).unwrap());
            }
        }
        let rows = random.vector(6 * dimension);
        let options = QvecOptions { bits: BITS[0], ..QvecOptions::new(dimension as u32) };
        let whole = write(&options, &rows, &[], 6, folder).unwrap();
        let flags = whole.len() - 2;
        let floats = |random: &mut Random, count: usize| -> Vec<u8> {
            (0..count).flat_map(|_| (1.5 + random.value()).to_le_bytes()).collect()
        };
        let mut described = whole[..flags].to_vec();
        described[4] = 1;
        samples.push(described);
        let mut rich = whole[..flags].to_vec();
        rich.push(1);
        rich.extend(floats(&mut random, 2 * dimension));
        rich.extend([1, 3, 0, 0, 0, 2, 0, 0, 0]);
        rich.extend(floats(&mut random, 3 * dimension));
        rich.extend([0u32, 2, 1, 1, 0, 2].iter().flat_map(|list| list.to_le_bytes()));
        samples.push(rich);
    }
    samples
}

/// Opens an index, reads its rows and ids, and searches it.
fn use_all(path: &Path, workers: &Arc<Workers>) -> Result<(qvec::Header, Vec<f32>), RowsError> {
    let file = Arc::new(QvecFile::open(path, &mut || {})?);
    let header = *file.header();
    let count = header.count as usize;
    assert!(u64::from(header.count) * 8 <= file.file().len());
    assert_eq!(file.ids(0..u32::MAX)?.len(), if header.keyed { count } else { 0 });
    let mut reader = QvecRows::new(Arc::clone(&file), Arc::clone(workers), &mut || {})?;
    let mut rows = Vec::new();
    while reader.read(7, &mut rows)? > 0 {}
    assert_eq!(rows.len(), count * header.dimension as usize);
    assert!(rows.iter().all(|x| x.is_finite()));
    let query = vec![0.25; header.dimension as usize];
    let found = file.search(&query, header.metric, 5, workers, &mut || {})?;
    assert_eq!(found.len(), count.min(5));
    Ok((header, rows))
}

#[test]
fn damaged() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.qvec");
    let samples = samples(folder.path());
    let workers = Arc::new(Workers::new(1).unwrap());
    let mut random = Random(12);
    let before = common::peak_memory();
    let mut outcomes: BTreeMap<&str, usize> = BTreeMap::new();
    for round in 0..CASES {
        let mut bytes = samples[round % samples.len()].clone();
        // The header, or everything.
        let hot = if random.below(2) == 0 { 24 } else { bytes.len() };
        common::damage(&mut bytes, hot, &mut random);
        common::write_anew(&path, &bytes);
        let outcome = match use_all(&path, &workers) {
            Ok(_) => "read",
            Err(RowsError::Qvec(error)) => error.code(),
            Err(RowsError::Value { .. }) => "not finite",
            Err(error) => panic!("{error}"),
        };
        *outcomes.entry(outcome).or_default() += 1;
    }
    eprintln!("{CASES} damaged files: {outcomes:?}");
    for outcome in [
        "read",
        "BAD_MAGIC",
        "BAD_VERSION",
        "BAD_KIND",
        "BAD_METRIC",
        "BAD_BITS",
        "BAD_DIM",
        "BAD_SEED",
        "BAD_LENGTH",
        "BAD_CALIBRATION",
        "BAD_IVF",
        "BAD_ID",
        "BAD_SCALE",
        "BAD_NORM",
        "TOO_SHORT",
    ] {
        assert!(outcomes.get(outcome).is_some_and(|count| *count > 10), "{outcome}");
    }
    if let (Some(before), Some(after)) = (before, common::peak_memory()) {
        // Beside it, other tests of this process run. What a damaged length asks for is thousands of megabytes.
        assert!(after - before < 256 << 20, "{} bytes more than before", after - before);
    }
}

#[test]
fn cut_off_at_every_byte() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("data.qvec");
    let workers = Arc::new(Workers::new(1).unwrap());
    let (mut cuts, mut described) = (0, 0);
    for bytes in samples(folder.path()) {
        common::write_anew(&path, &bytes);
        let (header, rows) = use_all(&path, &workers).unwrap();
        for length in 0..bytes.len() {
            common::write_anew(&path, &bytes[..length]);
            match QvecFile::open(&path, &mut || {}) {
                Err(QvecFileError::Format(_)) => {}
                Err(error) => panic!("{error}"),
                // A positional file of version 1 without its last byte is one of the first description, and says the same.
                Ok(file) => {
                    assert!(header.layout == qvec::Layout::V1 && !header.keyed && length + 1 == bytes.len());
                    assert_eq!(file.header().layout, qvec::Layout::Doc1);
                    drop(file);
                    assert_eq!(use_all(&path, &workers).unwrap().1, rows);
                    described += 1;
                }
            }
            cuts += 1;
        }
        let longer = [&bytes[..], &[0]].concat();
        fs::write(&path, &longer).unwrap();
        match QvecFile::open(&path, &mut || {}) {
            Err(QvecFileError::Format(_)) => {}
            Err(error) => panic!("{error}"),
            // And the other way round.
            Ok(file) => {
                assert!(header.layout == qvec::Layout::Doc1 && file.header().layout == qvec::Layout::V1)
            }
        }
    }
    eprintln!("{cuts} files cut off, {described} of them read in the layout of the first description");
    assert!(described == 3);
}
