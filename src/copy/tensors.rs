//! Which tensor of a file a COPY reads: the one that TENSOR names, or the only one that is a matrix of numbers.

use std::path::Path;

use tq_corpus::{BurnpackFile, Container, OpenError, RowReader, RowsError, Tensor, ZtensorFile};

use super::float_rows::rows_error;
use super::statement::Statement;
use crate::error::Error;
use crate::formats::Format;
use crate::interrupts::poll;

/// Names listed in a hint.
const MOST_LISTED: usize = 12;

/// Opens the matrix that a COPY FROM reads; returns it with the file's length. `path` is what messages call the file,
/// `place` where it is.
///
/// # Errors
/// The file is malformed, there is no such tensor, it isn't a matrix, or its checksum doesn't match.
pub(super) fn open(
    statement: &Statement,
    path: &Path,
    place: &Path,
) -> Result<(Box<dyn RowReader>, u64), Error> {
    let container = open_container(statement.format, path, place)?;
    let bytes = container.file().len();
    let index = choose(path, container.tensors(), statement.options.text("tensor"))?;
    let rows = container.rows(index, &mut poll).map_err(|source| rows_error(path, source))?;
    Ok((rows, bytes))
}

fn open_container(format: Format, path: &Path, place: &Path) -> Result<Box<dyn Container>, Error> {
    let opened: Result<Box<dyn Container>, OpenError> = match format {
        Format::Burnpack => BurnpackFile::open(place).map(|file| Box::new(file) as Box<dyn Container>),
        _ => ZtensorFile::open(place).map(|file| Box::new(file) as Box<dyn Container>),
    };
    opened.map_err(|error| match error {
        OpenError::File(error) => Error::File(error),
        OpenError::Container(error) => Error::Rows { path: path.into(), source: RowsError::Container(error) },
    })
}

/// The number of the tensor to read.
fn choose(path: &Path, tensors: &[Tensor], wanted: Option<&str>) -> Result<usize, Error> {
    let listed = || listing(tensors);
    if let Some(wanted) = wanted {
        let found = tensors.iter().position(|tensor| tensor.name == wanted);
        return found.ok_or_else(|| Error::NoSuchTensor {
            path: path.into(),
            tensor: wanted.into(),
            hint: listed(),
        });
    }
    let mut fitting = tensors.iter().enumerate().filter(|(_, tensor)| tensor.obstacle.is_none());
    match (fitting.next(), fitting.next()) {
        (Some((index, _)), None) => Ok(index),
        (None, _) => Err(Error::TensorChoice { path: path.into(), several: false, hint: listed() }),
        (Some(_), Some(_)) => Err(Error::TensorChoice { path: path.into(), several: true, hint: listed() }),
    }
}

/// What a hint says of a file's tensors: those that can be read, or else why the first can't.
fn listing(tensors: &[Tensor]) -> String {
    let readable: Vec<String> = tensors
        .iter()
        .filter(|tensor| tensor.obstacle.is_none())
        .map(|tensor| {
            let shape: Vec<String> = tensor.shape.iter().map(u64::to_string).collect();
            format!("'{}' ({} × {})", tensor.name.escape_debug(), tensor.dtype, shape.join(" × "))
        })
        .collect();
    match (readable.as_slice(), tensors) {
        ([], []) => "The file has no tensors.".into(),
        ([], [first, ..]) => format!(
            "The file has {} tensors, none of which is a matrix of numbers; '{}' is not: {}.",
            tensors.len(),
            first.name.escape_debug(),
            first.obstacle.as_deref().unwrap_or_default(),
        ),
        (names, _) => {
            let dots = if names.len() > MOST_LISTED { ", …" } else { "" };
            let names = names[..names.len().min(MOST_LISTED)].join(", ");
            format!("Name one with the option TENSOR: {names}{dots}.")
        }
    }
}
