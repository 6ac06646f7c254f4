//! An array: of what it is, and where it lies.

use crate::rows::Element;
use crate::zip::{Entry, Method};
use crate::{ContainerError, Tensor};

/// What the cells of an array are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cell {
    Number(Element),
    /// Texts of at most so many bytes each, zeros behind them.
    Bytes(u64),
    /// Texts of at most so many characters of four bytes each, zeros behind them.
    Chars(u64),
    /// Of so many bytes, which aren't read.
    Opaque(u64),
}

impl Cell {
    /// Bytes of one.
    pub(crate) fn width(self) -> u64 {
        match self {
            Cell::Number(element) => element.width(),
            Cell::Bytes(length) | Cell::Opaque(length) => length,
            Cell::Chars(length) => length.saturating_mul(4),
        }
    }
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
    /// Whether the first dimension is the one that varies fastest.
    pub(crate) columns_first: bool,
    pub(crate) shape: Vec<u64>,
    /// Where it begins in the file.
    pub(crate) offset: u64,
    /// Whether each row begins with its number of columns, in four bytes.
    pub(crate) counted_rows: bool,
    /// The entry of an archive that it is in, if it is in one: where that is deflated, it begins at `offset` of what is inflated.
    pub(crate) entry: Option<Entry>,
    /// Why the format can't give it as it is, whatever its type and shape.
    pub(crate) obstacle: Option<String>,
}

impl Array {
    /// Bytes of it; `None` if they can't be counted.
    pub(crate) fn bytes(&self) -> Option<u64> {
        let cells = self.shape.iter().try_fold(1u64, |product, size| product.checked_mul(*size))?;
        let rows = if self.counted_rows { self.shape.first().copied().unwrap_or_default() } else { 0 };
        cells.checked_mul(self.cell.width())?.checked_add(rows.checked_mul(4)?)
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
    pub(super) fn matrix(&self) -> Result<(Element, u64, u32), String> {
        if let Some(obstacle) = &self.obstacle {
            return Err(obstacle.clone());
        }
        let Cell::Number(element) = self.cell else {
            return Err(format!("its type is {}, not a number", self.dtype));
        };
        let [rows, columns] = self.shape[..] else {
            let count = self.shape.len();
            return Err(format!("it has {count} dimension{}, not 2", if count == 1 { "" } else { "s" }));
        };
        match u32::try_from(columns) {
            Ok(0) => Err("its rows are empty".to_owned()),
            Ok(dimension) => Ok((element, rows, dimension)),
            Err(_) => Err(format!("its rows have {columns} numbers")),
        }
    }

    /// What is known of it without reading it.
    pub(super) fn to_tensor(&self) -> Tensor {
        Tensor {
            name: self.name.clone(),
            dtype: self.dtype.clone(),
            shape: self.shape.clone(),
            encoding: match (self.columns_first, self.counted_rows) {
                (true, _) if self.deflated().is_some() => "dense, column by column, deflated",
                (false, _) if self.deflated().is_some() => "dense, deflated",
                (true, _) => "dense, column by column",
                (false, true) => "dense, each row with its length",
                (false, false) => "dense",
            }
            .to_owned(),
            bytes: self.entry.as_ref().map_or(self.bytes().unwrap_or(u64::MAX), |entry| entry.length),
            checksum: self.entry.as_ref().map(|_| "crc32"),
            obstacle: self.matrix().err(),
        }
    }
}
