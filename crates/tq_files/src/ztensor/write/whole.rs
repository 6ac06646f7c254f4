//! Writing a file of dense tensors of any shape, one after the other.

use super::frame;
use super::manifest::{self, Entries, ObjectEntry, PartEntry};
use super::part::{Checksum, Coding, PartWriter, Style};
use crate::cbor::encode::text;
use crate::rows::Element;
use crate::ztensor::frame::{ZtensorGeneration, alignment, check_size};
use crate::ztensor::model::MOST_DIMENSIONS;
use crate::ztensor::names::check_name;
use crate::ztensor::types::element_name;
use crate::{ContainerError, Output, RowsError};

/// Writes a file.
pub(crate) struct WholeWriter {
    output: Box<dyn Output>,
    generation: ZtensorGeneration,
    style: Style,
    objects: Entries,
}

/// A tensor that is being written.
pub(crate) struct WholeTensor<'w> {
    writer: &'w mut WholeWriter,
    part: PartWriter,
    name: Vec<u8>,
    /// `None` for booleans.
    element: Option<Element>,
    shape: &'w [u64],
}

impl WholeWriter {
    /// Begins a file of generation 1.2 or 2.
    ///
    /// # Errors
    /// The output's.
    pub(crate) fn begin(
        mut output: Box<dyn Output>,
        generation: ZtensorGeneration,
        compress: bool,
    ) -> Result<Self, RowsError> {
        frame::begin(&mut *output, generation)?;
        let newest = generation == ZtensorGeneration::V2;
        let style = Style {
            align: alignment(generation),
            coding: match compress {
                false => Coding::Raw,
                true if newest => Coding::Seekable,
                true => Coding::Zstd,
            },
            checksum: if newest { Checksum::Decoded } else { Checksum::Stored },
        };
        Ok(WholeWriter { output, generation, style, objects: Entries::new() })
    }

    /// Begins a tensor, whose bytes are little-endian and the last dimension varying fastest.
    ///
    /// # Errors
    /// A name or shape that the format doesn't have; the output's.
    pub(crate) fn tensor<'w>(
        &'w mut self,
        name: &str,
        element: Option<Element>,
        shape: &'w [u64],
    ) -> Result<WholeTensor<'w>, RowsError> {
        check_name(name)?;
        if shape.len() > MOST_DIMENSIONS {
            let (tensor, count) = (name.to_owned(), shape.len());
            let obstacle = format!("it has {count} dimensions, and at most {MOST_DIMENSIONS} are allowed");
            return Err(ContainerError::NotCells { tensor, obstacle }.into());
        }
        let part = PartWriter::begin(&mut *self.output, self.style)?;
        Ok(WholeTensor { writer: self, part, name: text(name), element, shape })
    }

    /// Writes the directory.
    ///
    /// # Errors
    /// More than it has room for; the output's.
    pub(crate) fn finish(mut self, attributes: &[(String, String)]) -> Result<(), RowsError> {
        attributes.iter().try_for_each(|(key, _)| check_name(key))?;
        let attributes = attributes.iter().rev().map(|(key, value)| (text(key), text(value))).collect();
        let directory = manifest::directory(self.generation, &attributes, &self.objects);
        check_size(directory.len() as u64)?;
        frame::end(&mut *self.output, self.generation, &directory)?;
        Ok(self.output.complete()?)
    }
}

impl WholeTensor<'_> {
    /// Adds bytes.
    ///
    /// # Errors
    /// The output's.
    pub(crate) fn write(&mut self, bytes: &[u8]) -> Result<(), RowsError> {
        Ok(self.part.write(&mut *self.writer.output, bytes)?)
    }

    /// Completes it.
    ///
    /// # Errors
    /// The output's.
    pub(crate) fn finish(self) -> Result<(), RowsError> {
        let WholeTensor { writer, part, name, element, shape } = self;
        let written = part.finish(&mut *writer.output)?;
        let newest = writer.generation == ZtensorGeneration::V2;
        let (dtype, logical) = match element {
            Some(element) => (element_name(element), None),
            None if newest => ("u8", Some("bool")),
            None => ("bool", None),
        };
        let parts = vec![PartEntry { role: "data", dtype, logical, written }];
        let object = ObjectEntry { shape, layout: "dense", parts, attributes: Entries::new() };
        writer.objects.insert(name, object.encode(writer.generation));
        Ok(())
    }
}
