//! The Level-1 record, written.
//!
//! A builder holds what all records of one configuration share, checked once, and refuses whatever
//! [`RecordView::parse`](crate::RecordView::parse) would refuse: what it appends always parses.

use crate::pack::pack_indices;
use crate::record::{check_dimension, check_finite, check_hash, check_padding};
use crate::shape::{clipped_hash_field, header_bytes};
use crate::{BitWidth, HASH_LEN, RECORD_HEADER_LEN, RecordError, record_len};

/// The hash as a record stores it: padded with NUL to [`HASH_LEN`] bytes.
///
/// # Errors
/// [`RecordError::HashTooLong`] when it doesn't fit.
pub fn hash_field(hash: &str) -> Result<[u8; HASH_LEN], RecordError> {
    if hash.len() > HASH_LEN {
        return Err(RecordError::HashTooLong { got: hash.len() });
    }
    Ok(clipped_hash_field(hash))
}

/// Writes records of one configuration.
#[derive(Clone, Debug)]
pub struct RecordBuilder {
    head: [u8; RECORD_HEADER_LEN],
    dimension: u32,
    width: BitWidth,
    residual: bool,
}

impl RecordBuilder {
    /// A builder of records with this hash (see [`hash_field`]), dimension and width, all with or all without residual.
    ///
    /// # Errors
    /// [`RecordError::InvalidUtf8`], [`HashCapitals`](RecordError::HashCapitals),
    /// [`DimensionZero`](RecordError::DimensionZero) or [`DimensionTooLarge`](RecordError::DimensionTooLarge).
    pub fn new(
        hash_field: &[u8; HASH_LEN],
        dimension: u32,
        width: BitWidth,
        residual: bool,
    ) -> Result<Self, RecordError> {
        check_hash(hash_field)?;
        check_dimension(dimension)?;
        Ok(RecordBuilder { head: header_bytes(hash_field, dimension, width), dimension, width, residual })
    }

    /// Bytes of each record.
    pub fn record_len(&self) -> usize {
        record_len(self.width, self.dimension, self.residual)
    }

    /// Appends one record to `out`, which allocates nothing where there is room for [`record_len`](Self::record_len) bytes: `indices` has one code a dimension, `residual` two bytes a dimension
    /// (little-endian binary16) exactly when the builder is one with residual.
    ///
    /// # Errors
    /// [`RecordError::IndexCount`], [`IndexOutOfRange`](RecordError::IndexOutOfRange) or one of the residual's;
    /// `out` is then as before.
    pub fn write(
        &self,
        indices: &[u8],
        residual: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        if indices.len() != self.dimension as usize {
            return Err(RecordError::IndexCount { expected: self.dimension as usize, got: indices.len() });
        }
        let residual = self.checked_residual(residual)?;
        let start = out.len();
        out.reserve(self.record_len());
        out.extend_from_slice(&self.head);
        if let Err(error) = pack_indices(self.width, indices, out) {
            out.truncate(start);
            return Err(error);
        }
        write_residual(residual, out);
        Ok(())
    }

    /// Appends one record to `out` from codes that are packed already, otherwise as [`write`](Self::write).
    ///
    /// # Errors
    /// [`RecordError::PackedLength`], [`PaddingBits`](RecordError::PaddingBits) or one of the residual's; `out` is
    /// then as before.
    ///
    /// For tests and benchmarks: nothing else calls it.
    pub fn write_packed(
        &self,
        packed: &[u8],
        residual: Option<&[u8]>,
        out: &mut Vec<u8>,
    ) -> Result<(), RecordError> {
        let expected = self.width.packed_len(self.dimension);
        if packed.len() != expected {
            return Err(RecordError::PackedLength { expected, got: packed.len() });
        }
        check_padding(self.width, self.dimension, packed)?;
        let residual = self.checked_residual(residual)?;
        out.reserve(self.record_len());
        out.extend_from_slice(&self.head);
        out.extend_from_slice(packed);
        write_residual(residual, out);
        Ok(())
    }

    fn checked_residual<'r>(&self, residual: Option<&'r [u8]>) -> Result<Option<&'r [u8]>, RecordError> {
        match (self.residual, residual) {
            (false, None) => Ok(None),
            (false, Some(_)) => Err(RecordError::ResidualUnexpected),
            (true, None) => Err(RecordError::ResidualMissing),
            (true, Some(bytes)) => {
                let expected = 2 * self.dimension as usize;
                if bytes.len() != expected {
                    return Err(RecordError::ResidualLength { expected, got: bytes.len() });
                }
                check_finite(bytes)?;
                Ok(residual)
            }
        }
    }
}

fn write_residual(residual: Option<&[u8]>, out: &mut Vec<u8>) {
    match residual {
        None => out.push(0),
        Some(bytes) => {
            out.push(1);
            // At most 2 * MAX_DIMENSION, checked by the caller.
            out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
            out.extend_from_slice(bytes);
        }
    }
}
