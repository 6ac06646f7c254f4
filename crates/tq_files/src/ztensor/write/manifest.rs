//! Writing directories: of generation 1.2, and of generation 2, whose keys stand in the order of their encoded bytes.

use std::collections::BTreeMap;

use minicbor::Encoder;

use super::part::{Coding, WrittenPart};
use crate::cbor::encode::{Encoded, encoded, text};
use crate::ztensor::frame::ZtensorGeneration;
use crate::ztensor::names::SEEKABLE;

/// Keys and values of a map, all encoded, in the order of the deterministic encoding.
pub(in crate::ztensor) type Entries = BTreeMap<Vec<u8>, Vec<u8>>;

/// A tensor.
#[derive(Debug)]
pub(in crate::ztensor) struct ObjectEntry<'a> {
    pub(in crate::ztensor) shape: &'a [u64],
    pub(in crate::ztensor) layout: &'a str,
    pub(in crate::ztensor) parts: Vec<PartEntry>,
    pub(in crate::ztensor) attributes: Entries,
}

/// A part of a tensor.
#[derive(Debug)]
pub(in crate::ztensor) struct PartEntry {
    pub(in crate::ztensor) role: &'static str,
    pub(in crate::ztensor) dtype: &'static str,
    /// What its elements are, if not numbers of that type; only in generation 2.
    pub(in crate::ztensor) logical: Option<&'static str>,
    pub(in crate::ztensor) written: WrittenPart,
}

impl ObjectEntry<'_> {
    /// The tensor in a directory of generation 1.2 or 2.
    pub(in crate::ztensor) fn encode(&self, generation: ZtensorGeneration) -> Vec<u8> {
        match generation {
            ZtensorGeneration::V2 => encoded(|out| self.write_2(out)),
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
pub(in crate::ztensor) fn directory(
    generation: ZtensorGeneration,
    attributes: &Entries,
    objects: &Entries,
) -> Vec<u8> {
    let attributes = (!attributes.is_empty()).then(|| [text("attributes"), map(attributes)].concat());
    let objects = [text("objects"), map(objects)].concat();
    let fields: Vec<Vec<u8>> = match generation {
        ZtensorGeneration::V2 => [objects].into_iter().chain(attributes).collect(),
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
pub(in crate::ztensor) fn map(entries: &Entries) -> Vec<u8> {
    let mut bytes = encoded(|out| out.map(entries.len() as u64).map(drop));
    entries.iter().flat_map(|(key, value)| [key, value]).for_each(|item| bytes.extend_from_slice(item));
    bytes
}

/// A number.
pub(in crate::ztensor) fn number(number: u64) -> Vec<u8> {
    encoded(|out| out.u64(number).map(drop))
}

/// An offset and a length.
pub(in crate::ztensor) fn place(offset: u64, length: u64) -> Vec<u8> {
    encoded(|out| out.encode([offset, length]).map(drop))
}
