-- Exact scans: every way to store the same vectors, measured in turn by the same queries.
-- Tables t_* (id int, v) and the table query (id int, v vector) are there; see scripts/bench.

CREATE TABLE contender (position int, name text, relation regclass, search text);
-- %L is the query as a pgvector literal; each search reads it in the form in which a user would give it.
INSERT INTO contender VALUES
    (1, 'pgvector vector', 't_vector', 'SELECT id FROM t_vector ORDER BY v <=> %L LIMIT 10'),
    (2, 'pgvector vector, PLAIN', 't_vector_plain', 'SELECT id FROM t_vector_plain ORDER BY v <=> %L LIMIT 10'),
    (3, 'pgvector halfvec', 't_half', 'SELECT id FROM t_half ORDER BY v <=> %L LIMIT 10'),
    (4, 'pgvector halfvec, PLAIN', 't_half_plain', 'SELECT id FROM t_half_plain ORDER BY v <=> %L LIMIT 10'),
    (5, 'pgvector bit, Hamming', 't_bit', 'SELECT id FROM t_bit ORDER BY v <~> binary_quantize(%L::vector)::bit(:dims) LIMIT 10'),
    (6, 'tqvec, 8 bits', 't_tq8', 'SELECT id FROM t_tq8 ORDER BY v <=> %L LIMIT 10'),
    (7, 'tqvec, 4 bits', 't_tq4', 'SELECT id FROM t_tq4 ORDER BY v <=> %L LIMIT 10'),
    (8, 'tqvec, 2 bits', 't_tq2', 'SELECT id FROM t_tq2 ORDER BY v <=> %L LIMIT 10'),
    (9, 'tqvec, 4 bits + residual', 't_tq4r', 'SELECT id FROM t_tq4r ORDER BY v <=> %L LIMIT 10'),
    (10, 'the same, EXTERNAL', 't_tq4r_external', 'SELECT id FROM t_tq4r_external ORDER BY v <=> %L LIMIT 10'),
    (11, 'tqvec, 4 bits, trellis', 't_tq4t', 'SELECT id FROM t_tq4t ORDER BY v <=> %L LIMIT 10'),
    (12, 'tqvec, 2 bits, trellis', 't_tq2t', 'SELECT id FROM t_tq2t ORDER BY v <=> %L LIMIT 10');
UPDATE contender SET search = replace(search, ':dims', (SELECT vector_dims(v)::text FROM query LIMIT 1));

CREATE TABLE measured (position int, workers int, query int, ms float8, ids int[]);

-- One search, by the server's own clock. The first of a call site pays for the rotation and for the cache, so every
-- contender is asked once unmeasured.
CREATE FUNCTION search_once(statement text, query text, OUT ms float8, OUT ids int[]) LANGUAGE plpgsql AS $$
DECLARE started timestamptz;
BEGIN
    started := clock_timestamp();
    -- Not a cursor loop, which PostgreSQL never runs in parallel.
    EXECUTE format('SELECT array_agg(id) FROM (%s) s', format(statement, query)) INTO ids;
    ms := 1000 * extract(epoch FROM clock_timestamp() - started);
END $$;

CREATE PROCEDURE measure(workers_wanted int, queries int) LANGUAGE plpgsql AS $$
DECLARE q record; c record; r record;
BEGIN
    PERFORM set_config('max_parallel_workers_per_gather', workers_wanted::text, false);
    FOR c IN SELECT * FROM contender ORDER BY position LOOP
        PERFORM search_once(c.search, (SELECT v::text FROM query WHERE id = 0));
    END LOOP;
    FOR q IN SELECT id, v::text AS v FROM query WHERE id < queries ORDER BY id LOOP
        FOR c IN SELECT * FROM contender ORDER BY position LOOP
            SELECT * INTO r FROM search_once(c.search, q.v);
            INSERT INTO measured VALUES (c.position, workers_wanted, q.id, r.ms, r.ids);
        END LOOP;
    END LOOP;
END $$;
CALL measure(0, :queries);
CALL measure(2, :queries / 2);

CREATE VIEW summary AS
SELECT c.position, c.name, m.workers, count(*) AS queries,
       pg_table_size(c.relation) / n.rows AS bytes_a_row,
       1000 * percentile_cont(0.5) WITHIN GROUP (ORDER BY m.ms) / n.rows AS us_a_row,
       1000 * percentile_cont(0.25) WITHIN GROUP (ORDER BY m.ms) / n.rows AS lower,
       1000 * percentile_cont(0.75) WITHIN GROUP (ORDER BY m.ms) / n.rows AS upper,
       avg((SELECT count(*) FROM unnest(m.ids) f WHERE f = ANY (truth.ids)) / 10.0) AS recall
FROM contender c
JOIN measured m USING (position)
JOIN measured truth ON truth.position = 2 AND truth.workers = 0 AND truth.query = m.query,
     (SELECT count(*) AS rows FROM t_vector) n
GROUP BY c.position, c.name, m.workers, c.relation, n.rows;

\echo
\echo 'Exact scan, top 10, one process: µs a row, median (quartiles); ratios to the same run''s medians'
SELECT s.name, s.bytes_a_row AS "bytes a row", round(s.us_a_row::numeric, 3) AS "µs a row",
       format('%s – %s', round(s.lower::numeric, 3), round(s.upper::numeric, 3)) AS quartiles,
       round((v.us_a_row / s.us_a_row)::numeric, 1) AS "faster than vector",
       round((s.us_a_row / b.us_a_row)::numeric, 2) AS "times bit",
       round(s.recall, 3) AS "recall@10"
FROM summary s, summary v, summary b
WHERE s.workers = 0 AND v.workers = 0 AND v.position = 1 AND b.workers = 0 AND b.position = 5
ORDER BY s.position;

\echo 'The same with two parallel workers'
SELECT s.name, round(one.us_a_row::numeric, 3) AS "µs a row, alone", round(s.us_a_row::numeric, 3) AS "µs a row, 2 workers",
       round((one.us_a_row / s.us_a_row)::numeric, 2) AS "times faster"
FROM summary s JOIN summary one USING (position)
WHERE s.workers = 2 AND one.workers = 0
ORDER BY s.position;
