-- COPY of QVEC, zTensor and Burnpack files, both ways.
\getenv abs_srcdir PG_ABS_SRCDIR
\getenv abs_builddir PG_ABS_BUILDDIR
\set data :abs_srcdir '/data'
\set many :data '/many.bpk'
\set za :data '/v01_dense.zt'
\set zb :data '/v10_sparse.zt'
\set zc :data '/v12_dense.zt'
\set zd :data '/v2_sparse.zt'
\set zz :data '/v2_zstd.zt'
\set positional :data '/pos_d24_b3_cosine.v2.qvec'
\set numbers :data '/id_number.v1.qvec'
\set bigints :data '/id_bigint.v2.qvec'
\set mixed :data '/id_mixed.v2.qvec'
\set calibrated :data '/calibrated.v1.qvec'
\set readme :data '/README.md'

-- A little-endian single, by its fields.
CREATE FUNCTION test.single(le bytea) RETURNS real LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN exponent = 0 AND mantissa = 0 THEN 0
           ELSE (sign * CASE WHEN exponent = 0 THEN mantissa::float8 * 2.0::float8 ^ -149
                        ELSE (8388608 + mantissa)::float8 * 2.0::float8 ^ (exponent - 150) END)::real END
    FROM (SELECT CASE WHEN get_byte(le, 3) >= 128 THEN -1 ELSE 1 END AS sign,
                 (get_byte(le, 3) & 127) * 2 + (get_byte(le, 2) >> 7) AS exponent,
                 (get_byte(le, 2) & 127) * 65536 + get_byte(le, 1) * 256 + get_byte(le, 0) AS mantissa) b
$$;
-- The floats of a file made by numpy: little-endian singles, row by row.
CREATE FUNCTION test.singles(path text, dimension int) RETURNS TABLE (ordinal bigint, v real[]) LANGUAGE sql AS $$
    SELECT row, array_agg(test.single(substr(bytes, (4 * (dimension * (row - 1) + i) + 1)::int, 4)) ORDER BY i)
    FROM (SELECT pg_read_binary_file(path)) f(bytes),
         generate_series(1, octet_length(bytes) / 4 / dimension::bigint) row, generate_series(0, dimension - 1) i
    GROUP BY row
$$;

-- What files are, and what they hold.
SELECT format, name, dtype, shape, encoding, bytes, checksum, details->>'version' AS version, details->>'vectors' AS vectors, details->>'obstacle' AS obstacle
FROM tq_file_info(:'many') ORDER BY name;
SELECT format, name, dtype, shape, encoding, bytes, checksum, details->>'version' AS version, details->>'vectors' AS vectors, details->>'obstacle' AS obstacle
FROM tq_file_info(:'za');
SELECT format, name, dtype, shape, encoding, bytes, checksum, details->>'version' AS version, details->>'vectors' AS vectors, details->>'obstacle' AS obstacle
FROM tq_file_info(:'zb') UNION ALL
SELECT format, name, dtype, shape, encoding, bytes, checksum, details->>'version', details->>'vectors', details->>'obstacle' FROM tq_file_info(:'zz') UNION ALL
SELECT format, name, dtype, shape, encoding, bytes, checksum, details->>'version', details->>'vectors', details->>'obstacle' FROM tq_file_info(:'zd')
ORDER BY format, name;
SELECT format, dtype, shape, encoding, bytes, checksum, jsonb_pretty(details) FROM tq_file_info(:'mixed');
SELECT format, dtype, shape, encoding, bytes, checksum, jsonb_pretty(details) FROM tq_file_info(:'calibrated');
SELECT format, dtype, shape, encoding, bytes, checksum, jsonb_pretty(details) FROM tq_file_info(:'data' || '/d33_b4_res.tqcv');
SELECT f.* FROM test.failure(format('SELECT tq_file_info(%L)', :'readme')) f;

-- Tensors become arrays, pgvector's types where they are, or are compressed.
CREATE TABLE test.arrays (n bigint GENERATED ALWAYS AS IDENTITY, v real[]);
COPY test.arrays (v) FROM :'zc' WITH (FORMAT ztensor, TENSOR 'emb.f32');
SELECT count(*), bool_and(a.v = s.v) AS equal
FROM test.arrays a JOIN test.singles(:'zc' || '.emb_f32.f32.bin', 40) s ON a.n = s.ordinal;
TRUNCATE test.arrays RESTART IDENTITY;
COPY test.arrays (v) FROM :'zd' WITH (FORMAT ztensor, TENSOR 'csr32');
SELECT count(*), bool_and(a.v = s.v) AS equal
FROM test.arrays a JOIN test.singles(:'zd' || '.csr32.f32.bin', 32) s ON a.n = s.ordinal;
TRUNCATE test.arrays RESTART IDENTITY;
COPY test.arrays (v) FROM :'many' WITH (FORMAT burnpack, TENSOR 'z.f32');
SELECT count(*), bool_and(a.v = s.v) AS equal
FROM test.arrays a JOIN test.singles(:'many' || '.z_f32.f32.bin', 48) s ON a.n = s.ordinal;
-- The same numbers in every type and encoding, as close as their type is.
CREATE TABLE test.kinds (tensor text, n bigint GENERATED ALWAYS AS IDENTITY, v real[], d double precision[]);
ALTER TABLE test.kinds ALTER tensor SET DEFAULT 'f32';
COPY test.kinds (v) FROM :'za' (FORMAT ztensor, TENSOR 'emb.f32');
ALTER TABLE test.kinds ALTER tensor SET DEFAULT 'f32.be';
COPY test.kinds (v) FROM :'za' (FORMAT ztensor, TENSOR 'emb.f32.be');
ALTER TABLE test.kinds ALTER tensor SET DEFAULT 'f64';
COPY test.kinds (d) FROM :'za' (FORMAT ztensor, TENSOR 'emb.f64');
ALTER TABLE test.kinds ALTER tensor SET DEFAULT 'f16';
COPY test.kinds (v) FROM :'za' (FORMAT ztensor, TENSOR 'emb.f16');
ALTER TABLE test.kinds ALTER tensor SET DEFAULT 'bf16';
COPY test.kinds (v) FROM :'za' (FORMAT ztensor, TENSOR 'emb.bf16');
SELECT k.tensor, count(*), max(test.l2(coalesce(k.v, k.d::real[]), f.v)) < CASE k.tensor WHEN 'f16' THEN 0.01 WHEN 'bf16' THEN 0.06 ELSE 1e-6 END AS close
FROM (SELECT *, row_number() OVER (PARTITION BY tensor ORDER BY n) AS r FROM test.kinds) k
JOIN (SELECT *, row_number() OVER (ORDER BY n) AS r FROM test.kinds WHERE tensor = 'f32') f USING (r)
GROUP BY 1 ORDER BY 1;

-- Compressed on the way in: as tq_compress compresses the arrays.
CREATE TABLE test.compressed (id bigint, e tqvec(40, 8, residual));
COPY test.compressed (id, e) FROM :'zc' WITH (FORMAT ztensor, TENSOR 'emb.f32', IDS 'ordinal');
SELECT count(*), bool_and(c.e = tq_compress(s.v, 8, true)) AS equal
FROM test.compressed c JOIN test.singles(:'zc' || '.emb_f32.f32.bin', 40) s ON c.id = s.ordinal;
CREATE TABLE test.plain (e tqvec);
SELECT tq_import('test.plain', :'zz', '{"tensor": "raw"}');
SELECT tq_dimension(e), tq_bit_width(e), tq_has_residual(e), count(*) FROM test.plain GROUP BY 1, 2, 3;
SELECT length(tq_create_codec('forty', 40, 2, false, 77, tq_codebook)) FROM (SELECT ARRAY[-1.5, -0.5, 0.5, 1.5]::real[] AS tq_codebook) c;
CREATE TABLE test.trained (e tqvec(40, 2));
COPY test.trained FROM :'zc' WITH (FORMAT ztensor, TENSOR 'emb.f32', CODEC 'forty');
SELECT count(*), bool_and(tq_config_hash(e) = (SELECT config_hash FROM tq_catalog.tq_codec WHERE name = 'forty')) AS codec FROM test.trained;

-- Indexes: their vectors, and their ids as they are.
CREATE TABLE test.texts (id text, v real[]);
COPY test.texts (id, v) FROM :'numbers' WITH (FORMAT qvec);
COPY test.texts (id, v) FROM :'bigints' WITH (FORMAT qvec);
SELECT id, array_length(v, 1) FROM test.texts;
CREATE TABLE test.numerics (v real[], id numeric);
COPY test.numerics (v, id) FROM :'numbers' WITH (FORMAT qvec);
COPY test.numerics (v, id) FROM :'bigints' WITH (FORMAT qvec);
SELECT id FROM test.numerics;
SELECT bool_and(t.v = n.v) AS equal FROM (SELECT *, row_number() OVER () AS r FROM test.texts) t
JOIN (SELECT *, row_number() OVER () AS r FROM test.numerics) n USING (r);
CREATE TABLE test.doubles (id double precision, v real[]);
COPY test.doubles (id, v) FROM :'numbers' WITH (FORMAT qvec);
SELECT id FROM test.doubles;
-- The decoded vectors keep the direction that scores are computed with.
CREATE TABLE test.index (n bigint GENERATED ALWAYS AS IDENTITY, v real[]);
COPY test.index (v) FROM :'positional' WITH (FORMAT qvec);
SELECT count(*), max(test.cosine(i.v, s.v)) < 1e-6 AS same_direction
FROM test.index i JOIN test.singles(replace(:'positional', '.v2.qvec', '.dec_scale.f32.bin'), 24) s ON i.n = s.ordinal;
TRUNCATE test.index RESTART IDENTITY;
COPY test.index (v) FROM :'calibrated' WITH (FORMAT qvec);
SELECT count(*), min(array_length(v, 1)), max(array_length(v, 1)) FROM test.index;

-- Searching an index in its file gives the scores that quantvec gives: a distance is what makes the nearest the smallest.
WITH q AS (SELECT v FROM test.singles(replace(:'positional', '.v2.qvec', '.queries.f32.bin'), 24) WHERE ordinal = 1),
     golden AS (SELECT m.metric, o.ordinal, o.score::text::float8
                FROM jsonb_each(pg_read_file(replace(:'positional', '.v2.qvec', '.scores.json'))::jsonb) m(metric, scores),
                     jsonb_array_elements(scores->0) WITH ORDINALITY o(score, ordinal)),
     found AS (SELECT 'dot' AS metric, ordinal, -distance AS score FROM q, tq_corpus_search(:'positional', q.v, 100, 'inner_product')
               UNION ALL SELECT 'cosine', ordinal, 1 - distance FROM q, tq_corpus_search(:'positional', q.v, 100, 'cosine')
               UNION ALL SELECT 'euclidean', ordinal, distance ^ 2 FROM q, tq_corpus_search(:'positional', q.v, 100, 'l2'))
SELECT metric, count(*), max(abs(g.score - f.score)) < 1e-4 AS equal FROM golden g JOIN found f USING (metric, ordinal) GROUP BY 1 ORDER BY 1;
SELECT tq_corpus_search(:'positional', array_fill(0.0::real, ARRAY[24]), 3);
SELECT tq_corpus_search(:'positional', array_fill(0.5::real, ARRAY[23]), 3);
SELECT f.* FROM test.failure(format('SELECT tq_corpus_search(%L, array_fill(0.5::real, ARRAY[24]), 3, ''l1'')', :'positional')) f;

-- Out, and in again.
\set out :abs_builddir '/formats.out'
CREATE TABLE test.source (id bigint, v real[], e tqvec(24, 8, residual), d double precision[]);
INSERT INTO test.source SELECT i, v, v, v::double precision[] FROM (SELECT i, test.unit(i, 24) AS v FROM generate_series(1, 50) i) s;
CREATE TABLE test.back (id bigint, v real[]);
COPY (SELECT v FROM test.source ORDER BY id) TO :'out' WITH (FORMAT ztensor);
SELECT format, name, dtype, shape, encoding, checksum FROM tq_file_info(:'out');
COPY test.back (id, v) FROM :'out' WITH (FORMAT ztensor, IDS 'ordinal');
SELECT count(*), bool_and(b.v = s.v) AS equal FROM test.back b JOIN test.source s USING (id);
TRUNCATE test.back;
COPY (SELECT d FROM test.source ORDER BY id) TO :'out' WITH (FORMAT ztensor, TENSOR 'x', VERSION 1, COMPRESSION zstd, METADATA '{"model": "m"}');
SELECT format, name, dtype, shape, encoding, checksum FROM tq_file_info(:'out');
COPY test.back (id, v) FROM :'out' WITH (FORMAT ztensor, IDS 'ordinal');
SELECT count(*), bool_and(b.v = s.v) AS equal FROM test.back b JOIN test.source s USING (id);
TRUNCATE test.back;
COPY (SELECT v FROM test.source ORDER BY id) TO :'out' WITH (FORMAT ztensor, SPARSE true, COMPRESSION 'zstd', DTYPE 'f16');
SELECT format, name, dtype, shape, encoding, checksum FROM tq_file_info(:'out');
COPY test.back (id, v) FROM :'out' WITH (FORMAT ztensor, IDS 'ordinal');
SELECT count(*), max(test.l2(b.v, s.v)) < 0.001 AS close FROM test.back b JOIN test.source s USING (id);
TRUNCATE test.back;
COPY (SELECT e FROM test.source ORDER BY id) TO :'out' WITH (FORMAT burnpack, TENSOR 'weights', METADATA '{"model": "m"}');
SELECT format, name, dtype, shape, encoding, checksum FROM tq_file_info(:'out');
COPY test.back (id, v) FROM :'out' WITH (FORMAT burnpack, IDS 'ordinal');
SELECT count(*), max(test.l2(b.v, s.v)) < 0.001 AS close FROM test.back b JOIN test.source s USING (id);
TRUNCATE test.back;
COPY (SELECT id, v FROM test.source ORDER BY id DESC) TO :'out' WITH (FORMAT qvec, BITS 4, METRIC 'dot', SEED '3.7');
SELECT format, dtype, shape, encoding, jsonb_pretty(details) FROM tq_file_info(:'out');
COPY test.back (id, v) FROM :'out' WITH (FORMAT qvec);
SELECT count(*), max(test.cosine(b.v, s.v)) < 0.02 AS close FROM test.back b JOIN test.source s USING (id);
COPY (SELECT v, id::text FROM test.source) TO :'out' WITH (FORMAT qvec, VERSION 1);
SELECT details->>'version' AS version, details->>'ids' AS ids FROM tq_file_info(:'out');
SELECT tq_export('SELECT v FROM test.source', :'out', '{"format": "ztensor", "dtype": "bf16", "tensor": "t"}');
SELECT dtype, shape FROM tq_file_info(:'out');

-- A file is made into another without a table.
\set other :abs_builddir '/converted.out'
COPY (SELECT id, e FROM test.source ORDER BY id) TO :'out' WITH (FORMAT tqcv, METADATA '{"model": "m"}');
SELECT tq_convert(:'out', :'other', '{"format": "qvec"}');
SELECT format, shape, details->>'ids' AS ids FROM tq_file_info(:'other');
SELECT tq_convert(:'out', :'other', '{"format": "ztensor", "tensor": "embedding"}');
TRUNCATE test.back;
COPY test.back (id, v) FROM :'other' WITH (FORMAT ztensor, IDS 'ordinal');
SELECT count(*), max(test.l2(b.v, s.v)) < 0.001 AS close FROM test.back b JOIN test.source s USING (id);
SELECT tq_convert(:'mixed', :'other', '{"format": "tqcv", "bit_width": 8, "residual": true}');
SELECT tq_convert(:'bigints', :'other', '{"format": "tqcv", "bit_width": 8, "residual": true}');
SELECT format, shape, encoding, details->>'ids' AS ids FROM tq_file_info(:'other');
SELECT tq_convert(:'many', :'other', '{"format": "tqcv", "source_tensor": "z.f32", "bit_width": 8, "residual": true, "rotation": "hadamard"}');
SELECT records, dimension, bit_width, residual, codec FROM tq_corpus_info(:'other');

-- Files of a kind become one.
\set parts :abs_builddir '/part'
COPY (SELECT id, e FROM test.source WHERE id <= 20 ORDER BY id) TO :'out' WITH (FORMAT tqcv, METADATA '{"model": "m"}');
COPY (SELECT id, e FROM test.source WHERE id > 20 ORDER BY id) TO :'other' WITH (FORMAT tqcv);
SELECT tq_merge(:'parts', ARRAY[:'out', :'other']);
CREATE TABLE test.merged (id bigint, e tqvec);
COPY test.merged (id, e) FROM :'parts' WITH (FORMAT tqcv);
SELECT count(*), bool_and(m.e = s.e) AS equal FROM test.merged m JOIN test.source s USING (id);
SELECT f.* FROM test.failure(format('SELECT tq_merge(%L, ARRAY[%L, %2$L])', :'parts', :'many')) f;
COPY (SELECT v FROM test.source ORDER BY id) TO :'out' WITH (FORMAT burnpack, TENSOR 'new');
SELECT tq_merge(:'parts', ARRAY[:'many', :'out']);
SELECT count(*), count(*) FILTER (WHERE name = 'new') AS new FROM tq_file_info(:'parts');
COPY (SELECT v FROM test.source ORDER BY id) TO :'out' WITH (FORMAT ztensor, TENSOR 'new');
SELECT tq_merge(:'parts', ARRAY[:'zd', :'out']);
SELECT name, shape, checksum FROM tq_file_info(:'parts');

-- What is refused, and why.
SELECT f.* FROM (VALUES
    ('COPY test.arrays (v) FROM %1$L (FORMAT ztensor)', :'zc'),
    ('COPY test.arrays (v) FROM %1$L (FORMAT ztensor, TENSOR ''none'')', :'zc'),
    ('COPY test.arrays (v) FROM %1$L (FORMAT ztensor, TENSOR ''bias'')', :'zc'),
    ('COPY test.arrays (v) FROM %1$L (FORMAT burnpack)', :'zc'),
    ('COPY test.arrays (v) FROM %1$L (FORMAT qvec)', :'zc'),
    ('COPY test.arrays (v) FROM %1$L (FORMAT ztensor)', :'readme'),
    ('COPY test.arrays (v) FROM %1$L (FORMAT qvec, TENSOR ''x'')', :'positional'),
    ('COPY test.arrays (v) FROM %1$L (FORMAT qvec, BITS 4)', :'positional'),
    ('COPY test.arrays (v) FROM %1$L (FORMAT qvec, CODEC ''forty'')', :'positional'),
    ('COPY test.arrays (n) FROM %1$L (FORMAT qvec)', :'positional'),
    ('COPY test.texts (id, v) FROM %1$L (FORMAT qvec)', :'positional'),
    ('COPY test.texts (id, v) FROM %1$L (FORMAT qvec)', :'mixed'),
    ('COPY test.back (id, v) FROM %1$L (FORMAT qvec)', :'numbers'),
    ('COPY test.compressed (e) FROM %1$L (FORMAT qvec)', :'positional'),
    ('COPY test.compressed (e) FROM %1$L (FORMAT ztensor, TENSOR ''emb.f32'', CODEC ''forty'')', :'zc'),
    ('COPY test.trained (e) FROM %1$L (FORMAT ztensor, TENSOR ''emb.f32'')', :'zc'),
    ('SELECT tq_convert(%1$L, %1$L || ''.x'', ''{}'')', :'zc'),
    ('SELECT tq_convert(%1$L, %1$L || ''.x'', ''{"format": "qvec", "tensor": "x"}'')', :'zc'),
    ('SELECT tq_merge(%1$L || ''.x'', ARRAY[]::text[])', :'zc'),
    ('SELECT tq_merge(%1$L || ''.x'', ARRAY[%1$L, NULL])', :'zc'),
    ('SELECT tq_merge(%1$L || ''.x'', ARRAY[%1$L])', :'mixed')
) t (statement, path), LATERAL test.failure(format(statement, path)) f;
SELECT f.* FROM (VALUES
    ('COPY (SELECT v FROM test.source) TO %L (FORMAT qvec, BITS 5)'),
    ('COPY (SELECT v FROM test.source) TO %L (FORMAT qvec, VERSION 3)'),
    ('COPY (SELECT v FROM test.source) TO %L (FORMAT qvec, METRIC ''l7'')'),
    ('COPY (SELECT v FROM test.source) TO %L (FORMAT qvec, SEED ''NaN'')'),
    ('COPY (SELECT test.unit(1, 20)) TO %L (FORMAT qvec)'),
    ('COPY (SELECT array_fill(0.0::real, ARRAY[16])) TO %L (FORMAT qvec)'),
    ('COPY (SELECT v, 7 FROM test.source) TO %L (FORMAT qvec)'),
    ('COPY (SELECT v, 1 FROM test.source) TO %L (FORMAT npy)'),
    ('COPY (SELECT 1) TO %L (FORMAT ztensor)'),
    ('COPY (SELECT v FROM test.source) TO %L (FORMAT ztensor, DTYPE ''f8'')'),
    ('COPY (SELECT v FROM test.source) TO %L (FORMAT ztensor, COMPRESSION ''lz4'')'),
    ('COPY (SELECT v FROM test.source) TO %L (FORMAT ztensor, METADATA ''{"a": 1}'')'),
    ('COPY (SELECT v FROM test.source) TO %L (FORMAT burnpack, SPARSE true)'),
    ('COPY (SELECT ARRAY[1, 1e6]::real[]) TO %L (FORMAT ztensor, DTYPE ''f16'')'),
    ('COPY (SELECT ARRAY[1, ''NaN'']::real[]) TO %L (FORMAT ztensor)'),
    ('COPY (VALUES (ARRAY[1, 2]::real[]), (ARRAY[1]::real[])) TO %L (FORMAT ztensor)'),
    ('COPY (VALUES (ARRAY[1, 2]::real[]), (NULL)) TO %L (FORMAT ztensor)'),
    ('COPY (SELECT v FROM test.source WHERE false) TO %L (FORMAT ztensor)'),
    ('SELECT tq_export(''SELECT v FROM test.source'', %L, ''{"format": "parquet"}'')'),
    ('SELECT tq_export(''SELECT v FROM test.source'', %L, ''{"format": "qvec", "dtype": "f16"}'')')
) t (statement), LATERAL test.failure(format(statement, :'out')) f;
COPY (SELECT e FROM test.source WHERE false) TO :'out' WITH (FORMAT ztensor);
SELECT dtype, shape FROM tq_file_info(:'out');
COPY (SELECT e FROM test.source WHERE false) TO :'out' WITH (FORMAT qvec);
SELECT shape FROM tq_file_info(:'out');
SELECT count(*) FROM test.arrays;
