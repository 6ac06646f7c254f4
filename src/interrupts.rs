//! Looking up from long work: what the server wants of a backend meanwhile.

/// Answers a cancel, a shutdown or whatever else is pending, by an error that unwinds the caller. Bulk work calls it many
/// times a second, on the backend's own thread.
pub(crate) fn poll() {
    pgrx::check_for_interrupts!();
}
