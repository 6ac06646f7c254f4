//! Text input and output.
//!
//! Output is `\x` and the hexadecimal digits of the record, so that dump and restore are exact, unless `tinyquant.output` asks for
//! floats, which programs read that know pgvector. Input takes the same, or `[0.1, 0.2, …]` or `{0.1, 0.2, …}`: floats that are
//! compressed under the type modifier. Text that it refuses is an error that the caller may ask to be told of instead
//! (`pg_input_is_valid`, `COPY … ON_ERROR ignore`).

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int};

use pgrx::pg_sys;
use pgrx::prelude::*;
use tq_format::{RecordView, TextError, VectorText, record_text};

use crate::datum::record::{Record, RecordOut};
use crate::datum::typmod::Typmod;
use crate::error::{Error, RegistryError, SqlResult, VectorError};
use crate::registry;
use crate::registry::compress_floats;
use crate::server::{pg_compat, settings};

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
    let text = match settings::prints_floats().then(|| registry::decode(&view)) {
        None => record_text(view.as_bytes()).map_err(Error::from)?,
        Some(Ok(floats)) => floats_text(&floats)?,
        // Nobody here knows its codec: it is still a record.
        Some(Err(Error::Registry(RegistryError::UnknownCodec(_) | RegistryError::NoRegistry))) => {
            record_text(view.as_bytes()).map_err(Error::from)?
        }
        Some(Err(error)) => return Err(error.report()),
    };
    Ok(CString::new(text).unwrap_or_default())
}

unsafe extern "C-unwind" {
    // `common/shortest_dec.h`; pgrx has no binding of it. Writes no terminator, and returns the length.
    fn float_to_shortest_decimal_bufn(float: f32, result: *mut c_char) -> c_int;
}

/// `FLOAT_SHORTEST_DECIMAL_LEN`.
const LONGEST_FLOAT: usize = 16;

/// Floats as pgvector prints them: each in as few digits as tell it from others.
#[allow(ffi_unwind_calls)] // it has no errors
fn floats_text(floats: &[f32]) -> Result<String, Error> {
    let mut text = String::from_utf8(tq_memory::with_capacity(3 + (LONGEST_FLOAT + 1) * floats.len())?)
        .unwrap_or_default();
    text.push('[');
    for (place, float) in floats.iter().enumerate() {
        if place > 0 {
            text.push(',');
        }
        let mut digits = [0u8; LONGEST_FLOAT];
        // SAFETY: the buffer has as many bytes as the longest float takes.
        let length = unsafe { float_to_shortest_decimal_bufn(*float, digits.as_mut_ptr().cast()) };
        let digits = digits.get(..usize::try_from(length).unwrap_or(0)).unwrap_or_default();
        text.push_str(std::str::from_utf8(digits).unwrap_or_default());
    }
    text.push(']');
    Ok(text)
}

fn refused(text: &str, error: TextError) -> Error {
    match error {
        TextError::Memory(error) => Error::Memory(error),
        TextError::Empty => Error::Vector(VectorError::ArrayEmpty),
        TextError::Null => Error::Vector(VectorError::ArrayNulls),
        TextError::Nested(dimensions) => Error::Vector(VectorError::ArrayDimensions(dimensions as i32)),
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
