//! Numbers of all types, from bytes to `f32` or `f64`.

use half::slice::HalfBitsSliceExt;
use half::{bf16, f16};

use crate::rows::Real;
use crate::ztensor::types::Element;

/// Appends the numbers in `bytes` to `out`, each the nearest that there is.
pub(in crate::ztensor) fn convert<N: Real>(
    element: Element,
    big_endian: bool,
    bytes: &[u8],
    out: &mut Vec<N>,
) {
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
    each!(F64 F32 F16 Bf16 I64 I32 I16 I8 U64 U32 U16 U8)
}

/// The number of that type at the beginning of `bytes`, which must be as many as it has.
#[inline(always)]
pub(in crate::ztensor) fn number<N: Real>(element: Element, bytes: &[u8]) -> N {
    fn first<const W: usize>(bytes: &[u8]) -> [u8; W] {
        bytes.first_chunk().copied().unwrap_or([0; W])
    }
    match element {
        Element::F32 => N::of_f32(f32::from_le_bytes(first(bytes))),
        Element::F16 => N::of_f32(f16::from_le_bytes(first(bytes)).to_f32()),
        Element::Bf16 => N::of_f32(bf16::from_le_bytes(first(bytes)).to_f32()),
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
