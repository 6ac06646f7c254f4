//! Memory for the products of matrices, whose library allocates it itself and can't be told no.
//!
//! On a processor with AVX2 it keeps two buffers of the size of the third cache for each thread, from the thread's first product
//! on; elsewhere it packs the matrices anew for each product. Either way the memory is promised first, by
//! [`tq_memory::hold`], and a promise that can't be made is the error.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use gemm_common::cache::CACHE_INFO;
use std::cell::Cell;
use std::sync::{Mutex, PoisonError};
use tq_memory::{Hold, OutOfMemory};

thread_local! {
    /// Whether this thread has its buffers.
    static READY: Cell<bool> = const { Cell::new(false) };
}

static FIRST: Mutex<()> = Mutex::new(());

/// Memory for a thread's notes of a variable.
const SLACK_BYTES: usize = 64 << 10;

/// Rows and columns to which packed matrices are filled up, and more.
const PADDING: usize = 512;

/// Makes products of an `m` × `k` and a `k` × `n` matrix, of elements of at most 8 bytes, possible on this thread while the
/// result lives. Smaller ones are possible, too.
///
/// # Errors
/// [`OutOfMemory`].
pub(crate) fn for_products(m: usize, n: usize, k: usize) -> Result<Option<Hold>, OutOfMemory> {
    if !keeps_buffers() {
        let packed = (k + PADDING).saturating_mul(m.saturating_add(n) + PADDING);
        return tq_memory::hold(packed.saturating_mul(8) + 2 * CACHE_INFO[1].cache_bytes).map(Some);
    }
    if !READY.get() {
        // One thread after the other, so that none takes the memory that is left for another.
        let _turn = FIRST.lock().unwrap_or_else(PoisonError::into_inner);
        // For the library's buffers, which stay, and what it makes when it looks at the caches for the first time.
        let hold = tq_memory::hold(2 * third_cache() + (64 << 10))?;
        // Left for what the C library allocates for the buffers' variable, and can't do without: on its heap, which the main
        // thread has, and beside it.
        drop(tq_memory::with_capacity::<u8>(8 << 10)?);
        let _ = memmap2::MmapMut::map_anon(SLACK_BYTES).map_err(|_| OutOfMemory { bytes: SLACK_BYTES })?;
        first_product();
        READY.set(true);
        drop(hold);
    }
    Ok(None)
}

/// Whether the library has kernels of its own for this processor, which keep their buffers.
fn keeps_buffers() -> bool {
    #[cfg(target_arch = "x86_64")]
    let kernels = is_x86_feature_detected!("avx512f")
        || is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma");
    #[cfg(not(target_arch = "x86_64"))]
    let kernels = false;
    kernels
}

/// At least the size that the library takes the third cache for: it assumes more than there is where the caches are small.
fn third_cache() -> usize {
    let [first, second, third] = *CACHE_INFO;
    let first = first.cache_bytes.max(64 << 10);
    let second = second.cache_bytes.max(4 * first).max(1 << 20);
    third.cache_bytes.max(4 * second).max(4 << 20)
}

/// The smallest product that isn't too small for the buffers.
fn first_product() {
    const SIDE: usize = 32;
    let (from, mut to) = ([0f64; SIDE * SIDE], [0f64; SIDE * SIDE]);
    let square = MatRef::from_column_major_slice(&from, SIDE, SIDE);
    let target = MatMut::from_column_major_slice_mut(&mut to, SIDE, SIDE);
    matmul(target, Accum::Replace, square, square, 1.0, Par::Seq);
}
