//! `tq_export`: the same COPY, for sessions in which the library is not preloaded.

#![allow(unsafe_code)]

use std::ffi::{CString, c_long};

use pgrx::prelude::*;
use pgrx::spi::quote_literal;
use tq_files::Format;

use crate::datum::arguments::{Json, Text};
use crate::error::{Error, SampleError, SqlResult};
use crate::formats::{Direction, check_option, named_format, option_value};
use crate::query::one_select;
use crate::server::file_access;
use crate::server::file_access::FileAccess;
use crate::server::memory::cushion;

/// Writes what a query gives into a file; returns the number of rows.
#[pg_extern(sql = false)]
fn tq_export(query: Text<'_>, path: Text<'_>, options: Json) -> SqlResult<i64> {
    let query = &*query;
    let path = &*path;
    file_access::require(FileAccess::Write, "COPY to a file")?;
    Ok(export(query, path, &options)?)
}

fn export(query: &str, path: &str, options: &Json) -> Result<i64, Error> {
    cushion()?;
    let (format, written) = copy_options(options)?;
    let copy = format!(
        // A comment at the query's end must not swallow the parenthesis.
        "COPY ({}\n) TO {} WITH (FORMAT {}{written})",
        one_select(query)?,
        quote_literal(path),
        format.name(),
    );
    let copy = CString::new(copy).map_err(|_| Error::Sample(SampleError::QueryNotSelect))?;
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
fn copy_options(options: &Json) -> Result<(Format, String), Error> {
    let fields = options.fields()?;
    let format = match fields.get("format") {
        Some(format) => named_format(&option_value("format", format)?)?,
        None => Format::Tqcv,
    };
    let mut written = String::new();
    for (name, value) in fields.iter().filter(|(name, _)| *name != "format") {
        check_option("tq_export", &["format"], format, Direction::To, name)?;
        written.push_str(&format!(", {name} {}", quote_literal(option_value(name, value)?)));
    }
    Ok((format, written))
}
