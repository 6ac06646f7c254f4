//! Text input and output.
//!
//! Output is always `\x` and the hexadecimal digits of the record, so that dump and restore are exact. Input takes
//! the same, or `[0.1, 0.2, …]`: floats that are compressed under the type modifier with the built-in codec.

use std::ffi::{CStr, CString};

use pgrx::prelude::*;
use tq_format::RecordView;

use super::{Record, RecordOut, Typmod, compress_floats};
use crate::error::{Error, SqlResult};

/// Longest piece of bad input that an error message repeats.
const QUOTED_INPUT: usize = 60;

/// `tqvec`'s INPUT.
#[pg_extern(sql = false)]
fn tqvec_in(input: &CStr, _element: pg_sys::Oid, typmod: i32) -> SqlResult<RecordOut> {
    let typmod = Typmod::from_raw(typmod);
    let text = input.to_str().map_err(|_| Error::TextSyntax(shortened(&input.to_string_lossy())))?.trim();
    if let Some(digits) = text.strip_prefix("\\x") {
        let bytes = decode_hex(digits)?;
        typmod.check(&RecordView::parse(&bytes).map_err(Error::from)?)?;
        return Ok(RecordOut(bytes));
    }
    let floats = parse_floats(text)?;
    Ok(RecordOut(compress_floats(&floats, typmod)?))
}

/// `tqvec`'s OUTPUT.
#[pg_extern(sql = false)]
fn tqvec_out(record: Record<'_>) -> SqlResult<CString> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let bytes = record.view().map_err(Error::from)?.as_bytes();
    let mut text = Vec::with_capacity(2 + 2 * bytes.len());
    text.extend_from_slice(b"\\x");
    for byte in bytes {
        text.push(DIGITS[usize::from(byte >> 4)]);
        text.push(DIGITS[usize::from(byte & 15)]);
    }
    Ok(CString::new(text).unwrap_or_default())
}

fn decode_hex(digits: &str) -> Result<Vec<u8>, Error> {
    let digits = digits.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err(Error::TextHex("odd number of digits".into()));
    }
    let nibble = |position: usize| {
        let digit = digits[position];
        char::from(digit).to_digit(16).map(|value| value as u8).ok_or_else(|| {
            Error::TextHex(format!(
                "\"{}\" at position {} is not a digit",
                digit.escape_ascii(),
                position + 1
            ))
        })
    };
    (0..digits.len() / 2).map(|i| Ok(nibble(2 * i)? << 4 | nibble(2 * i + 1)?)).collect()
}

fn parse_floats(text: &str) -> Result<Vec<f32>, Error> {
    let bad = || Error::TextSyntax(shortened(text));
    let inner = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or_else(bad)?;
    if inner.trim().is_empty() {
        return Err(Error::ArrayEmpty);
    }
    inner
        .split(',')
        .map(|piece| {
            let piece = piece.trim();
            let value: f32 = piece.parse().map_err(|_| bad())?;
            // "1e39" parses to infinity without a word; "inf" means what it says, and is refused later by name.
            if value.is_infinite() && piece.bytes().any(|byte| byte.is_ascii_digit()) {
                return Err(Error::TextRange(shortened(piece)));
            }
            Ok(value)
        })
        .collect()
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(QUOTED_INPUT) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_string(),
    }
}
