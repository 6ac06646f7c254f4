-- Files of the server are UTF-8, whatever the client's encoding is; and so are those that go through it. Results here are ASCII.
\getenv abs_builddir PG_ABS_BUILDDIR
\set corpus :abs_builddir '/results/encodings.tqcv'
\set index :abs_builddir '/results/encodings.qvec'
\set again :abs_builddir '/results/encodings.again'

CREATE TABLE test.named (n int PRIMARY KEY, id text, e tqvec(16, 4));
INSERT INTO test.named SELECT n, id, tq_compress(test.unit(n, 16), 4)
FROM (VALUES (1, U&'\00A5100'), (2, U&'\005C100'), (3, U&'\65E5\672C\8A9E'), (4, U&'\00FCber'), (5, U&'\203E~'), (6, 'plain'), (7, U&'\+01F600')) v(n, id);
CREATE DOMAIN test.short AS varchar(6) CHECK (VALUE <> '' AND pg_client_encoding() <> '');
CREATE TABLE test.named_again (e tqvec, id text, n int GENERATED ALWAYS AS IDENTITY, client text DEFAULT pg_client_encoding());
CREATE TABLE test.named_short (id test.short, v real[], n int GENERATED ALWAYS AS IDENTITY, client text DEFAULT pg_client_encoding());
-- The client's encoding while rows are inserted is the client's own.
CREATE FUNCTION test.note_encoding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.client := pg_client_encoding();
    RETURN NEW;
END $$;
CREATE TRIGGER note BEFORE INSERT ON test.named_again FOR EACH ROW EXECUTE FUNCTION test.note_encoding();
CREATE FUNCTION test.same_names(OUT rows bigint, OUT same boolean, OUT clients text[]) LANGUAGE plpgsql AS $$
BEGIN
    SELECT count(*), bool_and(a.id = b.id), array_agg(DISTINCT client) INTO rows, same, clients FROM test.named a LEFT JOIN test.named_again b USING (n);
    TRUNCATE test.named_again RESTART IDENTITY;
END $$;

SET client_encoding = 'UTF8';
COPY (SELECT id, e FROM test.named ORDER BY n) TO :'corpus' (FORMAT tqcv);
COPY (SELECT id, e FROM test.named ORDER BY n) TO :'index' (FORMAT qvec);
SELECT md5(pg_read_binary_file(:'corpus')) AS corpus_md5, md5(pg_read_binary_file(:'index')) AS index_md5 \gset
SET client_encoding = 'SJIS';
COPY test.named_again (id, e) FROM :'corpus' (FORMAT tqcv);
SELECT pg_client_encoding(), * FROM test.same_names();
COPY test.named_again (e, id) FROM :'corpus' (FORMAT tqcv);
SELECT pg_client_encoding(), * FROM test.same_names();
SELECT tq_import('test.named_again', :'index', '{"column": "e", "id_column": "id"}');
SELECT pg_client_encoding(), * FROM test.same_names();
COPY (SELECT id, e FROM test.named ORDER BY n) TO :'again' (FORMAT tqcv);
SELECT md5(pg_read_binary_file(:'again')) = :'corpus_md5' AS same_corpus;
SELECT tq_export('SELECT id, e FROM test.named ORDER BY n', :'again', '{"format": "qvec"}');
SELECT md5(pg_read_binary_file(:'again')) = :'index_md5' AS same_index;
SET client_encoding = 'LATIN1';
COPY test.named_again (id, e) FROM :'corpus' (FORMAT tqcv);
SELECT pg_client_encoding(), * FROM test.same_names();
COPY test.named_short (id, v) FROM :'index' (FORMAT qvec);
SELECT count(*), bool_and(a.id = b.id) AS same, array_agg(DISTINCT client) AS clients FROM test.named a LEFT JOIN test.named_short b USING (n);
COPY (SELECT id, e FROM test.named ORDER BY n) TO :'again' (FORMAT tqcv);
SELECT md5(pg_read_binary_file(:'again')) = :'corpus_md5' AS same_corpus;
-- An error while an id is read, trapped: the client's encoding is as before.
ALTER DOMAIN test.short ADD CHECK (VALUE <> 'plain') NOT VALID;
SET client_encoding = 'SJIS';
SELECT set_config('test.index', :'index', false) IS NOT NULL AS set;
DO $$
BEGIN
    EXECUTE format('COPY test.named_short (id, v) FROM %L (FORMAT qvec)', current_setting('test.index'));
EXCEPTION WHEN check_violation THEN
    RAISE NOTICE 'trapped, client encoding %', pg_client_encoding();
END $$;
SELECT pg_client_encoding();
RESET client_encoding;

-- ENCODING is refused: there is nothing to choose.
SELECT f.* FROM (VALUES
    (format('COPY test.named_again (id, e) FROM %L (FORMAT tqcv, ENCODING ''LATIN1'')', :'corpus')),
    (format('COPY test.named (id, e) TO %L (FORMAT qvec, ENCODING ''UTF8'')', :'again'))) s(statement), test.failure(statement) f;

DROP TABLE test.named, test.named_again, test.named_short;
DROP DOMAIN test.short;
DROP FUNCTION test.note_encoding(), test.same_names();
