//! Codecs that leave the table, which none may that something is declared with: by `tq_drop_codec`, DELETE or TRUNCATE.

use pgrx::prelude::*;
use tq_codec::declaration::CodecPrefix;

use super::columns;
use super::columns::Named;
use super::current;
use super::table;
use crate::datum::arguments::Text;
use crate::error::{Error, RegistryError, SqlResult};
use crate::server::recovery::refuse_in_recovery;

/// Columns, and expressions, that are named before a message says "and more".
const LISTED: usize = 5;

/// Drops a codec. Whether a column still holds its records cannot be known without reading all of them, so where
/// there are `tqvec` columns that could, a notice says what breaks.
#[pg_extern(sql = false)]
fn tq_drop_codec(name: Text<'_>) -> SqlResult<()> {
    refuse_in_recovery(c"tq_drop_codec()");
    let name = &*name;
    let row = table::by_name(name)?
        .ok_or_else(|| Error::Registry(RegistryError::NoSuchCodec(crate::error::cut(name))))?;
    // The table's trigger asks again, but version 0.1.0's doesn't, and this error is of the caller's statement and not of one inside.
    refuse_if_named(name, &row.config_hash)?;
    table::delete(name)?;
    let holding = columns::columns_that_may_hold(&row)?;
    if holding.is_empty() {
        return Ok(());
    }
    let mut detail = format!("Columns that may hold such records: {}.", listed(holding));
    let mut hint =
        "To bring them back, create the codec again with the same seed, codebook and centre.".to_string();
    let expressions = columns::expressions_that_may_decode(&row)?;
    if !expressions.is_empty() {
        detail.push_str(&format!(
            " Where they do, ANALYZE, REINDEX or an UPDATE of the table fails at what decodes them: {}.",
            listed(expressions)
        ));
        hint.push_str(" Otherwise drop what decodes them.");
    }
    crate::error::notice(
        format!(
            "records with config_hash \"{}\" can still be stored and copied, but no longer decoded or measured",
            row.config_hash
        ),
        Some(detail),
        Some(hint),
    );
    Ok(())
}

/// Names, and no more of them than a message takes.
fn listed(mut names: Vec<String>) -> String {
    if names.len() > LISTED {
        names.truncate(LISTED);
        names.push("and more".into());
    }
    names.join(", ")
}

/// Refuses to part with a codec that something is declared with. Whoever declares holds a lock until its transaction ends, and what it
/// has made is seen then.
pub(super) fn refuse_if_named(name: &str, config_hash: &str) -> Result<(), Error> {
    let Some(prefix) = CodecPrefix::of_hash(config_hash.as_bytes()) else { return Ok(()) };
    current::wait_for_namers(prefix)?;
    let named = current::by_newest_snapshot(|| columns::what_names(Named::Codec(prefix)))?;
    if named.is_empty() {
        return Ok(());
    }
    Err(Error::Registry(RegistryError::CodecInUse { name: name.into(), columns: listed(named) }))
}

/// [`refuse_if_named`] for all codecs, once nobody else can read the table.
pub(super) fn refuse_if_any_named() -> Result<(), Error> {
    let named = current::by_newest_snapshot(|| columns::what_names(Named::AnyCodec))?;
    if named.is_empty() {
        return Ok(());
    }
    Err(Error::Registry(RegistryError::CodecsInUse(listed(named))))
}
