-- The advisor: what each codec would cost and keep.
CREATE TABLE evaluate_rows AS
SELECT i AS id, tq_normalize(ARRAY(
    SELECT c + 0.5 * x FROM unnest(test.unit(-1 - i % 7, 48), test.unit(i, 48)) WITH ORDINALITY u(c, x, n) ORDER BY n)::real[]) AS v
FROM generate_series(1, 400) i;

-- Errors as powers of ten and recall in fifths, since digits depend on the CPU.
CREATE FUNCTION test.evaluate(query text, k int, queries int) RETURNS TABLE (
    bits int, residual bool, codebook text, bytes int, ratio numeric, log_error numeric, correlation numeric, recall numeric
) LANGUAGE sql AS $$
    SELECT bit_width, residual, codebook, bytes, round(ratio::numeric, 2), round(log(relative_squared_error)::numeric),
        round(correlation::numeric, 2), round(round(5 * recall)::numeric / 5, 1)
    FROM tq_evaluate(query, k, queries)
$$;
SELECT * FROM test.evaluate('SELECT v FROM evaluate_rows ORDER BY id', 5, 40);

-- A column of any type that casts to real[]; NULLs, semicolons and comments.
SELECT count(*), count(recall) FROM tq_evaluate('SELECT v::float8[] FROM evaluate_rows; ');
SELECT count(*), count(recall) FROM tq_evaluate('SELECT v::tqvec FROM evaluate_rows -- compressed before');
SELECT count(*), count(recall)
FROM tq_evaluate('SELECT CASE WHEN id % 4 > 0 THEN v END, id FROM evaluate_rows', queries => 1000);
SELECT count(*), count(recall) FROM tq_evaluate('VALUES (''{1,2}''::real[]), (''{2,-1}''), (NULL), (''{3,3}'')', k => 2);

-- The built-in codec without residual does not take vectors of any length; the others do.
SELECT codebook, residual, count(*), count(relative_squared_error), count(correlation), count(recall)
FROM tq_evaluate('SELECT ARRAY(SELECT 7.3 * x FROM unnest(v) WITH ORDINALITY u(x, n) ORDER BY n)::real[] FROM evaluate_rows')
GROUP BY 1, 2 ORDER BY 1, 2;

-- It runs with the caller's rights, and writes nothing.
CREATE ROLE regress_evaluate;
GRANT USAGE ON SCHEMA test TO regress_evaluate;
SET ROLE regress_evaluate;
SELECT code, message FROM test.failure($$SELECT * FROM tq_evaluate('SELECT v FROM evaluate_rows')$$);
RESET ROLE;
GRANT SELECT (v) ON evaluate_rows TO regress_evaluate;
SET ROLE regress_evaluate;
SELECT count(*) FROM tq_evaluate('SELECT v FROM evaluate_rows');
SELECT code, message FROM test.failure($$SELECT * FROM tq_evaluate('SELECT v FROM evaluate_rows ORDER BY id')$$);
RESET ROLE;
SELECT code, message FROM test.failure($$SELECT * FROM tq_evaluate('DELETE FROM evaluate_rows RETURNING v')$$);
SELECT code, message FROM test.failure($$SELECT * FROM tq_evaluate('WITH d AS (DELETE FROM evaluate_rows RETURNING v) SELECT v FROM d')$$);
SELECT code, message FROM test.failure($$SELECT * FROM tq_evaluate('SELECT v FROM evaluate_rows) AS q("tq_evaluate: vector"); DROP TABLE evaluate_rows; SELECT "tq_evaluate: vector" FROM (SELECT v FROM evaluate_rows')$$);
SELECT count(*) FROM evaluate_rows;

-- What it refuses.
\x
SELECT * FROM test.failure($$SELECT * FROM tq_evaluate('SELECT v FROM evaluate_rows', k => 0)$$);
SELECT * FROM test.failure($$SELECT * FROM tq_evaluate('SELECT v FROM evaluate_rows', k => 400)$$);
SELECT * FROM test.failure($$SELECT * FROM tq_evaluate('SELECT v FROM evaluate_rows', queries => -1)$$);
SELECT * FROM test.failure($$SELECT * FROM tq_evaluate('SELECT v FROM evaluate_rows WHERE false')$$);
SELECT * FROM test.failure($$SELECT * FROM tq_evaluate('SELECT v FROM evaluate_rows WHERE')$$);
SELECT * FROM test.failure($$SELECT * FROM tq_evaluate('SELECT id FROM evaluate_rows')$$);
SELECT * FROM test.failure($$SELECT * FROM tq_evaluate('VALUES (NULL), (''{1,2}''::real[]), (''{1,2,3}'')')$$);
SELECT * FROM test.failure($$SELECT * FROM tq_evaluate('VALUES (''{1,2}''::real[]), (''{0,-0}'')')$$);
SELECT * FROM test.failure($$SELECT * FROM tq_evaluate('VALUES (''{1,2}''::real[]), (''{1,NaN}'')')$$);
SELECT * FROM test.failure($$SELECT * FROM tq_evaluate('VALUES (''{1,NULL}''::real[])')$$);
SELECT * FROM test.failure($$SELECT * FROM tq_evaluate('VALUES (''{}''::real[])')$$);
\x
SELECT count(*) FROM tq_evaluate(NULL);
REVOKE ALL ON evaluate_rows FROM regress_evaluate;
REVOKE ALL ON SCHEMA test FROM regress_evaluate;
DROP ROLE regress_evaluate;
DROP TABLE evaluate_rows;
