//! Writing directories: of generation 1.2, and of generation 2, whose keys stand in the order of their encoded bytes.

use std::collections::BTreeMap;
use std::convert::Infallible;

use minicbor::Encoder;
use minicbor::encode::Error;

use super::part::{Coding, Written};
use super::v2::SEEKABLE;

/// A file with one tensor.
#[derive(Debug)]
pub(super) struct Manifest<'a> {
    pub(super) attributes: &'a BTreeMap<String, String>,
    pub(super) tensor: &'a str,
    pub(super) shape: [u64; 2],
    pub(super) layout: &'a str,
    pub(super) coding: Coding,
    /// Name, type and place of each part.
    pub(super) parts: Vec<(&'static str, &'static str, Written)>,
}

type Encoded = Result<(), Error<Infallible>>;

impl Manifest<'_> {
    /// The directory of a file of generation 1.2.
    pub(super) fn encode_1(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Ok(()) = self.write_1(&mut Encoder::new(&mut bytes)).map_err(impossible);
        bytes
    }

    /// The directory of a file of generation 2.
    pub(super) fn encode_2(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        let Ok(()) = self.write_2(&mut Encoder::new(&mut bytes)).map_err(impossible);
        bytes
    }

    fn write_1(&self, out: &mut Encoder<&mut Vec<u8>>) -> Encoded {
        out.map(if self.attributes.is_empty() { 2 } else { 3 })?;
        out.str("version")?.str("1.2.0")?;
        if !self.attributes.is_empty() {
            self.write_attributes(out)?;
        }
        out.str("objects")?.map(1)?.str(self.tensor)?.map(3)?;
        out.str("shape")?.encode(self.shape)?;
        out.str("format")?.str(self.layout)?;
        out.str("components")?.map(self.parts.len() as u64)?;
        for (role, dtype, part) in &self.parts {
            let compressed = self.coding != Coding::Raw;
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
        out.map(if self.attributes.is_empty() { 1 } else { 2 })?;
        out.str("objects")?.map(1)?.str(self.tensor)?.map(3)?;
        out.str("parts")?.map(self.parts.len() as u64)?;
        let mut parts: Vec<_> = self.parts.iter().collect();
        parts.sort_unstable_by_key(|(role, ..)| (role.len(), *role));
        for (role, dtype, part) in parts {
            let compressed = self.coding != Coding::Raw;
            out.str(role)?.map(2 + 2 * u64::from(compressed) + u64::from(part.digest.is_some()))?;
            out.str("blob")?.encode([part.offset, part.length])?;
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
            self.write_attributes(out)?;
        }
        Ok(())
    }

    fn write_attributes(&self, out: &mut Encoder<&mut Vec<u8>>) -> Encoded {
        let mut attributes: Vec<_> = self.attributes.iter().collect();
        attributes.sort_unstable_by_key(|(key, _)| (key.len(), *key));
        out.str("attributes")?.map(attributes.len() as u64)?;
        attributes.into_iter().try_for_each(|(key, value)| out.str(key)?.str(value).map(drop))
    }
}

/// Memory takes whatever is written, and numbers and texts are all that is.
fn impossible(error: Error<Infallible>) -> Infallible {
    unreachable!("{error}")
}
