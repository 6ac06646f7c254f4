-- No function of the extension lets a search path decide what runs: here each is called where namesakes of everything in pg_catalog
-- and of the extension's own objects come first, and where temporary ones do. A namesake that is used fails: "cannot accept a
-- value of type any". What the statements below name themselves, they name with its schema.
\getenv abs_srcdir PG_ABS_SRCDIR
\getenv abs_builddir PG_ABS_BUILDDIR
\set hijack :abs_srcdir '/data/hijack.sql'
\set corpus :abs_builddir '/results/path.tqcv'
\set book :abs_builddir '/results/path.tqcb'
\set json :abs_builddir '/results/path.json'
SET client_min_messages = warning;
SELECT current_schema() AS "the extension's schema" FROM tq_catalog.tq_codec LIMIT 0;

CREATE TABLE test.path (id int, v real[], e tqvec(4, 4), g tqvec GENERATED ALWAYS AS (v::tqvec(4, 8)) STORED, f tqvec, h tqvec DEFAULT '[0, 0, 1, 0]');
CREATE TABLE test.path_part (id int, v real[], e tqvec(4, 4)) PARTITION BY RANGE (id);
CREATE TABLE test.path_part_1 PARTITION OF test.path_part FOR VALUES FROM (0) TO (100);
CREATE INDEX ON test.path (e);
CREATE INDEX ON test.path USING hash (g);
CREATE INDEX ON test.path (tq_norm(g));
-- Statements, and before each one that shows it without the paths of this machine.
CREATE TABLE test.calls (n int GENERATED ALWAYS AS IDENTITY, shown text, statement text);
INSERT INTO test.calls (shown, statement)
SELECT format('VALUES (%L)', '-- ' || regexp_replace(statement, '\s+', ' ', 'g')),
       replace(replace(replace(statement, '$corpus', :'corpus'), '$book', :'book'), '$json', :'json') FROM (VALUES
    -- the table, its constraint and triggers
    ($$TRUNCATE test.path, test.path_part$$),
    ($$SELECT public.tq_create_codec('path', 4, 2, false, 11, '{-1,-0.3,0.3,1}') IS NOT NULL$$),
    ($$SELECT public.tq_create_codec('path too', 4) IS NOT NULL$$),
    ($$INSERT INTO tq_catalog.tq_codec SELECT 'x', 'bad', 4, 2, 12, false, 'haar', '{1,2,3,4}'$$),
    ($$UPDATE tq_catalog.tq_codec SET seed = 1$$),
    -- rows, by way of input, casts, generated columns, defaults and indexes
    ($$INSERT INTO test.path (id, v) SELECT i, public.tq_normalize(ARRAY[i, 2, 3, 4]::pg_catalog.float4[]) FROM pg_catalog.generate_series(1, 40) i$$),
    ($$INSERT INTO test.path_part (id, v) SELECT id, v FROM test.path$$),
    ($$CALL public.tq_compress_column('test.path', 'v', 'e')$$),
    ($$CALL public.tq_compress_column('test.path_part', 'v', 'e', 7)$$),
    ($$CALL public.tq_compress_column('test.path', 'v', 'f', codec => 'path', on_error => 'ignore')$$),
    ($$SELECT pg_catalog.count(*) FROM public.tq_compress_progress()$$),
    ($$INSERT INTO test.path (id, e) VALUES (0, '[1, 0, 0, 0]'), (-1, public.tq_compress('{0,1,0,0}'::pg_catalog.float4[])), (-2, '{0,0,0,1}'::pg_catalog.float8[])$$),
    ($$UPDATE test.path SET f = public.tq_compress('{0,1,0,0}'::pg_catalog.float4[], 'path') WHERE e IS NULL$$),
    ($$SELECT pg_catalog.count(*) FROM (SELECT DISTINCT e, g FROM test.path) d$$),
    ($$ANALYZE test.path$$),
    ($$SELECT pg_catalog.count(*) FROM test.path WHERE e OPERATOR(public.=) '[1, 0, 0, 0]'::public.tqvec(4, 4)$$),
    ($$SELECT pg_catalog.count(*) FROM test.path WHERE e OPERATOR(public.=) '[1, 0, 0, 0]'$$),
    ($$SELECT pg_catalog.count(*) FROM test.path WHERE e OPERATOR(public.=) public.tqvec_comparand('[1, 0, 0, 0]', 131076)$$),
    ($$SELECT pg_catalog.length((e::pg_catalog.bytea)::public.tqvec::pg_catalog.bytea) FROM test.path WHERE id OPERATOR(pg_catalog.=) 0$$),
    -- accessors
    ($$SELECT public.tq_version() IS NOT NULL, public.tq_dimension(e), public.tq_bit_width(e), public.tq_has_residual(e), public.tq_config_hash(e),
              public.tq_norm(e) OPERATOR(pg_catalog.>) 0.9, public.tq_indices(e), pg_catalog.array_length(public.tq_decompress(h), 1)
       FROM test.path WHERE id OPERATOR(pg_catalog.=) 0$$),
    -- distances, each with each pair of arguments, and an unknown codec found by its hash
    ($$SELECT id FROM test.path WHERE g IS NOT NULL ORDER BY g OPERATOR(public.<=>) '[1, 0, 0, 0]' DESC, id LIMIT 3$$),
    ($$SELECT id FROM test.path WHERE g IS NOT NULL ORDER BY g OPERATOR(public.<->) '{1,0,0,0}'::pg_catalog.float4[], id LIMIT 3$$),
    ($$SELECT id FROM test.path WHERE g IS NOT NULL ORDER BY '{1,0,0,0}'::pg_catalog.float4[] OPERATOR(public.<#>) g, id LIMIT 3$$),
    ($$SELECT id FROM test.path WHERE g IS NOT NULL ORDER BY g OPERATOR(public.<+>) '{1,0,0,0}'::pg_catalog.float4[], id LIMIT 3$$),
    ($$SELECT pg_catalog.count(*) FROM test.path WHERE public.tq_l2_distance(f, e) IS NOT NULL AND public.tq_inner_product(f, e) IS NOT NULL AND
              public.tq_negative_inner_product(f, e) IS NOT NULL AND public.tq_cosine_distance(f, e) IS NOT NULL AND public.tq_l1_distance(f, e) IS NOT NULL$$),
    -- and from a query that is converted first
    ($$SELECT pg_catalog.count(g OPERATOR(public.<=>) q::pg_catalog.float4[]) FROM test.path,
              (SELECT v::pg_catalog.float8[] AS q FROM test.path WHERE id OPERATOR(pg_catalog.=) 1 OFFSET 0) s$$),
    ($$SELECT pg_catalog.count(a.g OPERATOR(public.<->) b.h::pg_catalog.float4[]) FROM test.path a, test.path b WHERE b.id OPERATOR(pg_catalog.=) 1$$),
    -- the index: made, filled, searched, looked into
    ($$CREATE INDEX path_e ON test.path USING tinyquant (e public.tqvec_cosine_ops)$$),
    ($$INSERT INTO test.path (id, e) SELECT id OPERATOR(pg_catalog.+) 1000, e FROM test.path$$),
    ($$SET enable_seqscan = off$$),
    ($$SELECT id FROM test.path ORDER BY e OPERATOR(public.<=>) '{1,0,0,0}'::pg_catalog.float4[] LIMIT 2$$),
    ($$SELECT pg_catalog.count(public.tq_decompress_double(g)), pg_catalog.count(g OPERATOR(public.<=>) '{1,0,0,0}'::pg_catalog.numeric[]) FROM test.path$$),
    ($$RESET enable_seqscan$$),
    ($$SELECT metric, dimension FROM public.tq_index_info('test.path_e')$$),
    ($$SELECT * FROM public.tq_index_check('test.path_e', true)$$),
    ($$SELECT queries_asked FROM public.tq_index_recall('test.path_e', 3, 2)$$),
    ($$DROP INDEX test.path_e$$),
    ($$DELETE FROM test.path WHERE id OPERATOR(pg_catalog.>) 900$$),
    -- aggregates, the advisor
    ($$SELECT pg_catalog.array_length(public.sum(e), 1), pg_catalog.array_length(public.avg(f), 1) FROM test.path$$),
    ($$SELECT pg_catalog.array_length(public.tq_train_codebook(v, 2), 1), pg_catalog.array_length(public.tq_train_codebook(v, 2, 7, 'quantile', 20, 'hadamard'), 1) FROM test.path$$),
    ($$SELECT pg_catalog.length(public.tq_train_codec('path of its own', 'SELECT v FROM test.path', 2))$$),
    ($$SELECT ratio OPERATOR(pg_catalog.<) 1.01 FROM public.tq_codec_fit('path of its own', 'SELECT v FROM test.path')$$),
    ($$SELECT pg_catalog.count(*) FROM public.tq_evaluate('SELECT v FROM test.path', 3, 5)$$),
    -- files
    ($$COPY (SELECT id, f FROM test.path WHERE id OPERATOR(pg_catalog.>) 0 ORDER BY id) TO '$corpus' WITH (FORMAT tqcv, METADATA '{"a": 1}')$$),
    ($$SELECT public.tq_export('SELECT id, f FROM test.path WHERE id OPERATOR(pg_catalog.>) 0 ORDER BY id', '$corpus', '{"codec": "path"}')$$),
    ($$SELECT public.tq_export_codec('path', '$book', '$json')$$),
    ($$SELECT public.tq_export_codec('tqvec(4, 4)', '$book.2', '$json.2')$$),
    ($$SELECT records, codec FROM public.tq_corpus_info('$corpus')$$),
    ($$SELECT pg_catalog.count(embedding) FROM public.tq_corpus_scan('$corpus')$$),
    ($$SELECT ordinal FROM public.tq_corpus_search('$corpus', '{1,0,0,0}', 2)$$),
    ($$SELECT * FROM public.tq_corpus_verify('$corpus')$$),
    ($$SELECT format, shape FROM public.tq_file_info('$corpus')$$),
    ($$SELECT public.tq_convert('$corpus', '$corpus.zt', '{"format": "ztensor"}')$$),
    ($$SELECT public.tq_merge('$corpus.2', ARRAY['$corpus'], '{"ids": "drop"}')$$),
    ($$COPY test.path (id, v) FROM '$corpus.zt' WITH (FORMAT ztensor, IDS 'ordinal') WHERE id OPERATOR(pg_catalog.<) 0$$),
    ($$COPY (SELECT v FROM test.path WHERE v IS NOT NULL) TO '$corpus.zt' WITH (FORMAT ztensor)$$),
    ($$SELECT public.tq_drop_codec('path')$$),
    ($$COPY test.path (id, f) FROM '$corpus' WITH (FORMAT tqcv)$$),
    ($$SELECT name OPERATOR(pg_catalog.=) config_hash FROM tq_catalog.tq_codec WHERE seed OPERATOR(pg_catalog.=) 11$$),
    ($$DELETE FROM tq_catalog.tq_codec WHERE seed OPERATOR(pg_catalog.=) 11$$),
    ($$SELECT public.tq_import_codec('path', '$book', '$json') IS NOT NULL$$),
    ($$SELECT public.tq_import('test.path', '$corpus', '{"column": "f", "id_column": "id", "codec": "path"}')$$),
    ($$COPY (SELECT id, g FROM test.path WHERE g IS NOT NULL) TO '$corpus' WITH (FORMAT tqcv)$$),
    ($$SELECT public.tq_import('test.path', '$corpus', '{"column": "e", "recompress": true, "ids": "ordinal", "id_column": "id"}')$$),
    ($$COPY test.path_part (id, e) FROM '$corpus' WITH (FORMAT tqcv, RECOMPRESS) WHERE id OPERATOR(pg_catalog.<) 50$$),
    -- the rest
    ($$SELECT pg_catalog.count(*) OPERATOR(pg_catalog.>=) 0 FROM public.tq_rotation_cache()$$),
    ($$SELECT public.tq_clear_rotation_cache() OPERATOR(pg_catalog.>=) 0$$),
    ($$SELECT public.tq_enable_pgvector()$$),
    ($$ANALYZE test.path$$),
    ($$SELECT pg_catalog.count(*), pg_catalog.count(e), pg_catalog.count(f), pg_catalog.count(g) FROM test.path$$),
    ($$SELECT public.tq_drop_codec(name) FROM tq_catalog.tq_codec WHERE name OPERATOR(pg_catalog.~) '^path'$$)
) v (statement);

-- Functions that the list above has forgotten. What the type, the operators, the aggregates and the table consist of is called by
-- way of them.
SELECT DISTINCT proname FROM pg_proc JOIN pg_depend ON classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e'
WHERE refobjid = (SELECT oid FROM pg_extension WHERE extname = 'tinyquant')
  AND NOT EXISTS (SELECT FROM test.calls WHERE statement ~ ('public\.' || proname || '\('))
  AND proname !~ '^tqvec(_|$)|^tq_train_(accumulate|combine|serialize|deserialize|finish)$|^tq_codec_(changed|check)$|^tq_run_copy$|^tq_(once|distance_support|index_handler)$';

\set ECHO none
\i :hijack
\set ECHO all
-- Namesakes can be used, and fail.
SET search_path = hijack, pg_catalog, public;
SELECT 1 + 1;
SELECT now();
SELECT '1'::text;
SELECT extname FROM pg_extension;
SELECT name FROM tq_codec;
SELECT tq_version();
SELECT '[1, 0]'::tqvec;
SELECT '[1, 0]'::public.tqvec = '[1, 0]'::public.tqvec;

\pset format unaligned
\pset tuples_only on
\set ECHO none
SELECT shown, statement FROM test.calls ORDER BY n \gexec
\set ECHO all

-- Temporary types and relations come before all others unless a path says otherwise.
RESET search_path;
DO $$
DECLARE
    made record;
BEGIN
    FOR made IN
        SELECT format('CREATE DOMAIN pg_temp.%I AS %s CHECK (hijack.refuse())', typname, pg_catalog.format_type(typbasetype, NULL)) AS statement
        FROM pg_type WHERE typnamespace = 'hijack'::regnamespace AND typtype = 'd'
        UNION ALL
        SELECT format('CREATE TEMPORARY VIEW %I AS SELECT hijack.refuse()', relname) FROM pg_class
        WHERE relnamespace = 'hijack'::regnamespace AND relkind = 'v'
    LOOP
        EXECUTE made.statement;
    END LOOP;
END $$;
SELECT name FROM tq_codec;
SELECT '[1, 0]'::tqvec;
\set ECHO none
SELECT shown, statement FROM test.calls ORDER BY n \gexec
\set ECHO all
SET search_path = pg_temp, hijack;
\set ECHO none
SELECT shown, statement FROM test.calls ORDER BY n \gexec
\set ECHO all

SET search_path = pg_catalog;
DROP SCHEMA hijack CASCADE;
RESET search_path;
DROP TABLE test.path, test.path_part, test.calls;
\pset format aligned
\pset tuples_only off
