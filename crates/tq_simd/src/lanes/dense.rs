//! Dense float work in `f64` lanes: a rotation matrix times a vector, and distances between two decoded vectors.
#![allow(unsafe_code)]

use super::Doubles;
use crate::measure::{DOT, DOT_AND_NORM, L1, SQUARED_L2};

/// An entry of a matrix: `f64`, or `f32` that is widened.
pub(crate) trait Entry: Copy + Into<f64> {
    /// # Safety
    /// The processor has the features of `L`.
    unsafe fn load<L: Doubles<N>, const N: usize>(from: &[Self; N]) -> L;

    /// Fewer than `N` entries, zeros after them.
    /// # Safety
    /// As for [`Entry::load`].
    unsafe fn load_tail<L: Doubles<N>, const N: usize>(from: &[Self]) -> L;
}

impl Entry for f64 {
    #[inline(always)]
    unsafe fn load<L: Doubles<N>, const N: usize>(from: &[Self; N]) -> L {
        // SAFETY: the caller vouches for the features.
        unsafe { L::load(from) }
    }

    #[inline(always)]
    unsafe fn load_tail<L: Doubles<N>, const N: usize>(from: &[Self]) -> L {
        // SAFETY: the caller vouches for the features.
        unsafe { L::load_tail(from) }
    }
}

impl Entry for f32 {
    #[inline(always)]
    unsafe fn load<L: Doubles<N>, const N: usize>(from: &[Self; N]) -> L {
        // SAFETY: the caller vouches for the features.
        unsafe { L::widen(from) }
    }

    #[inline(always)]
    unsafe fn load_tail<L: Doubles<N>, const N: usize>(from: &[Self]) -> L {
        // SAFETY: the caller vouches for the features.
        unsafe { L::widen_tail(from) }
    }
}

/// `out[i] = f32(Σ_j matrix[i][j] · x[j])`, eight rows at a time so that `x` is widened once for all of them.
///
/// # Safety
/// The processor has the features of `L`; so for the other functions.
#[inline(always)]
pub(crate) unsafe fn rotate<L: Doubles<N>, T: Entry, const N: usize>(
    matrix: &[T],
    x: &[f32],
    out: &mut [f32],
) {
    let (groups, rest) = out.as_chunks_mut::<8>();
    let (upper, lower) = matrix.split_at(8 * groups.len() * x.len());
    for (rows, out) in upper.chunks_exact(8 * x.len()).zip(groups) {
        // SAFETY: the caller vouches for the features.
        unsafe { dot_rows::<L, T, N, 8>(rows, x, out) };
    }
    for (row, out) in lower.chunks_exact(x.len()).zip(rest.as_chunks_mut::<1>().0) {
        // SAFETY: the caller vouches for the features.
        unsafe { dot_rows::<L, T, N, 1>(row, x, out) };
    }
}

/// The inner products of `ROWS` consecutive rows with `x`.
#[inline(always)]
unsafe fn dot_rows<L: Doubles<N>, T: Entry, const N: usize, const ROWS: usize>(
    matrix: &[T],
    x: &[f32],
    out: &mut [f32; ROWS],
) {
    let (blocks, tail) = x.as_chunks::<N>();
    let (rows, tails) = split_rows::<T, N, ROWS>(matrix, x.len());
    // SAFETY: the caller vouches for the features.
    unsafe {
        let mut sums = [L::splat(0.0); ROWS];
        for (j, x) in blocks.iter().enumerate() {
            let x = L::widen(x);
            for (sum, row) in sums.iter_mut().zip(&rows) {
                *sum = T::load::<L, N>(&row[j]).multiply_add(x, *sum);
            }
        }
        if !tail.is_empty() {
            let x = L::widen_tail(tail);
            for (sum, row) in sums.iter_mut().zip(tails) {
                *sum = T::load_tail::<L, N>(row).multiply_add(x, *sum);
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = sum.total() as f32;
        }
    }
}

/// `ROWS` consecutive rows, as whole registers and what is left of each.
#[inline(always)]
fn split_rows<T, const N: usize, const ROWS: usize>(
    matrix: &[T],
    columns: usize,
) -> ([&[[T; N]]; ROWS], [&[T]; ROWS]) {
    let row = |i| matrix[i * columns..(i + 1) * columns].as_chunks::<N>();
    (std::array::from_fn(|i| &row(i).0[..columns / N]), std::array::from_fn(|i| row(i).1))
}

/// `sums[j] += Σ_i matrix[i][j] · y[i]`, four rows at a time so that the sums pass through memory a quarter as often.
#[inline(always)]
pub(crate) unsafe fn add_rows<L: Doubles<N>, const N: usize>(matrix: &[f64], y: &[f32], sums: &mut [f64]) {
    let (groups, rest) = y.as_chunks::<4>();
    let (upper, lower) = matrix.split_at(4 * groups.len() * sums.len());
    for (rows, y) in upper.chunks_exact(4 * sums.len()).zip(groups) {
        // SAFETY: the caller vouches for the features.
        unsafe { add_scaled::<L, N, 4>(rows, y, sums) };
    }
    for (row, y) in lower.chunks_exact(sums.len()).zip(rest) {
        // SAFETY: the caller vouches for the features.
        unsafe { add_scaled::<L, N, 1>(row, &[*y], sums) };
    }
}

#[inline(always)]
unsafe fn add_scaled<L: Doubles<N>, const N: usize, const ROWS: usize>(
    matrix: &[f64],
    y: &[f32; ROWS],
    sums: &mut [f64],
) {
    let (rows, tails) = split_rows::<f64, N, ROWS>(matrix, sums.len());
    let (blocks, tail) = sums.as_chunks_mut::<N>();
    // SAFETY: the caller vouches for the features.
    unsafe {
        let mut factors = [L::splat(0.0); ROWS];
        for (factor, y) in factors.iter_mut().zip(y) {
            *factor = L::splat(f64::from(*y));
        }
        for (j, block) in blocks.iter_mut().enumerate() {
            let mut sum = L::load(block);
            for (factor, row) in factors.iter().zip(&rows) {
                sum = L::load(&row[j]).multiply_add(*factor, sum);
            }
            sum.store(block);
        }
    }
    for (j, sum) in tail.iter_mut().enumerate() {
        for (y, tail) in y.iter().zip(&tails) {
            *sum += tail[j] * f64::from(*y);
        }
    }
}

/// `Σ a_i b_i`.
#[inline(always)]
pub(crate) unsafe fn dot<L: Doubles<N>, const N: usize>(a: &[f32], b: &[f32]) -> f64 {
    // SAFETY: the caller vouches for the features.
    unsafe { pair::<L, N, DOT>(a, b).0 }
}

/// `Σ (a_i - b_i)²`.
#[inline(always)]
pub(crate) unsafe fn squared_l2<L: Doubles<N>, const N: usize>(a: &[f32], b: &[f32]) -> f64 {
    // SAFETY: the caller vouches for the features.
    unsafe { pair::<L, N, SQUARED_L2>(a, b).0 }
}

/// `(Σ a_i b_i, Σ a_i², Σ b_i²)`.
#[inline(always)]
pub(crate) unsafe fn dot_and_norms<L: Doubles<N>, const N: usize>(a: &[f32], b: &[f32]) -> (f64, f64, f64) {
    // SAFETY: the caller vouches for the features.
    unsafe { pair::<L, N, DOT_AND_NORM>(a, b) }
}

/// `Σ |a_i - b_i|`.
#[inline(always)]
pub(crate) unsafe fn l1<L: Doubles<N>, const N: usize>(a: &[f32], b: &[f32]) -> f64 {
    // SAFETY: the caller vouches for the features.
    unsafe { pair::<L, N, L1>(a, b).0 }
}

/// One of the sums of [`crate::measure`] over two vectors: the product, difference or magnitude sum, and the two squared norms.
#[inline(always)]
unsafe fn pair<L: Doubles<N>, const N: usize, const MEASURE: u8>(a: &[f32], b: &[f32]) -> (f64, f64, f64) {
    let ((a, a_tail), (b, b_tail)) = (a.as_chunks::<N>(), b.as_chunks::<N>());
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<4>(), b.as_chunks::<4>());
    // SAFETY: the caller vouches for the features.
    unsafe {
        let mut sums = [[L::splat(0.0); 4]; 3];
        for (a, b) in a.iter().zip(b) {
            for slot in 0..4 {
                add_pair::<L, N, MEASURE>(&mut sums, slot, L::widen(&a[slot]), L::widen(&b[slot]));
            }
        }
        for (a, b) in a_rest.iter().zip(b_rest) {
            add_pair::<L, N, MEASURE>(&mut sums, 0, L::widen(a), L::widen(b));
        }
        if !a_tail.is_empty() {
            add_pair::<L, N, MEASURE>(&mut sums, 0, L::widen_tail(a_tail), L::widen_tail(b_tail));
        }
        let [first, second, third] = sums;
        (total(first), total(second), total(third))
    }
}

#[inline(always)]
unsafe fn add_pair<L: Doubles<N>, const N: usize, const MEASURE: u8>(
    sums: &mut [[L; 4]; 3],
    slot: usize,
    a: L,
    b: L,
) {
    // SAFETY: the caller vouches for the features.
    unsafe {
        let difference = a.sub(b);
        sums[0][slot] = match MEASURE {
            SQUARED_L2 => difference.multiply_add(difference, sums[0][slot]),
            L1 => difference.abs().add(sums[0][slot]),
            _ => a.multiply_add(b, sums[0][slot]),
        };
        if MEASURE == DOT_AND_NORM {
            sums[1][slot] = a.multiply_add(a, sums[1][slot]);
            sums[2][slot] = b.multiply_add(b, sums[2][slot]);
        }
    }
}

/// The sum of all lanes of four registers.
#[inline(always)]
unsafe fn total<L: Doubles<N>, const N: usize>([a, b, c, d]: [L; 4]) -> f64 {
    // SAFETY: the caller vouches for the features.
    unsafe { a.add(b).add(c.add(d)).total() }
}
