//! A query in small integers, and its sums over rows of sign bits.

use crate::slots::{SignLayout, Slots};

/// The greatest small integer; its negative is the least, so that negating never overflows.
pub(crate) const LARGEST: f32 = 127.0;

/// Numbers from which on every `f32` is an integer: added and taken away, it rounds what is small, halves to even.
const ROUNDING: f32 = (3u32 << 22) as f32;

/// Writes `k_i`, the nearest integer to `q_i / scale` in -127..=127 with halves to even, and returns `scale = max
/// |q_i| / 127`.
///
/// Every operation rounds once to `f32`. Where the scale underflows to 0, and in place of NaN, `k_i` is 0.
pub(crate) fn quantize(query: &[f32], codes: &mut [i8]) -> f32 {
    let largest = query.iter().fold(0.0, |largest: f32, value| largest.max(value.abs()));
    let scale = largest / LARGEST;
    if scale == 0.0 {
        codes.fill(0);
        return scale;
    }
    for (value, code) in query.iter().zip(codes) {
        let quotient = (value / scale).clamp(-LARGEST, LARGEST);
        *code = (quotient + ROUNDING - ROUNDING) as i8;
    }
    scale
}

/// `out[row] = Σ_i ±k_i`, plus where bit `i` of the row is set and minus where it isn't. Bits beyond the dimension
/// meet zeros.
pub(crate) fn sums(query: &SignLayout, slots: Slots<'_>, out: &mut [i32]) {
    let query = query.natural.as_chunks::<8>().0;
    for (row, out) in out.iter_mut().enumerate() {
        *out = 0;
        for (byte, query) in slots.bits(row).iter().zip(query) {
            for (bit, k) in query.iter().enumerate() {
                let sign = 2 * i32::from(byte >> bit & 1) - 1;
                *out += sign * i32::from(*k);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quantized(query: &[f32]) -> (f32, Vec<i8>) {
        let mut codes = vec![99; query.len()];
        (quantize(query, &mut codes), codes)
    }

    #[test]
    fn halves_go_to_even_and_ends_stay_in() {
        let (scale, codes) = quantized(&[-127.0, 0.5, 1.5, 2.5, -0.5, -1.5, 126.5, 0.49]);
        assert_eq!((scale, codes), (1.0, vec![-127, 0, 2, 2, 0, -2, 126, 0]));
        for exponent in -126..=127 {
            let largest = 1.999 * 2f32.powi(exponent);
            let (scale, codes) = quantized(&[largest, -largest, largest / 2.0]);
            assert_eq!(scale, largest / 127.0);
            assert_eq!(codes[..2], [127, -127]);
        }
    }

    #[test]
    fn what_is_no_number_or_too_small_stays_in() {
        assert_eq!(quantized(&[0.0, -0.0]), (0.0, vec![0, 0]));
        assert_eq!(quantized(&[f32::from_bits(1), 0.0]), (0.0, vec![0, 0]));
        let (scale, codes) = quantized(&[f32::from_bits(300), -f32::from_bits(300), f32::from_bits(2)]);
        assert_eq!((scale, codes), (f32::from_bits(2), vec![127, -127, 1]));
        assert_eq!(quantized(&[f32::NAN, 254.0, 2.0]), (2.0, vec![0, 127, 1]));
        assert_eq!(quantized(&[f32::INFINITY, 254.0, f32::NEG_INFINITY]).1, [0, 0, 0]);
    }
}
