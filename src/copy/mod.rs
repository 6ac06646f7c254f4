//! `COPY … WITH (FORMAT tqcv)`, and `tq_import` and `tq_export`, which run it.
//!
//! A utility hook looks at every COPY's parse tree. One whose `format` option names a format of ours is taken; any
//! other goes on to whoever is next, untouched ([`chain`]). Taking means doing what core's `DoCopy` does, with core's own
//! functions: feeding its binary COPY from the mapped file ([`import`], [`source`]), or running a query into a file
//! that appears whole or not at all ([`export`], [`writer`]).

mod chain;
mod client;
mod columns;
mod export;
mod export_function;
mod function;
mod ids;
mod ids_builder;
mod import;
mod plan;
mod receive;
mod receiver;
mod source;
mod spool;
mod statement;
mod writer;

pgrx::extension_sql_file!("copy.sql", name = "copy", requires = ["vector"]);

/// Makes COPY know our formats; called from `_PG_init`.
pub(crate) fn init() {
    chain::install();
}
