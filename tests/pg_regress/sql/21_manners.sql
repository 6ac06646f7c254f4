-- Errors that say what was wrong with what: each of these once said something else, or nothing.
\getenv abs_srcdir PG_ABS_SRCDIR
\getenv abs_builddir PG_ABS_BUILDDIR
\set data :abs_srcdir '/data'
\set b4 :data '/d33_b4_res.tqcv'
\set out :abs_builddir '/results/manners.out'

-- The number that was given.
SELECT code, message FROM test.failure('SELECT tq_create_codec(''d'', -1)');
SELECT code, message FROM test.failure('SELECT tq_create_codec(''d'', 0)');
SELECT code, message FROM test.failure('SELECT tq_create_codec(''d'', 16385)');
SELECT code, message FROM test.failure($$INSERT INTO tq_catalog.tq_codec (name, config_hash, dimension, bit_width, seed, residual, codebook)
    VALUES ('d', '', -2147483648, 2, 1, false, '{1,2,3,4}')$$);

-- A trigger's function is no other.
SELECT code, message FROM test.failure('SELECT tq_codec_changed()');

-- Names keep their double quotes.
CREATE TABLE test."q""uoted" (v real[], e tqvec(4, 4), "e""x" text);
INSERT INTO test."q""uoted" SELECT test.unit(i, 4) FROM generate_series(1, 3) i;
CALL tq_compress_column('test."q""uoted"', 'v', 'e');
\set VERBOSITY terse
CALL tq_compress_column('test."q""uoted"', 'v', 'no"ne');
CALL tq_compress_column('test."q""uoted"', 'v', 'e"x');
UPDATE test."q""uoted" SET v = '{0,0,0,0}', e = NULL;
CALL tq_compress_column('test."q""uoted"', 'v', 'e');
\set VERBOSITY default
DROP TABLE test."q""uoted";

-- tq_evaluate: nothing, too much, and queries that write.
CREATE TABLE test.evaluated (id serial, v real[]);
INSERT INTO test.evaluated (v) SELECT test.unit(i, 8) FROM generate_series(1, 30) i;
CREATE SEQUENCE test.counter;
CREATE FUNCTION test.writes(v real[]) RETURNS real[] LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    INSERT INTO test.evaluated (v) VALUES (v);
    RETURN v;
END $$;
CREATE FUNCTION test.writes_allowed(v real[]) RETURNS real[] LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM set_config('transaction_read_only', 'off', true);
    INSERT INTO test.evaluated (v) VALUES (v);
    RETURN v;
END $$;
CREATE FUNCTION test.creates(v real[]) RETURNS real[] LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    CREATE TABLE test.created AS SELECT 1;
    RETURN v;
END $$;
SELECT f.* FROM (VALUES
    (''), ('   '), (';'), ('-- nothing'), ('SELECT v FROM test.evaluated; SELECT v FROM test.evaluated'), ('DELETE FROM test.evaluated RETURNING v'),
    ('WITH d AS (DELETE FROM test.evaluated RETURNING v) SELECT v FROM d'), ('SELECT v INTO test.created FROM test.evaluated'),
    ('SELECT test.writes(v) FROM test.evaluated'), ('SELECT test.writes_allowed(v) FROM test.evaluated'),
    ('SELECT test.creates(v) FROM test.evaluated'), ('SELECT v FROM test.evaluated WHERE nextval(''test.counter'') > 0'),
    ('SELECT v FROM test.evaluated WHERE setval(''test.counter'', 7) > 0'), ('SELECT v FROM test.evaluated FOR UPDATE')) q(query),
    test.failure(format('SELECT * FROM tq_evaluate(%L)', query)) f;
SELECT count(*) FROM test.evaluated;
-- Afterwards, and after an error that was trapped, the transaction is what it was.
SET client_min_messages = warning;
BEGIN;
SELECT count(*) FROM tq_evaluate('SELECT v FROM test.evaluated; -- end');
SELECT current_setting('transaction_read_only') AS read_only;
SELECT code FROM test.failure($$SELECT * FROM tq_evaluate('SELECT test.writes(v) FROM test.evaluated')$$);
SELECT current_setting('transaction_read_only') AS read_only, nextval('test.counter');
COMMIT;
RESET client_min_messages;
DROP TABLE test.evaluated;
DROP SEQUENCE test.counter;
DROP FUNCTION test.writes(real[]), test.writes_allowed(real[]), test.creates(real[]);

-- A hash in capital letters is none.
SELECT f.code, f.message FROM (SELECT tq_compress(test.unit(1, 8), 4)::bytea) t(r),
    test.failure(format('SELECT %L::bytea::tqvec', overlay(r PLACING convert_to(upper(encode(substr(r, 2, 64), 'escape')), 'UTF8') FROM 2))) f;

-- The row that an error names, and the line of its context.
CREATE TABLE test.lined (id smallint, r real[], e tqvec(3, 4), h tqvec(3, 8, residual));
CREATE FUNCTION test.places(statement text, OUT message text, OUT context text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    message := 'no error';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, context = PG_EXCEPTION_CONTEXT;
    message := regexp_replace(message, '"/[^"]*/', '"/', 'g');
    context := substring(context FROM '^COPY[^\n]*');
END $$;
CREATE FUNCTION test.put(path text, bytes bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE large oid := lo_from_bytea(0, bytes);
BEGIN
    PERFORM lo_export(large, path), lo_unlink(large);
END $$;
-- Numbers beyond single precision, in a block's midst and at its beginning.
COPY (SELECT CASE i WHEN 30000 THEN '{1, 1e300, 2}' ELSE '{1, 2, 3}' END::float8[] FROM generate_series(1, 40000) i) TO :'out' (FORMAT burnpack, DTYPE 'f64');
SELECT * FROM test.places(format('COPY test.lined (r) FROM %L (FORMAT burnpack)', :'out'));
SELECT * FROM test.places(format('COPY test.lined (e) FROM %L (FORMAT burnpack)', :'out'));
COPY (SELECT CASE i WHEN 1 THEN '{1, 1e300, 2}' ELSE '{1, 2, 3}' END::float8[] FROM generate_series(1, 4) i) TO :'out' (FORMAT ztensor, DTYPE 'f64');
SELECT * FROM test.places(format('COPY test.lined (r) FROM %L (FORMAT ztensor)', :'out'));
-- Vectors that can't be compressed; the first of two is named.
COPY (SELECT CASE WHEN i IN (70000, 70001, 99999) THEN '{0, 0, 0}' ELSE '{0.6, 0.8, 0}' END::real[] FROM generate_series(1, 100000) i) TO :'out' (FORMAT ztensor, SPARSE);
SELECT * FROM test.places(format('COPY test.lined (e) FROM %L (FORMAT ztensor)', :'out'));
-- An id that its column can't hold, from a corpus, and recompression.
COPY (SELECT i, CASE i WHEN 20000 THEN tq_compress('{3, 4, 0}', 8, true) ELSE tq_compress('{0.6, 0.8, 0}', 8, true) END FROM generate_series(1, 40000) i) TO :'out' (FORMAT tqcv);
SELECT * FROM test.places(format('COPY test.lined (id, h) FROM %L (FORMAT tqcv)', :'out'));
SELECT * FROM test.places(format('COPY test.lined (e) FROM %L (FORMAT tqcv, RECOMPRESS true)', :'out'));
-- A record that is damaged: its dimension.
SELECT test.put(:'out', set_byte(f, octet_length(f) - 15000 * (4 + 84) + 4 + 66, 1)) FROM pg_read_binary_file(:'out') f;
SELECT * FROM test.places(format('COPY test.lined (id, h) FROM %L (FORMAT tqcv)', :'out'));
SELECT count(*) FROM test.lined;
DROP TABLE test.lined;
DROP FUNCTION test.places(text), test.put(text, bytea);

-- Functions on files of the server say which role they need.
CREATE ROLE tq_regress_manners;
GRANT USAGE ON SCHEMA test TO tq_regress_manners;
SET ROLE tq_regress_manners;
CREATE TEMPORARY TABLE calls (call text);
INSERT INTO calls VALUES
    ('tq_import(''pg_class'', ''/a'')'), ('tq_import(''pg_class'', ''/a'', ''{"format": "tqcv"}'')'), ('tq_export(''SELECT'', ''/a'')'),
    ('tq_import_codec(''a'', ''/a'', ''/b'')'), ('tq_export_codec(''a'', ''/a'', ''/b'')'), ('tq_corpus_info(''/a'')'), ('tq_corpus_scan(''/a'')'),
    ('tq_corpus_search(''/a'', ''{1}'', 1)'), ('tq_corpus_verify(''/a'')'), ('tq_file_info(''/a'')'), ('tq_convert(''/a'', ''/b'', ''{}'')'),
    ('tq_merge(''/a'', ''{/b}'')');
SELECT f.code, f.message, f.detail FROM calls, test.failure('SELECT ' || call) f;
-- These are all that name files.
SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_depend ON classid = 'pg_proc'::regclass AND objid = p.oid AND deptype = 'e'
JOIN pg_extension e ON refclassid = 'pg_extension'::regclass AND refobjid = e.oid AND extname = 'tinyquant'
WHERE proargnames && ARRAY['path', 'codebook_path', 'json_path', 'source', 'target', 'sources'] AND proname <> 'tq_compress_column'
  AND NOT EXISTS (SELECT FROM calls WHERE starts_with(call, proname || '('));
DROP TABLE calls;
RESET ROLE;
-- Whoever takes EXECUTE from all leaves it to the roles.
BEGIN;
REVOKE EXECUTE ON FUNCTION tq_file_info(text), tq_export(text, text, jsonb) FROM PUBLIC;
SELECT role, function, has_function_privilege(role, function, 'EXECUTE') AS may
FROM unnest('{tq_regress_manners,pg_read_server_files,pg_write_server_files}'::text[]) role,
     unnest('{"tq_file_info(text)","tq_export(text, text, jsonb)"}'::text[]) function ORDER BY function, role COLLATE "C";
ROLLBACK;
REVOKE USAGE ON SCHEMA test FROM tq_regress_manners;
DROP ROLE tq_regress_manners;

-- The binary form of another type.
CREATE TABLE test.received (e tqvec);
COPY (SELECT '{0.1, 0.2, 0.3}'::real[]) TO :'out' (FORMAT binary);
SELECT f.* FROM test.failure(format('COPY test.received FROM %L (FORMAT binary)', :'out')) f;
COPY (SELECT '{1, 2}'::float8[]) TO :'out' (FORMAT binary);
SELECT f.message FROM test.failure(format('COPY test.received FROM %L (FORMAT binary)', :'out')) f;
COPY (SELECT '{1, 2}'::int[]) TO :'out' (FORMAT binary);
SELECT f.message FROM test.failure(format('COPY test.received FROM %L (FORMAT binary)', :'out')) f;
COPY (SELECT '{a, b}'::text[]) TO :'out' (FORMAT binary);
SELECT f.message FROM test.failure(format('COPY test.received FROM %L (FORMAT binary)', :'out')) f;
COPY (SELECT '\x06'::bytea) TO :'out' (FORMAT binary);
SELECT f.message FROM test.failure(format('COPY test.received FROM %L (FORMAT binary)', :'out')) f;
DROP TABLE test.received;
