//! The types of a part's elements.

pub(super) use crate::rows::Element;

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

/// The types of numbers that the format has.
const ELEMENTS: [(Element, &str); 12] = [
    (Element::F64, "f64"),
    (Element::F32, "f32"),
    (Element::F16, "f16"),
    (Element::Bf16, "bf16"),
    (Element::I64, "i64"),
    (Element::I32, "i32"),
    (Element::I16, "i16"),
    (Element::I8, "i8"),
    (Element::U64, "u64"),
    (Element::U32, "u32"),
    (Element::U16, "u16"),
    (Element::U8, "u8"),
];

/// The name of a type of numbers in generations 1.2 and 2.
pub(super) fn element_name(element: Element) -> &'static str {
    ELEMENTS.into_iter().find(|(known, _)| *known == element).map_or("unknown", |(_, name)| name)
}

/// The type of numbers of a name in generations 1.2 and 2.
pub(super) fn element_named(name: &str) -> Option<Element> {
    ELEMENTS.into_iter().find(|(_, known)| *known == name).map(|(element, _)| element)
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
