//! Files of vectors: mapping them, surviving what other processes do to them meanwhile, reading and writing them in each of the
//! formats, searching and merging them, and writing files whole or not at all.
//!
//! Bytes mean what `tq_format` says, or what the folder of a format does; this crate gets at them. Everything read from a
//! file passes through a [`MapGuard`], because a mapping of a file that someone truncates turns reads into SIGBUS, and in a
//! database server that would take every session down. Here it becomes an ordinary error.
//!
//! | folder | holds |
//! | --- | --- |
//! | `io/` | what every format stands on: mapping and its guard, output that appears whole, what waits in temporary files |
//! | `rows/` | vectors as rows of numbers, and the numbers: readers, writers, types |
//! | `container/` | files of named tensors, whatever their format; `cbor/`, in which their directories are written |
//! | `array/` | files of dense arrays, whatever their format |
//! | `tqcv/` `qvec/` `ztensor/` `burnpack/` `npy/` `npz/` `safetensors/` `gguf/` `torch/` `benchmark/` | the formats |
//! | `whole/` | all tensors of a file as one of another format |
//! | `zip/` | archives, in which some of them are |
//! | `matrix/` | matrices that are dear to make, kept and shared |

mod array;
mod benchmark;
mod burnpack;
mod cbor;
mod container;
mod format;
mod gguf;
mod id;
mod io;
mod matrix;
mod merge;
mod nearest;
mod npy;
mod npz;
pub mod pgcopy;
mod pgjson;
mod qvec;
mod rows;
mod safetensors;
mod torch;
mod tqcv;
mod whole;
mod zip;
mod ztensor;

pub use array::ArrayFile;
pub use benchmark::{BenchmarkFormat, FbinWriter, open_benchmark};
pub use burnpack::{BurnpackFile, BurnpackOptions, BurnpackWriter, merge_burnpacks};
pub use container::{Cells, Container, ContainerError, IdReader, OpenError, Tensor};
pub use format::{Format, detect, detect_content};
pub use gguf::open_gguf;
pub use id::{Id, Ids, parse_uuid, uuid_text};
pub use io::{AtomicFile, FileError, MapGuard, MappedFile, Output, read_small, remove_unfinished};
pub use matrix::{MatrixEntry, MatrixError, MatrixFile, MatrixFolder, MatrixKey};
pub use merge::{MergeError, Merged};
pub use nearest::Neighbour;
pub use npy::{NpyOptions, NpyWriter, open_npy};
pub use npz::open_npz;
pub use pgjson::fits_jsonb;
pub use qvec::{QvecFile, QvecFileError, QvecOptions, QvecRows, QvecVersion, QvecWriter};
pub use rows::{FloatType, Numbers, Real, RowReader, RowWriter, RowsError};
pub use safetensors::{SafetensorsOptions, SafetensorsWriter, open_safetensors};
pub use torch::open_torch;
pub use tqcv::{
    Corpus, CorpusFileError, CorpusRowWriter, CorpusRows, CorpusWriter, Fault, FaultKind, MergeIds, Metadata,
    MetadataError, SearchError, Verification, check_json, merge_corpora,
};
pub use whole::{WholeFormat, WholeOptions, merge_safetensors, write_whole};
pub use ztensor::{
    ZtensorFile, ZtensorGeneration, ZtensorOptions, ZtensorWriter, merge_ztensors, recode_ztensor,
};
