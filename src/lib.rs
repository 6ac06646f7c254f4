//! tinyquant: compressed embedding vectors for PostgreSQL.
//!
//! The extension adds the type `tqvec`, whose datum is exactly one TinyQuant Level-1 record, functions and
//! operators on it, a table of codecs, and `COPY … (FORMAT tqcv)`. What can be written without PostgreSQL lives
//! in the crates under `crates/`; this crate translates between them and the server, and does nothing else.
//!
//! The SQL objects are declared by hand in the `.sql` file beside each module, so that costs, volatility, rights
//! and comments are all in sight; the Rust functions carry `#[pg_extern(sql = false)]` and are named there by
//! their symbol.

// pgrx recognises an ErrorReport in a Result, not a box of one; it is built only where a statement fails.
#![allow(clippy::result_large_err)]

// PostgreSQL errors travel through these functions as unwinding panics: a build that aborts on panic would take
// the whole server down with the first of them.
#[cfg(not(panic = "unwind"))]
compile_error!("tinyquant must be built with panic = \"unwind\"");

use pgrx::prelude::*;

mod am;
mod compress_column;
mod copy;
mod datum;
mod error;
mod formats;
mod ops;
mod query;
mod registry;
mod server;
mod vector;

::pgrx::pg_module_magic!(name, version);

/// Runs once in a process that loads the library: with `shared_preload_libraries` in the postmaster, otherwise in
/// the first session that calls one of its functions.
#[allow(non_snake_case)]
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    server::memory::init();
    server::settings::init();
    registry::init();
    ops::init();
    am::init();
    copy::init();
}

#[cfg(any(test, feature = "pg_test"))]
#[path = "../pgrx-tests/mod.rs"]
mod pgrx_tests_in_backend;

/// What `cargo pgrx test` asks for when it starts its server.
#[cfg(test)]
pub mod pg_test {
    /// One-off preparation of the test framework; nothing is needed.
    pub fn setup(_options: Vec<&str>) {}

    /// Settings of the test server: the library is preloaded, as the manual advises.
    #[must_use]
    pub fn postgresql_conf_options() -> Vec<&'static str> {
        vec!["shared_preload_libraries = 'tinyquant'"]
    }
}
