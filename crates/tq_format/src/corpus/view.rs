//! A corpus file, read in place.
//!
//! Opening checks the header and that exactly as many strides as it announces fill the file, all before anything is
//! allocated. When they don't, the first entry that isn't where it should be is looked up by bisection, since it tells
//! more than a count does: one record of a foreign length shifts all that follow.

use std::ops::Range;

use super::error::Place;
use super::header::{Template, VERSION, body_offset, check_dimension};
use super::{
    CorpusError, CorpusHeader, HEADER_FIXED_LEN, LENGTH_PREFIX, MAX_CONFIG_HASH_LEN, MAX_METADATA_LEN, Magic,
};
use crate::record::has_capitals;
use crate::shape::clipped_hash_field;
use crate::{BitWidth, RecordShape, RecordView};

/// A corpus, borrowed from the bytes of its file. Its header and its size are right; its records are checked as they
/// are read.
#[derive(Clone, Debug)]
pub struct CorpusView<'a> {
    body: &'a [u8],
    config_hash: &'a str,
    metadata: &'a [u8],
    vector_count: u64,
    body_offset: u64,
    template: Template,
}

impl<'a> CorpusView<'a> {
    /// Checks the header of a corpus and the size of its body.
    ///
    /// # Errors
    /// The [`CorpusError`] of the header's first fault; when the size is not what the header demands, the fault of the
    /// record that explains it, or [`CountExceedsFile`](CorpusError::CountExceedsFile),
    /// [`Truncated`](CorpusError::Truncated) or [`TrailingBytes`](CorpusError::TrailingBytes).
    pub fn parse(bytes: &'a [u8]) -> Result<Self, CorpusError> {
        if let Some(&got) = bytes.first_chunk::<4>()
            && got != Magic::Final.bytes()
        {
            let unfinished = got == Magic::Unfinished.bytes();
            return Err(if unfinished { CorpusError::Unfinished } else { CorpusError::BadMagic { got } });
        }
        let head = bytes.first_chunk::<HEADER_FIXED_LEN>().ok_or(truncated(HEADER_FIXED_LEN, bytes))?;
        let [_, _, _, _, version, r5, r6, r7, rest @ ..] = *head;
        let [count @ .., d0, d1, d2, d3, bits, flag, h0, h1] = rest;
        if version != VERSION {
            return Err(CorpusError::UnknownVersion { got: version });
        }
        if let Some((offset, got)) = (5..).zip([r5, r6, r7]).find(|(_, byte)| *byte != 0) {
            return Err(CorpusError::ReservedNotZero { offset, got });
        }
        let dimension = u32::from_le_bytes([d0, d1, d2, d3]);
        check_dimension(dimension)?;
        let bit_width =
            BitWidth::from_bits(u32::from(bits)).ok_or(CorpusError::InvalidBitWidth { got: bits })?;
        if flag > 1 {
            return Err(CorpusError::InvalidResidualFlag { got: flag });
        }
        let hash_len = usize::from(u16::from_le_bytes([h0, h1]));
        let (config_hash, metadata, body_offset) = variable_fields(bytes, hash_len)?;

        let view = CorpusView {
            body: &bytes[body_offset..],
            config_hash,
            metadata,
            vector_count: u64::from_le_bytes(count),
            body_offset: body_offset as u64,
            template: Template::new(RecordShape {
                hash_field: clipped_hash_field(config_hash),
                dimension,
                bit_width,
                residual: flag == 1,
            }),
        };
        let size = view.vector_count.checked_mul(view.template.stride() as u64);
        if size == Some(view.body.len() as u64) { Ok(view) } else { Err(view.explain_size()) }
    }

    /// Number of records.
    pub fn vector_count(&self) -> u64 {
        self.vector_count
    }

    /// Dimensions of each vector.
    pub fn dimension(&self) -> u32 {
        self.template.shape.dimension
    }

    /// Bits of a code.
    pub fn bit_width(&self) -> BitWidth {
        self.template.shape.bit_width
    }

    /// Whether every record has a residual; otherwise none has.
    pub fn has_residual(&self) -> bool {
        self.template.shape.residual
    }

    /// Hash of the configuration that made the records, as the header holds it.
    pub fn config_hash(&self) -> &'a str {
        self.config_hash
    }

    /// The opaque metadata.
    pub fn metadata(&self) -> &'a [u8] {
        self.metadata
    }

    /// Where in the file the length of the first record stands, or would.
    pub fn body_offset(&self) -> u64 {
        self.body_offset
    }

    /// Bytes of each record, without its length prefix.
    pub fn record_len(&self) -> usize {
        self.template.record_len as usize
    }

    /// The header in its owned form, metadata copied.
    ///
    /// # Errors
    /// [`CorpusError::Memory`].
    pub fn to_header(&self) -> Result<CorpusHeader, CorpusError> {
        Ok(CorpusHeader {
            vector_count: self.vector_count,
            dimension: self.dimension(),
            bit_width: self.bit_width(),
            residual: self.has_residual(),
            config_hash: self.config_hash.to_owned(),
            metadata: tq_memory::copied(self.metadata)?,
        })
    }

    /// The record at index `i`, counted from 0, with every check there is.
    ///
    /// # Errors
    /// [`CorpusError::NoSuchRecord`], or what is wrong with the record, which is number `i + 1` in the error.
    pub fn record(&self, i: u64) -> Result<RecordView<'a>, CorpusError> {
        let number = i.saturating_add(1);
        match self.entry(i) {
            Some(entry) if i < self.vector_count => {
                self.template.read(entry, Place { number, offset: self.offset_of(i) })
            }
            _ => Err(CorpusError::NoSuchRecord { number, count: self.vector_count }),
        }
    }

    /// All records in order. A bad one is an error in its place and doesn't end the iteration.
    pub fn records(&self) -> Records<'a> {
        self.records_in(0..self.vector_count)
    }

    /// The records with indices, counted from 0, in `range`, as far as they exist.
    pub fn records_in(&self, range: Range<u64>) -> Records<'a> {
        let end = range.end.min(self.vector_count);
        Records { view: self.clone(), next: range.start.min(end), end }
    }

    /// One stride from where record `i` should start, if the file goes that far.
    fn entry(&self, i: u64) -> Option<&'a [u8]> {
        let stride = self.template.stride();
        let start = usize::try_from(i).ok()?.checked_mul(stride)?;
        self.body.get(start..start.checked_add(stride)?)
    }

    /// Where the length of the record with index `i` stands in the file, or where the file ends if there is no such record.
    pub fn place_of(&self, i: u64) -> u64 {
        self.offset_of(i.min(self.vector_count))
    }

    /// The offset of record `i`, which lies within the file.
    fn offset_of(&self, i: u64) -> u64 {
        self.body_offset + i * self.template.stride() as u64
    }

    /// Finds the reason why the body has another size than the header demands.
    fn explain_size(&self) -> CorpusError {
        let stride = self.template.stride();
        let whole = (self.body.len() / stride) as u64;
        let (mut aligned, mut end) = (0, whole.min(self.vector_count));
        while aligned < end {
            let middle = aligned + (end - aligned) / 2;
            if self.entry(middle).is_some_and(|entry| self.template.starts(entry)) {
                aligned = middle + 1;
            } else {
                end = middle;
            }
        }

        let (count, offset, number) = (self.vector_count, self.offset_of(aligned), aligned + 1);
        // At most `whole` strides, so within the body.
        let rest = &self.body[aligned as usize * stride..];
        let got = rest.len() as u64;
        if aligned == count {
            return CorpusError::TrailingBytes { count, offset, surplus: got };
        }
        let Some(length) = rest.first_chunk::<LENGTH_PREFIX>() else {
            if rest.is_empty() {
                return CorpusError::CountExceedsFile { count, present: aligned, offset };
            }
            return CorpusError::Truncated { number, count, offset, needed: LENGTH_PREFIX as u64, got };
        };
        if rest.len() < stride && u32::from_le_bytes(*length) == self.template.record_len {
            return CorpusError::Truncated { number, count, offset, needed: stride as u64, got };
        }
        self.template.mismatch(rest, Place { number, offset })
    }
}

/// Hash, metadata and where the body starts.
fn variable_fields(bytes: &[u8], hash_len: usize) -> Result<(&str, &[u8], usize), CorpusError> {
    if hash_len > MAX_CONFIG_HASH_LEN {
        return Err(CorpusError::HashTooLong { got: hash_len as u64 });
    }
    let hash_end = HEADER_FIXED_LEN + hash_len;
    let hash = bytes.get(HEADER_FIXED_LEN..hash_end).ok_or(truncated(hash_end, bytes))?;
    let hash = std::str::from_utf8(hash).map_err(|_| CorpusError::InvalidUtf8)?;
    if has_capitals(hash.as_bytes()) {
        return Err(CorpusError::HashCapitals);
    }
    let metadata_len = bytes[hash_end..].first_chunk::<4>().ok_or(truncated(hash_end + 4, bytes))?;
    let metadata_len = u32::from_le_bytes(*metadata_len) as usize;
    if metadata_len > MAX_METADATA_LEN {
        return Err(CorpusError::MetadataTooLong { got: metadata_len as u64 });
    }
    let metadata_end = hash_end + 4 + metadata_len;
    let body_offset = body_offset(hash_len, metadata_len);
    if bytes.len() < body_offset {
        return Err(truncated(body_offset, bytes));
    }
    if let Some(offset) = (metadata_end..body_offset).find(|&at| bytes[at] != 0) {
        return Err(CorpusError::HeaderPadding { offset: offset as u64 });
    }
    Ok((hash, &bytes[hash_end + 4..metadata_end], body_offset))
}

fn truncated(needed: usize, bytes: &[u8]) -> CorpusError {
    CorpusError::HeaderTruncated { needed: needed as u64, got: bytes.len() as u64 }
}

/// Reads the records of a corpus one after the other; see [`CorpusView::records`].
#[derive(Clone, Debug)]
pub struct Records<'a> {
    view: CorpusView<'a>,
    next: u64,
    end: u64,
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<RecordView<'a>, CorpusError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next >= self.end {
            return None;
        }
        let record = self.view.record(self.next);
        self.next += 1;
        Some(record)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = self.end - self.next;
        (usize::try_from(left).unwrap_or(usize::MAX), usize::try_from(left).ok())
    }
}
