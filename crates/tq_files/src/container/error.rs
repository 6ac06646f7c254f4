//! Why a file of tensors can't be opened or read.

use tq_memory::OutOfMemory;

use crate::io::FileError;

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
    /// Likewise, and there is a way out.
    #[error("{problem}")]
    NotRead {
        /// What stands in the way.
        problem: String,
        /// What helps.
        hint: &'static str,
    },
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
    /// A tensor that isn't one id for each row.
    #[error("{} can't be read as ids: {obstacle}", named(tensor))]
    NotIds {
        /// The tensor's name; empty if the file has only one, without a name.
        tensor: String,
        /// Why not.
        obstacle: String,
    },
    /// A tensor whose elements can't be written into another file.
    #[error("{} can't be written anew: {obstacle}", named(tensor))]
    NotCells {
        /// The tensor's name; empty if the file has only one, without a name.
        tensor: String,
        /// Why not.
        obstacle: String,
    },
    /// A tensor that isn't a matrix of numbers.
    #[error("{} can't be read as vectors: {obstacle}", named(tensor))]
    NotRows {
        /// The tensor's name; empty if the file has only one, without a name.
        tensor: String,
        /// Why not.
        obstacle: String,
    },
}

/// What an error calls a tensor.
fn named(tensor: &str) -> String {
    match tensor.is_empty() {
        true => "its array".to_owned(),
        false => format!("tensor \"{tensor}\""),
    }
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
