//! Several corpora of one codec as one: their records, each validated, one behind the other, and one description of them.

mod error;

use std::path::Path;

use tq_codec::{Codebook, CodecConfig};
use tq_format::{COUNT_OFFSET, CorpusHeader, MAGIC_OFFSET, Magic};
use tq_memory::Grow;

pub use self::error::MergeError;
use crate::{Corpus, FileError, Ids, Metadata, Output};

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

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Merged {
    /// The records of a corpus, or the tensors of another file.
    pub count: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Whether metadata that isn't ours was left out, because not all files had the same.
    pub foreign_dropped: bool,
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
    mut output: Box<dyn Output>,
    poll: &mut dyn FnMut(),
) -> Result<Merged, MergeError> {
    let first = sources.first().ok_or(MergeError::Nothing)?;
    for source in sources {
        check_alike(first, source)?;
    }
    let (metadata, foreign_dropped) = merge_metadata(sources, ids)?;
    let count = sources.iter().map(Corpus::vector_count).fold(0, u64::saturating_add);
    let header = CorpusHeader { vector_count: 0, metadata, ..first.header().try_clone()? };
    output.append(&header.encode(Magic::Unfinished)?)?;
    let mut block = Vec::new();
    for source in sources {
        copy_records(source, &mut *output, &mut block, poll)?;
    }
    output.write_at(COUNT_OFFSET, &count.to_le_bytes())?;
    output.write_at(MAGIC_OFFSET, &Magic::Final.bytes())?;
    let merged = Merged { count, bytes: output.position(), foreign_dropped };
    output.complete()?;
    Ok(merged)
}

/// Refuses a corpus of another codec than the first.
fn check_alike(first: &Corpus, other: &Corpus) -> Result<(), MergeError> {
    let (a, b) = (first.header(), other.header());
    let residual = |residual| if residual { "present" } else { "absent" }.to_owned();
    let fields = [
        ("dimension", a.dimension.to_string(), b.dimension.to_string()),
        ("bit width", a.bit_width.bits().to_string(), b.bit_width.bits().to_string()),
        ("residual", residual(a.residual), residual(b.residual)),
        (
            "configuration hash",
            a.config_hash.escape_debug().to_string(),
            b.config_hash.escape_debug().to_string(),
        ),
    ];
    match fields.into_iter().find(|(_, a, b)| a != b) {
        None => Ok(()),
        Some((what, expected, got)) => Err(MergeError::Unlike {
            first: first.file().path().to_owned(),
            path: other.file().path().to_owned(),
            what,
            expected,
            got,
        }),
    }
}

fn copy_records(
    source: &Corpus,
    output: &mut dyn Output,
    block: &mut Vec<u8>,
    poll: &mut dyn FnMut(),
) -> Result<(), MergeError> {
    let path = source.file().path();
    let failed = |error| MergeError::corpus(path, error);
    // Kept, so that a step costs no signal handling.
    let _guard = source.guard().map_err(failed)?;
    // At most 49 227.
    let prefix = (source.header().record_len() as u32).to_le_bytes();
    let rows = (STEP_BYTES / source.header().record_len()).max(1) as u64;
    let mut next = 0;
    while next < source.vector_count() {
        let end = source.vector_count().min(next + rows);
        block.clear();
        block.try_room((end - next) as usize * (prefix.len() + source.header().record_len()))?;
        let copied = source.batch(next..end, |mut records| {
            records.try_for_each(|record| {
                block.extend_from_slice(&prefix);
                block.extend_from_slice(record?.as_bytes());
                Ok(())
            })
        });
        copied.map_err(failed)?;
        if block.len() as u64 != (end - next) * (prefix.len() + source.header().record_len()) as u64 {
            return Err(FileError::Changed { path: path.to_owned() }.into());
        }
        output.append(block)?;
        next = end;
        poll();
    }
    Ok(())
}

/// The metadata for all, and whether there was some that isn't in it.
fn merge_metadata(sources: &[Corpus], wanted: MergeIds) -> Result<(Vec<u8>, bool), MergeError> {
    let mut codec: Option<((CodecConfig, Codebook), &Path)> = None;
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
            check_described(header, &described.0, path)?;
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
