//! The ids of a file's rows, one after the other.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tq_files::{Id, IdReader, Ids, QvecFile};

use super::open::{index_error, rows_error};
use crate::error::{Error, FormatError};

/// Ids copied out of an index at a time: a system call guards each such copy.
const IDS_AT_ONCE: u32 = 1024;

/// Ids, read front to back.
pub(crate) trait IdSource {
    /// The next id.
    ///
    /// # Errors
    /// The file is not any more what it was.
    fn next(&mut self) -> Result<Id, Error>;
}

/// The next ids, so many.
///
/// # Errors
/// The source's.
pub(crate) fn next_ids(ids: &mut dyn IdSource, count: u64) -> Result<Vec<Id>, Error> {
    let mut all = tq_memory::with_capacity(usize::try_from(count).unwrap_or(usize::MAX))?;
    for _ in 0..count {
        // Ids that are texts are small pieces each.
        tq_memory::check()?;
        all.push(ids.next()?);
    }
    Ok(all)
}

/// Those that the metadata of a corpus has.
pub(crate) struct CorpusIds {
    ids: Ids,
    next: usize,
}

impl CorpusIds {
    pub(crate) fn new(ids: Ids) -> CorpusIds {
        CorpusIds { ids, next: 0 }
    }
}

impl IdSource for CorpusIds {
    fn next(&mut self) -> Result<Id, Error> {
        let id = self.ids.take(self.next);
        self.next += 1;
        id.ok_or(Error::Format(FormatError::KeysMissing))
    }
}

/// Those of an index, in the order of its vectors.
pub(crate) struct IndexIds {
    path: PathBuf,
    index: Arc<QvecFile>,
    /// The first slot whose id isn't copied yet.
    next: u32,
    some: std::vec::IntoIter<Id>,
}

impl IndexIds {
    pub(crate) fn new(path: &Path, index: Arc<QvecFile>) -> IndexIds {
        IndexIds { path: path.into(), index, next: 0, some: Vec::new().into_iter() }
    }
}

impl IdSource for IndexIds {
    fn next(&mut self) -> Result<Id, Error> {
        if self.some.len() == 0 {
            let slots = self.next..self.next.saturating_add(IDS_AT_ONCE);
            let some = self.index.ids(slots).map_err(|error| index_error(&self.path, error))?;
            self.next += some.len() as u32;
            self.some = some.into_iter();
        }
        self.some.next().ok_or(Error::Format(FormatError::KeysMissing))
    }
}

/// Those of a tensor.
pub(crate) struct TensorIds {
    path: PathBuf,
    reader: Box<dyn IdReader>,
    /// Read, the next one last.
    some: Vec<Id>,
}

impl TensorIds {
    pub(super) fn new(path: &Path, reader: Box<dyn IdReader>) -> TensorIds {
        TensorIds { path: path.into(), reader, some: Vec::new() }
    }
}

impl IdSource for TensorIds {
    fn next(&mut self) -> Result<Id, Error> {
        if self.some.is_empty() {
            let read = self.reader.read(IDS_AT_ONCE as usize, &mut self.some);
            read.map_err(|error| rows_error(&self.path, error))?;
            self.some.reverse();
        }
        self.some.pop().ok_or(Error::Format(FormatError::KeysMissing))
    }
}
