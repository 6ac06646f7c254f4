//! What compression does to many floats: a rough rotation in `f32`, and codes by counting thresholds.
//!
//! Mostly plain loops over sixteen lanes, which the compiler makes into vector code of each level.
#![allow(unsafe_code)]

use crate::level::Level;

const LANES: usize = 16;

/// Calls an inlined body compiled for the level's features.
macro_rules! at_level {
    ($level:expr, $body:ident($($name:ident: $type:ty),*)) => {{
        #[cfg(target_arch = "x86_64")]
        {
            #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
            fn avx512($($name: $type),*) {
                $body($($name),*);
            }
            #[target_feature(enable = "avx2,fma,f16c")]
            fn avx2($($name: $type),*) {
                $body($($name),*);
            }
            match $level.or_scalar() {
                // SAFETY: `or_scalar` returns a level only if the processor has its features.
                Level::Avx512 => unsafe { avx512($($name),*) },
                // SAFETY: `or_scalar` returns a level only if the processor has its features.
                Level::Avx2 => unsafe { avx2($($name),*) },
                _ => $body($($name),*),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            let _ = $level;
            $body($($name),*)
        }
    }};
}

/// [`rotate_f32`] with `poll` called every few milliseconds; it may unwind.
///
/// # Panics
/// As [`rotate_f32`].
pub fn rotate_f32_polling(level: Level, matrix: &[f32], x: &[f32], out: &mut [f32], poll: &mut dyn FnMut()) {
    crate::dense::in_pieces(matrix, x, out, poll, |matrix, out| rotate_f32(level, matrix, x, out));
}

/// A dense matrix times a vector in `f32`: `out[i] ≈ Σ_j matrix[i][j] · x[j]`, with `matrix` row-major.
///
/// At most `x.len() / 16 + 21` roundings lie between a product and its sum, which bounds the error: see
/// N. Higham, *Accuracy and Stability of Numerical Algorithms*, chapter 3.
///
/// # Panics
/// When `matrix.len() != out.len() · x.len()`.
pub fn rotate_f32(level: Level, matrix: &[f32], x: &[f32], out: &mut [f32]) {
    assert_eq!(Some(matrix.len()), out.len().checked_mul(x.len()), "the matrix does not match the vectors");
    if x.is_empty() {
        return out.fill(0.0);
    }
    match level.or_scalar() {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `or_scalar` returns a level only if the processor has its features.
        Level::Avx512 => unsafe { x86_64::avx512(matrix, x, out) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: `or_scalar` returns a level only if the processor has its features.
        Level::Avx2 => unsafe { x86_64::avx2(matrix, x, out) },
        _ => rotate_body(matrix, x, out),
    }
}

/// Rotations in registers, four rows at a time so that no sum waits for itself; compilers don't find that by themselves.
#[cfg(target_arch = "x86_64")]
mod x86_64 {
    use std::arch::x86_64::*;

    /// Splits `out` into groups of four, each with its rows, and a rest.
    macro_rules! by_rows {
        ($matrix:ident, $x:ident, $out:ident, $dot:ident) => {
            let (groups, rest) = $out.as_chunks_mut::<4>();
            let (upper, lower) = $matrix.split_at(4 * groups.len() * $x.len());
            for (rows, out) in upper.chunks_exact(4 * $x.len()).zip(groups) {
                *out = $dot(std::array::from_fn::<_, 4, _>(|r| &rows[r * $x.len()..][..$x.len()]), $x);
            }
            for (row, out) in lower.chunks_exact($x.len()).zip(rest) {
                [*out] = $dot([row], $x);
            }
        };
    }

    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    pub(super) fn avx512(matrix: &[f32], x: &[f32], out: &mut [f32]) {
        by_rows!(matrix, x, out, dot_512);
    }

    #[target_feature(enable = "avx2,fma,f16c")]
    pub(super) fn avx2(matrix: &[f32], x: &[f32], out: &mut [f32]) {
        by_rows!(matrix, x, out, dot_256);
    }

    /// The inner products of rows as long as `x` with it.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn dot_512<const ROWS: usize>(rows: [&[f32]; ROWS], x: &[f32]) -> [f32; ROWS] {
        let (blocks, tail) = x.as_chunks::<16>();
        let parts = rows.map(|row| (&row.as_chunks::<16>().0[..blocks.len()], row.as_chunks::<16>().1));
        let mut sums = [_mm512_setzero_ps(); ROWS];
        for (j, x) in blocks.iter().enumerate() {
            // SAFETY: the arrays are 64 readable bytes, and the loads ask for no alignment.
            let x = unsafe { _mm512_loadu_ps(x.as_ptr()) };
            for (sum, (blocks, _)) in sums.iter_mut().zip(&parts) {
                // SAFETY: as above.
                *sum = _mm512_fmadd_ps(unsafe { _mm512_loadu_ps(blocks[j].as_ptr()) }, x, *sum);
            }
        }
        let mut results = [0.0; ROWS];
        for ((result, sum), (_, rest)) in results.iter_mut().zip(sums).zip(parts) {
            *result = rest.iter().zip(tail).fold(_mm512_reduce_add_ps(sum), |sum, (a, b)| sum + a * b);
        }
        results
    }

    /// The inner products of rows as long as `x` with it.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn dot_256<const ROWS: usize>(rows: [&[f32]; ROWS], x: &[f32]) -> [f32; ROWS] {
        let (blocks, tail) = x.as_chunks::<16>();
        let parts = rows.map(|row| (&row.as_chunks::<16>().0[..blocks.len()], row.as_chunks::<16>().1));
        let mut sums = [[_mm256_setzero_ps(); 2]; ROWS];
        for (j, x) in blocks.iter().enumerate() {
            for half in 0..2 {
                // SAFETY: either half of the array is 32 readable bytes, and the loads ask for no alignment.
                let x = unsafe { _mm256_loadu_ps(x.as_ptr().add(8 * half)) };
                for (sum, (blocks, _)) in sums.iter_mut().zip(&parts) {
                    // SAFETY: as above.
                    let row = unsafe { _mm256_loadu_ps(blocks[j].as_ptr().add(8 * half)) };
                    sum[half] = _mm256_fmadd_ps(row, x, sum[half]);
                }
            }
        }
        let mut results = [0.0; ROWS];
        for ((result, [low, high]), (_, rest)) in results.iter_mut().zip(sums).zip(parts) {
            let mut lanes = [0f32; 8];
            // SAFETY: the array is 32 writable bytes, and the store asks for no alignment.
            unsafe { _mm256_storeu_ps(lanes.as_mut_ptr(), _mm256_add_ps(low, high)) };
            let pairs: [f32; 4] = std::array::from_fn(|j| lanes[j] + lanes[j + 4]);
            let sum = (pairs[0] + pairs[2]) + (pairs[1] + pairs[3]);
            *result = rest.iter().zip(tail).fold(sum, |sum, (a, b)| sum + a * b);
        }
        results
    }
}

#[inline(always)]
fn rotate_body(matrix: &[f32], x: &[f32], out: &mut [f32]) {
    let (x_chunks, x_rest) = x.as_chunks::<LANES>();
    for (row, out) in matrix.chunks_exact(x.len()).zip(out) {
        let (chunks, rest) = row.as_chunks::<LANES>();
        let mut sums = [0f32; LANES];
        for (a, b) in chunks.iter().zip(x_chunks) {
            for j in 0..LANES {
                sums[j] += a[j] * b[j];
            }
        }
        let mut width = LANES / 2;
        while width > 0 {
            for j in 0..width {
                sums[j] += sums[j + width];
            }
            width /= 2;
        }
        *out = rest.iter().zip(x_rest).fold(sums[0], |sum, (a, b)| sum + a * b);
    }
}

/// For each value the number of `thresholds` at or below it; 0 for NaN. There may be 3 or 15 thresholds, ascending, or any
/// other number up to 255 that is one less than a power of two.
///
/// # Panics
/// When the lengths of `values` and `codes` differ, or the thresholds are of another number.
pub fn quantize(level: Level, thresholds: &[f32], values: &[f32], codes: &mut [u8]) {
    check(thresholds, values, codes);
    at_level!(level, quantize_body(thresholds: &[f32], values: &[f32], codes: &mut [u8]));
}

/// [`quantize`] of `value - margin` into `low` and of `value + margin` into `high`, computed in `f32`. Where they agree, the code of
/// every number between is theirs.
///
/// # Panics
/// As [`quantize`].
pub fn quantize_within(
    level: Level,
    thresholds: &[f32],
    values: &[f32],
    margin: f32,
    low: &mut [u8],
    high: &mut [u8],
) {
    check(thresholds, values, low);
    check(thresholds, values, high);
    at_level!(
        level,
        within_body(thresholds: &[f32], values: &[f32], margin: f32, low: &mut [u8], high: &mut [u8])
    );
}

fn check(thresholds: &[f32], values: &[f32], codes: &[u8]) {
    assert_eq!(values.len(), codes.len(), "the codes do not match the values");
    assert!(
        thresholds.len() < 256 && (thresholds.len() + 1).is_power_of_two(),
        "not a codebook's thresholds"
    );
}

#[inline(always)]
fn quantize_body(thresholds: &[f32], values: &[f32], codes: &mut [u8]) {
    if let Ok(thresholds) = <&[f32; 3]>::try_from(thresholds) {
        count(thresholds, values, 0.0, codes);
    } else if let Ok(thresholds) = <&[f32; 15]>::try_from(thresholds) {
        count(thresholds, values, 0.0, codes);
    } else if let Ok(thresholds) = <&[f32; 255]>::try_from(thresholds) {
        search_lanes(thresholds, values, 0.0, codes);
    } else {
        search(thresholds, values, 0.0, codes);
    }
}

#[inline(always)]
fn within_body(thresholds: &[f32], values: &[f32], margin: f32, low: &mut [u8], high: &mut [u8]) {
    if let Ok(thresholds) = <&[f32; 3]>::try_from(thresholds) {
        count(thresholds, values, -margin, low);
        count(thresholds, values, margin, high);
    } else if let Ok(thresholds) = <&[f32; 15]>::try_from(thresholds) {
        count(thresholds, values, -margin, low);
        count(thresholds, values, margin, high);
    } else if let Ok(thresholds) = <&[f32; 255]>::try_from(thresholds) {
        search_lanes(thresholds, values, -margin, low);
        search_lanes(thresholds, values, margin, high);
    } else {
        search(thresholds, values, -margin, low);
        search(thresholds, values, margin, high);
    }
}

/// Few thresholds: every one is compared with sixteen values at once.
#[inline(always)]
fn count<const N: usize>(thresholds: &[f32; N], values: &[f32], shift: f32, codes: &mut [u8]) {
    let (chunks, rest) = values.as_chunks::<LANES>();
    let (code_chunks, code_rest) = codes.as_chunks_mut::<LANES>();
    for (values, codes) in chunks.iter().zip(code_chunks) {
        let values = values.map(|value| value + shift);
        let mut counts = [0u32; LANES];
        for threshold in thresholds {
            for j in 0..LANES {
                counts[j] += u32::from(values[j] >= *threshold);
            }
        }
        *codes = counts.map(|count| count as u8);
    }
    search(thresholds, rest, shift, code_rest);
}

/// Many thresholds: bisection for sixteen values at once, so that none waits for another.
#[inline(always)]
fn search_lanes(thresholds: &[f32; 255], values: &[f32], shift: f32, codes: &mut [u8]) {
    // A table of a full byte's size needs no check of the index.
    let mut table = [f32::INFINITY; 256];
    table[..255].copy_from_slice(thresholds);
    let (chunks, rest) = values.as_chunks::<LANES>();
    let (code_chunks, code_rest) = codes.as_chunks_mut::<LANES>();
    for (values, codes) in chunks.iter().zip(code_chunks) {
        let values = values.map(|value| value + shift);
        let mut below = [0u32; LANES];
        for step in [128, 64, 32, 16, 8, 4, 2, 1] {
            for j in 0..LANES {
                let threshold = table[(below[j] + step - 1) as usize & 255];
                below[j] += step * u32::from(values[j] >= threshold);
            }
        }
        *codes = below.map(|code| code as u8);
    }
    search(thresholds, rest, shift, code_rest);
}

/// Any thresholds, or few values: bisection of one at a time.
#[inline(always)]
fn search(thresholds: &[f32], values: &[f32], shift: f32, codes: &mut [u8]) {
    for (value, code) in values.iter().zip(codes) {
        let value = value + shift;
        let (mut below, mut step) = (0, thresholds.len().div_ceil(2));
        while step > 0 {
            below += if value >= thresholds[below + step - 1] { step } else { 0 };
            step /= 2;
        }
        *code = below as u8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(count: usize, seed: u32) -> Vec<f32> {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 23) as f32 - 1.0
        };
        (0..count).map(|_| next()).collect()
    }

    #[test]
    fn codes_count_thresholds() {
        // Miri is a thousand times slower.
        let most = if cfg!(miri) { 4 } else { 256 };
        for levels in [1, 2, 4, 16, 256].into_iter().filter(|levels| *levels <= most) {
            let thresholds: Vec<f32> = (1..levels).map(|i| 2.0 * i as f32 / levels as f32 - 1.0).collect();
            for count in [0, 1, 15, 16, 17, 100] {
                let mut values = noise(count, 5);
                values.extend([f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 0.0, -0.0]);
                values.extend(&thresholds);
                let by_the_book = |shift: f32| -> Vec<u8> {
                    let code = |v: &f32| thresholds.iter().filter(|t| v + shift >= **t).count() as u8;
                    values.iter().map(code).collect()
                };
                for level in Level::available() {
                    let mut codes = [vec![0; values.len()], vec![0; values.len()], vec![0; values.len()]];
                    let [plain, low, high] = &mut codes;
                    quantize(level, &thresholds, &values, plain);
                    quantize_within(level, &thresholds, &values, 0.01, low, high);
                    assert_eq!(codes, [by_the_book(0.0), by_the_book(-0.01), by_the_book(0.01)]);
                }
            }
        }
    }

    #[test]
    fn rough_rotations_keep_their_bound() {
        for d in [1, 7, 16, 33, 384, 1000] {
            let (matrix, x) = (noise(5 * d, 1), noise(d, 2));
            for level in Level::available() {
                let mut out = [0.0; 5];
                rotate_f32(level, &matrix, &x, &mut out);
                for (row, got) in matrix.chunks_exact(d).zip(out) {
                    let products = row.iter().zip(&x).map(|(a, b)| f64::from(*a) * f64::from(*b));
                    let (sum, size) = products.fold((0.0, 0.0), |(sum, size), p| (sum + p, size + p.abs()));
                    let bound = (d / 16 + 21) as f64 * 2f64.powi(-24) * 1.01 * size;
                    assert!((f64::from(got) - sum).abs() <= bound, "{d} dimensions, {}", level.name());
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "not a codebook's thresholds")]
    fn thresholds_are_one_less_than_a_power_of_two() {
        quantize(Level::Scalar, &[0.0, 1.0], &[0.5], &mut [0]);
    }
}
