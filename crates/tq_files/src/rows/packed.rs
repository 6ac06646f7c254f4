//! Numbers that are packed into blocks, some with a scale in common, as GGUF has them.

use half::f16;

use super::real::Real;

/// How a block is packed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    /// A half as the scale, and 32 signed bytes.
    Q8_0,
    /// A half as the scale, and 16 bytes: the lower halves are the first 16 numbers plus 8, the upper ones the others.
    Q4_0,
}

impl Packing {
    /// Numbers of a block.
    pub(crate) const fn cells(self) -> u64 {
        32
    }

    /// Bytes of a block.
    pub(crate) const fn bytes(self) -> u64 {
        match self {
            Packing::Q8_0 => 34,
            Packing::Q4_0 => 18,
        }
    }
}

/// Appends the numbers of all blocks in `bytes`. A scale has 11 bits and a number 8 at most, so their products are exact.
pub(crate) fn unpack<N: Real>(packing: Packing, bytes: &[u8], out: &mut Vec<N>) {
    match packing {
        Packing::Q8_0 => {
            for [low, high, numbers @ ..] in bytes.as_chunks::<34>().0 {
                let scale = f16::from_le_bytes([*low, *high]).to_f32();
                out.extend(numbers.iter().map(|number| N::of_f32(scale * f32::from(*number as i8))));
            }
        }
        Packing::Q4_0 => {
            for [low, high, numbers @ ..] in bytes.as_chunks::<18>().0 {
                let scale = f16::from_le_bytes([*low, *high]).to_f32();
                let number = |bits: u8| N::of_f32(scale * (f32::from(bits) - 8.0));
                out.extend(numbers.iter().map(|byte| number(byte & 15)));
                out.extend(numbers.iter().map(|byte| number(byte >> 4)));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks() {
        let mut eight = vec![0x00, 0x38];
        eight.extend((0..32u8).map(|number| number.wrapping_sub(16)));
        let mut out: Vec<f32> = Vec::new();
        unpack(Packing::Q8_0, &eight, &mut out);
        assert!(out.iter().zip(-16..).all(|(number, wanted)| *number == wanted as f32 / 2.0));
        let mut four = vec![0x00, 0xc0];
        four.extend((0..16u8).map(|number| number | (15 - number) << 4));
        let mut out: Vec<f64> = Vec::new();
        unpack(Packing::Q4_0, &[&four[..], &four[..17]].concat(), &mut out);
        assert_eq!((out.len(), out[0], out[15], out[16], out[31]), (32, 16.0, -14.0, -14.0, 16.0));
    }
}
