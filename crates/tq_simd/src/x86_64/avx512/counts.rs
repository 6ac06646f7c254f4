//! Norms of rows of 2 bit codes, where the processor counts bits (VPOPCNTDQ).
//!
//! There are only four values that a coordinate can take, so `Σ x²` is how often each occurs times its square. Three counts
//! of bits over whole registers of codes say how often; they and the sum are exact in integers and `f64`.
#![allow(unsafe_code)]

use super::{load_codes, load_codes_tail, strided};
use crate::layout::Layout;
use crate::measure::DOT;
use std::arch::x86_64::*;

/// Sums the products and squares of one row without a residual; the layout has strided order for [`strided::LANES`].
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,avx2,fma,f16c")]
pub(crate) fn dot_and_norm(layout: &Layout, codes: &[u8], residual: &[u8]) -> (f64, f64) {
    let norm = norm(layout, codes);
    (strided::row::<2, DOT>(layout, codes, residual).0, norm)
}

#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx512vpopcntdq,avx2,fma,f16c")]
fn norm(layout: &Layout, codes: &[u8]) -> f64 {
    let (blocks, tail) = codes.as_chunks::<64>();
    let mut bits = Bits::zero();
    for block in blocks {
        bits.add(load_codes(block));
    }
    if !tail.is_empty() {
        bits.add(load_codes_tail(tail));
    }
    let dimension = layout.query.len();
    let [all, lower, both] = bits.totals();
    let unused = match (codes.last(), dimension % 4) {
        (Some(last), used @ 1..) => last >> (2 * used),
        _ => 0,
    };
    let all = all - i64::from(unused.count_ones());
    let lower = lower - i64::from((unused & LOWER).count_ones());
    let both = both - i64::from((unused & unused >> 1 & LOWER).count_ones());

    let upper = all - lower;
    let counts = [dimension as i64 - lower - upper + both, lower - both, upper - both, both];
    counts.iter().zip(&layout.codebook).map(|(n, x)| *n as f64 * f64::from(*x) * f64::from(*x)).sum()
}

/// The lower bit of each code in a byte.
const LOWER: u8 = 0x55;

/// Counts, in each qword, of all bits that are set, of lower bits of a code, and of codes with both bits set.
struct Bits {
    all: __m512i,
    lower: __m512i,
    both: __m512i,
}

impl Bits {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn zero() -> Bits {
        let zero = _mm512_setzero_si512();
        Bits { all: zero, lower: zero, both: zero }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512vpopcntdq")]
    fn add(&mut self, codes: __m512i) {
        let lower = _mm512_and_si512(codes, _mm512_set1_epi8(LOWER as i8));
        let both = _mm512_and_si512(lower, _mm512_srli_epi64::<1>(codes));
        self.all = _mm512_add_epi64(self.all, _mm512_popcnt_epi64(codes));
        self.lower = _mm512_add_epi64(self.lower, _mm512_popcnt_epi64(lower));
        self.both = _mm512_add_epi64(self.both, _mm512_popcnt_epi64(both));
    }

    #[inline]
    #[target_feature(enable = "avx512f")]
    fn totals(&self) -> [i64; 3] {
        [self.all, self.lower, self.both].map(|count| _mm512_reduce_add_epi64(count))
    }
}
