//! Bit widths and the sizes that follow from them.
//!
//! A width divides eight, so a code never straddles two bytes and every size is plain arithmetic on it.

use crate::RECORD_HEADER_LEN;

/// Bits of one code: how finely a coordinate is quantised.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum BitWidth {
    /// 2 bits, 4 codebook entries.
    Two,
    /// 4 bits, 16 codebook entries.
    Four,
    /// 8 bits, 256 codebook entries.
    Eight,
}

impl BitWidth {
    /// Every width, narrowest first.
    pub const ALL: [BitWidth; 3] = [BitWidth::Two, BitWidth::Four, BitWidth::Eight];

    /// The width in bits: 2, 4 or 8.
    #[inline]
    pub const fn bits(self) -> u8 {
        match self {
            BitWidth::Two => 2,
            BitWidth::Four => 4,
            BitWidth::Eight => 8,
        }
    }

    /// Entries of a codebook of this width: 4, 16 or 256.
    #[inline]
    pub const fn levels(self) -> usize {
        1 << self.bits()
    }

    /// The width of that many bits, or `None` when it isn't 2, 4 or 8.
    #[inline]
    pub fn from_bits(bits: u32) -> Option<Self> {
        match bits {
            2 => Some(BitWidth::Two),
            4 => Some(BitWidth::Four),
            8 => Some(BitWidth::Eight),
            _ => None,
        }
    }

    /// Bytes that `dimension` packed codes take.
    #[inline]
    pub const fn packed_len(self, dimension: u32) -> usize {
        (dimension as u64 * self.bits() as u64).div_ceil(8) as usize
    }

    /// The bits of the last packed byte that no code occupies, as a mask; 0 when the codes fill it.
    #[inline]
    pub(crate) const fn padding_mask(self, dimension: u32) -> u8 {
        let used = (dimension as u64 * self.bits() as u64 % 8) as u32;
        if used == 0 { 0 } else { 0xFF << used }
    }
}

/// Bytes of a whole record: header, packed codes, residual flag and, with a residual, its length field and
/// two bytes a dimension.
#[inline]
pub fn record_len(width: BitWidth, dimension: u32, residual: bool) -> usize {
    let tail = if residual { 4 + 2 * dimension as usize } else { 0 };
    RECORD_HEADER_LEN + width.packed_len(dimension) + 1 + tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_and_levels() {
        assert_eq!(BitWidth::ALL.map(BitWidth::bits), [2, 4, 8]);
        assert_eq!(BitWidth::ALL.map(BitWidth::levels), [4, 16, 256]);
        for bits in 0..1000 {
            let width = BitWidth::from_bits(bits);
            assert_eq!(width.is_some(), [2, 4, 8].contains(&bits));
            assert!(width.is_none_or(|w| u32::from(w.bits()) == bits));
        }
    }

    #[test]
    fn sizes() {
        assert_eq!(BitWidth::ALL.map(|w| w.packed_len(33)), [9, 17, 33]);
        assert_eq!(BitWidth::ALL.map(|w| w.padding_mask(33)), [0b1111_1100, 0b1111_0000, 0]);
        assert_eq!(record_len(BitWidth::Four, 1536, false), 839);
        assert_eq!(record_len(BitWidth::Four, 16, true), 115);
        assert_eq!(BitWidth::Eight.packed_len(u32::MAX), u32::MAX as usize);
    }
}
