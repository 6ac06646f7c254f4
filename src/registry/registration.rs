//! Codecs that come into the table: by SQL, from TinyQuant's files, and from files that describe the codec of their records.

use tq_codec::declaration::{CodecPrefix, Typmod};
use tq_codec::{BUILTIN_SEED, Codebook, Codec, CodecDefinition};

use super::table;
use super::table::CodecRow;
use crate::error::interrupts::poll;
use crate::error::{Error, RegistryError};

/// Adds a codec to the table, unless it is wrong or one that is there stands in its way.
pub(super) fn register(row: &CodecRow) -> Result<(), Error> {
    row.check()?;
    check_declarable(&row.name)?;
    refuse_duplicate(row)?;
    // Another session may have come first, or dropped again what it had added.
    while !table::insert_unless_there(row)? {
        refuse_duplicate(row)?;
        poll();
    }
    Ok(())
}

/// Registers a codec under a name, with the mean squared error of what it was trained on.
pub(crate) fn register_trained(
    name: &str,
    definition: &CodecDefinition,
    squared_error: f64,
) -> Result<(), Error> {
    register(&CodecRow { squared_error: Some(squared_error), ..CodecRow::of(name.into(), definition)? })
}

/// The mean squared error that a registered codec had on what it was trained on, if that is known.
pub(crate) fn trained_error(codec: &Codec) -> Result<Option<f64>, Error> {
    Ok(table::by_hash(codec.hash().as_str())?.and_then(|row| row.squared_error))
}

/// Refuses what would stand in the way of a codec that is yet to be made: a name that no new one may have, or that one has, and a user
/// or a transaction that may not register any.
pub(crate) fn check_new(name: &str) -> Result<(), Error> {
    table::refuse_without_insert()?;
    table::check_name(name, None)?;
    check_declarable(name)?;
    match table::by_name(name)? {
        Some(existing) => Err(Error::Registry(RegistryError::CodecExists(existing.name))),
        None => Ok(()),
    }
}

/// Refuses a name that a column's type can't say, because it means something else there: `hadamard`, `8`. One that is registered already
/// stays, and is restored.
fn check_declarable(name: &str) -> Result<(), Error> {
    match Typmod::parse_declaration(std::iter::once(name)) {
        Ok(declaration) if declaration.codec.is_some() => Ok(()),
        _ => Err(Error::Registry(RegistryError::CodecNameTaken(name.into()))),
    }
}

/// Says which codec stands in the way, where a unique violation would only name an index.
fn refuse_duplicate(row: &CodecRow) -> Result<(), Error> {
    if let Some(existing) = table::by_hash(&row.config_hash)? {
        return Err(if existing.codebook != row.codebook {
            Error::Registry(RegistryError::CodebookConflict {
                existing: existing.name,
                hash: existing.config_hash,
            })
        } else if existing.name == row.name {
            Error::Registry(RegistryError::CodecExists(existing.name))
        } else {
            Error::Registry(RegistryError::CodecRegistered(existing.name))
        });
    }
    if let Some(existing) = table::by_name(&row.name)? {
        return Err(Error::Registry(RegistryError::CodecExists(existing.name)));
    }
    let Some(prefix) = CodecPrefix::of_hash(row.config_hash.as_bytes()) else { return Ok(()) };
    match table::by_prefix(prefix)? {
        Some(existing) => Err(Error::Registry(RegistryError::CodecPrefix {
            existing: existing.name,
            prefix: prefix.digits(),
        })),
        None => Ok(()),
    }
}

/// What became of a codec that a file describes.
pub(crate) enum CodecRegistration {
    /// It is built in, or registered already.
    Known,
    /// It is registered now, under its hash for a name.
    Registered,
    /// It isn't known, and the current user may not change that.
    NotAllowed,
}

/// Registers a codec that a file describes, unless it is known.
///
/// # Errors
/// A codec that contradicts a registered or the built-in one: the same hash and another codebook.
pub(crate) fn register_described(definition: &CodecDefinition) -> Result<CodecRegistration, Error> {
    let (config, codebook) = (definition.config(), definition.codebook());
    let hash = config.hash().to_string();
    let conflict = |existing: &str| {
        Error::Registry(RegistryError::CodebookConflict { existing: existing.into(), hash: hash.clone() })
    };
    if config.seed() == BUILTIN_SEED && definition.centre().is_none() {
        let standard = Codebook::builtin(config.codes(), config.bit_width(), config.dimension())?;
        return if *codebook == standard { Ok(CodecRegistration::Known) } else { Err(conflict("built-in")) };
    }
    let registered = || match table::by_hash(&hash)? {
        Some(existing) if existing.codebook == codebook.entries() => Ok(true),
        Some(existing) => Err(conflict(&existing.name)),
        None => Ok(false),
    };
    if registered()? {
        return Ok(CodecRegistration::Known);
    }
    if !table::may_insert()? {
        return Ok(CodecRegistration::NotAllowed);
    }
    let row = CodecRow::of(hash.clone(), definition)?;
    row.check()?;
    // Another session may have registered it since, or dropped what stood in the way.
    while !table::insert_unless_there(&row)? {
        if registered()? {
            return Ok(CodecRegistration::Known);
        }
        if table::by_name(&row.name)?.is_some_and(|existing| existing.config_hash != hash) {
            return Err(Error::Registry(RegistryError::CodecExists(hash)));
        }
        poll();
    }
    Ok(CodecRegistration::Registered)
}
