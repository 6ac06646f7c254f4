//! A corpus on disk: a mapped file whose records are read in batches.
//!
//! Each batch re-reads the header, which costs nothing next to the records, so that a file changed between two batches
//! can't lead astray; and whenever the file has changed, that is the error, whatever the format had to say of the
//! remains.

use std::ops::Range;
use std::path::Path;

use tq_format::{CorpusError, CorpusHeader, CorpusView, Records};

use crate::io::{FileError, MapGuard, MappedFile};
use crate::rows::RowsError;

/// Why a corpus file could not be read.
#[derive(thiserror::Error, Debug)]
pub enum CorpusFileError {
    /// The file, whatever it contains.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its contents.
    #[error(transparent)]
    Format(#[from] CorpusError),
}

impl From<CorpusFileError> for RowsError {
    fn from(error: CorpusFileError) -> Self {
        match error {
            CorpusFileError::File(error) => RowsError::File(error),
            CorpusFileError::Format(error) => RowsError::Corpus(error),
        }
    }
}

/// An open TQCV corpus whose header and size are right. Records are checked as they are read.
#[derive(Debug)]
pub struct Corpus {
    file: MappedFile,
    header: CorpusHeader,
}

impl Corpus {
    /// Opens and maps the corpus at `path` and checks its header and geometry.
    ///
    /// # Errors
    /// [`CorpusFileError::File`] as [`MappedFile::open`], [`CorpusFileError::Format`] as [`CorpusView::parse`].
    pub fn open(path: &Path) -> Result<Self, CorpusFileError> {
        let file = MappedFile::open(path)?;
        let header = file.read(|bytes| CorpusView::parse(bytes).and_then(|view| view.to_header()))??;
        Ok(Corpus { file, header })
    }

    /// The header, with the metadata.
    pub fn header(&self) -> &CorpusHeader {
        &self.header
    }

    /// The file.
    pub fn file(&self) -> &MappedFile {
        &self.file
    }

    /// Number of records.
    pub fn vector_count(&self) -> u64 {
        self.header.vector_count
    }

    /// Keeps the file readable between batches, which then cost no signal handling of their own. Optional.
    ///
    /// # Errors
    /// As [`MappedFile::guard`].
    pub fn guard(&self) -> Result<MapGuard<'_>, CorpusFileError> {
        Ok(self.file.guard()?)
    }

    /// Runs `f` on the whole corpus, and returns what it does if the file is still the same afterwards.
    ///
    /// # Errors
    /// [`CorpusFileError::File`] when the file was changed, otherwise [`CorpusFileError::Format`] with what `f` or the
    /// header's parser found.
    pub fn read<R>(
        &self,
        f: impl FnOnce(&CorpusView<'_>) -> Result<R, CorpusError>,
    ) -> Result<R, CorpusFileError> {
        Ok(self.file.read(|bytes| CorpusView::parse(bytes).and_then(|view| f(&view)))??)
    }

    /// Runs `f` on the records with indices, counted from 0, in `range`, as far as there are any.
    ///
    /// What `f` makes of the records is to be used only if this returns it. Batches are best taken in the order of the file:
    /// what lies before one is let go of, so that the process stays small.
    ///
    /// # Errors
    /// As [`read`](Self::read).
    pub fn batch<R>(
        &self,
        range: Range<u64>,
        f: impl FnOnce(Records<'_>) -> Result<R, CorpusError>,
    ) -> Result<R, CorpusFileError> {
        let (result, place) = self.read(|view| {
            let place = view.place_of(range.start);
            Ok((f(view.records_in(range))?, place))
        })?;
        self.file.release_below(place);
        Ok(result)
    }
}
