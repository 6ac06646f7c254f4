//! What is in the catalogs of pgvector's objects and of those that stand beside them.

#![allow(unsafe_code)]

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;

use crate::error::Error;
use crate::server::memory::cushion;

/// Lets an object go with tinyquant without CASCADE. SQL has no words for it where casts are concerned.
pub(super) fn tie(class: pg_sys::Oid, object: pg_sys::Oid) -> Result<(), Error> {
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

/// The schema of an extension's objects, if it is installed.
pub(super) fn schema_of(extension: &str) -> Result<Option<String>, Error> {
    first(
        "SELECT n.nspname::pg_catalog.text FROM pg_catalog.pg_extension e \
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace \
         WHERE e.extname OPERATOR(pg_catalog.=) $1::pg_catalog.name",
        &[DatumWithOid::from(extension)],
    )
}

/// A type of an extension's, by its name.
pub(super) fn type_oid(extension: &str, name: &str) -> Result<Option<pg_sys::Oid>, Error> {
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

pub(super) fn cast_oid(source: pg_sys::Oid, target: pg_sys::Oid) -> Result<Option<pg_sys::Oid>, Error> {
    first(
        "SELECT oid FROM pg_catalog.pg_cast \
         WHERE castsource OPERATOR(pg_catalog.=) $1 AND casttarget OPERATOR(pg_catalog.=) $2",
        &[DatumWithOid::from(source), DatumWithOid::from(target)],
    )
}

/// The function that a cast calls, if it calls one.
pub(super) fn function_behind(cast: pg_sys::Oid) -> Result<Option<pg_sys::Oid>, Error> {
    first(
        "SELECT p.oid FROM pg_catalog.pg_cast c JOIN pg_catalog.pg_proc p ON p.oid OPERATOR(pg_catalog.=) c.castfunc \
         WHERE c.oid OPERATOR(pg_catalog.=) $1",
        &[DatumWithOid::from(cast)],
    )
}

/// A function by its name and the types of its arguments, if it is there.
pub(super) fn function_oid(function: &str) -> Result<Option<pg_sys::Oid>, Error> {
    first("SELECT pg_catalog.to_regprocedure($1)::pg_catalog.oid", &[DatumWithOid::from(function)])
}

fn first<T: FromDatum + IntoDatum>(query: &str, arguments: &[DatumWithOid<'_>]) -> Result<Option<T>, Error> {
    cushion()?;
    Spi::connect_mut(|client| {
        let rows = client.update(query, Some(1), arguments)?;
        if rows.is_empty() { Ok(None) } else { Ok(rows.first().get_one::<T>()?) }
    })
}

/// An operator by its name and the types of its arguments, if it is there. One that is named as another's commutator, and not
/// made yet, isn't.
pub(super) fn operator_oid(operator: &str) -> Result<Option<pg_sys::Oid>, Error> {
    first(
        "SELECT oid FROM pg_catalog.pg_operator WHERE oid OPERATOR(pg_catalog.=) pg_catalog.to_regoperator($1) \
         AND oprcode OPERATOR(pg_catalog.<>) 0::pg_catalog.oid",
        &[DatumWithOid::from(operator)],
    )
}

/// The function behind an operator.
pub(super) fn operator_function(operator: pg_sys::Oid) -> Result<Option<pg_sys::Oid>, Error> {
    first(
        "SELECT oprcode::pg_catalog.oid FROM pg_catalog.pg_operator WHERE oid OPERATOR(pg_catalog.=) $1",
        &[DatumWithOid::from(operator)],
    )
}

/// Whether there is an operator class of that name for the access method.
pub(super) fn has_operator_class(schema: &str, name: &str) -> Result<bool, Error> {
    let found = first::<bool>(
        "SELECT true FROM pg_catalog.pg_opclass c \
         JOIN pg_catalog.pg_am a ON a.oid OPERATOR(pg_catalog.=) c.opcmethod \
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.opcnamespace \
         WHERE a.amname OPERATOR(pg_catalog.=) 'tinyquant' AND n.nspname OPERATOR(pg_catalog.=) $1::pg_catalog.name \
           AND c.opcname OPERATOR(pg_catalog.=) $2::pg_catalog.name",
        &[DatumWithOid::from(schema), DatumWithOid::from(name)],
    )?;
    Ok(found.is_some())
}
