//! The directory of a safetensors file.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};

use super::METADATA;
use crate::ContainerError;
use crate::array::{Array, Cell, Layout};
use crate::rows::Element;

/// Most dimensions that are read: as many as a zTensor has.
const MOST_DIMENSIONS: usize = 64;

/// What a file holds, as it says.
pub(super) struct Directory {
    entries: Vec<(String, Entry)>,
    pub(super) metadata: Vec<(String, String)>,
}

/// A tensor as it stands in the directory.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    dtype: String,
    shape: Vec<u64>,
    data_offsets: (u64, u64),
}

impl Directory {
    /// Reads a directory.
    ///
    /// # Errors
    /// [`ContainerError::Malformed`].
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ContainerError> {
        if bytes.first() != Some(&b'{') {
            return Err(malformed("safetensors directory: it doesn't begin with '{'".to_owned()));
        }
        serde_json::from_slice(bytes).map_err(|error| malformed(format!("safetensors directory: {error}")))
    }

    /// Its tensors in the order of the file, whose data begins at `start` and which has `file` bytes.
    ///
    /// # Errors
    /// [`ContainerError::Malformed`].
    pub(super) fn into_arrays(mut self, start: u64, file: u64) -> Result<Vec<Array>, ContainerError> {
        self.entries.sort_unstable_by(|(a, one), (b, other)| a.cmp(b).then(one.place().cmp(&other.place())));
        if let Some(pair) = self.entries.windows(2).find(|pair| pair[0].0 == pair[1].0) {
            let name = pair[0].0.escape_debug();
            return Err(malformed(format!("safetensors directory: tensor \"{name}\" stands twice")));
        }
        self.entries.sort_unstable_by(|(a, one), (b, other)| one.place().cmp(&other.place()).then(a.cmp(b)));
        let (mut arrays, mut end) = (tq_memory::with_capacity(self.entries.len())?, 0);
        for (name, entry) in self.entries {
            let problem = |problem| malformed(format!("tensor \"{}\": {problem}", name.escape_debug()));
            let (from, to) = entry.data_offsets;
            if from > to {
                return Err(problem(format!("its data ends at {to}, before it starts at {from}")));
            }
            if from != end {
                let what = if from < end { "overlap with the tensor before" } else { "leave a gap" };
                return Err(problem(format!("its data starts at {from}, not at {end}: it would {what}")));
            }
            if entry.shape.len() > MOST_DIMENSIONS {
                let count = entry.shape.len();
                return Err(problem(format!(
                    "it has {count} dimensions: at most {MOST_DIMENSIONS} are read"
                )));
            }
            end = to;
            let array = entry.into_array(name.clone(), start.saturating_add(from), to - from);
            array.map(|array| arrays.push(array)).map_err(problem)?;
        }
        let needed = start.saturating_add(end);
        match file.cmp(&needed) {
            std::cmp::Ordering::Less => {
                Err(malformed(format!("file of {file} bytes is truncated: its tensors need {needed}")))
            }
            std::cmp::Ordering::Greater => Err(malformed(format!(
                "{} bytes stand behind the end of the last tensor, at byte {needed}",
                file - needed
            ))),
            std::cmp::Ordering::Equal => Ok(arrays),
        }
    }
}

impl Entry {
    /// Where it is; empty tensors in front of what begins at the same place.
    fn place(&self) -> (u64, u64) {
        self.data_offsets
    }

    /// The array that has so many bytes from `offset` on, or what is wrong with its size.
    fn into_array(self, name: String, offset: u64, bytes: u64) -> Result<Array, String> {
        let (cell, bits) = cell_of(&self.dtype);
        let elements = self.shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size));
        let Some(elements) = elements else {
            return Err(format!("its shape {:?} is beyond all bounds", self.shape));
        };
        // A type that isn't known has any size.
        if bits > 0 {
            let needed =
                elements.checked_mul(bits).filter(|bits| bits.is_multiple_of(8)).map(|bits| bits / 8);
            match needed {
                Some(needed) if needed == bytes => {}
                Some(needed) => {
                    return Err(format!(
                        "it has {bytes} bytes: its shape {:?} of {} needs {needed}",
                        self.shape, self.dtype
                    ));
                }
                None => {
                    return Err(format!(
                        "its shape {:?} of {} is no number of bytes",
                        self.shape, self.dtype
                    ));
                }
            }
        }
        Ok(Array {
            name,
            dtype: self.dtype,
            cell,
            big_endian: false,
            layout: Layout::Rows,
            shape: self.shape,
            offset,
            entry: None,
            obstacle: None,
        })
    }
}

/// What a type's cells are, and how many bits one has; 0 of a type that isn't known.
fn cell_of(dtype: &str) -> (Cell, u64) {
    let element = match dtype {
        "F64" => Element::F64,
        "F32" => Element::F32,
        "F16" => Element::F16,
        "BF16" => Element::Bf16,
        "F8_E4M3" => Element::F8E4m3,
        "F8_E5M2" => Element::F8E5m2,
        "F8_E8M0" => Element::F8E8m0,
        "I64" => Element::I64,
        "I32" => Element::I32,
        "I16" => Element::I16,
        "I8" => Element::I8,
        "U64" => Element::U64,
        "U32" => Element::U32,
        "U16" => Element::U16,
        "U8" => Element::U8,
        "BOOL" => return (Cell::Bool, 8),
        "C64" => return (Cell::Opaque(8), 64),
        "F4" => return (Cell::Opaque(1), 4),
        "F6_E2M3" | "F6_E3M2" => return (Cell::Opaque(1), 6),
        _ => return (Cell::Opaque(1), 0),
    };
    (Cell::Number(element), 8 * element.width())
}

impl<'de> Deserialize<'de> for Directory {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Directory;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a map of tensors")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Directory, A::Error> {
                let (mut entries, mut metadata) = (Vec::new(), None);
                while let Some(name) = fields.next_key::<Cow<'de, str>>()? {
                    if name != METADATA {
                        entries.push((name.into_owned(), fields.next_value()?));
                    } else {
                        let Texts(texts) = fields.next_value()?;
                        if metadata.replace(texts).is_some() {
                            return Err(A::Error::custom("__metadata__ stands twice"));
                        }
                    }
                }
                Ok(Directory { entries, metadata: metadata.unwrap_or_default() })
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

/// A map of texts.
struct Texts(Vec<(String, String)>);

impl<'de> Deserialize<'de> for Texts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Each;
        impl<'de> Visitor<'de> for Each {
            type Value = Texts;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a map of strings")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Texts, A::Error> {
                let mut texts = Vec::new();
                while let Some(text) = fields.next_entry()? {
                    texts.push(text);
                }
                Ok(Texts(texts))
            }
        }
        deserializer.deserialize_map(Each)
    }
}

fn malformed(problem: String) -> ContainerError {
    ContainerError::Malformed(problem)
}
