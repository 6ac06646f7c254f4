//! Checksums of parts: of the bytes in the file in generations 0.1 to 1.2, of the decoded ones in generation 2.

use std::fmt;

use sha2::{Digest as _, Sha256};
use xxhash_rust::xxh3::Xxh3;

use super::label::Label;
use crate::ContainerError;

/// A checksum as the directory has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Digest {
    value: Value,
    /// Whether it is of the decoded bytes.
    decoded: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Crc32c(u32),
    Xxh3(u64),
    Sha256([u8; 32]),
}

impl fmt::Display for Value {
    /// As directories have it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Crc32c(sum) => write!(f, "crc32c:0x{sum:08X}"),
            Value::Xxh3(sum) => write!(f, "xxh3:{sum:016x}"),
            Value::Sha256(sum) => {
                f.write_str("sha256:")?;
                sum.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
            }
        }
    }
}

impl Digest {
    /// Parses a digest of stored bytes: `crc32c:0x…` or `sha256:…`; `None` if it is of another kind.
    pub(super) fn parse_stored(text: &str, label: &Label) -> Result<Option<Self>, ContainerError> {
        let (scheme, digits) = text.split_once(':').unwrap_or((text, ""));
        let value = match scheme {
            "crc32c" => hex(digits.strip_prefix("0x").unwrap_or(digits))
                .map(|bytes| Value::Crc32c(u32::from_be_bytes(bytes))),
            "sha256" => hex(digits).map(Value::Sha256),
            _ => return Ok(None),
        };
        let value =
            value.ok_or_else(|| label.malformed(format!("its digest is not of the form {scheme} has")))?;
        Ok(Some(Digest { value, decoded: false }))
    }

    /// Parses a digest of decoded bytes, `xxh3:…` or `sha256:…`, with lower-case digits; `None` if it is of another kind.
    pub(super) fn parse_decoded(text: &str, label: &Label) -> Result<Option<Self>, ContainerError> {
        check_grammar(text)?;
        let (scheme, digits) = text.split_once(':').unwrap_or((text, ""));
        let value = match scheme {
            "xxh3" => hex(digits).map(|bytes| Value::Xxh3(u64::from_be_bytes(bytes))),
            "sha256" => hex(digits).map(Value::Sha256),
            _ => return Ok(None),
        };
        let value =
            value.ok_or_else(|| label.malformed(format!("its digest is not of the form {scheme} has")))?;
        Ok(Some(Digest { value, decoded: true }))
    }

    /// What makes the same checksum of other bytes.
    pub(super) fn hasher(&self) -> Hasher {
        Hasher::of(&self.value)
    }

    /// Whether it is of the decoded bytes, not of those in the file.
    pub(super) fn is_of_decoded(&self) -> bool {
        self.decoded
    }

    /// Whether it is the checksum that was made.
    pub(super) fn matches(&self, made: Hasher) -> bool {
        made.finish() == self.value
    }

    pub(super) fn scheme(&self) -> &'static str {
        match self.value {
            Value::Crc32c(_) => "crc32c",
            Value::Xxh3(_) => "xxh3",
            Value::Sha256(_) => "sha256",
        }
    }
}

/// Checks that a digest of generation 2 is a name, a colon and hexadecimal digits, all in lower case.
pub(super) fn check_grammar(text: &str) -> Result<(), ContainerError> {
    let (name, digits) = text.split_once(':').unwrap_or_default();
    let fits = |text: &str, allowed: fn(u8) -> bool| !text.is_empty() && text.bytes().all(allowed);
    let name = fits(name, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    match name && fits(digits, |byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
        true => Ok(()),
        false => Err(ContainerError::Malformed(
            "a digest isn't a name, a colon and hexadecimal digits in lower case".into(),
        )),
    }
}

/// Exactly so many bytes in hexadecimal.
fn hex<const N: usize>(digits: &str) -> Option<[u8; N]> {
    let mut bytes = [0; N];
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if pairs.len() != N || !rest.is_empty() {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(bytes)
}

/// A checksum being made.
pub(super) enum Hasher {
    Crc32c(u32),
    Xxh3(Box<Xxh3>),
    Sha256(Box<Sha256>),
}

impl Hasher {
    fn of(value: &Value) -> Self {
        match value {
            Value::Crc32c(_) => Hasher::Crc32c(0),
            Value::Xxh3(_) => Hasher::Xxh3(Box::default()),
            Value::Sha256(_) => Hasher::Sha256(Box::default()),
        }
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Hasher::Crc32c(sum) => *sum = crc32c::crc32c_append(*sum, bytes),
            Hasher::Xxh3(state) => state.update(bytes),
            Hasher::Sha256(state) => state.update(bytes),
        }
    }

    pub(super) fn finish(self) -> Value {
        match self {
            Hasher::Crc32c(sum) => Value::Crc32c(sum),
            Hasher::Xxh3(state) => Value::Xxh3(state.digest()),
            Hasher::Sha256(state) => Value::Sha256(state.finalize().into()),
        }
    }
}
