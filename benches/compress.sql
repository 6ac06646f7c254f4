-- Compression through SQL: one row at a time, and a column in batches. The table t_vector_plain (id int, v vector) is there;
-- see scripts/bench. Every figure is the best of three, in turn.

CREATE TABLE floats AS SELECT id, v::real[] AS v FROM t_vector_plain LIMIT 20000;
SELECT count(*) FROM floats WHERE cardinality(v) > 0 \g /dev/null
CREATE TABLE compression (what text, position int, rows_a_second float8);
SET max_parallel_workers_per_gather = 0;

CREATE PROCEDURE time_it(what text, place int, rows bigint, statement text) LANGUAGE plpgsql AS $$
DECLARE started timestamptz := clock_timestamp();
BEGIN
    EXECUTE statement;
    INSERT INTO compression VALUES (what, place, rows / extract(epoch FROM clock_timestamp() - started));
END $$;

CREATE PROCEDURE one_at_a_time() LANGUAGE plpgsql AS $$
DECLARE n bigint := (SELECT count(*) FROM floats); d int := (SELECT cardinality(v) FROM floats LIMIT 1);
BEGIN
    FOR i IN 1..3 LOOP
        CALL time_it('one row at a time, 4 bits', 1, n / 4,
            format('CREATE TABLE made AS SELECT id, v::tqvec(%s, 4) FROM floats LIMIT %s', d, n / 4));
        DROP TABLE made;
        CALL time_it('the same, hadamard', 2, n,
            format('CREATE TABLE made AS SELECT id, v::tqvec(%s, 4, hadamard) FROM floats', d));
        DROP TABLE made;
    END LOOP;
END $$;
CALL one_at_a_time();

SET client_min_messages = warning;
DO $$
DECLARE started timestamptz; n bigint := (SELECT count(*) FROM t_vector);
BEGIN
    FOR i IN 1..3 LOOP
        FOR threads IN 1..2 LOOP
            PERFORM set_config('tinyquant.threads', threads::text, false);
            DROP TABLE IF EXISTS filled;
            EXECUTE format('CREATE TABLE filled (id int, v vector, e tqvec(%s, 4))', (SELECT vector_dims(v) FROM t_vector LIMIT 1));
            INSERT INTO filled SELECT id, v FROM t_vector LIMIT 50000;
            PERFORM count(vector_norm(v)) FROM filled;
            COMMIT;
            started := clock_timestamp();
            CALL tq_compress_column('filled', 'v', 'e');
            INSERT INTO compression VALUES (format('tq_compress_column, %s thread(s)', threads), 10 + threads,
                least(n, 50000) / extract(epoch FROM clock_timestamp() - started));
            COMMIT;
        END LOOP;
    END LOOP;
END $$;
SELECT what, round(max(rows_a_second)) AS "rows/s" FROM compression GROUP BY what, position ORDER BY position;
