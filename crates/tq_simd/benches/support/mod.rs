//! What the measurements share: arrays of random codes, and the plain read that kernels are measured against.

/// Half of the second-level cache of most processors.
pub(crate) const CACHE_BYTES: usize = 512 << 10;

/// Random bytes, a multiple of eight of them.
pub(crate) fn fill(bytes: &mut [u8], seed: &mut u64) {
    for bytes in bytes.as_chunks_mut::<8>().0 {
        *bytes = next(seed).to_le_bytes();
    }
}

/// Dimensions of rows of sign bits, and the bytes from one slot to the next.
pub(crate) const SIGNS: [(usize, usize); 2] = [(384, 64), (1536, 210)];

/// Slots that are summed in one call, as many as a page of 8 KB holds.
pub(crate) fn slots_a_page(stride: usize) -> usize {
    (8 << 10) / stride
}

/// Calls `f` with the slots of one page after the other; a slot ends with its bits.
pub(crate) fn over_slots(array: &[u8], stride: usize, mut f: impl FnMut(&[u8])) {
    array.chunks_exact(slots_a_page(stride) * stride).for_each(&mut f);
}

/// Every byte of a row but for the last few, in as many independent sums as a register is wide.
pub(crate) fn read(row: &[u8]) -> f64 {
    let mut sums = [0u64; 16];
    let (blocks, _) = row.as_chunks::<128>();
    for block in blocks {
        for (sum, bytes) in sums.iter_mut().zip(block.as_chunks::<8>().0) {
            *sum ^= u64::from_le_bytes(*bytes);
        }
    }
    sums.iter().fold(0, |a, b| a ^ b) as f64
}

/// Uniform in -1 to 1.
pub(crate) fn uniform(seed: &mut u64) -> f32 {
    (next(seed) >> 40) as f32 / (1u32 << 23) as f32 - 1.0
}

/// A small generator (xorshift), so that runs compare.
fn next(seed: &mut u64) -> u64 {
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    *seed
}
