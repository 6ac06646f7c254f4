//! A corpus on its way out: records checked against the first, ids beside them, and where the bytes go.
//!
//! A file without ids is written from front to back and its count put in at the end. With ids, whose place is before
//! the records, and for a client, who can't go back to the count, the records wait in a temporary file of PostgreSQL's,
//! which removes it whatever happens.

#![allow(unsafe_code)]

use pgrx::pg_sys;
use tq_codec::{CodecConfig, CodecDefinition};
use tq_files::{CorpusFileError, CorpusWriter, Metadata, MetadataError, Output};
use tq_format::{CorpusHeader, RECORD_HEADER_LEN, RecordShape, RecordView, ShapeDifference};

use super::client::{ClientOutput, CopyOut};
use super::receiver::{Refusal, RowSink};
use super::spool::RecordSpool;
use crate::copy::ids::builder::IdsBuilder;
use crate::copy::statement::{Endpoint, Statement};
use crate::datum::record::Varlena;
use crate::error::{CopyError, Error, VectorError};
use crate::registry;
use crate::server::file_access;

/// Bytes of the length in front of each record.
const LENGTH_PREFIX: usize = 4;

/// What the statement says of the corpus, whatever its records are.
#[derive(Debug, Default)]
pub(crate) struct ExportSpec {
    /// The codec that the records must have.
    pub(crate) codec: Option<CodecDefinition>,
    /// The codec of an empty corpus, where `codec` names none.
    pub(crate) empty: Option<CodecDefinition>,
    /// What the user adds to the metadata.
    pub(crate) user: Option<String>,
}

/// Where the corpus goes.
enum CorpusTarget {
    /// The file, which waits for its header; taken while that is written.
    File(Option<Box<dyn Output>>),
    /// The file, whose header is written.
    Begun(CorpusWriter),
    Client(CopyOut),
}

/// Writes one corpus.
pub(crate) struct CorpusSink {
    target: CorpusTarget,
    /// Records that wait for what stands before them.
    spool: Option<RecordSpool>,
    spec: ExportSpec,
    ids: Option<IdsBuilder>,
    /// What all records have in common, from the first on.
    like: Option<Likeness>,
    count: u64,
    bytes: u64,
}

/// What all records have in common.
struct Likeness {
    shape: RecordShape,
    /// What each begins with.
    head: [u8; RECORD_HEADER_LEN],
    /// The header of the corpus, its count and its metadata aside.
    header: CorpusHeader,
}

impl CorpusSink {
    /// Begins a corpus for a file or the client; with `ids`, each record comes with one.
    pub(crate) fn new(
        statement: &Statement,
        spec: ExportSpec,
        ids: Option<IdsBuilder>,
        columns: usize,
    ) -> Result<CorpusSink, Error> {
        let target = match &statement.endpoint {
            Endpoint::File(path) => CorpusTarget::File(Some(Box::new(file_access::create(path)?))),
            Endpoint::Client => CorpusTarget::Client(CopyOut::new(statement.format.name(), columns)?),
        };
        let waits = ids.is_some() || matches!(target, CorpusTarget::Client(_));
        let spool = waits.then(RecordSpool::create).transpose()?;
        Ok(CorpusSink { target, spool, spec, ids, like: None, count: 0, bytes: 0 })
    }

    /// Appends a record; one that is unlike the first, or unlike the codec that was asked for, is refused.
    fn append_record(&mut self, record: &[u8]) -> Result<(), Error> {
        let view = RecordView::parse_stored(record)?;
        match self.like.take() {
            Some(like) => self.like.insert(like).check(&view)?,
            None => {
                let like = self.begin(&view)?;
                self.like = Some(like);
            }
        }
        match (&mut self.spool, &mut self.target) {
            (Some(spool), _) => spool.write(record),
            (None, CorpusTarget::Begun(writer)) => writer.append(record)?,
            // A client has a spool, and a file without one has begun with its first record.
            (None, CorpusTarget::Client(_) | CorpusTarget::File(_)) => {}
        }
        self.count += 1;
        self.bytes += (LENGTH_PREFIX + record.len()) as u64;
        Ok(())
    }

    /// Takes the first record for the measure of all; a file without ids gets its header.
    fn begin(&mut self, first: &RecordView<'_>) -> Result<Likeness, Error> {
        if let Some(codec) = &self.spec.codec {
            Likeness::of(header_of(codec.config())).check(first)?;
        }
        let header = CorpusHeader {
            vector_count: 0,
            dimension: first.dimension(),
            bit_width: first.bit_width(),
            residual: first.has_residual(),
            config_hash: first.config_hash().to_string(),
            metadata: Vec::new(),
        };
        if self.spool.is_none() {
            let metadata = metadata(&self.spec, described(&header)?, None)?;
            self.target.begin(&CorpusHeader { metadata, ..header.clone() })?;
        }
        Ok(Likeness::of(header))
    }
}

impl RowSink for CorpusSink {
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
        let CorpusSink { target, spool, mut spec, ids, like, count, .. } = *self;
        if let CorpusTarget::Begun(writer) = target {
            writer.finish()?;
            return Ok(count);
        }
        let (mut header, codec) = match like {
            Some(like) => {
                let codec = described(&like.header)?;
                (like.header, codec)
            }
            None => {
                let codec =
                    spec.codec.take().or(spec.empty.take()).ok_or(Error::Copy(CopyError::ExportEmpty))?;
                (header_of(codec.config()), Some(codec))
            }
        };
        header.vector_count = count;
        header.metadata = metadata(&spec, codec, ids)?;
        let mut writer = target.writer(&header)?;
        if let Some(mut spool) = spool {
            spool.drain(header.record_len(), |records| Ok(writer.append(records)?))?;
        }
        writer.finish()?;
        Ok(count)
    }
}

impl CorpusTarget {
    /// Writes the header of a file whose number of records isn't known yet.
    fn begin(&mut self, header: &CorpusHeader) -> Result<(), Error> {
        if let CorpusTarget::File(output) = self
            && let Some(output) = output.take()
        {
            *self = CorpusTarget::Begun(CorpusWriter::new(output, header).map_err(refused)?);
        }
        Ok(())
    }

    /// What writes a corpus whose records are counted.
    fn writer(self, header: &CorpusHeader) -> Result<CorpusWriter, Error> {
        let output: Box<dyn Output> = match self {
            CorpusTarget::Begun(writer) => return Ok(writer),
            CorpusTarget::File(Some(output)) => output,
            // After an error of its header, which ends the COPY.
            CorpusTarget::File(None) => return Err(Error::Copy(CopyError::ExportEmpty)),
            // Told only when nothing is left that could be refused.
            CorpusTarget::Client(client) => Box::new(ClientOutput::new(client)?),
        };
        CorpusWriter::counted(output, header).map_err(refused)
    }
}

impl Likeness {
    fn of(header: CorpusHeader) -> Likeness {
        let shape = header.shape();
        Likeness { shape, head: shape.head(), header }
    }

    /// Refuses a record that is unlike.
    fn check(&self, record: &RecordView<'_>) -> Result<(), Error> {
        if record.as_bytes().starts_with(&self.head) && record.has_residual() == self.shape.residual {
            return Ok(());
        }
        Err(match self.shape.difference(&record.shape()) {
            None => return Ok(()),
            Some(ShapeDifference::Dimension { expected, got }) => {
                Error::Vector(VectorError::TypmodDimension { expected, got })
            }
            Some(ShapeDifference::BitWidth { expected, got }) => {
                Error::Vector(VectorError::TypmodBitWidth { expected: expected.bits(), got: got.bits() })
            }
            Some(ShapeDifference::Residual { expected }) => {
                Error::Vector(VectorError::TypmodResidual { expected })
            }
            Some(ShapeDifference::Hash) => Error::Copy(CopyError::ExportCodec {
                expected: self.header.config_hash.escape_debug().to_string(),
                got: record.config_hash().escape_debug().to_string(),
            }),
        })
    }
}

/// What refuses a corpus that can't be begun.
fn refused(error: CorpusFileError) -> Error {
    match error {
        CorpusFileError::File(error) => Error::File(error),
        CorpusFileError::Format(error) => Error::Copy(CopyError::ExportHeader(error)),
    }
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
fn described(header: &CorpusHeader) -> Result<Option<CodecDefinition>, Error> {
    registry::described(&header.config_hash, header.dimension, header.bit_width, header.residual)
}

fn metadata(
    spec: &ExportSpec,
    codec: Option<CodecDefinition>,
    ids: Option<IdsBuilder>,
) -> Result<Vec<u8>, Error> {
    let ids = ids.map(IdsBuilder::finish);
    let rows = ids.as_ref().map_or(0, |ids| ids.len() as u64);
    let metadata = Metadata { codec, user: spec.user.clone(), ids };
    metadata.encode().map_err(|error| match error {
        MetadataError::TooLong { bytes, ids } if ids > bytes / 2 => {
            Error::Copy(CopyError::ExportIds { rows })
        }
        error => Error::Copy(CopyError::ExportMetadata(error)),
    })
}
