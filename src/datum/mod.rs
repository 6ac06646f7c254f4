//! Datums as Rust sees them: records, arrays of floats, type modifiers.

pub(crate) mod arguments;
pub(crate) mod float_array;
pub(crate) mod record;
pub(crate) mod typmod;
