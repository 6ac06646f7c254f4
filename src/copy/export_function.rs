//! `tq_export`: the same COPY, for sessions in which the library is not preloaded.

#![allow(unsafe_code)]

use std::ffi::{CString, c_long};

use pgrx::PgList;
use pgrx::prelude::*;
use pgrx::spi::quote_literal;

use crate::encoding::{Json, Text};
use crate::error::{Error, SqlResult};
use crate::formats::{Direction, Format, check_option, format_of, option_value};
use crate::memory::cushion;

/// Writes what a query gives into a file; returns the number of rows.
#[pg_extern(sql = false)]
fn tq_export(query: Text<'_>, path: Text<'_>, options: Json) -> SqlResult<i64> {
    let query = &*query;
    let path = &*path;
    Ok(export(query, path, options.value())?)
}

fn export(query: &str, path: &str, options: &serde_json::Value) -> Result<i64, Error> {
    let _cushion = cushion()?;
    let (format, written) = copy_options(options)?;
    let copy = format!(
        // A comment at the query's end must not swallow the parenthesis.
        "COPY ({}\n) TO {} WITH (FORMAT {}{written})",
        one_select(query)?,
        quote_literal(path),
        format.name(),
    );
    let copy = CString::new(copy).map_err(|_| not_one_select())?;
    // Through PostgreSQL's SPI itself: pgrx takes a transaction id for whatever isn't a SELECT, and a standby has none.
    Spi::connect(|_| {
        // SAFETY: connected; the text is a C string in the database's encoding, as the arguments were.
        let (code, rows) =
            unsafe { (pg_sys::SPI_execute(copy.as_ptr(), false, 0 as c_long), pg_sys::SPI_processed) };
        Spi::check_status(code)?;
        Ok(rows as i64)
    })
}

/// The format, and the other options as COPY writes them.
fn copy_options(options: &serde_json::Value) -> Result<(Format, String), Error> {
    let object = options.as_object().ok_or_else(|| Error::OptionValue {
        option: "options".into(),
        problem: "must be a JSON object".into(),
    })?;
    let format = match object.get("format") {
        Some(format) => format_of(&option_value("format", format)?)?,
        None => Format::Tqcv,
    };
    let mut written = String::new();
    for (name, value) in object.iter().filter(|(name, _)| *name != "format") {
        check_option("tq_export", &["format"], format, Direction::To, name)?;
        written.push_str(&format!(", {name} {}", quote_literal(option_value(name, value)?)));
    }
    Ok((format, written))
}

/// The text of the one SELECT that `query` is, without a semicolon.
fn one_select(query: &str) -> Result<&str, Error> {
    let text = CString::new(query).map_err(|_| not_one_select())?;
    // SAFETY: the parser raises its own errors, and gives a list of RawStmts that say where in the text they stand.
    let (start, length) = unsafe {
        let statements = PgList::<pg_sys::RawStmt>::from_pg(pg_sys::pg_parse_query(text.as_ptr()));
        match statements.get_ptr(0) {
            Some(raw) if statements.len() == 1 && pgrx::is_a((*raw).stmt, pg_sys::NodeTag::T_SelectStmt) => {
                ((*raw).stmt_location, (*raw).stmt_len)
            }
            _ => return Err(not_one_select()),
        }
    };
    let start = usize::try_from(start).unwrap_or(0);
    // A length of 0 is "to the end".
    let end = match usize::try_from(length) {
        Ok(0) | Err(_) => query.len(),
        Ok(length) => start + length,
    };
    query.get(start..end).ok_or_else(not_one_select)
}

fn not_one_select() -> Error {
    Error::OptionValue { option: "query".into(), problem: "must be one SELECT".into() }
}
