//! What stands on PostgreSQL alone: text and names, settings, interrupts, files of the server, errors that stay whole.

pub(crate) mod encoding;
pub(crate) mod file_access;
pub(crate) mod kept_error;
pub(crate) mod memory;
pub(crate) mod pg_compat;
pub(crate) mod recovery;
pub(crate) mod settings;
