//! The binary forms in which clients send a vector where a record is expected: a record, a pgvector `vector` or `halfvec`, or
//! an array of numbers, as PostgreSQL's protocol and binary COPY have them.
//!
//! ```text
//! record            u8 version = 1   64 bytes of hash   u32 dimension, little-endian   …      (see `record`)
//! vector, halfvec   i16 dimension   i16 unused = 0   per element: f32, FP16
//! sparsevec         i32 dimension   i32 elements   i32 unused = 0   per element: i32 index   then per element: f32
//! an array          i32 dimensions   i32 nulls = 0 or 1   oid of the elements   per dimension: i32 length   i32 first
//!                   per element: i32 size, -1 for a null   the element
//! ```
//! All numbers but a record's are big-endian; the last three are pgvector's `vector_send` and so on, and core's `array_send`.
//!
//! **Which it is.** What is a record in full is taken for one, so that no record is ever anything else. An array begins with two
//! zero bytes, its dimensions being 6 at most, and with the third zero and the fourth not, unless it is empty, which is twelve bytes;
//! a vector has zeros as its third and fourth byte, and as many bytes as its dimension asks for, which for dimension 0 are four. So
//! these two are never each other, and an array is never a record, which begins with 1. A vector that is a record as well would
//! have 256 to 511 dimensions and, where the record's own dimension and width are, a seventeenth element between 1.8e-40 and
//! 8.3e-40: only such a number's bytes begin with `00 02` to `00 08`. Embeddings have none; a vector made to be one is stored as it.

use half::f16;
use tq_memory::OutOfMemory;

use crate::{RecordError, RecordView};

/// What bytes say.
#[derive(Debug, Clone, PartialEq)]
pub enum VectorBinary<'a> {
    /// A record, checked in full.
    Record(RecordView<'a>),
    /// Floats that are yet to be compressed. NaN and infinities aren't refused here.
    Floats(Vec<f32>),
}

/// Why bytes are no vector's.
#[derive(thiserror::Error, Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum BinaryError {
    /// None of the forms, or a damaged record.
    #[error("{0}")]
    Record(#[from] RecordError),
    /// A form of something else: what, with how many elements.
    #[error("got the binary form of {0} with {1} elements")]
    Foreign(&'static str, u32),
    /// The form is that of a type whose sizes don't fit together.
    #[error("the binary form of {0} is damaged")]
    Damaged(&'static str),
    /// No elements.
    #[error("no elements")]
    Empty,
    /// An array with a null in it.
    #[error("a null among the elements")]
    Null,
    /// An array of so many dimensions.
    #[error("an array of {0} dimensions")]
    Nested(u32),
    /// A finite number that `f32` can't hold.
    #[error("\"{0}\" is out of range")]
    Range(String),
    /// There is no memory for the floats.
    #[error("{0}")]
    Memory(#[from] OutOfMemory),
}

impl<'a> VectorBinary<'a> {
    /// Reads any of the forms.
    ///
    /// # Errors
    /// The bytes are no vector's; see [`BinaryError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, BinaryError> {
        let error = match RecordView::parse(bytes) {
            Ok(record) => return Ok(Self::Record(record)),
            Err(error) => error,
        };
        if let Some(array) = ArrayHeader::of(bytes) {
            return array.floats().map(Self::Floats);
        }
        if let Some(floats) = pgvector_floats(bytes)? {
            return Ok(Self::Floats(floats));
        }
        match sparsevec_dimension(bytes) {
            Some(dimension) => Err(BinaryError::Foreign("a sparsevec", dimension)),
            None => Err(error.into()),
        }
    }
}

/// Types of an array's elements, by their OIDs, fixed in `catalog/pg_type.dat`.
#[derive(Clone, Copy)]
enum ElementType {
    Float4,
    Float8,
    Int2,
    Int4,
    Int8,
}

impl ElementType {
    fn of(oid: u32) -> Result<Self, &'static str> {
        match oid {
            700 => Ok(Self::Float4),
            701 => Ok(Self::Float8),
            21 => Ok(Self::Int2),
            23 => Ok(Self::Int4),
            20 => Ok(Self::Int8),
            1700 => Err("a numeric[]"),
            _ => Err("an array"),
        }
    }

    fn array(self) -> &'static str {
        match self {
            Self::Float4 => "a real[]",
            Self::Float8 => "a double precision[]",
            Self::Int2 => "a smallint[]",
            Self::Int4 => "an integer[]",
            Self::Int8 => "a bigint[]",
        }
    }

    /// An element, rounded to f32; `None` if it has another size.
    fn float(self, bytes: &[u8]) -> Option<f32> {
        Some(match self {
            Self::Float4 => f32::from_be_bytes(bytes.try_into().ok()?),
            Self::Float8 => f64::from_be_bytes(bytes.try_into().ok()?) as f32,
            Self::Int2 => i16::from_be_bytes(bytes.try_into().ok()?).into(),
            Self::Int4 => i32::from_be_bytes(bytes.try_into().ok()?) as f32,
            Self::Int8 => i64::from_be_bytes(bytes.try_into().ok()?) as f32,
        })
    }
}

/// The most dimensions that an array has (`MAXDIM`).
const MOST_DIMENSIONS: u32 = 6;

/// What an array begins with.
struct ArrayHeader<'a> {
    dimensions: u32,
    element: u32,
    rest: &'a [u8],
}

impl<'a> ArrayHeader<'a> {
    /// `None` if the bytes don't begin as an array does.
    fn of(bytes: &'a [u8]) -> Option<Self> {
        let (dimensions, rest) = word(bytes)?;
        let (nulls, rest) = word(rest)?;
        let (element, rest) = word(rest)?;
        let begins = nulls <= 1
            && match dimensions {
                0 => rest.is_empty(),
                1..=MOST_DIMENSIONS => true,
                _ => false,
            };
        begins.then_some(ArrayHeader { dimensions, element, rest })
    }

    fn floats(&self) -> Result<Vec<f32>, BinaryError> {
        match self.dimensions {
            0 => return Err(BinaryError::Empty),
            1 => {}
            dimensions => return Err(BinaryError::Nested(dimensions)),
        }
        let (length, rest) = word(self.rest).ok_or(BinaryError::Damaged("an array"))?;
        let element = ElementType::of(self.element).map_err(|what| BinaryError::Foreign(what, length))?;
        let damaged = BinaryError::Damaged(element.array());
        let Some((_, mut rest)) = word(rest) else { return Err(damaged) };
        // Each element has four bytes at least: what memory is asked for is bounded by what came.
        if length as usize > rest.len() / 4 {
            return Err(damaged);
        }
        let mut floats = tq_memory::with_capacity(length as usize)?;
        for _ in 0..length {
            let Some((size, after)) = word(rest) else { return Err(damaged) };
            if size == u32::MAX {
                return Err(BinaryError::Null);
            }
            let Some((value, after)) = after.split_at_checked(size as usize) else { return Err(damaged) };
            let Some(float) = element.float(value) else { return Err(damaged) };
            if let (ElementType::Float8, true, Some(&double)) =
                (element, float.is_infinite(), value.first_chunk())
            {
                let double = f64::from_be_bytes(double);
                if double.is_finite() {
                    return Err(BinaryError::Range(format!("{double:e}")));
                }
            }
            floats.push(float);
            rest = after;
        }
        match (rest, floats.is_empty()) {
            ([], false) => Ok(floats),
            ([], true) => Err(BinaryError::Empty),
            _ => Err(damaged),
        }
    }
}

/// The elements of a `vector` or a `halfvec`; `None` if the bytes are neither.
fn pgvector_floats(bytes: &[u8]) -> Result<Option<Vec<f32>>, BinaryError> {
    let [high, low, 0, 0, elements @ ..] = bytes else { return Ok(None) };
    let dimension = usize::from(u16::from_be_bytes([*high, *low]));
    Ok(Some(match elements.len() {
        0 if dimension == 0 => return Err(BinaryError::Empty),
        length if length == 4 * dimension => {
            tq_memory::collected(elements.as_chunks().0.iter().map(|float| f32::from_be_bytes(*float)))?
        }
        length if length == 2 * dimension => {
            let halves = elements.as_chunks().0.iter();
            tq_memory::collected(halves.map(|half| f16::from_be_bytes(*half).to_f32()))?
        }
        _ => return Ok(None),
    }))
}

fn sparsevec_dimension(bytes: &[u8]) -> Option<u32> {
    let (dimension, rest) = word(bytes)?;
    let (count, rest) = word(rest)?;
    let (unused, rest) = word(rest)?;
    (unused == 0 && rest.len() as u64 == 8 * u64::from(count)).then_some(dimension)
}

fn word(bytes: &[u8]) -> Option<(u32, &[u8])> {
    let (word, rest) = bytes.split_first_chunk()?;
    Some((u32::from_be_bytes(*word), rest))
}
