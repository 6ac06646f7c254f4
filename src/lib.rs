//! tinyquant: compressed embedding vectors for PostgreSQL.
use pgrx::prelude::*;

::pgrx::pg_module_magic!(name, version);

#[pg_extern]
fn tq_version() -> &'static str {
    "x"
}
