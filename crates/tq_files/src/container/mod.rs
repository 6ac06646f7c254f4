//! Files of named tensors: what all formats of that kind have in common.
//!
//! A [`Container`] lists its tensors, whatever they are; those that are matrices of numbers can be read as rows.

mod cells;
mod error;
mod id_tensor;

use tq_memory::{Hold, OutOfMemory};

use crate::id::Id;
use crate::io::MappedFile;
use crate::rows::{RowReader, RowsError};

pub use self::cells::Cells;
pub(crate) use self::cells::{CellReader, CellType};
pub use self::error::{ContainerError, OpenError};
pub(crate) use self::id_tensor::{IdKind, IdTensor};

/// Bytes that are made of a byte of a directory at most, all in all: lists of numbers and of keys, doubled as they grow, take
/// the most.
const MADE_OF_A_BYTE: usize = 96;

/// Memory for what is made of a directory of so many bytes, in many small pieces.
///
/// # Errors
/// [`OutOfMemory`].
pub(crate) fn hold_for_directory(bytes: usize) -> Result<Hold, OutOfMemory> {
    tq_memory::hold(bytes.saturating_mul(MADE_OF_A_BYTE).saturating_add(64 << 10))
}

/// What is known of a tensor without reading it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name in the file.
    pub name: String,
    /// The type of its elements, as the format calls it.
    pub dtype: String,
    /// Its shape, outermost dimension first.
    pub shape: Vec<u64>,
    /// How it is stored, as the format calls it: layout and compression.
    pub encoding: String,
    /// Bytes that it takes in the file.
    pub bytes: u64,
    /// The kind of checksum that the file holds of it, if any.
    pub checksum: Option<&'static str>,
    /// Why it can't be read as rows of vectors; `None` if it can.
    pub obstacle: Option<String>,
}

/// Names and values, copied.
pub(crate) fn copied(attributes: &[(String, String)]) -> Result<Vec<(String, String)>, ContainerError> {
    let mut all = tq_memory::with_capacity(attributes.len())?;
    for (key, value) in attributes {
        all.push((tq_memory::text(key)?, tq_memory::text(value)?));
    }
    Ok(all)
}

/// There is no tensor of that number.
pub(crate) fn no_tensor(tensor: usize, count: usize) -> ContainerError {
    let obstacle = format!("number {tensor} of {count} was asked for");
    ContainerError::NotCells { tensor: String::new(), obstacle }
}

/// A file of tensors, whose directory was read and found sound.
pub trait Container: Send {
    /// The file.
    fn file(&self) -> &MappedFile;

    /// Its format and generation, as people call it.
    fn format(&self) -> &str;

    /// Its tensors, in the file's order.
    fn tensors(&self) -> &[Tensor];

    /// Compares the checksums of a tensor with its bytes, all of them; `true` if there was one to compare.
    ///
    /// `poll` is called many times a second, and may unwind.
    ///
    /// # Errors
    /// [`ContainerError::Checksum`]; the file changed; its bytes can't be decompressed.
    fn verify(&self, tensor: usize, poll: &mut dyn FnMut()) -> Result<bool, RowsError>;

    /// Compares the checksums of a tensor as [`verify`](Self::verify) does, and then reads it as rows.
    ///
    /// # Errors
    /// [`ContainerError::NotRows`], and as for [`verify`](Self::verify).
    fn rows(self: Box<Self>, tensor: usize, poll: &mut dyn FnMut()) -> Result<Box<dyn RowReader>, RowsError>;

    /// What the file says of itself beside its tensors, as far as that is texts: names and values.
    ///
    /// # Errors
    /// Memory.
    fn attributes(&self) -> Result<Vec<(String, String)>, ContainerError> {
        Ok(Vec::new())
    }

    /// Compares the checksums of a tensor as [`verify`](Self::verify) does, and then reads its elements, whatever its shape.
    ///
    /// # Errors
    /// [`ContainerError::NotCells`], and as for [`verify`](Self::verify).
    fn cells(&self, tensor: usize, poll: &mut dyn FnMut()) -> Result<Cells, RowsError>;

    /// Compares the checksums of a tensor as [`verify`](Self::verify) does, and then reads it as ids.
    ///
    /// # Errors
    /// [`ContainerError::NotIds`], and as for [`verify`](Self::verify).
    fn ids(self: Box<Self>, tensor: usize, poll: &mut dyn FnMut()) -> Result<Box<dyn IdReader>, RowsError>;
}

/// Ids of rows, read front to back.
pub trait IdReader: Send {
    /// How many there are.
    fn count(&self) -> u64;

    /// Appends the next ids to `out`, `most` at most, and returns how many these are; 0 at the end.
    ///
    /// # Errors
    /// The file changed, or has what is no id.
    fn read(&mut self, most: usize, out: &mut Vec<Id>) -> Result<usize, RowsError>;
}
