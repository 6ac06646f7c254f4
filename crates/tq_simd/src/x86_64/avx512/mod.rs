//! AVX-512: sixteen `f32` lanes, masked tails.
#![allow(unsafe_code)]

pub(crate) mod counts;
pub(crate) mod kernels;
mod lanes;
pub(crate) mod natural;
pub(crate) mod planes;
mod signs;
pub(crate) mod strided;

pub(crate) use kernels::KERNELS;

use crate::layout::Line;
use crate::measure;
use std::arch::x86_64::*;

/// The sums of a scan over one row, in `f32` lanes that are spilled to `f64` now and then.
///
/// A fused multiply-add takes four cycles to be ready for the next, and two start in each: eight chains keep up.
struct Sums<const SLOTS: usize> {
    products: [__m512; SLOTS],
    squares: [__m512; SLOTS],
    spilled: (f64, f64),
}

/// Additions to one lane between spills; at this count rounding stays an order of magnitude below 1e-5.
const ADDITIONS_PER_SPILL: usize = 64;

impl<const SLOTS: usize> Sums<SLOTS> {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn zero() -> Sums<SLOTS> {
        let zero = _mm512_setzero_ps();
        Sums { products: [zero; SLOTS], squares: [zero; SLOTS], spilled: (0.0, 0.0) }
    }

    /// Adds sixteen coordinates of the query and of the row, through accumulator `slot`; `centre` matters to one measure alone.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn add<const MEASURE: u8>(&mut self, slot: usize, query: __m512, centre: __m512, row: __m512) {
        let slot = slot % SLOTS;
        if MEASURE == measure::SQUARED_L2 {
            let difference = _mm512_sub_ps(query, row);
            self.products[slot] = _mm512_fmadd_ps(difference, difference, self.products[slot]);
        } else {
            self.products[slot] = _mm512_fmadd_ps(query, row, self.products[slot]);
        }
        if MEASURE == measure::DOT_AND_NORM {
            self.squares[slot] = _mm512_fmadd_ps(row, row, self.squares[slot]);
        }
        if MEASURE == measure::DOT_AND_CENTRED_NORM {
            let sum = _mm512_add_ps(row, centre);
            self.squares[slot] = _mm512_fmadd_ps(sum, sum, self.squares[slot]);
        }
    }

    /// Moves the lanes' sums to `f64`.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn spill<const MEASURE: u8>(&mut self) {
        self.spilled.0 += total(self.products);
        self.products = [_mm512_setzero_ps(); SLOTS];
        if measure::has_squares(MEASURE) {
            self.spilled.1 += total(self.squares);
            self.squares = [_mm512_setzero_ps(); SLOTS];
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
    fn finish<const MEASURE: u8>(mut self) -> (f64, f64) {
        self.spill::<MEASURE>();
        self.spilled
    }
}

/// The sum of all lanes, pairwise. `SLOTS` is a power of two.
#[inline]
#[target_feature(enable = "avx512f")]
fn total<const SLOTS: usize>(mut sums: [__m512; SLOTS]) -> f64 {
    let mut count = SLOTS;
    while count > 1 {
        count /= 2;
        for i in 0..count {
            sums[i] = _mm512_add_ps(sums[i], sums[i + count]);
        }
    }
    f64::from(_mm512_reduce_add_ps(sums[0]))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_line(line: &Line) -> __m512 {
    // SAFETY: a `Line` is 64 readable bytes, aligned to 64.
    unsafe { _mm512_load_ps(line.0.as_ptr()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load_codes(codes: &[u8; 64]) -> __m512i {
    // SAFETY: the array is 64 readable bytes, and the load asks for no alignment.
    unsafe { _mm512_loadu_si512(codes.as_ptr().cast()) }
}

/// Up to 64 bytes, zeros after them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn load_codes_tail(codes: &[u8]) -> __m512i {
    // SAFETY: the mask selects the first `min(64, codes.len())` bytes, and masked-off bytes are not touched.
    unsafe { _mm512_maskz_loadu_epi8(first_bytes(codes.len()), codes.as_ptr().cast()) }
}

/// A mask of the first `count` of 64.
#[inline]
fn first_bytes(count: usize) -> __mmask64 {
    if count >= 64 { u64::MAX } else { (1 << count) - 1 }
}

/// A mask of the first `count` of 16.
#[inline]
fn first_lanes(count: usize) -> __mmask16 {
    if count >= 16 { u16::MAX } else { (1 << count) - 1 }
}

/// Sixteen binary16 residuals, widened.
#[inline]
#[target_feature(enable = "avx512f")]
fn load_residual(bytes: &[u8; 32]) -> __m512 {
    // SAFETY: the array is 32 readable bytes, and the load asks for no alignment.
    _mm512_cvtph_ps(unsafe { _mm256_loadu_si256(bytes.as_ptr().cast()) })
}

/// Up to sixteen binary16 residuals, widened, zeros after them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512vl")]
fn load_residual_tail(bytes: &[u8]) -> __m512 {
    let mask = first_lanes(bytes.len() / 2);
    // SAFETY: the mask selects the first `min(16, bytes.len() / 2)` pairs of bytes, and masked-off ones are not touched.
    _mm512_cvtph_ps(unsafe { _mm256_maskz_loadu_epi16(mask, bytes.as_ptr().cast()) })
}
