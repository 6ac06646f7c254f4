-- What COPY fills and what it reads: every kind of relation, with core's own COPY beside it.
\getenv abs_builddir PG_ABS_BUILDDIR
\set ours :abs_builddir '/results/copy_targets.tqcv'
\set cores :abs_builddir '/results/copy_targets.binary'
\set out :abs_builddir '/results/copy_targets.out'
\set SHOW_CONTEXT never
\set VERBOSITY terse

CREATE TABLE test.source (id int PRIMARY KEY, e tqvec(8, 4));
INSERT INTO test.source SELECT i, tq_compress(test.unit(i, 8), 4) FROM generate_series(1, 20) i;
COPY (SELECT id, e FROM test.source ORDER BY id) TO :'ours' WITH (FORMAT tqcv);
COPY (SELECT id, e FROM test.source ORDER BY id) TO :'cores' WITH (FORMAT binary);

-- The outcome of a COPY FROM into a target, and whether core's is the same to the word. Neither leaves rows.
CREATE FUNCTION test.beside(target text, options text DEFAULT '', condition text DEFAULT '',
    OUT ours text, OUT as_cores bool, OUT rows_left bigint) LANGUAGE plpgsql AS $$
DECLARE cores text; relation text := split_part(target, ' ', 1); before bigint; after bigint;
BEGIN
    EXECUTE 'SELECT count(*) FROM ' || relation INTO before;
    SELECT code || ' ' || message INTO ours FROM test.failure(format('COPY %s FROM %L WITH (FORMAT tqcv%s) %s',
        target, current_setting('test.ours'), options, condition));
    EXECUTE 'SELECT count(*) FROM ' || relation INTO after;
    rows_left := after - before;
    SELECT code || ' ' || message INTO cores FROM test.failure(format('COPY %s FROM %L WITH (FORMAT binary%s) %s',
        target, current_setting('test.cores'), options, condition));
    as_cores := ours = cores;
END $$;
SELECT set_config('test.ours', :'ours', false) IS NOT NULL AS set, set_config('test.cores', :'cores', false) IS NOT NULL AS set;

-- Defaults, identity, generated columns, a dropped column, any order.
CREATE TABLE test.filled (
    gone int, id int, note text DEFAULT 'by default', n bigint GENERATED ALWAYS AS IDENTITY, bytes int GENERATED ALWAYS AS (octet_length(e::bytea)) STORED,
    e tqvec(8, 4), norm float8 GENERATED ALWAYS AS (tq_norm(e)) STORED, at timestamptz DEFAULT now());
ALTER TABLE test.filled DROP gone;
COPY test.filled (e, id) FROM :'ours' WITH (FORMAT tqcv);
COPY test.filled (e) FROM :'ours' WITH (FORMAT tqcv);
SELECT count(*), count(id) AS ids, min(n) AS first, max(n) AS last, count(*) FILTER (WHERE note = 'by default' AND at = now() OR at < now()) AS defaults,
       count(*) FILTER (WHERE norm = tq_norm(e) AND bytes = octet_length(e::bytea)) AS generated,
       count(*) FILTER (WHERE e = (SELECT s.e FROM test.source s WHERE s.id = (n - 1) % 20 + 1)) AS in_order
FROM test.filled;
SELECT * FROM test.beside('test.filled (id, norm)');
SELECT ours, rows_left FROM test.beside('test.filled (id, e)', '', 'WHERE norm > 0');
SELECT ours, rows_left FROM test.beside('test.filled (id, e)', '', 'WHERE filled IS NOT NULL');
SELECT * FROM test.beside('test.filled (id, e, e)');
SELECT * FROM test.beside('test.filled (id, absent)');

-- Triggers: for rows, which may change a row or leave it out, and for statements, which see what came in.
CREATE TABLE test.fired (n int GENERATED ALWAYS AS IDENTITY, what text);
CREATE TABLE test.triggered (id int, e tqvec(8, 4), note text);
CREATE FUNCTION test.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF TG_LEVEL = 'ROW' AND TG_WHEN = 'BEFORE' THEN
        IF NEW.id = 13 THEN RETURN NULL; END IF;
        NEW.note := 'row ' || NEW.id || ' of ' || tq_dimension(NEW.e) || ' dimensions';
        RETURN NEW;
    END IF;
    INSERT INTO test.fired (what) VALUES (TG_WHEN || ' ' || TG_LEVEL);
    RETURN NULL;
END $$;
CREATE FUNCTION test.fire_all() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO test.fired (what) SELECT 'all ' || count(*) || ', ids up to ' || max(id) FROM fresh;
    RETURN NULL;
END $$;
CREATE TRIGGER a BEFORE INSERT ON test.triggered EXECUTE FUNCTION test.fire();
CREATE TRIGGER b BEFORE INSERT ON test.triggered FOR EACH ROW EXECUTE FUNCTION test.fire();
CREATE TRIGGER c AFTER INSERT ON test.triggered FOR EACH ROW EXECUTE FUNCTION test.fire();
CREATE TRIGGER d AFTER INSERT ON test.triggered REFERENCING NEW TABLE AS fresh EXECUTE FUNCTION test.fire_all();
COPY test.triggered (id, e) FROM :'ours' WITH (FORMAT tqcv) WHERE id > 1;
SELECT count(*), count(*) FILTER (WHERE note = 'row ' || id || ' of 8 dimensions') AS changed, count(*) FILTER (WHERE id = 13) AS left_out
FROM test.triggered;
SELECT what, count(*), min(n) FROM test.fired GROUP BY 1 ORDER BY 3;

-- Constraints: the first row that breaks one ends it, and nothing is left.
CREATE TABLE test.strict (id int PRIMARY KEY CHECK (id < 15), e tqvec(8, 4) UNIQUE);
SELECT * FROM test.beside('test.strict (id, e)');
INSERT INTO test.strict SELECT * FROM test.source WHERE id = 7;
SELECT * FROM test.beside('test.strict (id, e)', '', 'WHERE id < 15');
UPDATE test.strict SET id = -1;
SELECT * FROM test.beside('test.strict (id, e)', '', 'WHERE id < 15');
CREATE TABLE test.referring (id int REFERENCES test.strict (id), e tqvec NOT NULL, other int NOT NULL DEFAULT 1);
SELECT * FROM test.beside('test.referring (id, e)');
ALTER TABLE test.referring ALTER other DROP DEFAULT;
SELECT * FROM test.beside('test.referring (id, e)');
CREATE DOMAIN test.short AS tqvec CHECK (tq_dimension(VALUE) < 4);
CREATE TABLE test.domain (id int, e test.short);
SELECT * FROM test.beside('test.domain (id, e)');
TRUNCATE test.strict CASCADE;
COPY test.strict FROM :'ours' WITH (FORMAT tqcv) WHERE id < 15;
SELECT count(*) FROM test.strict;

-- Partitions, by id and by what a record says of itself.
CREATE TABLE test.parted (id int, e tqvec) PARTITION BY RANGE (id);
CREATE TABLE test.low PARTITION OF test.parted FOR VALUES FROM (1) TO (8);
CREATE TABLE test.high PARTITION OF test.parted FOR VALUES FROM (8) TO (100) PARTITION BY LIST (tq_bit_width(e));
CREATE TABLE test.high4 PARTITION OF test.high FOR VALUES IN (4);
CREATE TABLE test.high_rest PARTITION OF test.high DEFAULT;
COPY test.parted FROM :'ours' WITH (FORMAT tqcv);
SELECT tableoid::regclass, count(*), min(id), max(id) FROM test.parted GROUP BY 1 ORDER BY 1;
COPY test.high FROM :'ours' WITH (FORMAT tqcv) WHERE id >= 8;
SELECT * FROM test.beside('test.high');
SELECT * FROM test.beside('test.low');
DROP TABLE test.low;
SELECT * FROM test.beside('test.parted');

-- Views: with an INSTEAD OF trigger they take rows, without they don't, whether or not they could be updated.
CREATE VIEW test.plain AS SELECT id, e FROM test.source;
CREATE VIEW test.instead AS SELECT id, e FROM test.triggered;
CREATE FUNCTION test.redirect() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO test.fired (what) VALUES ('instead ' || NEW.id || ' ' || (NEW.e = (SELECT e FROM test.source s WHERE s.id = NEW.id)));
    RETURN NEW;
END $$;
CREATE TRIGGER redirect INSTEAD OF INSERT ON test.instead FOR EACH ROW EXECUTE FUNCTION test.redirect();
TRUNCATE test.fired RESTART IDENTITY;
COPY test.instead FROM :'ours' WITH (FORMAT tqcv);
SELECT count(*), count(*) FILTER (WHERE what = 'instead ' || n || ' true') AS right FROM test.fired;
SELECT * FROM test.beside('test.plain');

-- FREEZE: rows are frozen where core would freeze them, and refused where core refuses.
CREATE FUNCTION test.is_frozen(relation regclass) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE page bytea := pg_read_binary_file(pg_relation_filepath(relation), 0, 8192);
        item int := get_byte(page, 24) | ((get_byte(page, 25) & 127) << 8);
BEGIN
    RETURN get_byte(page, item + 21) & 3 = 3;
END $$;
BEGIN;
CREATE TABLE test.frozen (id int, e tqvec);
COPY test.frozen FROM :'ours' WITH (FORMAT tqcv, FREEZE);
COMMIT;
CREATE TABLE test.thawed (id int, e tqvec);
COPY test.thawed FROM :'ours' WITH (FORMAT tqcv, FREEZE off);
CHECKPOINT;
SELECT relation, test.is_frozen(relation) FROM (VALUES ('test.frozen'::regclass), ('test.thawed')) t (relation);
COPY test.thawed FROM :'ours' WITH (FORMAT tqcv, FREEZE);
COPY test.thawed FROM :'cores' WITH (FORMAT binary, FREEZE);
SELECT * FROM test.beside('test.thawed', ', FREEZE');
SELECT * FROM test.beside('test.high', ', FREEZE');
BEGIN;
TRUNCATE test.thawed;
COPY test.thawed FROM :'ours' WITH (FORMAT tqcv, FREEZE);
SAVEPOINT s;
TRUNCATE test.thawed;
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM test.thawed;

-- Relations of other kinds.
CREATE TEMPORARY TABLE own (id int, e tqvec);
COPY own FROM :'ours' WITH (FORMAT tqcv);
CREATE UNLOGGED TABLE test.unlogged (id int, e tqvec);
COPY test.unlogged FROM :'ours' WITH (FORMAT tqcv);
CREATE MATERIALIZED VIEW test.kept AS SELECT id, e FROM test.source;
CREATE SEQUENCE test.sequence;
CREATE FOREIGN DATA WRAPPER tq_regress;
CREATE SERVER tq_regress FOREIGN DATA WRAPPER tq_regress;
CREATE FOREIGN TABLE test.foreign (id int, e tqvec) SERVER tq_regress;
CREATE TYPE test.composite AS (id int, e tqvec);
SELECT count(*), (SELECT count(*) FROM test.unlogged) AS unlogged FROM own;
SELECT * FROM test.beside('test.kept');
SELECT ours, rows_left FROM test.beside('test.sequence');
SELECT statement, f.code, f.message = g.message AS as_cores FROM (VALUES
    ('COPY test.foreign FROM %L WITH (FORMAT %s)'), ('COPY test.composite FROM %L WITH (FORMAT %s)'), ('COPY test.absent FROM %L WITH (FORMAT %s)'),
    ('COPY absent.t FROM %L WITH (FORMAT %s)'), ('COPY test.frozen FROM %L WITH (FORMAT %s) WHERE (SELECT true)'),
    ('COPY test.frozen FROM %L WITH (FORMAT %s) WHERE count(*) > 1'), ('COPY test.frozen FROM %L WITH (FORMAT %s) WHERE generate_series(1, 2) = 1'),
    ('COPY test.frozen FROM %L WITH (FORMAT %s) WHERE id'), ('COPY test.frozen FROM %L WITH (FORMAT %s) WHERE absent')
) t (statement), LATERAL test.failure(format(statement, :'ours', 'tqcv')) f, LATERAL test.failure(format(statement, :'cores', 'binary')) g;

-- COPY TO: whatever can be selected from. What came out, in its order.
CREATE FUNCTION test.written(path text) RETURNS TABLE (records bigint, as_in_source bigint, ids text) LANGUAGE plpgsql AS $$ BEGIN
    CREATE TEMPORARY TABLE written (n int GENERATED ALWAYS AS IDENTITY, id int, e tqvec);
    EXECUTE format('COPY written (id, e) FROM %L WITH (FORMAT tqcv)', path);
    RETURN QUERY SELECT count(*), count(*) FILTER (WHERE s.e = w.e), string_agg(w.id::text, ' ' ORDER BY n)
        FROM written w LEFT JOIN test.source s USING (id);
    DROP TABLE written;
END $$;
COPY test.source TO :'out' WITH (FORMAT tqcv);
SELECT * FROM test.written(:'out');
COPY test.source (e, id) TO :'out' WITH (FORMAT tqcv);
SELECT * FROM test.written(:'out');
COPY test.plain TO :'out' WITH (FORMAT tqcv);
SELECT * FROM test.written(:'out');
COPY test.kept TO :'out' WITH (FORMAT tqcv);
SELECT * FROM test.written(:'out');
COPY own TO :'out' WITH (FORMAT tqcv);
SELECT * FROM test.written(:'out');
COPY test.high TO :'out' WITH (FORMAT tqcv);
SELECT records, as_in_source FROM test.written(:'out');
COPY (SELECT id, e FROM test.source ORDER BY id DESC LIMIT 5 OFFSET 2) TO :'out' WITH (FORMAT tqcv);
SELECT * FROM test.written(:'out');
COPY (SELECT e, a.id FROM test.source a JOIN test.strict b USING (e) WHERE a.id % 3 = 0 ORDER BY a.id) TO :'out' WITH (FORMAT tqcv);
SELECT * FROM test.written(:'out');
COPY (WITH RECURSIVE n (i) AS (VALUES (1) UNION ALL SELECT 2 * i FROM n WHERE i < 9), picked AS MATERIALIZED (SELECT * FROM test.source)
      SELECT s.id, s.e FROM n JOIN picked s ON s.id = n.i ORDER BY 1) TO :'out' WITH (FORMAT tqcv);
SELECT * FROM test.written(:'out');
COPY (SELECT id, e FROM test.source WHERE id < 3 UNION ALL (VALUES (99, (SELECT e FROM test.source WHERE id = 4)))) TO :'out' WITH (FORMAT tqcv);
SELECT * FROM test.written(:'out');
-- From one corpus into another.
COPY (SELECT ordinal, embedding FROM tq_corpus_scan(:'ours') WHERE ordinal BETWEEN 3 AND 5) TO :'out' WITH (FORMAT tqcv);
SELECT * FROM test.written(:'out');
-- Where core asks for a query instead.
SELECT code, hint FROM test.failure(format('COPY test.instead TO %L WITH (FORMAT binary)', :'out'));

-- Nothing to write: said by the column's type, or by CODEC, or by nothing.
SELECT tq_create_codec('targets', 8, 2, false, 3) IS NOT NULL AS made;
COPY (SELECT id, e FROM test.source WHERE false) TO :'out' WITH (FORMAT tqcv);
SELECT records, dimension, bit_width, residual, codec FROM tq_corpus_info(:'out');
SELECT * FROM test.written(:'out');
COPY (SELECT tq_compress(v, 4) FROM (VALUES ('{1}'::real[])) t (v) WHERE false) TO :'out' WITH (FORMAT tqcv, CODEC 'targets');
SELECT records, dimension, bit_width, residual, codec FROM tq_corpus_info(:'out');
COPY (SELECT e FROM test.source WHERE false) TO :'out' WITH (FORMAT tqcv, CODEC 'tqvec(8, 8, residual)');
SELECT records, dimension, bit_width, residual, codec FROM tq_corpus_info(:'out');
SELECT tq_drop_codec('targets');

-- What is refused, with the row. The file stays as it was.
\x
SELECT statement, f.* FROM (VALUES
    ('COPY (SELECT e::tqvec FROM test.source WHERE false) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT CASE WHEN id <> 7 THEN e END FROM test.source ORDER BY id) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT CASE WHEN id <> 7 THEN id END, e FROM test.source ORDER BY id) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT CASE WHEN id <> 7 THEN e ELSE tq_compress(test.unit(7, 8), 2) END FROM test.source ORDER BY id) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT CASE WHEN id <> 7 THEN e ELSE tq_compress(test.unit(7, 9), 4) END FROM test.source ORDER BY id) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT CASE WHEN id <> 7 THEN e ELSE tq_compress(test.unit(7, 8), 4, true) END FROM test.source ORDER BY id) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT CASE WHEN id <> 7 THEN e ELSE tq_compress(test.unit(7, 8), 4, rotation => ''hadamard'') END FROM test.source ORDER BY id) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT e FROM test.source) TO %L (FORMAT tqcv, CODEC ''tqvec(8, 2)'')'),
    ('COPY test.source (id) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT id, id, e FROM test.source) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT e, e FROM test.source) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT FROM test.source) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT e FROM test.source FOR UPDATE) TO %L (FORMAT tqcv, HEADER)'),
    ('COPY (INSERT INTO test.source SELECT 100, e FROM test.source WHERE id = 1 RETURNING e) TO %L (FORMAT tqcv)'),
    ('COPY (SELECT e INTO test.into FROM test.source) TO %L (FORMAT tqcv)')
) t (statement), LATERAL test.failure(format(statement, :'out')) f;
\x
SELECT records, dimension, bit_width, residual, codec FROM tq_corpus_info(:'out');
SELECT statement, f.code, f.message = g.message AS as_cores FROM (VALUES
    ('COPY test.foreign TO %L WITH (FORMAT %s)'), ('COPY test.composite TO %L WITH (FORMAT %s)'), ('COPY test.absent TO %L WITH (FORMAT %s)'),
    ('COPY test.filled (e, norm) TO %L WITH (FORMAT %s)'), ('COPY test.filled (absent) TO %L WITH (FORMAT %s)'),
    ('COPY test.filled (e, e) TO %L WITH (FORMAT %s)'), ('COPY (SELECT absent) TO %L WITH (FORMAT %s)')
) t (statement), LATERAL test.failure(format(statement, :'out', 'tqcv')) f, LATERAL test.failure(format(statement, :'out' || '.binary', 'binary')) g;

DROP TABLE test.source, test.filled, test.fired, test.triggered, test.strict, test.referring, test.domain, test.parted, test.frozen, test.thawed,
    test.unlogged, own CASCADE;
DROP DOMAIN test.short;
DROP TYPE test.composite;
DROP SEQUENCE test.sequence;
DROP FOREIGN DATA WRAPPER tq_regress CASCADE;
DROP FUNCTION test.beside, test.fire, test.fire_all, test.redirect, test.is_frozen, test.written;
