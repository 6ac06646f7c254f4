-- Files of models: GGUF and PyTorch; ids in a tensor of their own; whole files.
\getenv abs_srcdir PG_ABS_SRCDIR
\getenv abs_builddir PG_ABS_BUILDDIR
\set data :abs_srcdir '/data'
\set types :data '/types.gguf'
\set small :data '/small_q8.gguf'
\set checkpoint :data '/checkpoint.pt'
\set views :data '/views.pt'
\set legacy :data '/legacy.pt'
\set runs :data '/runs.pt'
\set tensors :data '/ids.safetensors'
\set stored :data '/small_stored.npz'
\set out :abs_builddir '/results/tensors.out'
\set next :abs_builddir '/results/tensors.next'
CREATE FUNCTION test.info(path text)
    RETURNS TABLE (format text, name text, dtype text, shape bigint[], encoding text, bytes bigint, checksum text, details jsonb)
    LANGUAGE sql AS $$ SELECT format, name, dtype, shape, encoding, bytes, checksum, details FROM tq_file_info(path) $$;

-- What they are, and what they hold.
SELECT * FROM test.info(:'types');
SELECT * FROM test.info(:'checkpoint');
SELECT * FROM test.info(:'views');

-- Into columns of floats, and compressed on the way.
CREATE TABLE test.models_in (n bigint GENERATED ALWAYS AS IDENTITY, v real[], d double precision[]);
CREATE FUNCTION test.imported(path text, options jsonb) RETURNS TABLE (count bigint, rows bigint, first text, last text)
LANGUAGE plpgsql AS $$
BEGIN
    count := tq_import('test.models_in', path, options);
    SELECT count(*), (array_agg(coalesce(v::text, p.d::text) ORDER BY n))[1],
        (array_agg(coalesce(v::text, p.d::text) ORDER BY n DESC))[1] INTO rows, first, last FROM test.models_in p;
    TRUNCATE test.models_in RESTART IDENTITY;
    RETURN NEXT;
END $$;
SELECT t, i.* FROM unnest(ARRAY['t.f8', 't.f2', 't.bf16', 't.i8', 't.large']) t,
    test.imported(:'types', jsonb_build_object('tensor', t, 'column', 'd')) i;
SELECT t, i.rows, left(i.first, 60) FROM unnest(ARRAY['t.Q8_0', 't.Q4_0']) t,
    test.imported(:'types', jsonb_build_object('tensor', t, 'column', 'v')) i;
SELECT t, i.* FROM unnest(ARRAY['rows', 'columns', 'transposed', 'part', 'every', 'one']) t,
    test.imported(:'views', jsonb_build_object('tensor', t, 'column', 'v')) i;
CREATE TABLE test.models_packed (id bigint, e tqvec(32, 4));
COPY test.models_packed (id, e) FROM :'small' WITH (FORMAT gguf, IDS_TENSOR 'ids', NORMALIZE true);
SELECT id, round(tq_norm(e)::numeric, 1) AS norm FROM test.models_packed;
CREATE TABLE test.models_named (id text, v real[]);
COPY test.models_named (id, v) FROM :'checkpoint' WITH (FORMAT torch, TENSOR 'state_dict.weight', IDS_TENSOR 'ids');
SELECT * FROM test.models_named;
TRUNCATE test.models_named;

-- Ids out, and in again: whole numbers, texts, UUIDs.
CREATE TABLE test.models_from (id bigint, small smallint, name text, key uuid, v real[]);
INSERT INTO test.models_from SELECT i::bigint * 1000000007, i, CASE i WHEN 7 THEN '' ELSE 'n° ' || i END, md5(i::text)::uuid, test.unit(i, 24)
    FROM generate_series(1, 50) i;
CREATE FUNCTION test.there_and_back(format text, ids text, options text, path text) RETURNS TABLE (rows bigint, equal boolean)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT v, %I FROM test.models_from ORDER BY id) TO %L (FORMAT %s%s)', ids, path, format, options);
    EXECUTE format('COPY test.models_named (id, v) FROM %L (FORMAT %s, IDS_TENSOR %L)', path, format,
        coalesce(substring(options FROM 'IDS_TENSOR ''([^'']*)'), 'ids'));
    RETURN QUERY EXECUTE format(
        'SELECT count(*), bool_and(n.v = f.v) FROM test.models_from f JOIN test.models_named n ON n.id = f.%I::text', ids);
    TRUNCATE test.models_named;
END $$;
SELECT f, i, o, r.* FROM unnest(ARRAY['safetensors', 'burnpack', 'ztensor']) f, unnest(ARRAY['id', 'small', 'name', 'key']) i,
    unnest(ARRAY['', ', IDS_TENSOR ''of rows''']) o, test.there_and_back(f, i, o, :'out') r;
SELECT o, r.* FROM unnest(ARRAY[', COMPRESSION ''zstd''', ', SPARSE true', ', VERSION 1']) o,
    test.there_and_back('ztensor', 'name', o, :'out') r;
COPY (SELECT id, v FROM test.models_from ORDER BY id) TO :'out' WITH (FORMAT safetensors, DTYPE 'f16', METADATA '{"model": "m"}');
SELECT * FROM test.info(:'out');
-- From files that have ids of their own.
SELECT tq_export('SELECT id, v FROM test.models_from ORDER BY id', :'next', '{"format": "qvec"}');
SELECT tq_convert(:'next', :'out', '{"format": "ztensor", "dtype": "f32"}');
SELECT * FROM test.info(:'out');
SELECT tq_convert(:'tensors', :'out', '{"format": "burnpack", "source_tensor": "embedding", "ids_tensor": "ids"}');
COPY test.models_named (id, v) FROM :'out' WITH (FORMAT burnpack, IDS_TENSOR 'ids');
SELECT id, v[1] FROM test.models_named;
TRUNCATE test.models_named;
SELECT f.message, f.code, f.hint FROM (VALUES
    ('COPY (SELECT id, v FROM test.models_from) TO %L (FORMAT npy)'),
    ('COPY (SELECT id, v FROM test.models_from) TO %L (FORMAT fbin)'),
    ('COPY (SELECT id::numeric, v FROM test.models_from) TO %L (FORMAT safetensors)'),
    ('COPY (SELECT v FROM test.models_from) TO %L (FORMAT safetensors, IDS_TENSOR ''x'')'),
    ('COPY (SELECT id, v FROM test.models_from) TO %L (FORMAT ztensor, TENSOR ''x'', IDS_TENSOR ''x'')'),
    ('COPY (SELECT id, v FROM test.models_from) TO %L (FORMAT safetensors, IDS_TENSOR ''__metadata__'')'),
    ('COPY (SELECT repeat(''x'', 2000), v FROM test.models_from) TO %L (FORMAT burnpack)'),
    ('COPY (SELECT NULL::text, v FROM test.models_from) TO %L (FORMAT burnpack)')) s(statement),
    test.failure(format(statement, :'out')) f;

-- Whole files.
CREATE FUNCTION test.whole(source text, format text, path text) RETURNS TABLE (tensors bigint, written text[]) LANGUAGE plpgsql AS $$
BEGIN
    tensors := tq_convert(source, path, jsonb_build_object('format', format, 'tensors', 'all'));
    SELECT array_agg(name || ' ' || dtype || ' ' || shape::text ORDER BY name COLLATE "C") INTO written FROM tq_file_info(path);
    RETURN NEXT;
END $$;
SELECT s, f, w.* FROM unnest(ARRAY['small_q8.gguf', 'checkpoint.pt', 'small_deflated.npz', 'many.bpk', 'f_be_f8.npy']) s,
    unnest(ARRAY['safetensors', 'burnpack', 'ztensor']) f, test.whole(:'data' || '/' || s, f, :'out') w;
SELECT tq_convert(:'data' || '/types.safetensors', :'out', '{"format": "ztensor", "tensors": "all", "compression": "zstd"}');
SELECT name, dtype, shape, encoding, checksum FROM test.info(:'out') ORDER BY name COLLATE "C";
SELECT tq_convert(:'out', :'next', '{"format": "ztensor", "tensors": "all", "compression": "none"}');
SELECT name, encoding, checksum FROM test.info(:'next') ORDER BY name COLLATE "C" LIMIT 2;
SELECT tq_convert(:'next', :'out', '{"format": "safetensors", "tensors": "all", "metadata": {"a": "b"}}');
SELECT convert_from(substr(pg_read_binary_file(:'out'), 9, 30), 'UTF8');
SELECT o.name, count(*) FROM tq_file_info(:'out') o JOIN test.info(:'data' || '/types.safetensors') i USING (name, shape)
    WHERE o.dtype <> i.dtype GROUP BY 1 ORDER BY 1;
-- Sparse tensors stay so in a zTensor.
SELECT tq_convert(:'data' || '/v10_sparse.zt', :'out', '{"format": "ztensor", "tensors": "all", "compression": "zstd"}');
SELECT name, encoding, checksum FROM test.info(:'out') ORDER BY 1;
SELECT f.message, f.code, f.hint FROM (VALUES
    ('types.gguf', '{"format": "safetensors", "tensors": "all"}'),
    ('views.pt', '{"format": "safetensors", "tensors": "all"}'),
    ('six.fvecs', '{"format": "burnpack", "tensors": "all"}'),
    ('d100_b8_nores.tqcv', '{"format": "ztensor", "tensors": "all"}'),
    ('id_bigint.v2.qvec', '{"format": "ztensor", "tensors": "all"}'),
    ('checkpoint.pt', '{"format": "ztensor", "tensors": "some"}'),
    ('checkpoint.pt', '{"format": "ztensor", "tensors": "all", "dtype": "f16"}'),
    ('checkpoint.pt', '{"format": "ztensor", "tensors": "all", "source_tensor": "x"}'),
    ('checkpoint.pt', '{"format": "npy", "tensors": "all"}')) o(file, options),
    test.failure(format('SELECT tq_convert(%L, %L, %L)', :'data' || '/' || file, :'out', options)) f;

-- Several files as one.
COPY (SELECT v FROM test.models_from ORDER BY id) TO :'out' WITH (FORMAT safetensors, TENSOR 'other');
SELECT tq_merge(:'next', ARRAY[:'tensors', :'out']);
SELECT name, dtype, shape FROM test.info(:'next') ORDER BY name COLLATE "C";
SELECT f.message, f.code, f.hint FROM test.failure(format('SELECT tq_merge(%L, ARRAY[%L, %L])', :'next', :'out', :'out')) f;
SELECT f.message, f.code, f.hint FROM test.failure(format('SELECT tq_merge(%L, ARRAY[%L])', :'next', :'small')) f;

-- Refused.
SELECT f.message, f.code, f.hint FROM (VALUES
    (:'legacy', 'torch'), (:'runs', 'torch'), (:'views', 'torch, TENSOR ''expanded'''), (:'views', 'torch, TENSOR ''cube'''),
    (:'types', 'gguf'), (:'types', 'gguf, TENSOR ''t.Q5_1'''), (:'types', 'torch'), (:'checkpoint', 'npz'), (:'stored', 'torch'),
    (:'checkpoint', 'torch, TENSOR ''weight''')) o(file, options),
    test.failure(format('COPY test.models_from (v) FROM %L (FORMAT %s)', file, options)) f;
SELECT f.message, f.code, f.hint FROM unnest(ARRAY['gguf', 'torch']) o,
    test.failure(format('COPY test.models_from (v) TO %L (FORMAT %s)', :'out', o)) f;
SELECT f.message, f.code, f.hint FROM test.failure(format('SELECT tq_file_info(%L)', :'runs')) f;
DROP TABLE test.models_in, test.models_packed, test.models_named, test.models_from;
DROP FUNCTION test.info, test.imported, test.there_and_back, test.whole;
