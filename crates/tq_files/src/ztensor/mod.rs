//! zTensor (`.zt`): files of named tensors, in the four generations that were ever written.
//!
//! | generation | begins with | directory | written by |
//! |---|---|---|---|
//! | 0.1 | `ZTEN0001` | CBOR array, 8-byte footer | `ztensor` 0.1 |
//! | 1.0 | `ZTEN1000` | CBOR map `tensors`, 8-byte footer | `ztensor` 1.0 |
//! | 1.2 | `ZTEN1000` | CBOR map `objects`, 16-byte footer that ends with the magic | `ztensor` 1.1 and 1.2 |
//! | 2 | `\x89ZT2\r\n\x1a\n` | deterministic CBOR map `objects`, 40-byte footer | `ztensor` 2 |
//!
//! The directory is copied, checked whole and held; tensors are read from the mapping in blocks. A directory that breaks
//! its rules makes the file unreadable; a tensor of a kind that isn't read here is listed with what stands in the way.
//! Files of generations 1.2 and 2 are written by [`ZtensorWriter`].

mod compression;
mod digest;
mod frame;
mod label;
mod merge;
mod model;
mod names;
mod read;
mod seek_table;
mod types;
mod write;

use std::path::Path;
use std::sync::Arc;

use self::model::{Layout, Object};
use self::read::{CsrReader, DenseReader, Frame, TensorIds, attributes, cells, open_coo, verify};
use crate::container::{hold_for_directory, no_tensor};
use crate::{
    Cells, Container, ContainerError, IdReader, MappedFile, OpenError, RowReader, RowsError, Tensor,
};

pub use self::frame::ZtensorGeneration;
pub use self::merge::{merge_ztensors, recode_ztensor};
pub(crate) use self::write::WholeWriter;
pub use self::write::{ZtensorOptions, ZtensorWriter};

/// A zTensor file of any generation.
///
/// Tensors of rank 2 and of numbers are read as rows: dense ones, and sparse ones (CSR and COO, not those of generation
/// 0.1, which can't hold them) with zeros where they have no entry. Integers and `f64` are rounded to the nearest `f32`.
/// Booleans aren't numbers. Checksums are compared before the first row is given; those of an unknown kind are ignored,
/// as the format's own readers do. Memory is bounded by blocks, zstd's window (128 MiB at most) and, if the entries of a
/// COO tensor are not in the order of their rows, 12 bytes for each (64 Mi entries at most).
#[derive(Debug)]
pub struct ZtensorFile {
    file: Arc<MappedFile>,
    generation: ZtensorGeneration,
    /// The directory as it stands in the file.
    directory: Vec<u8>,
    objects: Vec<Object>,
    tensors: Vec<Tensor>,
}

impl ZtensorFile {
    /// Opens the file at `path` and reads its directory.
    ///
    /// # Errors
    /// As [`MappedFile::open`]; [`ContainerError::Malformed`] if it isn't a zTensor file or breaks a rule of its
    /// generation; [`ContainerError::Unsupported`] for a data shard of generation 2, which has no directory.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file = MappedFile::open(path)?;
        let frame = file.read(Frame::read)??;
        let _hold = hold_for_directory(frame.directory.len())?;
        let objects = frame.objects()?;
        let tensors = objects.iter().map(Object::to_tensor).collect();
        let Frame { generation, directory, .. } = frame;
        Ok(ZtensorFile { file: Arc::new(file), generation, directory, objects, tensors })
    }
}

impl Container for ZtensorFile {
    fn file(&self) -> &MappedFile {
        &self.file
    }

    fn format(&self) -> &str {
        match self.generation {
            ZtensorGeneration::V0_1 => "zTensor 0.1",
            ZtensorGeneration::V1_0 => "zTensor 1.0",
            ZtensorGeneration::V1_2 => "zTensor 1.2",
            ZtensorGeneration::V2 => "zTensor 2",
        }
    }

    fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    fn verify(&self, tensor: usize, poll: &mut dyn FnMut()) -> Result<bool, RowsError> {
        let mut compared = false;
        for part in self.objects.get(tensor).map_or(&[][..], |object| &object.parts) {
            compared |= verify(&self.file, part, poll)?;
        }
        Ok(compared)
    }

    fn rows(
        mut self: Box<Self>,
        tensor: usize,
        poll: &mut dyn FnMut(),
    ) -> Result<Box<dyn RowReader>, RowsError> {
        let not_rows = |tensor: String, obstacle: String| ContainerError::NotRows { tensor, obstacle };
        if tensor >= self.objects.len() {
            return Err(not_rows(format!("#{tensor}"), "there is no such tensor".into()).into());
        }
        if let Some(obstacle) = &self.objects[tensor].obstacle {
            return Err(not_rows(self.objects[tensor].name.clone(), obstacle.clone()).into());
        }
        self.verify(tensor, poll)?;
        let object = self.objects.swap_remove(tensor);
        Ok(match object.layout {
            Layout::Dense => Box::new(DenseReader::new(self.file, &object, poll)?),
            Layout::Csr => {
                let increasing = self.generation == ZtensorGeneration::V2;
                Box::new(CsrReader::new(self.file, &object, increasing, poll)?)
            }
            Layout::Coo => open_coo(self.file, &object, poll)?,
            Layout::Other => {
                return Err(not_rows(object.name, "its layout isn't read here".into()).into());
            }
        })
    }

    fn attributes(&self) -> Result<Vec<(String, String)>, ContainerError> {
        attributes(self.generation, &self.directory)
    }

    fn cells(&self, tensor: usize, poll: &mut dyn FnMut()) -> Result<Cells, RowsError> {
        self.verify(tensor, poll)?;
        match self.objects.get(tensor) {
            Some(object) => cells(&self.file, object, self.generation == ZtensorGeneration::V2, poll),
            None => Err(no_tensor(tensor, self.objects.len()).into()),
        }
    }

    fn ids(
        mut self: Box<Self>,
        tensor: usize,
        poll: &mut dyn FnMut(),
    ) -> Result<Box<dyn IdReader>, RowsError> {
        if tensor >= self.objects.len() {
            let obstacle = "there is no such tensor".to_owned();
            return Err(ContainerError::NotIds { tensor: format!("#{tensor}"), obstacle }.into());
        }
        self.verify(tensor, poll)?;
        let object = self.objects.swap_remove(tensor);
        Ok(Box::new(TensorIds::new(self.file, &object, poll)?))
    }
}
