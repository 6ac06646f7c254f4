//! The elements of a tensor as bytes, whatever their number of dimensions: what is written into another file of tensors.

use crate::rows::{Element, RowsError};

/// What the elements of a tensor are on their way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CellType {
    Number(Element),
    /// Bytes that are 0 or 1.
    Bool,
}

impl CellType {
    /// Bytes of one.
    pub(crate) const fn width(self) -> u64 {
        match self {
            CellType::Number(element) => element.width(),
            CellType::Bool => 1,
        }
    }
}

/// The elements of a tensor, the last dimension varying fastest.
pub struct Cells {
    pub(crate) kind: CellType,
    pub(crate) shape: Vec<u64>,
    /// Bytes of all.
    pub(crate) bytes: u64,
    pub(crate) reader: Box<dyn CellReader>,
}

impl Cells {
    /// Of a shape whose bytes were counted before.
    pub(crate) fn new(kind: CellType, shape: &[u64], reader: Box<dyn CellReader>) -> Self {
        let cells = shape.iter().fold(1u64, |product, size| product.saturating_mul(*size));
        Cells { kind, shape: shape.to_vec(), bytes: cells.saturating_mul(kind.width()), reader }
    }
}

/// Reads elements front to back, little-endian.
pub(crate) trait CellReader: Send {
    /// Fills `out`, a whole number of elements, with the next ones. When these are the last, all that can be checked is.
    ///
    /// # Errors
    /// The file changed, or is malformed.
    fn fill(&mut self, out: &mut [u8]) -> Result<(), RowsError>;
}
