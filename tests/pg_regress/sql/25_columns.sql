-- Columns whose type names a codec, and columns that scale to unit length.
\getenv abs_srcdir PG_ABS_SRCDIR
\set out :abs_srcdir '/columns.tqcv'
\set floats :abs_srcdir '/columns.zt'
SET client_min_messages = warning;
CREATE TABLE test.columns_source AS
SELECT i AS id, tq_normalize((SELECT array_agg((a + 0.5 * b)::real ORDER BY n) FROM unnest(test.unit(-1, 24), test.unit(i, 24)) WITH ORDINALITY u(a, b, n))) AS v
FROM generate_series(1, 400) i;
SELECT length(tq_train_codec('Of columns', 'SELECT v FROM test.columns_source', 8)), length(tq_train_codec('other', 'SELECT v FROM test.columns_source', 4, seed => 77));
CREATE FUNCTION test.hash_of(codec text) RETURNS text LANGUAGE sql STABLE AS 'SELECT config_hash FROM tq_catalog.tq_codec WHERE name = codec';
CREATE TABLE test.named (id int, e tqvec(24, 8, 'Of columns'));
SELECT format_type(atttypid, atttypmod) = 'tqvec(codec_' || left(test.hash_of('Of columns'), 7) || ')' AS shown
FROM pg_attribute WHERE attrelid = 'test.named'::regclass AND attname = 'e';

-- Every way in.
INSERT INTO test.named SELECT id, v FROM test.columns_source WHERE id <= 50;
INSERT INTO test.named SELECT id, v::float8[] FROM test.columns_source WHERE id BETWEEN 51 AND 60;
DO $$
DECLARE v text;
BEGIN
    FOR i IN 61..70 LOOP
        SELECT translate(s.v::text, '{}', '[]') INTO v FROM test.columns_source s WHERE id = i;
        EXECUTE format('INSERT INTO test.named VALUES (%s, %L)', i, v);
        EXECUTE 'INSERT INTO test.named VALUES ($1, $2)' USING i + 1000, v::tqvec;
    END LOOP;
END $$;
SELECT count(*), bool_and(tq_config_hash(e) = test.hash_of('Of columns')) AS of_it, max(test.l2(e::real[], v)) < 0.02 AS near
FROM test.named n JOIN test.columns_source s ON s.id = n.id % 1000;
PREPARE put(int, real[]) AS INSERT INTO test.named VALUES ($1, $2);
EXECUTE put(71, array_fill(0.2::real, ARRAY[24]));
UPDATE test.named SET e = (SELECT v FROM test.columns_source WHERE id = 72) WHERE id = 71;
SELECT tq_config_hash((SELECT v FROM test.columns_source WHERE id = 1)::tqvec('Of columns')) = test.hash_of('Of columns') AS cast;
SELECT count(*) FROM test.named WHERE e = (SELECT translate(v::text, '{}', '[]')::tqvec(24, 8, 'Of columns') FROM test.columns_source WHERE id = 5);
CREATE TABLE test.altered AS SELECT id, v FROM test.columns_source WHERE id <= 20;
ALTER TABLE test.altered ALTER v TYPE tqvec(24, 8, 'Of columns');
SELECT bool_and(a.v = n.e) AS same FROM test.altered a JOIN test.named n USING (id);
CREATE TABLE test.generated (id int, v real[], e tqvec('Of columns') GENERATED ALWAYS AS (v::tqvec('Of columns')) STORED);
INSERT INTO test.generated SELECT id, v FROM test.columns_source WHERE id <= 20;
CREATE INDEX ON test.generated USING tinyquant ((v::tqvec(24, 4, other)) tqvec_cosine_ops);
SELECT bool_and(g.e = n.e) AS same FROM test.generated g JOIN test.named n USING (id);
SELECT count(*) FROM tq_index_check('test.generated_v_idx', true);
CREATE TABLE test.filled (id int, v real[], e tqvec(24, 8, 'Of columns'));
INSERT INTO test.filled SELECT id, v FROM test.columns_source WHERE id <= 20;
CALL tq_compress_column('test.filled', 'v', 'e');
SELECT bool_and(f.e = n.e) AS same FROM test.filled f JOIN test.named n USING (id);
-- Files.
COPY (SELECT e FROM test.named WHERE id <= 20 ORDER BY id) TO :'out' (FORMAT tqcv);
COPY (SELECT (SELECT array_agg(3 * x ORDER BY n) FROM unnest(v) WITH ORDINALITY u(x, n)) AS v FROM test.columns_source WHERE id <= 20 ORDER BY id) TO :'floats' (FORMAT ztensor);
CREATE TABLE test.columns_back (n bigint GENERATED ALWAYS AS IDENTITY, e tqvec('Of columns'));
COPY test.columns_back (e) FROM :'out' (FORMAT tqcv);
COPY test.columns_back (e) FROM :'floats' (FORMAT ztensor, NORMALIZE);
SELECT count(*), bool_and(b.e = n.e) AS same FROM test.columns_back b JOIN test.named n ON n.id = (b.n - 1) % 20 + 1;
TRUNCATE test.columns_back;
COPY (SELECT e FROM test.columns_back) TO :'out' (FORMAT tqcv);
SELECT records, config_hash = test.hash_of('Of columns') AS of_it FROM tq_corpus_info(:'out');

-- What isn't of it.
\x
SELECT code, message, hint FROM test.failure($$INSERT INTO test.named SELECT 1, tq_compress(v, 'other') FROM test.columns_source LIMIT 1$$);
SELECT code, message FROM test.failure($$INSERT INTO test.named SELECT 1, tq_compress(v, 8) FROM test.columns_source LIMIT 1$$);
SELECT code, message FROM test.failure($$INSERT INTO test.named VALUES (1, '[1,2,3]')$$);
SELECT code, message FROM test.failure($$INSERT INTO test.named VALUES (1, '{1,2,3}'::real[])$$);
SELECT code, message, hint FROM test.failure('CREATE TABLE test.x (e tqvec(24, 8, nosuch))');
SELECT code, message FROM test.failure($$CREATE TABLE test.x (e tqvec(25, 8, 'Of columns'))$$);
SELECT code, message FROM test.failure($$CREATE TABLE test.x (e tqvec(24, 4, 'Of columns'))$$);
SELECT code, message FROM test.failure($$CREATE TABLE test.x (e tqvec(hadamard, 'Of columns'))$$);
SELECT code, message FROM test.failure($$CREATE TABLE test.x (e tqvec('Of columns', other))$$);
SELECT code, message FROM test.failure($$SELECT tq_create_codec('codec_0123abc', 3)$$);
SELECT code, message, hint FROM test.failure($$SELECT tq_drop_codec('Of columns')$$);
\x
-- A type that names a codec that isn't there, as a dump may: the table can be made, and filled once the codec comes.
CREATE TABLE test.columns_early (e tqvec(codec_0000000));
SELECT code, message FROM test.failure($$INSERT INTO test.columns_early VALUES ('{1,2}'::real[])$$);

-- Unit length.
CREATE TABLE test.unit_length (id int, e tqvec(3, 8, normalize), f tqvec(3, normalize));
INSERT INTO test.unit_length VALUES (1, '[3,0,4]', '[3,0,4]'), (2, '{30,0,40}'::real[], '{30,0,40}'::real[]);
SELECT id, abs(tq_norm(e) - 1) < 0.02 AS e, abs(tq_norm(f) - 1) < 1e-3 AS f, e = (SELECT e FROM test.unit_length WHERE id = 1) AS same FROM test.unit_length ORDER BY id;
SELECT format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'test.unit_length'::regclass AND attnum > 1 ORDER BY attnum;
SELECT code, message FROM test.failure($$INSERT INTO test.unit_length VALUES (3, '[0,0,0]', NULL)$$);
SELECT code, message FROM test.failure('CREATE TABLE test.x (e tqvec(3, normalize, normalize))');
CREATE TABLE test.columns_arrays (v real[]);
SELECT code, message FROM test.failure(format('COPY test.columns_arrays FROM %L (FORMAT ztensor, NORMALIZE)', :'floats'));
-- What else names a codec, and keeps it: arrays, domains and what is of them, composite types, foreign tables, views, and casts that
-- are in no column's type.
SELECT tq_train_codec('kept', 'SELECT v FROM test.columns_source', 4) IS NOT NULL AS trained;
SELECT tq_create_codec('let go', 24, 4, false, 77) IS NOT NULL AS created;
CREATE FUNCTION test.refused() RETURNS text LANGUAGE sql AS $$
    SELECT regexp_replace(code || ': ' || message, 'codec_[0-9a-f]{7}', 'codec_…', 'g') FROM test.failure($q$SELECT tq_drop_codec('kept')$q$)
$$;
-- A type that names a codec, read in a parallel worker.
CREATE FUNCTION test.in_worker(v real[]) RETURNS int LANGUAGE plpgsql STABLE PARALLEL SAFE AS $$ BEGIN RETURN tq_bit_width(v::tqvec(24, 4, kept)); END $$;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET parallel_leader_participation = off;
SELECT count(*) > 0 AS found FROM test.columns_source WHERE test.in_worker(v) = 4;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET parallel_leader_participation;
DROP FUNCTION test.in_worker;
CREATE DOMAIN test.embedding AS tqvec(24, 4, kept);
SELECT test.refused();
CREATE DOMAIN test.embeddings AS test.embedding[];
CREATE TABLE test.of_domains (a test.embedding, b test.embedding[], c test.embeddings);
SELECT test.refused();
DROP TABLE test.of_domains;
DROP DOMAIN test.embeddings, test.embedding;
CREATE TABLE test.of_arrays (a tqvec(24, 4, kept)[]);
SELECT test.refused();
DROP TABLE test.of_arrays;
CREATE TYPE test.composite AS (a int, b tqvec(24, 4, kept));
SELECT test.refused();
DROP TYPE test.composite;
CREATE TABLE test.of_one (e tqvec(24, 4, kept));
-- Nor by the table's own statements, except for what replicates.
SELECT code, message, hint FROM test.failure($$DELETE FROM tq_catalog.tq_codec WHERE name IN ('let go', 'kept')$$);
SELECT code, message, hint FROM test.failure('TRUNCATE tq_catalog.tq_codec');
BEGIN;
SET LOCAL session_replication_role = replica;
DELETE FROM tq_catalog.tq_codec WHERE name = 'kept';
TRUNCATE tq_catalog.tq_codec;
ROLLBACK;
DROP TABLE test.of_one;
CREATE VIEW test.of_casts AS SELECT v::tqvec(24, 4, kept) AS e FROM test.columns_source;
SELECT test.refused();
DROP VIEW test.of_casts;
CREATE TABLE test.casts (v real[]);
CREATE INDEX casts_index ON test.casts (tq_norm(v::tqvec(24, 4, kept)));
SELECT test.refused();
DROP INDEX test.casts_index;
ALTER TABLE test.casts ADD CHECK (tq_norm(v::tqvec(24, 4, kept)) > 0);
SELECT test.refused();
ALTER TABLE test.casts DROP CONSTRAINT casts_v_check, ALTER v SET DEFAULT ('{1}'::real[]::tqvec(24, 4, kept))::real[];
SELECT test.refused();
ALTER TABLE test.casts ALTER v DROP DEFAULT;
CREATE FUNCTION test.casting(v real[]) RETURNS tqvec LANGUAGE sql IMMUTABLE RETURN v::tqvec(24, 4, kept);
SELECT test.refused();
DROP FUNCTION test.casting;
DROP TABLE test.casts;
-- Another's name keeps nothing.
CREATE TABLE test.of_another (e tqvec(24, 4, 'let go'));
SELECT tq_drop_codec('kept');
DROP TABLE test.of_another;
SELECT tq_drop_codec('let go');
DROP FUNCTION test.refused;
DROP TABLE test.named, test.altered, test.generated, test.filled, test.columns_back, test.columns_early, test.unit_length, test.columns_arrays, test.columns_source;
SELECT tq_drop_codec('Of columns'), tq_drop_codec('other');
DROP FUNCTION test.hash_of;
