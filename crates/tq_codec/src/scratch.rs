//! What a thread keeps for itself from one distance to the next.

use std::cell::RefCell;

thread_local! {
    /// Where L1 distances decode to: rotated, then rotated back. It belongs to the thread and not to the query,
    /// so that threads can share a query, and holds 128 KiB at most.
    static SCRATCH: RefCell<(Vec<f32>, Vec<f32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// Takes the place that this thread needs for variables of its own; the C library has no way to refuse it later. For the main
/// thread, while there is memory.
pub fn prepare_thread() {
    SCRATCH.with_borrow(|_| ());
}

/// Lends the thread's two buffers, which are as the last borrower has left them.
pub(crate) fn with_scratch<R>(work: impl FnOnce(&mut Vec<f32>, &mut Vec<f32>) -> R) -> R {
    SCRATCH.with_borrow_mut(|(rotated, vector)| work(rotated, vector))
}
