//! The type `tqvec`: its datum, text and binary forms, type modifiers, casts and comparison.

mod analyze;
mod binary;
mod casts;
mod equality;
mod pgvector;
mod text;
mod typmod;

pgrx::extension_sql_file!("vector.sql", name = "vector", bootstrap);
pgrx::extension_sql_file!("pgvector.sql", name = "pgvector", finalize);
