//! The query is prepared once, and never stale.

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use super::super::support::{one, run, unit_vector};
    use pgrx::prelude::*;

    const DIMENSION: usize = 24;

    fn table_of(rows: u64) {
        run("CREATE TABLE items (id int, v tqvec(24, 4), plain real[])");
        for id in 0..rows {
            let vector = unit_vector(id, DIMENSION);
            run(&format!(
                "INSERT INTO items SELECT {id}, f::tqvec(24,4), f FROM (SELECT ('{vector}'::tqvec)::real[] AS f) s"
            ));
        }
        // The distance by its definition, on the decompressed vectors: what every path must agree with.
        run("CREATE FUNCTION by_definition(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ \
             SELECT sqrt(sum(pow(x::float8 - y, 2))) FROM unnest(a, b) t(x, y) $$");
    }

    #[pg_test]
    fn one_call_site_many_queries() {
        table_of(20);
        // A PL/pgSQL loop evaluates the same simple expression with another parameter each time, and an expanded
        // array may change behind its pointer.
        run("CREATE FUNCTION loops() RETURNS float8 LANGUAGE plpgsql AS $$ \
             DECLARE a record; q record; worst float8 := 0; got float8; f real[]; \
             BEGIN \
               FOR q IN SELECT * FROM items LOOP \
                 FOR a IN SELECT * FROM items LOOP \
                   got := a.v <-> q.v; \
                   worst := greatest(worst, abs(got - by_definition(tq_decompress(a.v), tq_decompress(q.v)))); \
                   f := q.plain; f[1] := f[1] + a.id; \
                   got := a.v <-> f; \
                   worst := greatest(worst, abs(got - by_definition(tq_decompress(a.v), f))); \
                   got := f <-> a.v; \
                   worst := greatest(worst, abs(got - by_definition(tq_decompress(a.v), f))); \
                 END LOOP; \
               END LOOP; \
               RETURN worst; \
             END $$");
        let worst = one::<f64>("SELECT loops()");
        assert!(worst < 1e-5, "{worst}");
    }

    #[pg_test]
    fn joins_agree_with_the_definition() {
        table_of(20);
        for setting in ["enable_nestloop = on", "enable_material = off"] {
            run(&format!("SET LOCAL {setting}"));
            let worst = one::<f64>(
                "SELECT max(abs((a.v <-> b.v) - by_definition(tq_decompress(a.v), tq_decompress(b.v)))) \
                 FROM items a, items b",
            );
            assert!(worst < 1e-5, "{worst}");
            let worst = one::<f64>(
                "SELECT max(abs((a.plain <-> b.v) - by_definition(a.plain, tq_decompress(b.v)))) \
                 FROM items a, items b",
            );
            assert!(worst < 1e-5, "{worst}");
            let worst = one::<f64>(
                "SELECT max(abs(near.d - by_definition(tq_decompress(near.v), tq_decompress(q.v)))) \
                 FROM items q, LATERAL (SELECT i.v, i.v <-> q.v AS d FROM items i ORDER BY i.v <-> q.v LIMIT 5) near",
            );
            assert!(worst < 1e-5, "{worst}");
        }
    }

    #[pg_test]
    fn generic_plans_take_each_parameter() {
        table_of(20);
        run("SET LOCAL plan_cache_mode = force_generic_plan");
        run("PREPARE nearest(tqvec) AS SELECT id FROM items ORDER BY v <-> $1 LIMIT 1");
        for id in [3, 17, 4, 4, 9] {
            let query: String = one(&format!("SELECT v::text FROM items WHERE id = {id}"));
            // EXECUTE is a utility statement to SPI, so a cursor function reads it.
            assert_eq!(one::<i32>(&format!("SELECT id FROM items ORDER BY v <-> '{query}' LIMIT 1")), id);
            run(&format!(
                "CREATE OR REPLACE FUNCTION run_prepared() RETURNS int LANGUAGE plpgsql AS $$ \
                 DECLARE r int; BEGIN EXECUTE 'EXECUTE nearest(''{query}'')' INTO r; RETURN r; END $$"
            ));
            assert_eq!(one::<i32>("SELECT run_prepared()"), id);
        }
    }

    #[pg_test]
    fn a_column_that_mixes_codecs() {
        run("CREATE TABLE mixed (id int, v tqvec)");
        let hash: String = one("SELECT tq_create_codec('mine', 24, 8, true, 77)");
        assert_eq!(hash.len(), 64);
        for id in 0..30u64 {
            let vector = unit_vector(id, DIMENSION);
            let compressed = match id % 4 {
                0 => "tq_compress(f, 2)",
                1 => "tq_compress(f, 4)",
                2 => "tq_compress(f, 8, true)",
                _ => "tq_compress(f, 'mine')",
            };
            run(&format!(
                "INSERT INTO mixed SELECT {id}, {compressed} FROM (SELECT ('{vector}'::tqvec)::real[] AS f) s"
            ));
        }
        run("INSERT INTO mixed VALUES (99, NULL)");
        let query = unit_vector(1000, DIMENSION);
        let worst = one::<f64>(&format!(
            "SELECT max(abs(got - (SELECT sqrt(sum(pow(x::float8 - y, 2))) \
                                   FROM unnest(tq_decompress(v), tq_decompress('{query}')) t(x, y)))) \
             FROM (SELECT v, v <-> '{query}' AS got FROM mixed WHERE v IS NOT NULL) s"
        ));
        assert!(worst < 1e-5, "{worst}");
        assert_eq!(one::<i64>(&format!("SELECT count(*) FROM mixed WHERE (v <-> '{query}') IS NULL")), 1);
    }

    #[pg_test]
    fn a_record_query_over_float_rows() {
        table_of(20);
        let worst = one::<f64>(
            "SELECT max(abs((plain <=> q.v) - (1 - (SELECT sum(x::float8 * y) / sqrt(sum(x::float8 * x)) / \
             sqrt(sum(y::float8 * y)) FROM unnest(plain, tq_decompress(q.v)) t(x, y))))) \
             FROM items, (SELECT v FROM items WHERE id = 5) q",
        );
        assert!(worst < 1e-5, "{worst}");
    }

    #[pg_test]
    fn every_simd_level_agrees() {
        table_of(40);
        let query = unit_vector(555, DIMENSION);
        let sql = format!("SELECT array_agg(v <=> '{query}' ORDER BY id) FROM items");
        run("SET LOCAL tinyquant.simd = scalar");
        let expected: Vec<f64> = one(&sql);
        for level in ["auto", "avx2", "avx512", "neon"] {
            run(&format!("SET LOCAL tinyquant.simd = {level}"));
            let got: Vec<f64> = one(&sql);
            for (a, b) in expected.iter().zip(&got) {
                assert!((a - b).abs() < 1e-5, "{level}: {a} {b}");
            }
        }
    }

    #[pg_test]
    fn cursors_and_arrays() {
        table_of(20);
        let query: String = one("SELECT v::text FROM items WHERE id = 11");
        run(&format!("DECLARE near CURSOR FOR SELECT id FROM items ORDER BY v <-> '{query}'"));
        run(
            "DECLARE far CURSOR FOR SELECT id FROM items ORDER BY v <-> (SELECT v FROM items WHERE id = 2) DESC",
        );
        let fetch = |cursor: &str| -> i32 {
            run(&format!(
                "CREATE OR REPLACE FUNCTION fetched() RETURNS int LANGUAGE plpgsql AS $$ \
                 DECLARE c refcursor := '{cursor}'; r int; BEGIN FETCH c INTO r; RETURN r; END $$"
            ));
            one("SELECT fetched()")
        };
        assert_eq!(fetch("near"), 11);
        assert_ne!(fetch("far"), 2);
        assert_ne!(fetch("near"), 11);

        let worst = one::<f64>(
            "SELECT max(abs((i.v <-> q) - by_definition(tq_decompress(i.v), tq_decompress(q)))) \
             FROM (SELECT array_agg(v) AS queries FROM items WHERE id < 4) a, items i, unnest(a.queries) q",
        );
        assert!(worst < 1e-5, "{worst}");
        run("CREATE FUNCTION nearest(queries tqvec[]) RETURNS int[] LANGUAGE plpgsql AS $$ \
             DECLARE ids int[] := '{}'; n int; \
             BEGIN \
               FOR k IN 1 .. array_length(queries, 1) LOOP \
                 SELECT id INTO n FROM items ORDER BY v <-> queries[k] LIMIT 1; ids := ids || n; \
               END LOOP; \
               RETURN ids; \
             END $$");
        let ids: Vec<i32> =
            one("SELECT nearest(array_agg(v ORDER BY id DESC)) FROM items WHERE id IN (1, 5, 13)");
        assert_eq!(ids, [13, 5, 1]);
    }

    /// How many vectors are rotated, one way or the other, to answer a query.
    fn rotations(sql: &str) -> u64 {
        use crate::registry::ROTATIONS;
        let before = ROTATIONS.get();
        one::<f64>(sql);
        ROTATIONS.get() - before
    }

    /// Nearest of ten centroids for each of so many rows, of either kind, and each centroid's nearest row.
    #[pg_test]
    fn a_few_queries_again_and_again_are_rotated_once() {
        run("CREATE TABLE p (id int, e tqvec(200, 4), f real[])");
        for id in 0..120u64 {
            let vector = unit_vector(id, 200);
            run(&format!(
                "INSERT INTO p SELECT {id}, v, v::real[] FROM (SELECT '{vector}'::tqvec(200, 4)) s(v)"
            ));
        }
        run(
            "CREATE TABLE c AS SELECT id, e, f, tq_compress(f, 4, false, 'hadamard') AS h FROM p WHERE id % 12 = 5",
        );
        let nearest = |row: &str, outer: &str, inner: &str| {
            format!("SELECT sum((SELECT {row} FROM {inner} ORDER BY 1 LIMIT 1))::float8 FROM {outer}")
        };
        // Two rotations a row are 240; those of each row and of each centroid once are 130.
        for (row, most) in [
            ("p.e <=> c.f", 60),
            ("c.f <-> p.e", 60),
            ("p.f <=> c.e", 60),
            ("p.e <#> c.h", 80),
            ("p.e <=> c.e", 0),
        ] {
            let got = rotations(&nearest(row, "p", "c"));
            assert!(got <= most, "{row}: {got} rotations");
        }
        for row in ["p.e <=> c.f", "c.f <-> p.e", "p.f <=> c.e", "p.e <#> c.h", "p.e <=> c.e"] {
            let got = rotations(&nearest(row, "c", "p"));
            assert!(got <= 40, "{row}, the other way round: {got} rotations");
        }
        // The inner side of a join, and a loop that evaluates one call site.
        run("SET LOCAL enable_hashjoin = off");
        let got = rotations("SELECT sum(p.e <=> c.f) FROM p JOIN c ON p.id <> c.id");
        assert!(got <= 60, "join: {got} rotations");
        run("CREATE FUNCTION looped() RETURNS float8 LANGUAGE plpgsql AS $$ \
             DECLARE a record; b record; total float8 := 0; \
             BEGIN \
               FOR a IN SELECT * FROM p LOOP FOR b IN SELECT * FROM c LOOP total := total + (a.e <=> b.f); END LOOP; END LOOP; \
               RETURN total; \
             END $$");
        let got = rotations("SELECT looped()");
        assert!(got <= 60, "PL/pgSQL: {got} rotations");
        // Every way gives the distance of the definition.
        run("CREATE FUNCTION cosine(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ \
             SELECT 1 - sum(x::float8 * y) / sqrt(sum(x::float8 ^ 2)) / sqrt(sum(y::float8 ^ 2)) FROM unnest(a, b) t(x, y) $$");
        let worst = one::<f64>(
            "SELECT max(greatest(abs((p.e <=> c.f) - cosine(tq_decompress(p.e), c.f)), \
                                 abs((c.f <=> p.e) - cosine(tq_decompress(p.e), c.f)), \
                                 abs((p.f <=> c.e) - cosine(tq_decompress(c.e), p.f)), \
                                 abs((p.e <=> c.h) - cosine(tq_decompress(p.e), tq_decompress(c.h))))) FROM p, c",
        );
        assert!(worst < 1e-5, "{worst}");
    }

    /// More queries than are kept, and queries that never come again.
    #[pg_test]
    fn kept_queries_are_bounded_and_right() {
        run("CREATE TABLE wide AS SELECT i AS id, tq_compress(f, 4, false, 'hadamard') AS e, f FROM ( \
               SELECT i, tq_normalize(array_agg(sin(i * 31 + j * 7)::real ORDER BY j)) AS f \
               FROM generate_series(1, 400) i, generate_series(1, 1024) j GROUP BY i) s");
        run("SET LOCAL jit = off");
        // Far more than eight megabytes of queries, four times in the same order.
        let sum = || {
            one::<f64>(
                "SELECT max(abs((w.e <=> v.f) - (w.e <=> v.e))) FROM \
                 (SELECT * FROM wide WHERE id <= 8) w, (SELECT * FROM wide OFFSET 0) v",
            )
        };
        assert!(sum() < 0.02);
        let before = peak_memory();
        for _ in 0..4 {
            assert!(sum() < 0.02);
        }
        let grown = peak_memory() - before;
        assert!(grown < 24 * 1024, "{grown} KiB");
        // Pairs of which both are new each time, and then the same ones again, mixed.
        run("CREATE FUNCTION by_definition(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ \
             SELECT sqrt(sum(pow(x::float8 - y, 2))) FROM unnest(a, b) t(x, y) $$");
        let worst = one::<f64>(
            "SELECT max(abs((w.e <-> v.f) - by_definition(tq_decompress(w.e), v.f))) \
             FROM generate_series(1, 900) g, wide w, wide v WHERE w.id = 1 + g * 7 % 400 AND v.id = 1 + g * 11 % 400",
        );
        assert!(worst < 1e-5, "{worst}");
    }

    /// The most memory the backend has had, in KiB.
    fn peak_memory() -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
        let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("VmHWM");
        line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).expect("a number")
    }

    #[pg_test]
    fn a_million_rows_leave_memory_as_it_is() {
        // LLVM alone takes 40 MB where the server has it.
        run("SET LOCAL jit = off");
        table_of(20);
        // Out of line as well as inline: each call detoasts its row.
        run("CREATE TABLE big (v tqvec)");
        run("ALTER TABLE big ALTER v SET STORAGE external");
        run("INSERT INTO big SELECT tq_compress(array_agg((sin(i * 7) / 32)::real), 8, true) \
             FROM generate_series(1, 2048) i");
        let query = unit_vector(1, DIMENSION);
        let large = "(SELECT v FROM big)";
        let scan = |repeats: u32| {
            assert!(
                one::<f64>(&format!("SELECT sum(v <-> '{query}') FROM items, generate_series(1, {repeats})"))
                    > 0.0
            );
            assert!(
                one::<f64>(&format!("SELECT sum(v <=> '{query}') FROM items, generate_series(1, {repeats})"))
                    > 0.0
            );
            let repeats = repeats / 10;
            assert!(
                one::<f64>(&format!("SELECT sum(v <-> {large}) FROM big, generate_series(1, {repeats})"))
                    < 1.0
            );
        };
        scan(100);
        let before = peak_memory();
        scan(25_000);
        let grown = peak_memory() - before;
        // A leak of even ten bytes a call would show.
        assert!(grown < 8 * 1024, "{grown} KiB more after a million calls");
    }
}
