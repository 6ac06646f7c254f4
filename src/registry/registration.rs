//! Codecs that come into the table: by SQL, from TinyQuant's files, and from files that describe the codec of their records.

use tq_codec::{BUILTIN_SEED, Codebook, CodecConfig};

use super::table;
use super::table::CodecRow;
use crate::error::interrupts::poll;
use crate::error::{Error, RegistryError};

/// Adds a codec to the table, unless it is wrong or one that is there stands in its way.
pub(super) fn register(row: &CodecRow) -> Result<(), Error> {
    row.check()?;
    refuse_duplicate(row)?;
    table::insert(row)
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
    match table::by_name(&row.name)? {
        Some(existing) => Err(Error::Registry(RegistryError::CodecExists(existing.name))),
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
pub(crate) fn register_described(
    config: &CodecConfig,
    codebook: &Codebook,
) -> Result<CodecRegistration, Error> {
    let hash = config.hash().to_string();
    let conflict = |existing: &str| {
        Error::Registry(RegistryError::CodebookConflict { existing: existing.into(), hash: hash.clone() })
    };
    if config.seed() == BUILTIN_SEED {
        let standard = Codebook::lloyd_max(config.bit_width(), config.dimension());
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
    let row = CodecRow::of(hash.clone(), config, codebook.entries().to_vec());
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
