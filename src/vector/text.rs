//! Text input and output.
//!
//! Output is always `\x` and the hexadecimal digits of the record, so that dump and restore are exact. Input takes
//! the same, or `[0.1, 0.2, …]`: floats that are compressed under the type modifier with the built-in codec. Text that it refuses
//! is an error that the caller may ask to be told of instead (`pg_input_is_valid`, `COPY … ON_ERROR ignore`).

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};

use pgrx::pg_sys;
use pgrx::prelude::*;
use tq_format::{RecordView, TextError, VectorText, record_text};

use crate::datum::record::{Record, RecordOut};
use crate::datum::typmod::Typmod;
use crate::error::{Error, SqlResult, VectorError};
use crate::registry::compress_floats;
use crate::server::pg_compat;

/// Longest piece of bad input that an error message repeats.
const QUOTED_INPUT: usize = 60;

/// `tqvec`'s INPUT.
#[pg_extern(sql = false)]
fn tqvec_in(
    input: &CStr,
    _element: pg_sys::Oid,
    typmod: i32,
    fcinfo: pg_sys::FunctionCallInfo,
) -> SqlResult<Option<RecordOut<'static>>> {
    match read(input, Typmod::from_raw(typmod)) {
        Ok(record) => Ok(Some(record.into())),
        Err(error) => {
            let report = error.report();
            // SAFETY: fcinfo is the running call's.
            let saved = error.is_about_data()
                && unsafe { pg_compat::save_error((*fcinfo).context, error.code() as i32, &report) };
            if saved { Ok(None) } else { Err(report) }
        }
    }
}

fn read(input: &CStr, typmod: Typmod) -> Result<Vec<u8>, Error> {
    let text = input
        .to_str()
        .map_err(|_| Error::Vector(VectorError::TextSyntax(beginning(&input.to_string_lossy()))))?;
    match VectorText::parse(text).map_err(|error| refused(text, error))? {
        VectorText::Record(bytes) => {
            typmod.check(&RecordView::parse(&bytes)?)?;
            Ok(bytes)
        }
        VectorText::Floats(floats) => compress_floats(&floats, typmod),
    }
}

/// `tqvec`'s OUTPUT.
#[pg_extern(sql = false)]
fn tqvec_out(record: Record<'_>) -> SqlResult<CString> {
    let view = record.view().map_err(Error::from)?;
    Ok(CString::new(record_text(view.as_bytes()).map_err(Error::from)?).unwrap_or_default())
}

fn refused(text: &str, error: TextError) -> Error {
    match error {
        TextError::Memory(error) => Error::Memory(error),
        TextError::Empty => Error::Vector(VectorError::ArrayEmpty),
        TextError::Range(number) => Error::Vector(VectorError::TextRange(beginning(&number))),
        TextError::OddDigits | TextError::NotDigit { .. } => Error::Vector(VectorError::TextHex(error)),
        _ => Error::Vector(VectorError::TextSyntax(beginning(text.trim()))),
    }
}

fn beginning(text: &str) -> String {
    match text.char_indices().nth(QUOTED_INPUT) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}
