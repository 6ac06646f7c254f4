//! A hint to the memory system for scans whose rows lie one after another, but downwards.

#![allow(unsafe_code)]

/// Bytes of a cache line.
const LINE: usize = 64;

/// Asks for as many bytes below `row` as it is long, and a line more.
///
/// A page of a PostgreSQL heap is filled from its end, so the row that a sequential scan comes to next lies just below
/// the one at hand; the hardware's own prefetching expects addresses to rise. A hint only: nothing is read, and where
/// there is no such row it costs a few cycles.
#[inline]
pub fn prefetch_below(row: &[u8]) {
    #[cfg(target_arch = "x86_64")]
    {
        let start = row.as_ptr();
        for offset in (LINE..=row.len() + 2 * LINE).step_by(LINE) {
            // SAFETY: a prefetch of any address, mapped or not, has no effect but on the cache; the pointer is made by
            // wrapping arithmetic and never dereferenced.
            unsafe {
                std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(
                    start.wrapping_sub(offset).cast(),
                )
            }
        }
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (row, LINE);
}
