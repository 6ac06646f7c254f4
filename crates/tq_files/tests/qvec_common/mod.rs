//! What the tests of indexes share.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::Path;
use std::sync::Arc;

use tq_codec::Workers;
use tq_files::{Id, Output, QvecFile, QvecOptions, QvecRows, QvecWriter, RowReader, RowWriter, RowsError};
use tq_format::qvec;

use crate::common::Memory;

pub(crate) const METRICS: [qvec::Metric; 3] =
    [qvec::Metric::Dot, qvec::Metric::Cosine, qvec::Metric::Euclidean];
pub(crate) const BITS: [qvec::Bits; 3] = [qvec::Bits::Two, qvec::Bits::Three, qvec::Bits::Four];

pub(crate) fn open(path: &Path) -> QvecFile {
    QvecFile::open(path, &mut || {}).unwrap()
}

pub(crate) fn workers() -> Arc<Workers> {
    Arc::new(Workers::new(2).unwrap())
}

pub(crate) fn begin(
    output: Box<dyn Output>,
    options: &QvecOptions,
    folder: &Path,
) -> Result<QvecWriter, RowsError> {
    QvecWriter::new(output, options, folder, workers(), &mut || {})
}

/// Writes rows, and ids if there are any, in blocks.
pub(crate) fn write(
    options: &QvecOptions,
    rows: &[f32],
    ids: &[Id],
    block: usize,
    folder: &Path,
) -> Result<Vec<u8>, RowsError> {
    let memory = Memory::default();
    let mut writer = Box::new(begin(Box::new(memory.clone()), options, folder)?);
    let mut ids_left = ids.iter();
    for rows in rows.chunks(block * options.dimension as usize) {
        writer.append(rows)?;
        for id in ids_left.by_ref().take(block) {
            writer.push_id(&id.view())?;
        }
    }
    assert_eq!(writer.count() as usize * options.dimension as usize, rows.len());
    writer.finish()?;
    Ok(memory.bytes())
}

/// All rows of an index, `most` at a time.
pub(crate) fn read(file: &Arc<QvecFile>, most: usize) -> Result<Vec<f32>, RowsError> {
    let mut reader = QvecRows::new(Arc::clone(file), workers(), &mut || {})?;
    let mut rows = Vec::new();
    loop {
        let before = rows.len();
        let count = reader.read(most, &mut rows)?;
        assert!(count <= most && rows.len() - before == count * reader.dimension() as usize);
        if count == 0 {
            assert_eq!(rows.len() as u64, reader.rows() * u64::from(reader.dimension()));
            return Ok(rows);
        }
    }
}

/// Ids of every kind, no two the same.
pub(crate) fn some_ids(count: usize) -> Vec<Id> {
    let id = |row: usize| match row % 4 {
        0 => Id::Number(row as f64 / 8.0 - 1.5),
        1 => Id::Text(format!("a{row}{}", "é".repeat(row % 40))),
        2 => Id::Integer(format!("-1234567890123456789012345678{row}")),
        _ => Id::Text(row.to_string()),
    };
    (0..count).map(id).collect()
}
