//! Fields of a directory's maps, of whichever generation.

use crate::ContainerError;
use crate::cbor::{CborError, Item};
use crate::ztensor::frame::directory_error;

/// The value of a key that must be there.
pub(in crate::ztensor) fn need<'b>(map: &Item<'b>, key: &'static str) -> Result<Item<'b>, ContainerError> {
    map.get(key).map_err(directory_error)?.ok_or_else(|| missing(map, key))
}

pub(in crate::ztensor) fn missing(map: &Item<'_>, key: &str) -> ContainerError {
    let CborError { offset, .. } = map.error("");
    directory_error(format!("key \"{key}\" is missing in the map at byte {offset}"))
}

/// The text of a key that may be missing or null.
pub(in crate::ztensor) fn optional_text<'b>(
    map: &Item<'b>,
    key: &str,
) -> Result<Option<&'b str>, ContainerError> {
    let value = map.get(key).map_err(directory_error)?.filter(|value| !value.is_null());
    value.map(|value| value.text().map_err(directory_error)).transpose()
}

/// The extents of a tensor.
pub(in crate::ztensor) fn shape(value: Item<'_>) -> Result<Vec<u64>, ContainerError> {
    let extents = value.elements().map_err(directory_error)?;
    extents.map(|extent| extent.unsigned().map_err(directory_error)).collect()
}
