//! What a file says of itself beside its tensors.

use crate::ContainerError;
use crate::cbor::{self, Form, Item};
use crate::container::hold_for_directory;
use crate::ztensor::frame::{ZtensorGeneration, directory_error};

/// The attributes of a directory that are texts.
pub(in crate::ztensor) fn attributes(
    generation: ZtensorGeneration,
    directory: &[u8],
) -> Result<Vec<(String, String)>, ContainerError> {
    let form = match generation {
        // It has none.
        ZtensorGeneration::V0_1 => return Ok(Vec::new()),
        ZtensorGeneration::V2 => Form::Deterministic,
        ZtensorGeneration::V1_0 | ZtensorGeneration::V1_2 => Form::WellFormed,
    };
    let _hold = hold_for_directory(directory.len())?;
    let root = cbor::parse(directory, form).map_err(directory_error)?;
    let Some(map) = root.get("attributes").map_err(directory_error)?.filter(Item::is_map) else {
        return Ok(Vec::new());
    };
    let texts = map
        .entries()
        .map_err(directory_error)?
        .filter_map(|(key, value)| Some((key.text().ok()?.to_owned(), value.text().ok()?.to_owned())));
    Ok(tq_memory::collected(texts)?)
}
