//! Where the planner keeps a query's cast instead of paying it for every row: what plans show is a cast either way, so the plan's
//! nodes are looked at.

#![allow(unsafe_code)]

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use std::ffi::{CStr, CString};

    use super::super::support::one;
    use pgrx::prelude::*;

    /// How many calls of `tq_once` are in the generic plan of a statement with one parameter.
    fn kept_casts(condition: &str, parameter: &str) -> usize {
        let query = format!("SELECT count(*) FROM kept_casts WHERE {condition}");
        let parameter: pg_sys::Oid = one(&format!("SELECT '{parameter}'::regtype::oid"));
        let once: pg_sys::Oid = one("SELECT 'tq_once'::regproc::oid");
        let text = CString::new(query).unwrap();
        // SAFETY: the functions are given what each other returns, a valid text, and one parameter type.
        let plan = unsafe {
            let parsed = pg_sys::pg_parse_query(text.as_ptr());
            let statement = (*(*parsed).elements).ptr_value.cast();
            let queries = pg_sys::pg_analyze_and_rewrite_fixedparams(
                statement,
                text.as_ptr(),
                &parameter,
                1,
                std::ptr::null_mut(),
            );
            let query = (*(*queries).elements).ptr_value.cast();
            let plan = pg_sys::pg_plan_query(query, text.as_ptr(), 0, std::ptr::null_mut());
            CStr::from_ptr(pg_sys::nodeToString(plan.cast())).to_string_lossy().into_owned()
        };
        plan.matches(&format!(":funcid {} ", once.to_u32())).count()
    }

    #[pg_test]
    fn the_cast_of_a_parameter_is_kept() {
        Spi::run("CREATE TABLE kept_casts (id int, e tqvec(4, 4), v real[], f float8[], t text)").unwrap();
        for (condition, parameter, kept) in [
            ("e <=> $1::tqvec > 1", "text", 1),
            ("$1::tqvec <=> e > 1", "varchar", 1),
            ("e <-> $1::tqvec(4, 8) > 1", "text", 2), // and the check of the modifier
            ("tq_inner_product(e, $1::tqvec) > 1", "text", 1),
            ("e <=> $1::tqvec > 1", "real[]", 1),
            ("e <=> $1::real[] > 1", "text", 1),
            ("e <=> $1::float8[]::real[] > 1", "text", 2),
            ("e <=> $1::real[] > 1", "float8[]", 1),
            ("e <=> (SELECT $1)::tqvec > 1", "text", 1),
            ("(SELECT count(*) FROM kept_casts k WHERE k.e <=> kept_casts.t::tqvec > 1) > $1", "bigint", 1),
            // Nothing to cast.
            ("e <=> $1 > 1", "tqvec", 0),
            ("e <=> $1 > 1", "float8[]", 0),
            ("e <=> $1 > 1", "numeric[]", 0),
            // What changes from row to row, and may be what an index is on.
            ("t::tqvec <=> $1 > 1", "tqvec", 0),
            ("v::tqvec(4, 4) <=> $1 > 1", "tqvec", 0),
        ] {
            assert_eq!(kept_casts(condition, parameter), kept, "{condition} with {parameter}");
        }
    }

    #[pg_test]
    fn and_gives_what_it_gave() {
        Spi::run("CREATE TABLE asked AS SELECT '[0.6, 0, 0.8, 0]'::text AS t, '{0.6, 0, 0.8, 0}'::text AS a")
            .unwrap();
        Spi::run("CREATE TABLE kept_rows AS SELECT tq_normalize(ARRAY[i, 1, 2, 3])::tqvec(4, 8) AS e FROM generate_series(1, 50) i")
            .unwrap();
        for (cast, text) in [("tqvec", "t"), ("tqvec(4, 4)", "a"), ("real[]", "a")] {
            let same: bool = one(&format!(
                "SELECT count(*) = 50 AND bool_and(abs((e <=> (SELECT {text} FROM asked)::{cast}) - (e <=> q::{cast})) < 1e-6) \
                 FROM kept_rows, (SELECT {text} AS q FROM asked OFFSET 0) s"
            ));
            assert!(same, "{cast}");
        }
        super::super::support::assert_fails(
            "SELECT e <=> (SELECT 'no vector'::text)::tqvec FROM kept_rows",
            "22P02",
            "invalid input syntax",
        );
    }
}
