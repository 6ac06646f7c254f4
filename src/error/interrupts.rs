//! Looking up from long work: what the server wants of a backend meanwhile.

use super::{Error, raise};

/// Answers a cancel, a shutdown or whatever else is pending, by an error that unwinds the caller. Bulk work calls it many
/// times a second, on the backend's own thread.
///
/// Memory that runs out ends the work, too: what it goes on with by then is a reserve (see [`tq_memory`]).
pub(crate) fn poll() {
    if let Err(error) = tq_memory::check() {
        raise(Error::Memory(error));
    }
    pgrx::check_for_interrupts!();
}
