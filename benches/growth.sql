-- How an index grows, flat and with lists: queries a second and recall beside the exact scan of the same column, at 10,000, 100,000 and 1,000,000 rows, and
-- what a build takes. The variables: `rows` is a file of vectors for binary COPY, `queries` one of queries, `what` says what they are.

SET client_min_messages = warning;
SET max_parallel_workers_per_gather = 0;
DROP TABLE IF EXISTS growth_query, growth_vectors;
CREATE TABLE growth_query (id int, v vector);
CREATE UNLOGGED TABLE growth_vectors (id int, v vector(384));
SELECT format('COPY growth_query FROM %L (FORMAT binary)', :'queries') \gexec
SELECT format('COPY growth_vectors FROM %L (FORMAT binary)', :'rows') \gexec
CREATE TABLE IF NOT EXISTS growth (what text, rows int, lists int, build_seconds float8, wal bigint, bytes bigint, by_index float8, exact float8, recall float8);

CREATE OR REPLACE PROCEDURE grow(what text, size int, queries int, lists int) LANGUAGE plpgsql AS $$
DECLARE q record; started timestamptz; before pg_lsn; found int[]; near int[]; hits int := 0;
    build float8; wal bigint; fast float8 := 0; slow float8 := 0;
BEGIN
    DROP TABLE IF EXISTS growth_rows;
    CREATE TABLE growth_rows (id int, v tqvec(384, 4));
    INSERT INTO growth_rows SELECT id, v::real[] FROM growth_vectors WHERE id < size;
    ANALYZE growth_rows;
    started := clock_timestamp();
    before := pg_current_wal_insert_lsn();
    EXECUTE format('CREATE INDEX growth_index ON growth_rows USING tinyquant (v tqvec_cosine_ops) WITH (lists = %s)', lists);
    build := extract(epoch FROM clock_timestamp() - started);
    wal := pg_current_wal_insert_lsn() - before;
    FOR r IN 0 .. 1 LOOP
        hits := 0;
        fast := 0;
        slow := 0;
        FOR q IN SELECT id, v::text AS v FROM growth_query WHERE id < queries LOOP
            SET LOCAL enable_indexscan = on;
            started := clock_timestamp();
            EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM growth_rows ORDER BY v <=> %L LIMIT 10) s', q.v) INTO found;
            fast := fast + extract(epoch FROM clock_timestamp() - started);
            SET LOCAL enable_indexscan = off;
            started := clock_timestamp();
            EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM growth_rows ORDER BY v <=> %L LIMIT 10) s', q.v) INTO near;
            slow := slow + extract(epoch FROM clock_timestamp() - started);
            hits := hits + (SELECT count(*) FROM unnest(found) i WHERE i = ANY (near));
        END LOOP;
    END LOOP;
    INSERT INTO growth VALUES
        (what, size, lists, build, wal, pg_relation_size('growth_index'), queries / fast, queries / slow, hits / 10.0 / queries);
END $$;
CALL grow(:'what', 10000, 100, 0);
CALL grow(:'what', 100000, 50, 0);
CALL grow(:'what', 100000, 50, 300);
CALL grow(:'what', 1000000, 20, 0);
CALL grow(:'what', 1000000, 100, 1000);
CALL grow(:'what', 1000000, 100, 2000);
\echo 'An index of tqvec(384, 4) as it grows, flat (0) and with lists'
SELECT what, rows, lists, round(build_seconds::numeric, 2) AS build_seconds, round((wal::numeric / bytes), 2) AS wal_of_index, bytes / rows AS bytes_a_row,
       round(by_index::numeric) AS queries_a_second, round(exact::numeric, 1) AS exact_scan, round(recall::numeric, 4) AS recall_of_own
FROM growth ORDER BY what, rows, lists;
