//! `tq_import`: the same COPY, for sessions in which the library is not preloaded.

#![allow(unsafe_code)]

use pgrx::prelude::*;
use pgrx::spi::{quote_identifier, quote_literal, quote_qualified_identifier};
use pgrx::{JsonB, PgRelation};

use super::columns::{vector_columns, wanted_types};
use super::statement::{Direction, Format};
use crate::error::{Error, SqlResult};
use crate::files::{self, FileAccess};

/// What the `options` argument says: what concerns the function, and COPY's own options.
#[derive(Default)]
struct Options {
    format: Option<Format>,
    column: Option<String>,
    id_column: Option<String>,
    /// The others, which are to be COPY's.
    copy: Vec<(String, serde_json::Value)>,
}

impl Options {
    fn parse(options: &serde_json::Value) -> Result<Options, Error> {
        let object = options.as_object().ok_or_else(|| bad("options", "must be a JSON object"))?;
        let mut parsed = Options::default();
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

fn bad(option: &str, problem: &str) -> Error {
    Error::OptionValue { option: option.into(), problem: problem.into() }
}

/// A format by the name that the option "format" gives it.
pub(super) fn format_of(name: &str) -> Result<Format, Error> {
    Format::by_name(name).ok_or_else(|| bad("format", "must be 'tqcv', 'qvec', 'ztensor' or 'burnpack'"))
}

/// A JSON value as an option of COPY: a string, a number or a Boolean as it is, metadata as JSON.
pub(super) fn option_value(name: &str, value: &serde_json::Value) -> Result<String, Error> {
    use serde_json::Value;
    match (name, value) {
        ("metadata", Value::Object(_)) => Ok(value.to_string()),
        ("metadata", _) => Err(bad(name, "must be an object")),
        ("freeze" | "recompress" | "sparse", Value::Bool(flag)) => Ok(flag.to_string()),
        ("freeze" | "recompress" | "sparse", _) => Err(bad(name, "must be true or false")),
        ("version" | "bits" | "seed", Value::Number(number)) => Ok(number.to_string()),
        (_, Value::String(text)) => Ok(text.clone()),
        _ => Err(bad(name, "must be a string")),
    }
}

/// Refuses an option that a COPY of the format doesn't have; `own` are the function's.
pub(super) fn check_option(
    function: &str,
    own: &[&str],
    format: Format,
    direction: Direction,
    name: &str,
) -> Result<(), Error> {
    let known = format.options(direction);
    if known.contains(&name) {
        return Ok(());
    }
    let names: Vec<String> = own.iter().chain(known).map(|name| format!("\"{name}\"")).collect();
    let (last, rest) = names.split_last().map_or(("", &[][..]), |(last, rest)| (last.as_str(), rest));
    let hint =
        format!("Options of {function} for format {} are {} and {last}.", format.name(), rest.join(", "));
    Err(Error::FunctionOptionUnknown { option: name.into(), hint })
}

/// Loads a file into a table; returns the number of rows.
#[pg_extern(sql = false)]
fn tq_import(relation: pg_sys::Oid, path: &str, options: JsonB) -> SqlResult<i64> {
    let options = Options::parse(&options.0)?;
    let format = match options.format {
        Some(format) => format,
        None => detect(path)?,
    };
    let mut words = vec![format!("FORMAT {}", format.name())];
    for (name, value) in &options.copy {
        check_option("tq_import", &["format", "column", "id_column"], format, Direction::From, name)?;
        words.push(format!("{name} {}", quote_literal(option_value(name, value)?)));
    }
    let (schema, table, columns) = {
        // SAFETY: opening by OID takes a lock and raises an error if there is no such relation; the guard closes it.
        let relation =
            unsafe { PgRelation::with_lock(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE) };
        (relation.namespace().to_string(), relation.name().to_string(), vector_columns(&relation, format))
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
        quote_qualified_identifier(&schema, &table),
        columns.join(", "),
        quote_literal(path),
        words.join(", "),
    );
    let rows = Spi::connect_mut(|client| client.update(copy.as_str(), None, &[]).map(|result| result.len()))
        .map_err(Error::from)?;
    Ok(rows as i64)
}

/// What the file is, by its content; a corpus, if that tells nothing, so that the error says what is wrong with it.
fn detect(path: &str) -> Result<Format, Error> {
    files::require(FileAccess::Read, "COPY from a file")?;
    let path = files::absolute(path, "tq_import")?;
    let found = tq_corpus::detect(&path)?;
    Ok(found.and_then(|found| Format::by_name(found.name())).unwrap_or(Format::Tqcv))
}
