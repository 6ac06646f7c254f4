//! Opening a file for its vectors, and choosing which of its tensors they are: the one that TENSOR names, or the only one
//! that is a matrix of numbers.

use std::path::Path;
use std::sync::Arc;

use tq_codec::{Codec, CodecConfig, Workers};
use tq_files::{
    BenchmarkFormat, BurnpackFile, Container, Corpus, CorpusRows, Format, Metadata, OpenError, QvecFile,
    QvecFileError, QvecRows, RowReader, RowsError, Tensor, ZtensorFile, detect, detect_content,
    open_benchmark, open_gguf, open_npy, open_npz, open_safetensors, open_torch,
};
use tq_format::CorpusHeader;

use super::Options;
use super::ids::{CorpusIds, IdSource, IndexIds, TensorIds};
use crate::error::interrupts::poll;
use crate::error::{Error, FormatError, RegistryError};
use crate::registry;
use crate::server::file_access;
use crate::server::file_access::FileAccess;
use crate::server::settings;

/// Names listed in a hint.
const MOST_LISTED: usize = 12;

/// A matrix that is ready to be read.
pub(crate) struct Matrix {
    pub(crate) reader: Box<dyn RowReader>,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// Where the ids of the rows come from, if the file has any.
    pub(crate) ids: Option<Box<dyn IdSource>>,
    /// Of a corpus: what decodes its records.
    pub(super) codec: Option<Arc<Codec>>,
    /// Of a corpus: the user's own metadata.
    pub(super) user: Option<String>,
}

/// Opens the matrix that a file of that format, or one of its tensors, is. `path` is what messages call the file, `place`
/// where it is, `option` how hints write the option that names a tensor.
///
/// # Errors
/// The file is malformed, there is no such tensor, it isn't a matrix, or its checksum doesn't match; of a corpus, its codec
/// isn't known.
pub(crate) fn open_matrix(
    format: Format,
    options: &Options,
    path: &Path,
    place: &Path,
    option: &str,
) -> Result<Matrix, Error> {
    let container = match open_file(format, path, place)? {
        OpenFile::Corpus => return corpus_matrix(path, place),
        OpenFile::Index => return index_matrix(path, place),
        OpenFile::Tensors(container) => container,
    };
    let bytes = container.file().len();
    let index = choose(path, container.tensors(), options.text("tensor"), option)?;
    let reader = container.rows(index, &mut poll).map_err(|source| rows_error(path, source))?;
    Ok(Matrix { reader, bytes, ids: None, codec: None, user: None })
}

/// Opens a corpus for the vectors that its records stand for, and their ids.
fn corpus_matrix(path: &Path, place: &Path) -> Result<Matrix, Error> {
    let failed = |source| Error::CorpusFile { path: path.into(), source };
    let corpus = Corpus::open(place).map_err(failed)?;
    let header = corpus.header().try_clone().map_err(|error| failed(error.into()))?;
    let metadata = Metadata::parse(&header.metadata, header.vector_count)
        .map_err(|source| Error::Format(FormatError::CorpusMetadata { path: path.into(), source }))?
        .unwrap_or_default();
    let codec = codec_of(path, &header, &metadata)?;
    let bytes = corpus.file().len();
    let workers = Arc::new(Workers::new(settings::threads())?);
    let reader = Box::new(CorpusRows::new(corpus, Arc::clone(&codec), workers)?);
    let ids = metadata.ids.map(|ids| Box::new(CorpusIds::new(ids)) as Box<dyn IdSource>);
    Ok(Matrix { reader, bytes, ids, codec: Some(codec), user: metadata.user })
}

/// The codec of a corpus: the one that is known here, or else the one that the file describes.
fn codec_of(path: &Path, header: &CorpusHeader, metadata: &Metadata) -> Result<Arc<Codec>, Error> {
    match (registry::of_corpus(header), &metadata.codec) {
        (Err(Error::Registry(RegistryError::UnknownCodec(_))), Some(definition)) => {
            check_described(path, header, definition.config())?;
            registry::of_description(definition)
        }
        (codec, _) => codec,
    }
}

/// Refuses a file whose first bytes are those of another of our formats. What can't even be opened is left to its reader.
pub(crate) fn check_content(format: Format, path: &Path, place: &Path) -> Result<(), Error> {
    match detect_content(place) {
        Ok(Some(got)) if got != format => Err(Error::Format(FormatError::OtherFormat {
            path: path.into(),
            got: got.name(),
            wanted: format.name(),
        })),
        _ => Ok(()),
    }
}

/// Opens an index for its vectors and their ids.
fn index_matrix(path: &Path, place: &Path) -> Result<Matrix, Error> {
    let index = Arc::new(open_index(path, place)?);
    let bytes = index.file().len();
    let keyed = index.header().keyed;
    let ids = keyed.then(|| Box::new(IndexIds::new(path, Arc::clone(&index))) as Box<dyn IdSource>);
    let workers = Arc::new(Workers::new(settings::threads())?);
    let reader = QvecRows::new(index, workers, &mut poll).map_err(|error| index_error(path, error))?;
    Ok(Matrix { reader: Box::new(reader), bytes, ids, codec: None, user: None })
}

/// Opens an index, all of which is checked.
pub(super) fn open_index(path: &Path, place: &Path) -> Result<QvecFile, Error> {
    QvecFile::open(place, &mut poll).map_err(|error| index_error(path, error))
}

/// An error of an index, with the file's name.
pub(super) fn index_error(path: &Path, error: QvecFileError) -> Error {
    match error {
        QvecFileError::File(error) => Error::File(error),
        QvecFileError::Format(error) => {
            Error::Format(FormatError::Rows { path: path.into(), source: RowsError::Qvec(error) })
        }
        QvecFileError::Codec(error) => Error::Codec(error),
        error => Error::Format(FormatError::Rows { path: path.into(), source: error.into() }),
    }
}

/// A file, opened if it is one of tensors.
pub(super) enum OpenFile {
    /// A corpus, which is still to be opened.
    Corpus,
    /// An index, which is still to be opened.
    Index,
    Tensors(Box<dyn Container>),
}

/// Opens a file of tensors.
///
/// # Errors
/// The file is malformed.
pub(super) fn open_file(format: Format, path: &Path, place: &Path) -> Result<OpenFile, Error> {
    let container: Result<Box<dyn Container>, OpenError> = match format {
        Format::Tqcv => return Ok(OpenFile::Corpus),
        Format::Qvec => return Ok(OpenFile::Index),
        Format::Ztensor => ZtensorFile::open(place).map(|file| Box::new(file) as _),
        Format::Burnpack => BurnpackFile::open(place).map(|file| Box::new(file) as _),
        Format::Npy => open_npy(place).map(|file| Box::new(file) as _),
        Format::Npz => open_npz(place, settings::maintenance_memory() as u64).map(|file| Box::new(file) as _),
        Format::Safetensors => open_safetensors(place).map(|file| Box::new(file) as _),
        Format::Gguf => open_gguf(place).map(|file| Box::new(file) as _),
        Format::Torch => open_torch(place).map(|file| Box::new(file) as _),
        Format::Fvecs => open_benchmark(BenchmarkFormat::Fvecs, place).map(|file| Box::new(file) as _),
        Format::Bvecs => open_benchmark(BenchmarkFormat::Bvecs, place).map(|file| Box::new(file) as _),
        Format::Ivecs => open_benchmark(BenchmarkFormat::Ivecs, place).map(|file| Box::new(file) as _),
        Format::Fbin => open_benchmark(BenchmarkFormat::Fbin, place).map(|file| Box::new(file) as _),
        Format::U8bin => open_benchmark(BenchmarkFormat::U8bin, place).map(|file| Box::new(file) as _),
        Format::I8bin => open_benchmark(BenchmarkFormat::I8bin, place).map(|file| Box::new(file) as _),
    };
    Ok(OpenFile::Tensors(opened(path, container)?))
}

/// Opens the ids that the options IDS_TENSOR and IDS_FILE name: another tensor of the file, or another file of the server.
/// There must be as many as `rows`. `option` is how hints write the option that names a tensor.
///
/// # Errors
/// There is no such tensor or file, or it holds no ids; the user may not read files.
pub(crate) fn open_ids(
    format: Format,
    options: &Options,
    path: &Path,
    place: &Path,
    rows: u64,
    option: &str,
) -> Result<Option<Box<dyn IdSource>>, Error> {
    let tensor = options.text("ids_tensor");
    let (format, path, place) = match options.text("ids_file") {
        None if tensor.is_none() => return Ok(None),
        None => (format, path.to_owned(), place.to_owned()),
        Some(file) => {
            file_access::require(FileAccess::Read, "read a file")?;
            let file = file_access::absolute(file, "option \"ids_file\"")?;
            (detected(&file)?, file.clone(), file)
        }
    };
    let OpenFile::Tensors(container) = open_file(format, &path, &place)? else {
        return Err(Error::Format(FormatError::NoIdTensors { path, format: format.name() }));
    };
    let index = match (tensor, container.tensors()) {
        (None, [_]) => 0,
        (None, _) => return Err(Error::Format(FormatError::IdTensorChoice { path, option: option.into() })),
        (Some(wanted), tensors) => {
            let found = tensors.iter().position(|tensor| tensor.name == wanted);
            found.ok_or_else(|| {
                let names: Vec<String> = tensors
                    .iter()
                    .take(MOST_LISTED)
                    .map(|tensor| format!("'{}'", tensor.name.escape_debug()))
                    .collect();
                let dots = if tensors.len() > MOST_LISTED { ", ..." } else { "" };
                let hint = format!("Its tensors are {}{dots}.", names.join(", "));
                Error::Format(FormatError::NoSuchTensor { path: path.clone(), tensor: wanted.into(), hint })
            })?
        }
    };
    let reader = container.ids(index, &mut poll).map_err(|source| rows_error(&path, source))?;
    match reader.count() {
        count if count == rows => Ok(Some(Box::new(TensorIds::new(&path, reader)))),
        ids => Err(Error::Format(FormatError::IdCount { path, ids, rows })),
    }
}

/// An opened file, or the error with its name.
pub(super) fn opened<T>(path: &Path, result: Result<T, OpenError>) -> Result<T, Error> {
    result.map_err(|error| match error {
        OpenError::File(error) => Error::File(error),
        OpenError::Container(error) => {
            Error::Format(FormatError::Rows { path: path.into(), source: RowsError::Container(error) })
        }
    })
}

/// What a file is, by its content.
///
/// # Errors
/// It is none of our formats.
pub(super) fn detected(path: &Path) -> Result<Format, Error> {
    detect(path)?.ok_or_else(|| Error::Format(FormatError::UnknownFormat(path.into())))
}

/// Checks that the codec that a corpus's metadata describes is the one that its header names.
pub(crate) fn check_described(path: &Path, header: &CorpusHeader, config: &CodecConfig) -> Result<(), Error> {
    let hash = config.hash();
    if hash.as_str() == header.config_hash {
        return Ok(());
    }
    Err(Error::Format(FormatError::CorpusCodec {
        path: path.into(),
        described: hash.to_string(),
        stated: header.config_hash.escape_debug().to_string(),
    }))
}

/// An error of reading rows, with the file's name where it has none of its own.
pub(crate) fn rows_error(path: &Path, source: RowsError) -> Error {
    match source {
        RowsError::File(error) => Error::File(error),
        source => Error::Format(FormatError::Rows { path: path.into(), source }),
    }
}

/// The number of the tensor to read.
fn choose(path: &Path, tensors: &[Tensor], wanted: Option<&str>, option: &str) -> Result<usize, Error> {
    let listed = || listing(tensors, option);
    if let Some(wanted) = wanted {
        let found = tensors.iter().position(|tensor| tensor.name == wanted);
        return found.ok_or_else(|| {
            Error::Format(FormatError::NoSuchTensor {
                path: path.into(),
                tensor: wanted.into(),
                hint: listed(),
            })
        });
    }
    let mut fitting = tensors.iter().enumerate().filter(|(_, tensor)| tensor.obstacle.is_none());
    match (fitting.next(), fitting.next()) {
        (Some((index, _)), None) => Ok(index),
        (None, _) => Err(Error::Format(FormatError::TensorChoice {
            path: path.into(),
            several: false,
            hint: listed(),
        })),
        (Some(_), Some(_)) => {
            Err(Error::Format(FormatError::TensorChoice { path: path.into(), several: true, hint: listed() }))
        }
    }
}

/// What a hint says of a file's tensors: those that can be read, or else why the first can't.
fn listing(tensors: &[Tensor], option: &str) -> String {
    let readable: Vec<String> = tensors
        .iter()
        .filter(|tensor| tensor.obstacle.is_none())
        .take(MOST_LISTED + 1)
        .map(|tensor| {
            let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
            format!("'{}' ({} x {})", tensor.name.escape_debug(), tensor.dtype, shape.join(" x "))
        })
        .collect();
    match (readable.as_slice(), tensors) {
        ([], []) => "The file has no tensors.".into(),
        ([], [only]) if only.name.is_empty() => {
            format!("Its array is no matrix of numbers: {}.", only.obstacle.as_deref().unwrap_or_default())
        }
        ([], [first, ..]) => format!(
            "The file has {} tensors, none of which is a matrix of numbers; '{}' is not: {}.",
            tensors.len(),
            first.name.escape_debug(),
            first.obstacle.as_deref().unwrap_or_default(),
        ),
        (names, _) => {
            let dots = if names.len() > MOST_LISTED { ", ..." } else { "" };
            let names = names[..names.len().min(MOST_LISTED)].join(", ");
            format!("Name one with the option {option}: {names}{dots}.")
        }
    }
}
