//! Casts between `tqvec` and pgvector's types, where pgvector is installed.
//!
//! The casts are SQL functions with a parsed body, so nothing here knows pgvector's layout, PostgreSQL knows what depends on
//! what, and the planner puts the C functions in their place. They don't belong to the extension: pg_dump would otherwise
//! leave them out, and CREATE EXTENSION would not make them again where a dump brings tinyquant before pgvector. They go
//! with either extension all the same.

#![allow(unsafe_code)]

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use pgrx::spi::quote_qualified_identifier;

use crate::error::{Error, RegistryError, SqlResult, VectorError, notice};
use crate::server::memory::cushion;
use crate::server::recovery::refuse_in_recovery;

/// A type of pgvector's, and its function from `real[]` under a type modifier.
const TYPES: [(&str, &str); 2] = [("vector", "array_to_vector"), ("halfvec", "array_to_halfvec")];

/// Creates of the casts what isn't there: a cast, its function, or that they go with the extension, which a dump doesn't say of
/// casts. A cast that leads to another function is somebody's own, and stays.
#[pg_extern(sql = false)]
fn tq_enable_pgvector() -> SqlResult<()> {
    refuse_in_recovery(c"tq_enable_pgvector()");
    let theirs = schema_of("vector")?.ok_or(Error::Vector(VectorError::NoPgvector))?;
    let ours = schema_of("tinyquant")?.ok_or(Error::Registry(RegistryError::NoRegistry))?;
    let mut created = false;
    for (name, from_array) in TYPES {
        let Some(their_oid) = type_oid("vector", name)? else { continue };
        let our_oid = type_oid("tinyquant", "tqvec")?.ok_or(Error::Registry(RegistryError::NoRegistry))?;
        let (tqvec, vector) = (qualified(&ours, "tqvec"), qualified(&theirs, name));
        created |= ensure(CastDefinition {
            function: format!("{tqvec}({vector}, integer, boolean)"),
            returns: &tqvec,
            body: format!("{tqvec}(($1)::pg_catalog.float4[], $2, $3)"),
            comment: format!("compresses a {name} under a type modifier"),
            cast: format!("({vector} AS {tqvec})"),
            context: "AS ASSIGNMENT",
            oids: (their_oid, our_oid),
        })?;
        let (decompress, from_array) = (qualified(&ours, "tq_decompress"), qualified(&theirs, from_array));
        created |= ensure(CastDefinition {
            function: format!("{}({tqvec}, integer, boolean)", qualified(&ours, name)),
            returns: &vector,
            body: format!("{from_array}({decompress}($1), $2, $3)"),
            comment: format!("the {name} that a record stands for"),
            cast: format!("({tqvec} AS {vector})"),
            context: "",
            oids: (our_oid, their_oid),
        })?;
    }
    if !created {
        notice("the casts between tqvec and pgvector's types are there already".into(), None, None);
    }
    Ok(())
}

/// The catalog `pg_cast`, fixed in `catalog/pg_cast.h`.
const PG_CAST: u32 = 2605;

struct CastDefinition<'a> {
    /// With the types of its arguments.
    function: String,
    returns: &'a str,
    body: String,
    comment: String,
    cast: String,
    context: &'a str,
    oids: (pg_sys::Oid, pg_sys::Oid),
}

/// Makes what isn't there of a cast; returns whether the cast itself wasn't.
fn ensure(wanted: CastDefinition<'_>) -> Result<bool, Error> {
    let (source, target) = wanted.oids;
    if let Some(cast) = cast_oid(source, target)? {
        // Of two values, since a cast needs no function.
        // SAFETY: reads the session's state.
        if function_behind(cast)? == function_oid(&wanted.function)? && unsafe { pg_sys::superuser() } {
            tie(pg_sys::Oid::from(PG_CAST), cast)?;
            if let Some(function) = function_oid(&wanted.function)? {
                tie(pg_sys::ProcedureRelationId, function)?;
            }
        }
        return Ok(false);
    }
    create(wanted)?;
    Ok(true)
}

fn create(new: CastDefinition<'_>) -> Result<(), Error> {
    let CastDefinition { function, returns, body, comment, cast, context, oids } = new;
    // The function may be there: dropping a cast leaves it, and so may somebody who had it made by another hand. What
    // is there is replaced, and belongs to whoever makes the cast, so that nobody else can change what the cast does.
    run(&format!(
        "CREATE OR REPLACE FUNCTION {function} RETURNS {returns} LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 RETURN {body}"
    ))?;
    run(&format!("ALTER FUNCTION {function} OWNER TO CURRENT_USER"))?;
    run(&format!("COMMENT ON FUNCTION {function} IS {}", pgrx::spi::quote_literal(&comment)))?;
    run(&format!("CREATE CAST {cast} WITH FUNCTION {function} {context}"))?;
    run(&format!("COMMENT ON CAST {cast} IS {}", pgrx::spi::quote_literal(&comment)))?;
    // SAFETY: a plain variable of the backend's, which is true while an extension's script runs.
    if unsafe { pg_sys::creating_extension } {
        run(&format!("ALTER EXTENSION tinyquant DROP CAST {cast}"))?;
        run(&format!("ALTER EXTENSION tinyquant DROP FUNCTION {function}"))?;
    }
    tie(
        pg_sys::ProcedureRelationId,
        function_oid(&function)?.ok_or(Error::Registry(RegistryError::NoRegistry))?,
    )?;
    tie(
        pg_sys::Oid::from(PG_CAST),
        cast_oid(oids.0, oids.1)?.ok_or(Error::Registry(RegistryError::NoRegistry))?,
    )
}

/// Lets an object go with tinyquant without CASCADE. SQL has no words for it where casts are concerned.
fn tie(class: pg_sys::Oid, object: pg_sys::Oid) -> Result<(), Error> {
    let tied = first::<bool>(
        "SELECT true FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid OPERATOR(pg_catalog.=) d.refobjid \
         WHERE d.classid OPERATOR(pg_catalog.=) $1 AND d.objid OPERATOR(pg_catalog.=) $2 \
           AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass \
           AND d.deptype OPERATOR(pg_catalog.=) 'x'::pg_catalog.\"char\" \
           AND e.extname OPERATOR(pg_catalog.=) 'tinyquant'",
        &[DatumWithOid::from(class), DatumWithOid::from(object)],
    )?;
    if tied.is_some() {
        return Ok(());
    }
    // SAFETY: two addresses of objects that exist, the second by a look-up that raises an error otherwise.
    unsafe {
        let extension = pg_sys::get_extension_oid(c"tinyquant".as_ptr(), false);
        let address =
            |class, object| pg_sys::ObjectAddress { classId: class, objectId: object, objectSubId: 0 };
        pg_sys::recordDependencyOn(
            &address(class, object),
            &address(pg_sys::ExtensionRelationId, extension),
            pg_sys::DependencyType::DEPENDENCY_AUTO_EXTENSION,
        );
        // What was recorded is to be found if it is asked for again.
        pg_sys::CommandCounterIncrement();
    }
    Ok(())
}

fn run(statement: &str) -> Result<(), Error> {
    Ok(Spi::run(statement)?)
}

/// A schema's object, quoted.
fn qualified(schema: &str, name: &str) -> String {
    quote_qualified_identifier(schema, name)
}

/// The schema of an extension's objects, if it is installed.
fn schema_of(extension: &str) -> Result<Option<String>, Error> {
    first(
        "SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_extension e \
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace \
         WHERE e.extname OPERATOR(pg_catalog.=) $1::pg_catalog.name",
        &[DatumWithOid::from(extension)],
    )
}

/// A type of an extension's, by its name.
fn type_oid(extension: &str, name: &str) -> Result<Option<pg_sys::Oid>, Error> {
    first(
        "SELECT t.oid FROM pg_catalog.pg_extension e \
         JOIN pg_catalog.pg_type t ON t.typnamespace OPERATOR(pg_catalog.=) e.extnamespace \
         JOIN pg_catalog.pg_depend d ON d.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_type'::pg_catalog.regclass \
           AND d.objid OPERATOR(pg_catalog.=) t.oid AND d.refobjid OPERATOR(pg_catalog.=) e.oid \
           AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_extension'::pg_catalog.regclass \
           AND d.deptype OPERATOR(pg_catalog.=) 'e'::pg_catalog.\"char\" \
         WHERE e.extname OPERATOR(pg_catalog.=) $1::pg_catalog.name \
           AND t.typname OPERATOR(pg_catalog.=) $2::pg_catalog.name",
        &[DatumWithOid::from(extension), DatumWithOid::from(name)],
    )
}

fn cast_oid(source: pg_sys::Oid, target: pg_sys::Oid) -> Result<Option<pg_sys::Oid>, Error> {
    first(
        "SELECT oid FROM pg_catalog.pg_cast \
         WHERE castsource OPERATOR(pg_catalog.=) $1 AND casttarget OPERATOR(pg_catalog.=) $2",
        &[DatumWithOid::from(source), DatumWithOid::from(target)],
    )
}

/// The function that a cast calls, if it calls one.
fn function_behind(cast: pg_sys::Oid) -> Result<Option<pg_sys::Oid>, Error> {
    first(
        "SELECT p.oid FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) c.castfunc \
         WHERE c.oid OPERATOR(pg_catalog.=) $1",
        &[DatumWithOid::from(cast)],
    )
}

/// A function by its name and the types of its arguments, if it is there.
fn function_oid(function: &str) -> Result<Option<pg_sys::Oid>, Error> {
    first("SELECT pg_catalog.to_regprocedure($1)::pg_catalog.oid", &[DatumWithOid::from(function)])
}

fn first<T: FromDatum + IntoDatum>(query: &str, arguments: &[DatumWithOid<'_>]) -> Result<Option<T>, Error> {
    cushion()?;
    Spi::connect_mut(|client| {
        let rows = client.update(query, Some(1), arguments)?;
        if rows.is_empty() { Ok(None) } else { Ok(rows.first().get_one::<T>()?) }
    })
}
