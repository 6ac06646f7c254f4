//! Buffers that each thread keeps for measuring records.

use std::cell::RefCell;

thread_local! {
    /// Where L1 distances decode to: rotated, then rotated back. It belongs to the thread and not to the query,
    /// so that threads can share a query, and holds 128 KiB at most.
    pub(crate) static SCRATCH: RefCell<(Vec<f32>, Vec<f32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// Takes the place that this thread needs for variables of its own; the C library has no way to refuse it later. For the main
/// thread, while there is memory.
pub fn prepare_thread() {
    SCRATCH.with_borrow(|_| ());
}
