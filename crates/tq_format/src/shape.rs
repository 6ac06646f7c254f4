//! What all records of one configuration have in common, and how two such shapes differ.

use crate::{BitWidth, HASH_LEN, RECORD_HEADER_LEN, RECORD_VERSION, record_len};

/// The hash, dimension, width and residual of records: what a corpus, a column or a codec demands of each.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordShape {
    /// The configuration hash as records store it, padded with NUL.
    pub hash_field: [u8; HASH_LEN],
    /// Dimensions of the vectors.
    pub dimension: u32,
    /// Bits of a code.
    pub bit_width: BitWidth,
    /// Whether there are residuals.
    pub residual: bool,
}

/// The first thing in which two shapes differ.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ShapeDifference {
    /// The dimension.
    Dimension {
        /// What it should be.
        expected: u32,
        /// What it is.
        got: u32,
    },
    /// The bit width.
    BitWidth {
        /// What it should be.
        expected: BitWidth,
        /// What it is.
        got: BitWidth,
    },
    /// The presence of a residual.
    Residual {
        /// Whether there should be one.
        expected: bool,
    },
    /// The hash alone.
    Hash,
}

impl RecordShape {
    /// In what `other` differs from this: dimension, width, residual, and then the hash, which follows from these and says less.
    pub fn difference(&self, other: &RecordShape) -> Option<ShapeDifference> {
        if other.dimension != self.dimension {
            let (expected, got) = (self.dimension, other.dimension);
            return Some(ShapeDifference::Dimension { expected, got });
        }
        if other.bit_width != self.bit_width {
            let (expected, got) = (self.bit_width, other.bit_width);
            return Some(ShapeDifference::BitWidth { expected, got });
        }
        if other.residual != self.residual {
            return Some(ShapeDifference::Residual { expected: self.residual });
        }
        (other.hash_field != self.hash_field).then_some(ShapeDifference::Hash)
    }

    /// Bytes of each record.
    pub fn record_len(&self) -> usize {
        record_len(self.bit_width, self.dimension, self.residual)
    }

    /// What each record begins with.
    pub fn head(&self) -> [u8; RECORD_HEADER_LEN] {
        header_bytes(&self.hash_field, self.dimension, self.bit_width)
    }
}

/// The first [`HASH_LEN`] bytes of the hash, padded with NUL: what TinyQuant stores of a hash of any length.
pub(crate) fn clipped_hash_field(hash: &str) -> [u8; HASH_LEN] {
    let mut field = [0; HASH_LEN];
    for (to, from) in field.iter_mut().zip(hash.bytes()) {
        *to = from;
    }
    field
}

/// What records of that hash, dimension and width begin with.
pub(crate) fn header_bytes(
    hash_field: &[u8; HASH_LEN],
    dimension: u32,
    width: BitWidth,
) -> [u8; RECORD_HEADER_LEN] {
    let mut head = [0; RECORD_HEADER_LEN];
    head[0] = RECORD_VERSION;
    head[1..65].copy_from_slice(hash_field);
    head[65..69].copy_from_slice(&dimension.to_le_bytes());
    head[69] = width.bits();
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_counts() {
        let shape =
            RecordShape { hash_field: [b'a'; 64], dimension: 8, bit_width: BitWidth::Four, residual: false };
        assert_eq!(shape.difference(&shape), None);
        let mut other = RecordShape { hash_field: [b'b'; 64], ..shape };
        assert_eq!(shape.difference(&other), Some(ShapeDifference::Hash));
        other.residual = true;
        assert_eq!(shape.difference(&other), Some(ShapeDifference::Residual { expected: false }));
        other.bit_width = BitWidth::Two;
        let (expected, got) = (BitWidth::Four, BitWidth::Two);
        assert_eq!(shape.difference(&other), Some(ShapeDifference::BitWidth { expected, got }));
        other.dimension = 9;
        assert_eq!(shape.difference(&other), Some(ShapeDifference::Dimension { expected: 8, got: 9 }));
        assert_eq!(other.difference(&shape), Some(ShapeDifference::Dimension { expected: 9, got: 8 }));
        assert_eq!((shape.record_len(), shape.head()[69]), (75, 4));
    }
}
