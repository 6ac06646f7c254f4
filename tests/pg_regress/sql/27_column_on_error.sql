-- tq_compress_column's on_error and reject_limit: rows that can't be compressed, and the others.
\set SHOW_CONTEXT never
CREATE TABLE test.bad_rows (id int PRIMARY KEY, v double precision[], e tqvec(16, 4), f tqvec);
INSERT INTO test.bad_rows SELECT i, CASE i WHEN 8 THEN array_fill(0::float8, '{16}') WHEN 11 THEN '{}' WHEN 12 THEN '{1, 0}'
    WHEN 13 THEN array_fill(1e300::float8, '{16}') WHEN 14 THEN ARRAY[NULL, 1] WHEN 15 THEN '{{1, 0}, {0, 1}}'
    WHEN 16 THEN array_fill(0.6::float8, '{16}') WHEN 17 THEN NULL WHEN 18 THEN '{NaN, 0}' WHEN 19 THEN array_fill(0.01::float8, '{16385}')
    ELSE test.unit(i, 16) END FROM generate_series(1, 20) i;

CALL tq_compress_column('test.bad_rows', 'v', 'e', 3);
CALL tq_compress_column('test.bad_rows', 'v', 'e', 3, on_error => 'STOP');
SELECT count(e) FROM test.bad_rows;
CALL tq_compress_column('test.bad_rows', 'v', 'e', 3, on_error => 'ignore');
SELECT count(*), bool_and(e = tq_compress(v::real[], 4)) AS right_ones FROM test.bad_rows WHERE e IS NOT NULL;
-- Again: nothing is done, and it ends. NULL is what they have already.
CALL tq_compress_column('test.bad_rows', 'v', 'e', on_error => 'ignore');
CALL tq_compress_column('test.bad_rows', 'v', 'e', on_error => 'null');
-- A column of any dimension takes more of them.
CALL tq_compress_column('test.bad_rows', 'v', 'f', on_error => 'ignore');
SELECT id, tq_dimension(f) FROM test.bad_rows WHERE (e IS NULL) <> (f IS NULL);
-- What has been mended is done.
UPDATE test.bad_rows SET v = test.unit(id, 16) WHERE id IN (8, 13);
CALL tq_compress_column('test.bad_rows', 'v', 'e', on_error => 'ignore');
-- A named codec, whose dimension rows don't have, or which has another.
SELECT tq_create_codec('bad rows', 16, seed => 270) IS NOT NULL AS created;
UPDATE test.bad_rows SET f = NULL;
CALL tq_compress_column('test.bad_rows', 'v', 'f', codec => 'bad rows', on_error => 'ignore');
SELECT count(f) FROM test.bad_rows;

-- As many as there may be, and one less.
UPDATE test.bad_rows SET e = NULL;
CALL tq_compress_column('test.bad_rows', 'v', 'e', on_error => 'ignore', reject_limit => 7);
SELECT count(e) FROM test.bad_rows;
UPDATE test.bad_rows SET e = NULL;
CALL tq_compress_column('test.bad_rows', 'v', 'e', 2, on_error => 'ignore', reject_limit => 6);
SELECT count(e) FROM test.bad_rows;
CALL tq_compress_column('test.bad_rows', 'v', 'e', on_error => 'ignore', reject_limit => 0);
CALL tq_compress_column('test.bad_rows', 'v', 'e', reject_limit => 5);
CALL tq_compress_column('test.bad_rows', 'v', 'e', on_error => 'skip');
CALL tq_compress_column('test.bad_rows', 'v', 'e', on_error => NULL);

-- All of them, and a limit for all partitions together: what is committed stays, and the next call goes on.
UPDATE test.bad_rows SET e = NULL, v = '{0}';
CALL tq_compress_column('test.bad_rows', 'v', 'e', 3, on_error => 'ignore');
CREATE TABLE test.bad_parts (id int, v real[], e tqvec(8, 4, normalize)) PARTITION BY RANGE (id);
CREATE TABLE test.bad_parts_1 PARTITION OF test.bad_parts FOR VALUES FROM (0) TO (100);
CREATE TABLE test.bad_parts_2 PARTITION OF test.bad_parts FOR VALUES FROM (100) TO (200);
INSERT INTO test.bad_parts SELECT i, CASE WHEN i % 50 = 7 THEN array_fill(0::real, '{8}') ELSE array_fill(i::real, '{8}') END FROM generate_series(1, 199) i;
CALL tq_compress_column('test.bad_parts', 'v', 'e', 40, on_error => 'ignore', reject_limit => 3);
SELECT count(e) FILTER (WHERE id < 100) AS first_part, count(e) AS all_parts FROM test.bad_parts;
CALL tq_compress_column('test.bad_parts', 'v', 'e', on_error => 'ignore', reject_limit => 4);
SELECT count(e), count(*) FROM test.bad_parts;

-- What triggers and constraints say stays an error; a cast's own too.
CREATE TABLE test.bad_checks (v real[], e tqvec(2, 4) CHECK (e IS NULL OR tq_norm(e) < 0.5));
INSERT INTO test.bad_checks VALUES ('{0.6, 0.8}'), ('{0, 0}');
CALL tq_compress_column('test.bad_checks', 'v', 'e', on_error => 'ignore');
-- Arrays of other numbers.
CREATE TABLE test.whole_numbers (i integer[], n numeric[], a tqvec(2, 4), b tqvec(2, 4));
INSERT INTO test.whole_numbers VALUES ('{1, 0}', '{0.6, 0.8}'), ('{0, 0}', '{1e200, 1}'), ('{0, 1}', '{NaN, 1}');
CALL tq_compress_column('test.whole_numbers', 'i', 'a', on_error => 'ignore');
CALL tq_compress_column('test.whole_numbers', 'n', 'b');
CALL tq_compress_column('test.whole_numbers', 'n', 'b', on_error => 'ignore');
SELECT a IS NULL AS a, b IS NULL AS b FROM test.whole_numbers;

SET client_min_messages = warning;
SELECT tq_drop_codec('bad rows');
DROP TABLE test.bad_rows, test.bad_parts, test.bad_checks, test.whole_numbers;
