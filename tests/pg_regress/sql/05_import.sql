-- COPY FROM a corpus, and tq_import.
\getenv abs_srcdir PG_ABS_SRCDIR
\set data :abs_srcdir '/data'
\set b4 :data '/d33_b4_res.tqcv'
\set b2 :data '/d64_b2_nores.tqcv'
\set empty :data '/empty_meta.tqcv'
\set unfinished :data '/malformed/tqcx_magic.tqcv'
\set missing :data '/no_such_file.tqcv'
\set other :data '/README.md'

CREATE TABLE test.items (id bigint GENERATED ALWAYS AS IDENTITY, note text DEFAULT 'imported', embedding tqvec);
\set VERBOSITY terse
COPY test.items (embedding) FROM :'b4' WITH (FORMAT tqcv);
COPY test.items (embedding) FROM :'b2' (FORMAT 'tqcv');
\set VERBOSITY default
COPY test.items (embedding) FROM :'empty' WITH (FORMAT tqcv);
SELECT count(*), min(id), max(id), min(note), count(DISTINCT embedding) FROM test.items;
SELECT tq_dimension(embedding) AS dimension, tq_bit_width(embedding) AS bits, tq_has_residual(embedding) AS residual,
       tq_config_hash(embedding) AS hash, count(*)
FROM test.items GROUP BY 1, 2, 3, 4 ORDER BY 1;

-- The rows are the file's records, byte for byte and in order.
-- This file's body begins at byte 104; a record's length is little-endian there and big-endian here.
SELECT string_agg('\xa2000000'::bytea || embedding::bytea, '' ORDER BY id) = substr(pg_read_binary_file(:'b4'), 105)
    AS equal_bytes, min(octet_length(embedding::bytea)) AS length
FROM test.items WHERE id <= 17;

-- With the codec's seed and codebook the records decode to what the reference decodes.
CREATE TABLE test.checked (embedding tqvec(33, 4, residual));
\set VERBOSITY terse
SELECT tq_import('test.checked', :'b4');
\set VERBOSITY default
SELECT tq_create_codec('golden', 33, 4, true, 7, '{-2.260345697402954, -0.6445402503013611, -0.42822638154029846, -0.30740728974342346, -0.22182583808898926, -0.13932420313358307, -0.07334566116333008, -0.010481640696525574, 0.043576885014772415, 0.10423101484775543, 0.16127550601959229, 0.22647149860858917, 0.2931859791278839, 0.40557965636253357, 0.5911672115325928, 2.080613374710083}');
SELECT round(x::numeric, 5) AS reference_first_row
FROM (SELECT tq_decompress(embedding) AS f FROM test.checked LIMIT 1) s, unnest(f[1:5]) x;
\set VERBOSITY terse
SELECT tq_import('test.checked', :'b4');
\set VERBOSITY default

-- Core's machinery: WHERE, triggers, constraints, partitions, FREEZE, another column order.
CREATE TABLE test.filtered (LIKE test.items INCLUDING ALL);
COPY test.filtered (embedding) FROM :'b4' WITH (FORMAT tqcv) WHERE tq_norm(embedding) < 2.5 AND id < 10;
SELECT count(*) BETWEEN 1 AND 9 AS some FROM test.filtered;
CREATE FUNCTION test.mark() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.note := ''seen by trigger''; RETURN NEW; END';
CREATE TRIGGER mark BEFORE INSERT ON test.filtered FOR EACH ROW EXECUTE FUNCTION test.mark();
COPY test.filtered (embedding) FROM :'b4' WITH (FORMAT tqcv);
SELECT note, count(*) > 0 AS rows FROM test.filtered GROUP BY 1 ORDER BY 1;
CREATE TABLE test.parts (id bigint GENERATED ALWAYS AS IDENTITY, embedding tqvec(33)) PARTITION BY HASH (id);
CREATE TABLE test.parts0 PARTITION OF test.parts FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE test.parts1 PARTITION OF test.parts FOR VALUES WITH (MODULUS 2, REMAINDER 1);
COPY test.parts (embedding) FROM :'b4' WITH (FORMAT tqcv);
SELECT count(DISTINCT tableoid) AS partitions, count(*) FROM test.parts;
BEGIN;
CREATE TABLE test.frozen (embedding tqvec);
COPY test.frozen FROM :'b4' WITH (FORMAT tqcv, FREEZE);
COMMIT;
SELECT tq_import('test.frozen', :'b4', '{"column": "embedding"}');
CREATE TABLE test.constrained (embedding tqvec CHECK (tq_dimension(embedding) < 10));

-- Ordinary COPYs are left alone.
COPY (SELECT 1 AS one) TO STDOUT WITH (FORMAT csv, HEADER);
COPY test.constrained FROM '/dev/null' WITH (FORMAT tqcw);

-- What is refused, and why; nothing of a refused file is in the table.
CREATE TABLE test.one (embedding tqvec, plain real[]);
SELECT f.* FROM (VALUES
    (format('COPY test.constrained FROM %L (FORMAT tqcv)', :'b4')),
    (format('COPY test.one (embedding) FROM %L (FORMAT tqcv)', :'missing')),
    (format('COPY test.one (embedding) FROM %L (FORMAT tqcv)', :'data')),
    (format('COPY test.one (embedding) FROM %L (FORMAT tqcv)', '/dev/null')),
    (format('COPY test.one (embedding) FROM %L (FORMAT tqcv)', 'relative.tqcv')),
    (format('COPY test.one (embedding) FROM %L (FORMAT tqcv)', :'other')),
    (format('COPY test.one (embedding) FROM %L (FORMAT tqcv)', :'unfinished')),
    (format('COPY test.one FROM %L (FORMAT tqcv)', :'b4')),
    (format('COPY test.one (plain) FROM %L (FORMAT tqcv)', :'b4')),
    (format('COPY test.one (absent) FROM %L (FORMAT tqcv)', :'b4')),
    (format('COPY test.checked FROM %L (FORMAT tqcv)', :'b2')),
    (format('COPY test.one (embedding) FROM %L (FORMAT tqcv, DELIMITER %L)', :'b4', '|')),
    (format('COPY test.one (embedding) FROM %L (FORMAT tqcv, FORMAT tqcv)', :'b4')),
    (format('COPY test.one (embedding) FROM %L (FORMAT tqcv, FREEZE maybe)', :'b4')),
    (format('COPY test.one (embedding) FROM %L (FORMAT tqcv)', '/tmp/x') || ' WHERE 1'),
    ('COPY test.one (embedding) FROM PROGRAM ''true'' (FORMAT tqcv)'),
    (format('SELECT tq_import(%L, %L, %L)', 'test.one', :'b4', '{"compress": 4}')),
    (format('SELECT tq_import(%L, %L, %L)', 'test.one', :'b4', '{"column": 4}')),
    (format('SELECT tq_import(%L, %L, %L)', 'test.one', :'b4', '[]')),
    (format('SELECT tq_import(%L, %L)', 'test.one', 'relative.tqcv')),
    (format('SELECT tq_import(%L, %L)', 'pg_class', :'b4'))
) t (statement), LATERAL test.failure(statement) f;
SELECT count(*) FROM test.one;

-- Each malformed file, with the record and the byte where it breaks.
SELECT name, f.code, f.message
FROM (SELECT name FROM pg_ls_dir(:'data' || '/malformed') name WHERE name NOT IN ('base.tqcv', 'ok_base.tqcv', 'oddpad_ok.tqcv', 'base.tqcb')) s,
     LATERAL test.failure(format('COPY test.one (embedding) FROM %L (FORMAT tqcv)', :'data' || '/malformed/' || name)) f
ORDER BY name COLLATE "C";
SELECT count(*) FROM test.one;

-- Rights, row security, read-only transactions.
CREATE ROLE tq_regress_user;
GRANT USAGE ON SCHEMA test TO tq_regress_user;
GRANT INSERT (plain) ON test.one TO tq_regress_user;
SELECT format('COPY test.one (embedding) FROM %L (FORMAT tqcv)', :'b2') AS statement \gset
SET ROLE tq_regress_user;
SELECT * FROM test.failure(:'statement');
RESET ROLE;
GRANT pg_read_server_files TO tq_regress_user;
SET ROLE tq_regress_user;
SELECT * FROM test.failure(:'statement');
RESET ROLE;
GRANT INSERT (embedding) ON test.one TO tq_regress_user;
ALTER TABLE test.one ENABLE ROW LEVEL SECURITY;
SET ROLE tq_regress_user;
SELECT * FROM test.failure(:'statement');
RESET ROLE;
ALTER TABLE test.one DISABLE ROW LEVEL SECURITY;
SET client_min_messages = warning;
SET ROLE tq_regress_user;
SELECT * FROM test.failure(:'statement');
RESET ROLE;
SELECT count(*) FROM test.one;
BEGIN READ ONLY;
SELECT * FROM test.failure(:'statement');
ROLLBACK;
DROP TABLE test.items, test.checked, test.filtered, test.parts, test.frozen, test.constrained, test.one;
REVOKE pg_read_server_files FROM tq_regress_user;
REVOKE USAGE ON SCHEMA test FROM tq_regress_user;
DROP ROLE tq_regress_user;
SELECT tq_drop_codec('golden');
