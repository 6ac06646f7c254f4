//! The table `tq_codec`: finding it, reading a row, adding and removing one.
//!
//! Queries run with the caller's rights, name the table with its schema and every operator with `pg_catalog`, so
//! that no search path matters.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::sync::Arc;

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use tq_codec::{Codebook, Codec, CodecConfig, RotationKind};
use tq_format::BitWidth;

use super::{cache, current, generation};
use crate::datum::typmod::Typmod;
use crate::error::{Error, RegistryError, VectorError};
use crate::server::encoding;
use crate::server::memory::cushion;
use crate::server::recovery::refuse_in_recovery;

/// Which table it is.
#[derive(Clone, Copy)]
pub(super) struct Location {
    pub(super) oid: pg_sys::Oid,
    generation: u64,
}

impl Location {
    /// Its qualified, quoted name. Not kept: nothing tells a session that another has renamed the schema, and a third could put
    /// a table of its own where the old name leads.
    pub(super) fn name(self) -> Result<String, Error> {
        encoding::qualified_name(self.oid)?.ok_or(Error::Registry(RegistryError::NoRegistry))
    }
}

thread_local! {
    static LOCATION: Cell<Option<Location>> = const { Cell::new(None) };
}

/// One registered codec.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) config_hash: String,
    pub(super) dimension: u32,
    pub(super) bit_width: BitWidth,
    pub(super) seed: u64,
    pub(super) residual: bool,
    pub(super) rotation: RotationKind,
    pub(super) codebook: Vec<f32>,
}

impl Row {
    pub(super) fn config(&self) -> Result<CodecConfig, Error> {
        Ok(CodecConfig::new(self.bit_width, self.seed, self.dimension, self.residual, self.rotation)?)
    }

    /// Checks the row against the rules of the format, so that a bad one is refused before it is stored.
    pub(super) fn check(&self) -> Result<(), Error> {
        if self.name.is_empty() {
            return Err(Error::Registry(RegistryError::CodecNameEmpty));
        }
        let like_hash = self.name.len() == 64 && self.name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if like_hash && self.name != self.config_hash || Typmod::of_declaration(&self.name).is_some() {
            return Err(Error::Registry(RegistryError::CodecNameTaken(self.name.clone())));
        }
        if self.seed == tq_codec::BUILTIN_SEED {
            return Err(Error::Registry(RegistryError::ReservedSeed(self.seed)));
        }
        Codebook::new(self.bit_width, self.codebook.clone())?;
        let computed = self.config()?.hash();
        if computed.as_str() != self.config_hash {
            return Err(Error::Registry(RegistryError::CodecHash {
                name: self.name.clone(),
                given: self.config_hash.clone(),
                computed: computed.to_string(),
            }));
        }
        Ok(())
    }

    /// Whether later statements may rely on the row, or this one alone.
    pub(super) fn is_current(&self) -> Result<bool, Error> {
        current::is_current(location()?, self)
    }

    pub(super) fn prepare(&self) -> Result<Arc<Codec>, Error> {
        if !self.is_current()? {
            generation::expire();
        }
        let config = self.config()?;
        let rotation = cache::rotation(config.rotation(), config.seed(), config.dimension())?;
        let codebook = Codebook::new(self.bit_width, self.codebook.clone())?;
        Ok(Arc::new(Codec::new(config, codebook, rotation)?))
    }
}

fn location() -> Result<Location, Error> {
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

fn find(generation: u64) -> Result<Location, Error> {
    cushion()?;
    const QUERY: &str = "SELECT c.oid FROM pg_catalog.pg_extension e \
         JOIN pg_catalog.pg_class c ON c.relnamespace OPERATOR(pg_catalog.=) e.extnamespace \
         WHERE e.extname OPERATOR(pg_catalog.=) 'tinyquant' AND c.relname OPERATOR(pg_catalog.=) 'tq_codec'";
    let found = Spi::connect(|client| {
        let rows = client.select(QUERY, Some(1), &[])?;
        if rows.is_empty() { Ok(None) } else { rows.first().get_one::<pg_sys::Oid>() }
    })?;
    found.map(|oid| Location { oid, generation }).ok_or(Error::Registry(RegistryError::NoRegistry))
}

/// The row with this hash.
pub(super) fn by_hash(hash: &str) -> Result<Option<Row>, Error> {
    // The format allows what PostgreSQL's text does not; a row can't hold it.
    if hash.contains('\0') {
        return Ok(None);
    }
    select("config_hash", hash)
}

/// The row with this name.
pub(super) fn by_name(name: &str) -> Result<Option<Row>, Error> {
    select("name", name)
}

fn select(key: &str, value: &str) -> Result<Option<Row>, Error> {
    cushion()?;
    let table = location()?.name()?;
    let query = format!(
        "SELECT name, config_hash, dimension, bit_width, seed::pg_catalog.text, residual, rotation, codebook \
         FROM {table} WHERE {key} OPERATOR(pg_catalog.=) $1"
    );
    let fields = Spi::connect(|client| -> Result<_, Error> {
        let rows = client.select(query.as_str(), Some(1), &[DatumWithOid::from(value)])?;
        if rows.is_empty() {
            return Ok(None);
        }
        let row = rows.first();
        Ok(Some((
            row.get::<String>(1)?,
            row.get::<String>(2)?,
            row.get::<i32>(3)?,
            row.get::<i32>(4)?,
            row.get::<String>(5)?,
            row.get::<bool>(6)?,
            row.get::<String>(7)?,
            row.get::<Vec<f32>>(8)?,
        )))
    })?;
    let Some(fields) = fields else {
        return Ok(None);
    };
    // Every column is NOT NULL.
    let (
        Some(name),
        Some(config_hash),
        Some(dimension),
        Some(width),
        Some(seed),
        Some(residual),
        Some(rotation),
        Some(codebook),
    ) = fields
    else {
        return Err(Error::Registry(RegistryError::NoRegistry));
    };
    row_from_sql(name, config_hash, dimension, width, &seed, residual, &rotation, codebook).map(Some)
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
) -> Result<Row, Error> {
    Ok(Row {
        name,
        config_hash,
        dimension: self::dimension(dimension)?,
        bit_width: crate::datum::typmod::bit_width(bit_width)?,
        seed: seed.parse().map_err(|_| Error::Registry(RegistryError::SeedRange(seed.to_string())))?,
        residual,
        rotation: RotationKind::from_name(rotation)
            .ok_or_else(|| Error::Vector(VectorError::Rotation(rotation.to_string())))?,
        codebook,
    })
}

/// A dimension as SQL has it; whether a codec can have it is another matter.
pub(super) fn dimension(dimension: i32) -> Result<u32, Error> {
    u32::try_from(dimension).map_err(|_| Error::Registry(RegistryError::Dimension(dimension)))
}

/// Whether the current user may add rows, in this transaction.
pub(super) fn may_insert() -> Result<bool, Error> {
    let table = location()?.oid;
    // SAFETY: a look-up by the OID of an existing table.
    let result = unsafe {
        pg_sys::pg_class_aclcheck(table, pg_sys::GetUserId(), pg_sys::ACL_INSERT as pg_sys::AclMode)
    };
    // SAFETY: a plain variable of the backend's.
    let read_only = unsafe { pg_sys::XactReadOnly };
    Ok(result == pg_sys::AclResult::ACLCHECK_OK && !read_only)
}

/// Adds a row, which the caller has checked.
pub(super) fn insert(row: &Row) -> Result<(), Error> {
    insert_with(row, "").map(drop)
}

/// Adds a row, which the caller has checked, unless there is one with its hash or name. Waits for another session
/// that is just adding one; returns whether the row was added.
///
/// No index is named: whichever one were, two sessions that add the same row could find each other by the other one, which
/// would be an error of theirs.
pub(super) fn insert_unless_there(row: &Row) -> Result<bool, Error> {
    insert_with(row, "ON CONFLICT DO NOTHING")
}

fn insert_with(row: &Row, clause: &str) -> Result<bool, Error> {
    cushion()?;
    let table = location()?.name()?;
    let query = format!(
        "INSERT INTO {table} (name, config_hash, dimension, bit_width, seed, residual, rotation, codebook) \
         VALUES ($1, $2, $3, $4, $5::pg_catalog.numeric, $6, $7, $8) {clause}"
    );
    refuse_in_recovery(c"INSERT");
    Spi::connect_mut(|client| {
        let inserted = client.update(
            query.as_str(),
            None,
            &[
                DatumWithOid::from(row.name.as_str()),
                DatumWithOid::from(row.config_hash.as_str()),
                DatumWithOid::from(row.dimension as i32),
                DatumWithOid::from(i32::from(row.bit_width.bits())),
                DatumWithOid::from(row.seed.to_string()),
                DatumWithOid::from(row.residual),
                DatumWithOid::from(row.rotation.name()),
                DatumWithOid::from(row.codebook.clone()),
            ],
        )?;
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

/// Columns of tables whose type admits the codec's records, as `schema.table.column`.
pub(super) fn columns_that_may_hold(codec: &Row) -> Result<Vec<String>, Error> {
    cushion()?;
    let query = "SELECT pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname), a.atttypmod \
         FROM pg_catalog.pg_extension e \
         JOIN pg_catalog.pg_type t ON t.typnamespace OPERATOR(pg_catalog.=) e.extnamespace \
         JOIN pg_catalog.pg_attribute a ON a.atttypid OPERATOR(pg_catalog.=) t.oid \
         JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
         WHERE e.extname OPERATOR(pg_catalog.=) 'tinyquant' AND t.typname OPERATOR(pg_catalog.=) 'tqvec' \
           AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'm', 'p']::pg_catalog.\"char\"[]) \
           AND NOT a.attisdropped \
         ORDER BY 1";
    named_where_fitting(query, &[], codec)
}

/// What computes with records of such columns whenever it likes, as PostgreSQL describes it: indexes and statistics on an
/// expression, constraints, generated columns. Functions that need no codec don't count; that others might is all that is known.
pub(super) fn expressions_that_may_decode(codec: &Row) -> Result<Vec<String>, Error> {
    const HARMLESS: [&str; 6] =
        ["tqvec", "tq_dimension", "tq_bit_width", "tq_has_residual", "tq_config_hash", "tq_indices"];
    let query = "SELECT pg_catalog.pg_describe_object(d.classid, d.objid, 0), a.atttypmod \
         FROM pg_catalog.pg_extension e \
         JOIN pg_catalog.pg_type t ON t.typnamespace OPERATOR(pg_catalog.=) e.extnamespace \
         JOIN pg_catalog.pg_attribute a ON a.atttypid OPERATOR(pg_catalog.=) t.oid \
         JOIN pg_catalog.pg_depend d ON d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
           AND d.refobjid OPERATOR(pg_catalog.=) a.attrelid AND d.refobjsubid OPERATOR(pg_catalog.=) a.attnum \
         WHERE e.extname OPERATOR(pg_catalog.=) 'tinyquant' AND t.typname OPERATOR(pg_catalog.=) 'tqvec' \
           AND (d.classid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.pg_statistic_ext', 'pg_catalog.pg_constraint', \
                  'pg_catalog.pg_attrdef']::pg_catalog.regclass[]) \
             OR d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
               AND EXISTS (SELECT FROM pg_catalog.pg_index i WHERE i.indexrelid OPERATOR(pg_catalog.=) d.objid)) \
           AND EXISTS (SELECT FROM pg_catalog.pg_depend u \
             LEFT JOIN pg_catalog.pg_operator o ON o.oid OPERATOR(pg_catalog.=) u.refobjid \
             JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) \
               CASE WHEN u.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_operator'::pg_catalog.regclass \
                 THEN o.oprcode::pg_catalog.oid ELSE u.refobjid END \
             WHERE u.classid OPERATOR(pg_catalog.=) d.classid AND u.objid OPERATOR(pg_catalog.=) d.objid \
               AND u.refclassid OPERATOR(pg_catalog.=) ANY (ARRAY['pg_catalog.pg_proc', \
                 'pg_catalog.pg_operator']::pg_catalog.regclass[]) \
               AND NOT (p.pronamespace OPERATOR(pg_catalog.=) e.extnamespace \
                 AND (p.proname OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.name[]) \
                   OR pg_catalog.starts_with(p.proname::pg_catalog.text, 'tqvec_')))) \
         GROUP BY d.classid, d.objid, a.atttypmod ORDER BY 1";
    let harmless = HARMLESS.map(String::from).to_vec();
    named_where_fitting(query, &[DatumWithOid::from(harmless)], codec)
}

/// The first column of a query's rows whose second is a type modifier that admits the codec's records.
fn named_where_fitting(
    query: &str,
    arguments: &[DatumWithOid<'_>],
    codec: &Row,
) -> Result<Vec<String>, Error> {
    Spi::connect(|client| {
        let mut names = Vec::new();
        for row in client.select(query, None, arguments)? {
            let typmod = Typmod::from_raw(row.get::<i32>(2)?.unwrap_or(-1));
            let hash = codec.config_hash.as_bytes();
            if typmod.check_shape(codec.dimension, codec.bit_width, codec.residual, hash).is_ok() {
                names.extend(row.get::<String>(1)?);
            }
        }
        names.dedup();
        Ok(names)
    })
}

/// Tells every backend, at commit, that the table has changed; called by its trigger.
pub(super) fn announce_change(relation: pg_sys::Oid) {
    generation::set_registry(relation);
    // SAFETY: the relation is the one whose trigger is running, so it exists and is locked.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation) }
}
