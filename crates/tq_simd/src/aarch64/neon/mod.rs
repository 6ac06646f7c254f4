//! Advanced SIMD: four `f32` lanes, sixteen dimensions at a time, tails through small buffers.
#![allow(unsafe_code)]

mod kernels;
mod lanes;
pub(crate) mod natural;
mod signs;
pub(crate) mod strided;

pub(crate) use kernels::KERNELS;

use crate::layout::Line;
use crate::measure;
use std::arch::aarch64::*;

/// Sixteen coordinates.
type Sixteen = [float32x4_t; 4];

/// The sums of a scan over one row, in `f32` lanes that are spilled to `f64` now and then.
///
/// Eight of each, since a fused multiply-add takes four cycles to be ready for the next and several start in each.
struct Sums {
    products: [float32x4_t; 8],
    squares: [float32x4_t; 8],
    spilled: (f64, f64),
}

/// Additions to one lane between spills; at this count rounding stays an order of magnitude below 1e-5.
const ADDITIONS_PER_SPILL: usize = 64;

/// Steps of sixteen dimensions between spills: each adds to half of the accumulators.
const STEPS_PER_SPILL: usize = 2 * ADDITIONS_PER_SPILL;

impl Sums {
    #[inline]
    #[target_feature(enable = "neon")]
    fn zero() -> Sums {
        let zero = vdupq_n_f32(0.0);
        Sums { products: [zero; 8], squares: [zero; 8], spilled: (0.0, 0.0) }
    }

    /// Adds sixteen coordinates of the query and of the row, through the lower accumulators when `step` is even and else
    /// through the upper ones; `centre` matters to one measure alone.
    #[inline]
    #[target_feature(enable = "neon")]
    fn add<const MEASURE: u8>(&mut self, step: usize, query: &Line, centre: &Line, row: Sixteen) {
        let (query, centre) = (query.0.as_chunks::<4>().0, centre.0.as_chunks::<4>().0);
        for (quarter, row) in row.into_iter().enumerate() {
            let slot = step % 2 * 4 + quarter;
            let query = load(&query[quarter]);
            if MEASURE == measure::SQUARED_L2 {
                let difference = vsubq_f32(query, row);
                self.products[slot] = vfmaq_f32(self.products[slot], difference, difference);
            } else {
                self.products[slot] = vfmaq_f32(self.products[slot], query, row);
            }
            if MEASURE == measure::DOT_AND_NORM {
                self.squares[slot] = vfmaq_f32(self.squares[slot], row, row);
            }
            if MEASURE == measure::DOT_AND_CENTRED_NORM {
                let sum = vaddq_f32(row, load(&centre[quarter]));
                self.squares[slot] = vfmaq_f32(self.squares[slot], sum, sum);
            }
        }
    }

    /// Moves the lanes' sums to `f64`.
    #[inline]
    #[target_feature(enable = "neon")]
    fn spill<const MEASURE: u8>(&mut self) {
        self.spilled.0 += total(self.products);
        self.products = [vdupq_n_f32(0.0); 8];
        if measure::has_squares(MEASURE) {
            self.spilled.1 += total(self.squares);
            self.squares = [vdupq_n_f32(0.0); 8];
        }
    }

    #[inline]
    #[target_feature(enable = "neon")]
    fn finish<const MEASURE: u8>(mut self) -> (f64, f64) {
        self.spill::<MEASURE>();
        self.spilled
    }
}

/// The sum of all lanes.
#[inline]
#[target_feature(enable = "neon")]
fn total([a, b, c, d, e, f, g, h]: [float32x4_t; 8]) -> f64 {
    let (ab, cd) = (vaddq_f32(a, b), vaddq_f32(c, d));
    let (ef, gh) = (vaddq_f32(e, f), vaddq_f32(g, h));
    let sum = vaddq_f32(vaddq_f32(ab, cd), vaddq_f32(ef, gh));
    vaddvq_f64(vaddq_f64(vcvt_f64_f32(vget_low_f32(sum)), vcvt_high_f64_f32(sum)))
}

#[inline]
#[target_feature(enable = "neon")]
fn load(values: &[f32; 4]) -> float32x4_t {
    // SAFETY: the array is 16 readable bytes, and the load asks for no more alignment than a float has.
    unsafe { vld1q_f32(values.as_ptr()) }
}

#[inline]
#[target_feature(enable = "neon")]
fn load_bytes(bytes: &[u8; 16]) -> uint8x16_t {
    // SAFETY: the array is 16 readable bytes, and the load asks for no alignment.
    unsafe { vld1q_u8(bytes.as_ptr()) }
}

/// Four planes of bytes: byte 0 (little-endian) of each of the table's sixteen entries, then byte 1, 2 and 3.
#[inline]
#[target_feature(enable = "neon")]
fn load_planes(table: &Line) -> uint8x16x4_t {
    // SAFETY: a `Line` is 64 readable bytes, and a load of bytes asks for no alignment.
    unsafe { vld4q_u8(table.0.as_ptr().cast()) }
}

/// The entries of a table of sixteen that sixteen indices below 16 choose: each byte of them by a look-up of its own, then
/// interleaved.
#[inline]
#[target_feature(enable = "neon")]
fn look_up_sixteen(planes: uint8x16x4_t, indices: uint8x16_t) -> Sixteen {
    let (a, b) = (vqtbl1q_u8(planes.0, indices), vqtbl1q_u8(planes.1, indices));
    let (c, d) = (vqtbl1q_u8(planes.2, indices), vqtbl1q_u8(planes.3, indices));
    let [ab_low, ab_high] = [vzip1q_u8(a, b), vzip2q_u8(a, b)].map(|bytes| vreinterpretq_u16_u8(bytes));
    let [cd_low, cd_high] = [vzip1q_u8(c, d), vzip2q_u8(c, d)].map(|bytes| vreinterpretq_u16_u8(bytes));
    [
        vreinterpretq_f32_u16(vzip1q_u16(ab_low, cd_low)),
        vreinterpretq_f32_u16(vzip2q_u16(ab_low, cd_low)),
        vreinterpretq_f32_u16(vzip1q_u16(ab_high, cd_high)),
        vreinterpretq_f32_u16(vzip2q_u16(ab_high, cd_high)),
    ]
}

/// The row with zeros in all but its first `count` lanes.
#[inline]
#[target_feature(enable = "neon")]
fn keep_first(count: usize, row: Sixteen) -> Sixteen {
    const LANES: [[u32; 4]; 4] = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11], [12, 13, 14, 15]];
    let count = vdupq_n_u32(count.min(16) as u32);
    std::array::from_fn(|quarter| {
        // SAFETY: the array is 16 readable bytes, and the load asks for no more alignment than an `u32` has.
        let lanes = unsafe { vld1q_u32(LANES[quarter].as_ptr()) };
        vreinterpretq_f32_u32(vandq_u32(vcltq_u32(lanes, count), vreinterpretq_u32_f32(row[quarter])))
    })
}
