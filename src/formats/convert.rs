//! `tq_convert`: the vectors of one file as another, a block at a time, without a table.

use std::path::Path;
use std::sync::Arc;

use pgrx::prelude::*;
use serde_json::Value;
use tq_codec::{Codec, RotationKind, Workers};
use tq_corpus::{Corpus, CorpusRowWriter, CorpusRows, FileFormat, Metadata, Output, RowsError};
use tq_format::{BitWidth, CorpusHeader};

use super::keys::{KeyList, all_keys, to_ids};
use super::open::{check_described, detected};
use super::{
    Direction, FloatWriter, Format, Key, KeySource, Matrix, Options, check_option, format_of, open_matrix,
    option_value, rows_error,
};
use crate::encoding::{Json, Text};
use crate::error::{Error, SqlResult};
use crate::files::{self, FileAccess};
use crate::interrupts::poll;
use crate::{guc, registry};

/// Floats of a block, in bytes.
const BLOCK_BYTES: usize = 4 << 20;
/// Options of a conversion into a corpus, beside those of COPY.
const CORPUS_OPTIONS: [&str; 3] = ["bit_width", "residual", "rotation"];

/// Converts a file; returns the number of vectors.
#[pg_extern(sql = false)]
fn tq_convert(source: Text<'_>, target: Text<'_>, options: Json) -> SqlResult<i64> {
    let source = &*source;
    let target = &*target;
    files::require(FileAccess::Read, "read a file")?;
    files::require(FileAccess::Write, "write a file")?;
    let source = files::absolute(source, "tq_convert")?;
    let target = files::absolute(target, "tq_convert")?;
    let request = Request::parse(options.value())?;
    Ok(request.run(&source, &target)? as i64)
}

/// What the options say.
struct Request {
    format: Format,
    source_tensor: Option<String>,
    options: Options,
}

impl Request {
    fn parse(options: &Value) -> Result<Request, Error> {
        let bad = |option: &str, problem: &str| Error::OptionValue {
            option: option.into(),
            problem: problem.into(),
        };
        let object = options.as_object().ok_or_else(|| bad("options", "must be a JSON object"))?;
        let format = object
            .get("format")
            .ok_or_else(|| bad("format", "must be given: 'tqcv', 'qvec', 'ztensor' or 'burnpack'"))?;
        let format = format_of(&option_value("format", format)?)?;
        let mut own = vec!["format", "source_tensor"];
        if format == Format::Tqcv {
            own.extend(CORPUS_OPTIONS);
        }
        let (mut source_tensor, mut texts) = (None, Vec::new());
        for (name, value) in object.iter().filter(|(name, _)| *name != "format") {
            match name.as_str() {
                "source_tensor" => source_tensor = Some(option_value(name, value)?),
                _ if own.contains(&name.as_str()) => texts.push((name.clone(), option_value(name, value)?)),
                _ => {
                    check_option("tq_convert", &own, format, Direction::To, name)?;
                    texts.push((name.clone(), option_value(name, value)?));
                }
            }
        }
        Ok(Request { format, source_tensor, options: Options::new(texts) })
    }

    fn run(&self, source: &Path, target: &Path) -> Result<u64, Error> {
        let workers = Arc::new(Workers::new(guc::threads())?);
        let mut opened = Opened::open(source, self.source_tensor.as_deref(), &workers)?;
        let mut sink = self.sink(&mut opened, source, target, &workers)?;
        let dimension = opened.matrix.reader.dimension();
        let most = (BLOCK_BYTES / (4 * dimension.max(1) as usize)).max(1);
        let (mut block, mut rows) = (Vec::new(), 0);
        loop {
            poll();
            block.clear();
            let read = opened.matrix.reader.read(most, &mut block);
            let count = read.map_err(|error| rows_error(source, error))?;
            if count == 0 {
                break;
            }
            // What was computed with a rotation that someone changed meanwhile is not written.
            opened.confirm()?;
            sink.append(&block, &opened.next_keys(count)?).map_err(|error| of_row(source, error))?;
            rows += count as u64;
        }
        sink.finish()?;
        Ok(rows)
    }

    /// What writes the target.
    fn sink(
        &self,
        opened: &mut Opened,
        source: &Path,
        target: &Path,
        workers: &Arc<Workers>,
    ) -> Result<Sink, Error> {
        let dimension = opened.matrix.reader.dimension();
        if self.format != Format::Tqcv {
            super::check_options(self.format, &self.options)?;
            let output = Box::new(files::create(target)?);
            let ids = self.format.has_ids() && opened.matrix.keys.is_some();
            let writer =
                FloatWriter::new(self.format, &self.options, output, dimension, ids, folder_of(target))?;
            return Ok(Sink::Floats { writer, ids });
        }
        let codec = self.codec(source, dimension)?;
        // They stand before the records.
        let ids = match opened.matrix.keys.take() {
            Some(mut keys) => Some(to_ids(all_keys(keys.as_mut(), opened.matrix.reader.rows())?)?),
            None => None,
        };
        let user = match self.options.text("metadata") {
            Some(json) => Some(super::parse_metadata(json)?),
            None => opened.user.take(),
        };
        let config = codec.config();
        let described = registry::described(
            codec.hash().as_str(),
            config.dimension(),
            config.bit_width(),
            config.residual(),
        )?;
        let metadata = Metadata { codec: described, user, ids };
        let metadata = metadata.encode().map_err(Error::ExportMetadata)?;
        let output: Box<dyn Output> = Box::new(files::create(target)?);
        let writer = CorpusRowWriter::new(output, Arc::clone(&codec), Arc::clone(workers), metadata);
        Ok(Sink::Corpus { writer: Box::new(writer.map_err(Error::WriteRows)?), codec })
    }

    /// The codec of the corpus that is to be written.
    fn codec(&self, source: &Path, dimension: u32) -> Result<Arc<Codec>, Error> {
        let given = |option: &str| self.options.text(option).is_some();
        if let Some(name) = self.options.text("codec") {
            if let Some(option) = CORPUS_OPTIONS.into_iter().find(|option| given(option)) {
                let problem = "can't be combined with \"codec\"".into();
                return Err(Error::OptionValue { option: option.into(), problem });
            }
            let codec = registry::by_name_or_hash(name)?;
            let expected = codec.config().dimension();
            return match expected == dimension {
                true => Ok(codec),
                false => Err(Error::CodecDimension {
                    codec: name.into(),
                    expected,
                    path: source.into(),
                    got: dimension,
                }),
            };
        }
        let bits = self.options.number("bit_width", "2, 4 or 8", |bits| [2, 4, 8].contains(bits))?;
        let width = BitWidth::from_bits(bits.unwrap_or(4)).unwrap_or(BitWidth::Four);
        let rotation = match self.options.text("rotation") {
            None => RotationKind::Haar,
            Some(name) => {
                RotationKind::from_name(name).ok_or_else(|| Error::Rotation(crate::error::cut(name)))?
            }
        };
        registry::builtin(dimension, width, self.options.flag("residual"), rotation)
    }
}

/// An error of a row that was read from `source`.
fn of_row(source: &Path, error: Error) -> Error {
    match error {
        Error::WriteRows(RowsError::Codec { row, source: error }) => Error::CorpusRow {
            path: source.into(),
            source: Box::new(Error::FileRow { row, source: Box::new(error.into()) }),
        },
        error => error,
    }
}

/// Where a file's temporary companions go: into its folder.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// A file that is being read.
struct Opened {
    matrix: Matrix,
    /// Of a corpus: what decodes its records.
    codec: Option<Arc<Codec>>,
    /// Of a corpus: the user's own metadata.
    user: Option<Value>,
}

impl Opened {
    fn open(path: &Path, tensor: Option<&str>, workers: &Arc<Workers>) -> Result<Opened, Error> {
        let format = match detected(path)? {
            FileFormat::Tqcv => return Opened::corpus(path, workers),
            FileFormat::Qvec => Format::Qvec,
            FileFormat::Ztensor(_) => Format::Ztensor,
            FileFormat::Burnpack => Format::Burnpack,
        };
        let tensor = tensor.map(|tensor| vec![("tensor".to_string(), tensor.to_string())]);
        let matrix =
            open_matrix(format, &Options::new(tensor.unwrap_or_default()), path, path, "\"source_tensor\"")?;
        Ok(Opened { matrix, codec: None, user: None })
    }

    fn corpus(path: &Path, workers: &Arc<Workers>) -> Result<Opened, Error> {
        let failed = |source| Error::CorpusFile { path: path.into(), source };
        let corpus = Corpus::open(path).map_err(failed)?;
        let header = corpus.header().try_clone().map_err(|error| failed(error.into()))?;
        let metadata = Metadata::parse(&header.metadata, header.vector_count)
            .map_err(|source| Error::CorpusMetadata { path: path.into(), source })?
            .unwrap_or_default();
        let codec = codec_of(path, &header, &metadata)?;
        let bytes = corpus.file().len();
        let reader = CorpusRows::new(corpus, Arc::clone(&codec), Arc::clone(workers))?;
        let keys = metadata.ids.map(|ids| Box::new(KeyList::new(ids)) as Box<dyn KeySource>);
        Ok(Opened {
            matrix: Matrix { reader: Box::new(reader), bytes, keys },
            codec: Some(codec),
            user: metadata.user,
        })
    }

    fn next_keys(&mut self, count: usize) -> Result<Vec<Key>, Error> {
        match &mut self.matrix.keys {
            Some(keys) => all_keys(keys.as_mut(), count as u64),
            None => Ok(Vec::new()),
        }
    }

    fn confirm(&self) -> Result<(), Error> {
        self.codec.as_deref().map_or(Ok(()), registry::confirm)
    }
}

/// The codec of a corpus: the one that is known here, or else the one that the file describes.
fn codec_of(path: &Path, header: &CorpusHeader, metadata: &Metadata) -> Result<Arc<Codec>, Error> {
    match (registry::of_corpus(header), &metadata.codec) {
        (Err(Error::UnknownCodec(_)), Some((config, codebook))) => {
            check_described(path, header, config)?;
            registry::of_description(config, codebook)
        }
        (codec, _) => codec,
    }
}

/// A file that is being written.
enum Sink {
    Corpus { writer: Box<CorpusRowWriter>, codec: Arc<Codec> },
    Floats { writer: FloatWriter, ids: bool },
}

impl Sink {
    fn append(&mut self, rows: &[f32], keys: &[Key]) -> Result<(), Error> {
        use tq_corpus::RowWriter;
        match self {
            Sink::Corpus { writer, codec } => {
                writer.append(rows).map_err(Error::WriteRows)?;
                registry::confirm(codec)
            }
            Sink::Floats { writer, ids } => writer.append(rows, if *ids { keys } else { &[] }),
        }
    }

    fn finish(self) -> Result<(), Error> {
        use tq_corpus::RowWriter;
        match self {
            Sink::Corpus { writer, .. } => writer.finish().map_err(Error::WriteRows),
            Sink::Floats { writer, .. } => writer.finish(),
        }
    }
}
