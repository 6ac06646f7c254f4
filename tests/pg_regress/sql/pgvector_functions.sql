-- Beside pgvector: distances from its types, and its functions, for records.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vector;
-- A test before this one has moved it.
SELECT set_config('search_path', 'public, ' || extnamespace::regnamespace, false) FROM pg_extension WHERE extname = 'vector' \g /dev/null
SELECT tq_enable_pgvector();
RESET client_min_messages;
CREATE TABLE met (id int, v vector(4), h halfvec(4), e tqvec(4, 8, residual));
INSERT INTO met SELECT id, v, v, v FROM (VALUES (1, '[0.5, 0.5, 0.5, 0.5]'::vector), (2, '[0, 0, 0.6, 0.8]'), (3, '[-1, 0, 0, 0]')) t (id, v);

-- pgvector's own, within what compression loses.
SELECT a.id, b.id AS with,
       abs((a.e <-> b.v) - (a.v <-> b.v)) < 0.001 AND abs((b.v <-> a.e) - (a.v <-> b.v)) < 0.001 AND abs((a.e <-> b.h) - (a.v <-> b.v)) < 0.001 AND abs((b.h <-> a.e) - (a.v <-> b.v)) < 0.001 AS l2,
       abs((a.e <#> b.v) - (a.v <#> b.v)) < 0.001 AND abs((b.v <#> a.e) - (a.v <#> b.v)) < 0.001 AND abs((a.e <#> b.h) - (a.v <#> b.v)) < 0.001 AND abs((b.h <#> a.e) - (a.v <#> b.v)) < 0.001 AS ip,
       abs((a.e <=> b.v) - (a.v <=> b.v)) < 0.001 AND abs((b.v <=> a.e) - (a.v <=> b.v)) < 0.001 AND abs((a.e <=> b.h) - (a.v <=> b.v)) < 0.001 AND abs((b.h <=> a.e) - (a.v <=> b.v)) < 0.001 AS cosine,
       abs((a.e <+> b.v) - (a.v <+> b.v)) < 0.002 AND abs((b.v <+> a.e) - (a.v <+> b.v)) < 0.002 AND abs((a.e <+> b.h) - (a.v <+> b.v)) < 0.002 AND abs((b.h <+> a.e) - (a.v <+> b.v)) < 0.002 AS l1
FROM met a, met b ORDER BY 1, 2;
CREATE TABLE theirs (name text);
INSERT INTO theirs VALUES ('cosine_distance'), ('l2_distance'), ('inner_product'), ('l1_distance');
CREATE FUNCTION differs(name text) RETURNS TABLE (forms int, worst float8) LANGUAGE plpgsql AS $$
DECLARE forms text[] := '{"a.e, b.e","a.e, b.v","b.v, a.e","a.e, b.h","b.h, a.e","a.e, b.v::real[]","b.v::real[], a.e"}'; form text; got float8;
BEGIN
    forms := forms || ARRAY[$q$a.e, '[0.1, 0.2, 0.3, 0.4]'$q$, $q$'[0.1, 0.2, 0.3, 0.4]', a.e$q$];
    differs.forms := cardinality(forms);
    worst := 0;
    FOREACH form IN ARRAY forms LOOP
        EXECUTE format('SELECT max(abs(%1$s(%2$s) - %1$s(%3$s))) FROM met a, met b', name, form,
            replace(replace(replace(replace(form, '.e', '.v'), '::real[]', ''), 'b.h', 'b.v'), ']''', ']''::vector')) INTO got;
        worst := greatest(worst, got);
    END LOOP;
    RETURN NEXT;
END $$;
SELECT name, forms, worst < 0.002 AS close FROM theirs, differs(name) ORDER BY name;
SELECT negative_inner_product(e, v) = e <#> v AS negative FROM met WHERE id = 1;
SELECT id, vector_dims(e), round(vector_norm(e)::numeric, 3) AS norm, l2_distance(l2_normalize(e), l2_normalize(v)) < 0.001 AS unit,
       pg_typeof(l2_normalize(e)), l2_distance(subvector(e, 2, 2), subvector(v, 2, 2)) < 0.001 AS part FROM met ORDER BY id;
SELECT subvector(e, 5, 1) FROM met;
-- pgvector's own calls are what they were.
SELECT cosine_distance(v, '[1, 0, 0, 0]') < 2 AS literal, cosine_distance(v, h::vector) < 0.001 AS vectors, l2_distance(h, '[1, 0, 0, 0]') < 3 AS halves, vector_dims(v) FROM met WHERE id = 1;
SELECT e + e FROM met;

-- All of them lead to an index, also by a function's name.
CREATE INDEX ON met USING tinyquant (e tqvec_cosine_ops);
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM met ORDER BY e <=> '[0, 0, 0.6, 0.8]'::vector LIMIT 1;
EXPLAIN (COSTS OFF) SELECT id FROM met ORDER BY '[0, 0, 0.6, 0.8]'::halfvec <=> e LIMIT 1;
EXPLAIN (COSTS OFF) SELECT id FROM met ORDER BY cosine_distance(e, '[0, 0, 0.6, 0.8]'::vector) LIMIT 1;
SET plan_cache_mode = force_generic_plan;
PREPARE by_vector (vector) AS SELECT id FROM met ORDER BY e <=> $1 LIMIT 1;
EXPLAIN (COSTS OFF) EXECUTE by_vector ('[0, 0, 0.6, 0.8]');
PREPARE by_half (halfvec) AS SELECT id FROM met ORDER BY $1 <=> e LIMIT 1;
EXPLAIN (COSTS OFF) EXECUTE by_half ('[0, 0, 0.6, 0.8]');
PREPARE near (vector, halfvec) AS SELECT (SELECT id FROM met ORDER BY e <=> $1 LIMIT 1) AS vector, (SELECT id FROM met ORDER BY $2 <=> e LIMIT 1) AS halfvec;
EXECUTE near ('[0, 0, 0.6, 0.8]', '[-1, 0, 0, 0]');
RESET plan_cache_mode;
RESET enable_seqscan;

-- As floats, a record prints as the vector that it stands for, whatever its digits.
SET tinyquant.output = 'floats';
SELECT count(*), bool_and(e::text = e::vector::text) AS same FROM (
    SELECT e FROM met UNION ALL
    SELECT tq_normalize(array_agg((hashint8extended(j, i) % 1000 * 10.0 ^ (i % 40 - 30))::real))::tqvec FROM generate_series(1, 200) i, generate_series(1, 32) j GROUP BY i) s;
RESET tinyquant.output;

-- Whatever is missing is made again, and nothing twice.
CREATE VIEW beside AS SELECT
    (SELECT count(*) FROM pg_operator WHERE 'tqvec'::regtype IN (oprleft, oprright) AND ('vector'::regtype IN (oprleft, oprright) OR 'halfvec'::regtype IN (oprleft, oprright))) AS operators,
    (SELECT count(*) FROM pg_proc WHERE prolang = (SELECT oid FROM pg_language WHERE lanname = 'sql') AND 'tqvec'::regtype::oid = ANY (proargtypes::oid[])
        AND oid NOT IN (SELECT objid FROM pg_depend WHERE deptype = 'e')) AS functions,
    (SELECT count(*) FROM pg_depend d, pg_extension e WHERE refobjid = e.oid AND extname = 'tinyquant' AND deptype = 'x') AS tied;
TABLE beside;
DROP OPERATOR <=> (tqvec, halfvec);
DROP OPERATOR <-> (vector, tqvec);
DROP FUNCTION vector_dims(tqvec);
DROP FUNCTION tq_l1_distance(halfvec, tqvec) CASCADE;
SELECT tq_enable_pgvector();
TABLE beside;
SELECT tq_enable_pgvector();
-- One of somebody's own stays.
DROP FUNCTION vector_dims(tqvec);
CREATE FUNCTION vector_dims(tqvec) RETURNS text LANGUAGE sql AS $$ SELECT 'mine' $$;
SELECT tq_enable_pgvector();
SELECT vector_dims(e) FROM met WHERE id = 1;
DROP FUNCTION vector_dims(tqvec);
SELECT tq_enable_pgvector();
DROP VIEW beside;
DROP TABLE met, theirs;
DROP FUNCTION differs;
