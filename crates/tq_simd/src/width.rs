//! How rows of packed codes are read: the three code widths of the record format, two of them also as trellis codes.

/// Bits per dimension of a row of packed codes, and what chooses a coordinate's entry of the codebook.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Width {
    /// Two bits: four codes a byte, a codebook of 4 entries.
    Two,
    /// Four bits: two codes a byte, a codebook of 16 entries.
    Four,
    /// Eight bits: one code a byte, a codebook of 256 entries.
    Eight,
    /// Two bits, of a trellis: the last eight bits of the stream up to a code's end choose one of 256 entries.
    TrellisTwo,
    /// Four bits, of a trellis.
    TrellisFour,
}

impl Width {
    /// Every width, those whose codes are entries' numbers first.
    pub const ALL: [Width; 5] =
        [Width::Two, Width::Four, Width::Eight, Width::TrellisTwo, Width::TrellisFour];

    /// Bits per dimension: 2, 4 or 8.
    pub const fn bits(self) -> u32 {
        match self {
            Width::Two | Width::TrellisTwo => 2,
            Width::Four | Width::TrellisFour => 4,
            Width::Eight => 8,
        }
    }

    /// The width of that many bits, whose codes are entries' numbers, or `None` when the format has none.
    pub const fn from_bits(bits: u32) -> Option<Width> {
        match bits {
            2 => Some(Width::Two),
            4 => Some(Width::Four),
            8 => Some(Width::Eight),
            _ => None,
        }
    }

    /// Whether codes are those of a trellis.
    pub const fn is_trellis(self) -> bool {
        matches!(self, Width::TrellisTwo | Width::TrellisFour)
    }

    /// Entries in the codebook: `2^bits`, of a trellis 256.
    pub const fn levels(self) -> usize {
        if self.is_trellis() { 256 } else { 1 << self.bits() }
    }

    /// Bytes that the codes of `dimension` coordinates take: `ceil(dimension · bits / 8)`.
    pub const fn packed_len(self, dimension: usize) -> usize {
        dimension.div_ceil(8 / self.bits() as usize)
    }
}
