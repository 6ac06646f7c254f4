//! Codes to packed bytes and back, least significant bits first.
//!
//! Code `i` of `B` bits occupies bits `i*B .. (i+1)*B` of the stream, and bit `k` of the stream is bit `k % 8` of
//! byte `k / 8`. The last byte is filled up with zero bits.

use crate::{BitWidth, RecordError};

/// Appends the packed form of `indices`, one code a coordinate, to `out`.
///
/// # Errors
/// [`RecordError::IndexOutOfRange`] for a code that needs more bits than `width` has; `out` is then as before.
pub fn pack_indices(width: BitWidth, indices: &[u8], out: &mut Vec<u8>) -> Result<(), RecordError> {
    let max = (width.levels() - 1) as u8;
    // One pass without branches decides the usual case; the culprit is looked for only if there is one.
    if indices.iter().fold(0, |seen, &index| seen | index) > max
        && let Some(position) = indices.iter().position(|&index| index > max)
    {
        return Err(RecordError::IndexOutOfRange { position, index: indices[position], max });
    }
    match width {
        BitWidth::Two => pack_groups::<4>(2, indices, out),
        BitWidth::Four => pack_groups::<2>(4, indices, out),
        BitWidth::Eight => out.extend_from_slice(indices),
    }
    Ok(())
}

fn pack_groups<const PER_BYTE: usize>(bits: u32, indices: &[u8], out: &mut Vec<u8>) {
    let join = |group: &[u8]| {
        let mut byte = 0;
        for (i, &index) in group.iter().enumerate() {
            byte |= index << (bits * i as u32);
        }
        byte
    };
    let (groups, rest) = indices.as_chunks::<PER_BYTE>();
    out.extend(groups.iter().map(|group| join(group)));
    if !rest.is_empty() {
        out.push(join(rest));
    }
}

/// Unpacks the `dimension` codes of `packed` into `out`, one byte a code. Padding bits are ignored.
///
/// # Errors
/// [`RecordError::PackedLength`] unless `packed` is exactly `width.packed_len(dimension)` long,
/// [`RecordError::IndexCount`] unless `out` has exactly `dimension` places.
///
/// For tests and benchmarks: nothing else calls it.
pub fn unpack_indices(
    width: BitWidth,
    dimension: u32,
    packed: &[u8],
    out: &mut [u8],
) -> Result<(), RecordError> {
    let expected = width.packed_len(dimension);
    if packed.len() != expected {
        return Err(RecordError::PackedLength { expected, got: packed.len() });
    }
    if out.len() != dimension as usize {
        return Err(RecordError::IndexCount { expected: dimension as usize, got: out.len() });
    }
    match width {
        BitWidth::Two => unpack_groups::<4>(2, packed, out),
        BitWidth::Four => unpack_groups::<2>(4, packed, out),
        BitWidth::Eight => out.copy_from_slice(packed),
    }
    Ok(())
}

fn unpack_groups<const PER_BYTE: usize>(bits: u32, packed: &[u8], out: &mut [u8]) {
    let mask = (1u8 << bits) - 1;
    let split = |byte: u8, group: &mut [u8]| {
        for (i, index) in group.iter_mut().enumerate() {
            *index = (byte >> (bits * i as u32)) & mask;
        }
    };
    let (groups, rest) = out.as_chunks_mut::<PER_BYTE>();
    for (group, &byte) in groups.iter_mut().zip(packed) {
        split(byte, group);
    }
    if let Some(&byte) = packed.last() {
        split(byte, rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn least_significant_first() {
        let mut out = vec![0xEE];
        pack_indices(BitWidth::Two, &[1, 2, 3, 0, 2], &mut out).unwrap();
        pack_indices(BitWidth::Four, &[1, 15, 7], &mut out).unwrap();
        pack_indices(BitWidth::Eight, &[200, 3], &mut out).unwrap();
        assert_eq!(out, [0xEE, 0b00_11_10_01, 0b10, 0xF1, 0x07, 200, 3]);
    }

    #[test]
    fn code_out_of_range_leaves_output_alone() {
        let mut out = vec![9];
        let error = pack_indices(BitWidth::Four, &[1, 2, 16, 17], &mut out).unwrap_err();
        assert_eq!(error, RecordError::IndexOutOfRange { position: 2, index: 16, max: 15 });
        pack_indices(BitWidth::Four, &[4, 8, 3], &mut out).unwrap();
        assert_eq!(out, [9, 0x84, 0x03]);
    }

    #[test]
    fn unpack_wants_exact_sizes() {
        let mut out = [0; 5];
        assert_eq!(
            unpack_indices(BitWidth::Two, 5, &[0], &mut out),
            Err(RecordError::PackedLength { expected: 2, got: 1 })
        );
        assert_eq!(
            unpack_indices(BitWidth::Two, 6, &[0, 0], &mut out),
            Err(RecordError::IndexCount { expected: 6, got: 5 })
        );
        unpack_indices(BitWidth::Two, 5, &[0b00_11_10_01, 0b10], &mut out).unwrap();
        assert_eq!(out, [1, 2, 3, 0, 2]);
    }
}
