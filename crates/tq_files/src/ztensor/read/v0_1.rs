//! The directory of generation 0.1: a CBOR array of maps, one for each tensor, each of one stretch of bytes.
//!
//! Only dense tensors can be read. The format names sparse ones, but its writer demands of them the size that they would
//! have as dense ones, so that none can be stored but by chance.

use std::collections::HashSet;

use super::fields::{missing, optional_text, shape};
use super::rules::{self, Rules};
use crate::ContainerError;
use crate::cbor::{self, Form, Item};
use crate::ztensor::digest::Digest;
use crate::ztensor::frame::directory_error;
use crate::ztensor::label::Label;
use crate::ztensor::model::{Encoding, Layout, Object, Part};
use crate::ztensor::names::element_0_1;

/// Reads and checks the directory.
pub(in crate::ztensor) fn objects(bytes: &[u8], rules: &Rules) -> Result<Vec<Object>, ContainerError> {
    let root = cbor::parse(bytes, Form::WellFormed).map_err(directory_error)?;
    let records = root.elements().map_err(directory_error)?;
    let mut objects = records.map(object).collect::<Result<Vec<_>, _>>()?;
    let mut names = HashSet::new();
    if let Some(twice) = objects.iter().find(|object| !names.insert(&object.name)) {
        return Err(ContainerError::Malformed(format!("two tensors are named \"{}\"", twice.name)));
    }
    rules::check(&mut objects, rules)?;
    Ok(objects)
}

/// Reads one record. Keys that aren't known are the user's own.
fn object(record: Item<'_>) -> Result<Object, ContainerError> {
    let need = |key| record.get(key).map_err(directory_error)?.ok_or_else(|| missing(&record, key));
    let text = |key| need(key)?.text().map_err(directory_error);
    let number = |key| need(key)?.unsigned().map_err(directory_error);
    let option = |key| optional_text(&record, key);
    let (name, layout, dtype) = (text("name")?, text("layout")?, text("dtype")?);
    let label = Label { tensor: name.into(), part: "data".into() };
    let big_endian = match option("data_endianness")? {
        None | Some("little") => false,
        Some("big") => true,
        Some(other) => return Err(label.malformed(format!("its endianness is \"{other}\""))),
    };
    let length = number("size")?;
    let encoding = match text("encoding")? {
        "raw" => Encoding::Raw,
        "zstd" => Encoding::Zstd,
        other => Encoding::Unknown(other.into()),
    };
    let part = Part {
        kind: element_0_1(dtype),
        type_name: dtype.into(),
        big_endian,
        offset: number("offset")?,
        length,
        decoded: (encoding == Encoding::Raw).then_some(length),
        encoding,
        digest: option("checksum")?.map(|text| Digest::parse_stored(text, &label)).transpose()?.flatten(),
        shard: None,
        label,
    };
    Ok(Object {
        name: name.into(),
        shape: shape(need("shape")?)?,
        layout: if layout == "dense" { Layout::Dense } else { Layout::Other },
        layout_name: layout.into(),
        parts: vec![part],
        obstacle: None,
    })
}
