-- Indexes over pgvector's own columns: the order is that of the floats, whatever the index holds of them.
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS vector;
-- A test before this one has moved it.
SELECT set_config('search_path', 'public, ' || extnamespace::regnamespace, false) FROM pg_extension WHERE extname = 'vector' \g /dev/null
SELECT tq_enable_pgvector();
RESET client_min_messages;
SELECT opcname, opcintype::regtype::text ~ 'vec(tor)?$' AS of_theirs, amvalidate(oid) FROM pg_opclass
WHERE opcmethod = (SELECT oid FROM pg_am WHERE amname = 'tinyquant') AND opcname !~ '^tqvec' ORDER BY opcname COLLATE "C";
CREATE FUNCTION numbers_of(seed int, dimension int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg(((hashint8extended(seed, i) % 1000)::real / 1000 + 0.3)::real * (1 + seed % 5) ORDER BY i) FROM generate_series(1, dimension) i
$$;
CREATE TABLE floats (id int, v vector(48), h halfvec(48));
INSERT INTO floats SELECT i, numbers_of(i, 48)::vector, numbers_of(i, 48)::vector FROM generate_series(1, 1500) i;
-- Half of the rows are there when the indexes are made, half come after.
CREATE TABLE asked AS SELECT id, v, h FROM floats WHERE id % 100 = 0;
CREATE TABLE plain AS TABLE floats;
DELETE FROM floats WHERE id % 2 = 0;
CREATE INDEX floats_cosine ON floats USING tinyquant (v vector_cosine_ops);
CREATE INDEX floats_l2 ON floats USING tinyquant (v vector_l2_ops) WITH (bits = 4);
CREATE INDEX floats_ip ON floats USING tinyquant (v vector_ip_ops) WITH (bits = 8, lists = 12);
CREATE INDEX halves_cosine ON floats USING tinyquant (h halfvec_cosine_ops) WITH (bits = 4);
CREATE INDEX halves_l2 ON floats USING tinyquant (h halfvec_l2_ops) WITH (lists = 12);
CREATE INDEX halves_ip ON floats USING tinyquant (h halfvec_ip_ops);
INSERT INTO floats SELECT * FROM plain WHERE id % 2 = 0;
SELECT name, metric, lists, dimension, bit_width, refine, rows, others FROM unnest(ARRAY['floats_cosine', 'floats_l2', 'floats_ip', 'halves_l2']) name, tq_index_info(name::regclass);
-- A plan's nodes, which versions of the server print with other details.
CREATE FUNCTION nodes(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line ~ '^ *(->  )?[A-Z][A-Za-z ]+( using| on|$)' AND line !~ 'InitPlan|asked' THEN RETURN NEXT regexp_replace(line, '^ *(-> *)?', ''); END IF;
    END LOOP;
END $$;
SELECT nodes('SELECT id FROM floats ORDER BY v <=> (SELECT v FROM asked WHERE id = 100) LIMIT 5');
-- The distances of the ten nearest, by the index and without it; and whether the whole table comes out in order.
CREATE FUNCTION compared(field text, operator text) RETURNS TABLE (queries bigint, same bigint, rows bigint, inversions bigint, by_index boolean) LANGUAGE plpgsql AS $$
DECLARE near text := format('SELECT id, (SELECT array_agg(d ORDER BY d) FROM (SELECT f.%I %s a.%I AS d FROM %%I f ORDER BY f.%I %s a.%I LIMIT %%s) f) near FROM asked a ORDER BY id',
                            field, operator, field, field, operator, field);
        plan text := ''; line text;
BEGIN
    SET LOCAL enable_seqscan = off;
    SET LOCAL enable_sort = off;
    FOR line IN EXECUTE 'EXPLAIN ' || format(near, 'floats', 10) LOOP plan := plan || line; END LOOP;
    by_index := plan ~ 'Index Scan using (floats|halves)';
    EXECUTE format('SELECT count(*), count(*) FILTER (WHERE a.near = b.near) FROM (%s) a JOIN (%s) b USING (id)', format(near, 'floats', 10), format(near, 'plain', 10))
    INTO queries, same;
    EXECUTE format('SELECT count(*), count(*) FILTER (WHERE d < before) FROM (SELECT d, lag(d) OVER () before FROM (SELECT f.%I %s a.%I AS d FROM floats f, (SELECT * FROM asked WHERE id = 300 LIMIT 1) a ORDER BY 1) o) s',
                   field, operator, field) INTO rows, inversions;
    RETURN NEXT;
END $$;
SET tinyquant.probes = 12;
SELECT field, operator, c.* FROM unnest(ARRAY['v', 'h']) field, unnest(ARRAY['<=>', '<->', '<#>']) operator, compared(field, operator) c ORDER BY field, operator;
-- Zeros, NULLs, and what is too large or small to be summed, at the places where they belong.
INSERT INTO floats (id, v) SELECT 2000 + i, (array_fill(x, ARRAY[48]))::vector FROM unnest(ARRAY[0, NULL, 1e30, -1e30, 1e-30, 1e-42]::real[]) WITH ORDINALITY t (x, i) WHERE x IS NOT NULL;
INSERT INTO floats (id, v) VALUES (2002, NULL);
INSERT INTO plain SELECT * FROM floats WHERE id > 2000;
CREATE FUNCTION ordered(operator text, query real[]) RETURNS TABLE (rows bigint, distinct_rows bigint, inversions bigint, last int) LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL enable_seqscan = off;
    SET LOCAL enable_sort = off;
    RETURN QUERY EXECUTE format('WITH o AS MATERIALIZED (SELECT id, v %1$s %2$L::vector AS d FROM floats ORDER BY v %1$s %2$L::vector), n AS (SELECT *, row_number() OVER () AS n, lag(d) OVER () AS before FROM o)
        SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE d < before), (SELECT id FROM n ORDER BY n DESC LIMIT 1) FROM n', operator, query::vector);
END $$;
SELECT operator, o.* FROM unnest(ARRAY['<=>', '<->']) operator, ordered(operator, numbers_of(7, 48)) o;
SELECT size, operator, o.rows, o.distinct_rows, o.inversions FROM unnest(ARRAY[0, 1e-30, 1e25]::real[]) size, unnest(ARRAY['<=>', '<->']) operator, ordered(operator, array_fill(size, ARRAY[48])) o;
-- Rows that go, and come back elsewhere.
DELETE FROM floats WHERE id % 3 = 0;
VACUUM floats;
INSERT INTO floats SELECT * FROM plain WHERE id % 3 = 0;
SELECT name, (SELECT count(*) FROM tq_index_check(name::regclass, heapallindexed => true)) AS faults FROM unnest(ARRAY['floats_cosine', 'floats_l2', 'floats_ip', 'halves_cosine', 'halves_l2', 'halves_ip']) name;
SELECT field, operator, c.same, c.inversions FROM unnest(ARRAY['v', 'h']) field, unnest(ARRAY['<=>', '<->', '<#>']) operator, compared(field, operator) c ORDER BY field, operator;
SELECT queries_asked, recall FROM tq_index_recall('floats_cosine', queries => 10);
-- Plans that rely on the order, and a query of each row.
SET enable_seqscan = off;
SELECT id FROM floats ORDER BY h <=> (SELECT h FROM asked WHERE id = 100), id LIMIT 1;
SELECT a.id, n.id FROM asked a, LATERAL (SELECT id FROM floats ORDER BY h <=> a.h LIMIT 1) n WHERE a.id < 500 ORDER BY a.id;
BEGIN;
DECLARE near CURSOR FOR SELECT id FROM floats ORDER BY h <-> (SELECT h FROM asked WHERE id = 700);
FETCH 1 FROM near;
MOVE 1400 FROM near;
MOVE ALL FROM near;
COMMIT;
RESET enable_seqscan;
-- A column without a dimension takes any; a search asks for one.
CREATE TABLE mixed (id int, v vector);
CREATE INDEX mixed_near ON mixed USING tinyquant (v vector_l2_ops);
INSERT INTO mixed SELECT i, numbers_of(i, 3)::vector FROM generate_series(1, 20) i;
INSERT INTO mixed VALUES (100, '[1, 2]');
SET enable_seqscan = off;
SELECT id FROM mixed ORDER BY v <-> '[1, 1, 1]' LIMIT 1;
SELECT id FROM mixed ORDER BY v <-> '[1, 1]' LIMIT 1;
DELETE FROM mixed WHERE id = 100;
SELECT id FROM mixed ORDER BY v <-> numbers_of(9, 3)::vector LIMIT 1;
RESET enable_seqscan;
-- Partial, of an expression, unlogged, of a partition.
CREATE INDEX floats_part ON floats USING tinyquant ((subvector(v, 1, 8)::vector(8)) vector_cosine_ops) WHERE id < 1000;
SELECT count(*) FROM tq_index_check('floats_part', true);
CREATE UNLOGGED TABLE unlogged_floats (v vector(3));
CREATE INDEX unlogged_near ON unlogged_floats USING tinyquant (v vector_ip_ops);
CREATE TABLE parts (id int, v vector(3)) PARTITION BY RANGE (id);
CREATE TABLE part_a PARTITION OF parts FOR VALUES FROM (0) TO (100);
CREATE TABLE part_b PARTITION OF parts FOR VALUES FROM (100) TO (200);
CREATE INDEX ON parts USING tinyquant (v vector_l2_ops);
INSERT INTO parts SELECT i, numbers_of(i, 3)::vector FROM generate_series(0, 199) i;
SET enable_seqscan = off;
SELECT nodes($$SELECT id FROM parts ORDER BY v <-> '[1, 1, 1]' LIMIT 2$$);
SELECT (SELECT array_agg(id) FROM (SELECT id FROM parts ORDER BY v <-> '[1, 1, 1]' LIMIT 5) s) = (SELECT array_agg(id) FROM (SELECT id FROM parts ORDER BY (v <-> '[1, 1, 1]') + 0 LIMIT 5) s) AS same;
RESET enable_seqscan;
-- Options hold for the next build: until then rows are compressed as the others are, and compared so.
CREATE TABLE altered (id int, v vector(32));
INSERT INTO altered SELECT i, numbers_of(i, 32)::vector FROM generate_series(1, 300) i;
CREATE INDEX altered_near ON altered USING tinyquant (v vector_l2_ops);
ALTER INDEX altered_near SET (bits = 4);
INSERT INTO altered SELECT i, numbers_of(i, 32)::vector FROM generate_series(301, 400) i;
SELECT bit_width, rows, others FROM tq_index_info('altered_near');
SELECT count(*) FROM tq_index_check('altered_near', true);
REINDEX INDEX altered_near;
INSERT INTO altered SELECT i, numbers_of(i, 32)::vector FROM generate_series(401, 410) i;
SELECT bit_width, rows, others FROM tq_index_info('altered_near');
SELECT count(*) FROM tq_index_check('altered_near', true);
DROP TABLE altered;
-- What isn't for them.
CREATE INDEX refused ON floats USING tinyquant (v vector_l2_ops) WITH (bits = 2);
CREATE INDEX refused ON floats USING tinyquant (v vector_l2_ops) WITH (refine = table);
CREATE INDEX refused ON floats USING tinyquant (v vector_l1_ops);
CREATE TABLE records (e tqvec(3, 4));
CREATE INDEX refused ON records USING tinyquant (e tqvec_l2_ops) WITH (bits = 8);
DROP TABLE floats, plain, asked, mixed, unlogged_floats, parts, records;
DROP FUNCTION compared, ordered, nodes, numbers_of;
