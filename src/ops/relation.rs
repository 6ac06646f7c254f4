//! The rows that `tq_compress_column` works on: the tables behind a relation, and reading and writing their columns.
//!
//! The statements are ordinary SQL with the caller's rights, so that triggers, constraints, indexes and generated columns do
//! what they do in any UPDATE. They name relations with their schema and operators with `pg_catalog`, so that no search
//! path matters. A partition is worked on by its own name, for then its rows are found by position at once; where the
//! caller has rights to the parent alone, or row-level security guards the parent, the statements name the parent and say
//! which partition is meant.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString};

use pgrx::IntoDatum;
use pgrx::datum::DatumWithOid;
use pgrx::pg_sys;
use pgrx::prelude::Spi;
use pgrx::spi::{quote_identifier, quote_qualified_identifier};

use crate::error::Error;
use crate::vector::{FloatArray, Typmod};

/// A relation with its two columns.
pub(super) struct Target {
    /// The relation, for messages.
    pub(super) shown: String,
    /// The column to fill.
    pub(super) column: String,
    pub(super) typmod: Typmod,
    pub(super) parts: Vec<Part>,
    source: String,
    target: String,
    /// `tqvec`, with its schema.
    type_name: String,
}

/// A table that holds rows: the relation, or a partition or child of it.
#[derive(Clone)]
pub(super) struct Part {
    /// For messages.
    shown: String,
    oid: pg_sys::Oid,
    /// What statements name, quoted.
    name: String,
    /// Whether that is the parent, and the part has to be told from others.
    by_parent: bool,
}

/// Vectors of one dimension, and where their rows are.
#[derive(Default)]
pub(super) struct Piece {
    pub(super) positions: Vec<pg_sys::ItemPointerData>,
    /// Row after row.
    pub(super) vectors: Vec<f32>,
    pub(super) dimension: usize,
}

impl Piece {
    /// An error that concerns one of the rows.
    pub(super) fn error(&self, part: &Part, row: usize, source: Error) -> Error {
        row_error(part, self.positions.get(row).copied().unwrap_or_default(), source)
    }
}

fn row_error(part: &Part, position: pg_sys::ItemPointerData, source: Error) -> Error {
    let (block, offset) = pgrx::itemptr::item_pointer_get_both(position);
    Error::ColumnRow {
        table: part.shown.clone(),
        position: format!("({block},{offset})"),
        source: source.into(),
    }
}

impl Target {
    /// Looks the relation and the columns up, and all tables behind it.
    ///
    /// # Errors
    /// No such relation or column, a relation that isn't a table, a target that isn't a `tqvec`.
    pub(super) fn find(relation: pg_sys::Oid, source: &str, target: &str) -> Result<Target, Error> {
        let shown = relation_name(relation)?;
        let column = |name: &str| -> Result<pg_sys::AttrNumber, Error> {
            let missing = || Error::NoSuchColumn { table: shown.clone(), column: name.into() };
            let c_name = CString::new(name).map_err(|_| missing())?;
            // SAFETY: a look-up by OID and a NUL-terminated name.
            match unsafe { pg_sys::get_attnum(relation, c_name.as_ptr()) } {
                number if number > 0 => Ok(number),
                _ => Err(missing()),
            }
        };
        column(source)?;
        let number = column(target)?;
        let (mut oid, mut typmod, mut collation) = (pg_sys::InvalidOid, -1, pg_sys::InvalidOid);
        // SAFETY: the column exists, and the results are written to variables of those types.
        unsafe { pg_sys::get_atttypetypmodcoll(relation, number, &mut oid, &mut typmod, &mut collation) };
        let Some((tqvec, typmod)) = Typmod::of_type(oid, typmod) else {
            return Err(Error::ColumnType { column: target.into(), got: type_name(oid) });
        };
        Ok(Target {
            parts: parts(relation, &shown, number)?,
            shown: shown.replace('"', ""),
            column: target.into(),
            typmod,
            type_name: type_name(tqvec),
            source: quote_identifier(source),
            target: quote_identifier(target),
        })
    }
}

/// The relation's name with its schema, quoted.
fn relation_name(relation: pg_sys::Oid) -> Result<String, Error> {
    // SAFETY: look-ups by OID, whose results are null for what doesn't exist, else NUL-terminated copies.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        let schema = pg_sys::get_namespace_name(pg_sys::get_rel_namespace(relation));
        if name.is_null() || schema.is_null() {
            return Err(Error::NoSuchRelation(relation.to_u32()));
        }
        let text = |pointer| CStr::from_ptr(pointer).to_string_lossy().into_owned();
        Ok(quote_qualified_identifier(text(schema), text(name)))
    }
}

/// A type's name, with its schema unless that is `pg_catalog`, quoted.
fn type_name(oid: pg_sys::Oid) -> String {
    // SAFETY: the name of whatever type has that OID, as a NUL-terminated copy.
    unsafe {
        let name = pg_sys::format_type_extended(oid, -1, pg_sys::FORMAT_TYPE_FORCE_QUALIFY as u16);
        CStr::from_ptr(name).to_string_lossy().into_owned()
    }
}

/// The tables with rows behind a relation: itself, its partitions, or its children.
fn parts(relation: pg_sys::Oid, name: &str, target: pg_sys::AttrNumber) -> Result<Vec<Part>, Error> {
    const MEMBERS: &str = "WITH RECURSIVE member(oid) AS ( \
             SELECT $1 UNION SELECT i.inhrelid FROM pg_catalog.pg_inherits i \
             JOIN member m ON i.inhparent OPERATOR(pg_catalog.=) m.oid WHERE NOT i.inhdetachpending) \
         SELECT oid FROM member ORDER BY oid";
    let members = Spi::connect(|client| -> Result<Vec<pg_sys::Oid>, Error> {
        let mut members = Vec::new();
        for row in client.select(MEMBERS, None, &[DatumWithOid::from(relation)])? {
            members.extend(row.get::<pg_sys::Oid>(1)?);
        }
        Ok(members)
    })?;
    // SAFETY: a look-up by OID, which reports nothing.
    let guarded = unsafe { pg_sys::check_enable_rls(relation, pg_sys::InvalidOid, true) }
        == pg_sys::CheckEnableRlsResult::RLS_ENABLED as i32;
    let mut parts = Vec::new();
    for member in members {
        // SAFETY: a look-up by OID.
        match unsafe { pg_sys::get_rel_relkind(member) } as u8 {
            pg_sys::RELKIND_RELATION => {}
            pg_sys::RELKIND_PARTITIONED_TABLE => continue,
            _ => return Err(Error::NotTable(relation_name(member)?.replace('"', ""))),
        }
        let own = relation_name(member)?;
        let by_parent = member != relation && (guarded || !may_update(member, target, relation));
        let statement_name = if by_parent { name.to_string() } else { format!("ONLY {own}") };
        parts.push(Part { shown: own.replace('"', ""), oid: member, name: statement_name, by_parent });
    }
    Ok(parts)
}

/// Whether the current user may read the table and update the column that is number `target` of `relation`.
fn may_update(table: pg_sys::Oid, target: pg_sys::AttrNumber, relation: pg_sys::Oid) -> bool {
    // SAFETY: look-ups by OID and number; the column's name is that of an existing column.
    unsafe {
        let user = pg_sys::GetUserId();
        let table_may = |right: u32| {
            pg_sys::pg_class_aclcheck(table, user, right as pg_sys::AclMode) == pg_sys::AclResult::ACLCHECK_OK
        };
        let number = pg_sys::get_attnum(table, pg_sys::get_attname(relation, target, false));
        let column_may = || {
            let right = pg_sys::ACL_UPDATE as pg_sys::AclMode;
            pg_sys::pg_attribute_aclcheck(table, number, user, right) == pg_sys::AclResult::ACLCHECK_OK
        };
        table_may(pg_sys::ACL_SELECT) && (table_may(pg_sys::ACL_UPDATE) || column_may())
    }
}

/// Statements that see one state of the database, and plans that find rows by position. Left without [`Batch::end`], as when
/// an error passes, it ends with the transaction.
pub(super) struct Batch {
    settings: i32,
    memory: pg_sys::MemoryContext,
    before: pg_sys::MemoryContext,
}

impl Batch {
    /// # Safety
    /// An SPI connection must be open, in a transaction.
    pub(super) unsafe fn begin() -> Batch {
        // SAFETY: a transaction is open; the settings and the snapshot are taken back by `end` or with the transaction,
        // and the memory is below the connection's.
        unsafe {
            let settings = pg_sys::NewGUCNestLevel();
            // Few positions among many rows: looking up each is right however few rows the planner believes in.
            for (name, value) in [
                (c"enable_hashjoin", c"off"),
                (c"enable_mergejoin", c"off"),
                (c"enable_tidscan", c"on"),
                (c"enable_nestloop", c"on"),
                (c"jit", c"off"),
            ] {
                pg_sys::set_config_option(
                    name.as_ptr(),
                    value.as_ptr(),
                    pg_sys::GucContext::PGC_USERSET,
                    pg_sys::GucSource::PGC_S_SESSION,
                    pg_sys::GucAction::GUC_ACTION_SAVE,
                    true,
                    0,
                    false,
                );
            }
            // Fetching from TOAST wants a snapshot.
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            let before = pg_sys::CurrentMemoryContext;
            let memory = pg_sys::AllocSetContextCreateExtended(
                before,
                c"tq_compress_column".as_ptr(),
                pg_sys::ALLOCSET_DEFAULT_MINSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_INITSIZE as usize,
                pg_sys::ALLOCSET_DEFAULT_MAXSIZE as usize,
            );
            pg_sys::MemoryContextSwitchTo(memory);
            Batch { settings, memory, before }
        }
    }

    pub(super) fn end(self) {
        // SAFETY: what `begin` made, in the reverse order.
        unsafe {
            pg_sys::MemoryContextSwitchTo(self.before);
            pg_sys::MemoryContextDelete(self.memory);
            pg_sys::PopActiveSnapshot();
            pg_sys::AtEOXact_GUC(true, self.settings);
        }
    }

    /// Reads and locks up to `limit` rows behind a position, in the order of their positions; returns them, a piece
    /// for each run of one dimension, and the last position.
    pub(super) fn read(
        &self,
        target: &Target,
        part: &Part,
        after: pg_sys::ItemPointerData,
        limit: usize,
    ) -> Result<(Vec<Piece>, Option<pg_sys::ItemPointerData>), Error> {
        let condition = if part.by_parent { "AND t.tableoid OPERATOR(pg_catalog.=) $3" } else { "" };
        let (source, column) = (&target.source, &target.target);
        let query = format!(
            "SELECT t.ctid, (t.{source})::pg_catalog.float4[] FROM {} AS t \
             WHERE t.ctid OPERATOR(pg_catalog.>) $1 AND t.{source} IS NOT NULL AND t.{column} IS NULL {condition} \
             LIMIT $2 FOR NO KEY UPDATE",
            part.name
        );
        let arguments = [
            (pg_sys::TIDOID, after.into_datum()),
            (pg_sys::INT8OID, (limit as i64).into_datum()),
            part.oid_argument(),
        ];
        self.execute(&query, &arguments[..if part.by_parent { 3 } else { 2 }])?;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut last = None;
        // SAFETY: the statement has just left its result in SPI's variables; both columns have the types that it says, and
        // values live as long as the table of them, which is freed when all are copied.
        unsafe {
            let table = pg_sys::SPI_tuptable;
            let (rows, description) = ((*table).vals, (*table).tupdesc);
            for row in 0..pg_sys::SPI_processed as usize {
                let mut is_null = false;
                let position = pg_sys::SPI_getbinval(*rows.add(row), description, 1, &mut is_null);
                let position = *position.cast_mut_ptr::<pg_sys::ItemPointerData>();
                let array = pg_sys::SPI_getbinval(*rows.add(row), description, 2, &mut is_null);
                if is_null {
                    // A cast may make a NULL of what isn't one.
                    last = Some(position);
                    continue;
                }
                let whole = pg_sys::pg_detoast_datum(array.cast_mut_ptr());
                let floats = FloatArray::from_datum(pg_sys::Datum::from(whole));
                let floats = floats.floats().map_err(|error| row_error(part, position, error))?;
                if pieces.last().is_none_or(|piece| piece.dimension != floats.len()) {
                    pieces.push(Piece { dimension: floats.len(), ..Piece::default() });
                }
                if let Some(piece) = pieces.last_mut() {
                    piece.positions.push(position);
                    piece.vectors.extend_from_slice(&floats);
                }
                if whole != array.cast_mut_ptr() {
                    pg_sys::pfree(whole.cast());
                }
                last = Some(position);
            }
            pg_sys::SPI_freetuptable(table);
        }
        Ok((pieces, last))
    }

    /// Writes the records of a piece into its rows.
    pub(super) fn write(
        &self,
        target: &Target,
        part: &Part,
        piece: &Piece,
        records: &[u8],
    ) -> Result<(), Error> {
        let condition = if part.by_parent { "AND t.tableoid OPERATOR(pg_catalog.=) $3" } else { "" };
        // A multi-argument unnest is core's, whatever the search path says.
        let query = format!(
            "UPDATE {} AS t SET {} = u.record::{} FROM unnest($1, $2) AS u(place, record) \
             WHERE t.ctid OPERATOR(pg_catalog.=) u.place {condition}",
            part.name, target.target, target.type_name,
        );
        let length = records.len() / piece.positions.len().max(1);
        let records: Vec<&[u8]> = records.chunks_exact(length.max(1)).collect();
        let arguments = [
            (pg_sys::TIDARRAYOID, piece.positions.clone().into_datum()),
            (pg_sys::BYTEAARRAYOID, records.into_datum()),
            part.oid_argument(),
        ];
        self.execute(&query, &arguments[..if part.by_parent { 3 } else { 2 }])
    }

    /// Runs a statement on the open connection.
    fn execute(&self, query: &str, arguments: &[(pg_sys::Oid, Option<pg_sys::Datum>)]) -> Result<(), Error> {
        let syntax = |code| Error::Spi(pgrx::spi::SpiError::SpiError(code));
        let query = CString::new(query).map_err(|_| syntax(pgrx::spi::SpiErrorCodes::Argument))?;
        let mut types: Vec<pg_sys::Oid> = arguments.iter().map(|(oid, _)| *oid).collect();
        let mut values: Vec<pg_sys::Datum> =
            arguments.iter().map(|(_, datum)| datum.unwrap_or(pg_sys::Datum::null())).collect();
        // SAFETY: as many types as values, none null.
        let result = unsafe {
            pg_sys::SPI_execute_with_args(
                query.as_ptr(),
                arguments.len() as i32,
                types.as_mut_ptr(),
                values.as_mut_ptr(),
                std::ptr::null(),
                false,
                0,
            )
        };
        if result < 0 {
            return Err(syntax(
                pgrx::spi::SpiErrorCodes::try_from(result).unwrap_or(pgrx::spi::SpiErrorCodes::Argument),
            ));
        }
        Ok(())
    }
}

impl Part {
    fn oid_argument(&self) -> (pg_sys::Oid, Option<pg_sys::Datum>) {
        (pg_sys::OIDOID, self.oid.into_datum())
    }
}
