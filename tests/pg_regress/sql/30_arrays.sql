-- Files that people have: NumPy's, safetensors, those of benchmarks.
\getenv abs_srcdir PG_ABS_SRCDIR
\getenv abs_builddir PG_ABS_BUILDDIR
\set data :abs_srcdir '/data'
\set rows :data '/c_le_f4.npy'
\set columns :data '/f_be_f8.npy'
\set words :data '/ids_le_u.npy'
\set vector :data '/vector.npy'
\set object :data '/object.npy'
\set types :data '/types.safetensors'
\set tensors :data '/ids.safetensors'
\set stored :data '/small_stored.npz'
\set deflated :data '/small_deflated.npz'
\set out :abs_builddir '/results/arrays.out'
\set numbers :abs_builddir '/results/arrays.npy'
\set floats :abs_builddir '/results/arrays.fbin'
\set corpus :abs_builddir '/results/arrays.tqcv'
CREATE FUNCTION test.info(path text)
    RETURNS TABLE (format text, name text, dtype text, shape bigint[], encoding text, bytes bigint, details jsonb)
    LANGUAGE sql AS $$ SELECT format, name, dtype, shape, encoding, bytes, details FROM tq_file_info(path) $$;

-- What they are, and what they hold.
SELECT * FROM test.info(:'rows');
SELECT * FROM test.info(:'columns');
SELECT * FROM test.info(:'words');
SELECT * FROM test.info(:'object');
SELECT * FROM test.info(:'types');
SELECT * FROM test.info(:'tensors');
SELECT format, name, dtype, shape, encoding, bytes, checksum, details FROM tq_file_info(:'deflated');
SELECT i.* FROM unnest(ARRAY['fvecs', 'bvecs', 'ivecs', 'fbin', 'u8bin', 'i8bin']) s,
    test.info(:'data' || '/six.' || s) i;

-- Into a column of floats: every order, every type.
CREATE TABLE test.arrays_in (n bigint GENERATED ALWAYS AS IDENTITY, v real[], d double precision[]);
CREATE FUNCTION test.loaded() RETURNS TABLE (rows bigint, first text, last text) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT count(*), (array_agg(coalesce(v::text, p.d::text) ORDER BY n))[1],
        (array_agg(coalesce(v::text, p.d::text) ORDER BY n DESC))[1] FROM test.arrays_in p;
    TRUNCATE test.arrays_in RESTART IDENTITY;
END $$;
CREATE FUNCTION test.imported(path text, options jsonb) RETURNS TABLE (count bigint, rows bigint, first text, last text)
LANGUAGE plpgsql AS $$
BEGIN
    count := tq_import('test.arrays_in', path, options);
    SELECT * INTO rows, first, last FROM test.loaded();
    RETURN NEXT;
END $$;
COPY test.arrays_in (v) FROM :'rows' WITH (FORMAT npy);
SELECT * FROM test.loaded();
COPY test.arrays_in (d) FROM :'columns' WITH (FORMAT npy);
SELECT * FROM test.loaded();
SELECT t, i.* FROM unnest(ARRAY['f64', 'f16', 'bf16', 'f8_e4m3', 'f8_e5m2', 'i8', 'u64', 'all F8_E5M2']) t,
    test.imported(:'types', jsonb_build_object('tensor', t, 'column', 'v')) i;
SELECT s, i.* FROM unnest(ARRAY['fvecs', 'bvecs', 'ivecs', 'fbin', 'u8bin', 'i8bin']) s,
    test.imported(:'data' || '/six.' || s, '{"column": "v"}') i;

-- Compressed on the way in, scaled first, rows that can't be left out.
CREATE TABLE test.packed (id bigint, e tqvec(5, 4));
SELECT f.* FROM test.failure(format('COPY test.packed (e) FROM %L (FORMAT npy)', :'rows')) f;
COPY test.packed (id, e) FROM :'rows' WITH (FORMAT npy, IDS 'ordinal', NORMALIZE true);
COPY test.arrays_in (v) FROM :'rows' WITH (FORMAT npy);
SELECT count(*), bool_and(e = tq_compress(tq_normalize(v), 4)) AS equal FROM test.packed JOIN test.arrays_in ON id = n;
TRUNCATE test.packed; TRUNCATE test.arrays_in RESTART IDENTITY;
-- Row 2 is zero.
COPY (SELECT CASE id WHEN 2 THEN array_fill(0::real, ARRAY[5]) ELSE test.unit(id, 5) END FROM generate_series(1, 4) id)
    TO :'numbers' WITH (FORMAT npy);
COPY test.packed (id, e) FROM :'numbers' WITH (FORMAT npy, IDS 'ordinal', ON_ERROR ignore);
COPY test.packed (id, e) FROM :'numbers' WITH (FORMAT npy, IDS 'ordinal', ON_ERROR 'null', NORMALIZE true);
SELECT id, count(*), count(e) FROM test.packed GROUP BY 1 ORDER BY 1;
TRUNCATE test.packed;

-- Ids from another tensor of the file, or from another file.
CREATE TABLE test.named (id text, v real[]);
COPY test.named (id, v) FROM :'tensors' WITH (FORMAT safetensors, TENSOR 'embedding', IDS_TENSOR 'ids');
SELECT id, v[1] FROM test.named;
TRUNCATE test.named;
COPY test.named (id, v) FROM :'deflated' WITH (FORMAT npz, IDS_TENSOR 'ids');
SELECT tq_import('test.named', :'stored', '{"id_column": "id", "tensor": "v", "ids_tensor": "ids"}');
SELECT count(*), count(DISTINCT id), count(DISTINCT v) FROM test.named;
TRUNCATE test.named;
SELECT tq_import('test.named', :'numbers', jsonb_build_object('id_column', 'id', 'ids_file', :'words'));
SELECT id, array_length(v, 1) FROM test.named;
TRUNCATE test.named;
CREATE TABLE test.numbered (v real[], id bigint);
COPY (SELECT test.unit(i, 8) FROM generate_series(1, 6) i) TO :'floats' WITH (FORMAT fbin);
COPY test.numbered (id, v) FROM :'floats' WITH (FORMAT fbin, IDS_FILE :'tensors', IDS_TENSOR 'ids') WHERE id > 10;
SELECT n.id, i FROM test.numbered n, generate_series(1, 6) i WHERE v = test.unit(i, 8);
SELECT tq_convert(:'tensors', :'out', '{"format": "qvec", "source_tensor": "embedding", "ids_tensor": "ids"}');
SELECT dtype, shape, details->>'ids' AS ids FROM tq_file_info(:'out');
COPY test.named (id, v) FROM :'out' WITH (FORMAT qvec);
SELECT array_agg(id) FROM test.named;
SELECT f.message, f.code, f.hint FROM (VALUES
    ('safetensors, TENSOR ''embedding'', IDS_TENSOR ''idz'''),
    ('safetensors, TENSOR ''embedding'', IDS_TENSOR ''cube'''),
    ('safetensors, TENSOR ''embedding'', IDS_TENSOR ''ids'', IDS ''ordinal''')) o(options),
    test.failure(format('COPY test.numbered (id, v) FROM %L (FORMAT %s)', :'tensors', options)) f;
SELECT f.message, f.code, f.hint FROM (VALUES
    (:'words'), (:'vector'), (:'tensors'), (:'rows'), (:'out'), ('ids.npy'), (:'data' || '/README.md')) o(file),
    test.failure(format('COPY test.numbered (id, v) FROM %L (FORMAT npy, IDS_FILE %L)', :'rows', file)) f;
SELECT f.* FROM test.failure(format('COPY test.numbered (v) FROM %L (FORMAT npy, IDS_FILE %L)', :'rows', :'words')) f;

-- Out, and in again.
CREATE TABLE test.from (id int, v real[], d double precision[]);
INSERT INTO test.from SELECT i, v, v::double precision[] || ARRAY[1/3.0::double precision]
    FROM (SELECT i, test.unit(i, 24) AS v FROM generate_series(1, 50) i) s;
COPY (SELECT v FROM test.from ORDER BY id) TO :'numbers' WITH (FORMAT npy);
SELECT * FROM test.info(:'numbers');
COPY test.arrays_in (v) FROM :'numbers' WITH (FORMAT npy);
SELECT count(*), bool_and(p.v = f.v) AS equal FROM test.arrays_in p JOIN test.from f ON n = id;
TRUNCATE test.arrays_in RESTART IDENTITY;
COPY (SELECT d FROM test.from ORDER BY id) TO :'numbers' WITH (FORMAT npy, DTYPE 'f64');
COPY test.arrays_in (d) FROM :'numbers' WITH (FORMAT npy);
SELECT count(*), bool_and(p.d = f.d) AS equal FROM test.arrays_in p JOIN test.from f ON n = id;
TRUNCATE test.arrays_in RESTART IDENTITY;
COPY (SELECT v FROM test.from ORDER BY id) TO :'out'
    WITH (FORMAT safetensors, TENSOR 'x', DTYPE 'bf16', METADATA '{"model": "m"}');
SELECT * FROM test.info(:'out');
SELECT convert_from(substr(pg_read_binary_file(:'out'), 9, 40), 'UTF8');
COPY test.arrays_in (v) FROM :'out' WITH (FORMAT safetensors);
SELECT count(*), max(test.l2(p.v, f.v)) < 0.01 AS close FROM test.arrays_in p JOIN test.from f ON n = id;
TRUNCATE test.arrays_in RESTART IDENTITY;
SELECT tq_export('SELECT v FROM test.from ORDER BY id', :'floats', '{"format": "fbin"}');
SELECT tq_convert(:'floats', :'out', '{"format": "safetensors", "dtype": "f16"}');
SELECT tq_convert(:'out', :'numbers', '{"format": "npy", "dtype": "f16"}');
SELECT tq_convert(:'numbers', :'corpus', '{"format": "tqcv", "bit_width": 8, "rotation": "hadamard"}');
SELECT i.format, i.name, i.dtype, i.shape
 FROM unnest(ARRAY[:'floats', :'out', :'numbers', :'corpus']) s, tq_file_info(s) i;

-- Refused.
SELECT f.message, f.code, f.hint FROM (VALUES
    (format('COPY test.from (v) TO %L (FORMAT fvecs)', :'out')),
    (format('COPY test.from (v) TO %L (FORMAT npz)', :'out')),
    (format('COPY test.from (v) FROM %L (FORMAT npz, TENSOR ''x'')', :'stored')),
    (format('COPY test.from (v) TO %L (FORMAT npy, DTYPE ''bf16'')', :'out')),
    (format('COPY test.from (v) TO %L (FORMAT npy, METADATA ''{}'')', :'out')),
    (format('COPY test.from (v) TO %L (FORMAT fbin, DTYPE ''f16'')', :'out')),
    (format('COPY test.from (v) TO %L (FORMAT safetensors, TENSOR ''__metadata__'')', :'out')),
    (format('COPY test.from (id, v) TO %L (FORMAT npy)', :'out')),
    (format('SELECT tq_convert(%L, %L, ''{"format": "ivecs"}'')', :'floats', :'out')),
    (format('SELECT tq_export(''SELECT v FROM test.from'', %L, ''{"format": "u8bin"}'')', :'out')),
    (format('SELECT tq_merge(%L, ARRAY[%L, %L])', :'out', :'numbers', :'numbers')),
    (format('COPY test.from (v) FROM %L (FORMAT npy)', :'vector')),
    (format('COPY test.from (v) FROM %L (FORMAT npy)', :'object')),
    (format('COPY test.from (v) FROM %L (FORMAT safetensors)', :'types')),
    (format('COPY test.from (v) FROM %L (FORMAT safetensors, TENSOR ''cube'')', :'tensors')),
    (format('COPY test.from (v) FROM %L (FORMAT npy)', :'tensors')),
    (format('COPY test.from (v) FROM %L (FORMAT fvecs)', :'data' || '/six.ivecs')),
    (format('COPY test.from (v) FROM %L (FORMAT fbin)', :'data' || '/six.fvecs')),
    (format('COPY test.from (v) FROM %L (FORMAT fvecs)', :'data' || '/README.md')),
    (format('SELECT tq_file_info(%L)', :'data' || '/README.md'))) s(statement),
    test.failure(statement) f;
DROP TABLE test.arrays_in, test.packed, test.named, test.numbered, test.from;
DROP FUNCTION test.info, test.imported, test.loaded;
