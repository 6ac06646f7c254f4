//! Rows of sign bits, several at once: 64 dimensions a step.
//!
//! A step copies eight bytes of a row over a register, and lane `l` of eight bytes keeps bit `l` of each (see
//! `slots`): bytes of 0 or `2^l`, which are multiplied with the query and added in fours, by one instruction where the
//! processor has VNNI. The factor `2^l` is the same for a whole lane, so that it is shifted away once a row.
#![allow(unsafe_code)]

use crate::level::has_byte_products;
use crate::prefetch::prefetch_ahead;
use crate::slots::{SignLayout, SignLine, Slots, last_bits};
use std::arch::x86_64::*;

/// Rows at once: a product takes five cycles to be ready for the next sum, and nearly one starts in each.
const ROWS: usize = 8;

/// See [`crate::SignQuery::sums`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn sums(query: &SignLayout, slots: Slots<'_>, out: &mut [i32]) {
    if has_byte_products() {
        // SAFETY: a safe function but for its target features, and they are there.
        unsafe { vnni::sums(query, slots, out) }
    } else {
        plain::sums(query, slots, out);
    }
}

/// A module with the loops over rows, compiled for its features, around its way of multiplying and adding.
macro_rules! loops {
    ($(#[$documentation:meta])* $module:ident, $features:literal, |$sum:ident, $bits:ident, $query:ident| $add:expr) => {
        $(#[$documentation])*
        mod $module {
            use super::*;

            /// See [`crate::SignQuery::sums`].
            #[target_feature(enable = $features)]
            pub(super) fn sums(query: &SignLayout, slots: Slots<'_>, out: &mut [i32]) {
                if out.len() < ROWS {
                    for (row, out) in out.iter_mut().enumerate() {
                        let [products] = products::<1>(query, slots, row);
                        *out = 2 * _mm512_reduce_add_epi32(products) - query.total;
                    }
                    return;
                }
                for first in (0..out.len()).step_by(ROWS) {
                    // The last few rows are summed with some of those before them, once more.
                    let first = first.min(out.len() - ROWS);
                    let sums = finish(products::<ROWS>(query, slots, first), query.total);
                    out[first..][..ROWS].copy_from_slice(&sums);
                }
            }

            /// The sums of `k_i` over the bits that are set, spread over the lanes, for neighbouring rows.
            #[inline]
            #[target_feature(enable = $features)]
            fn products<const ROWS: usize>(query: &SignLayout, slots: Slots<'_>, first: usize) -> [__m512i; ROWS] {
                let (whole, lines) = (slots.len / 8, &query.lines[..]);
                let mut bits = [&[][..]; ROWS];
                let mut steps = [&[][..]; ROWS];
                for row in 0..ROWS {
                    prefetch_ahead(slots.start(first + row), slots.offset + slots.len);
                    bits[row] = slots.bits(first + row);
                    steps[row] = &bits[row].as_chunks::<8>().0[..whole];
                }
                let select = select();
                let mut sums = [_mm512_setzero_si512(); ROWS];
                for (step, line) in lines[..whole].iter().enumerate() {
                    let $query = load(line);
                    for row in 0..ROWS {
                        let $bits = _mm512_and_si512(spread(u64::from_le_bytes(steps[row][step])), select);
                        let $sum = sums[row];
                        sums[row] = $add;
                    }
                }
                if let Some(line) = lines.get(whole) {
                    let $query = load(line);
                    for row in 0..ROWS {
                        let $bits = _mm512_and_si512(spread(last_bits(bits[row])), select);
                        let $sum = sums[row];
                        sums[row] = $add;
                    }
                }
                for sum in &mut sums {
                    *sum = shift_lanes(*sum);
                }
                sums
            }
        }
    };
}

loops! {
    /// With VNNI: products of bytes are added in fours to 32 bits.
    vnni, "avx512f,avx512bw,avx512dq,avx512vl,avx512vnni,avx2,fma,f16c",
    |sum, bits, query| _mm512_dpbusd_epi32(sum, bits, query)
}

loops! {
    /// Without: in pairs to 16 bits, which 2 · 128 · 127 doesn't leave, and those in pairs to 32.
    plain, "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c",
    |sum, bits, query| {
        let pairs = _mm512_maddubs_epi16(bits, query);
        _mm512_add_epi32(sum, _mm512_madd_epi16(pairs, _mm512_set1_epi16(1)))
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(line: &SignLine) -> __m512i {
    // SAFETY: a `SignLine` is 64 readable bytes, aligned to 64.
    unsafe { _mm512_load_si512(line.0.as_ptr().cast()) }
}

/// Eight bytes in every lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn spread(bits: u64) -> __m512i {
    _mm512_set1_epi64(bits as i64)
}

/// Bit `l` of each byte of lane `l`.
#[inline]
#[target_feature(enable = "avx512f")]
fn select() -> __m512i {
    const EACH: i64 = 0x0101_0101_0101_0101;
    _mm512_set_epi64(EACH << 7, EACH << 6, EACH << 5, EACH << 4, EACH << 3, EACH << 2, EACH << 1, EACH)
}

/// Takes the factor `2^l` off the two sums of lane `l`, of which they are multiples.
#[inline]
#[target_feature(enable = "avx512f")]
fn shift_lanes(sums: __m512i) -> __m512i {
    _mm512_srav_epi32(sums, _mm512_set_epi32(7, 7, 6, 6, 5, 5, 4, 4, 3, 3, 2, 2, 1, 1, 0, 0))
}

/// Twice the sum of each register's lanes, less the total.
///
/// Registers are interleaved and added until lanes are rows: of pairs, of fours, then of all eight over halves.
#[inline]
#[target_feature(enable = "avx512f,avx512dq,avx2")]
fn finish(sums: [__m512i; ROWS], total: i32) -> [i32; ROWS] {
    let pair = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
    let four = |a, b| _mm512_add_epi32(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b));
    let [a, b, c, d, e, f, g, h] = sums;
    let (first, last) = (four(pair(a, b), pair(c, d)), four(pair(e, f), pair(g, h)));
    // Quarters of the one, then of the other: the first two and the last two are added, and then their halves.
    let halves = _mm512_add_epi32(
        _mm512_shuffle_i32x4::<0b01_00_01_00>(first, last),
        _mm512_shuffle_i32x4::<0b11_10_11_10>(first, last),
    );
    let even = _mm512_shuffle_i32x4::<0b10_00_10_00>(halves, halves);
    let odd = _mm512_shuffle_i32x4::<0b11_01_11_01>(halves, halves);
    let sums = _mm256_add_epi32(_mm512_castsi512_si256(even), _mm512_castsi512_si256(odd));
    let sums = _mm256_sub_epi32(_mm256_slli_epi32::<1>(sums), _mm256_set1_epi32(total));
    let mut out = [0; ROWS];
    // SAFETY: the array is 32 writable bytes, and the store asks for no alignment.
    unsafe { _mm256_storeu_si256(out.as_mut_ptr().cast(), sums) };
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::level::Level;
    use crate::scalar;

    /// As on processors with AVX-512 but without VNNI.
    #[test]
    fn without_vnni() {
        if !Level::Avx512.is_available() {
            eprintln!("SKIPPED: not available here: level avx512");
            return;
        }
        for d in (1usize..=300).chain([384, 1536, 16384]) {
            let mut codes: Vec<i8> = (0..d).map(|i| ((i * i * 7 + 3 * i) % 255) as u8 as i8).collect();
            codes.iter_mut().for_each(|k| *k = (*k).max(-127));
            if d % 3 == 0 {
                codes.fill(if d % 2 == 0 { 127 } else { -127 });
            }
            codes.resize(d.next_multiple_of(64), 0);
            let query = SignLayout::new(d, codes).unwrap();
            let len = d.div_ceil(8);
            for rows in [1, 7, 8, 13, 16] {
                let mut bytes: Vec<u8> = (0..rows * len).map(|i| (i * i + 11 * i + d) as u8).collect();
                bytes[..len].fill(0xff);
                let slots = Slots { bytes: &bytes, stride: len, offset: 0, len };
                let (mut out, mut expected) = (vec![0; rows], vec![1; rows]);
                // SAFETY: a safe function but for its target features, and they are there.
                unsafe { plain::sums(&query, slots, &mut out) };
                scalar::signs::sums(&query, slots, &mut expected);
                assert_eq!(out, expected, "d={d}");
            }
        }
    }
}
