//! TQCB, the codebook file of the TinyQuant command line: a dozen bytes of header and the entries.
//!
//! ```text
//!   0        4         5          6           8         12
//!   +--------+---------+----------+-----------+---------+---------------------+
//!   | "TQCB" | version | bits     | reserved  | entries | entries × f32       |
//!   | 4      | 1       | 2, 4, 8  | 2 zeros   | u32     | strictly ascending  |
//!   +--------+---------+----------+-----------+---------+---------------------+
//! ```
//! Stricter than TinyQuant: the width must be one a codec can have, the size exact, reserved bytes zero and the entries
//! finite and ascending as numbers (so -0 and +0 are one value, not two).

use crate::BitWidth;

const MAGIC: [u8; 4] = *b"TQCB";
const VERSION: u8 = 1;
const HEADER_LEN: usize = 12;

/// Why bytes are not a codebook file.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TqcbError {
    /// The bytes end before the codebook does.
    #[error("codebook file is truncated: {needed} bytes needed, {got} present")]
    Truncated {
        /// Bytes needed.
        needed: usize,
        /// Bytes present.
        got: usize,
    },
    /// The codebook ends before the bytes do.
    #[error("codebook file has surplus bytes: {expected} bytes expected, {got} present")]
    Trailing {
        /// Bytes expected.
        expected: usize,
        /// Bytes present.
        got: usize,
    },
    /// The file doesn't start with `TQCB`.
    #[error("not a TQCB codebook file: it starts with \"{}\"", got.escape_ascii())]
    BadMagic {
        /// The first four bytes.
        got: [u8; 4],
    },
    /// The version byte is not 1.
    #[error("unknown codebook file version {got}")]
    UnknownVersion {
        /// The version byte.
        got: u8,
    },
    /// The bit width is not 2, 4 or 8.
    #[error("invalid bit width {got} of the codebook file: must be 2, 4 or 8")]
    InvalidBitWidth {
        /// The bit width byte.
        got: u8,
    },
    /// The reserved bytes are not zero.
    #[error("reserved bytes of the codebook file are not zero")]
    ReservedNotZero,
    /// The number of entries doesn't follow from the bit width.
    #[error("codebook file has {got} entries: {expected} expected")]
    EntryCount {
        /// Two to the power of the bit width.
        expected: u32,
        /// The number found.
        got: u32,
    },
    /// An entry is infinite or not a number.
    #[error("codebook entry {index} is not finite")]
    NotFinite {
        /// The entry, counted from 0.
        index: usize,
    },
    /// An entry isn't above the one before it.
    #[error("codebook entry {index} is not greater than the one before it")]
    NotAscending {
        /// The entry, counted from 0.
        index: usize,
    },
}

/// Reads a codebook file: its width and its `width.levels()` entries.
///
/// # Errors
/// The [`TqcbError`] of the first fault found.
pub fn parse(bytes: &[u8]) -> Result<(BitWidth, Vec<f32>), TqcbError> {
    if let Some(&got) = bytes.first_chunk::<4>()
        && got != MAGIC
    {
        return Err(TqcbError::BadMagic { got });
    }
    let Some((head, body)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return Err(TqcbError::Truncated { needed: HEADER_LEN, got: bytes.len() });
    };
    let [_, _, _, _, version, bits, reserved_0, reserved_1, count @ ..] = *head;
    if version != VERSION {
        return Err(TqcbError::UnknownVersion { got: version });
    }
    let width = BitWidth::from_bits(u32::from(bits)).ok_or(TqcbError::InvalidBitWidth { got: bits })?;
    if [reserved_0, reserved_1] != [0, 0] {
        return Err(TqcbError::ReservedNotZero);
    }
    let expected = width.levels() as u32;
    let got = u32::from_le_bytes(count);
    if got != expected {
        return Err(TqcbError::EntryCount { expected, got });
    }
    let size = HEADER_LEN + 4 * width.levels();
    if bytes.len() < size {
        return Err(TqcbError::Truncated { needed: size, got: bytes.len() });
    }
    if bytes.len() > size {
        return Err(TqcbError::Trailing { expected: size, got: bytes.len() });
    }
    let (entries, _) = body.as_chunks::<4>();
    let entries: Vec<f32> = entries.iter().map(|entry| f32::from_le_bytes(*entry)).collect();
    if let Some(index) = entries.iter().position(|entry| !entry.is_finite()) {
        return Err(TqcbError::NotFinite { index });
    }
    if let Some(index) = entries.windows(2).position(|pair| pair[0] >= pair[1]) {
        return Err(TqcbError::NotAscending { index: index + 1 });
    }
    Ok((width, entries))
}

/// Writes a codebook file. `entries` are meant to be `width.levels()` finite, strictly ascending numbers; others are
/// written as they are and [`parse`] refuses them.
pub fn encode(width: BitWidth, entries: &[f32]) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_LEN + 4 * entries.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[VERSION, width.bits(), 0, 0]);
    out.extend_from_slice(&u32::try_from(entries.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(entries.iter().flat_map(|entry| entry.to_le_bytes()));
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(width: BitWidth) -> Vec<u8> {
        let entries: Vec<f32> = (0..width.levels()).map(|i| i as f32 - 1.5).collect();
        encode(width, &entries)
    }

    fn edited(at: usize, bytes: &[u8]) -> Result<(BitWidth, Vec<f32>), TqcbError> {
        let mut file = sample(BitWidth::Two);
        file[at..at + bytes.len()].copy_from_slice(bytes);
        parse(&file)
    }

    #[test]
    fn round_trip_and_sizes() {
        for (width, size) in BitWidth::ALL.into_iter().zip([28, 76, 1036]) {
            let file = sample(width);
            assert_eq!(file.len(), size);
            let (read, entries) = parse(&file).unwrap();
            assert_eq!(read, width);
            assert_eq!(encode(read, &entries), file);
        }
    }

    #[test]
    fn each_fault_has_its_error() {
        use TqcbError::*;
        assert_eq!(edited(0, b"TQCV"), Err(BadMagic { got: *b"TQCV" }));
        assert_eq!(edited(4, &[2]), Err(UnknownVersion { got: 2 }));
        for bits in (0..=255).filter(|bits| ![2, 4, 8].contains(bits)) {
            assert_eq!(edited(5, &[bits]), Err(InvalidBitWidth { got: bits }));
        }
        assert_eq!(edited(5, &[4]), Err(EntryCount { expected: 16, got: 4 }));
        assert_eq!(edited(6, &[1]), Err(ReservedNotZero));
        assert_eq!(edited(7, &[1]), Err(ReservedNotZero));
        assert_eq!(edited(8, &[5]), Err(EntryCount { expected: 4, got: 5 }));
        assert_eq!(edited(8, &[0xFF; 4]), Err(EntryCount { expected: 4, got: u32::MAX }));
        assert_eq!(edited(12, &f32::NEG_INFINITY.to_le_bytes()), Err(NotFinite { index: 0 }));
        assert_eq!(edited(24, &f32::NAN.to_le_bytes()), Err(NotFinite { index: 3 }));
        assert_eq!(edited(16, &(-1.5f32).to_le_bytes()), Err(NotAscending { index: 1 }));
        assert_eq!(edited(24, &(-9f32).to_le_bytes()), Err(NotAscending { index: 3 }));
        let zeros = [-0f32, 0.0].map(f32::to_le_bytes).concat();
        assert_eq!(edited(16, &zeros), Err(NotAscending { index: 2 }));
    }

    #[test]
    fn size_is_exact() {
        let file = sample(BitWidth::Four);
        for len in 0..file.len() {
            assert!(matches!(parse(&file[..len]), Err(TqcbError::Truncated { got, .. }) if got == len));
        }
        let longer = [&file[..], &[0]].concat();
        assert_eq!(parse(&longer), Err(TqcbError::Trailing { expected: 76, got: 77 }));
    }
}
