-- What clients do, beside pgvector in the same run: loading vectors by each way, and searching with queries of each type, that come
-- as a literal, by a parameter of a generic plan, from a sub-select and from a join. The variable `rows` names a file of (id int, v
-- vector) in core's binary format, `dims` its dimension, `folder` a folder that the server may write. Medians of three.

\ir timed.sql
CREATE EXTENSION vector;
CREATE EXTENSION tinyquant;
CREATE TABLE given (id int, v vector(:dims));
SELECT format('COPY given FROM %L (FORMAT binary)', :'rows') \gexec
SELECT count(*) AS loaded FROM given \gset
CREATE TABLE into_vector (v vector(:dims));
CREATE TABLE into_haar (e tqvec(:dims, 4));
CREATE TABLE into_hadamard (e tqvec(:dims, 4, hadamard));
CREATE TABLE into_floats (v real[], e tqvec(:dims, 4));
SELECT set_config('max_parallel_workers_per_gather', '0', false) \g /dev/null
DO $$
DECLARE folder text := current_setting('bench.folder');
BEGIN
    EXECUTE format('COPY (SELECT v FROM given) TO %L (FORMAT binary)', folder || '/vector.bin');
    EXECUTE format('COPY (SELECT v::real[] FROM given) TO %L (FORMAT binary)', folder || '/real.bin');
    EXECUTE format('COPY (SELECT v FROM given) TO %L', folder || '/text');
    EXECUTE format('COPY (SELECT v FROM given) TO %L (FORMAT ztensor)', folder || '/ztensor');
END $$;
VACUUM ANALYZE;
CHECKPOINT;

DO $$
DECLARE way record; started timestamptz;
BEGIN
    FOR i IN 1..3 LOOP
        FOR way IN SELECT * FROM (VALUES
            (1, 'pgvector: binary COPY into vector', 'COPY into_vector FROM ''%/vector.bin'' (FORMAT binary)'),
            (2, 'pgvector: text COPY into vector', 'COPY into_vector FROM ''%/text'''),
            (3, 'binary COPY of vector into tqvec', 'COPY into_haar FROM ''%/vector.bin'' (FORMAT binary)'),
            (4, 'the same, hadamard', 'COPY into_hadamard FROM ''%/vector.bin'' (FORMAT binary)'),
            (5, 'binary COPY of real[] into tqvec, hadamard', 'COPY into_hadamard FROM ''%/real.bin'' (FORMAT binary)'),
            (6, 'text COPY into tqvec', 'COPY into_haar FROM ''%/text'''),
            (7, 'the same, hadamard', 'COPY into_hadamard FROM ''%/text'''),
            (8, 'COPY of a file (ztensor) into tqvec', 'COPY into_haar FROM ''%/ztensor'' (FORMAT ztensor)'),
            (9, 'INSERT … SELECT from vector, hadamard', 'INSERT INTO into_hadamard SELECT v FROM given'),
            (10, 'binary COPY of real[] into real[]', 'COPY into_floats (v) FROM ''%/real.bin'' (FORMAT binary)'))
            w (place, what, statement) ORDER BY place LOOP
            TRUNCATE into_vector, into_haar, into_hadamard, into_floats;
            COMMIT;
            CALL time_file(way.what, way.place, 1, way.statement);
            COMMIT;
        END LOOP;
        -- The floats of the last way. Called by itself, since it commits.
        started := clock_timestamp();
        CALL tq_compress_column('into_floats', 'v', 'e');
        INSERT INTO files VALUES ('and tq_compress_column after it', 11, 1, 1000 * extract(epoch FROM clock_timestamp() - started));
        COMMIT;
    END LOOP;
END $$;
\echo
\echo 'Loading vectors: milliseconds, rows a second, and how many times as fast as pgvector''s binary COPY'
SELECT what, round(ms) AS ms, round(:loaded / ms * 1000) AS rows_a_second, round(times::numeric, 2) AS times FROM timed ORDER BY position;

TRUNCATE files, into_vector, into_haar, into_hadamard, into_floats;
INSERT INTO into_haar SELECT v FROM given;
CREATE TABLE asked AS SELECT v AS vector, v::halfvec AS halfvec, v::real[] AS "real[]", v::real[]::float8[] AS "double precision[]",
    v::real[]::numeric[] AS "numeric[]" FROM given WHERE id = 7;
VACUUM ANALYZE;
SET plan_cache_mode = force_generic_plan;
DO $$
DECLARE type text; place int; query text;
BEGIN
    FOR i IN 1..7 LOOP
        EXECUTE 'SELECT vector::text FROM asked' INTO query;
        CALL time_file('literal ''[…]''', 1, 1, format('SELECT count(*) FROM into_haar WHERE e <=> %L > 3', query));
        place := 1;
        FOREACH type IN ARRAY '{real[],double precision[],numeric[],vector,halfvec}'::text[] LOOP
            EXECUTE format('SELECT %I::text FROM asked', type) INTO query;
            CALL time_file(format('literal of %s', type), place + 1, 1, format('SELECT count(*) FROM into_haar WHERE e <=> %L::%s > 3', query, type));
            EXECUTE format('PREPARE by_parameter (%s) AS SELECT count(*) FROM into_haar WHERE e <=> $1 > 3', type);
            CALL time_file(format('generic plan, %s', type), place + 2, 1, format('EXECUTE by_parameter (%L)', query));
            DEALLOCATE by_parameter;
            CALL time_file(format('sub-select, %s', type), place + 3, 1, format('SELECT count(*) FROM into_haar WHERE e <=> (SELECT %I FROM asked) > 3', type));
            CALL time_file(format('LATERAL, %s', type), place + 4, 1,
                format('SELECT near.n FROM asked, LATERAL (SELECT count(*) AS n FROM into_haar WHERE e <=> %I > 3) near', type));
            place := place + 4;
        END LOOP;
    END LOOP;
END $$;
\echo
\echo 'A scan of all rows by one query: milliseconds, and how many times as fast as with a literal'
SELECT what, round(ms::numeric, 2) AS ms, round(times::numeric, 2) AS times FROM timed ORDER BY position;
