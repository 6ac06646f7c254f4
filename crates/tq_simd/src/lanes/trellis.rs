//! The path of a trellis: which codes make the sum of squared errors least (A. Viterbi, *Error bounds for convolutional codes and an
//! asymptotically optimum decoding algorithm*, 1967). `docs/trellis.md` defines it.
//!
//! A state is the last eight bits of the stream, so that code *c* after state *r* leads to `r >> BITS | c << (8 - BITS)`. States that differ in
//! their low bits alone, the *oldest code*, have the same successors: they are a *group*, of which the cheapest survives. Which that was stands
//! in the low bits of its cost, so that choosing needs nothing but a minimum. The states after one value are met group by group as well, so
//! that what is kept from one value to the next is the costs of survivors alone:
//!
//! ```text
//! least[c·n + h] = min over the oldest codes p of   least[h·2^BITS + p] + (x - table[c, h, p])²   tagged with p        n = 2^(8 - 2·BITS)
//! ```
//!
//! All sums are of `f32` numbers, rounded after every operation in one order, so that every level, and one row or sixteen at a time, find the
//! same path to the bit.
#![allow(unsafe_code)]

use super::{Floats, LANES};

/// States, and entries of the table.
pub(crate) const STATES: usize = 256;

/// What a state costs that the stream can't have come to.
const UNREACHED: f32 = f32::from_bits(0x7100_0000);

/// 32-bit words of survivors for one value.
pub(crate) const fn survivor_words(bits: u32) -> usize {
    (STATES >> bits) * bits as usize / 32
}

/// The codes of sixteen rows, or of fewer, each of `dimension` grid values, with a table in steps of the grid.
///
/// # Safety
/// The processor has the features of `L`; so for the other functions.
#[inline(always)]
pub(crate) unsafe fn rows<L: Floats>(
    bits: u32,
    table: &[f32; STATES],
    dimension: usize,
    grid: &[i16],
    survivors: &mut [[u32; LANES]],
    codes: &mut [u8],
) {
    // SAFETY: the caller vouches for the features.
    unsafe {
        match bits {
            2 => rows_of::<L, 2, 4, 16, 64, 4>(table, dimension, grid, survivors, codes),
            _ => rows_of::<L, 4, 16, 1, 16, 2>(table, dimension, grid, survivors, codes),
        }
    }
}

/// `CODES` is 2^`BITS`, `HEADS` the number of groups of one newest code, `GROUPS` that of all, `WORDS` that of [`survivor_words`]. Registers are
/// counted, not iterated over: iterators of arrays would be functions without the level's features.
///
/// # Safety
/// As for [`rows`].
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn rows_of<
    L: Floats,
    const BITS: u32,
    const CODES: usize,
    const HEADS: usize,
    const GROUPS: usize,
    const WORDS: usize,
>(
    table: &[f32; STATES],
    dimension: usize,
    grid: &[i16],
    survivors: &mut [[u32; LANES]],
    codes: &mut [u8],
) {
    let count = (grid.len() / dimension).min(LANES);
    let a_word = GROUPS / WORDS;
    let mut least = [[UNREACHED; LANES]; GROUPS];
    least[0] = [0.0; LANES];
    let mut next = least;
    let mut x = [0f32; LANES];
    let (all_survivors, _) = survivors.as_chunks_mut::<WORDS>();
    // SAFETY: the caller vouches for the features.
    unsafe {
        for i in 0..dimension {
            for row in 0..count {
                x[row] = f32::from(grid[row * dimension + i]);
            }
            let x = L::load(&x);
            let mut words = [L::splat(0.0); WORDS];
            for head in 0..HEADS {
                let mut before = [x; CODES];
                for oldest in 0..CODES {
                    before[oldest] = L::load(&least[head * CODES + oldest]);
                }
                for code in 0..CODES {
                    let entries = &table[code * GROUPS + head * CODES..][..CODES];
                    let mut best = after::<L, BITS>(before[0], x, L::splat(entries[0]), 0);
                    for oldest in 1..CODES {
                        let cost = after::<L, BITS>(before[oldest], x, L::splat(entries[oldest]), oldest);
                        best = best.least(cost);
                    }
                    let group = code * HEADS + head;
                    best.store(&mut next[group]);
                    words[group / a_word] = words[group / a_word].shift_in::<BITS>(best);
                }
            }
            for word in 0..WORDS {
                words[word].store_bits(&mut all_survivors[i][word]);
            }
            std::mem::swap(&mut least, &mut next);
        }
    }
    let mask = (1usize << BITS) - 1;
    let mut states = [0usize; LANES];
    for row in 0..count {
        states[row] = last_state::<BITS>((0..GROUPS).map(|group| least[group][row]));
    }
    // The survivors of a value are those after it: the state before the first is not asked for.
    for i in (0..dimension).rev() {
        let before = i.checked_sub(1).map(|i| &all_survivors[i]);
        for row in 0..count {
            codes[row * dimension + i] = (states[row] >> (8 - BITS)) as u8;
            let group = states[row] % GROUPS;
            let oldest =
                before.map_or(0, |words| words[group / a_word][row] >> (group % a_word * BITS as usize));
            states[row] = group << BITS | oldest as usize & mask;
        }
    }
}

/// What a state costs whose entry is `entry`, after one of `before` with that oldest code.
///
/// # Safety
/// As for [`rows`].
#[inline(always)]
unsafe fn after<L: Floats, const BITS: u32>(before: L, x: L, entry: L, oldest: usize) -> L {
    // SAFETY: the caller vouches for the features.
    unsafe {
        let error = x.sub(entry);
        before.add(error.mul(error)).with_tag((1 << BITS) - 1, oldest as u32)
    }
}

/// The cheapest of all states, that of the lowest number if several are, from the least costs of the groups.
#[inline(always)]
fn last_state<const BITS: u32>(least: impl Iterator<Item = f32>) -> usize {
    let mut best = (f32::INFINITY, 0);
    for (group, cost) in least.enumerate() {
        if cost < best.0 {
            best = (cost, group);
        }
    }
    best.1 << BITS | (best.0.to_bits() & ((1 << BITS) - 1)) as usize
}

/// The codes of one row, to the bit those of [`rows`]. `table` is in the order of [`for_one_row`], and `survivors` has a byte for each group
/// and value.
///
/// # Safety
/// As for [`rows`].
#[inline(always)]
pub(crate) unsafe fn row<L: Floats>(
    bits: u32,
    table: &[f32; STATES],
    grid: &[i16],
    survivors: &mut [u8],
    codes: &mut [u8],
) {
    // SAFETY: the caller vouches for the features.
    unsafe {
        match bits {
            2 => row_of_two::<L>(table, grid, survivors, codes),
            _ => row_of_four::<L>(table, grid, survivors, codes),
        }
    }
}

/// The table in the order in which [`row`] meets it: sixteen entries side by side are of one oldest code, and of two bits of one newest code.
pub(crate) fn for_one_row(bits: u32, table: &[f32; STATES]) -> [f32; STATES] {
    std::array::from_fn(|k| match bits {
        2 => table[(k >> 6) << 6 | (k & 15) << 2 | k >> 4 & 3],
        _ => table[(k & 15) << 4 | k >> 4],
    })
}

/// # Safety
/// As for [`rows`].
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn row_of_two<L: Floats>(table: &[f32; STATES], grid: &[i16], survivors: &mut [u8], codes: &mut [u8]) {
    let (entries, _) = table.as_chunks::<LANES>();
    let (all_survivors, _) = survivors.as_chunks_mut::<64>();
    let mut least = [[UNREACHED; LANES]; 4];
    least[0][0] = 0.0;
    // SAFETY: the caller vouches for the features.
    unsafe {
        for (i, x) in grid.iter().enumerate() {
            let x = L::splat(f32::from(*x));
            let before = L::every_fourth(&least);
            let (tags, _) = all_survivors[i].as_chunks_mut::<LANES>();
            for code in 0..4 {
                let mut best = after::<L, 2>(before[0], x, L::load(&entries[4 * code]), 0);
                for oldest in 1..4 {
                    let cost = after::<L, 2>(before[oldest], x, L::load(&entries[4 * code + oldest]), oldest);
                    best = best.least(cost);
                }
                best.store(&mut least[code]);
                best.store_tags(3, &mut tags[code]);
            }
        }
    }
    let state = last_state::<2>(least.iter().flatten().copied());
    trace::<2, 64>(state, all_survivors, codes);
}

/// # Safety
/// As for [`rows`].
#[allow(clippy::needless_range_loop)]
#[inline(always)]
unsafe fn row_of_four<L: Floats>(
    table: &[f32; STATES],
    grid: &[i16],
    survivors: &mut [u8],
    codes: &mut [u8],
) {
    let (entries, _) = table.as_chunks::<LANES>();
    let (all_survivors, _) = survivors.as_chunks_mut::<LANES>();
    let mut least = [UNREACHED; LANES];
    least[0] = 0.0;
    // SAFETY: the caller vouches for the features.
    unsafe {
        for (i, x) in grid.iter().enumerate() {
            let x = L::splat(f32::from(*x));
            // Four chains, so that no minimum waits for the one before. No closure: that would be a function without the level's features.
            let mut best = [x; 4];
            for oldest in 0..LANES {
                let before = L::splat(least[oldest]);
                let cost = after::<L, 4>(before, x, L::load(&entries[oldest]), oldest);
                best[oldest % 4] = if oldest < 4 { cost } else { best[oldest % 4].least(cost) };
            }
            let best = best[0].least(best[1]).least(best[2].least(best[3]));
            best.store(&mut least);
            best.store_tags(15, &mut all_survivors[i]);
        }
    }
    let state = last_state::<4>(least.iter().copied());
    trace::<4, LANES>(state, all_survivors, codes);
}

/// The codes of the path that ends in `state`.
#[inline(always)]
fn trace<const BITS: u32, const GROUPS: usize>(
    mut state: usize,
    survivors: &[[u8; GROUPS]],
    codes: &mut [u8],
) {
    for i in (0..codes.len()).rev() {
        codes[i] = (state >> (8 - BITS)) as u8;
        let group = state % GROUPS;
        let oldest = i.checked_sub(1).map_or(0, |i| survivors[i][group]);
        state = group << BITS | usize::from(oldest);
    }
}

/// [`rows`] over lanes that are a plain array, for the scalar level.
pub(crate) fn plain_rows(
    bits: u32,
    table: &[f32; STATES],
    dimension: usize,
    grid: &[i16],
    survivors: &mut [[u32; LANES]],
    codes: &mut [u8],
) {
    // SAFETY: arrays need no features.
    unsafe { rows::<[f32; LANES]>(bits, table, dimension, grid, survivors, codes) }
}

/// [`row`] over lanes that are a plain array.
pub(crate) fn plain_row(
    bits: u32,
    table: &[f32; STATES],
    grid: &[i16],
    survivors: &mut [u8],
    codes: &mut [u8],
) {
    // SAFETY: arrays need no features.
    unsafe { row::<[f32; LANES]>(bits, table, grid, survivors, codes) }
}
