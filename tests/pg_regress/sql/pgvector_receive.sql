-- The binary forms of pgvector's types and of arrays, sent where a tqvec is expected: they are compressed as a cast would.
\getenv abs_builddir PG_ABS_BUILDDIR
\set out :abs_builddir '/results/receive.out'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vector;
-- The test before this one has moved it.
SELECT set_config('search_path', 'public, ' || extnamespace::regnamespace, false) FROM pg_extension WHERE extname = 'vector' \g /dev/null
SELECT tq_enable_pgvector() \g /dev/null
CREATE TABLE received (e tqvec(384, 4));
CREATE TABLE sent AS SELECT i, l2_normalize(array_agg(sin((i + 1) * j)::real ORDER BY j)::vector) AS v FROM generate_series(1, 50) i, generate_series(1, 384) j GROUP BY i;
COPY (SELECT v FROM sent ORDER BY i) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
SELECT count(*) FROM received, sent WHERE e = v::tqvec(384, 4);
TRUNCATE received;
COPY (SELECT v::halfvec FROM sent ORDER BY i) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
SELECT count(*) FROM received, sent WHERE e = v::halfvec::tqvec(384, 4);
TRUNCATE received;
COPY (SELECT v::real[] FROM sent ORDER BY i) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT v::real[]::float8[] FROM sent ORDER BY i) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
SELECT count(*) FROM received, sent WHERE e = v::tqvec(384, 4);
TRUNCATE received;
-- Records among them are records.
COPY (SELECT v::tqvec(384, 4) FROM sent ORDER BY i) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
SELECT count(*) FROM received, sent WHERE e = v::tqvec(384, 4);

-- Under other modifiers.
CREATE TABLE otherwise (e tqvec, n tqvec(3, 8, normalize), r tqvec(3, 8, residual));
COPY (SELECT '[0, 3, 4]'::vector, '[0, 3, 4]'::vector, '{0, 3, 4}'::int[]) TO :'out' (FORMAT binary);
COPY otherwise FROM :'out' (FORMAT binary);
SELECT e::vector(3) <-> '[0, 3, 4]' < 0.01 AS floats, n::vector(3) <-> '[0, 0.6, 0.8]' < 0.01 AS unit, r::vector(3) <-> '[0, 3, 4]' < 0.01 AS residual FROM otherwise;

-- What is refused.
\set SHOW_CONTEXT never
\set VERBOSITY terse
COPY (SELECT '[0, 3, 4]'::vector) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT array_fill(0::real, ARRAY[384])::vector) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT '{1:0.5,7:2}/1000'::sparsevec) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT array_fill('NaN'::real, ARRAY[384])) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT array_fill('Infinity'::float8, ARRAY[384])) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT '{}'::real[]) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT '{{1, 2}, {3, 4}}'::real[]) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT '{1, NULL}'::real[]) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT '{1, 2}'::numeric[]) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
-- A vector of no dimension, of more than there are, and one whose size is another: nothing that pgvector sends.
COPY (SELECT '\x00000000'::bytea) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT '\x40010000'::bytea || decode(repeat('3f800000', 16385), 'hex')) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT '\x000200003f800000'::bytea || '\x00') TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
-- A halfvec with an infinity, which pgvector doesn't have.
COPY (SELECT '\x01800000'::bytea || decode(repeat('7c00', 384), 'hex')) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
SELECT count(*) FROM received;
DROP TABLE received, sent, otherwise;
