//! What SQL does with vectors: compress and decompress them, look into a record, measure distances.

mod accessors;
mod aggregate;
mod compress;
mod datum_key;
mod distance;
mod evaluate;
mod once;
mod sample;
mod serial;
mod support;
mod train;
mod train_codec;
mod value_cache;
mod version;

/// Called once, when the library is loaded.
pub(crate) fn init() {
    serial::prepare();
}

pgrx::extension_sql_file!("ops.sql", name = "ops", requires = ["registry"]);
pgrx::extension_sql_file!("distance/distances.sql", name = "distances", requires = ["ops"]);
