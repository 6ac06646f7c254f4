//! Dense arrays as they lie in a file, whatever the file's format: what NumPy, safetensors and the files of benchmarks have in
//! common.
//!
//! A format's reader finds its arrays, checks with [`Array::check`] that each lies in the file, and gives them to an
//! [`ArrayFile`]; the rest is the same for all: which can be read as vectors or as ids, and reading them in blocks.

mod file;
mod ids;
mod model;
mod rows;

pub use self::file::ArrayFile;
pub(crate) use self::ids::{ArrayIds, whole};
pub(crate) use self::model::{Array, Cell};
