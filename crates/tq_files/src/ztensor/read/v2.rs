//! The directory of generation 2: a CBOR map in core deterministic encoding, of objects, their parts, and shards.
//!
//! A part in a shard lies in another file. Such files are not opened: their names are the producer's, and whoever may
//! read one file of the server did not thereby ask for others.

use std::collections::HashMap;

use super::fields::{need, shape};
use super::rules::{self, Rules};
use crate::ContainerError;
use crate::cbor::{self, CborError, Form, Item};
use crate::ztensor::digest::{Digest, check_grammar};
use crate::ztensor::frame::{FOOTER_2, MAGIC_2, directory_error};
use crate::ztensor::label::Label;
use crate::ztensor::model::{Encoding, Layout, MOST_DIMENSIONS, Object, Part};
use crate::ztensor::names::{COO, CSR, SEEKABLE, check_name};
use crate::ztensor::types::{Element, Type, element_named};

/// Reads and checks the directory.
pub(in crate::ztensor) fn objects(bytes: &[u8], rules: &Rules) -> Result<Vec<Object>, ContainerError> {
    let root = cbor::parse(bytes, Form::Deterministic).map_err(directory_error)?;
    check_attributes(&root)?;
    let shards = match root.get("shards").map_err(directory_error)? {
        Some(table) => shards(table)?,
        None => HashMap::new(),
    };
    let entries = need(&root, "objects")?.entries().map_err(directory_error)?;
    let objects = entries.map(|(name, value)| object(name.text().map_err(directory_error)?, value));
    let mut objects = objects.collect::<Result<Vec<_>, _>>()?;
    for part in objects.iter().flat_map(|object| &object.parts) {
        let Some(shard) = &part.shard else { continue };
        let size = shards.get(&**shard);
        let size =
            size.ok_or_else(|| part.label.malformed(format!("its shard \"{shard}\" isn't in the table")))?;
        Rules { end: size - FOOTER_2, ..*rules }.check(part)?;
    }
    rules::check(&mut objects, rules)?;
    Ok(objects)
}

/// Names and sizes of the other files.
fn shards<'b>(table: Item<'b>) -> Result<HashMap<&'b str, u64>, ContainerError> {
    let shards = table.entries().map_err(directory_error)?.map(|(name, value)| {
        let name = name.text().map_err(directory_error)?;
        check_shard_name(name)?;
        check_grammar(need(&value, "digest")?.text().map_err(directory_error)?)?;
        let size = need(&value, "size")?.unsigned().map_err(directory_error)?;
        match size >= MAGIC_2.len() as u64 + FOOTER_2 {
            true => Ok((name, size)),
            false => {
                Err(directory_error(format!("shard \"{name}\" of {size} bytes is too small to be a file")))
            }
        }
    });
    shards.collect()
}

fn check_shard_name(name: &str) -> Result<(), ContainerError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    match (1..=64).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(allowed) {
        true => Ok(()),
        false => Err(directory_error(format!("a shard can't be named \"{}\"", name.escape_default()))),
    }
}

/// Attributes are a map whose keys are names; what they say is the user's.
fn check_attributes(of: &Item<'_>) -> Result<(), ContainerError> {
    let Some(attributes) = of.get("attributes").map_err(directory_error)? else { return Ok(()) };
    let mut entries = attributes.entries().map_err(directory_error)?;
    entries.try_for_each(|(key, _)| check_name(key.text().map_err(directory_error)?))
}

fn object(name: &str, value: Item<'_>) -> Result<Object, ContainerError> {
    let malformed = |problem: String| ContainerError::Malformed(format!("tensor \"{name}\": {problem}"));
    check_name(name)?;
    check_attributes(&value)?;
    let layout_name = need(&value, "layout")?.text().map_err(directory_error)?;
    let parts = need(&value, "parts")?.entries().map_err(directory_error)?;
    let parts = parts.map(|(role, value)| {
        let role = role.text().map_err(directory_error)?;
        check_name(role)?;
        part(Label { tensor: name.into(), part: role.into() }, value)
    });
    let parts = parts.collect::<Result<Vec<_>, _>>()?;
    let shape = shape(need(&value, "shape")?)?;
    if shape.len() > MOST_DIMENSIONS {
        return Err(malformed(format!(
            "it has {} dimensions, at most {MOST_DIMENSIONS} are allowed",
            shape.len()
        )));
    }
    let (layout, count) = match layout_name {
        "dense" => (Layout::Dense, 1),
        CSR => (Layout::Csr, 3),
        COO => (Layout::Coo, 2),
        _ => (Layout::Other, parts.len().max(1)),
    };
    if parts.len() != count {
        return Err(malformed(format!(
            "it has {} parts, and its layout \"{layout_name}\" {count}",
            parts.len()
        )));
    }
    Ok(Object { name: name.into(), shape, layout, layout_name: layout_name.into(), parts, obstacle: None })
}

fn part(label: Label, value: Item<'_>) -> Result<Part, ContainerError> {
    let dtype = need(&value, "dtype")?.text().map_err(directory_error)?;
    let element =
        element_named(dtype).ok_or_else(|| label.malformed(format!("its type \"{dtype}\" doesn't exist")))?;
    let text = |key| option(&value, key, Item::text);
    let logical = text("type")?;
    let (kind, storage) = logical_type(logical, element);
    if element != storage {
        let logical = logical.unwrap_or_default();
        return Err(label.malformed(format!("its type \"{logical}\" isn't stored as {dtype}")));
    }
    let blob = need(&value, "blob")?;
    let numbers = blob.elements().map_err(directory_error)?;
    let numbers: Vec<_> =
        numbers.take(3).map(|item| item.unsigned().map_err(directory_error)).collect::<Result<_, _>>()?;
    let &[offset, length] = &numbers[..] else {
        return Err(label.malformed("its place isn't an offset and a length"));
    };
    let encoding = match text("encoding")? {
        None => Encoding::Raw,
        Some(SEEKABLE) => Encoding::Seekable,
        Some(other) => Encoding::Unknown(other.into()),
    };
    let declared = option(&value, "decoded_length", Item::unsigned)?;
    if declared.is_some() != (encoding != Encoding::Raw) {
        return Err(label.malformed("a decoded length must stand with an encoding, and only with one"));
    }
    let shard = text("shard")?;
    shard.map_or(Ok(()), check_shard_name)?;
    Ok(Part {
        kind,
        type_name: logical.map_or(dtype.into(), |logical| format!("{dtype}/{logical}")),
        big_endian: false,
        offset,
        length,
        decoded: Some(declared.unwrap_or(length)),
        encoding,
        digest: text("digest")?.map(|text| Digest::parse_decoded(text, &label)).transpose()?.flatten(),
        shard: shard.map(Into::into),
        label,
    })
}

/// What a key has that need not be there, but not as null.
fn option<'b, T>(
    map: &Item<'b>,
    key: &str,
    read: fn(&Item<'b>) -> Result<T, CborError>,
) -> Result<Option<T>, ContainerError> {
    let value = map.get(key).map_err(directory_error)?;
    value.map(|value| read(&value).map_err(directory_error)).transpose()
}

/// What a type is that may be of a kind beyond the numbers, and as which number it is stored.
fn logical_type(logical: Option<&str>, element: Element) -> (Type, Element) {
    match logical {
        None => (Type::Number(element), element),
        Some("bool") => (Type::Bool, Element::U8),
        Some("f4_e2m1") => (Type::Nibble, Element::U8),
        Some("f8_e4m3fn" | "f8_e5m2" | "f8_e4m3fnuz" | "f8_e5m2fnuz" | "f8_e8m0") => {
            (Type::Byte, Element::U8)
        }
        Some("complex64") => (Type::Pair(8), Element::F32),
        Some("complex128") => (Type::Pair(16), Element::F64),
        Some(_) => (Type::Unknown, element),
    }
}
