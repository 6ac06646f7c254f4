//! The corpus header in its owned form, for those who write one, and the test of a record against it.

use super::error::Place;
use super::{
    BODY_ALIGN, CorpusError, HEADER_FIXED_LEN, LENGTH_PREFIX, MAX_CONFIG_HASH_LEN, MAX_METADATA_LEN,
};
use crate::record::check_hash;
use crate::shape::clipped_hash_field;
use crate::{
    BitWidth, HASH_LEN, MAX_DIMENSION, RECORD_HEADER_LEN, RecordError, RecordHeader, RecordShape, RecordView,
    ShapeDifference, record_len,
};

pub(super) const VERSION: u8 = 1;

/// The first four bytes of a corpus file: whether its writer has finished it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Magic {
    /// `TQCV`: the count is true and the records are all there.
    Final,
    /// `TQCX`: being written, or abandoned.
    Unfinished,
}

impl Magic {
    /// The bytes that stand for it.
    pub const fn bytes(self) -> [u8; 4] {
        match self {
            Magic::Final => *b"TQCV",
            Magic::Unfinished => *b"TQCX",
        }
    }
}

/// What a corpus says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CorpusHeader {
    /// Number of records.
    pub vector_count: u64,
    /// Dimensions of each vector, 1 to [`MAX_DIMENSION`].
    pub dimension: u32,
    /// Bits of a code.
    pub bit_width: BitWidth,
    /// Whether every record has a residual; otherwise none has.
    pub residual: bool,
    /// Hash of the configuration that made the records, at most [`MAX_CONFIG_HASH_LEN`] bytes. Records hold the first
    /// [`HASH_LEN`] bytes of it.
    pub config_hash: String,
    /// Opaque bytes, at most [`MAX_METADATA_LEN`].
    pub metadata: Vec<u8>,
}

impl CorpusHeader {
    /// The header's bytes, filled up with zeros to where the first record's length goes.
    ///
    /// # Errors
    /// [`CorpusError::DimensionZero`], [`DimensionTooLarge`](CorpusError::DimensionTooLarge),
    /// [`HashTooLong`](CorpusError::HashTooLong), [`MetadataTooLong`](CorpusError::MetadataTooLong) or
    /// [`Memory`](CorpusError::Memory).
    pub fn encode(&self, magic: Magic) -> Result<Vec<u8>, CorpusError> {
        check_dimension(self.dimension)?;
        let hash = self.config_hash.as_bytes();
        let hash_len = u16::try_from(hash.len()).ok().filter(|len| usize::from(*len) <= MAX_CONFIG_HASH_LEN);
        let hash_len = hash_len.ok_or(CorpusError::HashTooLong { got: hash.len() as u64 })?;
        let metadata_len =
            u32::try_from(self.metadata.len()).ok().filter(|len| *len as usize <= MAX_METADATA_LEN);
        let metadata_len =
            metadata_len.ok_or(CorpusError::MetadataTooLong { got: self.metadata.len() as u64 })?;

        let mut out = tq_memory::with_capacity(body_offset(hash.len(), self.metadata.len()))?;
        out.extend_from_slice(&magic.bytes());
        out.extend_from_slice(&[VERSION, 0, 0, 0]);
        out.extend_from_slice(&self.vector_count.to_le_bytes());
        out.extend_from_slice(&self.dimension.to_le_bytes());
        out.extend_from_slice(&[self.bit_width.bits(), u8::from(self.residual)]);
        out.extend_from_slice(&hash_len.to_le_bytes());
        out.extend_from_slice(hash);
        out.extend_from_slice(&metadata_len.to_le_bytes());
        out.extend_from_slice(&self.metadata);
        out.resize(out.len().next_multiple_of(BODY_ALIGN), 0);
        Ok(out)
    }

    /// `clone`, without aborting when there is no memory for the metadata.
    ///
    /// # Errors
    /// [`CorpusError::Memory`].
    pub fn try_clone(&self) -> Result<Self, CorpusError> {
        let config_hash = self.config_hash.clone();
        Ok(Self { config_hash, metadata: tq_memory::copied(&self.metadata)?, ..*self })
    }

    /// The hash as each record of this corpus holds it: its first [`HASH_LEN`] bytes, padded with NUL. A longer hash
    /// can be cut within a character, and then no valid record exists.
    pub fn record_hash_field(&self) -> [u8; HASH_LEN] {
        clipped_hash_field(&self.config_hash)
    }

    /// What each record of this corpus has to be like.
    pub fn shape(&self) -> RecordShape {
        RecordShape {
            hash_field: self.record_hash_field(),
            dimension: self.dimension,
            bit_width: self.bit_width,
            residual: self.residual,
        }
    }

    /// Bytes of each record, without its length prefix.
    pub fn record_len(&self) -> usize {
        record_len(self.bit_width, self.dimension, self.residual)
    }

    /// Checks that `record` belongs in this corpus: same dimension, width, presence of a residual and hash.
    /// `number` (from 1) and `offset` are for the message.
    ///
    /// # Errors
    /// [`CorpusError::RecordDimension`], [`RecordBitWidth`](CorpusError::RecordBitWidth),
    /// [`RecordResidual`](CorpusError::RecordResidual) or [`RecordHash`](CorpusError::RecordHash).
    pub fn check_record(&self, record: RecordView<'_>, number: u64, offset: u64) -> Result<(), CorpusError> {
        Template::new(self.shape()).check_fields(record, Place { number, offset })
    }
}

/// What every record of a corpus has in common, in a form that takes one comparison.
#[derive(Clone, Debug)]
pub(super) struct Template {
    pub(super) shape: RecordShape,
    pub(super) record_len: u32,
    /// Length prefix and record header.
    start: [u8; LENGTH_PREFIX + RECORD_HEADER_LEN],
    /// Whether the hash is one that a record can have: cut to its field, it may be no UTF-8 any more.
    hash: Result<(), RecordError>,
}

impl Template {
    pub(super) fn new(shape: RecordShape) -> Self {
        // At most 49 227 for a dimension within bounds.
        let record_len = shape.record_len() as u32;
        let mut start = [0; LENGTH_PREFIX + RECORD_HEADER_LEN];
        start[..LENGTH_PREFIX].copy_from_slice(&record_len.to_le_bytes());
        start[LENGTH_PREFIX..].copy_from_slice(&shape.head());
        let hash = check_hash(&shape.hash_field);
        Template { shape, record_len, start, hash }
    }

    /// Bytes from one record's length prefix to the next one's.
    pub(super) fn stride(&self) -> usize {
        LENGTH_PREFIX + self.record_len as usize
    }

    /// Whether `entry`, of one stride, starts as every entry of the corpus must.
    pub(super) fn starts(&self, entry: &[u8]) -> bool {
        entry.starts_with(&self.start)
    }

    /// Reads the record of an entry of one stride, length prefix included, with every check there is.
    pub(super) fn read<'a>(&self, entry: &'a [u8], place: Place) -> Result<RecordView<'a>, CorpusError> {
        if !self.starts(entry) {
            return Err(self.mismatch(entry, place));
        }
        let fault = |source| CorpusError::Record { number: place.number, offset: place.offset, source };
        self.hash.clone().map_err(fault)?;
        let record = RecordView::parse_stored(&entry[LENGTH_PREFIX..]).map_err(|source| {
            self.residual_mismatch(&entry[LENGTH_PREFIX..], place).unwrap_or(fault(source))
        })?;
        // The length is the corpus's, so the residual is there exactly when the corpus has one.
        record.check_payload().map_err(fault)?;
        Ok(record)
    }

    /// Says what is wrong with an entry that doesn't start as it should. `rest` begins at its length prefix and may
    /// run on into the records that follow.
    ///
    /// A wrong length alone says little, so a record that is otherwise well formed is asked for the reason.
    pub(super) fn mismatch(&self, rest: &[u8], place: Place) -> CorpusError {
        let Place { number, offset } = place;
        let (length, rest) = match rest.split_first_chunk::<LENGTH_PREFIX>() {
            Some((length, rest)) => (u32::from_le_bytes(*length), rest),
            None => (0, rest),
        };
        let wrong_length =
            CorpusError::RecordLength { number, offset, expected: self.record_len, got: length };
        let Some(record) = rest.get(..length as usize) else {
            return wrong_length;
        };
        match RecordHeader::parse(record) {
            Ok(header) => self
                .header_mismatch(&header, place)
                .or_else(|| self.residual_mismatch(record, place))
                .or_else(|| {
                    (length == self.record_len).then(|| CorpusError::unlike(ShapeDifference::Hash, place))
                })
                .unwrap_or(wrong_length),
            Err(source) if length == self.record_len => CorpusError::Record { number, offset, source },
            Err(_) => wrong_length,
        }
    }

    fn header_mismatch(&self, header: &RecordHeader, place: Place) -> Option<CorpusError> {
        // Whether there is a residual, and whose the record is, is asked for later.
        let shape = RecordShape { dimension: header.dimension, bit_width: header.bit_width, ..self.shape };
        self.shape.difference(&shape).map(|difference| CorpusError::unlike(difference, place))
    }

    /// The error of a record whose header is right and whose flag, by itself valid, isn't the corpus's.
    fn residual_mismatch(&self, record: &[u8], place: Place) -> Option<CorpusError> {
        let flag_at = RECORD_HEADER_LEN + self.shape.bit_width.packed_len(self.shape.dimension);
        let other = u8::from(!self.shape.residual);
        let difference = ShapeDifference::Residual { expected: self.shape.residual };
        (record.get(flag_at) == Some(&other)).then(|| CorpusError::unlike(difference, place))
    }

    /// Compares a record that is valid by itself.
    fn check_fields(&self, record: RecordView<'_>, place: Place) -> Result<(), CorpusError> {
        match self.shape.difference(&record.shape()) {
            None => Ok(()),
            Some(difference) => Err(CorpusError::unlike(difference, place)),
        }
    }
}

pub(super) fn check_dimension(dimension: u32) -> Result<(), CorpusError> {
    match dimension {
        0 => Err(CorpusError::DimensionZero),
        1..=MAX_DIMENSION => Ok(()),
        got => Err(CorpusError::DimensionTooLarge { got }),
    }
}

/// Where the body starts behind a hash and metadata of these lengths, both within their limits.
pub(super) fn body_offset(hash_len: usize, metadata_len: usize) -> usize {
    (HEADER_FIXED_LEN + hash_len + 4 + metadata_len).next_multiple_of(BODY_ALIGN)
}
