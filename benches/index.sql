-- Searches by index: ours beside pgvector's hnsw and ivfflat, each with the recall that it has at several settings. One client, every
-- query's literal parsed anew, everything in memory, contenders in turn.
-- Tables t_vector, t_half, t_tq8, t_tq4 (id int, v) and query (id int, v vector) are there; see scripts/bench. The variable `queries` says
-- how many queries are asked.

SET client_min_messages = warning;
SELECT least(:queries, count(*)) AS queries FROM query \gset
SET max_parallel_workers_per_gather = 0;
SET maintenance_work_mem = '1GB';
CREATE TABLE index_build (position int, what text, relation regclass, index text, statement text, seconds float8, wal bigint);
INSERT INTO index_build VALUES
    (1, 'tinyquant, 8 bits', 't_tq8', 'i_tq8', 'CREATE INDEX i_tq8 ON t_tq8 USING tinyquant (v tqvec_cosine_ops)'),
    (2, 'tinyquant, 4 bits', 't_tq4', 'i_tq4', 'CREATE INDEX i_tq4 ON t_tq4 USING tinyquant (v tqvec_cosine_ops)'),
    (5, 'pgvector hnsw', 't_vector', 'i_hnsw', 'CREATE INDEX i_hnsw ON t_vector USING hnsw (v vector_cosine_ops)'),
    (6, 'pgvector hnsw, halfvec', 't_half', 'i_half', 'CREATE INDEX i_half ON t_half USING hnsw (v halfvec_cosine_ops)');
-- The same columns, with their codes left in the table.
CREATE TABLE t_tq8_table AS SELECT * FROM t_tq8;
CREATE TABLE t_tq4_table AS SELECT * FROM t_tq4;
-- And with lists.
CREATE TABLE t_tq8_lists AS SELECT * FROM t_tq8;
CREATE TABLE t_vector_ivf AS SELECT * FROM t_vector;
-- And over pgvector's own columns.
CREATE TABLE t_vector_tq8 AS SELECT * FROM t_vector;
CREATE TABLE t_vector_tq4 AS SELECT * FROM t_vector;
CREATE TABLE t_half_tq8 AS SELECT * FROM t_half;
CREATE TABLE t_vector_lists AS SELECT * FROM t_vector;
INSERT INTO index_build VALUES
    (9, 'tinyquant of vector, 8 bits', 't_vector_tq8', 'i_vector_tq8',
     'CREATE INDEX i_vector_tq8 ON t_vector_tq8 USING tinyquant (v vector_cosine_ops)'),
    (10, 'tinyquant of vector, 4 bits', 't_vector_tq4', 'i_vector_tq4',
     'CREATE INDEX i_vector_tq4 ON t_vector_tq4 USING tinyquant (v vector_cosine_ops) WITH (bits = 4)'),
    (11, 'tinyquant of halfvec, 8 bits', 't_half_tq8', 'i_half_tq8',
     'CREATE INDEX i_half_tq8 ON t_half_tq8 USING tinyquant (v halfvec_cosine_ops)'),
    (12, 'tinyquant of vector, 8 bits, 100 lists', 't_vector_lists', 'i_vector_lists',
     'CREATE INDEX i_vector_lists ON t_vector_lists USING tinyquant (v vector_cosine_ops) WITH (lists = 100)');
INSERT INTO index_build VALUES
    (3, 'tinyquant, 8 bits, refine = table', 't_tq8_table', 'i_tq8_table',
     'CREATE INDEX i_tq8_table ON t_tq8_table USING tinyquant (v tqvec_cosine_ops) WITH (refine = table)'),
    (4, 'tinyquant, 4 bits, refine = table', 't_tq4_table', 'i_tq4_table',
     'CREATE INDEX i_tq4_table ON t_tq4_table USING tinyquant (v tqvec_cosine_ops) WITH (refine = table)'),
    (8, 'tinyquant, 8 bits, 100 lists', 't_tq8_lists', 'i_tq8_lists',
     'CREATE INDEX i_tq8_lists ON t_tq8_lists USING tinyquant (v tqvec_cosine_ops) WITH (lists = 100)'),
    (7, 'pgvector ivfflat', 't_vector_ivf', 'i_ivf', 'CREATE INDEX i_ivf ON t_vector_ivf USING ivfflat (v vector_cosine_ops) WITH (lists = 200)');
VACUUM ANALYZE;
CREATE PROCEDURE build_indexes() LANGUAGE plpgsql AS $$
DECLARE b record; started timestamptz; before pg_lsn;
BEGIN
    FOR b IN SELECT * FROM index_build ORDER BY position LOOP
        started := clock_timestamp();
        before := pg_current_wal_insert_lsn();
        EXECUTE b.statement;
        UPDATE index_build SET seconds = extract(epoch FROM clock_timestamp() - started), wal = pg_current_wal_insert_lsn() - before
            WHERE position = b.position;
    END LOOP;
END $$;
CALL build_indexes();

-- The nearest ten by exact scans: of the floats, and of each column.
CREATE TABLE index_truth (relation regclass, query int, ids int[]);
CREATE PROCEDURE find_truth(queries int) LANGUAGE plpgsql AS $$
DECLARE r regclass;
BEGIN
    PERFORM set_config('enable_indexscan', 'off', true);
    FOR r IN SELECT DISTINCT relation FROM index_build WHERE relation::text !~ '^t_(vector|half)_' LOOP
        EXECUTE format('INSERT INTO index_truth SELECT %1$L, q.id, (SELECT array_agg(id) FROM
            (SELECT t.id FROM %1$s t ORDER BY t.v <=> %2$s LIMIT 10) s) FROM query q WHERE q.id < %3$s',
            r, CASE r WHEN 't_vector'::regclass THEN 'q.v' WHEN 't_half'::regclass THEN 'q.v::halfvec' ELSE 'q.v::real[]' END, queries);
    END LOOP;
    -- Copies have the same rows.
    INSERT INTO index_truth SELECT b.relation, query, ids FROM index_truth t
        JOIN (SELECT DISTINCT relation FROM index_build) b ON b.relation::text ~ ('^' || t.relation::text || '_')
        WHERE t.relation IN ('t_vector', 't_half');
END $$;
CALL find_truth(:queries);

CREATE TABLE index_setting (position int, setting text, value text);
INSERT INTO index_setting
SELECT position, setting, unnest(string_to_array(values, ' '))
FROM (VALUES ('tinyquant%', 'tinyquant.epsilon', '1.5 3'), ('%lists', 'tinyquant.target_recall', '0.8 0.9 0.95 0.98 0.99'), ('%hnsw%', 'hnsw.ef_search', '40 80 120 200 400'),
             ('%ivfflat', 'ivfflat.probes', '5 10 30')) s (like_what, setting, values)
JOIN index_build ON what LIKE like_what AND NOT (setting = 'tinyquant.epsilon' AND what LIKE '%lists');
CREATE TABLE index_measured (position int, value text, round int, queries_a_second float8, of_floats float8, of_own float8);
CREATE PROCEDURE measure_indexes(queries int, rounds int) LANGUAGE plpgsql AS $$
DECLARE s record; q record; found int[]; answers int[][]; started timestamptz; elapsed float8; floats float8; own float8;
BEGIN
    FOR r IN 0 .. rounds LOOP
        FOR s IN SELECT * FROM index_setting JOIN index_build USING (position) ORDER BY position, value::float8 LOOP
            PERFORM set_config(s.setting, s.value, false);
            elapsed := 0;
            floats := 0;
            own := 0;
            FOR q IN SELECT id, v::text AS v FROM query WHERE id < queries ORDER BY id LOOP
                started := clock_timestamp();
                EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM %s ORDER BY v <=> %L LIMIT 10) s', s.relation, q.v) INTO found;
                elapsed := elapsed + extract(epoch FROM clock_timestamp() - started);
                own := own + (SELECT count(*) FROM index_truth t, unnest(t.ids) i
                    WHERE t.relation = s.relation AND t.query = q.id AND i = ANY (found));
                floats := floats + (SELECT count(*) FROM index_truth t, unnest(t.ids) i
                    WHERE t.relation = 't_vector'::regclass AND t.query = q.id AND i = ANY (found));
            END LOOP;
            -- The first round warms up.
            IF r > 0 THEN
                INSERT INTO index_measured VALUES
                    (s.position, s.value, r, queries / elapsed, floats / queries / 10, own / queries / 10);
            END IF;
        END LOOP;
    END LOOP;
END $$;
CALL measure_indexes(:queries, 3);
RESET tinyquant.epsilon;

CREATE VIEW index_summary AS
SELECT position, what, setting || ' = ' || m.value AS setting, m.value::float8 AS value,
       round((pg_relation_size(index::regclass) / (SELECT count(*) FROM t_vector))::numeric) AS index_bytes_a_row,
       round((pg_table_size(relation) / (SELECT count(*) FROM t_vector))::numeric) AS table_bytes_a_row,
       round(seconds::numeric, 2) AS build_seconds, round(wal / pg_relation_size(index::regclass)::numeric, 2) AS wal_of_index,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY queries_a_second) AS queries_a_second,
       avg(of_floats) AS of_floats, avg(of_own) AS of_own
FROM index_measured m JOIN index_build USING (position) JOIN (SELECT DISTINCT position, setting FROM index_setting) s USING (position)
GROUP BY position, what, setting, m.value, relation, index, seconds, wal;
\echo 'Searches by index: the ten nearest, one client'
SELECT what, setting, index_bytes_a_row, table_bytes_a_row, build_seconds, wal_of_index, round(of_floats::numeric, 4) AS recall_of_floats,
       round(of_own::numeric, 4) AS recall_of_own, round(queries_a_second::numeric) AS queries_a_second
FROM index_summary ORDER BY position, value;

-- What an insert costs, beside one into the same table without an index.
CREATE TABLE insert_source AS SELECT id, v FROM t_tq4 LIMIT 10000;
CREATE TABLE insert_vectors AS SELECT id, v FROM t_vector LIMIT 10000;
CREATE TABLE insert_none (LIKE t_tq4);
CREATE TABLE insert_ours (LIKE t_tq4);
CREATE INDEX ON insert_ours USING tinyquant (v tqvec_cosine_ops);
CREATE TABLE insert_hnsw (LIKE t_vector);
CREATE INDEX ON insert_hnsw USING hnsw (v vector_cosine_ops);
CREATE TABLE index_inserted (what text, rows_a_second float8, wal_a_row float8);
CREATE PROCEDURE time_insert(what text, source text, target text) LANGUAGE plpgsql AS $$
DECLARE started timestamptz := clock_timestamp(); before pg_lsn := pg_current_wal_insert_lsn(); n bigint;
BEGIN
    EXECUTE format('INSERT INTO %I SELECT * FROM %I', target, source);
    GET DIAGNOSTICS n = ROW_COUNT;
    INSERT INTO index_inserted VALUES
        (what, n / extract(epoch FROM clock_timestamp() - started), (pg_current_wal_insert_lsn() - before) / n);
END $$;
CALL time_insert('table alone', 'insert_source', 'insert_none');
CALL time_insert('tinyquant, 4 bits', 'insert_source', 'insert_ours');
CALL time_insert('pgvector hnsw', 'insert_vectors', 'insert_hnsw');
\echo 'Inserts of 10,000 rows that are compressed already, one session, index born empty'
SELECT what, round(rows_a_second::numeric) AS rows_a_second, round(wal_a_row::numeric) AS wal_bytes_a_row FROM index_inserted;
