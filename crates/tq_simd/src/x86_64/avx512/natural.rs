//! Rows in dimension order, sixteen dimensions at a time: with residuals, of any width, and decoding to floats.
#![allow(unsafe_code)]

use super::{ADDITIONS_PER_SPILL, Sums, first_lanes, load_line, load_residual, load_residual_tail};
use crate::layout::{Layout, Line};
use crate::scalar::rows::sixteen_windows;
use std::arch::x86_64::*;

/// Sums one row of `BITS` 2, 4 or 8, of a `TRELLIS` or not, whose residual is used when `RESIDUAL`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn row<const BITS: u32, const TRELLIS: bool, const MEASURE: u8, const RESIDUAL: bool>(
    layout: &Layout,
    codes: &[u8],
    residual: &[u8],
) -> (f64, f64) {
    // Groups of 64 dimensions, a step of 16 for each accumulator; then single steps; then a tail.
    let whole = layout.query.len() / 16;
    let groups = whole / 4;
    let (queries, _) = layout.natural.as_chunks::<4>();
    let centre = layout.centre_natural(MEASURE);
    let (centres, _) = centre.as_chunks::<4>();
    let mut sums = Sums::<4>::zero();
    let lines = queries[..groups].iter().zip(centres);
    let group = 8 * BITS as usize;
    for (i, (part, (query, centre))) in codes.chunks_exact(group).zip(lines).enumerate() {
        if i > 0 && i % ADDITIONS_PER_SPILL == 0 {
            sums.spill::<MEASURE>();
        }
        let residual = if RESIDUAL { &residual[128 * i..128 * (i + 1)] } else { residual };
        for (step, (query, centre)) in query.iter().zip(centre).enumerate() {
            let before = before(codes, group * i);
            let row = values::<BITS, TRELLIS, RESIDUAL>(&layout.table, before, part, residual, step);
            sums.add::<MEASURE>(step, load_line(query), load_line(centre), row);
        }
    }
    for step in 4 * groups..whole {
        let row = values::<BITS, TRELLIS, RESIDUAL>(&layout.table, 0, codes, residual, step);
        sums.add::<MEASURE>(
            0,
            load_line(&layout.natural[step]),
            load_line(&layout.centre_natural(MEASURE)[step]),
            row,
        );
    }
    let rest = layout.query.len() % 16;
    if rest > 0 {
        let row = values_tail::<BITS, TRELLIS, RESIDUAL>(&layout.table, codes, residual, whole, rest);
        sums.add::<MEASURE>(0, load_line(&layout.natural[whole]), load_line(&centre[whole]), row);
    }
    sums.finish::<MEASURE>()
}

/// Decodes one row of `BITS` 2 or 4; `table` is the codebook over whole lines.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn dequantize<const BITS: u32, const RESIDUAL: bool>(
    table: &[Line],
    codes: &[u8],
    residual: &[u8],
    out: &mut [f32],
) {
    let (blocks, tail) = out.as_chunks_mut::<16>();
    let whole = blocks.len();
    for (step, out) in blocks.iter_mut().enumerate() {
        let row = values::<BITS, false, RESIDUAL>(table, 0, codes, residual, step);
        // SAFETY: the array is 64 writable bytes, and the store asks for no alignment.
        unsafe { _mm512_storeu_ps(out.as_mut_ptr(), row) };
    }
    if !tail.is_empty() {
        let row = values_tail::<BITS, false, RESIDUAL>(table, codes, residual, whole, tail.len());
        // SAFETY: the mask selects `tail.len()` floats, fewer than 16, and masked-off ones are not touched.
        unsafe { _mm512_mask_storeu_ps(tail.as_mut_ptr(), first_lanes(tail.len()), row) };
    }
}

/// `out[i] += residual_i`.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
pub(crate) fn add_residual(residual: &[u8], out: &mut [f32]) {
    for (bytes, out) in residual.chunks(32).zip(out.chunks_mut(16)) {
        let lanes = first_lanes(out.len());
        // SAFETY: the mask selects `out.len()` floats, at most 16, and masked-off ones are not touched.
        unsafe {
            let entries = _mm512_maskz_loadu_ps(lanes, out.as_ptr());
            let row = _mm512_add_ps(entries, load_residual_tail(bytes));
            _mm512_mask_storeu_ps(out.as_mut_ptr(), lanes, row);
        }
    }
}

/// Sixteen coordinates of the row, from dimension `16 · step`; `before` is the byte before the codes, or zero.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn values<const BITS: u32, const TRELLIS: bool, const RESIDUAL: bool>(
    table: &[Line],
    before: u8,
    codes: &[u8],
    residual: &[u8],
    step: usize,
) -> __m512 {
    let entries = match BITS {
        _ if TRELLIS => look_up_8(table, &sixteen_windows::<BITS>(before, codes, step)),
        2 => look_up_2(table, chunk(codes, step)),
        4 => look_up_4(table, chunk(codes, step)),
        _ => look_up_8(table, chunk(codes, step)),
    };
    if RESIDUAL { _mm512_add_ps(entries, load_residual(chunk(residual, step))) } else { entries }
}

/// The last `rest < 16` coordinates of the row, zeros after them.
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
fn values_tail<const BITS: u32, const TRELLIS: bool, const RESIDUAL: bool>(
    table: &[Line],
    codes: &[u8],
    residual: &[u8],
    whole: usize,
    rest: usize,
) -> __m512 {
    let mut padded = [0; 16];
    let tail = &codes[2 * BITS as usize * whole..];
    padded[..tail.len()].copy_from_slice(tail);
    let before = before(codes, 2 * BITS as usize * whole);
    let mut entries = values::<BITS, TRELLIS, false>(table, before, &padded, &[], 0);
    if RESIDUAL {
        entries = _mm512_add_ps(entries, load_residual_tail(&residual[32 * whole..]));
    }
    _mm512_maskz_mov_ps(first_lanes(rest), entries)
}

/// The byte before that one, zero before the first.
#[inline]
fn before(codes: &[u8], at: usize) -> u8 {
    if at > 0 { codes[at - 1] } else { 0 }
}

/// The `step`-th group of `N` bytes.
#[inline]
fn chunk<const N: usize>(bytes: &[u8], step: usize) -> &[u8; N] {
    &bytes.as_chunks::<N>().0[step]
}

#[inline]
#[target_feature(enable = "avx512f")]
fn look_up_2(table: &[Line], codes: &[u8; 4]) -> __m512 {
    let shifts = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4, 2, 0);
    let codes = _mm512_srlv_epi32(_mm512_set1_epi32(i32::from_le_bytes(*codes)), shifts);
    _mm512_permutevar_ps(load_line(&table[0]), codes)
}

#[inline]
#[target_feature(enable = "avx512f")]
fn look_up_4(table: &[Line], codes: &[u8; 8]) -> __m512 {
    // A byte in each qword; copied up by 28, its high nibble comes to the bottom of the upper dword.
    let bytes = _mm512_cvtepu8_epi64(_mm_cvtsi64_si128(i64::from_le_bytes(*codes)));
    let codes = _mm512_or_si512(bytes, _mm512_slli_epi64::<28>(bytes));
    _mm512_permutexvar_ps(codes, load_line(&table[0]))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn look_up_8(table: &[Line], codes: &[u8; 16]) -> __m512 {
    assert!(table.len() >= 16);
    // SAFETY: the array is 16 readable bytes; an index is at most 255, and the table has 256 entries.
    unsafe {
        let codes = _mm512_cvtepu8_epi32(_mm_loadu_si128(codes.as_ptr().cast()));
        _mm512_i32gather_ps::<4>(codes, table.as_ptr().cast())
    }
}
