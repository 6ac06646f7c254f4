-- Codebooks trained by an aggregate.
CREATE TABLE train_rows AS SELECT i AS id, test.unit(i, 32) AS v FROM generate_series(1, 600) i;

-- As good as the built-in codebook on unit vectors, at any scale of the input.
CREATE FUNCTION test.relative_error(codec text, scale real) RETURNS float8 LANGUAGE sql AS $$
    SELECT sum(test.l2(w, tq_decompress(tq_compress(w, codec))) ^ 2) / sum(test.ip(w, w))
    FROM (SELECT ARRAY(SELECT x * scale FROM unnest(v) WITH ORDINALITY u(x, n) ORDER BY n) AS w FROM train_rows) s
$$;
CREATE FUNCTION test.builtin_error(bits int) RETURNS float8 LANGUAGE sql AS $$
    SELECT sum(test.l2(v, tq_decompress(tq_compress(v, bits))) ^ 2) / sum(test.ip(v, v)) FROM train_rows
$$;
CREATE TABLE train_scales (scale real);
INSERT INTO train_scales VALUES (1), (0.001), (7.3), (1e6);
SELECT scale, bits,
       length(tq_create_codec(format('s%s b%s', scale, bits), 32, bits, seed => 1000 + row_number() OVER (),
           codebook => (SELECT tq_train_codebook(w, bits, 1000 + n) FROM (
               SELECT ARRAY(SELECT x * scale FROM unnest(v) WITH ORDINALITY u(x, k) ORDER BY k) AS w
               FROM train_rows) s))) AS hash
FROM (SELECT scale, bits, row_number() OVER (ORDER BY scale, bits) AS n
      FROM train_scales, unnest('{2,4,8}'::int[]) bits) q ORDER BY n;
SELECT scale, bits, test.relative_error(format('s%s b%s', scale, bits), scale) <= 1.02 * test.builtin_error(bits) AS good
FROM train_scales, unnest('{2,4,8}'::int[]) bits ORDER BY 1, 2;

-- The recipe of TinyQuant: quantiles of the values as they are.
SELECT tq_train_codebook(v, 2, 42, 'quantile') = (
    SELECT array_agg(percentile::real ORDER BY n) FROM (
        SELECT percentile_cont(ARRAY[0, 1/3.0, 2/3.0, 1]) WITHIN GROUP (ORDER BY x) AS p
        FROM train_rows, unnest(v) x) q, unnest(p) WITH ORDINALITY u(percentile, n)) AS equal
FROM train_rows;

-- The same whatever the order of the rows and the plan; another for another seed.
CREATE TABLE trained AS SELECT 'forwards' AS plan, tq_train_codebook(v, 4, 7, 'lloyd', 50) AS codebook
    FROM (SELECT v FROM train_rows ORDER BY id) s;
INSERT INTO trained SELECT 'backwards', tq_train_codebook(v, 4, 7, 'lloyd', 50)
    FROM (SELECT v FROM train_rows ORDER BY id DESC) s;
BEGIN;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT tq_train_codebook(v, 4, 7, 'lloyd', 50) FROM train_rows;
INSERT INTO trained SELECT 'parallel', (SELECT tq_train_codebook(v, 4, 7, 'lloyd', 50) FROM train_rows);
COMMIT;
INSERT INTO trained SELECT 'one thread', tq_train_codebook(v, 4, 7, 'lloyd', 50) FROM train_rows;
SELECT plan, codebook = first_value(codebook) OVER (ORDER BY plan) AS equal, cardinality(codebook) FROM trained ORDER BY plan;
SELECT tq_train_codebook(v, 4, 8, 'lloyd', 50) = (SELECT codebook FROM trained LIMIT 1) AS same_for_another_seed
FROM train_rows;

-- The Hadamard rotation.
SELECT length(tq_create_codec('trained hadamard', 32, 4, seed => 5, rotation => 'hadamard',
    codebook => (SELECT tq_train_codebook(v, 4, 5, 'lloyd', 600, 'hadamard') FROM train_rows))) AS hash;
SELECT test.relative_error('trained hadamard', 1) <= 1.02 * test.builtin_error(4) AS good;

-- Nothing to train on, or not enough.
SELECT tq_train_codebook(v, 4) FROM train_rows WHERE false;
SELECT tq_train_codebook(NULL::real[], 4) FROM train_rows;
SELECT cardinality(tq_train_codebook(CASE WHEN id % 2 = 0 THEN v END, 4)) FROM train_rows;
\x
SELECT * FROM test.failure($$SELECT tq_train_codebook('{1,2,3}'::real[], 4)$$);
SELECT * FROM test.failure($$SELECT tq_train_codebook('{1,2,3}'::real[], 2, 42, 'quantile')$$);
SELECT * FROM test.failure($$SELECT tq_train_codebook(v, 3) FROM train_rows$$);
SELECT * FROM test.failure($$SELECT tq_train_codebook(v, NULL) FROM train_rows$$);
SELECT * FROM test.failure($$SELECT tq_train_codebook(v, 4, -1) FROM train_rows$$);
SELECT * FROM test.failure($$SELECT tq_train_codebook(v, 4, 1414611798) FROM train_rows$$);
SELECT * FROM test.failure($$SELECT tq_train_codebook(v, 4, 42, 'k-means') FROM train_rows$$);
SELECT * FROM test.failure($$SELECT tq_train_codebook(v, 4, 42, 'lloyd', 0) FROM train_rows$$);
SELECT * FROM test.failure($$SELECT tq_train_codebook(v, 4, 42, 'lloyd', 10, 'givens') FROM train_rows$$);
SELECT * FROM test.failure($$SELECT tq_train_codebook(v, 4) FROM (VALUES ('{1,2}'::real[]), ('{1,2,3}')) s(v)$$);
SELECT * FROM test.failure($$SELECT tq_train_codebook('{1,NaN}'::real[], 4)$$);
SELECT * FROM test.failure($$SELECT tq_train_codebook('{}'::real[], 4)$$);

-- The refusal of the built-in codec names the norm and both ways out.
SELECT * FROM test.failure($$SELECT tq_compress('{3,4}'::real[], 4)$$);
\x
DELETE FROM tq_catalog.tq_codec WHERE name ~ '^(s.* b[248]|trained hadamard)$';
DROP TABLE train_rows, train_scales, trained;
