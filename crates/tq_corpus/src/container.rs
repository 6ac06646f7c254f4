//! Files of named tensors: what all formats of that kind have in common.
//!
//! A [`Container`] lists its tensors, whatever they are; those that are matrices of numbers can be read as rows.

use tq_memory::{Hold, OutOfMemory};

use crate::{FileError, MappedFile, RowReader, RowsError};

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
}

/// What is wrong in a file of tensors.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
pub enum ContainerError {
    /// There is no memory for its directory.
    #[error("{0}")]
    Memory(#[from] OutOfMemory),
    /// It breaks the rules of its format.
    #[error("{0}")]
    Malformed(String),
    /// It keeps them, but is of a kind that isn't read here.
    #[error("{0}")]
    Unsupported(String),
    /// The bytes of a tensor are not those that the checksum was made of.
    #[error("{scheme} checksum of tensor \"{tensor}\" ({part}) doesn't match its bytes")]
    Checksum {
        /// The tensor's name.
        tensor: String,
        /// Which part of it.
        part: String,
        /// The kind of checksum.
        scheme: &'static str,
    },
    /// A tensor that isn't a matrix of numbers.
    #[error("tensor \"{tensor}\" can't be read as vectors: {obstacle}")]
    NotRows {
        /// The tensor's name.
        tensor: String,
        /// Why not.
        obstacle: String,
    },
}

/// Why a file of tensors can't be opened.
#[derive(thiserror::Error, Debug)]
pub enum OpenError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// What stands in it.
    #[error(transparent)]
    Container(#[from] ContainerError),
}

impl From<OutOfMemory> for OpenError {
    fn from(error: OutOfMemory) -> Self {
        OpenError::Container(error.into())
    }
}
