-- The binary form of pgvector's types, sent where a tqvec is expected: the error says what came.
\getenv abs_builddir PG_ABS_BUILDDIR
\set out :abs_builddir '/results/receive.out'
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vector;
-- The test before this one has moved it.
SELECT format('SET search_path = public, %s', extnamespace::regnamespace::text) FROM pg_extension WHERE extname = 'vector' \gexec
CREATE TABLE received (e tqvec);
\set VERBOSITY terse
COPY (SELECT array_fill(0.1::real, ARRAY[1536])::vector) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT array_fill(0.1::real, ARRAY[384])::halfvec) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
COPY (SELECT '{1:0.5,7:2}/1000'::sparsevec) TO :'out' (FORMAT binary);
COPY received FROM :'out' (FORMAT binary);
DROP TABLE received;
