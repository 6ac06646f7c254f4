//! Rounding to the grid of a trellis: a plain loop, which other levels have the compiler make into vector code of theirs.

/// `grid[i] = values[i] + shift`, in steps of the grid: `1 / inverse`, a power of two; rounded to nearest, ties to even, and at most
/// `largest` away from zero.
#[inline(always)]
pub(crate) fn round(inverse: f32, shift: f32, largest: f32, values: &[f32], grid: &mut [i16]) {
    // Adding this leaves no bits for fractions.
    const WHOLE: f32 = (3u32 << 22) as f32;
    for (value, grid) in values.iter().zip(grid) {
        let steps = ((value + shift) * inverse).max(-largest).min(largest);
        *grid = ((steps + WHOLE) - WHOLE) as i32 as i16;
    }
}
