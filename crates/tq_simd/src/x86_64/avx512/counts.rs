//! Norms of rows of 2 bit codes, where the processor counts bits (VPOPCNTDQ).
//!
//! There are only four values that a coordinate can take, so `Σ x²` is how often each occurs times its square. Three counts
//! of bits over whole registers of codes say how often; they and the sum are exact in integers and `f64`.
#![allow(unsafe_code)]

use super::{load_codes, load_codes_tail, strided};
use crate::layout::{Layout, Line};
use crate::measure::{DOT, DOT_AND_NORM};
use std::arch::x86_64::*;

/// Dimensions from which counting is faster than one more multiply-add a step; the counts cost as much to weigh for any row.
const LONG: usize = 768;

/// Sums the products and squares of one row without a residual; the layout has strided order for [`strided::LANES`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,avx2,fma,f16c")]
pub(crate) fn dot_and_norm(layout: &Layout, codes: &[u8], residual: &[u8]) -> (f64, f64) {
    if layout.query.len() < LONG {
        return strided::row::<2, DOT_AND_NORM>(layout, codes, residual);
    }
    let norm = norm(layout, codes);
    (strided::row::<2, DOT>(layout, codes, residual).0, norm)
}

/// `Σ x²`, of a row of any length.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,avx2,fma,f16c")]
fn norm(layout: &Layout, codes: &[u8]) -> f64 {
    let (whole, rest) = (layout.query.len() / 256, layout.query.len() % 256);
    let (blocks, tail) = codes.split_at(64 * whole);
    let mut counts = Counts::zero();
    for block in blocks.as_chunks::<64>().0 {
        counts.add(load_codes(block));
    }
    let mut codes_a_lane = _mm512_set1_epi64(32 * whole as i64);
    if rest > 0 {
        let (first, full) = (_mm512_set_epi64(448, 384, 320, 256, 192, 128, 64, 0), _mm512_set1_epi64(64));
        let bits = _mm512_sub_epi64(_mm512_set1_epi64(2 * rest as i64), first);
        let bits = _mm512_max_epi64(_mm512_min_epi64(bits, full), _mm512_setzero_si512());
        // A shift by 64 leaves nothing; the bits that the last byte holds beyond the row are cut off.
        let beyond = _mm512_sllv_epi64(_mm512_set1_epi64(-1), bits);
        counts.add(_mm512_andnot_si512(beyond, load_codes_tail(tail)));
        codes_a_lane = _mm512_add_epi64(codes_a_lane, _mm512_srli_epi64::<1>(bits));
    }
    counts.weigh(codes_a_lane, &layout.table[0])
}

/// Counts, in each qword, of upper bits of a code that are set, of lower bits, and of codes with both bits set.
struct Counts {
    upper: __m512i,
    lower: __m512i,
    both: __m512i,
}

impl Counts {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn zero() -> Counts {
        let zero = _mm512_setzero_si512();
        Counts { upper: zero, lower: zero, both: zero }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    fn add(&mut self, codes: __m512i) {
        let mask = _mm512_set1_epi8(0x55);
        let (lower, upper) = (_mm512_and_si512(mask, codes), _mm512_andnot_si512(mask, codes));
        let both = _mm512_and_si512(lower, _mm512_srli_epi64::<1>(codes));
        self.upper = _mm512_add_epi64(self.upper, _mm512_popcnt_epi64(upper));
        self.lower = _mm512_add_epi64(self.lower, _mm512_popcnt_epi64(lower));
        self.both = _mm512_add_epi64(self.both, _mm512_popcnt_epi64(both));
    }

    /// How often each value occurs, times its square; all terms are positive, so that nothing cancels.
    #[inline]
    #[target_feature(enable = "avx512f,avx512dq")]
    fn weigh(&self, codes_a_lane: __m512i, table: &Line) -> f64 {
        let square = |entry: usize| {
            let entry = f64::from(table.0[entry]);
            _mm512_set1_pd(entry * entry)
        };
        let either = _mm512_sub_epi64(_mm512_add_epi64(self.lower, self.upper), self.both);
        let sum = _mm512_mul_pd(_mm512_cvtepi64_pd(_mm512_sub_epi64(codes_a_lane, either)), square(0));
        let sum =
            _mm512_fmadd_pd(_mm512_cvtepi64_pd(_mm512_sub_epi64(self.lower, self.both)), square(1), sum);
        let sum =
            _mm512_fmadd_pd(_mm512_cvtepi64_pd(_mm512_sub_epi64(self.upper, self.both)), square(2), sum);
        _mm512_reduce_add_pd(_mm512_fmadd_pd(_mm512_cvtepi64_pd(self.both), square(3), sum))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Order;
    use crate::level::has_bit_counts;
    use crate::scalar;
    use crate::width::Width;

    /// Every tail, also of rows that are too short to be counted.
    #[test]
    fn norms_of_every_length() {
        if !has_bit_counts() {
            eprintln!("SKIPPED: not available here: avx512vpopcntdq");
            return;
        }
        let order = Order { strided_lanes: None, byte_planes: false };
        for codebook in [[-1.5, -0.45, 0.45, 1.5], [3e-6, 1e6, -2.0, 0.0]] {
            for d in (1..=1100).chain([16384]) {
                let codes: Vec<u8> =
                    (0..Width::Two.packed_len(d)).map(|i| (i * i * 5 + 99 * i) as u8).collect();
                for codes in [codes, vec![0; d.div_ceil(4)], vec![0xff; d.div_ceil(4)]] {
                    let query = vec![0.0; d];
                    let layout = Layout::new(order, Width::Two, &query, &codebook).unwrap();
                    // SAFETY: `norm` is a safe function but for its target features, and they are there.
                    let norm = unsafe { norm(&layout, &codes) };
                    let (_, expected) =
                        scalar::rows::dot_and_norm(Width::Two, &query, &codebook, &codes, None);
                    assert!((norm - expected).abs() <= 1e-12 * expected, "d={d}: {norm} not {expected}");
                }
            }
        }
    }
}
