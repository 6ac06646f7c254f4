//! Several corpora of one codec as one: their records, each validated, one behind the other, and one description of them.

use std::path::Path;

use tq_codec::{CodecConfig, CodecDefinition};
use tq_format::{CorpusHeader, ShapeDifference};
use tq_memory::Grow;

use super::file::Corpus;
use super::metadata::Metadata;
use super::write::CorpusWriter;
use crate::id::Ids;
use crate::merge::{MergeError, Merged};
use crate::{FileError, Output};

/// Bytes that are copied in one step: a few milliseconds' work.
const STEP_BYTES: usize = 1 << 20;

/// What becomes of the ids of corpora that are merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MergeIds {
    /// Either all corpora that have records have ids, of one type, and keep them, or none has any.
    #[default]
    Keep,
    /// They are left out.
    Drop,
}

/// Writes the records of all corpora into one, in their order. All must be of one codec.
///
/// The codec is described as the first corpus does that describes it, and whatever the first that has some says of the user's
/// is kept. Metadata that isn't ours is kept only if all have the same. Memory is needed for a step's records and for the ids.
/// `poll` is called many times a second, and may unwind.
///
/// # Errors
/// [`MergeError`]: corpora that don't belong together, malformed records, files that change meanwhile; the output's.
pub fn merge_corpora(
    sources: &[Corpus],
    ids: MergeIds,
    output: Box<dyn Output>,
    poll: &mut dyn FnMut(),
) -> Result<Merged, MergeError> {
    let first = sources.first().ok_or(MergeError::Nothing)?;
    for source in sources {
        check_alike(first, source)?;
    }
    let (metadata, foreign_dropped) = merge_metadata(sources, ids)?;
    let header = CorpusHeader { vector_count: 0, metadata, ..first.header().try_clone()? };
    let mut writer = CorpusWriter::new(output, &header)?;
    let mut block = Vec::new();
    for source in sources {
        copy_records(source, &mut writer, &mut block, poll)?;
    }
    let merged = Merged { count: writer.count(), bytes: writer.bytes(), foreign_dropped };
    writer.finish()?;
    Ok(merged)
}

/// Refuses a corpus of another codec than the first.
fn check_alike(first: &Corpus, other: &Corpus) -> Result<(), MergeError> {
    let (a, b) = (first.header(), other.header());
    let residual = |residual| if residual { "present" } else { "absent" }.to_owned();
    let hash = |header: &CorpusHeader| header.config_hash.escape_debug().to_string();
    let (what, expected, got) = match a.shape().difference(&b.shape()) {
        // Longer hashes than records hold are compared whole.
        None if a.config_hash == b.config_hash => return Ok(()),
        None | Some(ShapeDifference::Hash) => ("configuration hash", hash(a), hash(b)),
        Some(ShapeDifference::Dimension { expected, got }) => {
            ("dimension", expected.to_string(), got.to_string())
        }
        Some(ShapeDifference::BitWidth { expected, got }) => {
            ("bit width", expected.bits().to_string(), got.bits().to_string())
        }
        Some(ShapeDifference::Residual { expected }) => ("residual", residual(expected), residual(!expected)),
    };
    let (first, path) = (first.file().path().to_owned(), other.file().path().to_owned());
    Err(MergeError::Unlike { first, path, what, expected, got })
}

fn copy_records(
    source: &Corpus,
    writer: &mut CorpusWriter,
    block: &mut Vec<u8>,
    poll: &mut dyn FnMut(),
) -> Result<(), MergeError> {
    let path = source.file().path();
    let failed = |error| MergeError::corpus(path, error);
    // Kept, so that a step costs no signal handling.
    let _guard = source.guard().map_err(failed)?;
    let rows = (STEP_BYTES / source.header().record_len()).max(1) as u64;
    let mut next = 0;
    while next < source.vector_count() {
        let end = source.vector_count().min(next + rows);
        block.clear();
        block.try_room((end - next) as usize * source.header().record_len())?;
        let copied = source.batch(next..end, |mut records| {
            records.try_for_each(|record| {
                block.extend_from_slice(record?.as_bytes());
                Ok(())
            })
        });
        copied.map_err(failed)?;
        if block.len() as u64 != (end - next) * source.header().record_len() as u64 {
            return Err(FileError::Changed { path: path.to_owned() }.into());
        }
        writer.append(block)?;
        next = end;
        poll();
    }
    Ok(())
}

/// The metadata for all, and whether there was some that isn't in it.
fn merge_metadata(sources: &[Corpus], wanted: MergeIds) -> Result<(Vec<u8>, bool), MergeError> {
    let mut codec: Option<(CodecDefinition, &Path)> = None;
    let mut user = None;
    let mut ids = IdsOfAll::default();
    let (mut ours, mut foreign) = (false, false);
    for source in sources {
        let (path, header) = (source.file().path(), source.header());
        let parsed = Metadata::parse(&header.metadata, header.vector_count)
            .map_err(|source| MergeError::Metadata { path: path.to_owned(), source })?;
        ours |= parsed.is_some();
        foreign |= parsed.is_none() && !header.metadata.is_empty();
        let metadata = parsed.unwrap_or_default();
        if let Some(described) = metadata.codec {
            check_described(header, described.config(), path)?;
            match &codec {
                None => codec = Some((described, path)),
                Some((known, first)) if *known != described => {
                    return Err(MergeError::Codec { first: (*first).to_owned(), path: path.to_owned() });
                }
                Some(_) => {}
            }
        }
        user = user.or(metadata.user);
        if wanted == MergeIds::Keep && header.vector_count > 0 {
            ids.add(metadata.ids, path)?;
        }
    }
    if !ours {
        let alike = sources.windows(2).all(|pair| pair[0].header().metadata == pair[1].header().metadata);
        let kept = sources.first().filter(|_| alike).map(|first| tq_memory::copied(&first.header().metadata));
        return Ok((kept.transpose()?.unwrap_or_default(), foreign && !alike));
    }
    let metadata = Metadata { codec: codec.map(|(codec, _)| codec), user, ids: ids.ids };
    Ok((metadata.encode()?, foreign))
}

/// Refuses a description of a codec that the records aren't of.
fn check_described(header: &CorpusHeader, config: &CodecConfig, path: &Path) -> Result<(), MergeError> {
    let described = config.hash();
    if *described.as_bytes() == header.record_hash_field() {
        return Ok(());
    }
    Err(MergeError::CodecHash {
        path: path.to_owned(),
        described: described.to_string(),
        hash: header.config_hash.escape_debug().to_string(),
    })
}

/// The ids of the corpora so far, with the first corpus that had some, and the first that had none.
#[derive(Default)]
struct IdsOfAll<'s> {
    ids: Option<Ids>,
    with: Option<&'s Path>,
    without: Option<&'s Path>,
}

impl<'s> IdsOfAll<'s> {
    fn add(&mut self, ids: Option<Ids>, path: &'s Path) -> Result<(), MergeError> {
        match ids.is_some() {
            true => self.with = self.with.or(Some(path)),
            false => self.without = self.without.or(Some(path)),
        }
        if let (Some(with), Some(without)) = (self.with, self.without) {
            return Err(MergeError::IdsMissing { with: with.to_owned(), without: without.to_owned() });
        }
        match (&mut self.ids, ids) {
            (Some(Ids::Bigint(all)), Some(Ids::Bigint(ids))) => all.try_extend(&ids)?,
            (Some(Ids::Uuid(all)), Some(Ids::Uuid(ids))) => all.try_extend(&ids)?,
            (Some(Ids::Text(all)), Some(Ids::Text(mut ids))) => {
                all.try_room(ids.len())?;
                all.append(&mut ids);
            }
            (Some(all), Some(ids)) => {
                return Err(MergeError::IdsType {
                    first: self.with.unwrap_or(path).to_owned(),
                    path: path.to_owned(),
                    expected: all.type_name(),
                    got: ids.type_name(),
                });
            }
            (none @ None, ids) => *none = ids,
            (Some(_), None) => {}
        }
        Ok(())
    }
}
