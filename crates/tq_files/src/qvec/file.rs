//! An index in a mapped file.
//!
//! The whole file is checked when it is opened. From then on only the places of its fields are kept, and each batch reads
//! its numbers where they stand and believes them when the file is still the same afterwards.

use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use tq_codec::Quantvec;
use tq_format::qvec;
use tq_memory::OutOfMemory;

use super::error::QvecFileError;
use crate::id::Id;
use crate::io::{FileError, MappedFile};

/// An open QVEC index, found sound.
#[derive(Debug)]
pub struct QvecFile {
    file: MappedFile,
    geometry: qvec::Geometry,
    /// Made when it is first needed.
    codec: OnceLock<Arc<Quantvec>>,
}

impl QvecFile {
    /// Opens and maps the index at `path` and checks all of it. `poll` is called many times a second, and may unwind.
    ///
    /// # Errors
    /// [`QvecFileError::File`] as [`MappedFile::open`], [`QvecFileError::Format`] as [`qvec::View::parse`].
    pub fn open(path: &Path, poll: &mut dyn FnMut()) -> Result<Self, QvecFileError> {
        let file = MappedFile::open(path)?;
        let geometry =
            file.read(|bytes| qvec::View::parse_polling(bytes, poll).map(|view| view.geometry().clone()))??;
        Ok(QvecFile { file, geometry, codec: OnceLock::new() })
    }

    /// What the header says, and the layout that the file has.
    pub fn header(&self) -> &qvec::Header {
        self.geometry.header()
    }

    /// Which kinds of ids the vectors have; none if they have no ids.
    pub fn id_kinds(&self) -> qvec::IdKinds {
        self.geometry.id_kinds()
    }

    /// Whether coordinates are shifted and scaled before they are quantised.
    pub fn is_calibrated(&self) -> bool {
        self.geometry.is_calibrated()
    }

    /// The number of lists of the inverted file, if there is one. [`QvecFile::search`] doesn't use them.
    pub fn lists(&self) -> Option<u32> {
        self.geometry.lists()
    }

    /// How many of them a search by quantvec looks into.
    pub fn probes(&self) -> Option<u32> {
        self.geometry.probes()
    }

    /// The file.
    pub fn file(&self) -> &MappedFile {
        &self.file
    }

    /// Runs `f` on the index, and returns what it does if the file is still the same afterwards.
    ///
    /// # Errors
    /// [`FileError`] when it isn't, whatever `f` made of it.
    pub fn read<R>(&self, f: impl FnOnce(&qvec::View<'_>) -> R) -> Result<R, FileError> {
        let guard = self.file.guard()?;
        let view = self.geometry.view(guard.bytes());
        let result = view.map(|view| f(&view));
        guard.check()?;
        // A mapping keeps its length.
        result.ok_or_else(|| FileError::Changed { path: self.file.path().to_owned() })
    }

    /// Copies the ids of the vectors at these slots, as far as there are any; none if the vectors have none.
    ///
    /// # Errors
    /// [`QvecFileError::File`] if the file has changed.
    pub fn ids(&self, slots: Range<u32>) -> Result<Vec<Id>, QvecFileError> {
        let count = slots.len();
        let copy = |view: &qvec::View<'_>| {
            let mut ids = tq_memory::with_capacity(count.min(self.header().count as usize))?;
            for id in view.ids_from(slots.start).take(count) {
                ids.push(Id::copied(id?)?);
            }
            Ok(ids)
        };
        self.read(copy)?
    }

    /// The codec of the index, with its calibration. Made at the first call, which may take long for a dimension that isn't a
    /// power of two: `poll` is called many times a second, and may unwind.
    ///
    /// # Errors
    /// [`QvecFileError::Codec`] without memory for it, [`QvecFileError::File`] if the file has changed.
    pub fn codec(&self, poll: &mut dyn FnMut()) -> Result<Arc<Quantvec>, QvecFileError> {
        if let Some(codec) = self.codec.get() {
            return Ok(codec.clone());
        }
        let header = self.header();
        let calibration = self.read(|view| {
            let numbers = view.calibration();
            let copy = |numbers: tq_format::qvec::Calibration<'_>| {
                Ok((tq_memory::collected(numbers.shifts())?, tq_memory::collected(numbers.scales())?))
            };
            numbers.map(copy).transpose()
        })?;
        let calibration = calibration.map_err(|error: OutOfMemory| QvecFileError::Codec(error.into()))?;
        let codec = Quantvec::new(header.dimension, header.bits, header.seed, poll)?;
        let codec = match calibration {
            Some((shifts, scales)) => codec.with_calibration(shifts, scales)?,
            None => codec,
        };
        Ok(self.codec.get_or_init(|| Arc::new(codec)).clone())
    }
}
