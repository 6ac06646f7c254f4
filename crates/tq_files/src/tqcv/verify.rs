//! Every fault of a corpus file, not only the first.
//!
//! Where header and size agree, each record is where it must be and is checked there. Where they don't, the records are
//! followed from one to the next: a length that isn't the header's is believed if another record follows it or the file ends
//! there, and else the next record is looked for where it should be. The same checks apply, and the end says what is missing or too
//! much. A header that can't be understood is the only fault found: nothing else means anything. Metadata is a
//! fault if it is ours and broken, or describes another codec than the header states: loading the file would be refused.

use std::path::Path;

use tq_format::{
    COUNT_OFFSET, CorpusError, CorpusHeader, CorpusView, HEADER_FIXED_LEN, MAX_CONFIG_HASH_LEN,
    MAX_METADATA_LEN, RecordView,
};
use tq_memory::OutOfMemory;

use super::metadata::{Metadata, MetadataError};
use crate::io::{FileError, MappedFile};

/// Bytes that are checked in one step, and faults after which it ends.
const STEP_BYTES: usize = 4 << 20;
const STEP_FAULTS: usize = 1000;
/// What they take at most, with their texts, while their list grows.
const FAULTS_BYTES: usize = 2 << 20;
/// More than any header has.
const MOST_HEADER_BYTES: usize = HEADER_FIXED_LEN + MAX_CONFIG_HASH_LEN + 4 + MAX_METADATA_LEN + 8;
/// Bytes of the length in front of a record.
const PREFIX: usize = 4;

/// What is wrong with a corpus.
#[derive(thiserror::Error, Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum FaultKind {
    /// Its bytes.
    #[error(transparent)]
    Format(#[from] CorpusError),
    /// What we have written into its metadata.
    #[error(transparent)]
    Metadata(#[from] MetadataError),
    /// The codec in the metadata is another than the header's.
    #[error("the metadata describes the codec with config_hash \"{described}\", the header states \"{}\"", stated.escape_debug())]
    Codec {
        /// The hash of the codec in the metadata.
        described: String,
        /// The hash in the header.
        stated: String,
    },
}

/// Something that is wrong with a corpus.
#[derive(Debug, Clone, PartialEq)]
pub struct Fault {
    /// The record at fault, counted from 1; `None` for the header, and for what is missing or too much at the end.
    pub number: Option<u64>,
    /// Where in the file the fault is, or where the record at fault begins.
    pub offset: u64,
    /// What is wrong.
    pub error: FaultKind,
}

/// A corpus file on its way through the checks; its size is that of a file that was opened, not of its records.
#[derive(Debug)]
pub struct Verification {
    file: MappedFile,
    state: State,
}

#[derive(Debug)]
enum State {
    /// The header is broken.
    Header(Fault),
    /// Header and size agree: records from this index on are to be checked. The first of them is at that place.
    Regular {
        next: u64,
        place: u64,
    },
    /// The same before the first: the metadata comes first.
    Sound,
    /// They don't.
    Walk(Box<Walk>),
    Finished,
}

#[derive(Debug)]
struct Walk {
    header: CorpusHeader,
    /// Where the next record's length is to be.
    position: usize,
    /// Its number.
    number: u64,
    /// What strict reading has to say of the file: of the record that it concerns it says it best.
    verdict: CorpusError,
}

impl Verification {
    /// Opens the file at `path`. Nothing about its contents is an error.
    ///
    /// # Errors
    /// As [`MappedFile::open`], and [`MapGuard::check`](crate::MapGuard::check).
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let file = MappedFile::open(path)?;
        let state = file.read(State::begin)?.map_err(|error| refused(&file, error))?;
        Ok(Verification { file, state })
    }

    /// The faults of the next stretch of the file, none perhaps; `None` when all was checked. A step takes a few
    /// milliseconds.
    ///
    /// # Errors
    /// [`MapGuard::check`](crate::MapGuard::check): the file changed, and what was found of it counts no more.
    pub fn step(&mut self) -> Result<Option<Vec<Fault>>, FileError> {
        // For the faults of a step, of which there can be many.
        let _hold = tq_memory::hold(FAULTS_BYTES).map_err(|error| refused(&self.file, error))?;
        let state = std::mem::replace(&mut self.state, State::Finished);
        let (faults, state) = match state {
            State::Finished => return Ok(None),
            State::Header(fault) => (vec![fault], State::Finished),
            State::Sound => {
                let fault = self.file.read(metadata)?;
                if let Some(Fault { error: FaultKind::Metadata(MetadataError::Memory(error)), .. }) = fault {
                    return Err(refused(&self.file, error));
                }
                (fault.into_iter().collect(), State::Regular { next: 0, place: 0 })
            }
            State::Regular { next, .. } => self.file.read(|bytes| regular(bytes, next))?,
            State::Walk(walk) => self.file.read(|bytes| walk.on(bytes))?,
        };
        match &state {
            State::Regular { place, .. } => self.file.release_below(*place),
            State::Walk(walk) => self.file.release_below(walk.position as u64),
            _ => {}
        }
        self.state = state;
        Ok(Some(faults))
    }
}

impl State {
    fn begin(bytes: &[u8]) -> Result<Self, OutOfMemory> {
        let verdict = match CorpusView::parse(bytes) {
            Ok(_) => return Ok(State::Sound),
            Err(error) => error,
        };
        Ok(match header_alone(bytes)? {
            Some((header, position)) => State::Walk(Box::new(Walk { header, position, number: 1, verdict })),
            None => {
                let offset = header_offset(&verdict, bytes);
                State::Header(Fault { number: None, offset, error: verdict.into() })
            }
        })
    }
}

/// Memory that was refused is no fault of the file.
fn refused(file: &MappedFile, error: OutOfMemory) -> FileError {
    FileError::Io { path: file.path().to_owned(), op: "read", source: error.into() }
}

/// Checks the metadata of a corpus whose header and size are right.
fn metadata(bytes: &[u8]) -> Option<Fault> {
    let view = CorpusView::parse(bytes).ok()?;
    let stated = view.config_hash();
    let error = match Metadata::parse_ours(view.metadata(), view.vector_count()) {
        Err(error) => FaultKind::Metadata(error),
        Ok(metadata) => {
            let described = metadata?.codec?.config().hash();
            if described.as_str() == stated {
                return None;
            }
            FaultKind::Codec { described: described.to_string(), stated: stated.to_string() }
        }
    };
    // Metadata follows the hash and its own length.
    Some(Fault { number: None, offset: (HEADER_FIXED_LEN + stated.len() + 4) as u64, error })
}

/// Checks records of a corpus whose header and size are right.
fn regular(bytes: &[u8], start: u64) -> (Vec<Fault>, State) {
    let mut faults = Vec::new();
    let view = match CorpusView::parse(bytes) {
        Ok(view) => view,
        // It was right before, so the file has changed, which the check after this says.
        Err(error) => {
            let offset = header_offset(&error, bytes);
            faults.push(Fault { number: None, offset, error: error.into() });
            return (faults, State::Finished);
        }
    };
    let mut next = start;
    let rows = (STEP_BYTES / view.record_len()).max(1) as u64;
    for record in view.records_in(start..start.saturating_add(rows)) {
        next += 1;
        if let Err(error) = record {
            let offset = error.offset().unwrap_or(view.body_offset());
            faults.push(Fault { number: Some(next), offset, error: error.into() });
            if faults.len() == STEP_FAULTS {
                break;
            }
        }
    }
    let place = view.place_of(next);
    (faults, if next < view.vector_count() { State::Regular { next, place } } else { State::Finished })
}

impl Walk {
    /// Follows the records for one step.
    fn on(mut self: Box<Self>, bytes: &[u8]) -> (Vec<Fault>, State) {
        let mut faults = Vec::new();
        let end = self.position.saturating_add(STEP_BYTES);
        while self.position < end && faults.len() < STEP_FAULTS {
            let rest = bytes.get(self.position..).unwrap_or_default();
            match self.entry(rest) {
                Ok((fault, stride)) => {
                    faults.extend(fault.map(|error| self.fault(Some(self.number), error)));
                    self.position += stride;
                    self.number += 1;
                }
                Err(last) => {
                    faults.extend(last.map(|error| self.fault(error.record_number(), error)));
                    return (faults, State::Finished);
                }
            }
        }
        (faults, State::Walk(self))
    }

    /// The fault of the record that `rest` begins with, and how far it is to the next one; or what ends the walk.
    fn entry(&self, rest: &[u8]) -> Result<(Option<CorpusError>, usize), Option<CorpusError>> {
        let (count, number, offset) = (self.header.vector_count, self.number, self.position as u64);
        let got = rest.len() as u64;
        if number > count {
            let surplus = CorpusError::TrailingBytes { count, offset, surplus: got };
            return Err((!rest.is_empty()).then_some(surplus));
        }
        if rest.is_empty() {
            return Err(Some(CorpusError::CountExceedsFile { count, present: number - 1, offset }));
        }
        let truncated = |needed| CorpusError::Truncated { number, count, offset, needed, got };
        let Some(prefix) = rest.first_chunk::<PREFIX>() else {
            return Err(Some(truncated(PREFIX as u64)));
        };
        let length = u32::from_le_bytes(*prefix);
        // At most 49 227: the header's dimension is within bounds.
        let expected = self.header.record_len() as u32;
        let record = |length: u32| rest.get(PREFIX..).and_then(|rest| rest.get(..length as usize));
        if length != expected {
            let believed = !leads_on(rest, expected, expected) && leads_on(rest, length, expected);
            let fault = self.best(CorpusError::RecordLength { number, offset, expected, got: length });
            let stride = if believed { length } else { expected };
            return match record(stride) {
                Some(_) => Ok((Some(fault), PREFIX + stride as usize)),
                None => Err(Some(fault)),
            };
        }
        match record(expected) {
            Some(record) => {
                Ok((self.check(record).err().map(|fault| self.best(fault)), PREFIX + record.len()))
            }
            None => Err(Some(truncated(u64::from(length) + PREFIX as u64))),
        }
    }

    fn check(&self, record: &[u8]) -> Result<(), CorpusError> {
        let (number, offset) = (self.number, self.position as u64);
        let view =
            RecordView::parse(record).map_err(|source| CorpusError::Record { number, offset, source })?;
        self.header.check_record(view, number, offset)
    }

    /// Strict reading's word on this record, if that is the one it stumbled on.
    fn best(&self, fault: CorpusError) -> CorpusError {
        if self.verdict.record_number() == Some(self.number) { self.verdict.clone() } else { fault }
    }

    fn fault(&self, number: Option<u64>, error: CorpusError) -> Fault {
        Fault { number, offset: error.offset().unwrap_or(self.position as u64), error: error.into() }
    }
}

/// Whether a record of that length is followed by one of the same or of the expected length, or by the file's end.
fn leads_on(rest: &[u8], length: u32, expected: u32) -> bool {
    let Some(behind) = rest.get(PREFIX..).and_then(|rest| rest.get(length as usize..)) else { return false };
    match behind.first_chunk::<PREFIX>() {
        Some(next) => [length, expected].contains(&u32::from_le_bytes(*next)),
        None => behind.is_empty(),
    }
}

/// The header of a file whose size doesn't fit it, and where its records begin.
fn header_alone(bytes: &[u8]) -> Result<Option<(CorpusHeader, usize)>, OutOfMemory> {
    let at = COUNT_OFFSET as usize;
    let Some(count) = bytes.get(at..).and_then(|count| count.first_chunk()) else { return Ok(None) };
    // With no records announced, all that the parser can find wrong is what follows the header.
    let mut head = tq_memory::copied(&bytes[..bytes.len().min(MOST_HEADER_BYTES)])?;
    head[at..at + size_of::<u64>()].fill(0);
    let end = match CorpusView::parse(&head) {
        Ok(view) => view.body_offset(),
        Err(CorpusError::TrailingBytes { offset, .. }) => offset,
        Err(_) => return Ok(None),
    };
    let end = usize::try_from(end).unwrap_or(usize::MAX);
    let header = match head.get(..end).map(|head| CorpusView::parse(head).and_then(|view| view.to_header())) {
        Some(Ok(header)) => header,
        Some(Err(CorpusError::Memory(error))) => return Err(error),
        _ => return Ok(None),
    };
    Ok(Some((CorpusHeader { vector_count: u64::from_le_bytes(*count), ..header }, end)))
}

/// Where the field of the header is that an error complains of.
fn header_offset(error: &CorpusError, bytes: &[u8]) -> u64 {
    let hash_len = bytes.get(22..24).map_or(0, |length| u64::from(length[0]) | u64::from(length[1]) << 8);
    match error {
        CorpusError::UnknownVersion { .. } => 4,
        CorpusError::DimensionZero | CorpusError::DimensionTooLarge { .. } => 16,
        CorpusError::InvalidBitWidth { .. } => 20,
        CorpusError::InvalidResidualFlag { .. } => 21,
        CorpusError::HashTooLong { .. } => 22,
        CorpusError::InvalidUtf8 | CorpusError::HashCapitals => HEADER_FIXED_LEN as u64,
        CorpusError::MetadataTooLong { .. } => HEADER_FIXED_LEN as u64 + hash_len,
        CorpusError::HeaderTruncated { got, .. } => *got,
        other => other.offset().unwrap_or(0),
    }
}
