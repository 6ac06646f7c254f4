//! Ids on their way into a tensor of their own, behind that of the rows.
//!
//! Whole numbers of 64 bits become `i64`, one for each row. These formats have no texts: where there is any other id, all become texts
//! of one length in UTF-8, zeros behind them, as a tensor of bytes of the shape *rows* x *length* x 1. The last dimension keeps it
//! from being taken for a matrix of vectors.

use std::path::Path;

use tq_memory::Grow;

use crate::io::Spool;
use crate::{ContainerError, Id, RowsError};

/// The longest id that is written: each takes as much as the longest.
const MOST_BYTES: usize = 1024;

/// Ids, which wait until all rows are written.
pub(crate) struct IdTensor {
    spool: Spool,
    count: u64,
    /// Whether all are whole numbers of 64 bits.
    whole: bool,
    /// Bytes of the longest text.
    longest: usize,
    /// Some of them as they wait, each behind its length, kept for its capacity.
    some: Vec<u8>,
}

/// What the tensor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdKind {
    Whole { count: u64 },
    Texts { count: u64, length: u64 },
}

impl IdKind {
    /// That of the longest description.
    pub(crate) const LONGEST: IdKind = IdKind::Texts { count: u64::MAX, length: MOST_BYTES as u64 };

    pub(crate) fn shape(self) -> Vec<u64> {
        match self {
            IdKind::Whole { count } => vec![count],
            IdKind::Texts { count, length } => vec![count, length, 1],
        }
    }

    /// Bytes of the tensor.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            IdKind::Whole { count } => count.saturating_mul(8),
            IdKind::Texts { count, length } => count.saturating_mul(length),
        }
    }
}

impl IdTensor {
    /// None yet; what has to wait does so in `folder`.
    pub(crate) fn new(folder: &Path) -> Self {
        IdTensor { spool: Spool::new(folder), count: 0, whole: true, longest: 1, some: Vec::new() }
    }

    /// Adds ids.
    ///
    /// # Errors
    /// One that is too long; the system's.
    pub(crate) fn append(&mut self, ids: &[Id]) -> Result<(), RowsError> {
        for id in ids {
            // A number is a small text.
            tq_memory::check()?;
            self.whole &= id.as_whole().is_some();
            let number;
            let text = match id {
                Id::Integer(text) | Id::Text(text) => text,
                Id::Number(value) => {
                    number = value.to_string();
                    &number
                }
            };
            if text.len() > MOST_BYTES {
                let (row, length) = (self.count + 1, text.len());
                let problem = format!(
                    "the id of row {row} has {length} bytes: a tensor of texts has at most {MOST_BYTES}"
                );
                return Err(ContainerError::Unsupported(problem).into());
            }
            self.longest = self.longest.max(text.len());
            self.count += 1;
            self.some.try_room(4 + text.len())?;
            self.some.extend((text.len() as u32).to_le_bytes());
            self.some.extend_from_slice(text.as_bytes());
        }
        self.spool.append(&self.some)?;
        self.some.clear();
        Ok(())
    }

    /// What the tensor will be.
    pub(crate) fn kind(&self) -> IdKind {
        match self.whole {
            true => IdKind::Whole { count: self.count },
            false => IdKind::Texts { count: self.count, length: self.longest as u64 },
        }
    }

    /// Bytes that wait.
    pub(crate) fn waiting(&self) -> u64 {
        self.spool.len()
    }

    /// Refuses another number of them than of rows.
    pub(crate) fn check(&self, rows: u64) -> Result<(), RowsError> {
        match self.count == rows {
            true => Ok(()),
            false => {
                let problem = format!("{} ids were given for {rows} rows", self.count);
                Err(ContainerError::Malformed(problem).into())
            }
        }
    }

    /// Gives the tensor's bytes in order.
    ///
    /// # Errors
    /// The system's, and those of `put`.
    pub(crate) fn write(self, mut put: impl FnMut(&[u8]) -> Result<(), RowsError>) -> Result<(), RowsError> {
        let IdTensor { spool, whole, longest, .. } = self;
        // What is left of a block behind its last whole id, and what is made of the others.
        let (mut rest, mut made): (Vec<u8>, Vec<u8>) = (Vec::new(), Vec::new());
        spool.replay::<RowsError>(|block| {
            rest.try_extend(block)?;
            let mut left = &rest[..];
            made.clear();
            while let Some((length, behind)) = left.split_first_chunk::<4>()
                && let Some((text, behind)) = behind.split_at_checked(u32::from_le_bytes(*length) as usize)
            {
                if whole {
                    made.try_extend(&whole_of(text).to_le_bytes())?;
                } else {
                    made.try_extend(text)?;
                    made.try_resize(made.len() + longest - text.len(), 0)?;
                }
                left = behind;
            }
            put(&made)?;
            let used = rest.len() - left.len();
            rest.drain(..used);
            Ok(())
        })
    }
}

/// The number that a text is, which was made of one.
fn whole_of(text: &[u8]) -> i64 {
    std::str::from_utf8(text).ok().and_then(|text| text.parse().ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(ids: &[Id]) -> (IdKind, Vec<u8>) {
        let folder = tempfile::TempDir::new().unwrap();
        let mut tensor = IdTensor::new(folder.path());
        ids.chunks(1000).for_each(|some| tensor.append(some).unwrap());
        let (kind, mut bytes) = (tensor.kind(), Vec::new());
        let put = |some: &[u8]| {
            bytes.extend_from_slice(some);
            Ok(())
        };
        tensor.write(put).unwrap();
        assert_eq!(bytes.len() as u64, kind.bytes());
        (kind, bytes)
    }

    #[test]
    fn whole_numbers_and_texts() {
        let whole: Vec<Id> = (-1..200_000).map(|id| Id::of_whole(id << 40)).collect();
        let (kind, bytes) = written(&whole);
        assert_eq!(kind, IdKind::Whole { count: 200_001 });
        assert!(bytes.as_chunks::<8>().0.iter().zip(-1i64..).all(|(id, n)| *id == (n << 40).to_le_bytes()));
        let mixed = [Id::Number(1.0), Id::Number(1.5), Id::Integer("9".repeat(20)), Id::Text("ü".into())];
        let (kind, bytes) = written(&mixed);
        assert_eq!(kind, IdKind::Texts { count: 4, length: 20 });
        assert!(bytes.starts_with(b"1\0") && bytes[20..].starts_with(b"1.5\0") && bytes.ends_with(b"\0"));
        assert_eq!(written(&[Id::Text(String::new())]), (IdKind::Texts { count: 1, length: 1 }, vec![0]));
        assert_eq!(written(&[]), (IdKind::Whole { count: 0 }, vec![]));
        let long = IdTensor::new(Path::new("")).append(&[Id::Text("x".repeat(1025))]);
        assert!(long.unwrap_err().to_string().contains("has 1025 bytes"));
    }
}
