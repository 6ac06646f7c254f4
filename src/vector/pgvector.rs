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

use crate::error::{Error, SqlResult, notice};
use crate::memory::cushion;
use crate::recovery::refuse_in_recovery;

/// A type of pgvector's, and its function from `real[]` under a type modifier.
const TYPES: [(&str, &str); 2] = [("vector", "array_to_vector"), ("halfvec", "array_to_halfvec")];

/// Creates the casts that aren't there.
#[pg_extern(sql = false)]
fn tq_enable_pgvector() -> SqlResult<()> {
    refuse_in_recovery(c"tq_enable_pgvector()");
    let theirs = schema_of("vector")?.ok_or(Error::NoPgvector)?;
    let ours = schema_of("tinyquant")?.ok_or(Error::NoRegistry)?;
    let mut created = Vec::new();
    for (name, from_array) in TYPES {
        let Some(their_oid) = type_oid("vector", name)? else { continue };
        let our_oid = type_oid("tinyquant", "tqvec")?.ok_or(Error::NoRegistry)?;
        let (tqvec, vector) = (qualified(&ours, "tqvec"), qualified(&theirs, name));
        if cast_oid(their_oid, our_oid)?.is_none() {
            create(Cast {
                function: format!("{tqvec}({vector}, integer, boolean)"),
                returns: &tqvec,
                body: format!("{tqvec}(($1)::pg_catalog.float4[], $2, $3)"),
                comment: format!("compresses a {name} under a type modifier"),
                cast: format!("({vector} AS {tqvec})"),
                context: "AS ASSIGNMENT",
                oids: (their_oid, our_oid),
            })?;
            created.push(format!("{name} to tqvec"));
        }
        if cast_oid(our_oid, their_oid)?.is_none() {
            let (decompress, from_array) =
                (qualified(&ours, "tq_decompress"), qualified(&theirs, from_array));
            create(Cast {
                function: format!("{}({tqvec}, integer, boolean)", qualified(&ours, name)),
                returns: &vector,
                body: format!("{from_array}({decompress}($1), $2, $3)"),
                comment: format!("the {name} that a record stands for"),
                cast: format!("({tqvec} AS {vector})"),
                context: "",
                oids: (our_oid, their_oid),
            })?;
            created.push(format!("tqvec to {name}"));
        }
    }
    if created.is_empty() {
        notice("the casts between tqvec and pgvector's types are there already".into(), None, None);
    }
    Ok(())
}

/// The catalog `pg_cast`, fixed in `catalog/pg_cast.h`.
const PG_CAST: u32 = 2605;

struct Cast<'a> {
    /// With the types of its arguments.
    function: String,
    returns: &'a str,
    body: String,
    comment: String,
    cast: String,
    context: &'a str,
    oids: (pg_sys::Oid, pg_sys::Oid),
}

fn create(new: Cast<'_>) -> Result<(), Error> {
    let Cast { function, returns, body, comment, cast, context, oids } = new;
    run(&format!(
        "CREATE FUNCTION {function} RETURNS {returns} LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 RETURN {body}"
    ))?;
    run(&format!("COMMENT ON FUNCTION {function} IS {}", pgrx::spi::quote_literal(&comment)))?;
    run(&format!("CREATE CAST {cast} WITH FUNCTION {function} {context}"))?;
    run(&format!("COMMENT ON CAST {cast} IS {}", pgrx::spi::quote_literal(&comment)))?;
    // SAFETY: a plain variable of the backend's, which is true while an extension's script runs.
    if unsafe { pg_sys::creating_extension } {
        run(&format!("ALTER EXTENSION tinyquant DROP CAST {cast}"))?;
        run(&format!("ALTER EXTENSION tinyquant DROP FUNCTION {function}"))?;
    }
    // Both go with tinyquant without CASCADE. SQL has no words for it where casts are concerned.
    run(&format!("ALTER FUNCTION {function} DEPENDS ON EXTENSION tinyquant"))?;
    let made = cast_oid(oids.0, oids.1)?.ok_or(Error::NoRegistry)?;
    // SAFETY: two addresses of objects that exist, the second by a look-up that raises an error otherwise.
    unsafe {
        let extension = pg_sys::get_extension_oid(c"tinyquant".as_ptr(), false);
        let address =
            |class, object| pg_sys::ObjectAddress { classId: class, objectId: object, objectSubId: 0 };
        pg_sys::recordDependencyOn(
            &address(pg_sys::Oid::from(PG_CAST), made),
            &address(pg_sys::ExtensionRelationId, extension),
            pg_sys::DependencyType::DEPENDENCY_AUTO_EXTENSION,
        );
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

fn first<T: FromDatum + IntoDatum>(query: &str, arguments: &[DatumWithOid<'_>]) -> Result<Option<T>, Error> {
    let _cushion = cushion()?;
    Spi::connect_mut(|client| {
        let rows = client.update(query, Some(1), arguments)?;
        if rows.is_empty() { Ok(None) } else { Ok(rows.first().get_one::<T>()?) }
    })
}
