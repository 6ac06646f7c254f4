-- Beside pgvector: casts, made by a call or by CREATE EXTENSION.
\getenv abs_srcdir PG_ABS_SRCDIR
\set hijack :abs_srcdir '/data/hijack.sql'
SET client_min_messages = warning;
SELECT * FROM (SELECT castsource::regtype::text AS source, casttarget::regtype::text AS target, castcontext FROM pg_cast) c
WHERE 'tqvec' IN (source, target) ORDER BY 1, 2;
\set SHOW_CONTEXT never
SELECT tq_enable_pgvector();

CREATE EXTENSION vector;
SELECT tq_enable_pgvector();
RESET client_min_messages;
SELECT tq_enable_pgvector();
SELECT * FROM (SELECT castsource::regtype::text AS source, casttarget::regtype::text AS target, castcontext FROM pg_cast) c
WHERE 'tqvec' IN (source, target) ORDER BY 1, 2;

-- Assignment from both of its types, under modifiers.
CREATE TABLE items (id int, v vector(4), h halfvec(4), e tqvec(4, 4), f tqvec(4, 8, residual), g tqvec(4, 2, hadamard));
INSERT INTO items (id, v, h) VALUES (1, '[0.5, 0.5, 0.5, 0.5]', '[0, 0.6, 0, 0.8]'), (2, '[0, 0, 0.6, 0.8]', '[1, 0, 0, 0]');
UPDATE items SET e = v, f = h, g = v;
INSERT INTO items (id, e, f) SELECT 3, h, v FROM items WHERE id = 1;
SELECT id, e = tq_compress(coalesce(v, (SELECT h FROM items WHERE id = 1))::real[], 4) AS e,
       f = coalesce(h::real[], (SELECT v::real[] FROM items WHERE id = 1))::tqvec(4, 8, residual) AS f,
       g = tq_compress(v::real[], 2, false, 'hadamard') AS g
FROM items ORDER BY id;
-- Back, explicitly.
SELECT id, l2_distance(v, f::vector) < 2 AS vector, l2_distance(h::vector, f::vector(4)) < 0.001 AS same,
       l2_distance(h, f::halfvec(4)) < 0.001 AS halfvec FROM items WHERE id < 3 ORDER BY id;
INSERT INTO items (id, v) SELECT 4, e FROM items WHERE id = 1;
SELECT v::tqvec(5, 4) FROM items;
SELECT v::tqvec(4, 4) FROM (SELECT '[3, 4, 0, 0]'::vector AS v) s;
SELECT f::vector(5) FROM items;
SELECT f::halfvec(3) FROM items;

-- The planner sees through the SQL functions.
EXPLAIN (VERBOSE, COSTS OFF) SELECT v::tqvec(4, 4), e::vector(4) FROM items;
CALL tq_compress_column('items', 'v', 'g');

-- Neither extension makes the other's operators ambiguous.
SELECT id, v <-> '[0, 0, 0.6, 0.8]' < 1 AS v, f <-> '[1, 0, 0, 0]' < 0.001 AS f, '[1, 0, 0, 0]' <=> f < 0.001 AS literal,
       v <=> '[1, 0, 0, 0]'::vector < 1 AS vectors, f <=> v < 1 AS mixed, v <=> f < 1 AS turned
FROM items WHERE id < 3 ORDER BY id;

-- A query of its types is converted once: without the planner's help each of these would call a cast for every row.
SET track_functions = 'all';
SET plan_cache_mode = force_generic_plan;
SET stats_fetch_consistency = none;
CREATE TABLE many AS SELECT i, tq_compress(tq_normalize(ARRAY[i, 1, 2, 3]::real[]), 8) AS e FROM generate_series(1, 1000) i;
CREATE FUNCTION of_both(q vector, h halfvec) RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN
    RETURN (SELECT sum(e <=> q) + sum(e <=> h::real[]) + sum(h::vector(4)::real[] <=> e) FROM many); END $$;
SELECT pg_stat_reset();
SELECT round(of_both('[1, 2, 3, 4]', '[1, 2, 3, 4]')::numeric, 4) AS of_both;
SELECT round(sum(e <=> (SELECT v FROM items WHERE id = 1))::numeric, 4) AS vector,
       round(sum(e <=> (SELECT v FROM items WHERE id = 1)::vector(4))::numeric, 4) AS modified,
       round(sum(e <-> (SELECT h FROM items WHERE id = 1)::real[])::numeric, 4) AS halfvec,
       round(sum(e <-> (SELECT h FROM items WHERE id = 1)::vector)::numeric, 4) AS chain FROM many;
SELECT i.id, round(sum(m.e <=> i.v)::numeric, 4) AS d FROM items i, many m WHERE i.v IS NOT NULL GROUP BY i.id ORDER BY i.id;
WITH q AS MATERIALIZED (SELECT v FROM items WHERE id = 2) SELECT round(sum(e <=> v)::numeric, 4) AS cte FROM q, many;
SELECT pg_stat_force_next_flush();
SELECT funcname, calls FROM pg_stat_user_functions WHERE funcname IN ('vector_to_float4', 'halfvec_to_float4', 'halfvec_to_vector', 'vector') ORDER BY 1;
EXPLAIN (VERBOSE, COSTS OFF) SELECT m.e <=> i.v, m.e <-> i.h::vector(4), m.e <-> i.e::vector FROM many m, items i;
DROP TABLE many;
DROP FUNCTION of_both;
RESET track_functions;
RESET plan_cache_mode;
RESET stats_fetch_consistency;

-- Nor does a search path full of namesakes decide what the casts are.
SET client_min_messages = warning;
\set ECHO none
\i :hijack
\set ECHO all
DROP CAST (vector AS tqvec);
DROP CAST (tqvec AS halfvec);
DROP FUNCTION tqvec(vector, integer, boolean);
DROP FUNCTION halfvec(tqvec, integer, boolean);
SET search_path = hijack, pg_catalog, public;
SELECT '[1, 0]'::vector;
SELECT public.tq_enable_pgvector();
SELECT id, (v::public.tqvec(4, 4)) OPERATOR(public.=) e AS same, e::public.vector(4) IS NOT NULL AND e::public.halfvec IS NOT NULL AS back
FROM public.items WHERE id OPERATOR(pg_catalog.<) 3 ORDER BY id USING OPERATOR(pg_catalog.<);
RESET search_path;
SELECT pg_get_functiondef(castfunc) FROM pg_cast WHERE 'tqvec'::regtype IN (castsource, casttarget)
AND (castsource::regtype::text, casttarget::regtype::text) IN (('vector', 'tqvec'), ('tqvec', 'halfvec')) ORDER BY 1;
DROP SCHEMA hijack CASCADE;
RESET client_min_messages;

-- Whatever part is missing is restored: each cast alone, each function with it, and all combinations of them. `whole` counts what
-- there should be: four casts, their functions, and that all of them go with the extension.
CREATE VIEW whole AS SELECT count(*) AS casts, count(castfunc) AS functions,
       count(*) FILTER (WHERE EXISTS (SELECT FROM pg_depend WHERE objid = c.oid AND classid = 'pg_cast'::regclass AND deptype = 'x')) AS casts_tied,
       count(*) FILTER (WHERE EXISTS (SELECT FROM pg_depend WHERE objid = castfunc AND classid = 'pg_proc'::regclass AND deptype = 'x')) AS functions_tied
FROM pg_cast c WHERE (castsource, casttarget) IN (SELECT 'tqvec'::regtype, oid FROM pg_type WHERE oid IN ('vector'::regtype, 'halfvec'::regtype)
    UNION ALL SELECT oid, 'tqvec'::regtype FROM pg_type WHERE oid IN ('vector'::regtype, 'halfvec'::regtype));
SELECT * FROM whole;
SET client_min_messages = warning;
DO $$
DECLARE
    casts text[] := '{vector AS tqvec,tqvec AS vector,halfvec AS tqvec,tqvec AS halfvec}';
    functions text[] := '{"tqvec(vector, integer, boolean)","vector(tqvec, integer, boolean)","tqvec(halfvec, integer, boolean)","halfvec(tqvec, integer, boolean)"}';
    found record;
BEGIN
    -- For each of the four: 0 nothing, 1 the cast, 2 the function and with it the cast is dropped.
    FOR round IN 1 .. 80 LOOP
        FOR i IN 1 .. 4 LOOP
            CASE round / (3 ^ (i - 1))::int % 3
                WHEN 1 THEN EXECUTE format('DROP CAST (%s)', casts[i]);
                WHEN 2 THEN EXECUTE format('DROP FUNCTION %s CASCADE', functions[i]);
                ELSE NULL;
            END CASE;
        END LOOP;
        PERFORM tq_enable_pgvector();
        SELECT * INTO found FROM whole;
        IF found IS DISTINCT FROM ROW (4::bigint, 4::bigint, 4::bigint, 4::bigint) OR '[0.6, 0.8]'::vector::tqvec(2, 8)::halfvec::tqvec(2, 8)::vector(2) IS NULL
        THEN RAISE EXCEPTION 'round %: %', round, found;
        END IF;
    END LOOP;
END $$;
RESET client_min_messages;
-- So is that they go with the extension, which a dump doesn't say of casts.
DELETE FROM pg_depend WHERE classid = 'pg_cast'::regclass AND deptype = 'x' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'tinyquant');
ALTER FUNCTION tqvec(halfvec, integer, boolean) NO DEPENDS ON EXTENSION tinyquant;
SELECT * FROM whole;
SELECT tq_enable_pgvector();
SELECT * FROM whole;
-- A function that somebody has put in the way is made ours; a cast of somebody's own stays.
CREATE ROLE pgvector_somebody;
DROP CAST (tqvec AS halfvec);
ALTER FUNCTION halfvec(tqvec, integer, boolean) OWNER TO pgvector_somebody;
DROP CAST (halfvec AS tqvec);
CREATE CAST (halfvec AS tqvec) WITH INOUT AS ASSIGNMENT;
SELECT tq_enable_pgvector();
SELECT proowner::regrole = 'postgres'::regrole AS ours FROM pg_proc WHERE oid = 'halfvec(tqvec, integer, boolean)'::regprocedure;
SELECT castmethod FROM pg_cast WHERE castsource = 'halfvec'::regtype AND casttarget = 'tqvec'::regtype;
DROP CAST (halfvec AS tqvec);
SELECT tq_enable_pgvector();
SELECT * FROM whole;
DROP ROLE pgvector_somebody;
DROP VIEW whole;

-- Who may make them.
CREATE ROLE pgvector_user;
SET ROLE pgvector_user;
SELECT tq_enable_pgvector();
RESET ROLE;
DROP CAST (vector AS tqvec);
DROP FUNCTION tqvec(vector, integer, boolean);
SET ROLE pgvector_user;
SELECT tq_enable_pgvector();
RESET ROLE;
SELECT tq_enable_pgvector();
DROP ROLE pgvector_user;

-- pgvector's indexes, on what records decode to.
CREATE TABLE indexed (id int, e tqvec(64, 4));
INSERT INTO indexed SELECT i, tq_normalize(array_agg(hashint8extended(j, i)::real)) FROM generate_series(1, 500) i, generate_series(1, 64) j GROUP BY i;
CREATE INDEX by_half ON indexed USING hnsw ((e::halfvec(64)) halfvec_cosine_ops);
CREATE INDEX by_bits ON indexed USING hnsw ((binary_quantize(e::vector(64))::bit(64)) bit_hamming_ops);
SELECT e::vector(64) AS query FROM indexed WHERE id = 7 \gset
CREATE FUNCTION uses(index text, query text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN plan::text LIKE '%"Index Name": "' || index || '"%';
END $$;
SET enable_seqscan = off;
SET enable_sort = off;
SELECT uses('by_half', format('SELECT id FROM indexed ORDER BY e::halfvec(64) <=> %L LIMIT 1', :'query'));
SELECT id FROM indexed ORDER BY e::halfvec(64) <=> :'query' LIMIT 1;
PREPARE ranked(vector) AS SELECT id FROM (SELECT id, e FROM indexed
    ORDER BY binary_quantize(e::vector(64))::bit(64) <~> binary_quantize($1)::bit(64) LIMIT 20) candidates ORDER BY e <=> $1 LIMIT 1;
EXECUTE ranked(:'query');
SELECT uses('by_bits', format('EXECUTE ranked(%L)', :'query'));
RESET enable_seqscan;
RESET enable_sort;
DROP TABLE indexed;

-- What depends on pgvector, and what its going leaves.
DROP EXTENSION vector;
\set VERBOSITY terse
DROP EXTENSION vector CASCADE;
\set VERBOSITY default
SELECT * FROM items ORDER BY id LIMIT 0;
SELECT count(e) FROM items;

-- pgvector is there first; in a schema of its own, as are we.
DROP TABLE items;
DROP EXTENSION tinyquant;
CREATE SCHEMA "their schema";
CREATE SCHEMA ours;
CREATE EXTENSION vector SCHEMA "their schema";
CREATE EXTENSION tinyquant SCHEMA ours;
SELECT count(*) FROM pg_cast WHERE 'ours.tqvec'::regtype IN (castsource, casttarget);
SET search_path = pg_catalog;
SELECT '[0.6, 0.8]'::"their schema".vector::ours.tqvec(2, 8)::"their schema".vector(2) IS NOT NULL AS works;
ALTER TABLE tq_catalog.tq_codec SET SCHEMA ours;
ALTER EXTENSION tinyquant SET SCHEMA public;
ALTER TABLE public.tq_codec SET SCHEMA tq_catalog;
SELECT '[0.6, 0.8]'::"their schema".vector::public.tqvec(2, 8)::"their schema".vector(2) IS NOT NULL AS works;
RESET search_path;
-- They go with us.
DROP EXTENSION tinyquant;
SELECT count(*) FROM pg_proc WHERE proname = 'tqvec';
-- A dump brings its own.
SET row_security = off;
CREATE EXTENSION tinyquant;
RESET row_security;
SELECT count(*) FROM pg_cast WHERE 'tqvec'::regtype IN (castsource, casttarget);
