//! Numbers of all types, from bytes to `f32`.

use std::ops::Range;

use half::f16;
use half::slice::{HalfBitsSliceExt, HalfFloatSliceExt};

use super::types::Element;
use crate::rows::check_finite;
use crate::{FileError, MappedFile, RowsError};

/// A stretch of a file as indices into its mapping; an empty one if they don't fit.
pub(super) fn at(offset: u64, length: u64) -> Range<usize> {
    let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    index(offset)..index(offset.saturating_add(length))
}

/// Copies a few bytes of a file.
pub(super) fn copy<const N: usize>(file: &MappedFile, offset: u64) -> Result<[u8; N], FileError> {
    let range = at(offset, N as u64);
    file.read(|bytes| bytes.get(range).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N]))
}

/// Appends the numbers in `bytes` to `out`, rounded to the nearest `f32`.
pub(super) fn convert(element: Element, big_endian: bool, bytes: &[u8], out: &mut Vec<f32>) {
    let big = big_endian;
    match element {
        Element::F32 => match bytemuck::try_cast_slice::<u8, f32>(bytes) {
            Ok(numbers) if cfg!(target_endian = "little") && !big => out.extend_from_slice(numbers),
            _ => extend(bytes, big, out, f32::from_le_bytes),
        },
        Element::F16 => match bytemuck::try_cast_slice::<u8, u16>(bytes) {
            Ok(bits) if cfg!(target_endian = "little") && !big => {
                let start = out.len();
                out.resize(start + bits.len(), 0.0);
                bits.reinterpret_cast::<f16>().convert_to_f32_slice(&mut out[start..]);
            }
            _ => extend(bytes, big, out, |bytes| f16::from_le_bytes(bytes).to_f32()),
        },
        Element::Bf16 => {
            extend(bytes, big, out, |bytes| f32::from_bits(u32::from(u16::from_le_bytes(bytes)) << 16));
        }
        Element::F64 => extend(bytes, big, out, |bytes| f64::from_le_bytes(bytes) as f32),
        Element::I64 => extend(bytes, big, out, |bytes| i64::from_le_bytes(bytes) as f32),
        Element::I32 => extend(bytes, big, out, |bytes| i32::from_le_bytes(bytes) as f32),
        Element::I16 => extend(bytes, big, out, |bytes| f32::from(i16::from_le_bytes(bytes))),
        Element::I8 => extend(bytes, big, out, |bytes| f32::from(i8::from_le_bytes(bytes))),
        Element::U64 => extend(bytes, big, out, |bytes| u64::from_le_bytes(bytes) as f32),
        Element::U32 => extend(bytes, big, out, |bytes| u32::from_le_bytes(bytes) as f32),
        Element::U16 => extend(bytes, big, out, |bytes| f32::from(u16::from_le_bytes(bytes))),
        Element::U8 => extend(bytes, big, out, |[byte]| f32::from(byte)),
    }
}

fn extend<const N: usize>(bytes: &[u8], big: bool, out: &mut Vec<f32>, number: impl Fn([u8; N]) -> f32) {
    let numbers = bytes.as_chunks::<N>().0.iter();
    match big {
        false => out.extend(numbers.map(|bytes| number(*bytes))),
        true => out.extend(numbers.map(|bytes| {
            let mut bytes = *bytes;
            bytes.reverse();
            number(bytes)
        })),
    }
}

/// Refuses rows with a number that isn't finite; `element` is what it was before it became an `f32`, and `first` the
/// number of the first row, counted from 0.
pub(super) fn check(element: Element, rows: &[f32], dimension: u32, first: u64) -> Result<(), RowsError> {
    check_finite(rows, dimension, first).map_err(|error| match error {
        RowsError::Value { row, column, problem: "infinite" } if element == Element::F64 => {
            RowsError::Value { row, column, problem: "infinite in single precision" }
        }
        other => other,
    })
}
