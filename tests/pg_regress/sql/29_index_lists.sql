-- Indexes with lists: every row comes, whatever is looked at first; what is inserted, deleted and vacuumed; settings.

CREATE SCHEMA lists;
SET search_path = lists, test, public;
SET enable_seqscan = off;
CREATE TABLE rows (id int PRIMARY KEY, e tqvec(32, 4));
INSERT INTO rows SELECT i, test.unit(i, 32)::tqvec(32, 4) FROM generate_series(1, 3000) i;
INSERT INTO rows SELECT 10000 + i, NULL FROM generate_series(1, 5) i;
CREATE INDEX near ON rows USING tinyquant (e tqvec_cosine_ops) WITH (lists = 40);
SELECT metric, lists, rows, others, nulls FROM tq_index_info('near');
SELECT * FROM tq_index_check('near', true);
SELECT queries_asked, recall > 0.8 AS found FROM tq_index_recall('near', 50, 10);

-- Every row comes once, NULLs last; in order, but for those that are found late.
CREATE FUNCTION all_rows(OUT rows bigint, OUT ids bigint, OUT broken bigint) LANGUAGE sql AS $$
    WITH found AS MATERIALIZED (
        SELECT id, e <=> test.unit(7, 32) AS d FROM rows ORDER BY e <=> test.unit(7, 32) LIMIT 100000),
    numbered AS (SELECT id, d, lag(d) OVER () AS before FROM found)
    SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE d < before) FROM numbered
$$;
SET tinyquant.probes = 1;
SELECT rows, ids, broken <= 1 AS one_break_at_most FROM all_rows();
SET tinyquant.iterative_scan = relaxed_order;
SELECT rows, ids, broken > 1 AS broken FROM all_rows();
SET tinyquant.iterative_scan = off;
SELECT rows < 1000 AS few, rows = ids AS each_once, broken FROM all_rows();
RESET tinyquant.iterative_scan;
SET tinyquant.max_scan_tuples = 500;
SELECT rows < 2000 AS few, rows = ids AS each_once FROM all_rows();
RESET tinyquant.max_scan_tuples;
RESET tinyquant.probes;
SET tinyquant.target_recall = 1;
SELECT * FROM all_rows();
RESET tinyquant.target_recall;

-- A filter is filled, and plans that rely on the order have it.
SELECT count(*) FROM (SELECT id FROM rows WHERE id % 100 = 3 ORDER BY e <=> test.unit(7, 32) LIMIT 10) s;
SELECT count(*) FROM (SELECT id FROM rows WHERE id = 2999 ORDER BY e <=> test.unit(7, 32) LIMIT 10) s;
SELECT id FROM rows ORDER BY e <=> (SELECT e FROM rows WHERE id = 77), id LIMIT 1;

-- Inserts, deletes, a vacuum; places are used again.
DELETE FROM rows WHERE id % 3 = 0;
VACUUM rows;
SELECT pg_relation_size('near') AS size \gset
INSERT INTO rows SELECT 20000 + i, test.unit(20000 + i, 32)::tqvec(32, 4) FROM generate_series(1, 900) i;
SELECT pg_relation_size('near') <= :size + 40 * 8192 AS grown_little FROM rows LIMIT 1;
SELECT * FROM tq_index_check('near', true);
SELECT rows, ids FROM all_rows();
REINDEX INDEX CONCURRENTLY near;
SELECT * FROM tq_index_check('near', true);
SELECT rows, ids FROM all_rows();

-- Of no row there are no lists; of few, fewer.
CREATE TABLE none (LIKE rows);
CREATE INDEX none_near ON none USING tinyquant (e tqvec_l2_ops) WITH (lists = 40);
SELECT lists, probes, imbalance, advice FROM tq_index_info('none_near');
INSERT INTO none SELECT * FROM rows WHERE e IS NOT NULL LIMIT 7;
SELECT advice FROM tq_index_info('none_near');
REINDEX INDEX none_near;
SELECT lists, rows FROM tq_index_info('none_near');
SELECT lists, probes BETWEEN 1 AND 40 AS probes, imbalance BETWEEN 1 AND 3 AS even, advice FROM tq_index_info('near');
INSERT INTO none SELECT 40000 + id, e FROM rows WHERE e IS NOT NULL LIMIT 20;
SELECT advice FROM tq_index_info('none_near');
CREATE INDEX flat ON rows USING tinyquant (e tqvec_l2_ops);
SELECT lists FROM tq_index_info('flat');
CREATE INDEX by_table ON rows USING tinyquant (e tqvec_ip_ops) WITH (lists = 20, refine = table);
SELECT lists, refine FROM tq_index_info('by_table');
SELECT * FROM tq_index_check('by_table', true);
SET client_min_messages = warning;
DROP SCHEMA lists CASCADE;
