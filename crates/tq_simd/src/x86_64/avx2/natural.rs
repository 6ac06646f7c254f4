//! Rows in dimension order, eight dimensions at a time: with residuals, of any width, and decoding to floats.
#![allow(unsafe_code)]

use super::{
    ADDITIONS_PER_SPILL, Sums, first_lanes, load_floats, load_half, load_residual, look_up_four,
    look_up_sixteen,
};
use crate::layout::{Layout, Line};
use std::arch::x86_64::*;

/// Sums one row of `BITS` 2, 4 or 8, of a `TRELLIS` or not, whose residual is used when `RESIDUAL`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn row<const BITS: u32, const TRELLIS: bool, const MEASURE: u8, const RESIDUAL: bool>(
    layout: &Layout,
    codes: &[u8],
    residual: &[u8],
) -> (f64, f64) {
    // Groups of 32 dimensions, a step of 8 for each accumulator; then single steps; then a tail.
    let whole = layout.query.len() / 8;
    let groups = whole / 4;
    let (queries, _) = layout.natural.as_chunks::<2>();
    let centre = layout.centre_natural(MEASURE);
    let (centres, _) = centre.as_chunks::<2>();
    let mut sums = Sums::zero();
    let lines = queries[..groups].iter().zip(centres);
    let group = 4 * BITS as usize;
    for (i, (part, (query, centre))) in codes.chunks_exact(group).zip(lines).enumerate() {
        if i > 0 && i % ADDITIONS_PER_SPILL == 0 {
            sums.spill::<MEASURE>();
        }
        let residual = if RESIDUAL { &residual[64 * i..64 * (i + 1)] } else { residual };
        for step in 0..4 {
            let before = before(codes, group * i);
            let row = values::<BITS, TRELLIS, RESIDUAL>(&layout.table, before, part, residual, step);
            let (query, centre) =
                (load_half(&query[step / 2], step % 2), load_half(&centre[step / 2], step % 2));
            sums.add::<MEASURE>(step, query, centre, row);
        }
    }
    for step in 4 * groups..whole {
        let row = values::<BITS, TRELLIS, RESIDUAL>(&layout.table, 0, codes, residual, step);
        let (query, centre) = (&layout.natural[step / 2], &centre[step / 2]);
        sums.add::<MEASURE>(0, load_half(query, step % 2), load_half(centre, step % 2), row);
    }
    let rest = layout.query.len() % 8;
    if rest > 0 {
        let row = values_tail::<BITS, TRELLIS, RESIDUAL>(&layout.table, codes, residual, whole, rest);
        let (query, centre) = (&layout.natural[whole / 2], &centre[whole / 2]);
        sums.add::<MEASURE>(0, load_half(query, whole % 2), load_half(centre, whole % 2), row);
    }
    sums.finish::<MEASURE>()
}

/// Decodes one row of `BITS` 2 or 4; `table` is the codebook over whole lines.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn dequantize<const BITS: u32, const RESIDUAL: bool>(
    table: &[Line],
    codes: &[u8],
    residual: &[u8],
    out: &mut [f32],
) {
    let (blocks, tail) = out.as_chunks_mut::<8>();
    let whole = blocks.len();
    for (step, out) in blocks.iter_mut().enumerate() {
        store(out, values::<BITS, false, RESIDUAL>(table, 0, codes, residual, step));
    }
    if !tail.is_empty() {
        let mut padded = [0.0; 8];
        store(&mut padded, values_tail::<BITS, false, RESIDUAL>(table, codes, residual, whole, tail.len()));
        tail.copy_from_slice(&padded[..tail.len()]);
    }
}

/// `out[i] += residual_i`.
#[target_feature(enable = "avx2,fma,f16c")]
pub(crate) fn add_residual(residual: &[u8], out: &mut [f32]) {
    let ((blocks, tail), (residuals, residual_tail)) = (out.as_chunks_mut::<8>(), residual.as_chunks::<16>());
    for (out, residual) in blocks.iter_mut().zip(residuals) {
        let row = _mm256_add_ps(load_floats(out), load_residual(residual));
        store(out, row);
    }
    let (mut padded, mut padded_residual) = ([0.0; 8], [0; 16]);
    padded[..tail.len()].copy_from_slice(tail);
    padded_residual[..residual_tail.len()].copy_from_slice(residual_tail);
    let row = _mm256_add_ps(load_floats(&padded), load_residual(&padded_residual));
    store(&mut padded, row);
    tail.copy_from_slice(&padded[..tail.len()]);
}

/// Eight coordinates of the row, from dimension `8 · step`; `before` is the byte before the codes, or zero.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn values<const BITS: u32, const TRELLIS: bool, const RESIDUAL: bool>(
    table: &[Line],
    before: u8,
    codes: &[u8],
    residual: &[u8],
    step: usize,
) -> __m256 {
    let entries = match BITS {
        _ if TRELLIS => look_up_windows::<BITS>(table, before, codes, step),
        2 => look_up_2(table, chunk(codes, step)),
        4 => look_up_4(table, chunk(codes, step)),
        _ => look_up_8(table, chunk(codes, step)),
    };
    if RESIDUAL { _mm256_add_ps(entries, load_residual(chunk(residual, step))) } else { entries }
}

/// The last `rest < 8` coordinates of the row, zeros after them.
#[inline]
#[target_feature(enable = "avx2,fma,f16c")]
fn values_tail<const BITS: u32, const TRELLIS: bool, const RESIDUAL: bool>(
    table: &[Line],
    codes: &[u8],
    residual: &[u8],
    whole: usize,
    rest: usize,
) -> __m256 {
    let before = before(codes, BITS as usize * whole);
    let (mut padded, mut padded_residual) = ([0; 8], [0; 16]);
    let tail = &codes[BITS as usize * whole..];
    padded[..tail.len()].copy_from_slice(tail);
    if RESIDUAL {
        padded_residual[..2 * rest].copy_from_slice(&residual[16 * whole..]);
    }
    _mm256_and_ps(
        first_lanes(rest),
        values::<BITS, TRELLIS, RESIDUAL>(table, before, &padded, &padded_residual, 0),
    )
}

/// The byte before that one, zero before the first.
#[inline]
fn before(codes: &[u8], at: usize) -> u8 {
    if at > 0 { codes[at - 1] } else { 0 }
}

/// The entries that eight codes of a trellis choose. Their windows come to be in a register together, and to take them out of it for plain loads
/// would cost more than a gather does.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up_windows<const BITS: u32>(table: &[Line], first: u8, codes: &[u8], step: usize) -> __m256 {
    assert!(table.len() >= 16);
    let at = BITS as usize * step;
    let before = i32::from(if step > 0 { codes[at - 1] } else { first });
    let group = &codes[at..at + BITS as usize];
    // The lower and the upper four windows, each within 32 bits of the stream.
    let (low, high) = if BITS == 2 {
        let word = before | i32::from(u16::from_le_bytes([group[0], group[1]])) << 8;
        (word, word >> 8)
    } else {
        let word = u32::from_le_bytes([group[0], group[1], group[2], group[3]]);
        (before | (word << 8) as i32, (word >> 8) as i32)
    };
    let shifts = match BITS {
        2 => _mm256_set_epi32(8, 6, 4, 2, 8, 6, 4, 2),
        _ => _mm256_set_epi32(16, 12, 8, 4, 16, 12, 8, 4),
    };
    let words = _mm256_set_m128i(_mm_set1_epi32(high), _mm_set1_epi32(low));
    let windows = _mm256_and_si256(_mm256_srlv_epi32(words, shifts), _mm256_set1_epi32(0xff));
    // SAFETY: an index is at most 255, and the table has 256 entries.
    unsafe { _mm256_i32gather_ps::<4>(table.as_ptr().cast(), windows) }
}

/// The `step`-th group of `N` bytes.
#[inline]
fn chunk<const N: usize>(bytes: &[u8], step: usize) -> &[u8; N] {
    &bytes.as_chunks::<N>().0[step]
}

#[inline]
#[target_feature(enable = "avx2")]
fn look_up_2(table: &[Line], codes: &[u8; 2]) -> __m256 {
    let shifts = _mm256_set_epi32(14, 12, 10, 8, 6, 4, 2, 0);
    let codes = _mm256_set1_epi32(i32::from(u16::from_le_bytes(*codes)));
    look_up_four(&table[0], _mm256_srlv_epi32(codes, shifts))
}

#[inline]
#[target_feature(enable = "avx2")]
fn look_up_4(table: &[Line], codes: &[u8; 4]) -> __m256 {
    let shifts = _mm256_set_epi32(28, 24, 20, 16, 12, 8, 4, 0);
    let codes = _mm256_set1_epi32(i32::from_le_bytes(*codes));
    look_up_sixteen(&table[0], _mm256_srlv_epi32(codes, shifts))
}

/// Eight plain loads and the shuffles that join them: a gather takes longer on the processors that have no AVX-512.
#[inline]
#[target_feature(enable = "avx2")]
fn look_up_8(table: &[Line], codes: &[u8; 8]) -> __m256 {
    assert!(table.len() >= 16);
    let (table, _) = table.as_chunks::<16>();
    let entry = |i: usize| table[0][usize::from(codes[i]) / 16].0[usize::from(codes[i]) % 16];
    _mm256_setr_ps(entry(0), entry(1), entry(2), entry(3), entry(4), entry(5), entry(6), entry(7))
}

#[inline]
#[target_feature(enable = "avx")]
fn store(out: &mut [f32; 8], values: __m256) {
    // SAFETY: the array is 32 writable bytes, and the store asks for no alignment.
    unsafe { _mm256_storeu_ps(out.as_mut_ptr(), values) };
}
