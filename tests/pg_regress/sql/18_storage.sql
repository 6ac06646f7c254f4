-- How columns are stored, and what ANALYZE keeps of them.

-- Records stay in the row where a page takes it; what else is in it goes out of line first.
CREATE TABLE test.stored (id int, e tqvec(1536, 8), note text);
ALTER TABLE test.stored ALTER note SET STORAGE external;
INSERT INTO test.stored SELECT i, tq_normalize(array_agg(hashint8extended(j, i)::real)), repeat('x', 512)
FROM generate_series(1, 20) i, generate_series(1, 1536) j GROUP BY i;
SELECT attname, attstorage FROM pg_attribute WHERE attrelid = 'test.stored'::regclass AND attname IN ('e', 'note') ORDER BY 1;
SELECT count(DISTINCT ctid::text) AS rows, count(DISTINCT (ctid::text::point)[0]) AS pages FROM test.stored;
-- A domain, and a column that says otherwise.
CREATE DOMAIN test.embedding AS tqvec(1536, 8);
CREATE TABLE test.stored_otherwise (d test.embedding, e tqvec);
ALTER TABLE test.stored_otherwise ALTER e SET STORAGE external;
SELECT attname, attstorage FROM pg_attribute WHERE attrelid = 'test.stored_otherwise'::regclass AND attnum > 0 ORDER BY 1;
DROP TABLE test.stored_otherwise;

-- ANALYZE counts; it keeps no value.
CREATE FUNCTION test.kept(relation regclass) RETURNS TABLE (attname name, nulls real, distinct_values real, width int, kinds text)
LANGUAGE sql AS $$
    SELECT a.attname, stanullfrac, round(stadistinct::numeric, 2), stawidth, concat_ws(' ', stakind1, stakind2, stakind3, stakind4, stakind5)
    FROM pg_statistic JOIN pg_attribute a ON attrelid = starelid AND attnum = staattnum WHERE starelid = relation ORDER BY attnum
$$;
CREATE TABLE test.analysed (unique_all tqvec, few tqvec, twice tqvec, half_null tqvec, all_null tqvec, small tqvec(4, 8), domained test.embedding);
INSERT INTO test.analysed (unique_all, few, twice, half_null, small)
SELECT tq_compress(ARRAY[i, 1, 2, 3]::real[], 8, true), tq_compress(ARRAY[i % 10, 1, 2, 3]::real[], 8, true),
       tq_compress(ARRAY[i / 2, 1, 2, 3]::real[], 8, true), CASE i % 2 WHEN 0 THEN tq_compress(ARRAY[i, 1, 2, 3]::real[], 8, true) END,
       tq_compress(ARRAY[1, 0, 0, 0]::real[], 8)
FROM generate_series(1, 1000) i;
ANALYZE test.analysed;
SELECT * FROM test.kept('test.analysed');
-- Out of line, where nothing is fetched: taken to be different, as PostgreSQL does.
CREATE TABLE test.far (e tqvec);
ALTER TABLE test.far ALTER e SET STORAGE external;
INSERT INTO test.far SELECT tq_compress(array_fill(1::real, ARRAY[2048]), 8, true) FROM generate_series(1, 50);
ANALYZE test.far;
SELECT * FROM test.kept('test.far');
-- More rows than a sample: an estimate.
CREATE TABLE test.many AS SELECT tq_compress(ARRAY[(i * 7919) % 3000, 1, 2, 3]::real[], 8, true) AS e FROM generate_series(1, 40000) i;
ANALYZE test.many;
SELECT distinct_values BETWEEN 2900 AND 3100 AS estimated FROM test.kept('test.many');
ALTER TABLE test.many ALTER e SET STATISTICS 10;
ANALYZE test.many;
SELECT distinct_values BETWEEN 2000 AND 4500 AS estimated FROM test.kept('test.many');
CREATE TABLE test.empty (e tqvec);
ANALYZE test.empty;
SELECT * FROM test.kept('test.empty');
-- An index on an expression whose values are records.
CREATE TABLE test.expression AS SELECT ARRAY[i % 5, 1]::real[] AS v FROM generate_series(1, 100) i;
CREATE INDEX expression_index ON test.expression ((v::tqvec(2, 8, residual)));
ANALYZE test.expression;
SELECT * FROM test.kept('test.expression_index');

-- What plans make of it: rows expected for equality, grouping, DISTINCT and a join.
CREATE FUNCTION test.expected(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
SELECT test.expected('SELECT FROM test.analysed WHERE unique_all = (SELECT unique_all FROM test.analysed LIMIT 1)') AS one,
       test.expected('SELECT FROM test.analysed WHERE few = (SELECT few FROM test.analysed LIMIT 1)') AS hundred,
       test.expected('SELECT few FROM test.analysed GROUP BY few') AS ten, test.expected('SELECT DISTINCT unique_all FROM test.analysed') AS thousand,
       test.expected('SELECT FROM test.analysed a JOIN test.analysed b USING (unique_all)') AS joined;
DROP TABLE test.stored, test.analysed, test.far, test.many, test.empty, test.expression;
DROP DOMAIN test.embedding;
