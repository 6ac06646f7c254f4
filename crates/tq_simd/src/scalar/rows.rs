//! Rows of packed codes: decoding, and a query against a row.

use crate::width::Width;
use half::f16;

/// Calls `visit(i, x_i)` for each coordinate of the row in order. `codes` holds at least `packed_len(dimension)` bytes,
/// `residual` two bytes a dimension, `codebook` `width.levels()` entries.
#[inline]
fn each_value(
    width: Width,
    dimension: usize,
    codes: &[u8],
    residual: Option<&[u8]>,
    codebook: &[f32],
    mut visit: impl FnMut(usize, f32),
) {
    let mask = width.levels() - 1;
    let bits = width.bits() as usize;
    // Of a trellis: the last eight bits of the stream up to the end of a code, zeros before its beginning.
    let mut state = 0u8;
    for i in 0..dimension {
        let bit = i * bits;
        let code = codes[bit / 8] >> (bit % 8);
        let entry = if width.is_trellis() {
            state = state >> (bits % 8) | code << ((8 - bits) % 8);
            codebook[usize::from(state)]
        } else {
            codebook[code as usize & mask]
        };
        let value = match residual {
            Some(bytes) => entry + f16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]).to_f32(),
            None => entry,
        };
        visit(i, value);
    }
}

/// The windows of eight codes of `BITS`, the first of which begins with `group`; `before` is the byte before it, or zero.
#[allow(dead_code)]
#[inline(always)]
pub(crate) fn eight_windows<const BITS: u32>(before: u8, group: &[u8]) -> [u8; 8] {
    let mut stream = u64::from(before);
    for (k, byte) in group.iter().take(BITS as usize).enumerate() {
        stream |= u64::from(*byte) << (8 * (k + 1));
    }
    std::array::from_fn(|k| (stream >> (BITS as usize * (k + 1))) as u8)
}

/// The windows of the `step`-th sixteen codes of `BITS`; `before` is the byte before `codes`, or zero.
#[allow(dead_code)]
#[inline(always)]
pub(crate) fn sixteen_windows<const BITS: u32>(before: u8, codes: &[u8], step: usize) -> [u8; 16] {
    let (at, half) = (2 * BITS as usize * step, BITS as usize);
    let before = if step > 0 { codes[at - 1] } else { before };
    let group = &codes[at..at + 2 * half];
    let mut windows = [0; 16];
    windows[..8].copy_from_slice(&eight_windows::<BITS>(before, &group[..half]));
    windows[8..].copy_from_slice(&eight_windows::<BITS>(group[half - 1], &group[half..]));
    windows
}

/// `Σ q_i x_i`.
pub(crate) fn dot(
    width: Width,
    query: &[f32],
    codebook: &[f32],
    codes: &[u8],
    residual: Option<&[u8]>,
) -> f64 {
    let mut dot = 0.0;
    each_value(width, query.len(), codes, residual, codebook, |i, x| {
        dot += f64::from(query[i]) * f64::from(x)
    });
    dot
}

/// `(Σ q_i x_i, Σ x_i²)`.
pub(crate) fn dot_and_norm(
    width: Width,
    query: &[f32],
    codebook: &[f32],
    codes: &[u8],
    residual: Option<&[u8]>,
) -> (f64, f64) {
    let (mut dot, mut norm) = (0.0, 0.0);
    each_value(width, query.len(), codes, residual, codebook, |i, x| {
        dot += f64::from(query[i]) * f64::from(x);
        norm += f64::from(x) * f64::from(x);
    });
    (dot, norm)
}

/// `(Σ q_i x_i, Σ (x_i + m_i)²)`, for a centre *m* as long as the query.
pub(crate) fn dot_and_centred_norm(
    width: Width,
    query: &[f32],
    centre: &[f32],
    codebook: &[f32],
    codes: &[u8],
    residual: Option<&[u8]>,
) -> (f64, f64) {
    let (mut dot, mut norm) = (0.0, 0.0);
    each_value(width, query.len(), codes, residual, codebook, |i, x| {
        dot += f64::from(query[i]) * f64::from(x);
        let sum = f64::from(x) + f64::from(centre[i]);
        norm += sum * sum;
    });
    (dot, norm)
}

/// `Σ (scale·q_i - x_i)²`, each difference taken in `f64`.
pub(crate) fn squared_l2(
    width: Width,
    query: &[f32],
    scale: f64,
    codebook: &[f32],
    codes: &[u8],
    residual: Option<&[u8]>,
) -> f64 {
    let mut sum = 0.0;
    each_value(width, query.len(), codes, residual, codebook, |i, x| {
        let difference = scale * f64::from(query[i]) - f64::from(x);
        sum += difference * difference;
    });
    sum
}

/// `out[i] = x_i`.
pub(crate) fn dequantize(
    width: Width,
    codes: &[u8],
    residual: Option<&[u8]>,
    codebook: &[f32],
    out: &mut [f32],
) {
    each_value(width, out.len(), codes, residual, codebook, |i, x| out[i] = x);
}

/// `out[i] = code_i`, a whole byte of codes at a time so that the compiler vectorises it.
pub(crate) fn unpack(width: Width, codes: &[u8], out: &mut [u8]) {
    match width {
        Width::Two | Width::TrellisTwo => unpack_bytes::<4>(codes, out),
        Width::Four | Width::TrellisFour => unpack_bytes::<2>(codes, out),
        Width::Eight => out.copy_from_slice(codes),
    }
}

fn unpack_bytes<const PER_BYTE: usize>(codes: &[u8], out: &mut [u8]) {
    let bits = 8 / PER_BYTE;
    let mask = (1u8 << bits) - 1;
    let (whole, tail) = out.as_chunks_mut::<PER_BYTE>();
    for (group, byte) in whole.iter_mut().zip(codes) {
        for (k, code) in group.iter_mut().enumerate() {
            *code = (byte >> (bits * k)) & mask;
        }
    }
    for (k, code) in tail.iter_mut().enumerate() {
        *code = (codes[whole.len()] >> (bits * k)) & mask;
    }
}
