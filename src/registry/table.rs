//! The table `tq_codec`: finding it, reading a row, adding and removing one.
//!
//! Queries run with the caller's rights, name the table with its schema and every operator with `pg_catalog`, so
//! that no search path matters.

#![allow(unsafe_code)]

use std::cell::Cell;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use tq_codec::declaration::CodecPrefix;
use tq_codec::{CodeKind, Codebook, CodecConfig, CodecDefinition, RotationKind};
use tq_format::BitWidth;

use super::generation;
use crate::datum::codec_parameters;
use crate::datum::typmod::Typmod;
use crate::error::{Error, RegistryError};
use crate::server::memory::cushion;
use crate::server::names::qualified_name;
use crate::server::recovery::{refuse_if_read_only, refuse_in_recovery};
use crate::server::spi;

/// The table, as this session has found it.
#[derive(Clone, Copy)]
pub(super) struct RegistryTable {
    pub(super) oid: pg_sys::Oid,
    generation: u64,
    /// Whether it has columns for centres and errors, which that of version 0.1.0 hasn't.
    has_centre: bool,
}

impl RegistryTable {
    /// Its qualified, quoted name. Not kept: nothing tells a session that another has renamed the schema, and a third could put
    /// a table of its own where the old name leads.
    pub(super) fn name(self) -> Result<String, Error> {
        qualified_name(self.oid)?.ok_or(Error::Registry(RegistryError::NoRegistry))
    }
}

thread_local! {
    static LOCATION: Cell<Option<RegistryTable>> = const { Cell::new(None) };
}

/// One registered codec.
pub(super) struct CodecRow {
    pub(super) name: String,
    pub(super) config_hash: String,
    pub(super) dimension: u32,
    pub(super) bit_width: BitWidth,
    pub(super) seed: u64,
    pub(super) residual: bool,
    pub(super) rotation: RotationKind,
    pub(super) codebook: Vec<f32>,
    pub(super) centre: Option<Vec<f32>>,
    /// Mean squared error of the vectors that it was trained on.
    pub(super) squared_error: Option<f64>,
}

impl CodecRow {
    /// The row of a codec.
    pub(super) fn of(name: String, definition: &CodecDefinition) -> Result<CodecRow, Error> {
        let config = definition.config();
        Ok(CodecRow {
            name,
            config_hash: config.hash().to_string(),
            dimension: config.dimension(),
            bit_width: config.bit_width(),
            seed: config.seed(),
            residual: config.residual(),
            rotation: config.rotation(),
            codebook: tq_memory::copied(definition.codebook().entries())?,
            centre: definition.centre().map(tq_memory::copied).transpose()?,
            squared_error: None,
        })
    }

    /// What the row defines.
    pub(super) fn definition(&self) -> Result<CodecDefinition, Error> {
        // The number of entries tells the kind of codes: a table of version 0.1.0 can hold a trellis as well.
        let codes = CodeKind::of_entries(self.bit_width, self.codebook.len());
        let codebook = Codebook::of(codes, self.bit_width, tq_memory::copied(&self.codebook)?)?;
        let config =
            CodecConfig::new(self.bit_width, self.seed, self.dimension, self.residual, self.rotation)?
                .with_codes(codes)?;
        let centre = self.centre.as_deref().map(tq_memory::copied).transpose()?;
        Ok(CodecDefinition::new(config, codebook, centre)?)
    }

    /// Checks the row against the rules of the format, so that a bad one is refused before it is stored.
    pub(super) fn check(&self) -> Result<(), Error> {
        check_name(&self.name, Some(&self.config_hash))?;
        if self.seed == tq_codec::BUILTIN_SEED {
            return Err(Error::Registry(RegistryError::ReservedSeed(self.seed)));
        }
        let computed = self.definition()?.config().hash();
        if let Some(centre) = &self.centre {
            tq_codec::check_centre(centre)?;
        }
        if computed.as_str() != self.config_hash {
            return Err(Error::Registry(RegistryError::CodecHash {
                name: self.name.clone(),
                given: self.config_hash.clone(),
                computed: computed.to_string(),
            }));
        }
        Ok(())
    }
}

/// Refuses what can't be a codec's name; a hash can, if it is the codec's own.
pub(super) fn check_name(name: &str, hash: Option<&str>) -> Result<(), Error> {
    if name.is_empty() {
        return Err(Error::Registry(RegistryError::CodecNameEmpty));
    }
    let like_hash = name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let like_another = like_hash && hash != Some(name) || Typmod::of_declaration(name).is_some();
    if like_another || CodecPrefix::of_word(name).is_some() {
        return Err(Error::Registry(RegistryError::CodecNameTaken(name.into())));
    }
    Ok(())
}

/// Which table it is.
///
/// # Errors
/// The extension has none.
pub(super) fn location() -> Result<RegistryTable, Error> {
    let generation = generation::generation();
    let known = LOCATION.get().filter(|location| location.generation == generation);
    let location = match known {
        Some(location) => location,
        None => find(generation)?,
    };
    generation::set_registry(location.oid);
    LOCATION.set(Some(location));
    Ok(location)
}

fn find(generation: u64) -> Result<RegistryTable, Error> {
    cushion()?;
    const QUERY: &str = "SELECT c.oid, EXISTS (SELECT FROM pg_catalog.pg_attribute a \
             WHERE a.attrelid OPERATOR(pg_catalog.=) c.oid AND a.attname OPERATOR(pg_catalog.=) 'centre') \
         FROM pg_catalog.pg_extension e \
         JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) e.oid \
           AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass \
           AND d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
           AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog.\"char\" \
         JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.objid \
         WHERE e.extname OPERATOR(pg_catalog.=) 'tinyquant' AND c.relname OPERATOR(pg_catalog.=) 'tq_codec'";
    let found = spi::first_row(QUERY, &[], |row| (row.get::<pg_sys::Oid>(1), row.get::<bool>(2)))?;
    match found {
        Some((Some(oid), Some(has_centre))) => Ok(RegistryTable { oid, generation, has_centre }),
        _ => Err(Error::Registry(RegistryError::NoRegistry)),
    }
}

/// The row with this hash.
pub(super) fn by_hash(hash: &str) -> Result<Option<CodecRow>, Error> {
    // The format allows what PostgreSQL's text does not; a row can't hold it.
    if hash.contains('\0') {
        return Ok(None);
    }
    select("config_hash", hash)
}

/// The row whose hash begins so.
pub(super) fn by_prefix(prefix: CodecPrefix) -> Result<Option<CodecRow>, Error> {
    select("pg_catalog.\"left\"(config_hash, 7)", &prefix.digits())
}

/// The row with this name.
pub(super) fn by_name(name: &str) -> Result<Option<CodecRow>, Error> {
    select("name", name)
}

fn select(key: &str, value: &str) -> Result<Option<CodecRow>, Error> {
    cushion()?;
    let location = location()?;
    let table = location.name()?;
    let columns = match location.has_centre {
        true => "centre, squared_error",
        false => "NULL::pg_catalog.float4[], NULL::pg_catalog.float8",
    };
    let query = format!(
        "SELECT name, config_hash, dimension, bit_width, seed::pg_catalog.text, residual, rotation, codebook, {columns} \
         FROM {table} WHERE {key} OPERATOR(pg_catalog.=) $1"
    );
    let fields = spi::first_row(&query, &[DatumWithOid::from(value)], |row| {
        (
            row.get::<String>(1),
            row.get::<String>(2),
            row.get::<i32>(3),
            row.get::<i32>(4),
            row.get::<String>(5),
            row.get::<bool>(6),
            row.get::<String>(7),
            row.get::<Vec<f32>>(8),
            row.get::<Vec<f32>>(9),
            row.get::<f64>(10),
        )
    })?;
    let Some(fields) = fields else {
        return Ok(None);
    };
    // Every column but the last two is NOT NULL.
    let (
        Some(name),
        Some(config_hash),
        Some(dimension),
        Some(width),
        Some(seed),
        Some(residual),
        Some(rotation),
        Some(codebook),
        centre,
        squared_error,
    ) = fields
    else {
        return Err(Error::Registry(RegistryError::NoRegistry));
    };
    let row =
        row_from_sql(name, config_hash, dimension, width, &seed, residual, &rotation, codebook, centre)?;
    Ok(Some(CodecRow { squared_error, ..row }))
}

/// A row from the values of its columns.
#[allow(clippy::too_many_arguments)] // one for each column
pub(super) fn row_from_sql(
    name: String,
    config_hash: String,
    dimension: i32,
    bit_width: i32,
    seed: &str,
    residual: bool,
    rotation: &str,
    codebook: Vec<f32>,
    centre: Option<Vec<f32>>,
) -> Result<CodecRow, Error> {
    Ok(CodecRow {
        name,
        config_hash,
        dimension: codec_parameters::dimension(dimension)?,
        bit_width: codec_parameters::bit_width(bit_width)?,
        seed: codec_parameters::seed(seed)?,
        residual,
        rotation: codec_parameters::rotation(rotation)?,
        codebook,
        centre,
        squared_error: None,
    })
}

/// Whether the current user may add rows, in this transaction.
pub(super) fn may_insert() -> Result<bool, Error> {
    // SAFETY: a plain variable of the backend's.
    let read_only = unsafe { pg_sys::XactReadOnly };
    Ok(right_to_insert(location()?.oid) == pg_sys::AclResult::ACLCHECK_OK && !read_only)
}

/// Refuses, in core's words, who may not add rows, or not now: before work that would be lost.
pub(super) fn refuse_without_insert() -> Result<(), Error> {
    refuse_in_recovery(c"INSERT");
    refuse_if_read_only(c"INSERT");
    let right = right_to_insert(location()?.oid);
    if right != pg_sys::AclResult::ACLCHECK_OK {
        // SAFETY: raises PostgreSQL's own error; the name is a C string.
        unsafe { pg_sys::aclcheck_error(right, pg_sys::ObjectType::OBJECT_TABLE, c"tq_codec".as_ptr()) }
    }
    Ok(())
}

/// The current user's right to add rows.
fn right_to_insert(table: pg_sys::Oid) -> pg_sys::AclResult::Type {
    // SAFETY: a look-up by the OID of an existing table.
    unsafe { pg_sys::pg_class_aclcheck(table, pg_sys::GetUserId(), pg_sys::ACL_INSERT as pg_sys::AclMode) }
}

/// Adds a row, which the caller has checked, unless there is one with its hash or name. Waits for another session
/// that is just adding one; returns whether the row was added.
///
/// No index is named: whichever one were, two sessions that add the same row could find each other by the other one, which
/// would be an error of theirs.
pub(super) fn insert_unless_there(row: &CodecRow) -> Result<bool, Error> {
    cushion()?;
    let location = location()?;
    let table = location.name()?;
    if row.centre.is_some() && !location.has_centre {
        return Err(Error::Registry(RegistryError::OldRegistry));
    }
    let (column, value) =
        if location.has_centre { (", centre, squared_error", ", $9, $10") } else { ("", "") };
    let query = format!(
        "INSERT INTO {table} (name, config_hash, dimension, bit_width, seed, residual, rotation, codebook{column}) \
         VALUES ($1, $2, $3, $4, $5::pg_catalog.numeric, $6, $7, $8{value}) ON CONFLICT DO NOTHING"
    );
    refuse_in_recovery(c"INSERT");
    Spi::connect_mut(|client| {
        let mut arguments = vec![
            DatumWithOid::from(row.name.as_str()),
            DatumWithOid::from(row.config_hash.as_str()),
            DatumWithOid::from(row.dimension as i32),
            DatumWithOid::from(i32::from(row.bit_width.bits())),
            DatumWithOid::from(row.seed.to_string()),
            DatumWithOid::from(row.residual),
            DatumWithOid::from(row.rotation.name()),
            DatumWithOid::from(row.codebook.clone()),
        ];
        if location.has_centre {
            arguments.push(DatumWithOid::from(row.centre.clone()));
            arguments.push(DatumWithOid::from(row.squared_error));
        }
        let inserted = client.update(query.as_str(), None, &arguments)?;
        Ok::<_, Error>(inserted.len() == 1)
    })
}

/// Removes the row of this name.
pub(super) fn delete(name: &str) -> Result<(), Error> {
    cushion()?;
    let table = location()?.name()?;
    let query = format!("DELETE FROM {table} WHERE name OPERATOR(pg_catalog.=) $1");
    refuse_in_recovery(c"DELETE");
    Spi::connect_mut(|client| {
        client.update(query.as_str(), None, &[DatumWithOid::from(name)])?;
        Ok::<_, Error>(())
    })
}

/// Tells every backend, at commit, that the table has changed; called by its trigger.
pub(super) fn announce_change(relation: pg_sys::Oid) {
    generation::set_registry(relation);
    // SAFETY: the relation is the one whose trigger is running, so it exists and is locked.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation) }
}
