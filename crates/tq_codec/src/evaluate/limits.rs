//! How much may be asked for.

/// The most neighbours that recall is asked for.
pub const MOST_NEIGHBOURS: usize = 1000;
/// The most queries that may be asked for.
pub const MOST_QUERIES: usize = 10_000;
