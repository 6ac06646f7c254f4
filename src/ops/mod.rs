//! What SQL does with vectors: compress and decompress them, look into a record, measure distances.

mod accessors;
mod aggregate;
mod compress;
mod distance;
mod evaluate;
mod kept;
mod key;
mod once;
mod serial;
mod support;
mod train;
mod version;

/// Called once, when the library is loaded.
pub(crate) fn init() {
    serial::prepare();
}

pgrx::extension_sql_file!("ops.sql", name = "ops", requires = ["registry"]);
