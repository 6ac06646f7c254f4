//! Functions in SQL, the casts and operators that call them, and operator classes of pgvector's operators, made where they aren't.

#![allow(unsafe_code)]

use pgrx::prelude::*;
use pgrx::spi::quote_literal;

use super::catalogue::{
    cast_oid, function_behind, function_oid, has_operator_class, operator_function, operator_oid, tie,
};
use crate::error::{Error, RegistryError};

/// The catalogs `pg_cast` and `pg_operator`, fixed in their headers.
const PG_CAST: u32 = 2605;
const PG_OPERATOR: u32 = 2617;

/// A function whose body the planner looks through.
pub(super) struct SqlFunction {
    /// Its name, and the types of its arguments.
    pub(super) signature: String,
    pub(super) returns: String,
    /// An expression.
    pub(super) body: String,
    pub(super) comment: String,
}

/// What calls such a function.
pub(super) enum Caller {
    Cast {
        /// `(source AS target)`.
        cast: String,
        context: &'static str,
        oids: (pg_sys::Oid, pg_sys::Oid),
    },
    Operator {
        /// With its schema and the types of its arguments, as it is looked up.
        name: String,
        /// What it is written as; its commutator is written alike.
        symbol: &'static str,
        schema: String,
        types: [String; 2],
    },
}

impl SqlFunction {
    /// Makes the function, if there is none of this signature: one that is there is somebody's own, or was made before. Returns
    /// whether it was made.
    pub(super) fn ensure(&self) -> Result<bool, Error> {
        if function_oid(&self.signature)?.is_some() {
            return Ok(false);
        }
        self.create()?;
        Ok(true)
    }

    /// Makes the function, or replaces one that is there: it belongs to whoever makes what calls it, so that nobody else can change
    /// what that does.
    fn create(&self) -> Result<(), Error> {
        let SqlFunction { signature, returns, body, comment } = self;
        run(&format!(
            "CREATE OR REPLACE FUNCTION {signature} RETURNS {returns} \
             LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 RETURN {body}"
        ))?;
        run(&format!("ALTER FUNCTION {signature} OWNER TO CURRENT_USER"))?;
        run(&format!("COMMENT ON FUNCTION {signature} IS {}", quote_literal(comment)))?;
        keep_out_of_extension(&format!("FUNCTION {signature}"))?;
        self.tie()
    }

    fn tie(&self) -> Result<(), Error> {
        tie(pg_sys::ProcedureRelationId, there(function_oid(&self.signature)?)?)
    }
}

impl Caller {
    /// Makes what isn't there: the caller, its function, or that they go with the extension, which a dump doesn't say of casts and
    /// operators. One that leads to another function is somebody's own, and stays. Returns whether the caller was made.
    pub(super) fn ensure(&self, function: &SqlFunction) -> Result<bool, Error> {
        let Some(found) = self.oid()? else {
            function.create()?;
            self.create(function)?;
            return Ok(true);
        };
        // Of two values, since a cast needs no function.
        // SAFETY: reads the session's state.
        if self.function_of(found)? == function_oid(&function.signature)? && unsafe { pg_sys::superuser() } {
            tie(self.catalog(), found)?;
            if function_oid(&function.signature)?.is_some() {
                function.tie()?;
            }
        }
        Ok(false)
    }

    fn create(&self, function: &SqlFunction) -> Result<(), Error> {
        let signature = &function.signature;
        let object = match self {
            Caller::Cast { cast, context, .. } => {
                run(&format!("CREATE CAST {cast} WITH FUNCTION {signature} {context}"))?;
                format!("CAST {cast}")
            }
            Caller::Operator { name, symbol, schema, types: [left, right] } => {
                let function = signature.split('(').next().unwrap_or_default();
                let schema = pgrx::spi::quote_identifier(schema);
                run(&format!(
                    "CREATE OPERATOR {schema}.{symbol} (LEFTARG = {left}, RIGHTARG = {right}, FUNCTION = {function}, \
                     COMMUTATOR = OPERATOR({schema}.{symbol}))"
                ))?;
                format!("OPERATOR {name}")
            }
        };
        run(&format!("COMMENT ON {object} IS {}", quote_literal(&function.comment)))?;
        keep_out_of_extension(&object)?;
        tie(self.catalog(), there(self.oid()?)?)
    }

    fn oid(&self) -> Result<Option<pg_sys::Oid>, Error> {
        match self {
            Caller::Cast { oids: (source, target), .. } => cast_oid(*source, *target),
            Caller::Operator { name, .. } => operator_oid(name),
        }
    }

    fn function_of(&self, oid: pg_sys::Oid) -> Result<Option<pg_sys::Oid>, Error> {
        match self {
            Caller::Cast { .. } => function_behind(oid),
            Caller::Operator { .. } => operator_function(oid),
        }
    }

    fn catalog(&self) -> pg_sys::Oid {
        pg_sys::Oid::from(match self {
            Caller::Cast { .. } => PG_CAST,
            Caller::Operator { .. } => PG_OPERATOR,
        })
    }
}

/// An operator class of the access method, of one operator of pgvector's.
pub(super) struct OperatorClass {
    pub(super) schema: String,
    pub(super) name: String,
    /// The type, with its schema.
    pub(super) of: String,
    pub(super) strategy: i32,
    /// The operator, with its schema.
    pub(super) operator: String,
    pub(super) comment: String,
}

impl OperatorClass {
    /// Makes the class and its family, if there is no class of that name. Both go with the access method.
    pub(super) fn ensure(&self) -> Result<bool, Error> {
        let Self { schema, name, of, strategy, operator, comment } = self;
        if has_operator_class(schema, name)? {
            return Ok(false);
        }
        let class = pgrx::spi::quote_qualified_identifier(schema, name);
        run(&format!(
            "CREATE OPERATOR CLASS {class} FOR TYPE {of} USING tinyquant AS \
             OPERATOR {strategy} {operator} ({of}, {of}) FOR ORDER BY pg_catalog.float_ops"
        ))?;
        for kind in ["OPERATOR CLASS", "OPERATOR FAMILY"] {
            let object = format!("{kind} {class} USING tinyquant");
            run(&format!("COMMENT ON {object} IS {}", quote_literal(comment)))?;
            keep_out_of_extension(&object)?;
        }
        Ok(true)
    }
}

/// They are ordinary objects of the database, which a dump brings along.
fn keep_out_of_extension(object: &str) -> Result<(), Error> {
    // SAFETY: a plain variable of the backend's, which is true while an extension's script runs.
    if unsafe { pg_sys::creating_extension } {
        run(&format!("ALTER EXTENSION tinyquant DROP {object}"))?;
    }
    Ok(())
}

/// What was made just now.
fn there(oid: Option<pg_sys::Oid>) -> Result<pg_sys::Oid, Error> {
    oid.ok_or(Error::Registry(RegistryError::NoRegistry))
}

fn run(statement: &str) -> Result<(), Error> {
    Ok(Spi::run(statement)?)
}
