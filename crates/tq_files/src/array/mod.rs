//! Dense arrays as they lie in a file, whatever the file's format: what NumPy, safetensors, GGUF and the files of benchmarks have
//! in common.
//!
//! A format's reader finds its arrays, checks with [`Array::check`] that each lies in the file, and gives them to an
//! [`ArrayFile`]; the rest is the same for all: which can be read as vectors or as ids, and reading them in blocks.

mod cells;
mod file;
mod ids;
mod model;
mod rows;

pub(crate) use self::cells::cells as array_cells;
pub use self::file::ArrayFile;
pub(crate) use self::ids::{ArrayIds, texts_of_bytes, utf8, whole};
pub(crate) use self::model::{Array, Block, Cell, Layout};
