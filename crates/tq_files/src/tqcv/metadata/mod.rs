//! What a corpus says in its metadata: the codec in full, the rows' ids, and whatever its maker wanted to add.
//!
//! TQCV gives metadata no meaning. Here it is a JSON object with a key of our own, so that a corpus can be read where
//! nobody knows its codec, and others pass over it:
//!
//! ```json
//! {"tinyquant": {
//!    "version": 1,
//!    "codec": {"bit_width": 4, "seed": 42, "dimension": 384, "residual_enabled": false,
//!              "rotation": "haar", "config_hash": "…", "codebook": [-0.13, …]},
//!    "ids": {"type": "bigint", "ranges": [[1, 5000]]}},
//!  "metadata": {"model": "…"}}
//! ```
//! `codebook` is missing where it is the Lloyd-Max codebook of the normal distribution. `ids` has one id for each record,
//! in their order: `values` in an array or, for whole numbers where that is shorter, `ranges` of a first number and a
//! count. Codebook entries are written with the digits of the `f64` that equals them, and come back bit by bit. What the maker
//! added is text from beginning to end, and stays to the byte.

mod read;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use tq_codec::{CodeKind, Codebook, CodecDefinition, CodecError};
use tq_format::MAX_METADATA_LEN;
use tq_memory::{Grow, OutOfMemory};

use crate::id::{Ids, uuid_text};

const VERSION: u32 = 1;

/// Why metadata could not be written or understood.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MetadataError {
    /// It doesn't fit the format.
    #[error("the metadata takes {bytes} bytes, more than the format's {MAX_METADATA_LEN}")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// How much of that the ids take.
        ids: usize,
    },
    /// There is no memory for it.
    #[error("{0}")]
    Memory(#[from] OutOfMemory),
    /// It is ours and broken.
    #[error("malformed metadata: {reason}")]
    Malformed {
        /// What is wrong.
        reason: String,
    },
    /// It was written by a later version.
    #[error("metadata of version {version} is not known")]
    Version {
        /// The version it states.
        version: u32,
    },
    /// The codec that it describes isn't one.
    #[error("the codec in the metadata: {0}")]
    Codec(#[from] CodecError),
}

/// The metadata of a corpus.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata {
    /// The codec of the records.
    pub codec: Option<CodecDefinition>,
    /// What the maker of the corpus wanted to add: JSON, as it was written.
    pub user: Option<String>,
    /// The records' ids.
    pub ids: Option<Ids>,
}

#[derive(Serialize)]
struct Document<'a> {
    tinyquant: Ours<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<&'a RawValue>,
}

#[derive(Serialize)]
struct Ours<'a> {
    version: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    codec: Option<CodecFields>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ids: Option<&'a IdFields<'a>>,
}

#[derive(Serialize)]
struct CodecFields {
    bit_width: u32,
    seed: u64,
    dimension: u32,
    residual_enabled: bool,
    rotation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    codes: Option<&'static str>,
    config_hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    codebook: Option<Vec<f64>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    centre: Option<Vec<f64>>,
}

#[derive(Serialize)]
struct IdFields<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    values: Option<IdValues<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ranges: Option<Vec<(i64, u64)>>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum IdValues<'a> {
    Bigint(&'a [i64]),
    #[serde(serialize_with = "uuid_texts")]
    Uuid(&'a [[u8; 16]]),
    Text(&'a [String]),
}

fn uuid_texts<S: Serializer>(ids: &[[u8; 16]], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(ids.iter().map(uuid_text))
}

/// Takes what is written, counts it, and keeps what fits the format.
#[derive(Default)]
struct CountedJson {
    bytes: Vec<u8>,
    len: usize,
    refused: Option<OutOfMemory>,
}

impl std::io::Write for CountedJson {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.len += bytes.len();
        if self.len <= MAX_METADATA_LEN {
            self.bytes.try_extend(bytes).inspect_err(|error| self.refused = Some(*error))?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl CountedJson {
    fn of(value: &impl Serialize) -> Result<Self, MetadataError> {
        let mut written = CountedJson::default();
        let result = serde_json::to_writer(&mut written, value);
        match written.refused {
            Some(refused) => Err(refused.into()),
            None => result.map(|()| written).map_err(malformed),
        }
    }
}

impl Metadata {
    /// The bytes for a corpus's header; none at all if there is nothing to say.
    ///
    /// # Errors
    /// [`MetadataError::TooLong`], [`MetadataError::Memory`], and [`MetadataError::Malformed`] if [`user`](Self::user) is no JSON.
    pub fn encode(&self) -> Result<Vec<u8>, MetadataError> {
        if self == &Self::default() {
            return Ok(Vec::new());
        }
        let codec = self.codec.as_ref().map(CodecFields::of).transpose()?;
        let ids = self.ids.as_ref().map(IdFields::of).transpose()?;
        let ids = ids.as_ref();
        let metadata: Option<&RawValue> =
            self.user.as_deref().map(serde_json::from_str).transpose().map_err(malformed)?;
        let document = Document { tinyquant: Ours { version: VERSION, codec, ids }, metadata };
        let written = CountedJson::of(&document)?;
        if written.len > MAX_METADATA_LEN {
            let ids = ids.map(CountedJson::of).transpose()?.map_or(0, |written| written.len);
            return Err(MetadataError::TooLong { bytes: written.len, ids });
        }
        Ok(written.bytes)
    }

    /// Reads a corpus's metadata; `None` if it is someone else's or empty.
    ///
    /// The codec's hash is not looked at: it follows from the other fields. How many ids there must be is the caller's to know,
    /// as is a bound for `ranges`: never more than `records` ids are made of them.
    ///
    /// # Errors
    /// All but [`MetadataError::TooLong`].
    pub fn parse(bytes: &[u8], records: u64) -> Result<Option<Self>, MetadataError> {
        let Some((metadata, user)) = read::read(bytes, records)? else { return Ok(None) };
        let user = match user {
            Some(user) => {
                check_json(user.get()).map_err(malformed)?;
                Some(tq_memory::text(user.get())?)
            }
            None => None,
        };
        Ok(Some(Self { user, ..metadata }))
    }

    /// [`parse`](Self::parse) without [`user`](Self::user).
    ///
    /// # Errors
    /// As [`parse`](Self::parse).
    pub fn parse_ours(bytes: &[u8], records: u64) -> Result<Option<Self>, MetadataError> {
        Ok(read::read(bytes, records)?.map(|(metadata, _)| metadata))
    }
}

impl CodecFields {
    fn of(definition: &CodecDefinition) -> Result<Self, OutOfMemory> {
        let (config, codebook) = (definition.config(), definition.codebook());
        let standard = Codebook::builtin(config.codes(), config.bit_width(), config.dimension());
        let doubles = |floats: &[f32]| tq_memory::collected(floats.iter().map(|&x| f64::from(x)));
        Ok(Self {
            bit_width: u32::from(config.bit_width().bits()),
            seed: config.seed(),
            dimension: config.dimension(),
            residual_enabled: config.residual(),
            rotation: config.rotation().name().to_owned(),
            config_hash: config.hash().to_string(),
            codes: (config.codes() != CodeKind::Scalar).then(|| config.codes().name()),
            codebook: (standard.as_ref() != Ok(codebook)).then(|| doubles(codebook.entries())).transpose()?,
            centre: definition.centre().map(doubles).transpose()?,
        })
    }
}

impl<'a> IdFields<'a> {
    fn of(ids: &'a Ids) -> Result<Self, OutOfMemory> {
        let (mut values, mut ranges) = (None, None);
        match ids {
            Ids::Bigint(ids) => {
                let runs = runs(ids)?;
                // A range takes about as much as two numbers and their brackets.
                if runs.len() * 2 < ids.len() {
                    ranges = Some(runs);
                } else {
                    values = Some(IdValues::Bigint(ids));
                }
            }
            Ids::Uuid(ids) => values = Some(IdValues::Uuid(ids)),
            Ids::Text(ids) => values = Some(IdValues::Text(ids)),
        }
        Ok(Self { kind: ids.type_name(), values, ranges })
    }
}

/// Levels that JSON may be nested by, as many as readers commonly take.
const MOST_LEVELS: usize = 127;

/// Checks that a text is JSON, and not nested deeper than readers take. Nothing is made of it, so that neither equal keys nor
/// the length of a number matters.
///
/// # Errors
/// What is wrong, and where.
pub fn check_json(text: &str) -> Result<(), serde_json::Error> {
    serde_json::from_str::<&RawValue>(text)?;
    let (mut depth, mut quoted, mut escaped) = (0usize, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = quoted,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => depth += 1,
            b']' | b'}' if !quoted => depth -= 1,
            _ => {}
        }
        if depth > MOST_LEVELS {
            return Err(serde::de::Error::custom(format_args!("more than {MOST_LEVELS} levels")));
        }
    }
    Ok(())
}

/// Without the position, which counts from the beginning of a part.
fn malformed(error: serde_json::Error) -> MetadataError {
    let reason = error.to_string();
    let reason = reason.split_once(" at line ").map_or(reason.as_str(), |(reason, _)| reason);
    MetadataError::Malformed { reason: reason.to_owned() }
}

/// Runs of numbers that follow one another: the first, and how many.
fn runs(ids: &[i64]) -> Result<Vec<(i64, u64)>, OutOfMemory> {
    let mut runs: Vec<(i64, u64)> = Vec::new();
    for &id in ids {
        match runs.last_mut() {
            Some((first, count)) if first.checked_add_unsigned(*count) == Some(id) => *count += 1,
            _ => runs.try_push((id, 1))?,
        }
    }
    Ok(runs)
}

#[cfg(test)]
mod tests;
