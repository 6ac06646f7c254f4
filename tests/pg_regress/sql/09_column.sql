-- tq_compress_column: a column in batches.
CREATE TABLE column_rows (id int PRIMARY KEY, v real[], e tqvec(16, 4));
INSERT INTO column_rows SELECT i, CASE WHEN i % 100 <> 0 THEN test.unit(i, 16) END FROM generate_series(1, 1050) i;
CALL tq_compress_column('column_rows', 'v', 'e', 400);
SELECT count(*), count(e), bool_and(e = tq_compress(v, 4)) AS equal FROM column_rows;
-- Only what is missing.
CALL tq_compress_column('column_rows', 'v', 'e');
UPDATE column_rows SET e = NULL WHERE id <= 3;
CALL tq_compress_column(relation => 'column_rows', source => 'v', target => 'e', batch => 2);

-- Any thread count makes the same; so does a codec, double precision, no modifier, mixed dimensions.
SET tinyquant.threads = 1;
UPDATE column_rows SET e = NULL;
CALL tq_compress_column('column_rows', 'v', 'e');
SELECT count(e), bool_and(e = tq_compress(v, 4)) AS equal FROM column_rows;
RESET tinyquant.threads;
SELECT length(tq_create_codec('column codec', 16, 8, residual => true, seed => 12)) AS hash;
ALTER TABLE column_rows ADD c tqvec, ADD d double precision[], ADD f tqvec(16, 2, residual, hadamard);
UPDATE column_rows SET d = v;
CALL tq_compress_column('column_rows', 'v', 'c', codec => 'column codec');
CALL tq_compress_column('column_rows', 'd', 'f');
SELECT bool_and(c = tq_compress(v, 'column codec')) AS c, bool_and(f = tq_compress(v, 2, true, 'hadamard')) AS f,
       count(c), count(f) FROM column_rows;
CREATE TABLE column_mixed (v real[], e tqvec);
INSERT INTO column_mixed SELECT test.unit(i, 1 + i % 3 * 7) FROM generate_series(1, 100) i;
CALL tq_compress_column('column_mixed', 'v', 'e');
SELECT tq_dimension(e), count(*), bool_and(e = v::tqvec) AS equal FROM column_mixed GROUP BY 1 ORDER BY 1;

-- Triggers, generated columns, indexes and constraints do what they do in any UPDATE.
CREATE TABLE "Column ""Odd""" (
    "the id" int PRIMARY KEY, "Vec" real[], "Tq" tqvec(16, 4), bits int GENERATED ALWAYS AS (tq_bit_width("Tq")) STORED,
    changed int DEFAULT 0, CHECK (tq_dimension("Tq") = 16));
CREATE INDEX ON "Column ""Odd""" USING hash ("Tq");
CREATE FUNCTION test.count_changes() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW.changed := OLD.changed + 1; RETURN NEW; END $$;
CREATE TRIGGER counting BEFORE UPDATE ON "Column ""Odd""" FOR EACH ROW EXECUTE FUNCTION test.count_changes();
INSERT INTO "Column ""Odd""" SELECT i, test.unit(i, 16) FROM generate_series(1, 20) i;
CALL tq_compress_column('"Column ""Odd"""', 'Vec', 'Tq', 7);
SELECT count(*), min(bits), max(bits), min(changed), max(changed) FROM "Column ""Odd""";
-- A trigger that takes everything back ends it, too.
CREATE FUNCTION test.take_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN NEW."Tq" := NULL; RETURN NEW; END $$;
CREATE TRIGGER taking_back BEFORE UPDATE ON "Column ""Odd""" FOR EACH ROW EXECUTE FUNCTION test.take_back();
SET client_min_messages = warning;
UPDATE "Column ""Odd""" SET changed = 0;
CALL tq_compress_column('"Column ""Odd"""', 'Vec', 'Tq', 7);
RESET client_min_messages;
SELECT count("Tq") FROM "Column ""Odd""";

-- Partitions, and a role that has rights to the parent alone.
CREATE TABLE column_parts (id int, v real[], e tqvec(16, 4)) PARTITION BY RANGE (id);
CREATE TABLE column_parts_1 PARTITION OF column_parts FOR VALUES FROM (0) TO (100);
CREATE TABLE column_parts_2 PARTITION OF column_parts FOR VALUES FROM (100) TO (1000) PARTITION BY RANGE (id);
CREATE TABLE column_parts_21 (e tqvec(16, 4), id int, v real[]);
ALTER TABLE column_parts_2 ATTACH PARTITION column_parts_21 FOR VALUES FROM (100) TO (1000);
INSERT INTO column_parts SELECT i, test.unit(i, 16) FROM generate_series(1, 300) i;
CALL tq_compress_column('column_parts', 'v', 'e', 120);
SELECT tableoid::regclass, count(*), bool_and(e = tq_compress(v, 4)) AS equal FROM column_parts GROUP BY 1 ORDER BY 1::text;
CREATE ROLE column_user;
GRANT USAGE ON SCHEMA public, test TO column_user;
GRANT SELECT, UPDATE (e) ON column_parts TO column_user;
UPDATE column_parts SET e = NULL;
SET ROLE column_user;
CALL tq_compress_column('column_parts', 'v', 'e', 120);
CALL tq_compress_column('column_rows', 'v', 'e');
CALL tq_compress_column('column_mixed', 'v', 'e');
RESET ROLE;
SELECT tableoid::regclass, count(*), bool_and(e = tq_compress(v, 4)) AS equal FROM column_parts GROUP BY 1 ORDER BY 1::text;
-- Row-level security of the parent holds.
UPDATE column_parts SET e = NULL;
ALTER TABLE column_parts ENABLE ROW LEVEL SECURITY;
CREATE POLICY every_third ON column_parts TO column_user USING (id % 3 = 0);
GRANT SELECT, UPDATE ON column_parts_1, column_parts_21 TO column_user;
SET ROLE column_user;
CALL tq_compress_column('column_parts', 'v', 'e');
RESET ROLE;
SELECT id % 3 = 0 AS visible, count(e), count(*) FROM column_parts GROUP BY 1 ORDER BY 1;
-- Inheritance.
CREATE TABLE column_child () INHERITS (column_mixed);
INSERT INTO column_child SELECT test.unit(i, 4) FROM generate_series(1, 5) i;
CALL tq_compress_column('column_mixed', 'v', 'e');

-- A row that can't be compressed is named; what is committed stays, and is not done again.
CREATE TABLE column_bad (id int, v real[], e tqvec(16, 4));
INSERT INTO column_bad SELECT i, CASE i WHEN 8 THEN array_fill(0::real, '{16}') ELSE test.unit(i, 16) END FROM generate_series(1, 10) i;
\set SHOW_CONTEXT never
CALL tq_compress_column('column_bad', 'v', 'e', 3);
SELECT max(id), count(*) FROM column_bad WHERE e IS NOT NULL;
UPDATE column_bad SET v = ARRAY(SELECT x * 2 FROM unnest(test.unit(8, 16)) x) WHERE id = 8;
CALL tq_compress_column('column_bad', 'v', 'e', 3);
UPDATE column_bad SET v = '{1,2,3}' WHERE id = 8;
CALL tq_compress_column('column_bad', 'v', 'e', 3);
UPDATE column_bad SET v = test.unit(8, 16) WHERE id = 8;
CALL tq_compress_column('column_bad', 'v', 'e', 3);
SELECT count(e) FROM column_bad;
SET client_min_messages = warning;
CALL tq_compress_column('column_mixed', 'e', 'v');
CALL tq_compress_column('column_rows', 'id', 'e');
CALL tq_compress_column('column_rows', 'nowhere', 'e');
CALL tq_compress_column('column_rows', 'v', 'nowhere');
CALL tq_compress_column('column_rows', 'v', 'e', 0);
CALL tq_compress_column('column_rows', NULL, 'e');
CALL tq_compress_column('column_rows', 'v', 'e', codec => 'none');
CALL tq_compress_column('column_rows', 'v', 'e', codec => 'column codec');
CREATE VIEW column_view AS SELECT * FROM column_rows;
CALL tq_compress_column('column_view', 'v', 'e');
DROP VIEW column_view;
CALL tq_compress_column('nowhere', 'v', 'e');
BEGIN;
CALL tq_compress_column('column_rows', 'v', 'e');
ROLLBACK;
-- From a DO block or a procedure that may commit, it may too.
DO $$ BEGIN CALL tq_compress_column('column_child', 'v', 'e'); END $$;

DROP TABLE column_bad, column_rows, column_mixed, column_child, column_parts, "Column ""Odd""";
REVOKE ALL ON SCHEMA public, test FROM column_user;
DROP ROLE column_user;
SELECT tq_drop_codec('column codec');
