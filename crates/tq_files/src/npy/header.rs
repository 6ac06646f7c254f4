//! What the header of an array says: type, order and shape.

use super::literal::Literals;
use crate::ContainerError;
use crate::array::{Array, Cell, Layout};
use crate::rows::Element;

/// NumPy's own limit.
const MOST_DIMENSIONS: usize = 64;

/// A header.
pub(super) struct Header {
    /// As the header has it; of a record type, what stands for it.
    dtype: String,
    cell: Cell,
    big_endian: bool,
    fortran_order: bool,
    shape: Vec<u64>,
    /// Why arrays of this type aren't read.
    obstacle: Option<String>,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// [`ContainerError::Malformed`].
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, ContainerError> {
        let (mut kind, mut order, mut shape) = (None, None, None);
        let mut literals = Literals::new(bytes);
        literals.expect(b'{')?;
        while !literals.take(b'}') {
            let key = literals.text()?;
            literals.expect(b':')?;
            let twice = match key {
                b"descr" => {
                    let read = match literals.peek() {
                        Some(b'[') => {
                            literals.pass()?;
                            Kind::records()
                        }
                        _ => Kind::of(literals.text()?).ok_or_else(|| literals.error("unknown type"))?,
                    };
                    kind.replace(read).is_some()
                }
                b"fortran_order" => order.replace(literals.truth()?).is_some(),
                b"shape" => shape.replace(literals.numbers(MOST_DIMENSIONS)?).is_some(),
                _ => return Err(literals.error("unknown key")),
            };
            if twice {
                return Err(literals.error("a key stands twice"));
            }
            if !literals.take(b',') {
                literals.expect(b'}')?;
                break;
            }
        }
        literals.end()?;
        let missing = |key| ContainerError::Malformed(format!("NumPy header: \"{key}\" is missing"));
        let Kind { dtype, cell, big_endian, obstacle } = kind.ok_or_else(|| missing("descr"))?;
        let fortran_order = order.ok_or_else(|| missing("fortran_order"))?;
        let shape = shape.ok_or_else(|| missing("shape"))?;
        Ok(Header { dtype, cell, big_endian, fortran_order, shape, obstacle })
    }

    /// The array, which begins at `offset` of its file.
    pub(super) fn into_array(self, name: String, offset: u64) -> Array {
        Array {
            name,
            dtype: self.dtype,
            cell: self.cell,
            big_endian: self.big_endian,
            layout: if self.fortran_order { Layout::Columns } else { Layout::Rows },
            shape: self.shape,
            offset,
            entry: None,
            obstacle: self.obstacle,
        }
    }
}

/// What a type is.
struct Kind {
    dtype: String,
    cell: Cell,
    big_endian: bool,
    obstacle: Option<String>,
}

impl Kind {
    fn records() -> Self {
        // How long a record is isn't looked for.
        let obstacle = Some("its type is a record of several fields".to_owned());
        Kind { dtype: "record".to_owned(), cell: Cell::Opaque(0), big_endian: false, obstacle }
    }

    /// The type of that code: byte order, kind, width.
    fn of(code: &[u8]) -> Option<Self> {
        let dtype = std::str::from_utf8(code).ok().filter(|code| code.is_ascii())?;
        let (order, rest) = match code {
            [order @ (b'<' | b'>' | b'|' | b'='), rest @ ..] => (*order, rest),
            rest => (b'=', rest),
        };
        let (kind, width) = rest.split_first()?;
        // Times have a unit behind their width, objects no width.
        let (width, unit) = match width.iter().position(|byte| *byte == b'[') {
            Some(at) => width.split_at(at),
            None => (width, &b""[..]),
        };
        let width: u64 = match (kind, width) {
            (b'O', b"" | b"8" | b"4") => 0,
            (_, digits) if digits.iter().all(u8::is_ascii_digit) => {
                std::str::from_utf8(digits).ok()?.parse().ok().filter(|width| *width <= u32::MAX.into())?
            }
            _ => return None,
        };
        let cell = match (kind, width) {
            (b'f', 2) => Cell::Number(Element::F16),
            (b'f', 4) => Cell::Number(Element::F32),
            (b'f', 8) => Cell::Number(Element::F64),
            (b'i', 1) => Cell::Number(Element::I8),
            (b'i', 2) => Cell::Number(Element::I16),
            (b'i', 4) => Cell::Number(Element::I32),
            (b'i', 8) => Cell::Number(Element::I64),
            (b'u', 1) => Cell::Number(Element::U8),
            (b'u', 2) => Cell::Number(Element::U16),
            (b'u', 4) => Cell::Number(Element::U32),
            (b'u', 8) => Cell::Number(Element::U64),
            (b'S' | b'a', width) => Cell::Bytes(width),
            (b'U', width) => Cell::Chars(width),
            // Complex numbers, long doubles, times, raw bytes, objects.
            (b'b', 1) => Cell::Bool,
            (b'c', 8 | 16 | 32) | (b'f', 12 | 16) | (b'V' | b'O', _) => Cell::Opaque(width),
            (b'M' | b'm', 8) => Cell::Opaque(8),
            _ => return None,
        };
        if !unit.is_empty() && !matches!(kind, b'M' | b'm') {
            return None;
        }
        let obstacle = match kind {
            b'O' => Some("its type is object: pickled Python objects are not read".to_owned()),
            b'f' if width > 8 => {
                Some(format!("its type is {dtype}: long doubles differ from machine to machine"))
            }
            _ => None,
        };
        Some(Kind { dtype: dtype.to_owned(), cell, big_endian: order == b'>', obstacle })
    }
}
