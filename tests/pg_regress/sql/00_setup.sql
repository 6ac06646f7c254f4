-- The extension, and what the other tests share.
\set ECHO none
\set QUIET on
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS tinyquant;
CREATE SCHEMA test;

-- Runs a statement that is expected to fail, and shows all of its error that is ours.
CREATE FUNCTION test.failure(statement text) RETURNS TABLE (code text, message text, detail text, hint text)
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    code := '00000';
    RETURN NEXT;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, message = MESSAGE_TEXT,
        detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
    -- Paths differ from machine to machine.
    message := regexp_replace(message, '"/[^"]*/', '"…/', 'g');
    detail := regexp_replace(detail, '"/[^"]*/', '"…/', 'g');
    RETURN NEXT;
END $$;

-- Distances by definition, in double precision.
CREATE FUNCTION test.l2(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE
    AS 'SELECT sqrt(sum((x::float8 - y) ^ 2)) FROM unnest(a, b) t(x, y)';
CREATE FUNCTION test.ip(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE
    AS 'SELECT sum(x::float8 * y) FROM unnest(a, b) t(x, y)';
CREATE FUNCTION test.cosine(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE
    AS 'SELECT 1 - test.ip(a, b) / sqrt(test.ip(a, a) * test.ip(b, b))';
CREATE FUNCTION test.l1(a real[], b real[]) RETURNS float8 LANGUAGE sql IMMUTABLE
    AS 'SELECT sum(abs(x::float8 - y)) FROM unnest(a, b) t(x, y)';

-- A seeded unit vector of any dimension; the seeds need not be near each other.
CREATE FUNCTION test.unit(seed int, dimension int) RETURNS real[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT tq_normalize(array_agg((hashint8extended(i, seed) % 100000)::real ORDER BY i))
    FROM generate_series(1, dimension) i
$$;
\set QUIET off
\set ECHO all
SELECT extname, extrelocatable FROM pg_extension WHERE extname = 'tinyquant';
