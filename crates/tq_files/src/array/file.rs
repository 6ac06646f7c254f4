//! A file of dense arrays as a container.

use std::sync::Arc;

use super::cells::cells;
use super::ids::ArrayIds;
use super::model::Array;
use super::rows::ArrayRows;
use crate::container::{copied, no_tensor};
use crate::zip::verify;
use crate::{Cells, Container, ContainerError, IdReader, MappedFile, RowReader, RowsError, Tensor};

/// An open file of dense arrays, all of which lie in it.
#[derive(Debug)]
pub struct ArrayFile {
    file: Arc<MappedFile>,
    format: String,
    arrays: Vec<Array>,
    tensors: Vec<Tensor>,
    attributes: Vec<(String, String)>,
}

impl ArrayFile {
    /// Of arrays that were [checked](Array::check).
    pub(crate) fn new(file: MappedFile, format: impl Into<String>, arrays: Vec<Array>) -> Self {
        let tensors = arrays.iter().map(Array::to_tensor).collect();
        ArrayFile { file: Arc::new(file), format: format.into(), arrays, tensors, attributes: Vec::new() }
    }

    /// Likewise, with what the file says of itself.
    pub(crate) fn with_attributes(self, attributes: Vec<(String, String)>) -> Self {
        ArrayFile { attributes, ..self }
    }

    /// Compares the checksum of an array, unless that is done while it is inflated.
    fn verify_stored(&self, tensor: usize, poll: &mut dyn FnMut()) -> Result<(), RowsError> {
        match self.arrays.get(tensor).is_some_and(|array| array.deflated().is_some()) {
            true => Ok(()),
            false => self.verify(tensor, poll).map(drop),
        }
    }

    /// The array of that number.
    fn into_array(mut self, index: usize) -> Result<(Arc<MappedFile>, Array), ContainerError> {
        let count = self.arrays.len();
        if index >= count {
            let obstacle = format!("number {index} of {count} was asked for");
            return Err(ContainerError::NotRows { tensor: String::new(), obstacle });
        }
        Ok((self.file, self.arrays.swap_remove(index)))
    }
}

impl Container for ArrayFile {
    fn file(&self) -> &MappedFile {
        &self.file
    }

    fn format(&self) -> &str {
        &self.format
    }

    fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// Of these formats, archives alone have checksums.
    fn verify(&self, tensor: usize, poll: &mut dyn FnMut()) -> Result<bool, RowsError> {
        match self.arrays.get(tensor).and_then(|array| array.entry.as_ref()) {
            Some(entry) => verify(&self.file, entry, poll),
            None => Ok(false),
        }
    }

    fn rows(self: Box<Self>, tensor: usize, poll: &mut dyn FnMut()) -> Result<Box<dyn RowReader>, RowsError> {
        self.verify_stored(tensor, poll)?;
        let (file, array) = self.into_array(tensor)?;
        Ok(Box::new(ArrayRows::new(file, array, poll)?))
    }

    fn attributes(&self) -> Result<Vec<(String, String)>, ContainerError> {
        copied(&self.attributes)
    }

    fn cells(&self, tensor: usize, poll: &mut dyn FnMut()) -> Result<Cells, RowsError> {
        self.verify_stored(tensor, poll)?;
        match self.arrays.get(tensor) {
            Some(array) => cells(Arc::clone(&self.file), array, poll),
            None => Err(no_tensor(tensor, self.arrays.len()).into()),
        }
    }

    fn ids(self: Box<Self>, tensor: usize, poll: &mut dyn FnMut()) -> Result<Box<dyn IdReader>, RowsError> {
        self.verify_stored(tensor, poll)?;
        let (file, array) = self.into_array(tensor)?;
        Ok(Box::new(ArrayIds::new(file, array)?))
    }
}
