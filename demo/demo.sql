-- The demonstration that `make demo` runs, in an empty database.
-- psql variables: corpus, a TQCV file, and names, a text file with a line for each of its records.
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

\echo
\echo '-- The same by an index, which is built at once'
CREATE INDEX ON packages USING tinyquant (embedding tqvec_cosine_ops);
SET enable_seqscan = off;
SELECT n.name AS neighbour, round((p.embedding <=> q.embedding)::numeric, 3) AS distance
FROM (SELECT embedding FROM packages JOIN names USING (id) WHERE name = 'audacity') AS q
CROSS JOIN LATERAL (
    SELECT id, embedding FROM packages ORDER BY packages.embedding <=> q.embedding LIMIT 6
) AS p
JOIN names n USING (id)
WHERE n.name <> 'audacity'
ORDER BY distance;
RESET enable_seqscan;

\echo
\echo '-- At 2 bits: what the built-in codec keeps, and one that is trained on these vectors and takes their mean off'
CREATE TABLE packages_real AS SELECT id, tq_decompress(embedding) AS embedding FROM packages;
ALTER TABLE packages_real ADD PRIMARY KEY (id);
SELECT codebook, bytes, round(relative_squared_error::numeric, 3) AS squared_error, recall
FROM tq_evaluate('SELECT embedding FROM packages_real')
WHERE bit_width = 2 AND NOT residual AND codebook IN ('builtin', 'centred');
SELECT left(tq_train_codec('packages', 'SELECT embedding FROM packages_real', 2), 7) AS codec;
CREATE TABLE packages_trained (
    id bigint PRIMARY KEY,
    embedding tqvec(384, 2, 'packages')
);
INSERT INTO packages_trained SELECT id, embedding FROM packages_real;

\echo
\echo '-- The same vectors, stored in other ways'
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
    pg_total_relation_size(relation) AS with_index_bytes,
    round(pg_table_size(relation)::numeric / pg_table_size('packages'), 1) AS ratio
FROM sizes
ORDER BY position;
