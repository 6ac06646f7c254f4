//! The types of a part's elements.

/// What the elements of a part are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Type {
    Number(Element),
    Bool,
    /// A type of one byte that isn't read: the 8-bit floats.
    Byte,
    /// Two elements in a byte.
    Nibble,
    /// Pairs of numbers: bytes of a pair.
    Pair(u64),
    Unknown,
}

/// Types of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Element {
    F64,
    F32,
    F16,
    Bf16,
    I64,
    I32,
    I16,
    I8,
    U64,
    U32,
    U16,
    U8,
}

impl Element {
    const ALL: [Element; 12] = [
        Element::F64,
        Element::F32,
        Element::F16,
        Element::Bf16,
        Element::I64,
        Element::I32,
        Element::I16,
        Element::I8,
        Element::U64,
        Element::U32,
        Element::U16,
        Element::U8,
    ];

    /// The type of a name in generations 1.2 and 2.
    pub(super) fn from_name(name: &str) -> Option<Self> {
        Element::ALL.into_iter().find(|element| element.name() == name)
    }

    /// Its name in generations 1.2 and 2.
    pub(super) fn name(self) -> &'static str {
        match self {
            Element::F64 => "f64",
            Element::F32 => "f32",
            Element::F16 => "f16",
            Element::Bf16 => "bf16",
            Element::I64 => "i64",
            Element::I32 => "i32",
            Element::I16 => "i16",
            Element::I8 => "i8",
            Element::U64 => "u64",
            Element::U32 => "u32",
            Element::U16 => "u16",
            Element::U8 => "u8",
        }
    }

    /// Bytes of a number.
    pub(super) const fn width(self) -> u64 {
        match self {
            Element::F64 | Element::I64 | Element::U64 => 8,
            Element::F32 | Element::I32 | Element::U32 => 4,
            Element::F16 | Element::Bf16 | Element::I16 | Element::U16 => 2,
            Element::I8 | Element::U8 => 1,
        }
    }
}

impl Type {
    /// Bytes of so many elements, if that is known; `None` also if it is more than can be counted.
    pub(super) fn size(self, elements: u64) -> Option<u64> {
        match self {
            Type::Number(element) => elements.checked_mul(element.width()),
            Type::Bool | Type::Byte => Some(elements),
            Type::Nibble => Some(elements.div_ceil(2)),
            Type::Pair(bytes) => elements.checked_mul(bytes),
            Type::Unknown => None,
        }
    }
}
