-- Rows of an index that can't be measured, of another dimension or of an unknown codec: an error for a search that sees
-- them, and none for one that doesn't, since they were rolled back or deleted.
SET client_min_messages = warning;
CREATE TABLE test.unseen (id int, e tqvec);
CREATE INDEX unseen_index ON test.unseen USING tinyquant (e tqvec_l2_ops);
CREATE FUNCTION test.found(OUT by_index text, OUT by_scan text) LANGUAGE plpgsql AS $$
DECLARE
    query text := 'SELECT string_agg(id::text, '','') FROM (
        SELECT id FROM test.unseen ORDER BY e OPERATOR(public.<->) test.unit(7, 32) LIMIT 200) s';
BEGIN
    PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
    EXECUTE query INTO by_index;
    PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_sort', 'on', true);
    PERFORM set_config('enable_indexscan', 'off', true);
    EXECUTE query INTO by_scan;
    PERFORM set_config('enable_indexscan', 'on', true);
END $$;

-- The first row decides what codec an index is of. This one was never there.
BEGIN;
INSERT INTO test.unseen VALUES (-1, '[1, 2]');
ROLLBACK;
INSERT INTO test.unseen SELECT i, test.unit(i, 32) FROM generate_series(1, 5) i;
SELECT * FROM test.found();
VACUUM test.unseen;
SELECT * FROM test.found();

-- Of the codec that the index is of now.
REINDEX INDEX test.unseen_index;
BEGIN;
INSERT INTO test.unseen VALUES (-1, '[1, 2]');
ROLLBACK;
SELECT * FROM test.found();
INSERT INTO test.unseen VALUES (-1, '[1, 2]');
SELECT code, message FROM test.failure('SELECT test.found()');
DELETE FROM test.unseen WHERE id < 0;
SELECT * FROM test.found();

-- A codec that is gone with its rows.
BEGIN;
SELECT tq_create_codec('unseen', 32, seed => 5) IS NOT NULL AS created;
INSERT INTO test.unseen SELECT -i, tq_compress(test.unit(i, 32), 'unseen') FROM generate_series(1, 3) i;
ROLLBACK;
SELECT * FROM test.found();
SELECT tq_create_codec('unseen', 32, seed => 5) IS NOT NULL AS created;
INSERT INTO test.unseen SELECT -i, tq_compress(test.unit(i, 32), 'unseen') FROM generate_series(1, 3) i;
SELECT * FROM test.found();
SELECT tq_drop_codec('unseen');
SELECT code, left(message, 31) AS message FROM test.failure('SELECT test.found()');
DELETE FROM test.unseen WHERE id < 0;
SELECT * FROM test.found();
VACUUM test.unseen;
SELECT * FROM test.found();
SELECT count(*) FROM tq_index_check('test.unseen_index', true);
DROP TABLE test.unseen;
DROP FUNCTION test.found;
