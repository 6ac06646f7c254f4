-- Doubles stay doubles: double precision[] and tensors of f64, both ways, to the bit.
\getenv abs_srcdir PG_ABS_SRCDIR
\getenv abs_builddir PG_ABS_BUILDDIR
\set data :abs_srcdir '/data'
\set za :data '/v01_dense.zt'
\set many :data '/many.bpk'
\set out :abs_builddir '/results/doubles.out'
\set other :abs_builddir '/results/doubles.other'

CREATE TABLE test.kept_doubles (n int PRIMARY KEY, d double precision[]);
INSERT INTO test.kept_doubles VALUES
    (1, '{1e300, -1.7976931348623157e308, 5e-324}'), (2, '{0.1, -0, 16777217}'), (3, '{0.3333333333333333, 0, -2.5}');
CREATE TABLE test.again (n int GENERATED ALWAYS AS IDENTITY, d double precision[]);
-- Equal numbers, and equal bits of the one that compares equal to another.
CREATE FUNCTION test.came_back() RETURNS TABLE (count bigint, equal boolean) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT count(*), bool_and(a.d = d.d AND a.d::text = d.d::text) FROM test.again a JOIN test.kept_doubles d USING (n);
    TRUNCATE test.again RESTART IDENTITY;
END $$;

COPY (SELECT d FROM test.kept_doubles ORDER BY n) TO :'out' (FORMAT ztensor, DTYPE 'f64');
SELECT dtype, shape FROM tq_file_info(:'out');
COPY test.again (d) FROM :'out' (FORMAT ztensor);
SELECT * FROM test.came_back();
SELECT tq_import('test.again', :'out');
SELECT * FROM test.came_back();
COPY (SELECT d FROM test.kept_doubles ORDER BY n) TO :'out' (FORMAT ztensor, DTYPE 'f64', SPARSE, COMPRESSION zstd, VERSION 1);
COPY test.again (d) FROM :'out' (FORMAT ztensor);
SELECT * FROM test.came_back();
SELECT tq_export('SELECT d FROM test.kept_doubles ORDER BY n', :'out', '{"format": "burnpack", "dtype": "f64"}');
SELECT dtype, shape FROM tq_file_info(:'out');
COPY test.again (d) FROM :'out' (FORMAT burnpack);
SELECT * FROM test.came_back();

-- From file to file: converted, merged, and converted again.
SELECT tq_convert(:'out', :'other', '{"format": "ztensor", "dtype": "f64", "compression": "zstd"}');
COPY test.again (d) FROM :'other' (FORMAT ztensor);
SELECT * FROM test.came_back();
SELECT tq_merge(:'out', ARRAY[:'other']);
COPY test.again (d) FROM :'out' (FORMAT ztensor);
SELECT * FROM test.came_back();
SELECT tq_convert(:'out', :'other', '{"format": "burnpack", "dtype": "f64"}');
SELECT tq_merge(:'out', ARRAY[:'other']);
COPY test.again (d) FROM :'out' (FORMAT burnpack);
SELECT * FROM test.came_back();

-- What has less precision rounds, and takes nothing beyond its range.
CREATE TABLE test.singles_of (r real[]);
CREATE TABLE test.records_of (e tqvec(3, 8, residual));
SELECT f.* FROM (VALUES
    (format('COPY test.singles_of FROM %L (FORMAT burnpack)', :'out')),
    (format('COPY test.records_of FROM %L (FORMAT burnpack)', :'out')),
    (format('COPY (SELECT d FROM test.kept_doubles ORDER BY n DESC) TO %L (FORMAT burnpack)', :'out')),
    (format('COPY (SELECT d FROM test.kept_doubles ORDER BY n DESC) TO %L (FORMAT ztensor, DTYPE f16)', :'out')),
    (format('SELECT tq_convert(%L, %L, %L)', :'other', :'out', '{"format": "ztensor"}')),
    (format('COPY (SELECT ''{1, NaN}''::float8[]) TO %L (FORMAT ztensor, DTYPE f64)', :'out')),
    (format('COPY (SELECT ''{1, Infinity}''::float8[]) TO %L (FORMAT burnpack, DTYPE f64)', :'out'))) s(statement), test.failure(statement) f;
COPY (SELECT d FROM test.kept_doubles WHERE n > 1 ORDER BY n) TO :'out' (FORMAT ztensor, DTYPE 'f64');
COPY test.singles_of FROM :'out' (FORMAT ztensor);
SELECT array_agg(r) = (SELECT array_agg(d::real[] ORDER BY n) FROM test.kept_doubles WHERE n > 1) AS rounded FROM test.singles_of;
COPY (SELECT d FROM test.kept_doubles WHERE n = 3) TO :'out' (FORMAT ztensor, DTYPE 'f64');
COPY test.records_of FROM :'out' (FORMAT ztensor);
SELECT count(*), bool_and(e = tq_compress(d::real[], 8, true)) AS compressed FROM test.records_of, test.kept_doubles WHERE n = 3;
-- What is too small becomes 0.
COPY (SELECT '{1e-300, -1e-300, 1}'::float8[]) TO :'out' (FORMAT burnpack, DTYPE 'f64');
TRUNCATE test.singles_of;
COPY test.singles_of FROM :'out' (FORMAT burnpack);
SELECT r FROM test.singles_of;

-- Tensors of f64 that others have made.
TRUNCATE test.again RESTART IDENTITY;
COPY test.again (d) FROM :'za' (FORMAT ztensor, TENSOR 'emb.f64');
SELECT count(*), bool_or(d <> d::real[]::float8[]) AS more_than_singles FROM test.again;
TRUNCATE test.again RESTART IDENTITY;
COPY test.again (d) FROM :'many' (FORMAT burnpack, TENSOR 'k.f64');
SELECT count(*), bool_or(d <> d::real[]::float8[]) AS more_than_singles FROM test.again;

DROP TABLE test.kept_doubles, test.again, test.singles_of, test.records_of;
DROP FUNCTION test.came_back();
