//! The types of tensors, by their numbers.

use crate::array::{Block, Cell};
use crate::rows::{Element, Packing};

/// A type.
pub(super) struct Type {
    pub(super) name: String,
    /// `None` if it isn't known.
    pub(super) cell: Option<Cell>,
}

/// The types that are packed in blocks and not read, as ggml has them: number, name, numbers and bytes of a block.
const PACKED: [(u32, &str, u64, u64); 24] = [
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (9, "Q8_1", 32, 40),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (29, "IQ1_M", 256, 56),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
];

impl Type {
    /// The type of that number.
    pub(super) fn of(number: u32) -> Self {
        let (name, element) = match number {
            0 => ("F32", Element::F32),
            1 => ("F16", Element::F16),
            24 => ("I8", Element::I8),
            25 => ("I16", Element::I16),
            26 => ("I32", Element::I32),
            27 => ("I64", Element::I64),
            28 => ("F64", Element::F64),
            30 => ("BF16", Element::Bf16),
            2 => return Type::read("Q4_0", Packing::Q4_0),
            8 => return Type::read("Q8_0", Packing::Q8_0),
            other => {
                return match PACKED.into_iter().find(|(known, ..)| *known == other) {
                    Some((_, name, cells, bytes)) => Type::packed(name, cells, bytes, None),
                    None => Type { name: format!("type {other}"), cell: None },
                };
            }
        };
        Type { name: name.to_owned(), cell: Some(Cell::Number(element)) }
    }

    fn read(name: &str, packing: Packing) -> Self {
        Type::packed(name, packing.cells(), packing.bytes(), Some(packing))
    }

    fn packed(name: &str, cells: u64, bytes: u64, packing: Option<Packing>) -> Self {
        Type { name: name.to_owned(), cell: Some(Cell::Packed(Block { cells, bytes, packing })) }
    }
}
