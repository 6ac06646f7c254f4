//! What a writer knows before its place in the file is reached: scales, norms and ids, which come behind all codes.
//!
//! Of each id a hash stays in memory, to find those that come twice.

use std::collections::HashSet;
use std::hash::{BuildHasher, RandomState};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::SpooledTempFile;
use tq_format::qvec;
use tq_memory::{Grow, OutOfMemory};

use crate::{FileError, Output, RowsError};

/// Bytes that wait in memory beside these, of each kind: so few that, doubled, they can't fail.
const IN_MEMORY: usize = STEP / 2;
/// Bytes that go to a temporary file at once.
const STEP: usize = 64 << 10;

/// The ids so far.
pub(super) struct WaitingIds {
    spool: WaitingBytes,
    count: u32,
    state: RandomState,
    hashes: HashSet<u64>,
}

impl WaitingIds {
    pub(super) fn new(spool: WaitingBytes) -> Self {
        WaitingIds { spool, count: 0, state: RandomState::new(), hashes: HashSet::new() }
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Copies all of them to the output, as they stand in a file.
    pub(super) fn pour(&mut self, output: &mut dyn Output) -> Result<(), RowsError> {
        self.spool.pour(output)
    }

    /// Adds an id: see [`QvecWriter::push_id`](super::QvecWriter::push_id).
    pub(super) fn push(&mut self, id: &qvec::Id<'_>) -> Result<(), RowsError> {
        let row = u64::from(self.count) + 1;
        let mut bytes = tq_memory::with_capacity(id.written_len())?;
        id.write(&mut bytes).ok_or_else(|| RowsError::QvecId { row, id: text(id) })?;
        self.hashes.try_reserve(1).map_err(OutOfMemory::from)?;
        // -0 and 0 have one hash, and are looked for by it.
        if !self.hashes.insert(self.state.hash_one(id))
            && let Some(first) = self.spool.row_of(id)?
        {
            return Err(RowsError::QvecDuplicateId { row, first, id: text(id) });
        }
        // More than there can be vectors.
        self.count = self.count.checked_add(1).ok_or(RowsError::QvecTooMany { most: u32::MAX.into() })?;
        self.spool.append(&bytes)
    }
}

/// An id for a message.
fn text(id: &qvec::Id<'_>) -> String {
    match id {
        qvec::Id::Number(number) => number.to_string(),
        qvec::Id::Text(text) => format!("\"{}\"", shown(text)),
        qvec::Id::Integer(text) => shown(text).to_string(),
    }
}

/// Its beginning, which is enough to tell it by.
fn shown(text: &str) -> &str {
    &text[..text.floor_char_boundary(1000)]
}

/// Bytes that wait for their place in the output: few in memory, more in a temporary file without a name, which the
/// system removes whatever happens.
pub(super) struct WaitingBytes {
    folder: PathBuf,
    file: SpooledTempFile,
    /// What comes behind what is in the file.
    rest: Vec<u8>,
}

impl WaitingBytes {
    pub(super) fn new(folder: &Path) -> Self {
        let file = tempfile::spooled_tempfile_in(IN_MEMORY, folder);
        WaitingBytes { folder: folder.to_owned(), file, rest: Vec::new() }
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), RowsError> {
        self.rest.try_extend(bytes)?;
        if self.rest.len() < STEP { Ok(()) } else { self.settle() }
    }

    /// Brings all of it into the file.
    fn settle(&mut self) -> Result<(), RowsError> {
        self.file.write_all(&self.rest).map_err(|source| self.failure(source))?;
        self.rest.clear();
        Ok(())
    }

    pub(super) fn append_floats(&mut self, numbers: &[f32]) -> Result<(), RowsError> {
        self.rest.try_room(size_of_val(numbers))?;
        self.rest.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
        self.append(&[])
    }

    /// Copies all of it to the output.
    pub(super) fn pour(&mut self, output: &mut dyn Output) -> Result<(), RowsError> {
        let mut buffer = tq_memory::filled(STEP, 0)?;
        self.settle()?;
        self.file.rewind().map_err(|source| self.failure(source))?;
        loop {
            match self.file.read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => output.append(&buffer[..count])?,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(self.failure(source)),
            }
        }
    }

    /// The row, counted from 1, of an id that waits here, if it does. Reads all before it.
    fn row_of(&mut self, id: &qvec::Id<'_>) -> Result<Option<u64>, RowsError> {
        self.settle()?;
        let found = self.file.rewind().and_then(|()| find(&mut BufReader::new(&mut self.file), id));
        let found = found.and_then(|row| self.file.seek(SeekFrom::End(0)).map(|_| row));
        found.map_err(|source| self.failure(source))
    }

    fn failure(&self, source: io::Error) -> RowsError {
        FileError::Io { path: self.folder.join("(temporary)"), op: "write a temporary", source }.into()
    }
}

/// Goes through ids in their written form.
fn find(ids: &mut impl BufRead, id: &qvec::Id<'_>) -> io::Result<Option<u64>> {
    let mut row = 0;
    while !ids.fill_buf()?.is_empty() {
        row += 1;
        let mut tag = [0];
        ids.read_exact(&mut tag)?;
        let mut number = [0; 8];
        let mut text = Vec::new();
        if tag[0] == 0 {
            ids.read_exact(&mut number)?;
        } else {
            let mut length = [0; 4];
            ids.read_exact(&mut length)?;
            text.try_resize(u32::from_le_bytes(length) as usize, 0)?;
            ids.read_exact(&mut text)?;
        }
        let same = match id {
            qvec::Id::Number(wanted) => tag[0] == 0 && f64::from_le_bytes(number) == *wanted,
            qvec::Id::Text(wanted) => tag[0] == 1 && text == wanted.as_bytes(),
            qvec::Id::Integer(wanted) => tag[0] == 2 && text == wanted.as_bytes(),
        };
        if same {
            return Ok(Some(row));
        }
    }
    Ok(None)
}
