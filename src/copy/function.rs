//! `tq_import`: the same COPY, for sessions in which the library is not preloaded.

#![allow(unsafe_code)]

use pgrx::prelude::*;
use pgrx::spi::{quote_identifier, quote_literal, quote_qualified_identifier};
use pgrx::{JsonB, PgRelation};

use super::columns::tqvec_columns;
use super::statement::Format;
use crate::error::{Error, SqlResult};

/// What the `options` argument may say.
#[derive(Default)]
struct Options {
    column: Option<String>,
    id_column: Option<String>,
    ids: Option<String>,
    codec: Option<String>,
    recompress: bool,
    freeze: bool,
}

impl Options {
    fn parse(options: &serde_json::Value) -> Result<Options, Error> {
        let bad = |option: &str, problem: &str| Error::OptionValue {
            option: option.into(),
            problem: problem.into(),
        };
        let object = options.as_object().ok_or_else(|| bad("options", "must be a JSON object"))?;
        let mut parsed = Options::default();
        for (name, value) in object {
            let text = || {
                value.as_str().map(|text| Some(text.to_string())).ok_or_else(|| bad(name, "must be a string"))
            };
            let flag = || value.as_bool().ok_or_else(|| bad(name, "must be true or false"));
            match name.as_str() {
                "column" => parsed.column = text()?,
                "id_column" => parsed.id_column = text()?,
                "ids" => parsed.ids = text()?,
                "codec" => parsed.codec = text()?,
                "recompress" => parsed.recompress = flag()?,
                "freeze" => parsed.freeze = flag()?,
                _ => return Err(Error::ImportOptionUnknown(name.clone())),
            }
        }
        Ok(parsed)
    }
}

/// Loads a corpus into a table; returns the number of rows.
#[pg_extern(sql = false)]
fn tq_import(relation: pg_sys::Oid, path: &str, options: JsonB) -> SqlResult<i64> {
    let options = Options::parse(&options.0)?;
    let (schema, table, columns) = {
        // SAFETY: opening by OID takes a lock and raises an error if there is no such relation; the guard closes it.
        let relation =
            unsafe { PgRelation::with_lock(relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE) };
        (relation.namespace().to_string(), relation.name().to_string(), tqvec_columns(&relation))
    };
    let column = match (options.column, columns.as_slice()) {
        (Some(column), _) => column,
        (None, [column]) => column.clone(),
        (None, []) => Err(import_columns("the relation has none"))?,
        (None, _) => Err(import_columns("the relation has several"))?,
    };
    let mut columns = vec![quote_identifier(&column)];
    columns.extend(options.id_column.map(quote_identifier));
    let mut words = vec![format!("FORMAT {}", Format::Tqcv.name())];
    words.extend(options.ids.map(|ids| format!("IDS {}", quote_literal(ids))));
    words.extend(options.codec.map(|codec| format!("CODEC {}", quote_literal(codec))));
    words.extend(options.recompress.then(|| "RECOMPRESS true".to_string()));
    words.extend(options.freeze.then(|| "FREEZE true".to_string()));
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

fn import_columns(got: &str) -> Error {
    Error::ImportColumns(got.to_string())
}
