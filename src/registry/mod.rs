//! Codecs by name and by hash: the built-in ones, computed, and the registered ones, rows of the table `tq_codec`.
//!
//! A backend keeps the codecs that it has prepared (see [`cache`]); what it keeps is dropped when the table
//! changes anywhere (see [`table`]).

mod cache;
mod coding;
mod columns;
mod compress;
mod current;
mod dropping;
mod exchange;
mod functions;
mod generation;
mod good;
mod lookup;
mod prepare;
mod registration;
mod rotations;
mod table;
mod trigger;

#[cfg(any(test, feature = "pg_test"))]
pub(crate) use self::coding::ROTATIONS;
pub(crate) use self::coding::{
    confirm, decode, decode_batch, distance, encode, encode_batch, rotate_back, rotate_rows, with_rotation,
};
pub(crate) use self::compress::{compress_floats, normalize_rows, record_len};
pub(crate) use self::current::{keep_if_there, keep_named};
pub(crate) use self::exchange::{definition, described};
pub(crate) use self::generation::generation;
pub(crate) use self::good::{decode_good, encode_good};
pub(crate) use self::lookup::{
    builtin, by_name_or_hash, by_prefix, codec_name, for_record, is_known, of_corpus, of_description,
    of_shape, of_typmod,
};
pub(crate) use self::prepare::Query;
pub(crate) use self::registration::{
    CodecRegistration, check_new, register_described, register_trained, trained_error,
};

pgrx::extension_sql_file!("registry.sql", name = "registry", requires = ["vector"]);

/// Registers the callback that learns of changes to the table; called from `_PG_init`.
pub(crate) fn init() {
    cache::init();
    generation::init();
}
