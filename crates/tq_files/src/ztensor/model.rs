//! What a directory says of tensors, whatever the generation, and the rules that all generations share.

use std::fmt;

use super::digest::Digest;
use super::label::Label;
use super::names::SEEKABLE;
use super::types::{Element, Type};
use crate::{ContainerError, Tensor};

/// Widest row of a dense tensor.
pub(super) const MOST_DENSE_DIMENSION: u64 = 1 << 24;
/// Widest row of a sparse tensor: what makes a few bytes of a file a row of numbers must have its limit.
pub(super) const MOST_SPARSE_DIMENSION: u64 = 16_000;
/// Most dimensions of a tensor of generation 2.
pub(super) const MOST_DIMENSIONS: usize = 64;
/// Most rows of a COO tensor, whose file needs no byte for a row without entries.
const MOST_COO_ROWS: u64 = u32::MAX as u64;

/// A named tensor.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) name: String,
    pub(super) shape: Vec<u64>,
    pub(super) layout: Layout,
    /// The layout as the file calls it.
    pub(super) layout_name: String,
    pub(super) parts: Vec<Part>,
    /// Why it can't be read as rows.
    pub(super) obstacle: Option<String>,
}

/// How numbers are arranged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// All of them, row by row: part `data`.
    Dense,
    /// Compressed sparse rows: parts `values`, `indices` (columns) and `indptr` (where rows begin).
    Csr,
    /// Coordinate list: parts `values` and `coords`, first all rows and then all columns.
    Coo,
    /// Anything else.
    Other,
}

/// A stretch of bytes that belongs to a tensor.
#[derive(Debug)]
pub(super) struct Part {
    /// For messages: the tensor's name and the part's.
    pub(super) label: Label,
    pub(super) kind: Type,
    /// The type as the file calls it.
    pub(super) type_name: String,
    pub(super) big_endian: bool,
    pub(super) offset: u64,
    /// Bytes in the file.
    pub(super) length: u64,
    pub(super) encoding: Encoding,
    /// Bytes once decoded, if that is known.
    pub(super) decoded: Option<u64>,
    pub(super) digest: Option<Digest>,
    /// The shard that has the bytes, if it isn't this file.
    pub(super) shard: Option<String>,
}

/// How a part's bytes are encoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Encoding {
    Raw,
    /// One zstd frame.
    Zstd,
    /// zstd frames and a table of them.
    Seekable,
    Unknown(String),
}

impl Object {
    /// Checks sizes against the shape, fills in those that follow from it, and finds what stands in the way of reading.
    pub(super) fn check(&mut self) -> Result<(), ContainerError> {
        let elements = self.shape.iter().try_fold(1u64, |product, extent| product.checked_mul(*extent));
        let elements =
            elements.ok_or_else(|| self.malformed("its shape has more elements than can be counted"))?;
        match self.layout {
            Layout::Dense => self.check_dense(elements)?,
            Layout::Csr => self.check_csr(elements)?,
            Layout::Coo => self.check_coo(elements)?,
            Layout::Other => {}
        }
        self.obstacle = self.find_obstacle();
        Ok(())
    }

    fn malformed(&self, problem: impl fmt::Display) -> ContainerError {
        ContainerError::Malformed(format!("tensor \"{}\": {problem}", self.name))
    }

    fn check_dense(&mut self, elements: u64) -> Result<(), ContainerError> {
        let data = self.part_mut("data")?;
        match data.kind {
            Type::Unknown => Ok(()),
            kind => data.must_have(kind.size(elements), "its shape and type need"),
        }
    }

    fn check_csr(&mut self, elements: u64) -> Result<(), ContainerError> {
        let &[rows, _] = &self.shape[..] else {
            return Err(self.malformed("a CSR tensor must have two dimensions"));
        };
        let (indptr, indices) = (self.part("indptr")?, self.part("indices")?);
        let (entries, values) = (indices.elements()?, self.part("values")?.kind);
        if let Type::Number(_) = indptr.kind {
            let size = rows.checked_add(1).and_then(|count| indptr.kind.size(count));
            self.part_mut("indptr")?.must_have(size, "its rows need")?;
        }
        self.check_entries(entries, elements)?;
        match entries {
            Some(entries) if values != Type::Unknown => {
                self.part_mut("values")?.must_have(values.size(entries), "the indices need")
            }
            _ => self.part("values")?.elements().map(drop),
        }
    }

    fn check_coo(&mut self, elements: u64) -> Result<(), ContainerError> {
        let (coords, values) = (self.part("coords")?.kind, self.part("values")?);
        let entries = values.elements()?;
        self.check_entries(entries, elements)?;
        match (entries, coords) {
            (Some(entries), Type::Number(_)) => {
                let count = entries.checked_mul(self.shape.len() as u64);
                let size = count.and_then(|count| coords.size(count));
                self.part_mut("coords")?.must_have(size, "the values need")
            }
            _ => Ok(()),
        }
    }

    /// No cell has two entries.
    fn check_entries(&self, entries: Option<u64>, elements: u64) -> Result<(), ContainerError> {
        match entries {
            Some(entries) if entries > elements => {
                Err(self.malformed(format!("it has {entries} entries, and its shape only {elements} cells")))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn part(&self, role: &str) -> Result<&Part, ContainerError> {
        let part = self.parts.iter().find(|part| part.label.part == role);
        part.ok_or_else(|| self.malformed(format!("its part \"{role}\" is missing")))
    }

    fn part_mut(&mut self, role: &str) -> Result<&mut Part, ContainerError> {
        let missing = self.malformed(format!("its part \"{role}\" is missing"));
        self.parts.iter_mut().find(|part| part.label.part == role).ok_or(missing)
    }

    fn find_obstacle(&self) -> Option<String> {
        if self.layout == Layout::Other {
            return Some(format!("its layout \"{}\" isn't read here", self.layout_name));
        }
        if let Some(obstacle) = self.parts.iter().find_map(Part::obstacle) {
            return Some(obstacle);
        }
        let &[rows, columns] = &self.shape[..] else {
            return Some(format!("it has {} dimensions, and rows need 2", self.shape.len()));
        };
        let (most, most_rows) = match self.layout {
            Layout::Dense => (MOST_DENSE_DIMENSION, u64::MAX),
            Layout::Csr => (MOST_SPARSE_DIMENSION, u64::MAX),
            _ => (MOST_SPARSE_DIMENSION, MOST_COO_ROWS),
        };
        if columns == 0 {
            return Some("its rows are empty".into());
        }
        if columns > most {
            return Some(format!("its rows have {columns} numbers, and at most {most} are read"));
        }
        if rows > most_rows {
            return Some(format!("it has {rows} rows, and at most {most_rows} of such a tensor are read"));
        }
        let index = |part: &&Part| ["indices", "indptr", "coords"].contains(&&*part.label.part);
        let types: Vec<_> = self.parts.iter().filter(index).map(|part| part.kind).collect();
        let allowed = [Type::Number(Element::U64), Type::Number(Element::U32)];
        if types.iter().any(|kind| !allowed.contains(kind) || *kind != types[0]) {
            return Some("its indices are not all of type u64, or all of type u32".into());
        }
        None
    }

    pub(super) fn to_tensor(&self) -> Tensor {
        let values = self.parts.iter().find(|part| ["data", "values"].contains(&&*part.label.part));
        let values = values.or(self.parts.first());
        let mut encoding = self.layout_name.clone();
        for part in &self.parts {
            let name = match &part.encoding {
                Encoding::Raw => continue,
                Encoding::Zstd => "zstd",
                Encoding::Seekable => SEEKABLE,
                Encoding::Unknown(name) => name,
            };
            encoding = format!("{}, {name}", self.layout_name);
        }
        Tensor {
            name: self.name.clone(),
            dtype: values.map(|part| part.type_name.clone()).unwrap_or_default(),
            shape: self.shape.clone(),
            encoding,
            bytes: self.parts.iter().fold(0, |sum, part| sum.saturating_add(part.length)),
            checksum: self.parts.iter().find_map(|part| part.digest.as_ref().map(Digest::scheme)),
            obstacle: self.obstacle.clone(),
        }
    }
}

impl Part {
    /// The numbers in it, if that is known.
    fn elements(&self) -> Result<Option<u64>, ContainerError> {
        let (Type::Number(element), Some(size)) = (self.kind, self.decoded) else { return Ok(None) };
        match size.is_multiple_of(element.width()) {
            true => Ok(Some(size / element.width())),
            false => Err(self.label.malformed(format!("its {size} bytes are not whole numbers of its type"))),
        }
    }

    /// Compares its decoded size with what it has to be, or notes that.
    fn must_have(&mut self, size: Option<u64>, why: &str) -> Result<(), ContainerError> {
        let Some(size) = size else {
            return Err(self.label.malformed(format!("{why} more bytes than can be counted")));
        };
        match self.decoded {
            Some(decoded) if decoded != size => {
                Err(self.label.malformed(format!("it has {decoded} bytes, and {why} {size}")))
            }
            _ => {
                self.decoded = Some(size);
                Ok(())
            }
        }
    }

    /// Why its numbers can't be read.
    pub(super) fn obstacle(&self) -> Option<String> {
        if let Some(shard) = &self.shard {
            return Some(format!("its part \"{}\" lies in another file, shard \"{shard}\"", self.label.part));
        }
        if let Encoding::Unknown(name) = &self.encoding {
            return Some(format!("its encoding \"{name}\" isn't read here"));
        }
        match self.kind {
            Type::Number(_) if self.big_endian && self.encoding != Encoding::Raw => {
                Some("it is compressed and big-endian".into())
            }
            Type::Number(_) => None,
            _ => Some(format!("its type \"{}\" isn't one of numbers that are read here", self.type_name)),
        }
    }
}
