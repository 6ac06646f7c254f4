-- Equality with a literal: a column is compared with what it would store of it.
SET client_min_messages = warning;
CREATE TABLE test.equal (id int, e tqvec(3, 4), f tqvec(3, 2, hadamard), g tqvec(3, 8, residual), h tqvec, k tqvec(3, haar));
INSERT INTO test.equal SELECT i, x, x, x, x, x FROM (VALUES (1, '[0.6, 0, 0.8]'::tqvec), (2, '[0, 1, 0]'), (3, '[0, -0.8, 0.6]')) v (i, x);
INSERT INTO test.equal VALUES (4, '{0.6, 0, 0.8}'::real[], '{0.6, 0, 0.8}'::real[], '{0.6, 0, 0.8}'::real[], '{0.6, 0, 0.8}'::real[], '{0.6, 0, 0.8}'::real[]);
SELECT array_agg(id ORDER BY id) FILTER (WHERE e = '[0.6, 0, 0.8]') AS e, array_agg(id ORDER BY id) FILTER (WHERE f = '[0.6, 0, 0.8]') AS f,
       array_agg(id ORDER BY id) FILTER (WHERE g = '[0.6, 0, 0.8]') AS g, array_agg(id ORDER BY id) FILTER (WHERE h = '[0.6, 0, 0.8]') AS h,
       array_agg(id ORDER BY id) FILTER (WHERE '[0.6, 0, 0.8]' = k) AS k, array_agg(id ORDER BY id) FILTER (WHERE e <> '[0.6, 0, 0.8]') AS other,
       array_agg(id ORDER BY id) FILTER (WHERE e = '{0.6, 0, 0.8}'::real[]::tqvec) AS floats
FROM test.equal;

-- Indexes are used, in every kind of statement.
CREATE INDEX equal_e ON test.equal (e);
CREATE INDEX equal_f ON test.equal USING hash (f);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM test.equal WHERE e = '[0.6, 0, 0.8]';
EXPLAIN (COSTS OFF) SELECT id FROM test.equal WHERE '[0.6, 0, 0.8]' = f;
SELECT id FROM test.equal WHERE e = '[0.6, 0, 0.8]' ORDER BY id;
SELECT id FROM test.equal WHERE f = '[0.6, 0, 0.8]' ORDER BY id;
BEGIN;
DELETE FROM test.equal WHERE e = '[0, 1, 0]' RETURNING id;
UPDATE test.equal SET id = 30 WHERE e = '[0, -0.8, 0.6]' RETURNING id;
MERGE INTO test.equal t USING (VALUES ('[0, -0.8, 0.6]'::tqvec, 31), ('[0, 0, 1]', 50)) AS v (x, n) ON t.e = v.x
    WHEN MATCHED THEN UPDATE SET id = n WHEN NOT MATCHED THEN INSERT (id, e) VALUES (n, x);
MERGE INTO test.equal t USING (SELECT '[0, 0, 1]'::tqvec AS x) AS v ON t.e = v.x WHEN MATCHED THEN DELETE;
SELECT id FROM test.equal ORDER BY id;
ROLLBACK;

-- Parameters: the same rows whether the plan knows the value or not.
PREPARE by_e(tqvec) AS SELECT id FROM test.equal WHERE e = $1 ORDER BY id;
PREPARE by_floats(real[]) AS SELECT array_agg(id ORDER BY id) FROM test.equal WHERE e = $1::tqvec;
SELECT e AS record FROM test.equal WHERE id = 2 \gset
PREPARE two(tqvec, tqvec) AS SELECT $1::tqvec(3, 4) = $2;
SET plan_cache_mode = force_custom_plan;
EXPLAIN (COSTS OFF) EXECUTE by_e('[0.6, 0, 0.8]');
EXECUTE by_e('[0.6, 0, 0.8]');
EXECUTE by_floats('{0.6, 0, 0.8}');
EXECUTE two('[0.6, 0, 0.8]', '[0.6, 0, 0.8]');
EXECUTE by_e(:'record');
EXECUTE by_e('[1, 0]');
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_e('[0.6, 0, 0.8]');
EXECUTE by_e('[0.6, 0, 0.8]');
EXECUTE by_floats('{0.6, 0, 0.8}');
EXECUTE two('[0.6, 0, 0.8]', '[0.6, 0, 0.8]');
EXECUTE by_e(:'record');
EXECUTE by_e('[1, 0]');
EXECUTE by_e(NULL);
SET enable_seqscan = on;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
EXECUTE by_e('[0.6, 0, 0.8]');
CREATE FUNCTION test.removed(value tqvec) RETURNS int[] LANGUAGE plpgsql AS $$
DECLARE gone int[];
BEGIN
    WITH removed AS (DELETE FROM test.equal WHERE e = value RETURNING id) SELECT array_agg(id ORDER BY id) INTO gone FROM removed;
    RETURN gone;
END $$;
BEGIN;
SELECT test.removed('[0, 1, 0]'), test.removed('[0.6, 0, 0.8]'), test.removed('[0, 1, 0]');
ROLLBACK;
RESET plan_cache_mode;
RESET enable_indexscan;
RESET enable_indexonlyscan;
RESET enable_bitmapscan;

-- Through views, sub-queries, domains, partitions, outer queries and policies.
CREATE VIEW test.equal_view AS SELECT id, e FROM test.equal;
CREATE DOMAIN test.small AS tqvec(3, 4);
CREATE TABLE test.equal_domain (id int, e test.small);
INSERT INTO test.equal_domain SELECT id, e FROM test.equal;
CREATE TABLE test.equal_parts (id int, e tqvec(3, 4)) PARTITION BY LIST (e);
CREATE TABLE test.equal_part PARTITION OF test.equal_parts FOR VALUES IN ('[0.6, 0, 0.8]');
CREATE TABLE test.equal_rest PARTITION OF test.equal_parts DEFAULT;
INSERT INTO test.equal_parts SELECT id, e FROM test.equal;
SELECT (SELECT count(*) FROM test.equal_view WHERE e = '[0.6, 0, 0.8]') AS view,
       (WITH c AS MATERIALIZED (SELECT * FROM test.equal) SELECT count(*) FROM c WHERE e = '[0.6, 0, 0.8]') AS cte,
       (SELECT count(*) FROM (SELECT e FROM test.equal OFFSET 0) s WHERE e = '[0.6, 0, 0.8]') AS subquery,
       (SELECT count(*) FROM test.equal_domain WHERE e = '[0.6, 0, 0.8]') AS domain,
       (SELECT count(*) FROM test.equal_parts WHERE e = '[0.6, 0, 0.8]') AS partitions,
       (SELECT count(*) FROM test.equal t WHERE EXISTS (SELECT FROM test.equal_domain d WHERE d.id = t.id AND t.e = '[0.6, 0, 0.8]')) AS outer_query,
       (SELECT count(*) FROM test.equal t JOIN (VALUES ('[0.6, 0, 0.8]'::tqvec), ('[0, 1, 0]')) v (x) ON t.e = v.x) AS list;
EXPLAIN (COSTS OFF) SELECT id FROM test.equal_parts WHERE e = '[0.6, 0, 0.8]';
CREATE ROLE equal_reader;
GRANT USAGE ON SCHEMA test TO equal_reader;
GRANT SELECT ON test.equal TO equal_reader;
ALTER TABLE test.equal ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON test.equal USING (id < 4);
SET ROLE equal_reader;
SET enable_seqscan = off;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE by_e('[0.6, 0, 0.8]');
EXECUTE by_e('[0.6, 0, 0.8]');
RESET plan_cache_mode;
RESET enable_seqscan;
RESET ROLE;
ALTER TABLE test.equal DISABLE ROW LEVEL SECURITY;

-- In a constraint, a trigger's condition and an index's.
ALTER TABLE test.equal ADD CONSTRAINT no_third CHECK (e <> '[0, 0, 1]');
SELECT * FROM test.failure($$INSERT INTO test.equal (id, e) VALUES (5, '[0, 0, 1]')$$);
CREATE INDEX equal_some ON test.equal (id) WHERE e = '[0.6, 0, 0.8]';
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM test.equal WHERE e = '[0.6, 0, 0.8]' AND id > 0;
RESET enable_seqscan;

-- What stays as it is: literals that the column would refuse are equal to none of its records, and no error; other records; a modifier
-- that was taken away; two columns; lists of several, unless cast; IS DISTINCT FROM; two constants.
SELECT count(*) FILTER (WHERE e = '[1, 0]') AS dimension, count(*) FILTER (WHERE e = '[3, 4, 0]') AS norm, count(*) FILTER (WHERE e <> '[3, 4, 0]') AS other_norm,
       count(*) FILTER (WHERE e = tq_compress('{0.6, 0, 0.8}', 2)) AS width, count(*) FILTER (WHERE e = tq_compress('{0.6, 0, 0.8}', 4)) AS same,
       count(*) FILTER (WHERE e::tqvec = '[0.6, 0, 0.8]') AS without_modifier, count(*) FILTER (WHERE e = h) AS columns,
       count(*) FILTER (WHERE e IN ('[0.6, 0, 0.8]', '[0, 1, 0]')) AS list, count(*) FILTER (WHERE e IN ('[0.6, 0, 0.8]')) AS list_of_one,
       count(*) FILTER (WHERE e = ANY ('{"[0.6, 0, 0.8]", "[0, 1, 0]"}'::tqvec(3, 4)[])) AS cast_list,
       count(*) FILTER (WHERE e IS DISTINCT FROM '[0.6, 0, 0.8]') AS different, count(*) FILTER (WHERE e = NULL) AS nothing
FROM test.equal;
SELECT '[0.6, 0, 0.8]'::tqvec(3, 4) = '[0.6, 0, 0.8]' AS constants, '[0.6, 0, 0.8]'::tqvec(3, 4) = '[0.6, 0, 0.8]'::tqvec(3, 4) AS both_cast;
DEALLOCATE by_e;
DEALLOCATE by_floats;
DEALLOCATE two;
DROP TABLE test.equal, test.equal_domain, test.equal_parts CASCADE;
DROP FUNCTION test.removed(tqvec);
DROP DOMAIN test.small;
REVOKE USAGE ON SCHEMA test FROM equal_reader;
DROP ROLE equal_reader;
