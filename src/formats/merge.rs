//! `tq_merge`: several files of one kind as one.

use std::path::PathBuf;

use pgrx::prelude::*;
use tq_files::{
    BurnpackFile, Corpus, Format, MergeError, MergeIds, Merged, ZtensorFile, merge_burnpacks, merge_corpora,
    merge_safetensors, merge_ztensors, open_safetensors,
};

use super::bad_option;
use super::open::{detected, opened};
use crate::datum::arguments::{Json, Text, json_value};
use crate::error::interrupts::poll;
use crate::error::{CopyError, Error, FormatError, SqlResult, VectorError, notice};
use crate::server::file_access;
use crate::server::file_access::FileAccess;

/// Files that are merged in one call: each is open and mapped meanwhile.
const MOST_SOURCES: usize = 48;

/// Writes the files `sources` into one; returns the number of records, or of tensors.
#[pg_extern(sql = false)]
fn tq_merge(target: Text<'_>, sources: Vec<Option<String>>, options: Json) -> SqlResult<i64> {
    let target = &*target;
    file_access::require(FileAccess::Read, "read a file")?;
    file_access::require(FileAccess::Write, "write a file")?;
    let target = file_access::absolute(target, "tq_merge")?;
    let sources: Result<Vec<PathBuf>, Error> = sources
        .into_iter()
        .map(|source| {
            Ok(file_access::absolute(
                source.ok_or(Error::Vector(VectorError::NullArgument("sources")))?,
                "tq_merge",
            )?)
        })
        .collect();
    let merged = merge(target, &sources?, ids_of(&options)?)?;
    if merged.foreign_dropped {
        notice(
            "metadata that is not of this extension was left out".into(),
            Some("Not all files have the same.".into()),
            None,
        );
    }
    Ok(merged.count as i64)
}

/// The option "ids": what becomes of them.
fn ids_of(options: &Json) -> Result<MergeIds, Error> {
    let mut ids = MergeIds::default();
    for (name, value) in options.fields()? {
        if name != "ids" {
            return Err(Error::Copy(CopyError::FunctionOptionUnknown {
                option: name,
                hint: "The option of tq_merge is \"ids\", for corpora: 'keep' or 'drop'.".into(),
            }));
        }
        ids = match json_value(&name, value)?.as_str() {
            Some("keep") => MergeIds::Keep,
            Some("drop") => MergeIds::Drop,
            _ => return Err(bad_option("ids", "must be 'keep' or 'drop'")),
        };
    }
    Ok(ids)
}

fn merge(target: PathBuf, sources: &[PathBuf], ids: MergeIds) -> Result<Merged, Error> {
    let first = sources.first().ok_or(Error::Format(FormatError::Merge(MergeError::Nothing)))?;
    if sources.len() > MOST_SOURCES {
        return Err(Error::Format(FormatError::MergeCount { count: sources.len(), most: MOST_SOURCES }));
    }
    let format = detected(first)?;
    for source in sources {
        let got = detected(source)?;
        if got.name() != format.name() {
            return Err(Error::Format(FormatError::MergeFormats {
                path: source.clone(),
                got: got.name(),
                first: first.clone(),
                expected: format.name(),
            }));
        }
    }
    let output = |target| Ok::<_, Error>(Box::new(file_access::create(target)?));
    let merged = match format {
        Format::Tqcv => {
            let corpora: Result<Vec<_>, Error> = sources
                .iter()
                .map(|path| {
                    Corpus::open(path).map_err(|source| Error::CorpusFile { path: path.clone(), source })
                })
                .collect();
            merge_corpora(&corpora?, ids, output(&target)?, &mut poll)
        }
        Format::Burnpack => {
            let packs: Result<Vec<_>, Error> =
                sources.iter().map(|path| opened(path, BurnpackFile::open(path))).collect();
            merge_burnpacks(&packs?, output(&target)?, &mut poll)
        }
        Format::Ztensor => {
            let tensors: Result<Vec<_>, Error> =
                sources.iter().map(|path| opened(path, ZtensorFile::open(path))).collect();
            merge_ztensors(&tensors?, output(&target)?, &mut poll)
        }
        Format::Qvec => return Err(Error::Format(FormatError::MergeQvec)),
        Format::Safetensors => {
            let files: Result<Vec<_>, Error> =
                sources.iter().map(|path| opened(path, open_safetensors(path))).collect();
            merge_safetensors(&files?, output(&target)?, &mut poll)
        }
        Format::Npy | Format::Npz | Format::Gguf | Format::Torch => {
            return Err(Error::Format(FormatError::MergeArrays(format.name())));
        }
        Format::Fvecs | Format::Bvecs | Format::Ivecs | Format::Fbin | Format::U8bin | Format::I8bin => {
            return Err(Error::Format(FormatError::MergeArrays(format.name())));
        }
    };
    merged.map_err(|error| Error::Format(FormatError::Merge(error)))
}
