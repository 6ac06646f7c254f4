-- COPY FROM a corpus: ids, another codec, recompression.
\getenv abs_srcdir PG_ABS_SRCDIR
\set data :abs_srcdir '/data'
\set b4 :data '/d33_b4_res.tqcv'
\set b2 :data '/d64_b2_nores.tqcv'
\set b4tqcb :data '/d33_b4_res.tqcb'
\set b4json :data '/d33_b4_res.config.json'
\set SHOW_CONTEXT never
DELETE FROM tq_catalog.tq_codec;
SET client_min_messages = warning;

-- Ordinals, into any type that takes them, on either side; WHERE sees them.
CREATE TABLE test.ordinal (id bigint, e tqvec, small smallint, name varchar(10), u uuid);
CREATE DOMAIN test.key AS integer CHECK (VALUE > 0);
CREATE TABLE test.keyed (e tqvec, id test.key PRIMARY KEY);
COPY test.ordinal (id, e) FROM :'b4' WITH (FORMAT tqcv, IDS 'ordinal');
COPY test.ordinal (e, small) FROM :'b4' WITH (FORMAT tqcv, IDS 'ordinal') WHERE small <= 3;
COPY test.ordinal (name, e) FROM :'b4' WITH (FORMAT tqcv, IDS 'ordinal') WHERE name::int > 15;
COPY test.keyed FROM :'b4' WITH (FORMAT tqcv, IDS 'ordinal');
SELECT count(*), min(id), max(id), sum(id), string_agg(small::text, ',') AS small, string_agg(name, ',') AS name FROM test.ordinal;
SELECT bool_and(k.e = o.e) AS equal, count(*) FROM test.keyed k JOIN test.ordinal o USING (id);
TRUNCATE test.keyed;
SELECT tq_import('test.keyed', :'b4', '{"id_column": "id", "ids": "ordinal"}');
SELECT max(id) FROM test.keyed;

-- Another codec: an error, unless the records are to be recompressed.
CREATE TABLE test.narrow (e tqvec(33, 2), id int);
SELECT * FROM test.failure(format($$COPY test.narrow (e) FROM %L WITH (FORMAT tqcv)$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.narrow (e) FROM %L WITH (FORMAT tqcv, RECOMPRESS true)$$, :'b4'));
SELECT length(tq_import_codec('golden', :'b4tqcb', :'b4json')) AS hash;
SELECT length(tq_create_codec('wide', 33, 8, seed => 9, codebook => (SELECT array_agg((i - 127.5) / 50 ORDER BY i)::real[] FROM generate_series(0, 255) i))) AS hash;
CREATE TABLE test.wide (e tqvec(33, 8), id int);
COPY test.wide (id, e) FROM :'b4' WITH (FORMAT tqcv, IDS 'ordinal', RECOMPRESS, CODEC 'wide');
SELECT count(*), max(tq_l2_distance(w.e, o.e)) < 0.1 AS near, bool_and(tq_config_hash(w.e) = (SELECT config_hash FROM tq_catalog.tq_codec WHERE name = 'wide')) AS codec,
       bool_and(w.e = tq_compress(tq_decompress(o.e), 'wide')) AS equal
FROM test.wide w JOIN test.ordinal o USING (id);
CREATE TABLE test.any (e tqvec);
COPY test.any FROM :'b4' WITH (FORMAT tqcv, CODEC 'golden');
COPY test.any FROM :'b4' WITH (FORMAT tqcv, CODEC 'golden', RECOMPRESS true);
-- Without a modifier, floats become 8 bits with residual.
COPY test.any FROM :'b4' WITH (FORMAT tqcv, RECOMPRESS true, CODEC 'wide');
SELECT tq_bit_width(e), tq_has_residual(e), count(*) FROM test.any GROUP BY 1, 2 ORDER BY 1, 2;

-- What it refuses.
\x
SELECT * FROM test.failure(format($$COPY test.any FROM %L WITH (FORMAT tqcv, CODEC 'wide')$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.any FROM %L WITH (FORMAT tqcv, CODEC 'none')$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.narrow (e) FROM %L WITH (FORMAT tqcv, CODEC 'golden')$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.narrow (e) FROM %L WITH (FORMAT tqcv, RECOMPRESS true)$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.narrow (e) FROM %L WITH (FORMAT tqcv, RECOMPRESS true)$$, :'b2'));
SELECT * FROM test.failure(format($$COPY test.wide (e, id) FROM %L WITH (FORMAT tqcv, RECOMPRESS true, CODEC 'wide')$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.any FROM %L WITH (FORMAT tqcv, IDS 'ordinal')$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.keyed FROM %L WITH (FORMAT tqcv)$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.keyed FROM %L WITH (FORMAT tqcv, IDS 'natural')$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.ordinal (e, u) FROM %L WITH (FORMAT tqcv, IDS 'ordinal')$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.ordinal (e, name, u) FROM %L WITH (FORMAT tqcv, IDS 'ordinal')$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.ordinal (name, u) FROM %L WITH (FORMAT tqcv, IDS 'ordinal')$$, :'b4'));
CREATE TABLE test.odd (e tqvec, f tqvec, t timestamp);
SELECT * FROM test.failure(format($$COPY test.odd (e, f) FROM %L WITH (FORMAT tqcv, IDS 'ordinal')$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.odd (e, t) FROM %L WITH (FORMAT tqcv, IDS 'ordinal')$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.any FROM %L WITH (FORMAT tqcv, METADATA '{}')$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.any FROM %L WITH (FORMAT tqcv, RECOMPRESS true, RECOMPRESS true)$$, :'b4'));
SELECT * FROM test.failure(format($$COPY test.any FROM %L WITH (FORMAT tqcv, HEADER)$$, :'b4'));
SELECT tq_import('test.keyed', :'b4', '{"id_column": "id", "ids": 1}');
SELECT tq_import('test.keyed', :'b4', '{"idcolumn": "id"}');
\x
SELECT count(*) FROM test.any;

DROP TABLE test.ordinal, test.keyed, test.narrow, test.wide, test.any, test.odd;
DROP DOMAIN test.key;
DELETE FROM tq_catalog.tq_codec;

-- What a codec has done to norms doesn't keep its records from being recompressed: two bits of 64 dimensions decode to 0.7 to 1.2.
\getenv abs_builddir PG_ABS_BUILDDIR
\set coarse :abs_builddir '/results/coarse.tqcv'
\set finer :abs_builddir '/results/finer.tqcv'
CREATE TABLE test.coarse (id int, e tqvec(64, 2));
INSERT INTO test.coarse SELECT i, test.unit(i, 64) FROM generate_series(1, 2000) i;
SELECT min(tq_norm(e)) < 0.85 AS short, max(tq_norm(e)) > 1.03 AS long FROM test.coarse;
COPY (SELECT e FROM test.coarse ORDER BY id) TO :'coarse' WITH (FORMAT tqcv);
CREATE TABLE test.finer (id int, e tqvec(64, 4), f tqvec(64, 8), g tqvec(64, 2, hadamard));
COPY test.finer (id, e) FROM :'coarse' WITH (FORMAT tqcv, IDS 'ordinal', RECOMPRESS);
COPY test.finer (id, g) FROM :'coarse' WITH (FORMAT tqcv, IDS 'ordinal', RECOMPRESS);
SELECT tq_convert(:'coarse', :'finer', '{"format": "tqcv", "bit_width": 4}');
-- Nor where their origin can't be seen.
INSERT INTO test.finer (id, e, f, g) SELECT id, tq_compress(tq_decompress(e), 4), e::real[], e::real[] FROM test.coarse;
SELECT count(e), count(f), count(g) FROM test.finer;
SELECT max(test.l2(tq_decompress(a.e), tq_decompress(b.e))) < 0.2 AS near FROM test.coarse a JOIN test.finer b USING (id) WHERE b.e IS NOT NULL;
DROP TABLE test.coarse, test.finer;

-- The row type of a table of ours is no vector, and neither are arrays of vectors.
CREATE TABLE test.row_type (c tq_catalog.tq_codec, a tqvec[]);
SELECT * FROM test.failure(format($$COPY test.row_type (c) FROM %L WITH (FORMAT tqcv)$$, :'coarse'));
SELECT * FROM test.failure(format($$COPY test.row_type (a) FROM %L WITH (FORMAT tqcv)$$, :'coarse'));
SELECT * FROM test.failure(format($$SELECT tq_import('test.row_type', %L)$$, :'coarse'));
SELECT * FROM test.failure(format($$COPY test.row_type (c) TO %L WITH (FORMAT tqcv)$$, :'coarse'));
DROP TABLE test.row_type;
