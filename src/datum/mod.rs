//! Datums as Rust sees them: records, arrays of floats, columns of either and pgvector's types, type modifiers, parameters of codecs.

pub(crate) mod arguments;
pub(crate) mod codec_parameters;
pub(crate) mod float_array;
pub(crate) mod record;
pub(crate) mod rejects;
pub(crate) mod typmod;
pub(crate) mod vector_type;
