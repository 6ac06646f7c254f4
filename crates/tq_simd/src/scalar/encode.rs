//! What compression does to many floats: a rough rotation in `f32`, and codes by counting thresholds.
//!
//! Codes come from plain loops over sixteen values, which other levels have the compiler make into vector code of theirs.

/// Partial sums of a row, added pairwise at its end: at most `x.len() / 16 + 21` roundings lie between a product and its sum.
const SUMS: usize = 16;

/// Values that get their codes together.
const TOGETHER: usize = 16;

/// `out[i] ≈ Σ_j matrix[i][j] · x[j]` in `f32`, with `matrix` row-major, `out.len()` rows of `x.len()`.
pub(crate) fn rotate(matrix: &[f32], x: &[f32], out: &mut [f32]) {
    let (x_chunks, x_rest) = x.as_chunks::<SUMS>();
    for (row, out) in matrix.chunks_exact(x.len()).zip(out) {
        let (chunks, rest) = row.as_chunks::<SUMS>();
        let mut sums = [0f32; SUMS];
        for (a, b) in chunks.iter().zip(x_chunks) {
            for j in 0..SUMS {
                sums[j] += a[j] * b[j];
            }
        }
        let mut width = SUMS / 2;
        while width > 0 {
            for j in 0..width {
                sums[j] += sums[j + width];
            }
            width /= 2;
        }
        *out = rest.iter().zip(x_rest).fold(sums[0], |sum, (a, b)| sum + a * b);
    }
}

/// For each value the number of `thresholds`, ascending, at or below it.
#[inline(always)]
pub(crate) fn quantize(thresholds: &[f32], values: &[f32], codes: &mut [u8]) {
    shifted(thresholds, values, [(0.0, codes)]);
}

/// [`quantize`] of `value - margin` and of `value + margin`.
#[inline(always)]
pub(crate) fn quantize_within(
    thresholds: &[f32],
    values: &[f32],
    margin: f32,
    low: &mut [u8],
    high: &mut [u8],
) {
    shifted(thresholds, values, [(-margin, low), (margin, high)]);
}

/// The codes of all values plus each shift.
#[inline(always)]
fn shifted<const N: usize>(thresholds: &[f32], values: &[f32], shifts: [(f32, &mut [u8]); N]) {
    for (shift, codes) in shifts {
        if let Ok(thresholds) = <&[f32; 3]>::try_from(thresholds) {
            count(thresholds, values, shift, codes);
        } else if let Ok(thresholds) = <&[f32; 15]>::try_from(thresholds) {
            count(thresholds, values, shift, codes);
        } else if let Ok(thresholds) = <&[f32; 255]>::try_from(thresholds) {
            search_lanes(thresholds, values, shift, codes);
        } else {
            search(thresholds, values, shift, codes);
        }
    }
}

/// Few thresholds: every one is compared with sixteen values at once.
#[inline(always)]
fn count<const N: usize>(thresholds: &[f32; N], values: &[f32], shift: f32, codes: &mut [u8]) {
    let (chunks, rest) = values.as_chunks::<TOGETHER>();
    let (code_chunks, code_rest) = codes.as_chunks_mut::<TOGETHER>();
    for (values, codes) in chunks.iter().zip(code_chunks) {
        let values = values.map(|value| value + shift);
        let mut counts = [0u32; TOGETHER];
        for threshold in thresholds {
            for j in 0..TOGETHER {
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
    let (chunks, rest) = values.as_chunks::<TOGETHER>();
    let (code_chunks, code_rest) = codes.as_chunks_mut::<TOGETHER>();
    for (values, codes) in chunks.iter().zip(code_chunks) {
        let values = values.map(|value| value + shift);
        let mut below = [0u32; TOGETHER];
        for step in [128, 64, 32, 16, 8, 4, 2, 1] {
            for j in 0..TOGETHER {
                let threshold = table[(below[j] + step - 1) as usize & 255];
                below[j] += step * u32::from(values[j] >= threshold);
            }
        }
        *codes = below.map(|code| code as u8);
    }
    search(thresholds, rest, shift, code_rest);
}

/// Any thresholds, of which there is one less than a power of two, or few values: bisection of one at a time.
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
