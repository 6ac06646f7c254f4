//! A corpus file, written to memory.

use super::{COUNT_OFFSET, CorpusError, CorpusHeader, LENGTH_PREFIX, Magic};
use crate::RecordView;
use tq_memory::Grow;

/// Gathers records into a corpus. What [`finish`](Self::finish) gives, [`CorpusView`](crate::CorpusView) reads.
#[derive(Clone, Debug)]
pub struct CorpusBuilder {
    header: CorpusHeader,
    bytes: Vec<u8>,
    count: u64,
}

impl CorpusBuilder {
    /// An empty corpus with this header; its `vector_count` is ignored and counted anew.
    ///
    /// # Errors
    /// Those of [`CorpusHeader::encode`].
    pub fn new(header: CorpusHeader) -> Result<Self, CorpusError> {
        let bytes = header.encode(Magic::Final)?;
        Ok(CorpusBuilder { header, bytes, count: 0 })
    }

    /// Appends one whole record.
    ///
    /// # Errors
    /// [`CorpusError::Record`] for bytes that aren't a record, or those of [`CorpusHeader::check_record`] for one that
    /// doesn't belong here, with the number and the offset it would have had; [`CorpusError::Memory`]. The corpus is then as
    /// before.
    pub fn append(&mut self, record: &[u8]) -> Result<(), CorpusError> {
        let (number, offset) = (self.count + 1, self.bytes.len() as u64);
        let view =
            RecordView::parse(record).map_err(|source| CorpusError::Record { number, offset, source })?;
        self.header.check_record(view, number, offset)?;
        self.bytes.try_room(LENGTH_PREFIX + record.len())?;
        // A valid record has at most 49 227 bytes.
        self.bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
        self.bytes.extend_from_slice(record);
        self.count = number;
        Ok(())
    }

    /// Records appended so far.
    pub fn vector_count(&self) -> u64 {
        self.count
    }

    /// The finished file.
    pub fn finish(mut self) -> Vec<u8> {
        let at = COUNT_OFFSET as usize;
        self.bytes[at..at + 8].copy_from_slice(&self.count.to_le_bytes());
        self.bytes
    }
}
