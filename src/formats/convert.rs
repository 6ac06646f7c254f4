//! `tq_convert`: the vectors of one file as another, a block at a time, without a table.

use std::path::Path;
use std::sync::Arc;

use pgrx::prelude::*;
use tq_codec::{Codec, RotationKind, Workers};
use tq_files::{CorpusRowWriter, Format, Id, Ids, Metadata, Numbers, Output, RowWriter, RowsError};
use tq_format::BitWidth;

use super::ids::next_ids;
use super::open::{Matrix, detected, open_ids, open_matrix, rows_error};
use super::options::{CORPUS_OPTIONS, convert_options, one_of};
use super::whole;
use super::{Direction, FloatWriter, Options, bad_option, check_option, named_format, option_value};
use crate::datum::arguments::{Json, Text};
use crate::datum::codec_parameters;
use crate::error::interrupts::poll;
use crate::error::{CopyError, Error, FormatError, SqlResult, VectorError};
use crate::registry;
use crate::server::file_access;
use crate::server::file_access::FileAccess;
use crate::server::settings;

/// Floats of a block, in bytes.
const BLOCK_BYTES: usize = 4 << 20;

/// Converts a file; returns the number of vectors.
#[pg_extern(sql = false)]
fn tq_convert(source: Text<'_>, target: Text<'_>, options: Json) -> SqlResult<i64> {
    let source = &*source;
    let target = &*target;
    file_access::require(FileAccess::Read, "read a file")?;
    file_access::require(FileAccess::Write, "write a file")?;
    let source = file_access::absolute(source, "tq_convert")?;
    let target = file_access::absolute(target, "tq_convert")?;
    let request = Request::parse(&options)?;
    Ok(request.run(&source, &target)? as i64)
}

/// What the options say.
struct Request {
    format: Format,
    source_tensor: Option<String>,
    /// Whether all tensors are converted, whatever they are.
    whole: bool,
    options: Options,
}

impl Request {
    fn parse(options: &Json) -> Result<Request, Error> {
        let fields = options.fields()?;
        let format = fields
            .get("format")
            .ok_or_else(|| bad_option("format", &format!("must be given: {}", one_of(&Format::WRITTEN))))?;
        let format = named_format(&option_value("format", format)?)?;
        if !format.is_written() {
            return Err(Error::Copy(CopyError::NotWritten(format.name())));
        }
        let own = convert_options(format);
        let (mut source_tensor, mut tensors, mut texts) = (None, None, Vec::new());
        for (name, value) in fields.iter().filter(|(name, _)| *name != "format") {
            match name.as_str() {
                "source_tensor" => source_tensor = Some(option_value(name, value)?),
                "tensors" if own.contains(&"tensors") => tensors = Some(option_value(name, value)?),
                _ if own.contains(&name.as_str()) => texts.push((name.clone(), option_value(name, value)?)),
                _ => {
                    check_option("tq_convert", &own, format, Direction::To, name)?;
                    texts.push((name.clone(), option_value(name, value)?));
                }
            }
        }
        if let Some(tensors) = &tensors {
            whole::check(|option| fields.iter().any(|(name, _)| name == option), tensors)?;
        }
        Ok(Request { format, source_tensor, whole: tensors.is_some(), options: Options::new(texts) })
    }

    fn run(&self, source: &Path, target: &Path) -> Result<u64, Error> {
        if self.whole {
            return whole::convert(self.format, &self.options, source, target);
        }
        let workers = Arc::new(Workers::new(settings::threads())?);
        let mut file = SourceFile::open(source, self.source_tensor.as_deref(), &self.options)?;
        let mut sink = self.sink(&mut file, source, target, &workers)?;
        let dimension = file.0.reader.dimension();
        let mut block = Numbers::new(super::keeps_doubles(self.format, &self.options));
        let most = (BLOCK_BYTES / (block.width() * dimension.max(1) as usize)).max(1);
        let mut rows = 0;
        loop {
            poll();
            let read = block.read(&mut *file.0.reader, most);
            let count = read.map_err(|error| rows_error(source, error))?;
            if count == 0 {
                break;
            }
            // What was computed with a rotation that someone changed meanwhile is not written.
            file.confirm()?;
            sink.append(&block, &file.next_ids(count)?).map_err(|error| of_row(source, error))?;
            rows += count as u64;
        }
        sink.finish()?;
        Ok(rows)
    }

    /// What writes the target.
    fn sink(
        &self,
        file: &mut SourceFile,
        source: &Path,
        target: &Path,
        workers: &Arc<Workers>,
    ) -> Result<TargetFile, Error> {
        let dimension = file.0.reader.dimension();
        if self.format != Format::Tqcv {
            super::check_options(self.format, &self.options)?;
            let output = Box::new(file_access::create(target)?);
            let ids = self.format.has_ids() && file.0.ids.is_some();
            let writer =
                FloatWriter::new(self.format, &self.options, output, dimension, ids, folder_of(target))?;
            return Ok(TargetFile::Floats { writer, ids });
        }
        let codec = self.codec(source, dimension)?;
        let codec = match &file.0.codec {
            Some(from) => Arc::new(codec.recompressing(from)),
            None => codec,
        };
        // They stand before the records.
        let ids = match file.0.ids.take() {
            Some(mut ids) => Some(Ids::of(next_ids(ids.as_mut(), file.0.reader.rows())?)?),
            None => None,
        };
        let user = match self.options.text("metadata") {
            Some(json) => Some(super::checked_metadata(json)?),
            None => file.0.user.take(),
        };
        let metadata = Metadata { codec: Some(codec.definition()?), user, ids };
        let metadata = metadata.encode().map_err(|error| Error::Copy(CopyError::ExportMetadata(error)))?;
        let output: Box<dyn Output> = Box::new(file_access::create(target)?);
        let writer = CorpusRowWriter::new(output, Arc::clone(&codec), Arc::clone(workers), metadata);
        Ok(TargetFile::Corpus {
            writer: Box::new(writer.map_err(|error| Error::Format(FormatError::WriteRows(error)))?),
            codec,
        })
    }

    /// The codec of the corpus that is to be written.
    fn codec(&self, source: &Path, dimension: u32) -> Result<Arc<Codec>, Error> {
        let given = |option: &str| self.options.text(option).is_some();
        if let Some(name) = self.options.text("codec") {
            if let Some(option) = CORPUS_OPTIONS.into_iter().find(|option| given(option)) {
                let problem = "can't be combined with \"codec\"".into();
                return Err(Error::Copy(CopyError::OptionValue { option: option.into(), problem }));
            }
            let codec = registry::by_name_or_hash(name)?;
            let expected = codec.config().dimension();
            return match expected == dimension {
                true => Ok(codec),
                false => Err(Error::Format(FormatError::CodecDimension {
                    codec: name.into(),
                    expected,
                    path: source.into(),
                    got: dimension,
                })),
            };
        }
        let bits = self.options.number("bit_width", "2, 4 or 8", |bits| [2, 4, 8].contains(bits))?;
        let width = BitWidth::from_bits(bits.unwrap_or(4)).unwrap_or(BitWidth::Four);
        let rotation = match self.options.text("rotation") {
            None => RotationKind::Haar,
            Some(name) => RotationKind::from_name(name)
                .ok_or_else(|| Error::Vector(VectorError::Rotation(crate::error::cut(name))))?,
        };
        let codes = self.options.text("codes").map(codec_parameters::codes).transpose()?.unwrap_or_default();
        registry::builtin(dimension, width, self.options.flag("residual"), (rotation, codes))
    }
}

/// An error of a row that was read from `source`.
fn of_row(source: &Path, error: Error) -> Error {
    match error {
        Error::Format(FormatError::WriteRows(RowsError::Codec { row, source: error })) => {
            Error::Format(FormatError::CorpusRow {
                path: source.into(),
                source: Box::new(Error::Format(FormatError::FileRow { row, source: Box::new(error.into()) })),
            })
        }
        error => error,
    }
}

/// Where a file's temporary companions go: into its folder.
pub(crate) fn folder_of(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// A file that is being read.
struct SourceFile(Matrix);

impl SourceFile {
    /// `target` are the options of the target, among which are those of the ids.
    fn open(path: &Path, tensor: Option<&str>, target: &Options) -> Result<SourceFile, Error> {
        let tensor = tensor.map(|tensor| vec![("tensor".to_string(), tensor.to_string())]);
        let options = Options::new(tensor.unwrap_or_default());
        let format = detected(path)?;
        let mut matrix = open_matrix(format, &options, path, path, "\"source_tensor\"")?;
        let ids = open_ids(format, target, path, path, matrix.reader.rows(), "\"ids_tensor\"")?;
        matrix.ids = ids.or(matrix.ids);
        Ok(SourceFile(matrix))
    }

    fn next_ids(&mut self, count: usize) -> Result<Vec<Id>, Error> {
        match &mut self.0.ids {
            Some(ids) => next_ids(ids.as_mut(), count as u64),
            None => Ok(Vec::new()),
        }
    }

    fn confirm(&self) -> Result<(), Error> {
        self.0.codec.as_deref().map_or(Ok(()), registry::confirm)
    }
}

/// A file that is being written.
enum TargetFile {
    Corpus { writer: Box<CorpusRowWriter>, codec: Arc<Codec> },
    Floats { writer: FloatWriter, ids: bool },
}

impl TargetFile {
    fn append(&mut self, rows: &Numbers, given: &[Id]) -> Result<(), Error> {
        match self {
            TargetFile::Corpus { writer, codec } => {
                rows.write(&mut **writer).map_err(|error| Error::Format(FormatError::WriteRows(error)))?;
                registry::confirm(codec)
            }
            TargetFile::Floats { writer, ids } => writer.append(rows, if *ids { given } else { &[] }),
        }
    }

    fn finish(self) -> Result<(), Error> {
        match self {
            TargetFile::Corpus { writer, .. } => {
                writer.finish().map_err(|error| Error::Format(FormatError::WriteRows(error)))
            }
            TargetFile::Floats { writer, .. } => writer.finish(),
        }
    }
}
