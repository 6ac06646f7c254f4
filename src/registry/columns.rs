//! What a codec's records may be in: columns by their types, and what computes with them.

use pgrx::datum::DatumWithOid;
use pgrx::prelude::*;
use tq_codec::declaration::CodecPrefix;

use super::table::CodecRow;
use crate::datum::typmod::Typmod;
use crate::error::Error;
use crate::server::memory::cushion;

/// Columns of tables whose type admits the codec's records, as `schema.table.column`.
pub(super) fn columns_that_may_hold(codec: &CodecRow) -> Result<Vec<String>, Error> {
    named_where_fitting(TQVEC_COLUMNS, &[DatumWithOid::from(relkinds(&["r", "m", "p"]))], codec)
}

fn relkinds(kinds: &[&str]) -> Vec<String> {
    kinds.iter().map(|kind| (*kind).into()).collect()
}

/// The type, its arrays, domains over these and arrays of them. The modifier of a domain is its own, whatever stands over it; that of
/// the others is with who uses them.
macro_rules! types_of_records {
    () => {
        "WITH RECURSIVE ours AS (\
           SELECT t.oid, t.typarray FROM pg_catalog.pg_extension e \
           JOIN pg_catalog.pg_type t ON t.typnamespace OPERATOR(pg_catalog.=) e.extnamespace \
           WHERE e.extname OPERATOR(pg_catalog.=) 'tinyquant' AND t.typname OPERATOR(pg_catalog.=) 'tqvec'), \
         holds (oid, typmod) AS (\
           SELECT u.oid, NULL::pg_catalog.int4 FROM ours, LATERAL (VALUES (ours.oid), (ours.typarray)) u (oid) \
           UNION \
           SELECT d.oid, COALESCE(h.typmod, d.typtypmod) FROM holds h JOIN pg_catalog.pg_type d \
             ON d.typtype OPERATOR(pg_catalog.=) 'd' AND d.typbasetype OPERATOR(pg_catalog.=) h.oid \
               OR h.typmod IS NOT NULL AND d.typelem OPERATOR(pg_catalog.=) h.oid) "
    };
}

const TQVEC_COLUMNS: &str = concat!(
    types_of_records!(),
    "SELECT pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname), COALESCE(h.typmod, a.atttypmod) \
     FROM holds h \
     JOIN pg_catalog.pg_attribute a ON a.atttypid OPERATOR(pg_catalog.=) h.oid \
     JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid \
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
     WHERE c.relkind::pg_catalog.text OPERATOR(pg_catalog.=) ANY ($1::pg_catalog.text[]) AND NOT a.attisdropped \
     ORDER BY 1"
);

const TQVEC_DOMAINS: &str = concat!(
    types_of_records!(),
    "SELECT pg_catalog.format('%I.%I', n.nspname, t.typname), h.typmod FROM holds h \
     JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) h.oid \
     JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) t.typnamespace \
     WHERE t.typtype OPERATOR(pg_catalog.=) 'd' ORDER BY 1"
);

/// What casts to the type, as PostgreSQL writes it: defaults and generated columns, constraints, indexes, views and rules, statistics,
/// functions of SQL. `$1` is what must stand in it.
const CASTS: &str = "WITH ours AS (\
       SELECT p.oid FROM pg_catalog.pg_extension e \
       JOIN pg_catalog.pg_proc p ON p.pronamespace OPERATOR(pg_catalog.=) e.extnamespace \
       WHERE e.extname OPERATOR(pg_catalog.=) 'tinyquant' AND p.proname OPERATOR(pg_catalog.=) 'tqvec'), \
     objects AS (\
       SELECT DISTINCT d.classid, d.objid FROM ours JOIN pg_catalog.pg_depend d ON d.refobjid OPERATOR(pg_catalog.=) ours.oid \
         AND d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass \
       WHERE d.deptype OPERATOR(pg_catalog.=) 'n'), \
     said AS (\
       SELECT o.classid, o.objid, CASE \
         WHEN o.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_attrdef'::pg_catalog.regclass \
           THEN (SELECT pg_catalog.pg_get_expr(adbin, adrelid) FROM pg_catalog.pg_attrdef f \
           WHERE f.oid OPERATOR(pg_catalog.=) o.objid) \
         WHEN o.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_constraint'::pg_catalog.regclass \
           THEN pg_catalog.pg_get_constraintdef(o.objid) \
         WHEN o.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_rewrite'::pg_catalog.regclass \
           THEN pg_catalog.pg_get_ruledef(o.objid) \
         WHEN o.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_statistic_ext'::pg_catalog.regclass \
           THEN pg_catalog.pg_get_statisticsobjdef_expressions(o.objid)::pg_catalog.text \
         WHEN o.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_proc'::pg_catalog.regclass \
           THEN (SELECT pg_catalog.pg_get_functiondef(o.objid) FROM pg_catalog.pg_proc f \
           WHERE f.oid OPERATOR(pg_catalog.=) o.objid AND f.prokind OPERATOR(pg_catalog.<>) 'a') \
         WHEN o.classid OPERATOR(pg_catalog.=) 'pg_catalog.pg_class'::pg_catalog.regclass \
           THEN (SELECT pg_catalog.pg_get_indexdef(i.indexrelid) FROM pg_catalog.pg_index i \
           WHERE i.indexrelid OPERATOR(pg_catalog.=) o.objid) \
         END AS definition FROM objects o) \
     SELECT pg_catalog.pg_describe_object(classid, objid, 0), (-1)::pg_catalog.int4 FROM said \
     WHERE pg_catalog.strpos(definition, $1) OPERATOR(pg_catalog.>) 0 ORDER BY 1";

/// What is looked for in declarations.
#[derive(Clone, Copy)]
pub(super) enum Named {
    Codec(CodecPrefix),
    AnyCodec,
}

/// What names the codec: columns of every kind of relation, composite types included, as `schema.relation.column`; domains; and casts in
/// expressions, as PostgreSQL describes what they are in. Not text: bodies of functions in other languages.
pub(super) fn what_names(codec: Named) -> Result<Vec<String>, Error> {
    let names = |typmod: Typmod| match codec {
        Named::Codec(prefix) => typmod.codec() == Some(prefix),
        Named::AnyCodec => typmod.codec().is_some(),
    };
    let kinds = relkinds(&["r", "m", "p", "f", "c", "v"]);
    let mut all = named_where(TQVEC_COLUMNS, &[DatumWithOid::from(kinds)], names)?;
    all.extend(named_where(TQVEC_DOMAINS, &[], names)?);
    // `tqvec(codec_0123456` and what follows.
    let said = match codec {
        Named::Codec(prefix) => {
            format!("tqvec{}", Typmod::of_codec(prefix).to_string().trim_end_matches(')'))
        }
        Named::AnyCodec => "tqvec(codec_".into(),
    };
    all.extend(named_where(CASTS, &[DatumWithOid::from(said)], |_| true)?);
    Ok(all)
}

/// What computes with records of such columns whenever it likes, as PostgreSQL describes it: indexes and statistics on an
/// expression, constraints, generated columns. Functions that need no codec don't count; that others might is all that is known.
pub(super) fn expressions_that_may_decode(codec: &CodecRow) -> Result<Vec<String>, Error> {
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
    codec: &CodecRow,
) -> Result<Vec<String>, Error> {
    let hash = codec.config_hash.as_bytes();
    named_where(query, arguments, |typmod| {
        typmod.check_shape(codec.dimension, codec.bit_width, codec.residual, hash).is_ok()
    })
}

/// The first column of a query's rows whose second is such a type modifier.
fn named_where(
    query: &str,
    arguments: &[DatumWithOid<'_>],
    fits: impl Fn(Typmod) -> bool,
) -> Result<Vec<String>, Error> {
    cushion()?;
    Spi::connect(|client| {
        let mut names = Vec::new();
        for row in client.select(query, None, arguments)? {
            let typmod = Typmod::from_raw(row.get::<i32>(2)?.unwrap_or(-1));
            if fits(typmod) {
                names.extend(row.get::<String>(1)?);
            }
        }
        names.dedup();
        Ok(names)
    })
}
