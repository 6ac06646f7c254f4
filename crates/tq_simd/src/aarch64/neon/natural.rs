//! Rows in dimension order, sixteen dimensions at a time: with residuals, of any width, and decoding to floats.
#![allow(unsafe_code)]

use super::{STEPS_PER_SPILL, Sixteen, Sums, keep_first, load, load_bytes, load_planes, look_up_sixteen};
use crate::layout::{Layout, Line};
use crate::scalar::rows::sixteen_windows;
use std::arch::aarch64::*;

/// Sums one row of `BITS` 2, 4 or 8, of a `TRELLIS` or not, whose residual is used when `RESIDUAL`.
#[target_feature(enable = "neon")]
pub(crate) fn row<const BITS: u32, const TRELLIS: bool, const MEASURE: u8, const RESIDUAL: bool>(
    layout: &Layout,
    codes: &[u8],
    residual: &[u8],
) -> (f64, f64) {
    // Pairs of steps, so that the choice of accumulators is settled at compile time; then a single step; then a tail.
    let (whole, rest) = (layout.query.len() / 16, layout.query.len() % 16);
    let table = Table::<BITS, TRELLIS>::new(&layout.table);
    let centre = layout.centre_natural(MEASURE);
    let pairs = layout.natural[..whole].as_chunks::<2>().0.iter().zip(centre.as_chunks::<2>().0);
    let mut sums = Sums::zero();
    for (i, (query, centre)) in pairs.enumerate() {
        if i > 0 && i % (STEPS_PER_SPILL / 2) == 0 {
            sums.spill::<MEASURE>();
        }
        for (half, (query, centre)) in query.iter().zip(centre).enumerate() {
            let row = table.values::<RESIDUAL>(0, codes, residual, 2 * i + half);
            sums.add::<MEASURE>(half, query, centre, row);
        }
    }
    if whole % 2 == 1 {
        let row = table.values::<RESIDUAL>(0, codes, residual, whole - 1);
        sums.add::<MEASURE>(0, &layout.natural[whole - 1], &centre[whole - 1], row);
    }
    if rest > 0 {
        let row = table.values_tail::<RESIDUAL>(codes, residual, whole, rest);
        sums.add::<MEASURE>(1, &layout.natural[whole], &centre[whole], row);
    }
    sums.finish::<MEASURE>()
}

/// Decodes one row of `BITS` 2, 4 or 8; `table` is the codebook over whole lines.
#[target_feature(enable = "neon")]
pub(crate) fn dequantize<const BITS: u32, const RESIDUAL: bool>(
    table: &[Line],
    codes: &[u8],
    residual: &[u8],
    out: &mut [f32],
) {
    let table = Table::<BITS, false>::new(table);
    let (blocks, tail) = out.as_chunks_mut::<16>();
    let whole = blocks.len();
    for (step, out) in blocks.iter_mut().enumerate() {
        store(out, table.values::<RESIDUAL>(0, codes, residual, step));
    }
    if !tail.is_empty() {
        let mut padded = [0.0; 16];
        store(&mut padded, table.values_tail::<RESIDUAL>(codes, residual, whole, tail.len()));
        tail.copy_from_slice(&padded[..tail.len()]);
    }
}

/// The codebook, in the form in which codes of `BITS` look it up.
struct Table<'a, const BITS: u32, const TRELLIS: bool> {
    planes: uint8x16x4_t,
    lines: &'a [Line],
}

impl<'a, const BITS: u32, const TRELLIS: bool> Table<'a, BITS, TRELLIS> {
    #[inline]
    #[target_feature(enable = "neon")]
    fn new(lines: &'a [Line]) -> Table<'a, BITS, TRELLIS> {
        Table { planes: load_planes(&lines[0]), lines }
    }

    /// Sixteen coordinates of the row, from dimension `16 · step`; `before` is the byte before the codes, or zero.
    #[inline]
    #[target_feature(enable = "neon")]
    fn values<const RESIDUAL: bool>(
        &self,
        before: u8,
        codes: &[u8],
        residual: &[u8],
        step: usize,
    ) -> Sixteen {
        let mut row = match BITS {
            _ if TRELLIS => look_up_8(self.lines, &sixteen_windows::<BITS>(before, codes, step)),
            2 => look_up_sixteen(self.planes, unpack_2(chunk(codes, step))),
            4 => look_up_sixteen(self.planes, unpack_4(chunk(codes, step))),
            _ => look_up_8(self.lines, chunk(codes, step)),
        };
        if RESIDUAL {
            let (residuals, _) = chunk::<32>(residual, step).as_chunks::<8>();
            for (row, residual) in row.iter_mut().zip(residuals) {
                *row = vaddq_f32(*row, widen_residual(residual));
            }
        }
        row
    }

    /// The last `rest < 16` coordinates of the row, zeros after them.
    #[inline]
    #[target_feature(enable = "neon")]
    fn values_tail<const RESIDUAL: bool>(
        &self,
        codes: &[u8],
        residual: &[u8],
        whole: usize,
        rest: usize,
    ) -> Sixteen {
        let (mut padded, mut padded_residual) = ([0; 16], [0; 32]);
        let at = 2 * BITS as usize * whole;
        let before = if at > 0 { codes[at - 1] } else { 0 };
        let tail = &codes[at..];
        padded[..tail.len()].copy_from_slice(tail);
        if RESIDUAL {
            padded_residual[..2 * rest].copy_from_slice(&residual[32 * whole..]);
        }
        keep_first(rest, self.values::<RESIDUAL>(before, &padded, &padded_residual, 0))
    }
}

/// The `step`-th group of `N` bytes.
#[inline]
fn chunk<const N: usize>(bytes: &[u8], step: usize) -> &[u8; N] {
    &bytes.as_chunks::<N>().0[step]
}

/// Sixteen indices of four bits, of which the lower two are a code: each byte is copied four times and shifted to each of its codes.
#[inline]
#[target_feature(enable = "neon")]
fn unpack_2(codes: &[u8; 4]) -> uint8x16_t {
    const BYTES: [u8; 16] = [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3];
    const SHIFTS: [i8; 16] = [0, -2, -4, -6, 0, -2, -4, -6, 0, -2, -4, -6, 0, -2, -4, -6];
    let codes = vreinterpretq_u8_u32(vdupq_n_u32(u32::from_le_bytes(*codes)));
    // SAFETY: the array is 16 readable bytes, and the load asks for no alignment.
    let shifts = unsafe { vld1q_s8(SHIFTS.as_ptr()) };
    vandq_u8(vshlq_u8(vqtbl1q_u8(codes, load_bytes(&BYTES)), shifts), vdupq_n_u8(0x0f))
}

#[inline]
#[target_feature(enable = "neon")]
fn unpack_4(codes: &[u8; 8]) -> uint8x16_t {
    let codes = vcreate_u8(u64::from_le_bytes(*codes));
    let (low, high) = (vand_u8(codes, vdup_n_u8(0x0f)), vshr_n_u8::<4>(codes));
    vcombine_u8(vzip1_u8(low, high), vzip2_u8(low, high))
}

/// Sixteen plain loads: a table of 256 entries takes 64 registers, twice what there is.
#[inline]
#[target_feature(enable = "neon")]
fn look_up_8(table: &[Line], codes: &[u8; 16]) -> Sixteen {
    assert!(table.len() >= 16);
    let entry = |code: u8| table[usize::from(code) / 16].0[usize::from(code) % 16];
    let (codes, _) = codes.as_chunks::<4>();
    std::array::from_fn(|quarter| load(&codes[quarter].map(entry)))
}

/// Four binary16 residuals, widened.
#[inline]
#[target_feature(enable = "neon")]
fn widen_residual(bytes: &[u8; 8]) -> float32x4_t {
    vcvt_f32_f16(vreinterpret_f16_u64(vcreate_u64(u64::from_le_bytes(*bytes))))
}

#[inline]
#[target_feature(enable = "neon")]
fn store(out: &mut [f32; 16], row: Sixteen) {
    for (out, row) in out.as_chunks_mut::<4>().0.iter_mut().zip(row) {
        // SAFETY: the array is 16 writable bytes, and the store asks for no more alignment than a float has.
        unsafe { vst1q_f32(out.as_mut_ptr(), row) };
    }
}
