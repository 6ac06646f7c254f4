-- Searches with nothing in memory, by one of benches/index.sql's indexes: asked of a server that has just started, the file system's cache
-- emptied if the machine lets us. The variables: `position` of the contender, `note`.

SET max_parallel_workers_per_gather = 0;
SET client_min_messages = warning;
CREATE TABLE IF NOT EXISTS index_cold (position int, note text, first_ms float8, next_ms float8);
CREATE OR REPLACE PROCEDURE ask_cold(contender int, note text) LANGUAGE plpgsql AS $$
DECLARE q record; b record; started timestamptz; first float8; following float8 := 0; n int := 0;
BEGIN
    SELECT * INTO b FROM index_build WHERE position = contender;
    -- What isn't the index's or the table's own: catalogs, the library, the rotation, the queries.
    EXECUTE format('EXPLAIN SELECT id FROM %s ORDER BY v <=> (SELECT v FROM query LIMIT 1)%s LIMIT 10', b.relation,
        CASE WHEN b.relation::text LIKE 't_tq%' THEN '::real[]' WHEN b.relation::text LIKE 't_half%' THEN '::halfvec' ELSE '' END);
    IF b.relation::text LIKE 't_tq%' THEN
        EXECUTE format('SELECT v <=> (SELECT v FROM query LIMIT 1)::real[] FROM %s LIMIT 1', b.relation);
    END IF;
    FOR q IN SELECT id, v::text AS v FROM query WHERE id < 21 ORDER BY id LOOP
        started := clock_timestamp();
        EXECUTE format('SELECT array_agg(id) FROM (SELECT id FROM %s ORDER BY v <=> %L LIMIT 10) s', b.relation, q.v);
        IF n = 0 THEN
            first := extract(epoch FROM clock_timestamp() - started) * 1000;
        ELSE
            following := following + extract(epoch FROM clock_timestamp() - started) * 1000;
        END IF;
        n := n + 1;
    END LOOP;
    INSERT INTO index_cold VALUES (contender, note, first, following / (n - 1));
END $$;
CALL ask_cold(:position, :'note');
