//! Codes of 2, 3 or 4 bits in a row of bytes, LSB first.
//!
//! Dimensions are multiples of 8, so a row is a whole number of groups of eight codes, and a group as many bytes as a code
//! has bits, whatever the width.

use super::Bits;

/// Unpacks a row: eight codes from each group of bytes, as far as both slices go.
pub fn unpack_codes(bits: Bits, packed: &[u8], codes: &mut [u8]) {
    match bits {
        Bits::Two => unpack::<2>(packed, codes),
        Bits::Three => unpack::<3>(packed, codes),
        Bits::Four => unpack::<4>(packed, codes),
    }
}

/// Packs a row, and appends its bytes to `out`. Of each code only the lowest bits count; of a last group of fewer than
/// eight nothing is written.
pub fn pack_codes(bits: Bits, codes: &[u8], out: &mut Vec<u8>) {
    match bits {
        Bits::Two => pack::<2>(codes, out),
        Bits::Three => pack::<3>(codes, out),
        Bits::Four => pack::<4>(codes, out),
    }
}

fn unpack<const BITS: usize>(packed: &[u8], codes: &mut [u8]) {
    for (bytes, codes) in packed.as_chunks::<BITS>().0.iter().zip(codes.as_chunks_mut::<8>().0) {
        let mut word = [0; 4];
        word[..BITS].copy_from_slice(bytes);
        let word = u32::from_le_bytes(word);
        for (i, code) in codes.iter_mut().enumerate() {
            *code = (word >> (BITS * i)) as u8 & ((1 << BITS) - 1);
        }
    }
}

fn pack<const BITS: usize>(codes: &[u8], out: &mut Vec<u8>) {
    for codes in codes.as_chunks::<8>().0 {
        let mask = (1 << BITS) - 1;
        let word = codes.iter().rev().fold(0u32, |word, code| word << BITS | u32::from(code & mask));
        out.extend_from_slice(&word.to_le_bytes()[..BITS]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_bit_codes_straddle_bytes() {
        // 0b011_010_001, then one bit of 0b100: LSB first.
        let codes = [1, 2, 3, 4, 5, 6, 7, 0];
        let mut packed = Vec::new();
        pack_codes(Bits::Three, &codes, &mut packed);
        assert_eq!(packed, [0b1101_0001, 0b0101_1000, 0b0001_1111]);
        let mut back = [9; 8];
        unpack_codes(Bits::Three, &packed, &mut back);
        assert_eq!(back, codes);
    }

    #[test]
    fn every_width_bit_by_bit() {
        for bits in [Bits::Two, Bits::Three, Bits::Four] {
            let codes: Vec<u8> = (0..40).map(|i| (i * 7 % bits.levels()) as u8).collect();
            let mut packed = Vec::new();
            pack_codes(bits, &codes, &mut packed);
            assert_eq!(packed.len(), bits.row_len(40));
            let bit = |i: usize| packed[i / 8] >> (i % 8) & 1;
            for (i, code) in codes.iter().enumerate() {
                let width = bits.bits() as usize;
                let value = (0..width).fold(0, |value, j| value | bit(i * width + j) << j);
                assert_eq!(value, *code);
            }
            let mut back = vec![0; 40];
            unpack_codes(bits, &packed, &mut back);
            assert_eq!(back, codes);
        }
    }
}
