//! What makes `tqvec` stand beside pgvector's types, where pgvector is installed: casts between them, distances, pgvector's
//! functions, and operator classes for indexes over columns of these types.
//!
//! All of it is functions in SQL with a parsed body, so nothing here knows pgvector's layout, PostgreSQL knows what depends on
//! what, and the planner puts the C functions in their place: a query of `vector` or `halfvec` is cast to `real[]` once (see
//! `ops::once`), and an index is found for it. Both types have operators of their own: pgvector casts a `vector` to `real[]` and to
//! `halfvec` by itself, and where there were operators for those alone, neither would be the better one.
//!
//! They don't belong to the extension: pg_dump would otherwise leave them out, and CREATE EXTENSION would not make them again where
//! a dump brings tinyquant before pgvector. They go with either extension all the same.
//!
//! There are no `+`, `-` and `*`: what they gave could only be compressed again, and lose again, without a word.

mod catalogue;
mod objects;

use pgrx::prelude::*;
use pgrx::spi::{quote_identifier, quote_qualified_identifier};

use self::catalogue::{schema_of, type_oid};
use self::objects::{Caller, OperatorClass, SqlFunction};
use crate::error::{Error, RegistryError, SqlResult, VectorError, notice};
use crate::server::recovery::refuse_in_recovery;
use crate::server::spi;

/// A type of pgvector's, and its function from `real[]` under a type modifier.
const TYPES: [(&str, &str); 2] = [("vector", "array_to_vector"), ("halfvec", "array_to_halfvec")];

/// Our distances, their operators, and pgvector's names for them.
const DISTANCES: [(&str, Option<&str>, &str, &str); 5] = [
    ("tq_l2_distance", Some("<->"), "l2_distance", "Euclidean distance"),
    ("tq_inner_product", None, "inner_product", "inner product"),
    ("tq_negative_inner_product", Some("<#>"), "negative_inner_product", "negative inner product"),
    (
        "tq_cosine_distance",
        Some("<=>"),
        "cosine_distance",
        "cosine distance: one minus the cosine of the angle",
    ),
    (
        "tq_l1_distance",
        Some("<+>"),
        "l1_distance",
        "taxicab distance; each record is rotated back, so it is slow",
    ),
];

/// Where everything is.
struct Schemas {
    ours: String,
    theirs: String,
}

impl Schemas {
    fn tqvec(&self) -> String {
        qualified(&self.ours, "tqvec")
    }
}

/// A schema's object, quoted.
fn qualified(schema: &str, name: &str) -> String {
    quote_qualified_identifier(schema, name)
}

/// Creates what isn't there of the casts, operators and functions.
#[pg_extern(sql = false)]
fn tq_enable_pgvector() -> SqlResult<()> {
    refuse_in_recovery(c"tq_enable_pgvector()");
    let theirs = schema_of("vector")?.ok_or(Error::Vector(VectorError::NoPgvector))?;
    let ours = schema_of("tinyquant")?.ok_or(Error::Registry(RegistryError::NoRegistry))?;
    let schemas = Schemas { ours, theirs };
    let mut created = casts(&schemas)?;
    let mut types = vec![schemas.tqvec(), "pg_catalog.float4[]".into()];
    for (name, _) in TYPES {
        if type_oid("vector", name)?.is_some() {
            let vector = qualified(&schemas.theirs, name);
            created |= distances(&schemas, &vector)?;
            // Objects of a version before 0.3.0 have no access method; the update comes here again.
            if has_access_method()? {
                for class in operator_classes(&schemas, name, &vector) {
                    created |= class.ensure()?;
                }
            }
            types.push(vector);
        }
    }
    for function in functions(&schemas, &types) {
        created |= function.ensure()?;
    }
    if !created {
        notice("tqvec has its casts and functions beside pgvector's types already".into(), None, None);
    }
    Ok(())
}

fn has_access_method() -> Result<bool, Error> {
    const QUERY: &str = "SELECT true FROM pg_catalog.pg_am WHERE amname OPERATOR(pg_catalog.=) 'tinyquant'";
    Ok(spi::first_row(QUERY, &[], |row| row.get::<bool>(1))?.is_some())
}

fn casts(schemas: &Schemas) -> Result<bool, Error> {
    let Schemas { ours, theirs } = schemas;
    let tqvec = schemas.tqvec();
    let our_oid = type_oid("tinyquant", "tqvec")?.ok_or(Error::Registry(RegistryError::NoRegistry))?;
    let mut created = false;
    for (name, from_array) in TYPES {
        let Some(their_oid) = type_oid("vector", name)? else { continue };
        let vector = qualified(theirs, name);
        let compress = SqlFunction {
            signature: format!("{tqvec}({vector}, integer, boolean)"),
            returns: tqvec.clone(),
            body: format!("{tqvec}(($1)::pg_catalog.float4[], $2, $3)"),
            comment: format!("compresses a {name} under a type modifier"),
        };
        let into = Caller::Cast {
            cast: format!("({vector} AS {tqvec})"),
            context: "AS ASSIGNMENT",
            oids: (their_oid, our_oid),
        };
        created |= into.ensure(&compress)?;
        let (decompress, from_array) = (qualified(ours, "tq_decompress"), qualified(theirs, from_array));
        let back = SqlFunction {
            signature: format!("{}({tqvec}, integer, boolean)", qualified(ours, name)),
            returns: vector.clone(),
            body: format!("{from_array}({decompress}($1), $2, $3)"),
            comment: format!("the {name} that a record stands for"),
        };
        let from =
            Caller::Cast { cast: format!("({tqvec} AS {vector})"), context: "", oids: (our_oid, their_oid) };
        created |= from.ensure(&back)?;
    }
    Ok(created)
}

/// A distance of ours, of two arguments as they are given: by its operator, for which an index can be found.
fn distance(schemas: &Schemas, function: &str, operator: Option<&str>, arguments: [&str; 2]) -> String {
    let [left, right] = arguments;
    match operator {
        Some(operator) => {
            format!("{left} OPERATOR({}.{operator}) {right}", quote_identifier(&schemas.ours))
        }
        None => format!("{}({left}, {right})", qualified(&schemas.ours, function)),
    }
}

/// Our distances and operators between a record and one of pgvector's types.
fn distances(schemas: &Schemas, vector: &String) -> Result<bool, Error> {
    const CAST: [&str; 2] = ["($1)::pg_catalog.float4[]", "($2)::pg_catalog.float4[]"];
    let tqvec = schemas.tqvec();
    let mut created = false;
    for (name, operator, _, comment) in DISTANCES {
        let sides = [([&tqvec, vector], ["$1", CAST[1]]), ([vector, &tqvec], [CAST[0], "$2"])];
        for ([left, right], arguments) in sides {
            let function = SqlFunction {
                signature: format!("{}({left}, {right})", qualified(&schemas.ours, name)),
                returns: "pg_catalog.float8".into(),
                body: distance(schemas, name, operator, arguments),
                comment: comment.into(),
            };
            created |= match operator {
                None => function.ensure()?,
                Some(symbol) => Caller::Operator {
                    name: format!("{}.{symbol} ({left}, {right})", quote_identifier(&schemas.ours)),
                    symbol,
                    schema: schemas.ours.clone(),
                    types: [left.clone(), right.clone()],
                }
                .ensure(&function)?,
            };
        }
    }
    Ok(created)
}

/// The operator classes of one of pgvector's types, by the names that its own access methods have.
fn operator_classes(schemas: &Schemas, name: &str, vector: &str) -> Vec<OperatorClass> {
    let of = |(metric, strategy, symbol, comment): (&str, i32, &str, &str)| OperatorClass {
        schema: schemas.ours.clone(),
        name: format!("{name}_{metric}_ops"),
        of: vector.to_owned(),
        strategy,
        operator: format!("{}.{symbol}", quote_identifier(&schemas.theirs)),
        comment: format!("nearest first, by {comment}"),
    };
    let metrics = [
        ("cosine", 1, "<=>", "cosine distance"),
        ("l2", 2, "<->", "Euclidean distance"),
        ("ip", 3, "<#>", "negative inner product"),
    ];
    metrics.map(of).into()
}

/// pgvector's functions, for records: distances between one and each of the types, and what pgvector's own give of a vector.
fn functions(schemas: &Schemas, types: &[String]) -> Vec<SqlFunction> {
    let Schemas { ours, theirs } = schemas;
    let (tqvec, vector) = (schemas.tqvec(), qualified(theirs, "vector"));
    let mut functions = Vec::new();
    for (name, operator, theirs, comment) in DISTANCES {
        for other in types {
            let mut sides = vec![[&tqvec, other]];
            if *other != tqvec {
                sides.push([other, &tqvec]);
            }
            functions.extend(sides.into_iter().map(|[left, right]| SqlFunction {
                signature: format!("{}({left}, {right})", qualified(ours, theirs)),
                returns: "pg_catalog.float8".into(),
                body: distance(schemas, name, operator, ["$1", "$2"]),
                comment: format!("{comment}, as pgvector has it"),
            }));
        }
    }
    let decoded = format!("{}($1, -1, true)", qualified(ours, "vector"));
    let mut one = |name: &str, more: &str, returns: &str, body: String, comment: &str| {
        functions.push(SqlFunction {
            signature: format!("{}({tqvec}{more})", qualified(ours, name)),
            returns: returns.into(),
            body,
            comment: format!("{comment}, as pgvector has it"),
        });
    };
    let dimension = format!("{}($1)", qualified(ours, "tq_dimension"));
    one("vector_dims", "", "pg_catalog.int4", dimension, "number of dimensions");
    let norm = format!("{}($1)", qualified(ours, "tq_norm"));
    one("vector_norm", "", "pg_catalog.float8", norm, "Euclidean norm");
    let unit = format!("{}({decoded})", qualified(theirs, "l2_normalize"));
    one("l2_normalize", "", &vector, unit, "the decompressed vector at unit length");
    let part = format!("{}({decoded}, $2, $3)", qualified(theirs, "subvector"));
    one("subvector", ", integer, integer", &vector, part, "elements of the decompressed vector");
    functions
}
