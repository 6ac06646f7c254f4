//! Writing directories: of generation 1.2, and of generation 2, whose keys stand in the order of their encoded bytes.

use std::collections::BTreeMap;
use std::convert::Infallible;

use minicbor::Encoder;
use minicbor::encode::Error;

use super::part::{Coding, Written};
use super::v2::SEEKABLE;
use crate::ZtensorGeneration;

/// Keys and values of a map, all encoded, in the order of the deterministic encoding.
pub(super) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// A tensor.
#[derive(Debug)]
pub(super) struct ObjectEntry<'a> {
    pub(super) shape: &'a [u64],
    pub(super) layout: &'a str,
    pub(super) parts: Vec<PartEntry>,
    pub(super) attributes: Entries,
}

/// A part of a tensor.
#[derive(Debug)]
pub(super) struct PartEntry {
    pub(super) role: &'static str,
    pub(super) dtype: &'static str,
    /// What its elements are, if not numbers of that type; only in generation 2.
    pub(super) logical: Option<&'static str>,
    pub(super) written: Written,
}

type Encoded = Result<(), Error<Infallible>>;

impl ObjectEntry<'_> {
    /// The tensor in a directory of generation 1.2 or 2.
    pub(super) fn encode(&self, generation: ZtensorGeneration) -> Vec<u8> {
        match generation {
            ZtensorGeneration::D => encoded(|out| self.write_2(out)),
            _ => encoded(|out| self.write_1(out)),
        }
    }

    fn write_1(&self, out: &mut Encoder<&mut Vec<u8>>) -> Encoded {
        out.map(3)?;
        out.str("shape")?.encode(self.shape)?;
        out.str("format")?.str(self.layout)?;
        out.str("components")?.map(self.parts.len() as u64)?;
        for PartEntry { role, dtype, written: part, .. } in &self.parts {
            let compressed = part.coding != Coding::Raw;
            out.str(role)?.map(3 + 2 * u64::from(compressed) + u64::from(part.digest.is_some()))?;
            out.str("dtype")?.str(dtype)?;
            out.str("offset")?.u64(part.offset)?;
            out.str("length")?.u64(part.length)?;
            if compressed {
                out.str("uncompressed_length")?.u64(part.decoded)?;
                out.str("encoding")?.str("zstd")?;
            }
            if let Some(digest) = &part.digest {
                out.str("digest")?.str(digest)?;
            }
        }
        Ok(())
    }

    fn write_2(&self, out: &mut Encoder<&mut Vec<u8>>) -> Encoded {
        out.map(3 + u64::from(!self.attributes.is_empty()))?;
        out.str("parts")?.map(self.parts.len() as u64)?;
        let mut parts: Vec<_> = self.parts.iter().collect();
        parts.sort_unstable_by_key(|part| (part.role.len(), part.role));
        for PartEntry { role, dtype, logical, written: part } in parts {
            let compressed = part.coding != Coding::Raw;
            let optional = [logical.is_some(), compressed, compressed, part.digest.is_some()];
            out.str(role)?.map(2 + optional.into_iter().map(u64::from).sum::<u64>())?;
            out.str("blob")?.encode([part.offset, part.length])?;
            if let Some(logical) = logical {
                out.str("type")?.str(logical)?;
            }
            out.str("dtype")?.str(dtype)?;
            if let Some(digest) = &part.digest {
                out.str("digest")?.str(digest)?;
            }
            if compressed {
                out.str("encoding")?.str(SEEKABLE)?;
                out.str("decoded_length")?.u64(part.decoded)?;
            }
        }
        out.str("shape")?.encode(self.shape)?;
        out.str("layout")?.str(self.layout)?;
        if !self.attributes.is_empty() {
            out.str("attributes")?.writer_mut().extend(map(&self.attributes));
        }
        Ok(())
    }
}

/// A directory of generation 1.2 or 2.
pub(super) fn directory(generation: ZtensorGeneration, attributes: &Entries, objects: &Entries) -> Vec<u8> {
    let attributes = (!attributes.is_empty()).then(|| [text("attributes"), map(attributes)].concat());
    let objects = [text("objects"), map(objects)].concat();
    let fields: Vec<Vec<u8>> = match generation {
        ZtensorGeneration::D => [objects].into_iter().chain(attributes).collect(),
        // In the order in which the format's own writer has them.
        _ => {
            let version = [text("version"), text("1.2.0")].concat();
            [version].into_iter().chain(attributes).chain([objects]).collect()
        }
    };
    let head = encoded(|out| out.map(fields.len() as u64).map(drop));
    [head, fields.concat()].concat()
}

/// A map.
pub(super) fn map(entries: &Entries) -> Vec<u8> {
    let mut bytes = encoded(|out| out.map(entries.len() as u64).map(drop));
    entries.iter().flat_map(|(key, value)| [key, value]).for_each(|item| bytes.extend_from_slice(item));
    bytes
}

/// A text.
pub(super) fn text(text: &str) -> Vec<u8> {
    encoded(|out| out.str(text).map(drop))
}

/// A number.
pub(super) fn number(number: u64) -> Vec<u8> {
    encoded(|out| out.u64(number).map(drop))
}

/// An offset and a length.
pub(super) fn place(offset: u64, length: u64) -> Vec<u8> {
    encoded(|out| out.encode([offset, length]).map(drop))
}

fn encoded(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Encoded) -> Vec<u8> {
    let mut bytes = Vec::new();
    let Ok(()) = write(&mut Encoder::new(&mut bytes)).map_err(impossible);
    bytes
}

/// Memory takes whatever is written, and numbers and texts are all that is.
fn impossible(error: Error<Infallible>) -> Infallible {
    unreachable!("{error}")
}
