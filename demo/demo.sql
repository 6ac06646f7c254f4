-- The demonstration that `make demo` runs, in an empty database.
-- psql variables: corpus, a TQCV file; names, a text file with a line for each of its records; sample, an .npy file of
-- the floats of some of them.
\set QUIET on
\pset null '-'
SET client_min_messages = warning;

CREATE EXTENSION tinyquant;
SELECT count(*) > 0 AS has_pgvector FROM pg_available_extensions WHERE name = 'vector' \gset

\echo
\echo '-- 384 dimensions at 4 bits each, loaded from a TQCV file by COPY'
CREATE TABLE packages (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    embedding tqvec(384, 4)
);
CREATE TABLE names (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL
);
\set QUIET off
COPY packages (embedding) FROM :'corpus' WITH (FORMAT tqcv);
COPY names (name) FROM :'names';
\set QUIET on
ANALYZE packages, names;

\echo
\echo '-- The five nearest neighbours of some packages, by cosine distance on the compressed vectors'
SELECT q.name AS package, near.name AS neighbour, round(near.distance::numeric, 3) AS distance
FROM (VALUES (1, 'postgresql-client'), (2, 'nginx-light'), (3, 'php'), (4, 'audacity')) AS asked (position, name)
JOIN names q USING (name)
CROSS JOIN LATERAL (
    SELECT n.name, p.embedding <=> query.embedding AS distance
    FROM packages p
    JOIN names n USING (id),
    (SELECT embedding FROM packages WHERE id = q.id) AS query
    WHERE p.id <> q.id
    ORDER BY distance
    LIMIT 5
) AS near
ORDER BY asked.position, near.distance;

\echo '-- The same by an index, which is built at once and needs no training: 200 searches for ten neighbours each'
CREATE TABLE found (way text, query bigint, neighbour bigint);
CREATE TABLE took (way text, queries int, ms double precision);
CREATE PROCEDURE search_all(way text) LANGUAGE plpgsql AS $$
DECLARE
    query record;
    neighbours bigint[];
    started timestamptz;
    ms double precision := 0;
    queries int := 0;
BEGIN
    FOR query IN SELECT id, embedding FROM packages WHERE id % 25 = 0 ORDER BY id LOOP
        started := clock_timestamp();
        neighbours := ARRAY(SELECT id FROM packages ORDER BY embedding <=> query.embedding LIMIT 10);
        ms := ms + extract(epoch FROM clock_timestamp() - started) * 1000;
        queries := queries + 1;
        INSERT INTO found SELECT way, query.id, unnest(neighbours);
    END LOOP;
    INSERT INTO took VALUES (way, queries, ms);
END $$;
CALL search_all('warming up');
CALL search_all('exact scan');
CREATE INDEX packages_near ON packages USING tinyquant (embedding tqvec_cosine_ops);
SET enable_seqscan = off;
CALL search_all('warming up');
CALL search_all('index');
SELECT way, queries, round((ms / queries)::numeric, 2) AS ms_a_query,
    (SELECT round(count(*) / (10.0 * queries), 3)
     FROM found f JOIN found e USING (query, neighbour) WHERE f.way = t.way AND e.way = 'exact scan') AS recall
FROM took t WHERE way <> 'warming up' ORDER BY way;

\echo '-- A filtered search by the index: what is like audacity among the libraries for Python'
SELECT n.name AS neighbour, round((p.embedding <=> q.embedding)::numeric, 3) AS distance
FROM (SELECT embedding FROM packages JOIN names USING (id) WHERE name = 'audacity') AS q
CROSS JOIN LATERAL (
    SELECT id, name, packages.embedding
    FROM packages JOIN names USING (id)
    WHERE name LIKE 'python3-%'
    ORDER BY packages.embedding <=> q.embedding
    LIMIT 5
) AS p
JOIN names n USING (id)
ORDER BY distance;
RESET enable_seqscan;

\echo '-- Which width? What each codec makes of 1,000 of the vectors as the model gave them, from a file of NumPy by COPY'
CREATE TABLE sample (v real[]);
\set QUIET off
COPY sample FROM :'sample' WITH (FORMAT npy);
\set QUIET on
SET client_min_messages = notice;
SELECT bit_width AS bits, codebook, bytes, round(ratio::numeric, 1) AS smaller_by,
    round(relative_squared_error::numeric, 4) AS squared_error, round(recall::numeric, 3) AS recall
FROM tq_evaluate('SELECT v FROM sample')
WHERE NOT residual AND codebook IN ('builtin', 'centred', 'trellis', 'centred trellis')
ORDER BY bytes, recall;
SET client_min_messages = warning;

\echo '-- The same vectors, stored in other ways; at 2 bits by a codec that is trained on them and takes their mean off'
CREATE TABLE packages_real AS SELECT id, tq_decompress(embedding) AS embedding FROM packages;
ALTER TABLE packages_real ADD PRIMARY KEY (id);
SELECT tq_train_codec('packages', 'SELECT v FROM sample', 2) AS codec \gset
CREATE TABLE packages_trained (
    id bigint PRIMARY KEY,
    embedding tqvec(384, 2, 'packages')
);
INSERT INTO packages_trained SELECT id, embedding FROM packages_real;
CREATE VIEW sizes AS
    SELECT 1 AS position, 'tqvec(384, 4)' AS type, 'packages'::regclass AS relation
    UNION ALL SELECT 2, 'tqvec(384, 2), trained', 'packages_trained'
    UNION ALL SELECT 3, 'real[]', 'packages_real';
\if :has_pgvector
CREATE EXTENSION vector;
CREATE TABLE packages_vector AS SELECT id, embedding::vector(384) AS embedding FROM packages_real;
ALTER TABLE packages_vector ADD PRIMARY KEY (id);
CREATE OR REPLACE VIEW sizes AS
    SELECT 1 AS position, 'tqvec(384, 4)' AS type, 'packages'::regclass AS relation
    UNION ALL SELECT 2, 'tqvec(384, 2), trained', 'packages_trained'
    UNION ALL SELECT 3, 'real[]', 'packages_real'
    UNION ALL SELECT 4, 'vector(384), pgvector', 'packages_vector';
\endif
SELECT type, (SELECT count(*) FROM packages) AS rows,
    pg_table_size(relation) AS table_bytes,
    round(pg_table_size(relation)::numeric / pg_table_size('packages'), 1) AS ratio
FROM sizes
ORDER BY position;
