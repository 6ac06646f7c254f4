//! An array: of what it is, and where it lies.

use crate::rows::{Element, Packing};
use crate::zip::{Entry, Method};
use crate::{ContainerError, Tensor};

/// What the cells of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Number(Element),
    /// Bytes that are 0 or 1.
    Bool,
    /// Numbers that share their bytes with their neighbours in a row.
    Packed(Block),
    /// Texts of at most so many bytes each, zeros behind them.
    Bytes(u64),
    /// Texts of at most so many characters of four bytes each, zeros behind them.
    Chars(u64),
    /// Of so many bytes, which aren't read.
    Opaque(u64),
}

/// Some numbers in some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) cells: u64,
    pub(crate) bytes: u64,
    /// How they are packed; `None` if that isn't read.
    pub(crate) packing: Option<Packing>,
}

impl Cell {
    /// Bytes of one; 0 if it has none of its own.
    pub(crate) fn width(self) -> u64 {
        match self {
            Cell::Number(element) => element.width(),
            Cell::Bool => 1,
            Cell::Bytes(length) | Cell::Opaque(length) => length,
            Cell::Chars(length) => length.saturating_mul(4),
            Cell::Packed(_) => 0,
        }
    }

    /// Bytes of so many; `None` if they can't be counted, or aren't whole.
    fn bytes(self, cells: u64) -> Option<u64> {
        match self {
            Cell::Packed(block) if !cells.is_multiple_of(block.cells) => None,
            Cell::Packed(block) => (cells / block.cells).checked_mul(block.bytes),
            other => cells.checked_mul(other.width()),
        }
    }
}

/// How the cells of an array lie.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Layout {
    /// One behind the other, the last dimension varying fastest.
    Rows,
    /// Likewise, and each row begins with its number of columns, in four bytes.
    CountedRows,
    /// One behind the other, the first dimension varying fastest.
    Columns,
    /// For each dimension, so many bytes from one index to the next.
    Strided(Vec<u64>),
}

/// An array in a file.
#[derive(Debug, Clone)]
pub(crate) struct Array {
    /// Its name; empty where the file has only one.
    pub(crate) name: String,
    /// The type of its cells, as the format calls it.
    pub(crate) dtype: String,
    pub(crate) cell: Cell,
    pub(crate) big_endian: bool,
    pub(crate) layout: Layout,
    pub(crate) shape: Vec<u64>,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// The entry of an archive that it is in, if it is in one: where that is deflated, it begins at `offset` of what is inflated.
    pub(crate) entry: Option<Entry>,
    /// Why the format can't give it as it is, whatever its type and shape.
    pub(crate) obstacle: Option<String>,
}

impl Array {
    /// How many cells it has; `None` if they can't be counted.
    pub(crate) fn cells(&self) -> Option<u64> {
        self.shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size))
    }

    /// Bytes from its first cell to the end of its last; `None` if they can't be counted.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let cells = self.cells()?;
        match &self.layout {
            Layout::Rows | Layout::Columns => self.cell.bytes(cells),
            Layout::CountedRows => {
                let rows = self.shape.first().copied().unwrap_or_default();
                self.cell.bytes(cells)?.checked_add(rows.checked_mul(4)?)
            }
            Layout::Strided(_) if cells == 0 => Some(0),
            Layout::Strided(strides) => {
                self.shape.iter().zip(strides).try_fold(self.cell.width(), |end, (size, stride)| {
                    end.checked_add((size - 1).checked_mul(*stride)?)
                })
            }
        }
    }

    /// The entry in which it is compressed.
    pub(super) fn deflated(&self) -> Option<&Entry> {
        self.entry.as_ref().filter(|entry| entry.method == Method::Deflated)
    }

    /// Checks that it lies within a file of so many bytes.
    ///
    /// # Errors
    /// [`ContainerError::Malformed`].
    pub(crate) fn check(&self, file: u64) -> Result<u64, ContainerError> {
        let malformed = |problem| Err(ContainerError::Malformed(problem));
        let Some(bytes) = self.bytes() else {
            return malformed(format!("{}shape {:?} is beyond all bounds", self.prefix(), self.shape));
        };
        match self.offset.checked_add(bytes) {
            Some(end) if end <= file => Ok(end),
            _ => malformed(format!(
                "{}file of {file} bytes is truncated: shape {:?} of {} needs {bytes} from byte {} on",
                self.prefix(),
                self.shape,
                self.dtype,
                self.offset
            )),
        }
    }

    /// What an error says first.
    fn prefix(&self) -> String {
        match self.name.is_empty() {
            true => String::new(),
            false => format!("tensor \"{}\": ", self.name.escape_debug()),
        }
    }

    /// Its rows and their dimension, or why it has none.
    pub(super) fn matrix(&self) -> Result<(Coding, u64, u32), String> {
        if let Some(obstacle) = &self.obstacle {
            return Err(obstacle.clone());
        }
        let coding = match self.cell {
            Cell::Number(element) => Coding::Numbers { element, big_endian: self.big_endian },
            Cell::Packed(Block { packing: Some(packing), .. }) => Coding::Packed(packing),
            Cell::Packed(_) => return Err(format!("its type is {}, which isn't read here", self.dtype)),
            Cell::Bool | Cell::Bytes(_) | Cell::Chars(_) | Cell::Opaque(_) => {
                return Err(format!("its type is {}, not a number", self.dtype));
            }
        };
        let [rows, columns] = self.shape[..] else {
            let count = self.shape.len();
            return Err(format!("it has {count} dimension{}, not 2", if count == 1 { "" } else { "s" }));
        };
        match u32::try_from(columns) {
            Ok(0) => Err("its rows are empty".to_owned()),
            Ok(dimension) => Ok((coding, rows, dimension)),
            Err(_) => Err(format!("its rows have {columns} numbers")),
        }
    }

    /// What is known of it without reading it.
    pub(super) fn to_tensor(&self) -> Tensor {
        let mut encoding = match &self.layout {
            Layout::Rows if matches!(self.cell, Cell::Packed(_)) => "dense, in blocks",
            Layout::Rows => "dense",
            Layout::CountedRows => "dense, each row with its length",
            Layout::Columns => "dense, column by column",
            Layout::Strided(_) => "dense, with gaps",
        }
        .to_owned();
        if self.deflated().is_some() {
            encoding.push_str(", deflated");
        }
        Tensor {
            name: self.name.clone(),
            dtype: self.dtype.clone(),
            shape: self.shape.clone(),
            encoding,
            bytes: self.entry.as_ref().map_or(self.bytes().unwrap_or(u64::MAX), |entry| entry.length),
            checksum: self.entry.as_ref().map(|_| "crc32"),
            obstacle: self.matrix().err(),
        }
    }
}

/// How the numbers of a row become bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    /// Each by itself.
    Numbers { element: Element, big_endian: bool },
    /// Some in a block.
    Packed(Packing),
}
