//! A corpus on its way out: records checked against the first, ids beside them, and where the bytes go.
//!
//! A file without ids is written from front to back and its count put in at the end. With ids, whose place is before
//! the records, and for a client, who can't go back to the count, the records wait in a temporary file of PostgreSQL's,
//! which removes it whatever happens.

#![allow(unsafe_code)]

use std::path::Path;

use pgrx::pg_sys;
use tq_codec::{Codebook, CodecConfig};
use tq_corpus::{AtomicFile, Metadata, MetadataError};
use tq_format::{COUNT_OFFSET, CorpusHeader, HASH_LEN, MAGIC_OFFSET, Magic, RECORD_HEADER_LEN, RecordView};

use super::client::CopyOut;
use super::receiver::{Refusal, RowSink};
use super::spool::Spool;
use crate::copy::ids::builder::IdsBuilder;
use crate::datum::record::Varlena;
use crate::error::{CopyError, Error, VectorError};
use crate::registry;
use crate::server::file_access;

/// Bytes of the length in front of each record.
const LENGTH_PREFIX: usize = 4;

/// Where the corpus goes.
#[derive(Debug)]
pub(crate) enum Target {
    File(Box<AtomicFile>),
    Client(CopyOut),
}

/// What the statement says of the corpus, whatever its records are.
#[derive(Debug, Default)]
pub(crate) struct Wanted {
    /// The codec that the records must have.
    pub(crate) codec: Option<(CodecConfig, Codebook)>,
    /// The codec of an empty corpus, where `codec` names none.
    pub(crate) empty: Option<(CodecConfig, Codebook)>,
    /// What the user adds to the metadata.
    pub(crate) user: Option<String>,
}

/// Writes one corpus.
#[derive(Debug)]
pub(crate) struct CorpusWriter {
    target: Target,
    spool: Option<Spool>,
    wanted: Wanted,
    ids: Option<IdsBuilder>,
    like: Option<Likeness>,
    count: u64,
    bytes: u64,
}

/// What all records have in common.
#[derive(Debug)]
struct Likeness {
    start: [u8; RECORD_HEADER_LEN],
    prefix: [u8; LENGTH_PREFIX],
    residual: bool,
    header: CorpusHeader,
}

impl CorpusWriter {
    /// Begins a corpus; with `ids`, each record comes with one.
    pub(crate) fn new(
        target: Target,
        wanted: Wanted,
        ids: Option<IdsBuilder>,
    ) -> Result<CorpusWriter, Error> {
        let spool = (ids.is_some() || matches!(target, Target::Client(_))).then(Spool::create).transpose()?;
        Ok(CorpusWriter { target, spool, wanted, ids, like: None, count: 0, bytes: 0 })
    }

    /// Appends a record; one that is unlike the first, or unlike the codec that was asked for, is refused.
    fn append_record(&mut self, record: &[u8]) -> Result<(), Error> {
        let view = RecordView::parse_stored(record)?;
        let prefix = match &self.like {
            Some(like) => {
                like.check(&view)?;
                like.prefix
            }
            None => self.begin(&view)?,
        };
        match (&mut self.spool, &mut self.target) {
            (Some(spool), _) => {
                spool.write(&prefix);
                spool.write(record);
            }
            (None, Target::File(file)) => {
                file.append(&prefix)?;
                file.append(record)?;
            }
            // A client always has a spool.
            (None, Target::Client(_)) => {}
        }
        self.count += 1;
        self.bytes += (LENGTH_PREFIX + record.len()) as u64;
        Ok(())
    }

    /// Takes the first record for the measure of all; a file without ids gets its header.
    fn begin(&mut self, first: &RecordView<'_>) -> Result<[u8; LENGTH_PREFIX], Error> {
        let mut header = CorpusHeader {
            vector_count: 0,
            dimension: first.dimension(),
            bit_width: first.bit_width(),
            residual: first.has_residual(),
            config_hash: first.config_hash().to_string(),
            metadata: Vec::new(),
        };
        if let Some((config, _)) = &self.wanted.codec {
            let expected = Likeness::of(&header_of(config))?;
            expected.check(first)?;
        }
        if let (None, Target::File(file)) = (&self.spool, &mut self.target) {
            header.metadata = metadata(&self.wanted, described(&header)?, None)?;
            file.append(&encode(&header, Magic::Unfinished)?)?;
        }
        let like = Likeness::of(&header)?;
        let prefix = like.prefix;
        self.like = Some(like);
        Ok(prefix)
    }
}

impl RowSink for CorpusWriter {
    unsafe fn append(&mut self, vector: pg_sys::Datum, id: Option<pg_sys::Datum>) -> Result<(), Refusal> {
        // SAFETY: a tqvec's datum is a varlena, and the id of the type that the ids were made for, by the contract.
        unsafe {
            if let (Some(ids), Some(id)) = (&mut self.ids, id) {
                ids.append(id).map_err(Refusal::File)?;
            }
            let record = Varlena::packed(vector);
            self.append_record(record.bytes()).map_err(|error| match error {
                error @ (Error::File(_)
                | Error::Copy(CopyError::ExportMetadata(_))
                | Error::Copy(CopyError::ExportHeader(_))) => Refusal::File(error),
                error => Refusal::Row(error),
            })?;
            record.release();
        }
        Ok(())
    }

    fn rows(&self) -> u64 {
        self.count
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }

    fn finish(self: Box<Self>) -> Result<u64, Error> {
        let CorpusWriter { target, spool, mut wanted, ids, like, count, .. } = *self;
        let begun = like.is_some();
        let (mut header, codec) = match like {
            Some(like) => {
                let codec = described(&like.header)?;
                (like.header, codec)
            }
            None => {
                let codec =
                    wanted.codec.take().or(wanted.empty.take()).ok_or(Error::Copy(CopyError::ExportEmpty))?;
                (header_of(&codec.0), Some(codec))
            }
        };
        header.vector_count = count;
        let head = |header: &mut CorpusHeader, magic| {
            header.metadata = metadata(&wanted, codec, ids)?;
            encode(header, magic)
        };
        match (target, spool) {
            (Target::File(mut file), None) => {
                if !begun {
                    file.append(&head(&mut header, Magic::Unfinished)?)?;
                }
                complete(*file, count)?;
            }
            (Target::File(mut file), Some(mut spool)) => {
                file.append(&head(&mut header, Magic::Unfinished)?)?;
                spool.drain(|chunk| Ok(file.append(chunk)?))?;
                complete(*file, count)?;
            }
            (Target::Client(client), spool) => {
                let head = head(&mut header, Magic::Final)?;
                client.begin();
                client.send(&head);
                if let Some(mut spool) = spool {
                    spool.drain(|chunk| {
                        client.send(chunk);
                        Ok(())
                    })?;
                }
                client.finish();
            }
        }
        Ok(count)
    }
}

impl Likeness {
    fn of(header: &CorpusHeader) -> Result<Likeness, Error> {
        let length = header.record_len() as u32;
        let mut start = [0; RECORD_HEADER_LEN];
        start[0] = 1;
        start[1..=HASH_LEN].copy_from_slice(&header.record_hash_field());
        start[HASH_LEN + 1..HASH_LEN + 5].copy_from_slice(&header.dimension.to_le_bytes());
        start[HASH_LEN + 5] = header.bit_width.bits();
        Ok(Likeness {
            start,
            prefix: length.to_le_bytes(),
            residual: header.residual,
            header: header.try_clone().map_err(|error| Error::Copy(CopyError::ExportHeader(error)))?,
        })
    }

    /// Refuses a record that is unlike.
    fn check(&self, record: &RecordView<'_>) -> Result<(), Error> {
        if record.as_bytes().starts_with(&self.start) && record.has_residual() == self.residual {
            return Ok(());
        }
        let header = &self.header;
        Err(if record.dimension() != header.dimension {
            Error::Vector(VectorError::TypmodDimension {
                expected: header.dimension,
                got: record.dimension(),
            })
        } else if record.bit_width() != header.bit_width {
            Error::Vector(VectorError::TypmodBitWidth {
                expected: header.bit_width.bits(),
                got: record.bit_width().bits(),
            })
        } else if record.has_residual() != header.residual {
            Error::Vector(VectorError::TypmodResidual { expected: header.residual })
        } else {
            Error::Copy(CopyError::ExportCodec {
                expected: header.config_hash.escape_debug().to_string(),
                got: record.config_hash().escape_debug().to_string(),
            })
        })
    }
}

/// Opens the file that the corpus is to become.
pub(crate) fn create(path: &Path) -> Result<Target, Error> {
    Ok(Target::File(Box::new(file_access::create(path)?)))
}

/// The client that the corpus is for.
pub(crate) fn to_client(client: CopyOut) -> Target {
    Target::Client(client)
}

/// Puts the count in and turns an unfinished file into a finished one, when all before is on disk.
fn complete(mut file: AtomicFile, count: u64) -> Result<(), Error> {
    file.sync()?;
    file.write_at(COUNT_OFFSET, &count.to_le_bytes())?;
    file.write_at(MAGIC_OFFSET, &Magic::Final.bytes())?;
    Ok(file.finish()?)
}

fn header_of(config: &CodecConfig) -> CorpusHeader {
    CorpusHeader {
        vector_count: 0,
        dimension: config.dimension(),
        bit_width: config.bit_width(),
        residual: config.residual(),
        config_hash: config.hash().to_string(),
        metadata: Vec::new(),
    }
}

/// The codec behind the records, where it is known.
fn described(header: &CorpusHeader) -> Result<Option<(CodecConfig, Codebook)>, Error> {
    registry::described(&header.config_hash, header.dimension, header.bit_width, header.residual)
}

fn metadata(
    wanted: &Wanted,
    codec: Option<(CodecConfig, Codebook)>,
    ids: Option<IdsBuilder>,
) -> Result<Vec<u8>, Error> {
    let ids = ids.map(IdsBuilder::finish);
    let rows = ids.as_ref().map_or(0, |ids| ids.len() as u64);
    let metadata = Metadata { codec, user: wanted.user.clone(), ids };
    metadata.encode().map_err(|error| match error {
        MetadataError::TooLong { bytes, ids } if ids > bytes / 2 => {
            Error::Copy(CopyError::ExportIds { rows })
        }
        error => Error::Copy(CopyError::ExportMetadata(error)),
    })
}

fn encode(header: &CorpusHeader, magic: Magic) -> Result<Vec<u8>, Error> {
    header.encode(magic).map_err(|error| Error::Copy(CopyError::ExportHeader(error)))
}
