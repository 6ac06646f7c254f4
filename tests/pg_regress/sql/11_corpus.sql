-- Corpora in their files: tq_corpus_info, tq_corpus_scan, tq_corpus_search, tq_corpus_verify.
\getenv abs_srcdir PG_ABS_SRCDIR
\getenv abs_builddir PG_ABS_BUILDDIR
\set data :abs_srcdir '/data'
\set malformed :abs_srcdir '/data/malformed/'
\set out :abs_builddir '/results'
\set b2 :data '/d64_b2_nores.tqcv'
\set b4 :data '/d33_b4_res.tqcv'
\set b8 :data '/d100_b8_nores.tqcv'
\set empty :data '/empty_meta.tqcv'
\set made :out '/corpus_made.tqcv'

-- Header and size.
SELECT f.*, bytes = length(pg_read_binary_file(file)) AS size_is_right
FROM (VALUES (1, :'b2'), (2, :'b4'), (3, :'b8'), (4, :'empty')) t (n, file), LATERAL tq_corpus_info(file) f ORDER BY n;
SELECT tq_import_codec('b4', :'data' || '/d33_b4_res.tqcb', :'data' || '/d33_b4_res.config.json') IS NOT NULL AS b4,
       tq_import_codec('b8', :'data' || '/d100_b8_nores.tqcb', :'data' || '/d100_b8_nores.config.json') IS NOT NULL AS b8;
SELECT codec FROM tq_corpus_info(:'b4');

-- Writes a corpus with the codec of its first record; count and metadata as given.
CREATE FUNCTION test.little(number bigint, bytes int) RETURNS bytea LANGUAGE sql IMMUTABLE AS
    $$ SELECT string_agg(set_byte('\x00', 0, (number >> 8 * i & 255)::int), '' ORDER BY i) FROM generate_series(0, bytes - 1) i $$;
CREATE FUNCTION test.write_corpus(path text, records tqvec[], count bigint, metadata bytea DEFAULT '') RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    hash bytea := convert_to(tq_config_hash(records[1]), 'UTF8');
    head bytea := 'TQCV'::bytea || '\x01000000'::bytea || test.little(count, 8) || test.little(tq_dimension(records[1]), 4)
        || test.little(tq_bit_width(records[1]), 1) || test.little(tq_has_residual(records[1])::int, 1)
        || test.little(octet_length(hash), 2) || hash || test.little(octet_length(metadata), 4) || metadata;
    large oid;
BEGIN
    head := head || decode(repeat('00', (8 - octet_length(head) % 8) % 8), 'hex');
    large := lo_from_bytea(0, head || (SELECT string_agg(test.little(octet_length(r::bytea), 4) || r::bytea, ''::bytea ORDER BY i)
                                       FROM unnest(records) WITH ORDINALITY t (r, i)));
    PERFORM lo_export(large, path), lo_unlink(large);
END $$;
CREATE TABLE test.made AS
    SELECT i AS ordinal, tq_compress(test.unit(i % 1500, 48), 4) AS embedding FROM generate_series(1, 2000) i;
SELECT test.write_corpus(:'made', (SELECT array_agg(embedding ORDER BY ordinal) FROM test.made), 2000, '{"model": "x"}');
SELECT records, dimension, bit_width, residual, codec, record_bytes, metadata_bytes, bytes FROM tq_corpus_info(:'made');

-- A scan gives what loading gives, from 1 on.
SET client_min_messages = warning;
CREATE TABLE test.loaded (ordinal bigint GENERATED ALWAYS AS IDENTITY, embedding tqvec);
COPY test.loaded (embedding) FROM :'b4' (FORMAT tqcv);
SELECT count(*), count(*) FILTER (WHERE l.embedding = s.embedding) AS equal, min(ordinal), max(ordinal)
FROM test.loaded l FULL JOIN tq_corpus_scan(:'b4') s USING (ordinal);
SELECT count(*), count(*) FILTER (WHERE m.embedding = s.embedding) AS equal, min(ordinal), max(ordinal)
FROM test.made m FULL JOIN tq_corpus_scan(:'made') s USING (ordinal);
SELECT count(*) FROM tq_corpus_scan(:'empty');
SELECT ordinal FROM tq_corpus_scan(:'made') LIMIT 2;
-- In a target list the rows come one by one, and only those that are asked for.
SELECT (s).ordinal, tq_dimension((s).embedding) FROM (SELECT tq_corpus_scan(:'made') AS s OFFSET 1) t LIMIT 2;
SELECT ordinal, tq_corpus_scan(:'b8') IS NOT NULL FROM generate_series(1, 1) ordinal LIMIT 3;
-- More scans, none of them read to its end, than a session has places for mappings.
SELECT count(*) FROM generate_series(1, 400) i, LATERAL (SELECT tq_corpus_scan(:'made') OFFSET i LIMIT 1) s;
BEGIN;
DECLARE one CURSOR FOR SELECT (s).ordinal FROM (SELECT tq_corpus_scan(:'made') AS s OFFSET 0) t;
FETCH 2 FROM one;
SAVEPOINT before;
SELECT 1 / 0;
ROLLBACK TO before;
FETCH 1 FROM one;
COMMIT;

-- A search gives what ordering the table gives: the same distances to the last bit, ties by ordinal.
CREATE FUNCTION test.compare(path text, records regclass, query real[], k int)
    RETURNS TABLE (metric text, rows bigint, equal boolean) LANGUAGE plpgsql AS $$
DECLARE operator text; found text; expected text;
BEGIN
    FOR metric, operator IN VALUES ('l2', '<->'), ('inner_product', '<#>'), ('cosine', '<=>'), ('l1', '<+>') LOOP
        EXECUTE format('SELECT count(*), string_agg(concat(ordinal, '' '', distance), '', '' ORDER BY n)
                        FROM tq_corpus_search($1, $2, $3, $4) WITH ORDINALITY t (ordinal, distance, n)')
            INTO rows, found USING path, query, k, metric;
        EXECUTE format('SELECT string_agg(concat(ordinal, '' '', distance), '', '' ORDER BY distance, ordinal)
                        FROM (SELECT ordinal, embedding %s $1 AS distance FROM %s ORDER BY 2, 1 LIMIT $2) t', operator, records)
            INTO expected USING query, k;
        equal := found IS NOT DISTINCT FROM expected;
        RETURN NEXT;
    END LOOP;
END $$;
SELECT k, c.* FROM (VALUES (1), (10), (100), (2147483647)) t (k), LATERAL test.compare(:'made', 'test.made', test.unit(7, 48), k) c;
SELECT threads, simd, bool_and(equal) AS equal
FROM (VALUES (1, 'scalar'), (3, 'auto'), (2, 'scalar')) t (threads, simd),
     LATERAL (SELECT set_config('tinyquant.threads', threads::text, true), set_config('tinyquant.simd', simd, true) OFFSET 0) s (a, b),
     LATERAL test.compare(:'made', 'test.made', test.unit(threads, 48), 50 + 0 * length(a || b)) c
GROUP BY 1, 2 ORDER BY 1, 2;
SELECT * FROM test.compare(:'b4', 'test.loaded', (SELECT tq_decompress(embedding) FROM test.loaded WHERE ordinal = 5), 6);
SELECT ordinal, round(distance::numeric, 4) AS distance FROM tq_corpus_search(:'made', test.unit(3, 48), 4);
SELECT ordinal, distance FROM tq_corpus_search(:'made', array_fill(0::real, '{48}'), 2, 'cosine');
SELECT count(*) AS of_none FROM tq_corpus_search(:'empty', array_fill(1::real, ARRAY[(SELECT dimension FROM tq_corpus_info(:'empty'))]), 3);
SELECT count(*) AS strict FROM tq_corpus_search(:'made', NULL, 3);
-- A file large enough for several threads and rounds.
\set large :out '/corpus_large.tqcv'
CREATE TABLE test.large AS
    SELECT row_number() OVER (ORDER BY j, ordinal) AS ordinal, embedding FROM test.made, generate_series(1, 25) j;
SELECT test.write_corpus(:'large', (SELECT array_agg(embedding ORDER BY ordinal) FROM test.large), 50000);
SELECT threads, c.*
FROM (VALUES (1), (2), (5)) t (threads), LATERAL (SELECT set_config('tinyquant.threads', threads::text, true) OFFSET 0) s (a),
     LATERAL test.compare(:'large', 'test.large', test.unit(9, 48), 60 + 0 * length(a)) c ORDER BY 1, 2;
SELECT count(*), sum(ordinal) = 50000::bigint * 50001 / 2 AS all_of_them FROM tq_corpus_scan(:'large');
SELECT count(*) AS faults FROM tq_corpus_verify(:'large');

-- What a search refuses.
SELECT f.* FROM (VALUES (0, 'l2', 48), (-1, 'l2', 48), (1, 'euclidean', 48), (1, 'COSINE', 48), (1, 'l1', 47)) t (k, metric, d),
    LATERAL test.failure(format('SELECT tq_corpus_search(%L, test.unit(1, %s), %s, %L)', :'made', d, k, metric)) f;
SELECT f.* FROM (VALUES ('{}'), ('{1,NULL}'), ('{{1}}')) t (query),
    LATERAL test.failure(format('SELECT tq_corpus_search(%L, %L, 1)', :'made', query)) f;
SELECT * FROM test.failure(format('SELECT tq_corpus_search(%L, test.unit(1, 64), 1)', :'b2'));

-- Faults: none of a good file, all of a bad one. Reading stops at the first.
SELECT count(*) FROM (VALUES (:'b2'), (:'b4'), (:'b8'), (:'empty'), (:'made')) t (file), tq_corpus_verify(file);
SELECT name, v.* FROM pg_ls_dir(:'malformed') name, LATERAL tq_corpus_verify(:'malformed' || name) v ORDER BY name COLLATE "C", byte_offset;
SELECT test.write_corpus(:'out' || '/corpus_bad.tqcv',
    (SELECT array_agg(CASE WHEN ordinal IN (2, 1000) THEN tq_compress(test.unit(1, 48), 8)
                           WHEN ordinal = 30 THEN tq_compress(test.unit(1, 48), 4, rotation => 'hadamard') ELSE embedding END ORDER BY ordinal)
     FROM test.made), 2001);
SELECT * FROM tq_corpus_verify(:'out' || '/corpus_bad.tqcv');
SELECT test.write_corpus(:'out' || '/corpus_bad.tqcv',
    (SELECT array_agg(CASE WHEN ordinal IN (5, 1999) THEN tq_compress(test.unit(1, 48), 4, rotation => 'hadamard') ELSE embedding END ORDER BY ordinal)
     FROM test.made), 2000);
SELECT * FROM tq_corpus_verify(:'out' || '/corpus_bad.tqcv');
SELECT f.* FROM (VALUES ('tq_corpus_search(%L, test.unit(1, 48), 1)'), ('count(*) FROM tq_corpus_scan(%L)'), ('tq_corpus_info(%L)')) t (call),
    LATERAL test.failure(format('SELECT ' || call, :'out' || '/corpus_bad.tqcv')) f;

-- Files that aren't.
SELECT call, file, f.* FROM (VALUES ('tq_corpus_info(%L)'), ('tq_corpus_scan(%L)'), ('tq_corpus_search(%L, ''{1}'', 1)'), ('tq_corpus_verify(%L)')) c (call),
    (VALUES ('relative.tqcv', 'relative.tqcv'), ('none', :'data' || '/none.tqcv'), ('folder', :'data'), ('device', '/dev/zero'), ('README.md', :'data' || '/README.md')) t (file, path),
    LATERAL test.failure(format('SELECT ' || call, path)) f
WHERE NOT (call LIKE '%verify%' AND file = 'README.md');
SELECT * FROM tq_corpus_verify(:'data' || '/README.md');

-- Rights: those of COPY. The right to call them opens no file.
CREATE ROLE tq_regress_reader;
GRANT USAGE ON SCHEMA test TO tq_regress_reader;
SET ROLE tq_regress_reader;
SELECT f.* FROM (VALUES ('tq_corpus_info(%L)'), ('tq_corpus_scan(%L)'), ('tq_corpus_search(%L, ''{1}'', 1)'), ('tq_corpus_verify(%L)')) c (call),
    LATERAL test.failure(format('SELECT ' || call, :'made')) f;
RESET ROLE;
GRANT EXECUTE ON FUNCTION tq_corpus_info, tq_corpus_scan, tq_corpus_search, tq_corpus_verify TO tq_regress_reader;
SET ROLE tq_regress_reader;
SELECT f.* FROM (VALUES ('tq_corpus_info(%L)'), ('tq_corpus_scan(%L)'), ('tq_corpus_search(%L, ''{1}'', 1)'), ('tq_corpus_verify(%L)')) c (call),
    LATERAL test.failure(format('SELECT ' || call, :'made')) f;
RESET ROLE;
GRANT pg_read_server_files TO tq_regress_reader;
SET ROLE tq_regress_reader;
BEGIN READ ONLY;
SELECT (SELECT records FROM tq_corpus_info(:'made')), (SELECT count(*) FROM tq_corpus_scan(:'made')),
       (SELECT ordinal FROM tq_corpus_search(:'made', test.unit(3, 48), 1)), (SELECT count(*) FROM tq_corpus_verify(:'made')) AS faults;
COMMIT;
RESET ROLE;
REVOKE pg_read_server_files FROM tq_regress_reader;
REVOKE USAGE ON SCHEMA test FROM tq_regress_reader;
REVOKE EXECUTE ON FUNCTION tq_corpus_info, tq_corpus_scan, tq_corpus_search, tq_corpus_verify FROM tq_regress_reader;
DROP ROLE tq_regress_reader;
RESET client_min_messages;

DROP TABLE test.made, test.large, test.loaded;
DROP FUNCTION test.compare(text, regclass, real[], int), test.write_corpus(text, tqvec[], bigint, bytea), test.little(bigint, int);
SELECT tq_drop_codec(name) FROM tq_catalog.tq_codec WHERE name IN ('b4', 'b8');
