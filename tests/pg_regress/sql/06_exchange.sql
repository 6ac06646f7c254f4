-- Codecs in the files of TinyQuant's command line: tq_import_codec and tq_export_codec.
\getenv abs_srcdir PG_ABS_SRCDIR
\getenv abs_builddir PG_ABS_BUILDDIR
\set data :abs_srcdir '/data'
\set out :abs_builddir '/results'
\set b4 :data '/d33_b4_res.tqcv'
\set b4_book :data '/d33_b4_res.tqcb'
\set b4_json :data '/d33_b4_res.config.json'
\set b4_decoded :data '/d33_b4_res.dec.f32.bin'
\set b2_book :data '/d64_b2_nores.tqcb'
\set b2_json :data '/d64_b2_nores.config.json'
\set b8 :data '/d100_b8_nores.tqcv'
\set b8_book :data '/d100_b8_nores.tqcb'
\set b8_json :data '/d100_b8_nores.config.json'
\set b8_decoded :data '/d100_b8_nores.dec.f32.bin'
\set book :out '/exchange.tqcb'
\set json :out '/exchange.json'
\set other :out '/exchange_other.tqcb'

-- Little-endian IEEE singles as numbers.
CREATE FUNCTION test.floats(bytes bytea) RETURNS float8[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(CASE WHEN bits < 0 THEN -1 ELSE 1 END
        * (1 + (bits & 8388607) / 8388608::float8) * 2::float8 ^ (((bits >> 23) & 255) - 127) ORDER BY i)
    FROM generate_series(0, octet_length(bytes) / 4 - 1) i,
         LATERAL (SELECT get_byte(bytes, 4 * i) | (get_byte(bytes, 4 * i + 1) << 8) | (get_byte(bytes, 4 * i + 2) << 16)
                         | (get_byte(bytes, 4 * i + 3) << 24)) b (bits)
$$;
-- Writes bytes into a file of the server.
CREATE FUNCTION test.put(path text, bytes bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE large oid := lo_from_bytea(0, bytes);
BEGIN
    PERFORM lo_export(large, path), lo_unlink(large);
END $$;

-- The codec of a corpus: its records decode to what TinyQuant decodes.
CREATE TABLE test.corpus (id bigint GENERATED ALWAYS AS IDENTITY, embedding tqvec);
SET client_min_messages = warning;
COPY test.corpus (embedding) FROM :'b4' WITH (FORMAT tqcv);
SELECT tq_import_codec('b4', :'b4_book', :'b4_json') = tq_config_hash(embedding) AS same_hash, count(*)
FROM (SELECT embedding FROM test.corpus LIMIT 1) s GROUP BY 1;
SELECT name, dimension, bit_width, seed, residual, rotation, codebook[1], codebook[16] FROM tq_catalog.tq_codec WHERE name = 'b4';
SELECT count(a) AS numbers, count(b) AS reference, bool_and(abs(a - b) <= 1e-6) AS equal
FROM unnest((SELECT array_agg(x ORDER BY id, i) FROM test.corpus, unnest(tq_decompress(embedding)) WITH ORDINALITY t (x, i)),
            test.floats(pg_read_binary_file(:'b4_decoded'))) t (a, b);
TRUNCATE test.corpus;
SELECT tq_import_codec('b2', :'b2_book', :'b2_json'), tq_import_codec('b8', :'b8_book', :'b8_json');
COPY test.corpus (embedding) FROM :'b8' WITH (FORMAT tqcv);
SELECT count(a) AS numbers, count(b) AS reference, bool_and(abs(a - b) <= 1e-6) AS equal
FROM unnest((SELECT array_agg(x ORDER BY id, i) FROM test.corpus, unnest(tq_decompress(embedding)) WITH ORDINALITY t (x, i)),
            test.floats(pg_read_binary_file(:'b8_decoded'))) t (a, b);

-- What goes out is what came in, byte for byte; by name and by hash; files that are there are replaced.
SELECT tq_export_codec('b4', :'book', :'json');
SELECT pg_read_binary_file(:'book') = pg_read_binary_file(:'b4_book') AS codebook,
       pg_read_binary_file(:'json') = pg_read_binary_file(:'b4_json') AS configuration;
SELECT tq_export_codec('b2', :'book', :'json');
SELECT pg_read_binary_file(:'book') = pg_read_binary_file(:'b2_book') AS codebook,
       pg_read_binary_file(:'json') = pg_read_binary_file(:'b2_json') AS configuration;
SELECT tq_export_codec(config_hash, :'book', :'json') FROM tq_catalog.tq_codec WHERE name = 'b8';
SELECT pg_read_binary_file(:'book') = pg_read_binary_file(:'b8_book') AS codebook,
       pg_read_binary_file(:'json') = pg_read_binary_file(:'b8_json') AS configuration;

-- Codecs of one's own, and the built-in ones by declaration.
SELECT tq_create_codec('mine', 6, 2, seed => 18446744073709551615) = tq_config_hash(tq_compress('{1,0,0,0,0,0}', 'mine')) AS same_hash;
SELECT tq_export_codec('mine', :'book', :'json');
SELECT pg_read_file(:'json') AS configuration \gx
SELECT codebook::float8[] = test.floats(substr(pg_read_binary_file(:'book'), 13)) AS codebook FROM tq_catalog.tq_codec WHERE name = 'mine';
SELECT tq_drop_codec('mine');
SELECT tq_import_codec('mine again', :'book', :'json') IS NOT NULL AS imported;
SELECT tq_drop_codec('mine again');
RESET client_min_messages;
SELECT declaration,
       (SELECT 'exported' FROM tq_export_codec(declaration, :'book', :'json')) AS outcome,
       pg_read_file(:'json')::jsonb - 'config_hash' AS configuration,
       pg_read_file(:'json')::jsonb ->> 'config_hash'
           = tq_config_hash(tq_compress(test.unit(1, dimension), bits, residual, rotation)) AS same_hash,
       octet_length(pg_read_binary_file(:'book')) AS codebook_bytes
FROM (VALUES ('tqvec(1536,4)', 1536, 4, false, 'haar'),
             (' TQVEC (33, 8, Residual) ', 33, 8, true, 'haar'),
             ('tqvec(64, 2, hadamard)', 64, 2, false, 'hadamard'),
             ('tqvec(64, residual, haar, 2)', 64, 2, true, 'haar')) t (declaration, dimension, bits, residual, rotation);
SET client_min_messages = warning;
SELECT * FROM test.failure(format('SELECT tq_import_codec(%L, %L, %L)', 'builtin', :'book', :'json'));

-- NULL in, NULL out.
SELECT tq_import_codec('b4', NULL, :'json') IS NULL AS strict_import, tq_export_codec(NULL, :'book', :'json') IS NULL AS strict_export;

-- Imports that are refused.
SELECT test.put(:'out' || '/exchange_' || name, bytes)
FROM pg_read_binary_file(:'b4_book') good,
     LATERAL (VALUES ('empty', ''::bytea), ('short', substr(good, 1, 75)), ('long', good || '\x00'),
                     ('huge', decode(repeat('00', 100000), 'hex')),
                     ('version', set_byte(good, 4, 2)), ('width', set_byte(good, 5, 3)), ('reserved', set_byte(good, 6, 1)),
                     ('count', set_byte(good, 8, 15)), ('infinite', overlay(good PLACING '\x0000807f' FROM 73)),
                     ('order', overlay(good PLACING substr(good, 13, 4) FROM 17))) t (name, bytes)
ORDER BY name;
SELECT test.put(:'out' || '/exchange_' || name || '.json', convert_to(text, 'UTF8'))
FROM (VALUES ('array', '[]'), ('cut', '{"bit_width": 4, "seed": 7'), ('missing', '{"bit_width": 4, "seed": 7, "dimension": 33}'),
             ('seed', '{"bit_width": 4, "seed": 1e3, "dimension": 33, "residual_enabled": true}'),
             ('range', '{"bit_width": 4, "seed": 18446744073709551616, "dimension": 33, "residual_enabled": true}'),
             ('dimension', '{"bit_width": 4, "seed": 7, "dimension": 16385, "residual_enabled": true}'),
             ('bits', '{"bit_width": 3, "seed": 7, "dimension": 33, "residual_enabled": true}'),
             ('rotation', '{"bit_width": 4, "seed": 7, "dimension": 33, "residual_enabled": true, "rotation": "givens"}'),
             ('hash', '{"bit_width": 4, "seed": 8, "dimension": 33, "residual_enabled": true, "config_hash": "e0561939861ba95e7da39f2c8646080c1b02d67e33eccf9fc12f8ecdb9dbab08"}'),
             ('strange', '{"bit_width": 4, "seed": 8, "dimension": 33, "residual_enabled": true, "config_hash": "' || repeat('x\n', 1000) || '"}'),
             ('nohash', '{"seed": 9, "bit_width": 4, "dimension": 33, "residual_enabled": true, "note": [1]}'),
             ('huge', repeat(' ', 70000) || '{}')) t (name, text)
ORDER BY name;
SELECT tq_drop_codec('b4');
SELECT coalesce(book, 'd33_b4_res.tqcb') AS codebook, coalesce(json, 'd33_b4_res.config.json') AS configuration, f.*
FROM (VALUES ('exchange_empty', NULL), ('exchange_short', NULL), ('exchange_long', NULL), ('exchange_huge', NULL),
             ('exchange_version', NULL), ('exchange_width', NULL), ('exchange_reserved', NULL), ('exchange_count', NULL),
             ('exchange_infinite', NULL), ('exchange_order', NULL), ('d33_b4_res.tqcv', NULL), ('no_such_file', NULL),
             (NULL, 'exchange_array.json'), (NULL, 'exchange_cut.json'), (NULL, 'exchange_missing.json'), (NULL, 'exchange_seed.json'),
             (NULL, 'exchange_range.json'), (NULL, 'exchange_dimension.json'), (NULL, 'exchange_bits.json'),
             (NULL, 'exchange_rotation.json'), (NULL, 'exchange_hash.json'), (NULL, 'exchange_strange.json'),
             (NULL, 'exchange_huge.json'), (NULL, 'no_such_file'), (NULL, 'd64_b2_nores.config.json'), (NULL, 'd33_b4_res.tqcb')) t (book, json),
     LATERAL test.failure(format('SELECT tq_import_codec(%L, %L, %L)', 'bad',
         CASE WHEN book LIKE 'exchange%' THEN :'out' ELSE :'data' END || '/' || coalesce(book, 'd33_b4_res.tqcb'),
         CASE WHEN json LIKE 'exchange%' THEN :'out' ELSE :'data' END || '/' || coalesce(json, 'd33_b4_res.config.json'))) f;
SELECT f.* FROM (VALUES ('relative.tqcb', :'b4_json'), (:'b4_book', './x.json'), (:'data', :'b4_json'), (:'b4_book', '/dev/zero'), ('', :'b4_json')) t (book, json),
     LATERAL test.failure(format('SELECT tq_import_codec(%L, %L, %L)', 'bad', book, json)) f;
SELECT f.* FROM (VALUES (''), ('b8')) t (name), LATERAL test.failure(format('SELECT tq_import_codec(%L, %L, %L)', name, :'b4_book', :'b4_json')) f;
SELECT count(*) AS bad FROM tq_catalog.tq_codec WHERE name = 'bad';
SELECT tq_import_codec('no hash stated', :'b4_book', :'out' || '/exchange_nohash.json') IS NOT NULL AS imported;

-- A codec is registered once, under one name and with one codebook.
SELECT tq_import_codec('b4', :'b4_book', :'b4_json') IS NOT NULL AS imported;
SELECT test.put(:'other', set_byte(bytes, 12, get_byte(bytes, 12) # 1)) FROM pg_read_binary_file(:'b4_book') bytes;
SELECT f.* FROM (VALUES ('b4', :'b4_book', :'b4_json'), ('b4 again', :'b4_book', :'b4_json'), ('b4 again', :'other', :'b4_json'),
                        ('b2', :'b4_book', :'out' || '/exchange_nohash.json')) t (name, book, json),
     LATERAL test.failure(format('SELECT tq_import_codec(%L, %L, %L)', name, book, json)) f;

-- Exports that are refused; both files stay what they were, and nothing else is left.
SELECT tq_export_codec('b2', :'book', :'json');
SELECT f.* FROM (VALUES ('no such codec', :'book', :'json'), ('tqvec(33)', :'book', :'json'), ('tqvec(33,3)', :'book', :'json'),
                        ('tqvec', :'book', :'json'), ('tqvec()', :'book', :'json'), ('tqvec(33,4,residual,7)', :'book', :'json'),
                        ('b4', 'relative.tqcb', :'json'), ('b4', :'book', 'relative.json'), ('b4', :'book', :'book'),
                        ('b4', :'book', :'out' || '/../results/exchange.tqcb'), ('b4', :'book', :'out'), ('b4', :'out', :'json'),
                        ('b4', :'book', '/dev/full'), ('b4', :'book', :'out' || '/missing/x.json'), ('b4', :'book', :'out' || '/x.json/')) t (name, book, json),
     LATERAL test.failure(format('SELECT tq_export_codec(%L, %L, %L)', name, book, json)) f;
SELECT pg_read_binary_file(:'book') = pg_read_binary_file(:'b2_book') AS codebook,
       pg_read_binary_file(:'json') = pg_read_binary_file(:'b2_json') AS configuration,
       (SELECT count(*) FROM pg_ls_dir(:'out') name WHERE name LIKE '%tqtmp') AS left_behind;

-- Rights: the roles that COPY asks for, which have the right to call; and for an import also the right to create codecs.
CREATE ROLE tq_regress_user;
GRANT USAGE ON SCHEMA test TO tq_regress_user;
SELECT format('SELECT tq_import_codec(%L, %L, %L)', 'b2', :'b2_book', :'b2_json') AS import,
       format('SELECT tq_export_codec(%L, %L, %L)', 'b4', :'book', :'json') AS export \gset
SELECT tq_drop_codec('b2');
SET ROLE tq_regress_user;
SELECT * FROM test.failure(:'import');
SELECT * FROM test.failure(:'export');
RESET ROLE;
-- The right to call them opens no file.
GRANT EXECUTE ON FUNCTION tq_import_codec, tq_export_codec TO tq_regress_user;
SET ROLE tq_regress_user;
SELECT * FROM test.failure(:'import');
SELECT * FROM test.failure(:'export');
RESET ROLE;
GRANT pg_read_server_files TO tq_regress_user;
SET ROLE tq_regress_user;
SELECT code, message FROM test.failure(:'import');
SELECT code, message FROM test.failure(:'export');
RESET ROLE;
REVOKE pg_read_server_files FROM tq_regress_user;
GRANT pg_write_server_files TO tq_regress_user;
GRANT INSERT ON tq_catalog.tq_codec TO tq_regress_user;
SET ROLE tq_regress_user;
SELECT code, message FROM test.failure(:'import');
SELECT code, message FROM test.failure(:'export');
RESET ROLE;
GRANT pg_read_server_files TO tq_regress_user;
SET ROLE tq_regress_user;
SELECT code, message FROM test.failure(:'import');
RESET ROLE;
SELECT tq_drop_codec('b2');
BEGIN READ ONLY;
SELECT code, message FROM test.failure(:'import');
SELECT code, message FROM test.failure(:'export');
ROLLBACK;
REVOKE pg_read_server_files, pg_write_server_files FROM tq_regress_user;
REVOKE INSERT ON tq_catalog.tq_codec FROM tq_regress_user;
REVOKE EXECUTE ON FUNCTION tq_import_codec, tq_export_codec FROM tq_regress_user;
REVOKE USAGE ON SCHEMA test FROM tq_regress_user;
DROP ROLE tq_regress_user;

DROP TABLE test.corpus;
DROP FUNCTION test.floats(bytea), test.put(text, bytea);
SELECT tq_drop_codec(name) FROM tq_catalog.tq_codec WHERE name IN ('b4', 'b8', 'no hash stated');
