-- The demonstration's 5,000 Debian packages, for the documents that use them: tables packages, compressed, and floats.
-- The latter have the dimensions in reverse: decompressed vectors are what their codes say, and would hide what
-- compressing costs.
SET client_min_messages = warning;
CREATE EXTENSION tinyquant;
\set from :repo '/demo/debian-packages'
\set to :data '/packages'
\setenv FROM :from
\setenv TO :to
\! cp "$FROM.tqcv" "$TO.tqcv" && cp "$FROM.txt" "$TO.txt" && chmod a+r "$TO".*
CREATE TABLE packages (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, embedding tqvec(384, 4));
CREATE TEMPORARY TABLE names (id bigint GENERATED ALWAYS AS IDENTITY, name text);
\set corpus :to '.tqcv'
\set list :to '.txt'
SELECT count(*) FROM (SELECT tq_import('packages', :'corpus')) s \g /dev/null
SELECT format('COPY names (name) FROM %L', :'list') \gexec
UPDATE packages p SET name = n.name FROM names n WHERE n.id = p.id;
CREATE TABLE floats AS
    SELECT id, name, tq_normalize(
        (SELECT array_agg(x ORDER BY i DESC) FROM unnest(embedding::real[]) WITH ORDINALITY u (x, i))) AS v
    FROM packages;
ALTER TABLE floats ADD PRIMARY KEY (id);
VACUUM FULL packages;
ANALYZE packages, floats;
RESET client_min_messages;
