//! What stands on PostgreSQL alone: text and names, expressions, statements, states of aggregates, settings, memory, files of
//! the server, errors that stay whole.

pub(crate) mod aggregate_state;
pub(crate) mod encoding;
pub(crate) mod expressions;
pub(crate) mod file_access;
pub(crate) mod kept_error;
pub(crate) mod memory;
pub(crate) mod names;
pub(crate) mod pg_compat;
pub(crate) mod recovery;
pub(crate) mod settings;
pub(crate) mod spi;
