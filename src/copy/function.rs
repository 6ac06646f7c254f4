//! `tq_import`: the same COPY, for sessions in which the library is not preloaded.

#![allow(unsafe_code)]

use pgrx::PgRelation;
use pgrx::prelude::*;
use pgrx::spi::{quote_identifier, quote_literal};

use super::columns::{vector_columns, wanted_types};

use crate::encoding::{self, Json, Text};
use crate::error::{Error, SqlResult};
use crate::files::{self, FileAccess};
use crate::formats::{Direction, Format, bad_option as bad, check_option, format_of, option_value};
use crate::memory::cushion;
use crate::recovery::refuse_in_recovery;

/// What the `options` argument says: what concerns the function, and COPY's own options.
#[derive(Default)]
struct ImportOptions {
    format: Option<Format>,
    column: Option<String>,
    id_column: Option<String>,
    /// The others, which are to be COPY's.
    copy: Vec<(String, serde_json::Value)>,
}

impl ImportOptions {
    fn parse(options: &serde_json::Value) -> Result<ImportOptions, Error> {
        let object = options.as_object().ok_or_else(|| bad("options", "must be a JSON object"))?;
        let mut parsed = ImportOptions::default();
        for (name, value) in object {
            let text = || value.as_str().map(str::to_string).ok_or_else(|| bad(name, "must be a string"));
            match name.as_str() {
                "format" => parsed.format = Some(format_of(&text()?)?),
                "column" => parsed.column = Some(text()?),
                "id_column" => parsed.id_column = Some(text()?),
                _ => parsed.copy.push((name.clone(), value.clone())),
            }
        }
        Ok(parsed)
    }
}

/// Loads a file into a table; returns the number of rows.
#[pg_extern(sql = false)]
fn tq_import(relation: pg_sys::Oid, path: Text<'_>, options: Json) -> SqlResult<i64> {
    let _cushion = cushion().map_err(Error::from)?;
    let path = &*path;
    let options = ImportOptions::parse(options.value())?;
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
        let table = encoding::qualified_name(relation.oid())?
            .ok_or(Error::NoSuchRelation(relation.oid().to_u32()))?;
        (table, vector_columns(&relation, format)?)
    };
    let import_columns =
        |got: &str| Error::ImportColumns { wanted: wanted_types(format), got: got.to_string() };
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
    files::require(FileAccess::Read, "COPY from a file")?;
    let path = files::absolute(path, "tq_import")?;
    let found = tq_corpus::detect(&path)?;
    found.and_then(|found| Format::by_name(found.name())).ok_or(Error::UnknownFormat(path))
}
