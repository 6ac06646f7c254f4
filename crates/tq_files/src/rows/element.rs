//! Numbers of all types that files have, from bytes to `f32` or `f64`.

use half::slice::HalfBitsSliceExt;
use half::{bf16, f16};

use super::real::Real;

/// Types of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    F64,
    F32,
    F16,
    Bf16,
    /// Four bits of exponent, three of mantissa, no infinity, one NaN of either sign.
    F8E4m3,
    /// The upper half of [`F16`](Self::F16).
    F8E5m2,
    /// A power of two, as the scales of blocks are.
    F8E8m0,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
}

impl Element {
    /// Bytes of a number.
    pub(crate) const fn width(self) -> u64 {
        match self {
            Element::F64 | Element::I64 | Element::U64 => 8,
            Element::F32 | Element::I32 | Element::U32 => 4,
            Element::F16 | Element::Bf16 | Element::I16 | Element::U16 => 2,
            Element::F8E4m3 | Element::F8E5m2 | Element::F8E8m0 | Element::I8 | Element::U8 => 1,
        }
    }

    /// Whether these are whole numbers.
    pub(crate) const fn is_integer(self) -> bool {
        match self {
            Element::F64 | Element::F32 | Element::F16 | Element::Bf16 => false,
            Element::F8E4m3 | Element::F8E5m2 | Element::F8E8m0 => false,
            Element::I64 | Element::I32 | Element::I16 | Element::I8 => true,
            Element::U64 | Element::U32 | Element::U16 | Element::U8 => true,
        }
    }
}

/// Appends the numbers in `bytes` to `out`, each the nearest that there is.
pub(crate) fn convert<N: Real>(element: Element, big_endian: bool, bytes: &[u8], out: &mut Vec<N>) {
    if cfg!(target_endian = "little") && !big_endian {
        match element {
            Element::F32 => {
                if let Ok(numbers) = bytemuck::try_cast_slice(bytes) {
                    return N::extend_f32(numbers, out);
                }
            }
            Element::F16 => {
                if let Ok(bits) = bytemuck::try_cast_slice::<u8, u16>(bytes) {
                    return N::extend_f16(bits.reinterpret_cast(), out);
                }
            }
            _ => {}
        }
    }
    // A loop for each type, in which there is nothing to choose.
    macro_rules! each {
        ($($kind:ident)*) => {
            match element {
                $(Element::$kind => {
                    const W: usize = Element::$kind.width() as usize;
                    extend::<N, W>(bytes, big_endian, out, |bytes| number(Element::$kind, bytes));
                })*
            }
        };
    }
    each!(F64 F32 F16 Bf16 F8E4m3 F8E5m2 F8E8m0 I64 I32 I16 I8 U64 U32 U16 U8)
}

/// The number of that type at the beginning of `bytes`, which must be as many as it has.
#[inline(always)]
pub(crate) fn number<N: Real>(element: Element, bytes: &[u8]) -> N {
    fn first<const W: usize>(bytes: &[u8]) -> [u8; W] {
        bytes.first_chunk().copied().unwrap_or([0; W])
    }
    match element {
        Element::F32 => N::of_f32(f32::from_le_bytes(first(bytes))),
        Element::F16 => N::of_f32(f16::from_le_bytes(first(bytes)).to_f32()),
        Element::Bf16 => N::of_f32(bf16::from_le_bytes(first(bytes)).to_f32()),
        Element::F8E4m3 => N::of_f32(e4m3(first::<1>(bytes)[0])),
        Element::F8E5m2 => N::of_f32(f16::from_le_bytes([0, first::<1>(bytes)[0]]).to_f32()),
        Element::F8E8m0 => N::of_f32(e8m0(first::<1>(bytes)[0])),
        Element::F64 => N::of_f64(f64::from_le_bytes(first(bytes))),
        Element::I64 => N::of_i64(i64::from_le_bytes(first(bytes))),
        Element::I32 => N::of_i64(i32::from_le_bytes(first(bytes)).into()),
        Element::I16 => N::of_f32(i16::from_le_bytes(first(bytes)).into()),
        Element::I8 => N::of_f32(i8::from_le_bytes(first(bytes)).into()),
        Element::U64 => N::of_u64(u64::from_le_bytes(first(bytes))),
        Element::U32 => N::of_u64(u32::from_le_bytes(first(bytes)).into()),
        Element::U16 => N::of_f32(u16::from_le_bytes(first(bytes)).into()),
        Element::U8 => N::of_f32(u8::from_le_bytes(first(bytes)).into()),
    }
}

fn extend<N, const W: usize>(bytes: &[u8], big: bool, out: &mut Vec<N>, number: impl Fn(&[u8]) -> N) {
    let numbers = bytes.as_chunks::<W>().0.iter();
    match big {
        false => out.extend(numbers.map(|bytes| number(bytes))),
        true => out.extend(numbers.map(|bytes| {
            let mut bytes = *bytes;
            bytes.reverse();
            number(&bytes)
        })),
    }
}

/// The number of an 8-bit float with four bits of exponent.
fn e4m3(byte: u8) -> f32 {
    /// The exponent of a single whose mantissa is that of such a float, less its own bias of 7.
    const BIAS: u32 = 127 - 7;
    let (sign, exponent, mantissa) =
        (u32::from(byte >> 7) << 31, u32::from(byte >> 3 & 15), u32::from(byte & 7));
    let magnitude = match (exponent, mantissa) {
        (15, 7) => return f32::NAN,
        // In steps of 2^-9.
        (0, _) => mantissa as f32 / 512.0,
        _ => f32::from_bits((exponent + BIAS) << 23 | mantissa << 20),
    };
    f32::from_bits(magnitude.to_bits() | sign)
}

/// The power of two that such a byte stands for.
fn e8m0(byte: u8) -> f32 {
    match byte {
        u8::MAX => f32::NAN,
        // The smallest, which is no normal single.
        0 => f32::from_bits(1 << 22),
        _ => f32::from_bits(u32::from(byte) << 23),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn floats_of_eight_bits() {
        let values = |element, bytes: &[u8]| {
            let mut out: Vec<f32> = Vec::new();
            convert(element, false, bytes, &mut out);
            out
        };
        let e4m3 = values(Element::F8E4m3, &[0, 0x80, 1, 7, 8, 0x38, 0xb8, 0x7e, 0x7f, 0xff]);
        assert_eq!(e4m3[..8], [0.0, -0.0, 0.001_953_125, 0.013_671_875, 0.015_625, 1.0, -1.0, 448.0]);
        assert!(e4m3[1].is_sign_negative() && e4m3[8].is_nan() && e4m3[9].is_nan());
        let e5m2 = values(Element::F8E5m2, &[0, 1, 0x3c, 0xbc, 0x7b, 0x7c, 0x7d]);
        assert_eq!(e5m2[..6], [0.0, 0.000_015_258_789, 1.0, -1.0, 57344.0, f32::INFINITY]);
        assert!(e5m2[6].is_nan());
        let e8m0 = values(Element::F8E8m0, &[0, 1, 127, 128, 254, 255]);
        assert_eq!(e8m0[..5], [2f32.powi(-127), 2f32.powi(-126), 1.0, 2.0, 2f32.powi(127)]);
        assert!(e8m0[5].is_nan());
    }
}
