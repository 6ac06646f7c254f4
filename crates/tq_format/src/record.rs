//! The Level-1 record, read: one compressed vector and the hash of the configuration that made it.
//!
//! ```text
//!   0        1                        65          69        70          70+P   71+P       75+P
//!   +--------+------------------------+-----------+---------+-----------+------+----------+-------------+
//!   | version| config hash, NUL padded| dimension | bits    | codes     | flag | length   | residual    |
//!   | 1      | 64 bytes               | u32       | 2, 4, 8 | P bytes   | 0, 1 | u32 = 2D | D × binary16|
//!   +--------+------------------------+-----------+---------+-----------+------+----------+-------------+
//!                                                                              '--- only when flag = 1 --'
//! ```
//! All little-endian, nothing aligned. [`RecordView::parse`] is for the places where bytes enter and looks at every
//! byte; [`RecordView::parse_stored`] is for bytes that have been through it and takes constant time.

use crate::{BitWidth, HASH_LEN, MAX_DIMENSION, RECORD_HEADER_LEN, RECORD_VERSION, RecordError, RecordShape};

/// The fixed first 70 bytes of a record: what accessors need without the whole of it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordHeader {
    /// The configuration hash as stored, padded with NUL.
    pub config_hash: [u8; HASH_LEN],
    /// Dimensions of the vector.
    pub dimension: u32,
    /// Bits of a code.
    pub bit_width: BitWidth,
}

impl RecordHeader {
    /// Reads and checks the first [`RECORD_HEADER_LEN`] bytes of a record; what follows them isn't looked at.
    ///
    /// # Errors
    /// [`RecordError::Truncated`], [`UnknownVersion`](RecordError::UnknownVersion),
    /// [`DimensionZero`](RecordError::DimensionZero), [`DimensionTooLarge`](RecordError::DimensionTooLarge),
    /// [`InvalidBitWidth`](RecordError::InvalidBitWidth), [`InvalidUtf8`](RecordError::InvalidUtf8),
    /// [`HashCapitals`](RecordError::HashCapitals).
    pub fn parse(bytes: &[u8]) -> Result<Self, RecordError> {
        let (head, dimension, bit_width) = fixed_fields(bytes)?;
        let config_hash = *hash_of(head);
        check_hash(&config_hash)?;
        Ok(RecordHeader { config_hash, dimension, bit_width })
    }

    /// The configuration hash without the NULs at its end; NULs inside are kept. Empty if the field, set by
    /// hand, isn't UTF-8.
    pub fn hash_str(&self) -> &str {
        trimmed(&self.config_hash)
    }
}

/// A record, borrowed from bytes that are one.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    bytes: &'a [u8],
    dimension: u32,
    bit_width: BitWidth,
    residual: bool,
}

/// Two views are equal when their bytes are.
impl PartialEq for RecordView<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }
}

impl Eq for RecordView<'_> {}

impl<'a> RecordView<'a> {
    /// Checks that `bytes` are exactly one record, completely: version, hash, dimension, width, flag, sizes,
    /// padding bits, and that every residual is finite.
    ///
    /// # Errors
    /// The [`RecordError`] of the first fault found.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let view = Self::parse_stored(bytes)?;
        check_hash(view.hash_field())?;
        view.check_payload()?;
        Ok(view)
    }

    /// Checks in constant time that `bytes` have the shape of one record: version, dimension, width, flag and sizes.
    ///
    /// For bytes that passed [`parse`](Self::parse) when they were stored. Codes, residual and the encoding of the
    /// hash aren't looked at, yet every method of the view is safe whatever the bytes hold.
    ///
    /// # Errors
    /// The [`RecordError`] of the first fault found.
    #[inline]
    pub fn parse_stored(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let (_, dimension, bit_width) = fixed_fields(bytes)?;
        let flag_at = RECORD_HEADER_LEN + bit_width.packed_len(dimension);
        let Some(&flag) = bytes.get(flag_at) else {
            return Err(truncated(flag_at + 1, bytes));
        };
        let mut end = flag_at + 1;
        if flag == 1 {
            let Some(&length) = bytes[end..].first_chunk::<4>() else {
                return Err(truncated(end + 4, bytes));
            };
            let got = u32::from_le_bytes(length) as usize;
            let expected = 2 * dimension as usize;
            if got != expected {
                return Err(RecordError::ResidualLength { expected, got });
            }
            end += 4 + expected;
        } else if flag != 0 {
            return Err(RecordError::InvalidResidualFlag { got: flag });
        }
        if bytes.len() < end {
            return Err(truncated(end, bytes));
        }
        if bytes.len() > end {
            return Err(RecordError::Trailing { expected: end, got: bytes.len() });
        }
        Ok(RecordView { bytes, dimension, bit_width, residual: flag == 1 })
    }

    /// The checks that read codes and residual: zero padding bits, finite residuals.
    pub(crate) fn check_payload(&self) -> Result<(), RecordError> {
        check_padding(self.bit_width, self.dimension, self.codes())?;
        self.residual().map_or(Ok(()), check_finite)
    }

    /// The record itself.
    #[inline]
    pub fn as_bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The configuration hash as stored, padded with NUL.
    #[inline]
    pub fn hash_field(&self) -> &'a [u8; HASH_LEN] {
        match self.bytes[1..].first_chunk() {
            Some(field) => field,
            // A view is never shorter than its header.
            None => &[0; HASH_LEN],
        }
    }

    /// The configuration hash without the NULs at its end; NULs inside are kept. Empty when the field isn't UTF-8,
    /// which is only possible after [`parse_stored`](Self::parse_stored).
    pub fn config_hash(&self) -> &'a str {
        trimmed(self.hash_field())
    }

    /// Dimensions of the vector, 1 to [`MAX_DIMENSION`].
    #[inline]
    pub fn dimension(&self) -> u32 {
        self.dimension
    }

    /// Bits of a code.
    #[inline]
    pub fn bit_width(&self) -> BitWidth {
        self.bit_width
    }

    /// The packed codes, `bit_width().packed_len(dimension())` bytes.
    #[inline]
    pub fn codes(&self) -> &'a [u8] {
        &self.bytes[RECORD_HEADER_LEN..][..self.bit_width.packed_len(self.dimension)]
    }

    /// The residual, `dimension()` little-endian IEEE binary16 numbers, unaligned.
    #[inline]
    pub fn residual(&self) -> Option<&'a [u8]> {
        self.residual.then(|| &self.bytes[self.bytes.len() - 2 * self.dimension as usize..])
    }

    /// Whether there is a residual.
    #[inline]
    pub fn has_residual(&self) -> bool {
        self.residual
    }

    /// What the record shares with all of its configuration.
    pub fn shape(&self) -> RecordShape {
        RecordShape {
            hash_field: *self.hash_field(),
            dimension: self.dimension,
            bit_width: self.bit_width,
            residual: self.residual,
        }
    }

    /// The codes one by one, `dimension()` of them, each below `bit_width().levels()`.
    pub fn indices(&self) -> impl Iterator<Item = u8> + 'a {
        let codes = self.codes();
        let bits = usize::from(self.bit_width.bits());
        let mask = (self.bit_width.levels() - 1) as u8;
        (0..self.dimension as usize).map(move |i| (codes[i * bits / 8] >> (i * bits % 8)) & mask)
    }
}

/// Checks a record's hash. TinyQuant takes any text for one, and so do records here; but a SHA-256 in capital letters would be
/// that of no codec, and look like that of one.
pub(crate) fn check_hash(field: &[u8; HASH_LEN]) -> Result<(), RecordError> {
    std::str::from_utf8(field).map_err(|_| RecordError::InvalidUtf8)?;
    match has_capitals(field) {
        false => Ok(()),
        true => Err(RecordError::HashCapitals),
    }
}

/// Whether a hash is one in hexadecimal, but not all lower-case.
pub(crate) fn has_capitals(hash: &[u8]) -> bool {
    let capital = hash.iter().fold(false, |seen, byte| seen | byte.is_ascii_uppercase());
    capital && hash.len() == HASH_LEN && hash.iter().all(u8::is_ascii_hexdigit)
}

/// The header, its dimension and its width, all but the hash checked.
#[inline]
fn fixed_fields(bytes: &[u8]) -> Result<(&[u8; RECORD_HEADER_LEN], u32, BitWidth), RecordError> {
    let Some(head) = bytes.first_chunk::<RECORD_HEADER_LEN>() else {
        return Err(truncated(RECORD_HEADER_LEN, bytes));
    };
    if head[0] != RECORD_VERSION {
        return Err(RecordError::UnknownVersion { got: head[0] });
    }
    let dimension = u32::from_le_bytes([head[65], head[66], head[67], head[68]]);
    check_dimension(dimension)?;
    let Some(width) = BitWidth::from_bits(u32::from(head[69])) else {
        return Err(RecordError::InvalidBitWidth { got: head[69] });
    };
    Ok((head, dimension, width))
}

#[inline]
pub(crate) fn check_dimension(dimension: u32) -> Result<(), RecordError> {
    match dimension {
        0 => Err(RecordError::DimensionZero),
        1..=MAX_DIMENSION => Ok(()),
        got => Err(RecordError::DimensionTooLarge { got }),
    }
}

pub(crate) fn check_padding(width: BitWidth, dimension: u32, codes: &[u8]) -> Result<(), RecordError> {
    match codes.last() {
        Some(last) if last & width.padding_mask(dimension) != 0 => Err(RecordError::PaddingBits),
        _ => Ok(()),
    }
}

/// Refuses infinities and NaNs, whose exponent bits are all set, among little-endian binary16 numbers.
pub(crate) fn check_finite(residual: &[u8]) -> Result<(), RecordError> {
    const EXPONENT: u16 = 0x7C00;
    let infinite = |pair: &[u8; 2]| u16::from_le_bytes(*pair) & EXPONENT == EXPONENT;
    let (pairs, _) = residual.as_chunks::<2>();
    // A fold without an early exit is a handful of vector instructions; the culprit is looked for only if there is one.
    if pairs.iter().fold(false, |seen, pair| seen | infinite(pair))
        && let Some(index) = pairs.iter().position(infinite)
    {
        return Err(RecordError::ResidualNotFinite { index });
    }
    Ok(())
}

fn hash_of(head: &[u8; RECORD_HEADER_LEN]) -> &[u8; HASH_LEN] {
    match head[1..].first_chunk() {
        Some(field) => field,
        None => &[0; HASH_LEN],
    }
}

fn trimmed(field: &[u8; HASH_LEN]) -> &str {
    std::str::from_utf8(field).map_or("", |hash| hash.trim_end_matches('\0'))
}

#[cold]
fn truncated(needed: usize, bytes: &[u8]) -> RecordError {
    RecordError::Truncated { needed, got: bytes.len() }
}
