//! What a pickle may name: functions that make tensors, types of storages and of numbers. All else is refused.

use crate::array::Cell;
use crate::rows::Element;

/// A name of Python's that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::torch) enum Global {
    OrderedDict,
    /// `_rebuild_tensor`, `_rebuild_tensor_v2`: of a storage whose type is the tensor's.
    Tensor,
    /// `_rebuild_tensor_v3`, which says the type.
    TypedTensor,
    /// `_rebuild_parameter`: of a tensor.
    Parameter,
    Storage(Dtype),
    /// A storage of bytes.
    Bytes,
    Dtype(Dtype),
}

/// A type of numbers: its place in the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::torch) struct Dtype(u8);

/// Types: what they are called, their storages, what they are.
const DTYPES: [(&str, &str, Cell); 22] = [
    ("float64", "DoubleStorage", Cell::Number(Element::F64)),
    ("float32", "FloatStorage", Cell::Number(Element::F32)),
    ("float16", "HalfStorage", Cell::Number(Element::F16)),
    ("bfloat16", "BFloat16Storage", Cell::Number(Element::Bf16)),
    ("int64", "LongStorage", Cell::Number(Element::I64)),
    ("int32", "IntStorage", Cell::Number(Element::I32)),
    ("int16", "ShortStorage", Cell::Number(Element::I16)),
    ("int8", "CharStorage", Cell::Number(Element::I8)),
    ("uint8", "ByteStorage", Cell::Number(Element::U8)),
    ("bool", "BoolStorage", Cell::Bool),
    ("complex64", "ComplexFloatStorage", Cell::Opaque(8)),
    ("complex128", "ComplexDoubleStorage", Cell::Opaque(16)),
    // These have no storages of their own.
    ("uint64", "", Cell::Number(Element::U64)),
    ("uint32", "", Cell::Number(Element::U32)),
    ("uint16", "", Cell::Number(Element::U16)),
    ("float8_e4m3fn", "", Cell::Number(Element::F8E4m3)),
    ("float8_e5m2", "", Cell::Number(Element::F8E5m2)),
    ("float8_e8m0fnu", "", Cell::Number(Element::F8E8m0)),
    ("float8_e4m3fnuz", "", Cell::Opaque(1)),
    ("float8_e5m2fnuz", "", Cell::Opaque(1)),
    ("complex32", "", Cell::Opaque(4)),
    ("float4_e2m1fn_x2", "", Cell::Opaque(1)),
];

impl Dtype {
    fn find(known: impl Fn(&str, &str) -> bool) -> Option<Self> {
        DTYPES.iter().position(|(name, storage, _)| known(name, storage)).map(|place| Dtype(place as u8))
    }

    fn entry(self) -> (&'static str, &'static str, Cell) {
        DTYPES.get(usize::from(self.0)).copied().unwrap_or(DTYPES[0])
    }

    /// What it is called.
    pub(in crate::torch) fn name(self) -> &'static str {
        self.entry().0
    }

    /// What its numbers are.
    pub(in crate::torch) fn cell(self) -> Cell {
        self.entry().2
    }
}

impl Global {
    /// What a name of a module stands for; `None` if that isn't known, and nothing to be run.
    pub(super) fn of(module: &str, name: &str) -> Option<Self> {
        Some(match (module, name) {
            ("collections", "OrderedDict") => Global::OrderedDict,
            ("torch._utils", "_rebuild_tensor" | "_rebuild_tensor_v2") => Global::Tensor,
            ("torch._utils", "_rebuild_tensor_v3") => Global::TypedTensor,
            ("torch._utils", "_rebuild_parameter" | "_rebuild_parameter_with_state") => Global::Parameter,
            ("torch" | "torch.storage", "UntypedStorage") => Global::Bytes,
            ("torch" | "torch.storage", name) if name.ends_with("Storage") => {
                Global::Storage(Dtype::find(|_, storage| storage == name)?)
            }
            ("torch", name) => Global::Dtype(Dtype::find(|known, _| known == name)?),
            _ => return None,
        })
    }
}
