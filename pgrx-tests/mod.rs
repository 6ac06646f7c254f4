//! In-backend tests: rules that golden SQL can't state well. Each module is one rule of the design; all of their
//! functions live in the SQL schema `tests`, where the framework looks for them.

mod bytes;
mod errors;
mod once;
mod query_cache;
mod registry;
mod support;
