//! Burnpack files (`.bpk`), in which Burn keeps the tensors of a model: a directory in CBOR, and their bytes behind it.
//!
//! ```text
//! 0   magic "NRUB"  (BURN, as a little-endian integer)
//! 4   version       u16 = 1
//! 6   length n of the directory, u32
//! 10  directory
//!     zeros to the next multiple of 256: here the data begins
//!     tensors, each at a multiple of 256 from there, zeros between them
//! ```
//! All is little-endian. There is no checksum, and bytes behind the last tensor mean nothing. Reading is stricter than Burn's
//! own (0.21 and 0.22), which leaves to chance what a damaged file is read as; what these write passes.

mod directory;
mod encode;
mod layout;
mod merge;
mod read;
mod write;

use std::path::Path;
use std::sync::Arc;

pub(crate) use self::directory::{Directory, Dtype, Entry};
pub(crate) use self::encode::{Integers, encode};
pub(crate) use self::layout::{ALIGNMENT, MOST_TENSOR_BYTES, MOST_TENSORS, data_start};
use self::layout::{HEADER_LEN, MAGIC, MOST_METADATA_BYTES, VERSION};
pub use self::merge::merge_burnpacks;
use self::read::BurnpackRows;
pub use self::write::{BurnpackOptions, BurnpackWriter};
use crate::array::{Array, ArrayIds, Cell, Layout, array_cells};
use crate::container::{copied, hold_for_directory, no_tensor};
use crate::rows::Element;
use crate::{
    Cells, Container, ContainerError, IdReader, MappedFile, OpenError, RowReader, RowsError, Tensor,
};

/// An open Burnpack file, whose directory is sound.
#[derive(Debug)]
pub struct BurnpackFile {
    file: Arc<MappedFile>,
    directory: Directory,
    /// Where the data begins.
    start: u64,
    tensors: Vec<Tensor>,
}

impl BurnpackFile {
    /// Opens and maps the file at `path` and checks its directory: all tensors lie in the file, apart from each other,
    /// and have as many bytes as their shapes need; and nothing stands behind the last.
    ///
    /// # Errors
    /// [`OpenError::File`] as [`MappedFile::open`], [`OpenError::Container`] with what is wrong.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        let file = MappedFile::open(path)?;
        // Copied, because the mapped bytes may change under a reader that believes to have checked them.
        let copy = |bytes: &[u8]| Ok::<_, ContainerError>(tq_memory::copied(directory_bytes(bytes)?)?);
        let bytes = file.read(copy)??;
        let _hold = hold_for_directory(bytes.len())?;
        let directory = Directory::parse(&bytes)?;
        let start = data_start(HEADER_LEN + bytes.len());
        if let Some(last) = directory.last() {
            let end = start.checked_add(last.range.1);
            if end.is_none_or(|end| end > file.len()) {
                return Err(ContainerError::Malformed(format!(
                    "file of {} bytes is truncated: tensor \"{}\" needs {} from byte {} on",
                    file.len(),
                    last.name.escape_debug(),
                    last.len(),
                    start.saturating_add(last.range.0),
                ))
                .into());
            }
        }
        let end = start.saturating_add(directory.last().map_or(0, |last| last.range.1));
        if file.len() > end {
            let behind = file.len() - end;
            let problem = format!("{behind} bytes stand behind the end of the last tensor, at byte {end}");
            return Err(ContainerError::Malformed(problem).into());
        }
        let tensors = directory.tensors.iter().map(Tensor::from).collect();
        Ok(BurnpackFile { file: Arc::new(file), directory, start, tensors })
    }

    /// What the file says of itself beside its tensors, as keys and values.
    pub fn metadata(&self) -> &[(String, String)] {
        &self.directory.metadata
    }
}

impl Container for BurnpackFile {
    fn file(&self) -> &MappedFile {
        &self.file
    }

    fn format(&self) -> &str {
        "Burnpack 1"
    }

    fn tensors(&self) -> &[Tensor] {
        &self.tensors
    }

    /// Compares nothing: the format has no checksums.
    fn verify(&self, _tensor: usize, _poll: &mut dyn FnMut()) -> Result<bool, RowsError> {
        Ok(false)
    }

    fn rows(
        self: Box<Self>,
        tensor: usize,
        _poll: &mut dyn FnMut(),
    ) -> Result<Box<dyn RowReader>, RowsError> {
        let not_rows = |name: &str, obstacle| ContainerError::NotRows { tensor: name.to_owned(), obstacle };
        let Some(entry) = self.directory.tensors.get(tensor) else {
            let count = self.tensors.len();
            return Err(not_rows("", format!("number {tensor} of {count} was asked for")).into());
        };
        let matrix = entry.matrix().map_err(|obstacle| not_rows(&entry.name, obstacle))?;
        Ok(Box::new(BurnpackRows {
            float: matrix.float,
            dimension: matrix.dimension,
            rows: matrix.rows,
            position: self.start + entry.range.0,
            next: 0,
            file: self.file,
        }))
    }

    fn attributes(&self) -> Result<Vec<(String, String)>, ContainerError> {
        copied(&self.directory.metadata)
    }

    fn cells(&self, tensor: usize, poll: &mut dyn FnMut()) -> Result<Cells, RowsError> {
        match self.directory.tensors.get(tensor) {
            Some(entry) => array_cells(Arc::clone(&self.file), &entry.array(self.start), poll),
            None => Err(no_tensor(tensor, self.tensors.len()).into()),
        }
    }

    fn ids(self: Box<Self>, tensor: usize, _poll: &mut dyn FnMut()) -> Result<Box<dyn IdReader>, RowsError> {
        let Some(entry) = self.directory.tensors.get(tensor) else {
            let obstacle = format!("number {tensor} of {} was asked for", self.tensors.len());
            return Err(ContainerError::NotIds { tensor: String::new(), obstacle }.into());
        };
        let array = entry.array(self.start);
        Ok(Box::new(ArrayIds::new(self.file, array)?))
    }
}

/// A tensor as a matrix of floats.
struct Matrix {
    float: crate::FloatType,
    rows: u64,
    dimension: u32,
}

impl Entry {
    /// The tensor as rows, or why it isn't that.
    fn matrix(&self) -> Result<Matrix, String> {
        let float =
            self.dtype.float.ok_or_else(|| format!("its type is {}, not a float", self.dtype.name))?;
        let [rows, columns] = self.shape[..] else {
            return Err(format!("it has {} dimensions, not 2", self.shape.len()));
        };
        match u32::try_from(columns) {
            Ok(0) => Err("its rows are empty".to_owned()),
            Ok(dimension) => Ok(Matrix { float, rows, dimension }),
            Err(_) => Err(format!("its rows have {columns} numbers")),
        }
    }
}

impl Entry {
    /// The tensor as the cells that it has, with the data from `start` on.
    fn array(&self, start: u64) -> Array {
        let element = match self.dtype.name.as_str() {
            "F64" => Some(Element::F64),
            "F32" | "Flex32" => Some(Element::F32),
            "F16" => Some(Element::F16),
            "BF16" => Some(Element::Bf16),
            "I64" => Some(Element::I64),
            "I32" => Some(Element::I32),
            "I16" => Some(Element::I16),
            "I8" => Some(Element::I8),
            "U64" => Some(Element::U64),
            "U32" => Some(Element::U32),
            "U16" => Some(Element::U16),
            "U8" => Some(Element::U8),
            _ => None,
        };
        Array {
            name: self.name.clone(),
            dtype: self.dtype.name.clone(),
            cell: match (element, self.dtype.name.as_str()) {
                (Some(element), _) => Cell::Number(element),
                (None, "Bool" | "Bool(Native)" | "Bool(U8)") => Cell::Bool,
                _ => Cell::Opaque(self.dtype.width.unwrap_or_default()),
            },
            big_endian: false,
            layout: Layout::Rows,
            shape: self.shape.clone(),
            offset: start + self.range.0,
            entry: None,
            obstacle: None,
        }
    }
}

impl From<&Entry> for Tensor {
    fn from(entry: &Entry) -> Self {
        Tensor {
            name: entry.name.clone(),
            dtype: entry.dtype.name.clone(),
            shape: entry.shape.clone(),
            encoding: "dense".to_owned(),
            bytes: entry.len(),
            checksum: None,
            obstacle: entry.matrix().err(),
        }
    }
}

/// The bytes of the directory, behind a header that is right.
fn directory_bytes(bytes: &[u8]) -> Result<&[u8], ContainerError> {
    let malformed = |problem| Err(ContainerError::Malformed(problem));
    if let Some(magic) = bytes.first_chunk::<4>()
        && *magic != MAGIC
    {
        return malformed(format!("not a Burnpack file: it starts with \"{}\"", magic.escape_ascii()));
    }
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER_LEN>() else {
        return malformed(format!(
            "Burnpack header is truncated: {HEADER_LEN} bytes needed, {} present",
            bytes.len()
        ));
    };
    let [_, _, _, _, v0, v1, len @ ..] = *header;
    let version = u16::from_le_bytes([v0, v1]);
    if version != VERSION {
        return malformed(format!("unknown Burnpack version {version}"));
    }
    let len = u32::from_le_bytes(len) as usize;
    if len > MOST_METADATA_BYTES {
        return malformed(format!(
            "Burnpack metadata has {len} bytes: at most {MOST_METADATA_BYTES} are allowed"
        ));
    }
    match rest.get(..len) {
        Some(directory) => Ok(directory),
        None => {
            malformed(format!("Burnpack metadata is truncated: {len} bytes needed, {} present", rest.len()))
        }
    }
}
