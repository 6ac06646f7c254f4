//! Writers of float files, made by the options of a COPY TO.

use tq_corpus::{Output, RowWriter};

use super::ids::Key;
use super::statement::{Format, Options};
use crate::error::Error;

/// Writes rows and, where the format has them, their ids.
pub(super) enum FloatWriter {
    Rows(Box<dyn RowWriter>),
}

impl FloatWriter {
    pub(super) fn new(
        format: Format,
        _options: &Options,
        _output: Box<dyn Output>,
        _dimension: u32,
        _ids: bool,
    ) -> Result<FloatWriter, Error> {
        Err(Error::CopyUnsupported { format: format.name(), what: "this".into(), hint: None })
    }

    pub(super) fn append(&mut self, rows: &[f32], _keys: &[Key]) -> Result<(), Error> {
        match self {
            FloatWriter::Rows(writer) => writer.append(rows).map_err(Error::WriteRows),
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match self {
            FloatWriter::Rows(writer) => writer.bytes(),
        }
    }

    pub(super) fn finish(self) -> Result<(), Error> {
        match self {
            FloatWriter::Rows(writer) => writer.finish().map_err(Error::WriteRows),
        }
    }
}

/// Refuses values of options that the format doesn't have, before anything is read or written.
pub(super) fn check_options(_format: Format, _options: &Options) -> Result<(), Error> {
    Ok(())
}
