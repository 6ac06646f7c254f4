//! AVX2 with FMA and F16C: eight `f32` lanes, tails through small buffers.
#![allow(unsafe_code)]

mod kernels;
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
/// Four of each, since a fused multiply-add takes four cycles to be ready for the next.
struct Sums {
    products: [__m256; 4],
    squares: [__m256; 4],
    spilled: (f64, f64),
}

/// Additions to one lane between spills; at this count rounding stays an order of magnitude below 1e-5.
const ADDITIONS_PER_SPILL: usize = 64;

impl Sums {
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn zero() -> Sums {
        let zero = _mm256_setzero_ps();
        Sums { products: [zero; 4], squares: [zero; 4], spilled: (0.0, 0.0) }
    }

    /// Adds eight coordinates of the query and of the row, through accumulator `slot`; `centre` matters to one measure alone.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn add<const MEASURE: u8>(&mut self, slot: usize, query: __m256, centre: __m256, row: __m256) {
        let slot = slot % 4;
        if MEASURE == measure::SQUARED_L2 {
            let difference = _mm256_sub_ps(query, row);
            self.products[slot] = _mm256_fmadd_ps(difference, difference, self.products[slot]);
        } else {
            self.products[slot] = _mm256_fmadd_ps(query, row, self.products[slot]);
        }
        if MEASURE == measure::DOT_AND_NORM {
            self.squares[slot] = _mm256_fmadd_ps(row, row, self.squares[slot]);
        }
        if MEASURE == measure::DOT_AND_CENTRED_NORM {
            let sum = _mm256_add_ps(row, centre);
            self.squares[slot] = _mm256_fmadd_ps(sum, sum, self.squares[slot]);
        }
    }

    /// Moves the lanes' sums to `f64`.
    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn spill<const MEASURE: u8>(&mut self) {
        self.spilled.0 += total(self.products);
        self.products = [_mm256_setzero_ps(); 4];
        if measure::has_squares(MEASURE) {
            self.spilled.1 += total(self.squares);
            self.squares = [_mm256_setzero_ps(); 4];
        }
    }

    #[inline]
    #[target_feature(enable = "avx2,fma,f16c")]
    fn finish<const MEASURE: u8>(mut self) -> (f64, f64) {
        self.spill::<MEASURE>();
        self.spilled
    }
}

/// The sum of all lanes.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn total([a, b, c, d]: [__m256; 4]) -> f64 {
    let sum = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
    let (low, high) = (_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
    let sum = _mm256_cvtps_pd(_mm_add_ps(low, high));
    let sum = _mm_add_pd(_mm256_castpd256_pd128(sum), _mm256_extractf128_pd::<1>(sum));
    _mm_cvtsd_f64(_mm_add_sd(sum, _mm_unpackhi_pd(sum, sum)))
}

/// One half of a line: 0 the lower, 1 the upper.
#[inline]
#[target_feature(enable = "avx")]
fn load_half(line: &Line, half: usize) -> __m256 {
    load_floats(&line.0.as_chunks::<8>().0[half])
}

#[inline]
#[target_feature(enable = "avx")]
fn load_floats(values: &[f32; 8]) -> __m256 {
    // SAFETY: the array is 32 readable bytes, and the load asks for no alignment.
    unsafe { _mm256_loadu_ps(values.as_ptr()) }
}

/// Eight binary16 residuals, widened.
#[inline]
#[target_feature(enable = "avx,f16c")]
fn load_residual(bytes: &[u8; 16]) -> __m256 {
    // SAFETY: the array is 16 readable bytes, and the load asks for no alignment.
    _mm256_cvtph_ps(unsafe { _mm_loadu_si128(bytes.as_ptr().cast()) })
}

/// All ones in the first `count` lanes, zeros in the others.
#[inline]
#[target_feature(enable = "avx2")]
fn first_lanes(count: usize) -> __m256 {
    let lanes = _mm256_set_epi32(7, 6, 5, 4, 3, 2, 1, 0);
    _mm256_castsi256_ps(_mm256_cmpgt_epi32(_mm256_set1_epi32(count.min(8) as i32), lanes))
}

/// The entries of a table of sixteen that the low four bits of each lane choose: `vpermps` uses three, and the fourth, brought to
/// the sign, picks the half.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up_sixteen(table: &Line, codes: __m256i) -> __m256 {
    let low = _mm256_permutevar8x32_ps(load_half(table, 0), codes);
    let high = _mm256_permutevar8x32_ps(load_half(table, 1), codes);
    _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(codes)))
}

/// The entries of a table of four that the low two bits of each lane choose.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up_four(table: &Line, codes: __m256i) -> __m256 {
    _mm256_permutevar_ps(load_half(table, 0), codes)
}
