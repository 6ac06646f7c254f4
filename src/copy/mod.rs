//! `COPY … WITH (FORMAT tqcv)`, and `tq_import` and `tq_export`, which run it.
//!
//! A utility hook looks at every COPY's parse tree. One whose `format` option names a format of ours is taken; any
//! other goes on to whoever is next, untouched ([`hook`]). Taking means doing what core's `DoCopy` does, with core's own
//! functions: feeding its binary COPY from the mapped file ([`from`]), or running a query into a file
//! that appears whole or not at all ([`to`]).

mod columns;
pub(crate) mod from;
mod hint;
pub(crate) mod hook;
mod ids;
mod statement;
pub(crate) mod to;

pgrx::extension_sql_file!("copy.sql", name = "copy", requires = ["vector"]);

/// Makes COPY know our formats; called from `_PG_init`.
pub(crate) fn init() {
    hook::install();
    crate::copy::from::source::prepare();
    hint::install();
}
