-- The access method: what is indexed is found, in the order and with the distances of the sequential scan.
SET client_min_messages = warning;
CREATE TABLE test.rows (id int, e tqvec(32, 4, hadamard), tenant int);
INSERT INTO test.rows SELECT i, test.unit(i, 32), i % 10 FROM generate_series(1, 1500) i;
-- NULLs, and a record of another codec.
INSERT INTO test.rows SELECT i, NULL, 0 FROM generate_series(1501, 1520) i;
CREATE TABLE test.queries (n int, v real[]);
INSERT INTO test.queries SELECT i, test.unit(i, 32) FROM generate_series(100001, 100005) i;
ANALYZE test.rows;

-- For each query: the ids and distances of the nearest, by the index and without; whether they are equal.
CREATE FUNCTION test.nearest(relation text, operator text, k int, by_index boolean)
RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    v real[];
    plan json;
BEGIN
    PERFORM set_config('enable_indexscan', by_index::text, true);
    PERFORM set_config('enable_seqscan', (NOT by_index)::text, true);
    PERFORM set_config('enable_sort', (NOT by_index)::text, true);
    FOR v IN SELECT q.v FROM test.queries q ORDER BY n LOOP
        EXECUTE format('EXPLAIN (FORMAT json) SELECT id FROM %s ORDER BY e OPERATOR(public.%s) $1 LIMIT %s', relation, operator, k)
            INTO plan USING v;
        IF (plan::text LIKE '%Index Scan%') <> by_index THEN RAISE EXCEPTION 'another plan: %', plan; END IF;
        RETURN QUERY EXECUTE format(
            'SELECT string_agg(row, '','' ORDER BY row) FROM (
                 SELECT coalesce((e OPERATOR(public.%2$s) $1)::text, ''-'') AS row FROM %1$s ORDER BY e OPERATOR(public.%2$s) $1 LIMIT %3$s) s',
            relation, operator, k) USING v;
    END LOOP;
END $$;
CREATE FUNCTION test.same(relation text, operator text, k int) RETURNS boolean LANGUAGE sql AS $$
    SELECT array(SELECT test.nearest(relation, operator, k, true)) = array(SELECT test.nearest(relation, operator, k, false))
$$;

-- The nodes of a plan, from the top: how they are written differs between versions.
CREATE FUNCTION test.nodes(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN (SELECT string_agg(node #>> '{}', ' > ') FROM jsonb_path_query(plan::jsonb, 'strict $.**."Node Type"') node);
END $$;

CREATE INDEX rows_cosine ON test.rows USING tinyquant (e tqvec_cosine_ops);
SELECT k, test.same('test.rows', '<=>', k) FROM unnest('{1, 10, 100, 1500, 1520, 2000}'::int[]) k;
DROP INDEX test.rows_cosine;
CREATE INDEX rows_l2 ON test.rows USING tinyquant (e tqvec_l2_ops);
SELECT k, test.same('test.rows', '<->', k) FROM unnest('{1, 10, 100, 1500, 1520, 2000}'::int[]) k;
CREATE INDEX rows_ip ON test.rows USING tinyquant (e tqvec_ip_ops);
SELECT k, test.same('test.rows', '<#>', k) FROM unnest('{1, 10, 100, 1500, 1520, 2000}'::int[]) k;
SELECT metric, lists, dimension, bit_width, residual, codec, rows, others, nulls, old_slot_pages FROM tq_index_info('test.rows_l2');
SELECT count(*) FROM tq_index_check('test.rows_l2', true);

SELECT queries_asked, recall > 0.99 AS found, rows_measured > 10 AS some, rows_measured < 1500 AS not_all FROM tq_index_recall('test.rows_l2', 50, 20);
SELECT * FROM tq_index_recall('test.rows_ip', queries => 1, k => 10000);
SELECT code, message FROM test.failure('SELECT tq_index_recall(''test.rows_l2'', 0)');
SELECT code, message FROM test.failure('SELECT tq_index_recall(''test.rows_l2'', k => 10001)');

-- Made with the table, and filled: by INSERT, by COPY, with rows deleted and vacuumed, and more of them.
CREATE TABLE test.born (LIKE test.rows);
CREATE INDEX born_index ON test.born USING tinyquant (e tqvec_cosine_ops);
SELECT test.same('test.born', '<=>', 10);
INSERT INTO test.born SELECT * FROM test.rows WHERE id <= 1000;
SELECT test.same('test.born', '<=>', 20);
DELETE FROM test.born WHERE id % 3 = 0;
VACUUM test.born;
SELECT rows, free_slots >= 333, nulls FROM tq_index_info('test.born_index');
INSERT INTO test.born SELECT * FROM test.rows WHERE id > 1000;
UPDATE test.born SET e = test.unit(-id, 32) WHERE id % 10 = 1;
SELECT test.same('test.born', '<=>', 20), test.same('test.born', '<=>', 2000);
SELECT * FROM tq_index_check('test.born_index', true);
-- What is aborted isn't there.
BEGIN;
SAVEPOINT a;
INSERT INTO test.born SELECT * FROM test.rows WHERE id < 50;
ROLLBACK TO a;
INSERT INTO test.born SELECT id + 5000, e, tenant FROM test.rows WHERE id < 20;
COMMIT;
SELECT test.same('test.born', '<=>', 100);

-- A column that mixes codecs, and one whose codec nobody knows.
CREATE TABLE test.mixed (id int, e tqvec);
CREATE INDEX mixed_index ON test.mixed USING tinyquant (e tqvec_cosine_ops);
INSERT INTO test.mixed SELECT i, tq_compress(test.unit(i, 32), 4) FROM generate_series(1, 300) i;
INSERT INTO test.mixed SELECT i, tq_compress(test.unit(i, 32), 8, true) FROM generate_series(301, 320) i;
SELECT rows, others FROM tq_index_info('test.mixed_index');
SELECT test.same('test.mixed', '<=>', 10), test.same('test.mixed', '<=>', 320);
SELECT count(*) FROM tq_index_check('test.mixed_index', true);
INSERT INTO test.mixed SELECT 1000, overlay(tq_compress(test.unit(1, 32), 4)::bytea PLACING repeat('0', 64)::bytea FROM 2 FOR 64)::tqvec;
SELECT code, message FROM test.failure($$SELECT test.nearest('test.mixed', '<=>', 1, true)$$);

-- Expressions, parts, queries of every kind.
CREATE TABLE test.floats (id int, v real[], tenant int);
INSERT INTO test.floats SELECT i, test.unit(i, 32), i % 10 FROM generate_series(1, 1000) i;
CREATE INDEX floats_index ON test.floats USING tinyquant ((v::tqvec(32, 8)) tqvec_cosine_ops) WHERE tenant = 7;
SET enable_seqscan = off;
SELECT test.nodes('SELECT id FROM test.floats WHERE tenant = 7 ORDER BY v::tqvec(32, 8) <=> test.unit(27, 32) LIMIT 3');
SELECT id FROM test.floats WHERE tenant = 7 ORDER BY v::tqvec(32, 8) <=> test.unit(27, 32) LIMIT 1;
-- The query is a record, a parameter, another row's, a literal, NULL.
SELECT id FROM test.rows ORDER BY e <-> (SELECT e FROM test.rows WHERE id = 77) LIMIT 1;
PREPARE nearest(real[]) AS SELECT id FROM test.rows ORDER BY e <-> $1 LIMIT 1;
SET plan_cache_mode = force_generic_plan;
EXECUTE nearest(test.unit(5, 32));
EXECUTE nearest(test.unit(6, 32));
EXECUTE nearest('{0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,2}');
RESET plan_cache_mode;
SELECT q.n, r.id FROM generate_series(11, 15) q(n), LATERAL (SELECT id FROM test.rows ORDER BY e <-> test.unit(q.n, 32) LIMIT 1) r;
SELECT count(*), count(e) FROM (SELECT e FROM test.rows ORDER BY e <-> NULL::real[] LIMIT 5000) s;
-- Order that other nodes trust: ties by id (an incremental sort, where the version has one on this), a window, a merge of two.
SELECT test.nodes('SELECT id, rank() OVER (ORDER BY e <-> test.unit(77, 32)) FROM test.rows LIMIT 3');
SELECT id FROM test.rows ORDER BY e <-> (SELECT e FROM test.rows WHERE id = 77), id LIMIT 3;
-- Cursors go forwards.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM test.rows ORDER BY e <-> (SELECT e FROM test.rows WHERE id = 77);
FETCH 1 FROM c;
FETCH BACKWARD 1 FROM c;
ROLLBACK;
RESET enable_seqscan;

-- What can't be.
SELECT code, message FROM test.failure('CREATE INDEX ON test.rows USING tinyquant (e tqvec_l2_ops) INCLUDE (id)');
SELECT code, message FROM test.failure('CREATE INDEX ON test.rows USING tinyquant (e tqvec_l2_ops, e tqvec_l2_ops)');
SELECT code, message FROM test.failure('CREATE UNIQUE INDEX ON test.rows USING tinyquant (e tqvec_l2_ops)');
SELECT code, message FROM test.failure('CREATE INDEX ON test.rows USING tinyquant (e)');
SELECT code, message FROM test.failure('CREATE INDEX ON test.rows USING tinyquant (e tqvec_l2_ops) WITH (lists = 40000)');
SELECT code, message FROM test.failure('CREATE INDEX ON test.rows USING tinyquant (id tqvec_l2_ops)');
SELECT code, message, hint FROM test.failure('SELECT tq_index_info(''test.rows'')');
SELECT code, message FROM test.failure('SELECT tq_index_check(0)');
SET enable_seqscan = off;
SELECT code, message FROM test.failure('SELECT id FROM test.rows ORDER BY e <-> ''{1,2}''::real[] LIMIT 1');
RESET enable_seqscan;

-- Other ways to make one.
CREATE TABLE test.parted (id int, e tqvec(32, 4)) PARTITION BY RANGE (id);
CREATE TABLE test.parted_1 PARTITION OF test.parted FOR VALUES FROM (0) TO (500);
CREATE TABLE test.parted_2 PARTITION OF test.parted FOR VALUES FROM (500) TO (2000);
CREATE INDEX parted_index ON test.parted USING tinyquant (e tqvec_cosine_ops);
INSERT INTO test.parted SELECT i, test.unit(i, 32) FROM generate_series(1, 1000) i;
SET enable_seqscan = off;
SET enable_sort = off;
SELECT test.nodes('SELECT id FROM test.parted ORDER BY e <=> test.unit(600, 32) LIMIT 2');
SELECT id FROM test.parted ORDER BY e <=> (SELECT test.unit(600, 32)) LIMIT 1;
RESET enable_seqscan;
RESET enable_sort;
SELECT code, message, hint FROM test.failure('SELECT tq_index_check(''test.parted_index'')');
CREATE UNLOGGED TABLE test.unlogged (LIKE test.rows);
CREATE INDEX unlogged_index ON test.unlogged USING tinyquant (e tqvec_cosine_ops);
INSERT INTO test.unlogged SELECT * FROM test.rows;
SELECT test.same('test.unlogged', '<=>', 10);
CREATE TEMPORARY TABLE temporary (LIKE test.rows);
CREATE INDEX temporary_index ON temporary USING tinyquant (e tqvec_cosine_ops);
INSERT INTO temporary SELECT * FROM test.rows;
SELECT test.same('temporary', '<=>', 10);
BEGIN;
TRUNCATE temporary;
INSERT INTO temporary SELECT * FROM test.rows WHERE id < 100;
TRUNCATE temporary;
INSERT INTO temporary SELECT * FROM test.rows WHERE id < 300;
COMMIT;
SELECT test.same('temporary', '<=>', 10), (SELECT count(*) FROM tq_index_check('temporary_index', true));
REINDEX INDEX test.born_index;
SELECT test.same('test.born', '<=>', 10), (SELECT count(*) FROM tq_index_check('test.born_index', true));
VACUUM FULL test.born;
SELECT test.same('test.born', '<=>', 10), (SELECT count(*) FROM tq_index_check('test.born_index', true));
REINDEX INDEX CONCURRENTLY test.born_index;
CREATE INDEX CONCURRENTLY born_again ON test.born USING tinyquant (e tqvec_l2_ops);
SELECT test.same('test.born', '<->', 10), (SELECT count(*) FROM tq_index_check('test.born_again', true));
-- Large rows: several pages of codes each.
CREATE TABLE test.large (id int, e tqvec);
CREATE INDEX large_index ON test.large USING tinyquant (e tqvec_l2_ops);
INSERT INTO test.large SELECT i, tq_compress(test.unit(i, 5000), 8, true, 'hadamard') FROM generate_series(1, 40) i;
SELECT rows FROM tq_index_info('test.large_index');
SELECT count(*) FROM tq_index_check('test.large_index', true);
SET enable_seqscan = off;
SELECT id FROM test.large ORDER BY e <-> test.unit(17, 5000) LIMIT 1;
RESET enable_seqscan;
SELECT opcname, amvalidate(oid) FROM pg_opclass WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'tinyquant') ORDER BY 1;
DROP TABLE test.rows, test.queries, test.born, test.mixed, test.floats, test.parted, test.unlogged, test.large;
DROP FUNCTION test.nearest, test.same, test.nodes;
-- An index whose making has failed is no damaged one.
CREATE TABLE test.half_built (e tqvec(8, 4));
INSERT INTO test.half_built VALUES ('[1,0,0,0,0,0,0,0]');
CREATE FUNCTION test.breaks(e tqvec) RETURNS tqvec LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE 'broken'; END $$;
\set VERBOSITY terse
CREATE INDEX CONCURRENTLY half_built_near ON test.half_built USING tinyquant ((test.breaks(e)) tqvec_l2_ops);
\set VERBOSITY default
SELECT code, message, hint FROM test.failure($$SELECT * FROM tq_index_info('test.half_built_near')$$);
SELECT code, message FROM test.failure($$SELECT * FROM tq_index_recall('test.half_built_near')$$);
SELECT code, message FROM test.failure($$SELECT * FROM tq_index_check('test.half_built_near')$$);
DROP TABLE test.half_built;
DROP FUNCTION test.breaks;
