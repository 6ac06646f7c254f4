//! What a file calls things: names of types and layouts, by generation, and what a name may be.

use super::types::{Element, Type, element_named};
use crate::ContainerError;

/// Names of the encoding and of the sparse layouts.
pub(super) const SEEKABLE: &str = "zt.zstd-seekable/1";
pub(super) const CSR: &str = "zt.sparse_csr/1";
pub(super) const COO: &str = "zt.sparse_coo/1";

/// Names are 1 to 1024 bytes without NUL: what generation 2 demands, and a name in SQL can be.
pub(super) fn check_name(name: &str) -> Result<(), ContainerError> {
    match name.len() {
        1..=1024 if !name.contains('\0') => Ok(()),
        length => Err(ContainerError::Malformed(format!(
            "a name has {length} bytes or a NUL: it must have 1 to 1024, and no NUL"
        ))),
    }
}

/// Types by the names of generations 0.1 and 1.0.
pub(super) fn element_0_1(name: &str) -> Type {
    match name {
        "float64" => Type::Number(Element::F64),
        "float32" => Type::Number(Element::F32),
        "float16" => Type::Number(Element::F16),
        "bfloat16" => Type::Number(Element::Bf16),
        "int64" => Type::Number(Element::I64),
        "int32" => Type::Number(Element::I32),
        "int16" => Type::Number(Element::I16),
        "int8" => Type::Number(Element::I8),
        "uint64" => Type::Number(Element::U64),
        "uint32" => Type::Number(Element::U32),
        "uint16" => Type::Number(Element::U16),
        "uint8" => Type::Number(Element::U8),
        "bool" => Type::Bool,
        _ => Type::Unknown,
    }
}

/// Types by the names of generation 1.2, which are those of generation 2 and `bool`.
pub(super) fn element_1_2(name: &str) -> Type {
    match name {
        "bool" => Type::Bool,
        _ => element_named(name).map_or(Type::Unknown, Type::Number),
    }
}
