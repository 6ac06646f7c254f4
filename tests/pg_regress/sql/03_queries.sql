-- A query that has to be converted first is converted once, whatever brings it; a record's floats are the record.
SET client_min_messages = warning;
CREATE TABLE test.items (id int, v tqvec);
INSERT INTO test.items SELECT i, tq_compress(test.unit(i, 32), 4) FROM generate_series(1, 100) i;
-- A type whose cast counts how often it runs.
CREATE TYPE test.counted AS (f real[]);
CREATE SEQUENCE test.runs;
CREATE FUNCTION test.floats(c test.counted) RETURNS real[] LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    PERFORM nextval('test.runs');
    RETURN c.f;
END $$;
CREATE CAST (test.counted AS real[]) WITH FUNCTION test.floats(test.counted);
CREATE TABLE test.queries (id int, q test.counted, f real[], d double precision[], n numeric[], i integer[], e tqvec);
INSERT INTO test.queries SELECT id, ROW(f)::test.counted, f, f, f, '{1,2}'::int[] || array_fill(id, ARRAY[30]), tq_compress(f, 2)
FROM (SELECT id, test.unit(1000 + id, 32) AS f FROM generate_series(1, 4) id) s;
ANALYZE test.items, test.queries;
CREATE FUNCTION test.runs_of(statement text) RETURNS TABLE (result double precision, runs bigint) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM setval('test.runs', 1, false);
    EXECUTE statement INTO result;
    result := round(result::numeric, 5);
    runs := nextval('test.runs') - 1;
    RETURN NEXT;
END $$;

SELECT round(sum(v <=> f)::numeric, 5) AS expected FROM test.items, test.queries q WHERE q.id = 1;
CREATE VIEW test.distances AS SELECT q.id, v <=> q.q::real[] AS d FROM test.items, test.queries q;
CREATE FUNCTION test.by_sql(q test.counted) RETURNS double precision LANGUAGE sql STABLE
    RETURN (SELECT sum(v <=> q::real[]) FROM test.items);
CREATE FUNCTION test.by_plpgsql(q test.counted) RETURNS double precision LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (SELECT sum(v <=> q::real[]) FROM test.items);
END $$;
PREPARE test_of(test.counted) AS SELECT round(sum(v <=> $1::real[])::numeric, 5) AS sum FROM test.items;
SET plan_cache_mode = force_generic_plan;
SELECT shown, result, runs FROM (VALUES
    ('sub-select',   'SELECT sum(v <=> (SELECT q FROM test.queries WHERE id = 1)::real[]) FROM test.items'),
    ('turned',       'SELECT sum((SELECT q FROM test.queries WHERE id = 1)::real[] <=> v) FROM test.items'),
    ('function',     'SELECT sum(tq_cosine_distance(v, (SELECT q FROM test.queries WHERE id = 1)::real[])) FROM test.items'),
    ('without operator', 'SELECT 100 - sum(tq_inner_product(v, (SELECT q FROM test.queries WHERE id = 1)::real[]) / tq_norm(v)) FROM test.items'),
    ('CTE',          'WITH q AS MATERIALIZED (SELECT q FROM test.queries WHERE id = 1) SELECT sum(v <=> q::real[]) FROM test.items, q'),
    ('CTE, inlined', 'WITH q AS NOT MATERIALIZED (SELECT q FROM test.queries WHERE id = 1) SELECT sum(v <=> q::real[]) FROM test.items, q'),
    ('LATERAL',      'SELECT d FROM test.queries q, LATERAL (SELECT sum(v <=> q.q::real[]) AS d FROM test.items) s WHERE id = 1'),
    ('join',         'SELECT sum(v <=> q.q::real[]) FILTER (WHERE q.id = 1) FROM test.items, test.queries q WHERE q.id <= 1'),
    ('join of four', 'SELECT sum(CASE WHEN id = 1 THEN d END) FROM (SELECT q.id, v <=> q.q::real[] AS d FROM test.items, test.queries q OFFSET 0) s'),
    ('view',         'SELECT sum(d) FROM test.distances WHERE id = 1'),
    ('SQL',          'SELECT test.by_sql(q) FROM test.queries WHERE id = 1'),
    ('PL/pgSQL',     'SELECT test.by_plpgsql(q) FROM test.queries WHERE id = 1')
) s (shown, statement), test.runs_of(statement);
SELECT setval('test.runs', 1, false);
SELECT format('EXECUTE test_of(%L)', q) AS execute FROM test.queries WHERE id = 1 \gset
:execute;
SELECT nextval('test.runs') - 1 AS runs;
RESET plan_cache_mode;

-- Arrays of other numbers; NULLs; a query of another dimension at some row.
SELECT max(abs((v <-> d::real[]) - (v <-> f))) < 1e-6 AS doubles, max(abs((v <-> n::real[]) - (v <-> f))) < 1e-6 AS numerics,
       max(abs((i::real[] <-> v) - (v <-> (SELECT array_agg(x::real ORDER BY o) FROM unnest(i) WITH ORDINALITY u (x, o))))) < 1e-6 AS integers,
       max(abs((v <-> n::double precision[]::real[]) - (v <-> f))) < 1e-6 AS chain
FROM test.items, test.queries;
SELECT count(*), count(v <=> d::real[]) FROM test.items, (SELECT d FROM test.queries UNION ALL SELECT NULL) q;
SELECT count(*), count(v <=> q::real[]) FROM test.items, (SELECT q FROM test.queries UNION ALL SELECT NULL) q;
SELECT * FROM test.failure($$SELECT sum(v <=> d::real[]) FROM test.items, (SELECT d FROM test.queries UNION ALL SELECT '{1, 0}') q$$);
SELECT * FROM test.failure($$SELECT sum(v <=> d::real[]) FROM test.items, (SELECT d FROM test.queries UNION ALL SELECT array_fill(1e300::float8, '{32}')) q$$);
SELECT * FROM test.failure($$SELECT sum(v <=> d::real[]) FROM test.items, (SELECT d FROM test.queries UNION ALL SELECT '{{1, 0}, {0, 1}}') q$$);

-- The floats of a record, however they are asked for, are the record: no rotation, and the operator that an index would have.
EXPLAIN (VERBOSE, COSTS OFF) SELECT i.v <=> q.e::real[], q.e::real[] <-> i.v, i.v <#> tq_decompress(q.e), tq_l1_distance(i.v, q.e::real[]),
    tq_inner_product(tq_decompress(q.e), i.v) FROM test.items i, test.queries q;
SELECT max(abs((i.v <=> q.e::real[]) - test.cosine(tq_decompress(i.v), tq_decompress(q.e)))) < 1e-5 AS cosine,
       max(abs((q.e::real[] <-> i.v) - test.l2(tq_decompress(i.v), tq_decompress(q.e)))) < 1e-5 AS l2,
       max(abs((i.v <#> tq_decompress(q.e)) + test.ip(tq_decompress(i.v), tq_decompress(q.e)))) < 1e-5 AS ip,
       max(abs((i.v <+> q.e::real[]) - test.l1(tq_decompress(i.v), tq_decompress(q.e)))) < 1e-4 AS l1
FROM test.items i, test.queries q;
-- Any other cast stays one, in plans and in what is stored.
EXPLAIN (VERBOSE, COSTS OFF) SELECT i.v <=> q.d::real[], q.n::real[] <-> i.v, tq_cosine_distance(i.v, q.q::real[]) FROM test.items i, test.queries q;
SELECT pg_get_viewdef('test.distances');
CREATE TABLE test.stored (v tqvec, d double precision[], e tqvec, g double precision GENERATED ALWAYS AS (v <=> d::real[]) STORED,
    CHECK (v <-> e::real[] < 9));
CREATE INDEX stored_distance ON test.stored ((v <-> d::real[]));
CREATE INDEX stored_records ON test.stored ((v <-> e::real[]));
INSERT INTO test.stored SELECT v, d, e FROM test.items, test.queries;
SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef WHERE adrelid = 'test.stored'::regclass;
SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'test.stored'::regclass AND contype = 'c';
SELECT pg_get_indexdef('test.stored_distance'::regclass), pg_get_indexdef('test.stored_records'::regclass);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM test.stored WHERE v <-> d::real[] < 1;
EXPLAIN (COSTS OFF) SELECT count(*) FROM test.stored WHERE v <-> e::real[] < 1;
RESET enable_seqscan;
RESET enable_bitmapscan;
-- A cast that isn't immutable is left alone, and hides nothing from what wants immutable expressions.
CREATE TYPE test.moody AS (f real[]);
CREATE FUNCTION test.moods(c test.moody) RETURNS real[] LANGUAGE sql STABLE STRICT RETURN CASE WHEN now() IS NOT NULL THEN (c).f END;
CREATE CAST (test.moody AS real[]) WITH FUNCTION test.moods(test.moody);
CREATE TABLE test.moodies (v tqvec, m test.moody);
SELECT * FROM test.failure($$CREATE INDEX ON test.moodies ((v <-> m::real[]))$$);
-- The right to execute a cast is asked for.
CREATE ROLE test_caster;
REVOKE EXECUTE ON FUNCTION test.floats(test.counted) FROM PUBLIC;
GRANT USAGE ON SCHEMA test TO test_caster;
GRANT SELECT ON test.items, test.queries TO test_caster;
SET ROLE test_caster;
SELECT sum(v <=> q::real[]) FROM test.items, test.queries;
SELECT count(v <=> d::real[]) FROM test.items, test.queries;
RESET ROLE;
DROP OWNED BY test_caster;
DROP ROLE test_caster;
-- It isn't for users.
SELECT * FROM test.failure($$SELECT tq_once(1)$$);
SELECT * FROM test.failure($$SELECT tq_once('{1}'::double precision[], 2)$$);
SELECT tq_once('{1, 2}'::double precision[]), tq_once(NULL::double precision[]);
DROP TABLE test.stored, test.moodies;
DROP TYPE test.moody CASCADE;
DROP VIEW test.distances;
DEALLOCATE test_of;
DROP FUNCTION test.by_sql(test.counted), test.by_plpgsql(test.counted), test.runs_of(text);
DROP TABLE test.items, test.queries;
DROP TYPE test.counted CASCADE;
DROP SEQUENCE test.runs;
RESET client_min_messages;
