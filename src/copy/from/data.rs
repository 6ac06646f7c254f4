//! Rows of binary COPY data, written one behind the other: see [`super::source`].

use tq_files::pgcopy::{SIGNATURE, TRAILER};
use tq_memory::Grow;

use crate::copy::ids::IdColumn;
use crate::error::Error;

/// Binary COPY data that waits to be given out.
#[derive(Default)]
pub(crate) struct CopyData {
    pub(super) bytes: Vec<u8>,
    /// Where rows begin and their ids end that are text, if these are to be read in the database's encoding whatever the
    /// client's is.
    pub(super) ids: Vec<(usize, usize)>,
    pub(super) marked: bool,
}

impl CopyData {
    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ids.clear();
    }
}

/// Appends a row: the number of its columns, the id, and what `vector` writes; nothing if either can't be. Rows count from 0.
pub(crate) fn write_row(
    id: Option<&mut IdColumn>,
    row: u64,
    out: &mut CopyData,
    vector: impl FnOnce(&mut Vec<u8>) -> Result<(), Error>,
) -> Result<(), Error> {
    let CopyData { bytes, ids, marked } = out;
    let start = bytes.len();
    let text = *marked && id.as_ref().is_some_and(|id| id.is_text());
    let columns = 1 + i16::from(id.is_some());
    let mut end = start;
    let written = bytes.try_extend(&columns.to_be_bytes()).map_err(Error::from);
    let written = written.and_then(|()| id.map_or(Ok(()), |id| id.write(row, bytes))).and_then(|()| {
        end = bytes.len();
        vector(bytes)
    });
    let written = written.and_then(|()| if text { Ok(ids.try_push((start, end))?) } else { Ok(()) });
    if written.is_err() {
        bytes.truncate(start);
    }
    written
}

/// Bytes of the data of so many rows, whose vectors are fields of that length, from a file of `file` bytes.
pub(crate) fn data_len(rows: u64, vector: usize, id: Option<&IdColumn>, file: u64) -> u64 {
    let row = (size_of::<i16>() + size_of::<i32>() + vector) as u64;
    let ids = id.map_or(0, |id| id.data_len(rows, file));
    rows.saturating_mul(row).saturating_add(ids).saturating_add((SIGNATURE.len() + TRAILER.len()) as u64)
}

/// Appends a NULL, which has a length alone.
///
/// # Errors
/// [`Error::Memory`].
pub(super) fn write_null(out: &mut Vec<u8>) -> Result<(), Error> {
    Ok(out.try_extend(&(-1i32).to_be_bytes())?)
}

/// Appends a field of a row, its length in front.
///
/// # Errors
/// [`Error::Memory`].
pub(crate) fn write_field(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Error> {
    out.try_room(4 + bytes.len())?;
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
    Ok(())
}
