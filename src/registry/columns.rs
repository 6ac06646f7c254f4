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
    named_where_fitting(TQVEC_COLUMNS, &[], codec)
}

const TQVEC_COLUMNS: &str = "SELECT pg_catalog.format('%I.%I.%I', n.nspname, c.relname, a.attname), a.atttypmod \
         FROM pg_catalog.pg_extension e \
         JOIN pg_catalog.pg_type t ON t.typnamespace OPERATOR(pg_catalog.=) e.extnamespace \
         JOIN pg_catalog.pg_attribute a ON a.atttypid OPERATOR(pg_catalog.=) t.oid \
         JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) a.attrelid \
         JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace \
         WHERE e.extname OPERATOR(pg_catalog.=) 'tinyquant' AND t.typname OPERATOR(pg_catalog.=) 'tqvec' \
           AND c.relkind OPERATOR(pg_catalog.=) ANY (ARRAY['r', 'm', 'p']::pg_catalog.\"char\"[]) \
           AND NOT a.attisdropped \
         ORDER BY 1";

/// Columns of tables whose type names the codec, as `schema.table.column`.
pub(super) fn columns_that_name(codec: &CodecRow) -> Result<Vec<String>, Error> {
    let prefix = CodecPrefix::of_hash(codec.config_hash.as_bytes());
    named_where(TQVEC_COLUMNS, &[], |typmod| prefix.is_some() && typmod.codec() == prefix)
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
