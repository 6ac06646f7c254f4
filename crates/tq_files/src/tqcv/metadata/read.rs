//! Reading metadata, which may come from anyone.
//!
//! A tree of JSON values takes thirty times the room of the text that says `[0,0,0,…]`, so no such tree is built of what a file
//! holds: parts are left as text until it is known what they should be, and lists end with an error when they get longer than
//! they may be. What is made of a file stays below its own size.

use std::cell::Cell;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use tq_codec::{CodeKind, Codebook, CodecConfig, CodecDefinition, CodecError, RotationKind};
use tq_format::{BitWidth, MAX_DIMENSION};
use tq_memory::{Grow, OutOfMemory};

use super::{Metadata, MetadataError, VERSION, malformed};
use crate::id::{Ids, parse_uuid};

/// Our part, and the user's beside it.
#[derive(Deserialize)]
struct Document<'a> {
    #[serde(borrow)]
    tinyquant: JsonObject<Ours<'a>>,
    #[serde(borrow, default, deserialize_with = "some")]
    metadata: Option<&'a RawValue>,
}

/// Whatever is there, even if it is null.
fn some<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

#[derive(Deserialize)]
struct Ours<'a> {
    #[serde(borrow)]
    version: &'a RawValue,
    #[serde(borrow, default)]
    codec: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ids: Option<&'a RawValue>,
}

/// What is written as an object. An array with the same values, which serde takes for a struct as well, is not.
struct JsonObject<T>(T);

#[derive(Deserialize)]
struct CodecFields {
    bit_width: u32,
    seed: u64,
    dimension: u32,
    residual_enabled: bool,
    rotation: String,
    #[serde(default)]
    codes: Option<String>,
    #[serde(default)]
    codebook: Option<CodebookEntries>,
    #[serde(default)]
    centre: Option<CentreValues>,
}

/// The entries of a codebook.
struct CodebookEntries(Vec<f64>);

/// The coordinates of a centre.
struct CentreValues(Vec<f64>);

#[derive(Deserialize)]
struct IdList<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow, default)]
    values: Option<&'a RawValue>,
    #[serde(borrow, default)]
    ranges: Option<&'a RawValue>,
}

struct UuidText([u8; 16]);

/// An id as a text.
struct OwnText(String);

/// Our part and the user's, or `None` if it is someone else's.
pub(super) fn read(
    bytes: &[u8],
    records: u64,
) -> Result<Option<(Metadata, Option<&RawValue>)>, MetadataError> {
    // For texts with escapes, which are gathered elsewhere first, and for short ones that are taken as they are. Lists grow by themselves.
    let _hold = tq_memory::hold(8 * bytes.len() + (64 << 10))?;
    // Someone else's may be anything, JSON included.
    let Ok(JsonObject(document)) = serde_json::from_slice::<JsonObject<Document<'_>>>(bytes) else {
        return Ok(None);
    };
    let JsonObject(ours) = document.tinyquant;
    let version = ours.version.get().parse::<u64>().unwrap_or(0);
    if version != u64::from(VERSION) {
        return Err(MetadataError::Version { version: u32::try_from(version).unwrap_or(u32::MAX) });
    }
    let codec = ours.codec.map(|codec| part::<CodecFields>(codec)?.read()).transpose()?;
    let ids = ours.ids.map(|ids| part::<IdList<'_>>(ids)?.read(records)).transpose()?;
    Ok(Some((Metadata { codec, ids, user: None }, document.metadata)))
}

fn part<'a, T: Deserialize<'a>>(json: &'a RawValue) -> Result<T, MetadataError> {
    let JsonObject(part) = serde_json::from_str(json.get()).map_err(malformed)?;
    Ok(part)
}

impl CodecFields {
    fn read(self) -> Result<CodecDefinition, MetadataError> {
        let width = BitWidth::from_bits(self.bit_width)
            .ok_or(CodecError::BitWidthUnsupported { bits: self.bit_width })?;
        let rotation = RotationKind::from_name(&self.rotation).ok_or_else(|| MetadataError::Malformed {
            reason: format!("unknown rotation \"{}\"", self.rotation),
        })?;
        let codes = match &self.codes {
            None => CodeKind::Scalar,
            Some(name) => CodeKind::from_name(name)
                .ok_or_else(|| MetadataError::Malformed { reason: format!("unknown codes \"{name}\"") })?,
        };
        let config = CodecConfig::new(width, self.seed, self.dimension, self.residual_enabled, rotation)?
            .with_codes(codes)?;
        let codebook = match self.codebook {
            None => Codebook::builtin(codes, width, config.dimension())?,
            Some(CodebookEntries(entries)) => {
                Codebook::of(codes, width, entries.into_iter().map(|entry| entry as f32).collect())?
            }
        };
        let centre = self.centre.map(|CentreValues(values)| values.into_iter().map(|x| x as f32).collect());
        Ok(CodecDefinition::new(config, codebook, centre)?)
    }
}

impl IdList<'_> {
    fn read(self, records: u64) -> Result<Ids, MetadataError> {
        let broken = |reason: &str| MetadataError::Malformed { reason: format!("ids: {reason}") };
        if let Some(ranges) = self.ranges {
            if self.kind != "bigint" || self.values.is_some() {
                return Err(broken("ranges are for whole numbers, and instead of values"));
            }
            return expand(&list(ranges, records)?, records)?.map_err(|reason| broken(&reason));
        }
        let values = self.values.ok_or_else(|| broken("neither values nor ranges"))?;
        let ids = match self.kind.as_str() {
            "bigint" => Ids::Bigint(list(values, records)?),
            "text" => {
                let texts = list(values, records)?;
                Ids::Text(texts.into_iter().map(|OwnText(text)| text).collect())
            }
            "uuid" => Ids::Uuid(list(values, records)?.into_iter().map(|UuidText(uuid)| uuid).collect()),
            other => return Err(broken(&format!("unknown type \"{other}\""))),
        };
        if ids.len() as u64 != records {
            return Err(broken(&format!("{} for {records} records", ids.len())));
        }
        Ok(ids)
    }
}

/// The numbers in the ranges, of which there must be one for each record.
fn expand(ranges: &[(i64, u64)], records: u64) -> Result<Result<Ids, String>, OutOfMemory> {
    let total = ranges.iter().try_fold(0u64, |total, (_, count)| total.checked_add(*count));
    if total != Some(records) {
        return Ok(Err(format!("not one for each of {records} records")));
    }
    let mut ids = tq_memory::with_capacity(usize::try_from(records).unwrap_or(usize::MAX))?;
    for &(first, count) in ranges {
        let last = i64::try_from(count).ok().and_then(|count| first.checked_add(count.saturating_sub(1)));
        let Some(last) = last else { return Ok(Err("a range runs beyond bigint".into())) };
        if count > 0 {
            ids.extend(first..=last);
        }
    }
    Ok(Ok(Ids::Bigint(ids)))
}

/// The items of an array, at most so many.
fn list<'a, T: Deserialize<'a>>(json: &'a RawValue, most: u64) -> Result<Vec<T>, MetadataError> {
    let refused = Cell::new(None);
    let list = AtMost { most, item: PhantomData, refused: Some(&refused) };
    let list = list.deserialize(&mut serde_json::Deserializer::from_str(json.get()));
    match refused.get() {
        Some(refused) => Err(MetadataError::Memory(refused)),
        None => list.map_err(malformed),
    }
}

struct AtMost<'r, T> {
    most: u64,
    item: PhantomData<T>,
    /// Where it is noted that memory was refused, which serde's errors don't tell.
    refused: Option<&'r Cell<Option<OutOfMemory>>>,
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for AtMost<'_, T> {
    type Value = Vec<T>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Vec<T>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for AtMost<'_, T> {
    type Value = Vec<T>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "an array of at most {}", self.most)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Vec<T>, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            if list.len() as u64 == self.most {
                return Err(de::Error::custom(format_args!("more than {} items", self.most)));
            }
            if let Err(error) = list.try_push(item).and_then(|()| tq_memory::check()) {
                if let Some(refused) = self.refused {
                    refused.set(Some(error));
                }
                return Err(de::Error::custom(error));
            }
        }
        Ok(list)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for JsonObject<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<JsonObject<T>, D::Error> {
        struct Fields<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = JsonObject<T>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<JsonObject<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(fields)).map(JsonObject)
            }
        }
        deserializer.deserialize_map(Fields(PhantomData))
    }
}

impl<'de> Deserialize<'de> for CodebookEntries {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CodebookEntries, D::Error> {
        let most = BitWidth::Eight.levels() as u64;
        AtMost { most, item: PhantomData, refused: None }.deserialize(deserializer).map(CodebookEntries)
    }
}

impl<'de> Deserialize<'de> for CentreValues {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<CentreValues, D::Error> {
        let most = u64::from(MAX_DIMENSION);
        AtMost { most, item: PhantomData, refused: None }.deserialize(deserializer).map(CentreValues)
    }
}

impl<'de> Deserialize<'de> for OwnText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<OwnText, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = OwnText;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a string")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<OwnText, E> {
                // A text as long as the metadata fits into what is held for these.
                Ok(OwnText(text.to_owned()))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'de> Deserialize<'de> for UuidText {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<UuidText, D::Error> {
        struct Text;
        impl Visitor<'_> for Text {
            type Value = UuidText;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a uuid")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<UuidText, E> {
                let uuid = parse_uuid(text);
                uuid.map(UuidText).ok_or_else(|| E::invalid_value(de::Unexpected::Str(text), &self))
            }
        }
        deserializer.deserialize_str(Text)
    }
}
