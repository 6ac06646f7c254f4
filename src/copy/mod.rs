//! `COPY … WITH (FORMAT tqcv)`, and `tq_import` and `tq_export`, which run it.
//!
//! A utility hook looks at every COPY's parse tree. One whose `format` option names a format of ours is taken; any
//! other goes on to whoever is next, untouched ([`chain`]). Taking means doing what core's `DoCopy` does, with core's own
//! functions: feeding its binary COPY from the mapped file ([`import`], [`source`]), or running a query into a file
//! that appears whole or not at all ([`export`], [`writer`]).

mod chain;
mod client;
mod columns;
mod corpus_rows;
mod export;
mod export_function;
mod float_rows;
mod float_sink;
mod function;
mod hint;
mod ids;
mod ids_builder;
mod import;
mod keep;
mod numeric;
mod plan;
mod receive;
mod receiver;
mod set_aside;
mod source;
mod spool;
mod statement;
mod vector_type;
mod writer;

pub(crate) use keep::KeptError;

pgrx::extension_sql_file!("copy.sql", name = "copy", requires = ["vector"]);

/// Makes COPY know our formats; called from `_PG_init`.
pub(crate) fn init() {
    chain::install();
    source::prepare();
    hint::install();
}
