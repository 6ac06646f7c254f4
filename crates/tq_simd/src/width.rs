//! The three code widths of the record format.

/// Bits per dimension of a row of packed codes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Width {
    /// Two bits: four codes a byte, a codebook of 4 entries.
    Two,
    /// Four bits: two codes a byte, a codebook of 16 entries.
    Four,
    /// Eight bits: one code a byte, a codebook of 256 entries.
    Eight,
}

impl Width {
    /// Every width, narrowest first.
    pub const ALL: [Width; 3] = [Width::Two, Width::Four, Width::Eight];

    /// Bits per dimension: 2, 4 or 8.
    pub const fn bits(self) -> u32 {
        match self {
            Width::Two => 2,
            Width::Four => 4,
            Width::Eight => 8,
        }
    }

    /// The width of that many bits, or `None` when the format has none.
    pub const fn from_bits(bits: u32) -> Option<Width> {
        match bits {
            2 => Some(Width::Two),
            4 => Some(Width::Four),
            8 => Some(Width::Eight),
            _ => None,
        }
    }

    /// Entries in the codebook: `2^bits`.
    pub const fn levels(self) -> usize {
        1 << self.bits()
    }

    /// Bytes that the codes of `dimension` coordinates take: `ceil(dimension · bits / 8)`.
    pub const fn packed_len(self, dimension: usize) -> usize {
        dimension.div_ceil(8 / self.bits() as usize)
    }
}
