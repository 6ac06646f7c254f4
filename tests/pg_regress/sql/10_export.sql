-- COPY TO a corpus, and tq_export.
\getenv abs_srcdir PG_ABS_SRCDIR
\set data :abs_srcdir '/data'
\set b4 :data '/d33_b4_res.tqcv'
\set out :abs_srcdir '/export.tqcv'
\set other :abs_srcdir '/export_other.tqcv'

CREATE TABLE test.vectors (id int PRIMARY KEY, name text, uid uuid, embedding tqvec(24, 4));
INSERT INTO test.vectors
SELECT i, 'nå ' || i, md5(i::text)::uuid, tq_compress(test.unit(i, 24), 4) FROM generate_series(1, 100) i;

-- A table's column, a query, a view; what comes back is what went.
CREATE TABLE test.back (n bigint GENERATED ALWAYS AS IDENTITY, embedding tqvec);
\set VERBOSITY terse
COPY test.vectors (embedding) TO :'out' WITH (FORMAT tqcv);
COPY test.back (embedding) FROM :'out' WITH (FORMAT tqcv);
SELECT count(*), bool_and(b.embedding = v.embedding) AS same FROM test.back b JOIN test.vectors v ON v.id = b.n;
-- Magic, version, count, dimension, bits, no residual, a hash of 64 characters; records of 83 bytes behind their length.
SELECT encode(substr(f, 1, 24), 'hex') AS header, (octet_length(f) - 100 * (4 + 83)) % 8 AS unaligned
FROM pg_read_binary_file(:'out') f;
COPY (SELECT embedding FROM test.vectors WHERE id <= 10 ORDER BY id DESC) TO :'out' (FORMAT 'tqcv', METADATA '{"model": "x"}');
TRUNCATE test.back RESTART IDENTITY;
COPY test.back (embedding) FROM :'out' WITH (FORMAT tqcv);
SELECT count(*), bool_and(b.embedding = v.embedding) AS same FROM test.back b JOIN test.vectors v ON v.id = 11 - b.n;
SELECT position('"metadata":{"model": "x"}'::bytea in f) > 0 AS added, position('"rotation":"haar"'::bytea in f) > 0 AS described
FROM pg_read_binary_file(:'out') f;
CREATE VIEW test.some AS SELECT embedding FROM test.vectors WHERE id % 2 = 0;
COPY test.some TO :'out' WITH (FORMAT tqcv);
CREATE MATERIALIZED VIEW test.kept AS SELECT embedding FROM test.some;
COPY test.kept TO :'out' WITH (FORMAT tqcv);
CREATE TABLE test.parted (id int, embedding tqvec) PARTITION BY LIST (id);
CREATE TABLE test.part1 PARTITION OF test.parted FOR VALUES IN (1);
CREATE TABLE test.part2 PARTITION OF test.parted DEFAULT;
INSERT INTO test.parted SELECT id, embedding FROM test.vectors;
COPY test.parted TO :'out' WITH (FORMAT tqcv);
SELECT get_byte(pg_read_binary_file(:'out'), 8) AS rows_of_partitions;
CREATE TABLE test.child () INHERITS (test.vectors);
INSERT INTO test.child SELECT 1000, 'child', uid, embedding FROM test.vectors WHERE id = 1;
COPY test.vectors (embedding) TO :'out' WITH (FORMAT tqcv);
SELECT get_byte(pg_read_binary_file(:'out'), 8) AS rows_without_children;
DROP TABLE test.child;
CREATE DOMAIN test.vec AS tqvec(24, 4);
COPY (SELECT embedding::test.vec FROM test.vectors) TO :'out' WITH (FORMAT tqcv);
COPY (VALUES (tq_compress('{0.6, 0.8}', 8))) TO :'out' WITH (FORMAT tqcv);
SELECT tq_export('SELECT embedding FROM test.vectors WHERE id > 90; -- some', :'out', '{"metadata": {"model": "y"}}');
SELECT tq_export('SELECT id, embedding FROM test.vectors -- all', :'out');

-- To the client.
COPY (SELECT embedding FROM test.vectors ORDER BY id) TO STDOUT WITH (FORMAT tqcv) \g :other
COPY (SELECT embedding FROM test.vectors ORDER BY id) TO :'out' WITH (FORMAT tqcv);
SELECT pg_read_binary_file(:'out') = pg_read_binary_file(:'other') AS client_gets_the_same;

-- Ids, in whichever column, of whichever type.
CREATE TABLE test.ids (id bigint, uid uuid, name text, embedding tqvec);
COPY (SELECT id, embedding FROM test.vectors ORDER BY id DESC) TO :'out' WITH (FORMAT tqcv);
COPY test.ids (id, embedding) FROM :'out' WITH (FORMAT tqcv);
SELECT count(*), bool_and(i.embedding = v.embedding) AS same FROM test.ids i JOIN test.vectors v USING (id);
TRUNCATE test.ids;
COPY (SELECT embedding, uid FROM test.vectors ORDER BY uid) TO :'out' WITH (FORMAT tqcv);
COPY test.ids (uid, embedding) FROM :'out' WITH (FORMAT tqcv);
SELECT count(*), bool_and(i.embedding = v.embedding) AS same FROM test.ids i JOIN test.vectors v USING (uid);
TRUNCATE test.ids;
COPY test.vectors (name, embedding) TO :'out' WITH (FORMAT tqcv);
COPY test.ids (name, embedding) FROM :'out' WITH (FORMAT tqcv);
SELECT count(*), bool_and(i.embedding = v.embedding) AS same FROM test.ids i JOIN test.vectors v USING (name);
COPY (SELECT id::smallint, embedding FROM test.vectors) TO :'out' WITH (FORMAT tqcv);

-- Registered codecs are described, unknown ones are not; nothing is needed to decode what was described.
SELECT tq_create_codec('mine', 24, 2, false, 7) \gset
COPY (SELECT tq_compress(test.unit(i, 24), 'mine') FROM generate_series(1, 5) i) TO :'other' WITH (FORMAT tqcv, CODEC 'mine');
COPY test.ids (embedding) FROM :'b4' WITH (FORMAT tqcv);
COPY (SELECT embedding FROM test.ids WHERE tq_dimension(embedding) = 33) TO :'out' WITH (FORMAT tqcv);
SELECT position('"codec"'::bytea in pg_read_binary_file(:'out')) > 0 AS described;
SELECT position('"codec"'::bytea in pg_read_binary_file(:'other')) > 0 AS described;
SELECT tq_drop_codec('mine');
TRUNCATE test.back;
COPY test.back (embedding) FROM :'other' WITH (FORMAT tqcv);
SELECT count(*), round(avg(tq_norm(embedding))) AS norm FROM test.back;
SELECT name = config_hash AS "named by its hash", seed FROM tq_catalog.tq_codec;
DO $$ BEGIN PERFORM tq_drop_codec(name) FROM tq_catalog.tq_codec; END $$;

-- The file that the tests of the crates read with TinyQuant: loaded and written again, it is the same. Its codec comes along.
\set exported :data '/exported.tqcv'
CREATE TABLE test.exported (id bigint, embedding tqvec);
COPY test.exported (id, embedding) FROM :'exported' WITH (FORMAT tqcv);
COPY (SELECT id, embedding FROM test.exported ORDER BY id) TO :'out' WITH (FORMAT tqcv, METADATA '{"model":"test"}');
SELECT pg_read_binary_file(:'out') = pg_read_binary_file(:'exported') AS same, count(*), min(id), max(id) FROM test.exported;
SELECT tq_drop_codec(config_hash) FROM tq_catalog.tq_codec;
DROP TABLE test.exported;

-- An empty corpus needs to be told what it is of.
COPY (SELECT embedding FROM test.vectors WHERE false) TO :'out' WITH (FORMAT tqcv);
SELECT encode(substr(f, 1, 24), 'hex') AS header, octet_length(f) % 8 AS unaligned FROM pg_read_binary_file(:'out') f;
COPY test.back (embedding) FROM :'out' WITH (FORMAT tqcv);
COPY (SELECT embedding::tqvec FROM test.vectors WHERE false) TO :'out' WITH (FORMAT tqcv, CODEC 'tqvec(24, 2, residual)');
COPY (SELECT id, embedding FROM test.vectors WHERE false) TO :'out' WITH (FORMAT tqcv);
\set VERBOSITY default

-- What is refused, and why; the file stays what it was.
COPY test.vectors (embedding) TO :'out' WITH (FORMAT tqcv);
SELECT md5(pg_read_binary_file(:'out')) AS before \gset
CREATE TABLE test.mixed (row int, embedding tqvec);
INSERT INTO test.mixed SELECT i, CASE WHEN i < 5 THEN tq_compress(test.unit(i, 24), 4) END FROM generate_series(1, 5) i;
SELECT f.* FROM (VALUES
    ('COPY (SELECT embedding FROM test.mixed ORDER BY row) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT NULLIF(row, 3), embedding FROM test.mixed ORDER BY row) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT embedding FROM test.vectors UNION ALL SELECT tq_compress(''{0.6, 0.8}'', 4)) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT embedding FROM test.vectors UNION ALL SELECT tq_compress(test.unit(1, 24), 2)) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT embedding FROM test.vectors UNION ALL SELECT tq_compress(test.unit(1, 24), 4, true)) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT embedding FROM test.vectors UNION ALL SELECT tq_compress(test.unit(1, 24), 4, false, ''hadamard'')) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT embedding FROM test.vectors) TO %L (FORMAT tqcv, CODEC ''tqvec(24, 4, hadamard)'')'),
    ('COPY (SELECT embedding FROM test.vectors WHERE 1 / (id - 50) < 2) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT embedding FROM test.mixed WHERE false) TO %L (FORMAT tqcv)'),
    ('COPY test.vectors TO %L (FORMAT tqcv)'),
    ('COPY test.vectors (name) TO %L (FORMAT tqcv)'),
    ('COPY test.vectors (embedding, embedding) TO %L (FORMAT tqcv)'),
    ('COPY test.vectors (absent) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT embedding, embedding FROM test.vectors) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT embedding, 1.5 AS ratio FROM test.vectors) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT id, name FROM test.vectors) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT FROM test.vectors) TO %L (FORMAT tqcv)'),
    ('COPY (INSERT INTO test.mixed VALUES (6) RETURNING embedding) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT embedding INTO test.new FROM test.vectors) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT absent FROM test.vectors) TO %L (FORMAT tqcv)'),
    ('COPY test.absent TO %L (FORMAT tqcv)'),
    ('COPY test.some TO %L (FORMAT tqcv, FREEZE)'),
    ('COPY test.some TO %L (FORMAT tqcv, IDS ''ordinal'')'),
    ('COPY test.some TO %L (FORMAT tqcv, RECOMPRESS true)'),
    ('COPY test.some TO %L (FORMAT tqcv, METADATA ''{'')'),
    ('COPY test.some TO %L (FORMAT tqcv, METADATA)'),
    ('COPY test.some TO %L (FORMAT tqcv, METADATA ''1'', METADATA ''2'')'),
    ('COPY test.some TO %L (FORMAT tqcv, CODEC absent)'),
    ('COPY test.some TO %L (FORMAT tqcv, HEADER)'),
    ('COPY test.back (embedding) FROM %L (FORMAT tqcv, METADATA ''1'')'),
    ('SELECT tq_export(''SELECT 1; SELECT 2'', %L)'),
    ('SELECT tq_export(''DELETE FROM test.mixed RETURNING embedding'', %L)'),
    ('SELECT tq_export(''SELECT embedding FROM test.some) TO STDOUT; --'', %L)'),
    ('SELECT tq_export(''SELECT embedding FROM test.some'', %L, ''{"freeze": true}'')'),
    ('SELECT tq_export(''SELECT embedding FROM test.some'', %L, ''{"metadata": 1}'')'),
    ('SELECT tq_export(''SELECT embedding FROM test.some'', %L, ''[]'')')
) t (statement), LATERAL test.failure(format(statement, :'out')) f;
SELECT f.* FROM (VALUES
    ('COPY test.some TO ''relative.tqcv'' (FORMAT tqcv)'),
    ('COPY test.some TO ''/dev/null'' (FORMAT tqcv)'),
    ('COPY test.some TO ''/no/such/folder.tqcv'' (FORMAT tqcv)'),
    ('COPY test.some TO PROGRAM ''cat'' (FORMAT tqcv)'),
    (format('COPY test.some TO %L (FORMAT tqcv)', :'data'))
) t (statement), LATERAL test.failure(statement) f;
SELECT f.* FROM test.failure(format('COPY (SELECT md5(i::text), v FROM generate_series(1, 500000) i, (SELECT embedding FROM test.some LIMIT 1) s (v)) TO %L (FORMAT tqcv)', :'out')) f;
SELECT md5(pg_read_binary_file(:'out')) = :'before' AS unchanged;
SELECT count(*) AS litter FROM pg_ls_dir(:'abs_srcdir') name WHERE name LIKE '.%';

-- Rights to files, to columns and to rows; a client needs none to files. Reading is enough.
CREATE ROLE tq_regress_writer;
GRANT USAGE ON SCHEMA test TO tq_regress_writer;
GRANT SELECT (id) ON test.vectors TO tq_regress_writer;
SELECT format('COPY test.vectors (embedding) TO %L (FORMAT tqcv)', :'out') AS statement \gset
SET ROLE tq_regress_writer;
SELECT * FROM test.failure(:'statement');
RESET ROLE;
GRANT pg_write_server_files TO tq_regress_writer;
SET ROLE tq_regress_writer;
SELECT * FROM test.failure(:'statement');
RESET ROLE;
GRANT SELECT (embedding) ON test.vectors TO tq_regress_writer;
ALTER TABLE test.vectors ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON test.vectors USING (id <= 3);
SET ROLE tq_regress_writer;
:statement;
RESET ROLE;
SELECT get_byte(pg_read_binary_file(:'out'), 8) AS rows_of_the_policy;
REVOKE pg_write_server_files FROM tq_regress_writer;
SET ROLE tq_regress_writer;
COPY test.vectors (embedding) TO STDOUT WITH (FORMAT tqcv) \g :other
RESET ROLE;
SELECT pg_read_binary_file(:'out') = pg_read_binary_file(:'other') AS client_gets_the_same;
BEGIN READ ONLY;
:statement;
COMMIT;
SELECT get_byte(pg_read_binary_file(:'out'), 8) AS rows;
DROP TABLE test.back, test.vectors, test.parted, test.ids, test.mixed CASCADE;
DROP DOMAIN test.vec;
REVOKE USAGE ON SCHEMA test FROM tq_regress_writer;
DROP ROLE tq_regress_writer;
