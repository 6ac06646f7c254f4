//! The directories of generations 1.0 and 1.2: CBOR maps of tensors, which are maps of components.
//!
//! Generation 1.0 gives a tensor a type, and its indices are `u64`; generation 1.2 gives each component its own.

use super::fields::{need, optional_text, shape};
use super::rules::{self, Rules};
use crate::ContainerError;
use crate::cbor::{self, Form, Item};
use crate::ztensor::digest::Digest;
use crate::ztensor::frame::directory_error;
use crate::ztensor::label::Label;
use crate::ztensor::model::{Encoding, Layout, Object, Part};
use crate::ztensor::names::{element_0_1, element_1_2};
use crate::ztensor::types::{Element, Type};

/// Which of the two generations it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::ztensor) enum Dialect {
    /// 1.0, named after its key of the tensors.
    Tensors,
    /// 1.2, likewise.
    Objects,
}

/// Reads and checks the directory.
pub(in crate::ztensor) fn objects(
    bytes: &[u8],
    rules: &Rules,
    dialect: Dialect,
) -> Result<Vec<Object>, ContainerError> {
    let root = cbor::parse(bytes, Form::WellFormed).map_err(directory_error)?;
    need(&root, "version")?.text().map_err(directory_error)?;
    let key = if dialect == Dialect::Tensors { "tensors" } else { "objects" };
    let entries = need(&root, key)?.entries().map_err(directory_error)?;
    let objects = entries.map(|(name, value)| object(name.text().map_err(directory_error)?, value, dialect));
    let mut objects = objects.collect::<Result<Vec<_>, _>>()?;
    rules::check(&mut objects, rules)?;
    Ok(objects)
}

fn object(name: &str, value: Item<'_>, dialect: Dialect) -> Result<Object, ContainerError> {
    let format = need(&value, "format")?.text().map_err(directory_error)?;
    let common = match dialect {
        Dialect::Tensors => Some(need(&value, "dtype")?.text().map_err(directory_error)?),
        Dialect::Objects => None,
    };
    let components = need(&value, "components")?.entries().map_err(directory_error)?;
    let parts = components.map(|(role, value)| {
        let role = role.text().map_err(directory_error)?;
        component(Label { tensor: name.into(), part: role.into() }, value, common)
    });
    Ok(Object {
        name: name.into(),
        shape: shape(need(&value, "shape")?)?,
        layout: match format {
            "dense" => Layout::Dense,
            "sparse_csr" => Layout::Csr,
            "sparse_coo" => Layout::Coo,
            _ => Layout::Other,
        },
        layout_name: format.into(),
        parts: parts.collect::<Result<_, _>>()?,
        obstacle: None,
    })
}

/// Reads a component; `common` is the type of the whole tensor, in the dialect that has one.
fn component(label: Label, value: Item<'_>, common: Option<&str>) -> Result<Part, ContainerError> {
    let number = |key| need(&value, key)?.unsigned().map_err(directory_error);
    let length = number("length")?;
    let encoding = match optional_text(&value, "encoding")? {
        None | Some("raw") => Encoding::Raw,
        Some("zstd") => Encoding::Zstd,
        Some(other) => Encoding::Unknown(other.into()),
    };
    let declared = value.get("uncompressed_length").map_err(directory_error)?.filter(|item| !item.is_null());
    let declared = declared.map(|item| item.unsigned().map_err(directory_error)).transpose()?;
    if encoding == Encoding::Raw && declared.is_some_and(|declared| declared != length) {
        return Err(label.malformed("its two lengths differ, and it isn't compressed"));
    }
    let index = ["indices", "indptr", "coords"].contains(&&*label.part);
    let (kind, type_name) = match common {
        Some(_) if index => (Type::Number(Element::U64), "uint64".into()),
        Some(dtype) => (element_0_1(dtype), dtype.into()),
        None => {
            let dtype = need(&value, "dtype")?.text().map_err(directory_error)?;
            match optional_text(&value, "type")? {
                None => (element_1_2(dtype), dtype.into()),
                Some(logical) => (Type::Unknown, format!("{dtype}/{logical}")),
            }
        }
    };
    Ok(Part {
        kind,
        type_name,
        big_endian: false,
        offset: number("offset")?,
        length,
        decoded: if encoding == Encoding::Raw { Some(length) } else { declared },
        encoding,
        digest: optional_text(&value, "digest")?
            .map(|text| Digest::parse_stored(text, &label))
            .transpose()?
            .flatten(),
        shard: None,
        label,
    })
}
