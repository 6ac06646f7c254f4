//! The type `tqvec`: its datum, text and binary forms, type modifiers, casts and comparison.

mod array;
mod binary;
mod casts;
mod datum;
mod equality;
mod pgvector;
mod text;
mod typmod;

pub(crate) use array::FloatArray;
pub(crate) use casts::compress_floats;
pub(crate) use datum::{AnyDatum, Header, Record, RecordOut, Varlena};
pub(crate) use typmod::{Typmod, is_type_of};

pgrx::extension_sql_file!("vector.sql", name = "vector", bootstrap);
pgrx::extension_sql_file!("pgvector.sql", name = "pgvector", finalize);
