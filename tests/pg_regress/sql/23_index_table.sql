-- The access method with its codes left in the table: the same rows in the same order, in a fraction of the pages.
SET client_min_messages = warning;
CREATE TABLE test.rows (id int, e tqvec(32, 4, hadamard), note text);
INSERT INTO test.rows SELECT i, test.unit(i, 32) FROM generate_series(1, 1500) i;
INSERT INTO test.rows SELECT i, NULL FROM generate_series(1501, 1520) i;
CREATE TABLE test.queries (n int, v real[]);
INSERT INTO test.queries SELECT i, test.unit(i, 32) FROM generate_series(100001, 100005) i;
ANALYZE test.rows;

-- For each query: the distances of the nearest, by the index and without; whether they are equal.
CREATE FUNCTION test.nearest(relation text, operator text, k int, by_index boolean) RETURNS SETOF text LANGUAGE plpgsql AS $$
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

CREATE INDEX rows_cosine ON test.rows USING tinyquant (e tqvec_cosine_ops) WITH (refine = table);
SELECT k, test.same('test.rows', '<=>', k) FROM unnest('{1, 10, 100, 1500, 1520, 2000}'::int[]) k;
CREATE INDEX rows_l2 ON test.rows USING tinyquant (e tqvec_l2_ops) WITH (refine = table);
SELECT k, test.same('test.rows', '<->', k) FROM unnest('{1, 10, 2000}'::int[]) k;
CREATE INDEX rows_ip ON test.rows USING tinyquant (e tqvec_ip_ops) WITH (refine = table);
SELECT k, test.same('test.rows', '<#>', k) FROM unnest('{1, 10, 2000}'::int[]) k;
CREATE INDEX rows_codes ON test.rows USING tinyquant (e tqvec_ip_ops) WITH (refine = index);
SELECT refine, rows, nulls, bytes < (SELECT bytes FROM tq_index_info('test.rows_codes')) AS smaller FROM tq_index_info('test.rows_l2');
SELECT refine FROM tq_index_info('test.rows_codes');
SELECT * FROM tq_index_check('test.rows_cosine', true);
SELECT queries_asked, recall > 0.99 AS found, rows_measured > 10 AS some, rows_measured < 1500 AS not_all FROM tq_index_recall('test.rows_l2', 50, 20);

-- Made with the table: filled in the transaction that made it, rows that are rolled back, deleted, vacuumed, updated in place or not.
BEGIN;
CREATE TABLE test.born (LIKE test.rows);
CREATE INDEX born_index ON test.born USING tinyquant (e tqvec_cosine_ops) WITH (refine = 'table');
INSERT INTO test.born SELECT * FROM test.rows WHERE id <= 900;
SELECT test.same('test.born', '<=>', 20);
SAVEPOINT a;
INSERT INTO test.born SELECT id + 5000, e FROM test.rows WHERE id <= 700;
ROLLBACK TO a;
INSERT INTO test.born SELECT * FROM test.rows WHERE id BETWEEN 901 AND 1000;
SELECT test.same('test.born', '<=>', 20);
COMMIT;
SELECT test.same('test.born', '<=>', 20), test.same('test.born', '<=>', 2000);
UPDATE test.born SET note = 'in place' WHERE id % 7 = 0;
SELECT test.same('test.born', '<=>', 20), test.same('test.born', '<=>', 2000);
DELETE FROM test.born WHERE id % 3 = 0;
SELECT test.same('test.born', '<=>', 20), test.same('test.born', '<=>', 2000);
VACUUM test.born;
SELECT rows, free_slots >= 1033, nulls FROM tq_index_info('test.born_index');
INSERT INTO test.born SELECT * FROM test.rows WHERE id > 1000;
UPDATE test.born SET e = test.unit(-id, 32) WHERE id % 10 = 1;
SELECT test.same('test.born', '<=>', 20), test.same('test.born', '<=>', 2000);
INSERT INTO test.born SELECT id + 10000, e FROM test.rows;
INSERT INTO test.born SELECT id + 20000, e FROM test.rows;
SELECT test.same('test.born', '<=>', 20), test.same('test.born', '<=>', 5000);
SELECT * FROM tq_index_check('test.born_index', true);
SELECT centre > 3 FROM tq_index_info('test.born_index');
-- A cursor sees what it saw, and its rows are read as it goes.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM test.born ORDER BY e <=> (SELECT e FROM test.born WHERE id = 77), id;
FETCH 1 FROM c;
DELETE FROM test.born;
INSERT INTO test.born SELECT id + 30000, e FROM test.rows;
MOVE 10 FROM c;
MOVE ALL FROM c;
CLOSE c;
SELECT test.same('test.born', '<=>', 20);
ROLLBACK;
SELECT test.same('test.born', '<=>', 20);

-- Rows that are stored in pieces elsewhere, by one command and by many, and other codecs among them.
CREATE TABLE test.large (id int, e tqvec);
CREATE INDEX large_index ON test.large USING tinyquant (e tqvec_l2_ops) WITH (refine = table);
INSERT INTO test.large SELECT i, tq_compress(test.unit(i, 3000), 8, true, 'hadamard') FROM generate_series(1, 60) i;
INSERT INTO test.large SELECT i, tq_compress(test.unit(i, 3000), 4, false, 'hadamard') FROM generate_series(61, 65) i;
BEGIN;
INSERT INTO test.large SELECT i, tq_compress(test.unit(i, 3000), 8, true, 'hadamard') FROM generate_series(101, 130) i;
ROLLBACK;
DELETE FROM test.large WHERE id % 4 = 0;
INSERT INTO test.large SELECT i, tq_compress(test.unit(i, 3000), 8, true, 'hadamard') FROM generate_series(201, 260) i;
SELECT pg_relation_size(reltoastrelid) > 100000 FROM pg_class WHERE oid = 'test.large'::regclass;
SELECT refine, rows, others FROM tq_index_info('test.large_index');
SELECT * FROM tq_index_check('test.large_index', true);
SET enable_seqscan = off;
SELECT id FROM test.large ORDER BY e <-> test.unit(17, 3000) LIMIT 1;
SELECT id FROM test.large ORDER BY e <-> test.unit(62, 3000) LIMIT 1;
SELECT id FROM test.large ORDER BY e <-> test.unit(230, 3000) LIMIT 1;
SELECT count(*) FROM (SELECT id FROM test.large ORDER BY e <-> test.unit(17, 3000) LIMIT 1000) s;
RESET enable_seqscan;

-- An expression's values are in no table: their codes stay in the index.
CREATE TABLE test.floats (id int, v real[]);
INSERT INTO test.floats SELECT i, test.unit(i, 32) FROM generate_series(1, 200) i;
CREATE INDEX floats_index ON test.floats USING tinyquant ((v::tqvec(32, 8)) tqvec_cosine_ops) WITH (refine = table);
SELECT refine, rows FROM tq_index_info('test.floats_index');
SELECT * FROM tq_index_check('test.floats_index', true);
-- What an index is made as, it stays until it is made anew.
ALTER INDEX test.rows_cosine SET (refine = index);
SELECT refine FROM tq_index_info('test.rows_cosine');
INSERT INTO test.rows SELECT i, test.unit(i, 32) FROM generate_series(2001, 2100) i;
SELECT test.same('test.rows', '<=>', 10);
REINDEX INDEX test.rows_cosine;
SELECT refine, rows FROM tq_index_info('test.rows_cosine');
SELECT test.same('test.rows', '<=>', 10), (SELECT count(*) FROM tq_index_check('test.rows_cosine', true));
SELECT code, message, detail FROM test.failure('CREATE INDEX ON test.rows USING tinyquant (e tqvec_l2_ops) WITH (refine = both)');
CREATE UNLOGGED TABLE test.unlogged (LIKE test.rows);
CREATE INDEX unlogged_index ON test.unlogged USING tinyquant (e tqvec_cosine_ops) WITH (refine = table);
INSERT INTO test.unlogged SELECT * FROM test.rows;
SELECT test.same('test.unlogged', '<=>', 10);
CREATE INDEX CONCURRENTLY born_again ON test.born USING tinyquant (e tqvec_l2_ops) WITH (refine = table);
SELECT test.same('test.born', '<->', 10), (SELECT count(*) FROM tq_index_check('test.born_again', true));
-- A codec that is dropped while only dead rows are of it; and while some are alive.
SELECT tq_create_codec('passing', 32, 4, seed => 5) \g /dev/null
CREATE TABLE test.passing (id int, e tqvec);
CREATE INDEX passing_index ON test.passing USING tinyquant (e tqvec_cosine_ops);
INSERT INTO test.passing SELECT i, tq_compress(test.unit(i, 32), 'passing') FROM generate_series(1, 50) i;
INSERT INTO test.passing SELECT i, tq_compress(test.unit(i, 32), 4) FROM generate_series(51, 60) i;
SET enable_seqscan = off;
SELECT id FROM test.passing ORDER BY e <=> test.unit(7, 32) LIMIT 1;
SELECT tq_drop_codec('passing');
SELECT code, message FROM test.failure('SELECT id FROM test.passing ORDER BY e <=> test.unit(7, 32) LIMIT 1');
DELETE FROM test.passing WHERE id <= 50;
SELECT id FROM test.passing ORDER BY e <=> test.unit(57, 32) LIMIT 1;
SELECT count(*) FROM (SELECT id FROM test.passing ORDER BY e <=> test.unit(57, 32)) s;
SELECT rows, others FROM tq_index_info('test.passing_index');
SELECT count(*) FROM tq_index_check('test.passing_index', true);
RESET enable_seqscan;
DROP TABLE test.rows, test.queries, test.born, test.large, test.floats, test.unlogged, test.passing;
DROP FUNCTION test.nearest, test.same;
