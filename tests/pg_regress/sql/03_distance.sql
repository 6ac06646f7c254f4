-- Distances: every metric, every pair of arguments, every width, against the definition on decompressed vectors.

CREATE TABLE test.items (id int PRIMARY KEY, v tqvec, f real[]);
INSERT INTO test.items
SELECT i, tq_compress(u, (array[2, 4, 8])[1 + i % 3], i % 2 = 0), u
FROM (SELECT i, test.unit(i, 100) AS u FROM generate_series(1, 60) i) s;
INSERT INTO test.items VALUES (0, NULL, NULL);
SELECT f AS query FROM test.items WHERE id = 1 \gset

SELECT max(abs((v <-> :'query'::real[]) - test.l2(tq_decompress(v), :'query'))) < 1e-5 AS l2,
       max(abs((v <#> :'query'::real[]) + test.ip(tq_decompress(v), :'query'))) < 1e-5 AS ip,
       max(abs((v <=> :'query'::real[]) - test.cosine(tq_decompress(v), :'query'))) < 1e-5 AS cosine,
       max(abs((v <+> :'query'::real[]) - test.l1(tq_decompress(v), :'query'))) < 1e-4 AS l1
FROM test.items;
SELECT max(abs((:'query'::real[] <-> v) - test.l2(tq_decompress(v), :'query'))) < 1e-5 AS l2,
       max(abs((:'query'::real[] <#> v) + test.ip(tq_decompress(v), :'query'))) < 1e-5 AS ip,
       max(abs((:'query'::real[] <=> v) - test.cosine(tq_decompress(v), :'query'))) < 1e-5 AS cosine,
       max(abs((:'query'::real[] <+> v) - test.l1(tq_decompress(v), :'query'))) < 1e-4 AS l1
FROM test.items;
SELECT max(abs((a.v <-> b.v) - test.l2(tq_decompress(a.v), tq_decompress(b.v)))) < 1e-5 AS l2,
       max(abs((a.v <#> b.v) + test.ip(tq_decompress(a.v), tq_decompress(b.v)))) < 1e-5 AS ip,
       max(abs((a.v <=> b.v) - test.cosine(tq_decompress(a.v), tq_decompress(b.v)))) < 1e-5 AS cosine,
       max(abs((a.v <+> b.v) - test.l1(tq_decompress(a.v), tq_decompress(b.v)))) < 1e-4 AS l1
FROM test.items a, test.items b WHERE a.id % 7 = 0 AND b.id % 5 = 0;

-- The functions behind the operators.
SELECT bool_and((v <-> f) = tq_l2_distance(v, f)) AS l2, bool_and((v <#> f) = tq_negative_inner_product(v, f)) AS nip,
       bool_and((v <#> f) = -tq_inner_product(v, f)) AS ip, bool_and((v <=> f) = tq_cosine_distance(v, f)) AS cosine,
       bool_and((v <+> f) = tq_l1_distance(v, f)) AS l1, count(v <-> f)
FROM test.items;

-- A literal query becomes an 8 bit record with residual, and is as good as the floats.
SELECT max(abs((v <=> :'query'::real[]) - (v <=> ('[' || trim(:'query', '{}') || ']')::tqvec))) < 1e-4 AS literal FROM test.items;
SELECT id FROM test.items ORDER BY v <=> '[1, 0]' LIMIT 1;
SELECT id FROM test.items WHERE id > 0 ORDER BY v <-> :'query'::real[] LIMIT 1;

-- An exact match, and vectors without direction.
SELECT round((v <-> v)::numeric, 6) AS l2, round((v <=> v)::numeric, 6) AS cosine FROM test.items WHERE id = 2;
SELECT '[1, 0]'::tqvec <=> '{0, 0}'::real[] AS cosine, round(('[1, 0]'::tqvec <-> '{0, 0}'::real[])::numeric, 4) AS l2;

-- NULLs stay NULL and last.
SELECT id FROM test.items ORDER BY v <=> :'query'::real[] OFFSET 59;
SELECT v <-> NULL::real[] IS NULL AS strict FROM test.items LIMIT 1;

-- Different dimensions, at any row.
SELECT * FROM test.failure($$SELECT v <-> '{1, 0}'::real[] FROM test.items$$);
SELECT * FROM test.failure($$SELECT a.v <=> '[1, 0]'::tqvec FROM test.items a$$);
SELECT * FROM test.failure($$SELECT tq_l1_distance('{1, 0}'::real[], v) FROM test.items$$);

-- Parallel and serial plans agree.
CREATE TABLE test.many AS SELECT i AS id, tq_compress(test.unit(i % 500, 48), 4) AS v FROM generate_series(1, 20000) i;
ANALYZE test.many;
SET max_parallel_workers_per_gather = 0;
SELECT md5(string_agg(id || ' ' || round(d::numeric, 6), ',' ORDER BY id)) AS serial
FROM (SELECT id, v <=> test.unit(3, 48) AS d FROM test.many) s \gset
SET max_parallel_workers_per_gather = 4;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT id FROM test.many ORDER BY v <=> '[1]' LIMIT 10;
SELECT md5(string_agg(id || ' ' || round(d::numeric, 6), ',' ORDER BY id)) = :'serial' AS parallel_agrees
FROM (SELECT id, v <=> test.unit(3, 48) AS d FROM test.many) s;
-- A table of some size gets a parallel plan by the functions' costs alone.
RESET ALL;
SET max_parallel_workers_per_gather = 2;
CREATE TABLE test.large AS SELECT g AS id, v FROM test.many, generate_series(1, 6) g;
ANALYZE test.large;
EXPLAIN (COSTS OFF) SELECT id FROM test.large ORDER BY v <=> test.unit(3, 48) LIMIT 10;
DROP TABLE test.items, test.many, test.large;

-- Aggregates: the sum and the mean of the decompressed vectors, from several codecs, NULLs left out.
RESET ALL;
CREATE TABLE test.sums AS
SELECT i AS id, CASE WHEN i % 10 > 0 THEN tq_compress(test.unit(i, 24), (array[2, 4, 8])[1 + i % 3], i % 2 = 0) END AS v
FROM generate_series(1, 3000) i;
SELECT tq_create_codec('summed', 24, 8, true, 12) IS NOT NULL AS registered;
INSERT INTO test.sums SELECT i, tq_compress(test.unit(i, 24), 'summed') FROM generate_series(1, 100) i;
CREATE VIEW test.by_definition AS
SELECT array_agg(total::real ORDER BY position) AS sum, array_agg(mean::real ORDER BY position) AS avg
FROM (SELECT position, sum(x::float8) AS total, avg(x::float8) AS mean
      FROM test.sums, unnest(tq_decompress(v)) WITH ORDINALITY u (x, position) GROUP BY position) s;
SELECT test.l2(sum(v), (SELECT sum FROM test.by_definition)) / 50 < 1e-5 AS sum,
       test.l2(avg(v), (SELECT avg FROM test.by_definition)) < 1e-5 AS avg
FROM test.sums;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
EXPLAIN (COSTS OFF) SELECT avg(v) FROM test.sums;
SELECT test.l2(sum(v), (SELECT sum FROM test.by_definition)) / 50 < 1e-5 AS sum,
       test.l2(avg(v), (SELECT avg FROM test.by_definition)) < 1e-5 AS avg
FROM test.sums;
RESET ALL;
SELECT sum(v) IS NULL AS sum, avg(v) IS NULL AS avg FROM test.sums WHERE v IS NULL;
SELECT bool_and(test.l2(avg, tq_decompress(v)) < 1e-5) AS windows
FROM (SELECT v, avg(v) OVER (ORDER BY id ROWS CURRENT ROW) AS avg FROM test.sums WHERE v IS NOT NULL LIMIT 100) s;
SELECT * FROM test.failure($$SELECT sum(v) FROM (SELECT v FROM test.sums UNION ALL SELECT '[1, 0]') s$$);
DROP TABLE test.sums CASCADE;
SELECT tq_drop_codec('summed');
