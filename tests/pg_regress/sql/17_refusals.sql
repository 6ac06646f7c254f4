-- What is refused, and what the refusal says: settings, names of codecs, options as JSON, errors whose hint depends on who asks.
\getenv abs_srcdir PG_ABS_SRCDIR
\getenv abs_builddir PG_ABS_BUILDDIR
\set data :abs_srcdir '/data'
\set several :data '/v2_zstd.zt'
\set readme :data '/README.md'
\set keyed :data '/id_mixed.v2.qvec'
\set corpus :data '/d33_b4_res.tqcv'
\set out :abs_builddir '/results/refusals.bpk'

-- A misspelt setting.
SET tinyquant.thread = 3;

-- A codec can't have a name by which another is found.
SELECT tq_create_codec('first', 16, seed => 170) AS first \gset
SELECT tq_create_codec(:'first', 16, seed => 171);
SELECT tq_create_codec('tqvec(10, 4)', 10, seed => 172);
SELECT count(*) FROM tq_catalog.tq_codec WHERE name <> 'first' AND seed BETWEEN 170 AND 172;
-- Its own hash is a name.
SELECT tq_drop_codec('first');
SELECT tq_create_codec(:'first', 16, seed => 170) = :'first' AS own_hash;
SELECT tq_drop_codec(:'first');
-- A whole number is a seed however it is written.
SELECT tq_create_codec('written', 16, seed => 170.0) = :'first' AS same_seed;
SELECT tq_create_codec('half', 16, seed => 170.5);

-- JSON that PostgreSQL takes and our reader doesn't.
SELECT f.* FROM (VALUES
    (format('SELECT tq_export(%L, %L, %L)', 'SELECT 1', :'out', '{"metadata": 1e400}')),
    (format('SELECT tq_convert(%L, %L, %L)', :'several', :'out', '{"format": "burnpack", "dtype": 1e999}')),
    (format('SELECT tq_merge(%L, %L, %L)', :'out', '{}', '{"ids": ' || repeat('[', 500) || repeat(']', 500) || '}')),
    (format('SELECT tq_import(%L, %L, %L)', 'pg_class', :'out', '{"column": 1e5000}'))) s(statement), test.failure(statement) f;

CREATE TABLE test.narrow (e tqvec(12, 4));
CREATE TABLE test.keyed (id numeric, key text, e real[]);
SELECT f.* FROM (VALUES
    -- The hint names the option of the function that was called.
    (format('SELECT tq_convert(%L, %L, %L)', :'several', :'out', '{"format": "burnpack"}')),
    -- What can't be compressed is said of the file and its row.
    (format('SELECT tq_convert(%L, %L, %L)', :'several', :'out', '{"format": "tqcv", "source_tensor": "raw"}')),
    (format('SELECT tq_convert(%L, %L, %L)', :'several', :'out', '{"format": "tqcv", "source_tensor": "raw", "codec": "written"}')),
    -- No format at all, and another one.
    (format('SELECT tq_import(%L, %L)', 'test.narrow', :'readme')),
    (format('SELECT records FROM tq_corpus_info(%L)', :'readme')),
    (format('SELECT records FROM tq_corpus_info(%L)', :'several')),
    -- Another dimension can't be mended by recompression.
    (format('COPY test.narrow FROM %L WITH (FORMAT tqcv, RECOMPRESS true)', :'corpus')),
    -- PostgreSQL's text has no NUL, nor has a message.
    (format('SELECT tq_import(%L, %L, %L)', 'test.keyed', :'keyed', '{"id_column": "id"}')),
    (format('SELECT tq_import(%L, %L, %L)', 'test.keyed', :'keyed', '{"id_column": "key"}'))) s(statement), test.failure(statement) f;

-- A query whose other columns have any name, and one that has too few rows.
SELECT count(*) FROM tq_evaluate('SELECT v, 1 AS v, 2 AS v FROM (SELECT tq_normalize(ARRAY[i, 1, 2, 3]) AS v FROM generate_series(1, 30) i) s', k => 3);
SELECT count(*) FROM tq_evaluate('SELECT ARRAY[0.6, 0.8]::real[] FROM generate_series(1, 5)');

BEGIN READ ONLY;
SELECT tq_create_codec('third', 16, seed => 173);
ROLLBACK;
