//! Errors of the pure crates, which know nothing of SQL: their SQLSTATEs, hints and, where these count from 0, messages.

pub(super) mod codec;
pub(super) mod files;
pub(super) mod index;
