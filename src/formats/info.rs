//! `tq_file_info`: what a file is, and what it holds.

use std::path::Path;

use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use tq_files::{Container, Corpus, Format, Metadata, MetadataError, RowsError, Tensor};
use tq_memory::Hold;

use super::open::{OpenFile, detected, open_file, open_index, rows_error};
use super::shown::shown;
use crate::datum::arguments::{HELD_FOR_A_BYTE, JsonOut, Text};
use crate::error::Error;
use crate::error::interrupts::poll;
use crate::registry;
use crate::server::encoding;
use crate::server::file_access;
use crate::server::file_access::FileAccess;

/// A row of the result.
struct FileItem {
    format: String,
    name: Option<String>,
    dtype: Option<String>,
    shape: Option<Vec<i64>>,
    encoding: Option<String>,
    bytes: Option<i64>,
    checksum: Option<String>,
    /// JSON.
    details: String,
}

/// What stands in a file: one row for a corpus, an index or a file without tensors, else one for each tensor.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)] // the columns, as pgrx wants them named
fn tq_file_info(
    path: Text<'_>,
) -> Result<
    TableIterator<
        'static,
        (
            name!(format, String),
            name!(name, Option<String>),
            name!(dtype, Option<String>),
            name!(shape, Option<Vec<i64>>),
            name!(encoding, Option<String>),
            name!(bytes, Option<i64>),
            name!(checksum, Option<String>),
            name!(details, JsonOut),
        ),
    >,
    ErrorReport,
> {
    let path = &*path;
    file_access::require(FileAccess::Read, "read a file")?;
    let path = file_access::absolute(path, "tq_file_info")?;
    let mut held = None;
    let format = detected(&path)?;
    let mut items = match open_file(format, &path, &path)? {
        OpenFile::Corpus => vec![corpus(&path, &mut held)?],
        OpenFile::Index => vec![index(&path)?],
        OpenFile::Tensors(container) => tensors(format, &path, container.as_ref())?,
    };
    for item in &mut items {
        item.name = item.name.take().map(encoding::to_server).transpose()?;
        item.details = encoding::to_server(std::mem::take(&mut item.details))?;
    }
    Ok(TableIterator::new(items.into_iter().map(move |item| {
        // Until the last row has been made.
        let _ = &held;
        (
            item.format,
            item.name,
            item.dtype,
            item.shape,
            item.encoding,
            item.bytes,
            item.checksum,
            JsonOut(item.details),
        )
    })))
}

/// `held` is memory for what is made of the row.
fn corpus(path: &Path, held: &mut Option<Hold>) -> Result<FileItem, Error> {
    let corpus = Corpus::open(path).map_err(|source| Error::CorpusFile { path: path.into(), source })?;
    let header = corpus.header();
    *held = Some(tq_memory::hold(HELD_FOR_A_BYTE * header.metadata.len() + (64 << 10))?);
    let metadata = Metadata::parse(&header.metadata, header.vector_count);
    if let Err(MetadataError::Memory(error)) = metadata {
        return Err(error.into());
    }
    let codec =
        registry::codec_name(&header.config_hash, header.dimension, header.bit_width, header.residual)?;
    let (described, ids, user) = match &metadata {
        Ok(Some(metadata)) => (
            metadata.codec.is_some(),
            metadata.ids.as_ref().map(tq_files::Ids::type_name),
            metadata.user.as_deref().and_then(shown),
        ),
        _ => (false, None, None),
    };
    Ok(FileItem {
        format: "tqcv".into(),
        name: None,
        dtype: Some(format!("{} bits", header.bit_width.bits())),
        shape: Some(shape(&[header.vector_count, u64::from(header.dimension)])),
        encoding: Some(if header.residual { "records with residual" } else { "records" }.into()),
        bytes: Some(corpus.file().len() as i64),
        checksum: None,
        details: details(&CorpusDetails {
            config_hash: header.config_hash.replace('\0', "\u{FFFD}"),
            version: 1,
            codec,
            codec_described: described,
            ids,
            metadata: user,
            metadata_bytes: header.metadata.len(),
        }),
    })
}

/// The column `details` of a corpus.
#[derive(Serialize)]
struct CorpusDetails {
    config_hash: String,
    version: u32,
    codec: Option<String>,
    codec_described: bool,
    ids: Option<&'static str>,
    metadata: Option<Box<RawValue>>,
    metadata_bytes: usize,
}

/// As JSON, which a struct of such fields always becomes.
fn details(fields: &impl Serialize) -> String {
    serde_json::to_string(fields).unwrap_or_default()
}

fn index(path: &Path) -> Result<FileItem, Error> {
    let index = open_index(path, path)?;
    let header = index.header();
    let kinds = index.id_kinds();
    let kinds = [(kinds.numbers, "number"), (kinds.texts, "string"), (kinds.integers, "bigint")];
    let kinds: Vec<&str> = kinds.into_iter().filter(|(there, _)| *there).map(|(_, name)| name).collect();
    Ok(FileItem {
        format: "qvec".into(),
        name: None,
        dtype: Some(format!("{} bits", header.bits.bits())),
        shape: Some(shape(&[header.count.into(), header.dimension.into()])),
        encoding: Some(header.layout.name().into()),
        bytes: Some(index.file().len() as i64),
        checksum: None,
        details: json!({
            "version": header.layout.version(),
            "metric": header.metric.name(),
            "seed": header.seed,
            "ids": header.keyed.then_some(kinds),
            "calibrated": index.is_calibrated(),
            "lists": index.lists(),
            "probes": index.probes(),
        })
        .to_string(),
    })
}

fn tensors(format: Format, path: &Path, container: &dyn Container) -> Result<Vec<FileItem>, Error> {
    let format = format.name().to_string();
    // Of formats that have one.
    let version = container.format().split_once(' ').map(|(_, version)| version);
    let listed = container.tensors();
    if listed.is_empty() {
        return Ok(vec![FileItem {
            format,
            name: None,
            dtype: None,
            shape: None,
            encoding: None,
            bytes: Some(container.file().len() as i64),
            checksum: None,
            details: json!({ "version": version, "tensors": 0 }).to_string(),
        }]);
    }
    let mut items = tq_memory::with_capacity(listed.len())?;
    for (index, tensor) in listed.iter().enumerate() {
        poll();
        items.push(FileItem {
            format: format.clone(),
            name: (!tensor.name.is_empty() || listed.len() > 1)
                .then(|| tensor.name.replace('\0', "\u{FFFD}")),
            dtype: Some(tensor.dtype.clone()),
            shape: Some(shape(&tensor.shape)),
            encoding: Some(tensor.encoding.clone()),
            bytes: Some(i64::try_from(tensor.bytes).unwrap_or(i64::MAX)),
            checksum: checksum(path, container, index, tensor)?,
            details: match &tensor.obstacle {
                None => json!({ "version": version, "vectors": true }),
                Some(obstacle) => json!({ "version": version, "vectors": false, "obstacle": obstacle }),
            }
            .to_string(),
        });
    }
    Ok(items)
}

/// The state of a tensor's checksum, all of which is read for it; `None` if it has none.
fn checksum(
    path: &Path,
    container: &dyn Container,
    index: usize,
    tensor: &Tensor,
) -> Result<Option<String>, Error> {
    let Some(scheme) = tensor.checksum else { return Ok(None) };
    match container.verify(index, &mut poll) {
        Ok(true) => Ok(Some(format!("{scheme} matches"))),
        Ok(false) => Ok(Some(format!("{scheme} not compared"))),
        Err(RowsError::File(error)) => Err(rows_error(path, RowsError::File(error))),
        Err(error) => Ok(Some(format!("{scheme} fails: {error}"))),
    }
}

/// As far as `bigint` goes: what a malformed file claims may be more.
fn shape(shape: &[u64]) -> Vec<i64> {
    shape.iter().map(|length| i64::try_from(*length).unwrap_or(i64::MAX)).collect()
}
