//! `tq_import`: the same COPY, for sessions in which the library is not preloaded.

#![allow(unsafe_code)]

use pgrx::PgRelation;
use pgrx::prelude::*;
use pgrx::spi::{quote_identifier, quote_literal};
use serde_json::value::RawValue;
use tq_files::Format;

use crate::copy::columns::{vector_columns, wanted_types};

use crate::datum::arguments::{Json, Text};
use crate::error::{ColumnError, CopyError, Error, FormatError, SqlResult};
use crate::formats::{Direction, check_option, named_format, option_value};
use crate::server::file_access;
use crate::server::file_access::FileAccess;
use crate::server::memory::cushion;
use crate::server::names::qualified_name;
use crate::server::recovery::refuse_in_recovery;

/// What the `options` argument says: what concerns the function, and COPY's own options.
#[derive(Default)]
struct ImportOptions<'a> {
    format: Option<Format>,
    column: Option<String>,
    id_column: Option<String>,
    /// The others, which are to be COPY's.
    copy: Vec<(String, &'a RawValue)>,
}

impl ImportOptions<'_> {
    fn parse(options: &Json) -> Result<ImportOptions<'_>, Error> {
        let mut parsed = ImportOptions::default();
        for (name, value) in options.fields()? {
            let text = || option_value(&name, value);
            match name.as_str() {
                "format" => parsed.format = Some(named_format(&text()?)?),
                "column" => parsed.column = Some(text()?),
                "id_column" => parsed.id_column = Some(text()?),
                _ => parsed.copy.push((name, value)),
            }
        }
        Ok(parsed)
    }
}

/// Loads a file into a table; returns the number of rows.
#[pg_extern(sql = false)]
fn tq_import(relation: pg_sys::Oid, path: Text<'_>, options: Json) -> SqlResult<i64> {
    cushion().map_err(Error::from)?;
    let path = &*path;
    file_access::require(FileAccess::Read, "COPY from a file")?;
    let options = ImportOptions::parse(&options)?;
    let format = match options.format {
        Some(format) => format,
        None => detect(path)?,
    };
    let mut words = vec![format!("FORMAT {}", format.name())];
    for (name, value) in &options.copy {
        check_option("tq_import", &["format", "column", "id_column"], format, Direction::From, name)?;
        words.push(format!("{name} {}", quote_literal(option_value(name, value)?)));
    }
    let (table, columns) = {
        // SAFETY: opening by OID takes a lock and raises an error if there is no such relation; the guard closes it.
        let relation =
            unsafe { PgRelation::with_lock(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE) };
        let table = qualified_name(relation.oid())?
            .ok_or(Error::Column(ColumnError::NoSuchRelation(relation.oid().to_u32())))?;
        (table, vector_columns(&relation, format)?)
    };
    let import_columns = |got: &str| {
        Error::Copy(CopyError::ImportColumns { wanted: wanted_types(format), got: got.to_string() })
    };
    let column = match (options.column, columns.as_slice()) {
        (Some(column), _) => column,
        (None, [column]) => column.clone(),
        (None, []) => Err(import_columns("the relation has none"))?,
        (None, _) => Err(import_columns("the relation has several"))?,
    };
    let mut columns = vec![quote_identifier(&column)];
    columns.extend(options.id_column.map(quote_identifier));
    let copy = format!(
        "COPY {} ({}) FROM {} WITH ({})",
        table,
        columns.join(", "),
        quote_literal(path),
        words.join(", "),
    );
    refuse_in_recovery(c"COPY");
    let rows = Spi::connect_mut(|client| client.update(copy.as_str(), None, &[]).map(|result| result.len()))
        .map_err(Error::from)?;
    Ok(rows as i64)
}

/// What the file is, by its content.
fn detect(path: &str) -> Result<Format, Error> {
    let path = file_access::absolute(path, "tq_import")?;
    tq_files::detect(&path)?.ok_or(Error::Format(FormatError::UnknownFormat(path)))
}
