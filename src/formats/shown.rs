//! What someone has written into a file as JSON, shown as `jsonb`, which holds less than JSON does.

use serde_json::value::{RawValue, to_raw_value};
use tq_files::fits_jsonb;

use crate::server::encoding::is_utf8;

/// The text as it is or, where `jsonb` has no value for it, as a string.
pub(super) fn shown(json: &str) -> Option<Box<RawValue>> {
    match fits_jsonb(json, is_utf8()) {
        true => RawValue::from_string(json.to_owned()).ok(),
        false => to_raw_value(json).ok(),
    }
}
