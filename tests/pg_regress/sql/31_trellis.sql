-- Trellis codes: 256 entries for two bits or four, and all that knows codes knows them.
\getenv abs_srcdir PG_ABS_SRCDIR
\set out :abs_srcdir '/trellis.tqcv'
\set made :abs_srcdir '/trellis_made.tqcv'
\set book :abs_srcdir '/trellis.tqcb'
\set json :abs_srcdir '/trellis.json'
\set floats :abs_srcdir '/trellis.npy'
SET client_min_messages = warning;
CREATE TABLE test.trellis_source AS
SELECT i AS id, tq_normalize((SELECT array_agg((a + 0.6 * b)::real ORDER BY n) FROM unnest(test.unit(-1, 48), test.unit(i, 48)) WITH ORDINALITY u(a, b, n))) AS v
FROM generate_series(1, 600) i;

-- The word of the modifier: records of the same length, a third less squared error.
CREATE TABLE test.trellis (id int, scalar tqvec(48, 2), two tqvec(48, 2, trellis), four tqvec(48, 4, trellis, hadamard), exact tqvec(48, 2, residual, trellis));
INSERT INTO test.trellis SELECT id, v, v, v, v FROM test.trellis_source;
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'test.trellis'::regclass AND attnum > 1 ORDER BY attnum;
SELECT bool_and(octet_length(scalar::bytea) = octet_length(two::bytea)) AS as_long, count(DISTINCT tq_config_hash(two)) AS hashes, bool_or(tq_config_hash(two) = tq_config_hash(scalar)) AS same_hash
FROM test.trellis;
SELECT round((avg(test.l2(two::real[], v) ^ 2) / avg(test.l2(scalar::real[], v) ^ 2))::numeric, 1) AS of_scalar,
       avg(test.l2(four::real[], v) ^ 2) < 0.011 AS four, max(test.l2(exact::real[], v)) < 0.001 AS with_residual
FROM test.trellis t JOIN test.trellis_source s USING (id);
-- One row at a time, in batches and by literals: the same bytes.
CREATE TABLE test.trellis_batch (id int, v real[], e tqvec(48, 2, trellis));
INSERT INTO test.trellis_batch SELECT id, v FROM test.trellis_source;
CALL tq_compress_column('test.trellis_batch', 'v', 'e');
SELECT count(*), bool_and(e = two) AS same FROM test.trellis_batch JOIN test.trellis USING (id);
SELECT count(*) FROM test.trellis WHERE four = (SELECT translate(v::text, '{}', '[]')::tqvec(48, 4, trellis, hadamard) FROM test.trellis_source WHERE id = 7);
PREPARE by_value(real[]) AS SELECT $1::tqvec(48, 2, trellis) = (SELECT two FROM test.trellis WHERE id = 9);
SELECT format('EXECUTE by_value(%L)', v) FROM test.trellis_source WHERE id = 9 \gexec

-- Distances are those of the decompressed vectors.
SELECT max(abs((two <-> q) - test.l2(two::real[], q))) < 1e-5 AS l2,
       max(abs((four <=> q) - (four::real[]::tqvec <=> q))) < 1e-3 AS cosine,
       max(abs((two <#> q) + (SELECT sum(a * b) FROM unnest(two::real[], q) u(a, b)))) < 1e-5 AS product,
       max(abs((exact <+> q) - (SELECT sum(abs(a - b)) FROM unnest(exact::real[], q) u(a, b)))) < 1e-4 AS l1
FROM test.trellis, (SELECT v AS q FROM test.trellis_source WHERE id = 3) q;
SELECT max(abs((t.two <-> u.four) - test.l2(t.two::real[], u.four::real[]))) < 1e-5 AS of_two_columns FROM test.trellis t JOIN test.trellis u ON u.id = 601 - t.id;
SELECT abs(tq_norm(two) - 1) < 0.2 AS norm, tq_bit_width(two) AS bits, tq_dimension(two) AS dimension FROM test.trellis WHERE id = 1;
SELECT test.l2((SELECT avg(two)::real[] FROM test.trellis), (SELECT array_agg(m ORDER BY n) FROM (SELECT n, avg(x)::real AS m FROM test.trellis, unnest(two::real[]) WITH ORDINALITY u(x, n) GROUP BY n) s)) < 1e-3 AS mean;

-- An index, flat and with lists, finds what a scan finds.
CREATE INDEX trellis_flat ON test.trellis USING tinyquant (two tqvec_cosine_ops);
CREATE INDEX trellis_lists ON test.trellis USING tinyquant (four tqvec_l2_ops) WITH (lists = 8);
SELECT count(*) FROM tq_index_check('test.trellis_flat', true);
SELECT count(*) FROM tq_index_check('test.trellis_lists', true);
SET tinyquant.probes = 8;
SET tinyquant.epsilon = 8;
SET enable_seqscan = off;
CREATE TABLE test.trellis_found AS
SELECT q.id AS q, ARRAY(SELECT id FROM test.trellis ORDER BY two <=> q.v LIMIT 5) AS two, ARRAY(SELECT id FROM test.trellis ORDER BY four <-> q.v LIMIT 5) AS four
FROM test.trellis_source q WHERE q.id <= 20;
RESET enable_seqscan;
SET enable_indexscan = off;
SELECT count(*), bool_and(two = ARRAY(SELECT id FROM test.trellis ORDER BY two <=> q.v LIMIT 5)) AS two, bool_and(four = ARRAY(SELECT id FROM test.trellis ORDER BY four <-> q.v LIMIT 5)) AS four
FROM test.trellis_found f JOIN test.trellis_source q ON q.id = f.q;
RESET enable_indexscan;
RESET tinyquant.probes;
RESET tinyquant.epsilon;

-- A codec with a centre: registered by hand and trained.
SELECT length(tq_create_codec('made of codes', 48, 2, codes => 'trellis', centre => (SELECT v FROM test.trellis_source WHERE id = 1)));
SELECT length(tq_train_codec('taught codes', 'SELECT v FROM test.trellis_source', 2, codes => 'trellis')), length(tq_train_codec('taught', 'SELECT v FROM test.trellis_source', 2));
SELECT name, array_length(codebook, 1) AS entries FROM tq_catalog.tq_codec WHERE name IN ('made of codes', 'taught codes', 'taught') ORDER BY name;
SELECT round((t.squared_error / s.squared_error)::numeric, 1) AS of_scalar FROM tq_catalog.tq_codec t, tq_catalog.tq_codec s WHERE t.name = 'taught codes' AND s.name = 'taught';
CREATE TABLE test.trellis_taught (id int, e tqvec('taught codes'), n tqvec(48, 2, trellis, normalize));
INSERT INTO test.trellis_taught SELECT id, v, (SELECT array_agg(5 * x ORDER BY i) FROM unnest(v) WITH ORDINALITY u(x, i)) FROM test.trellis_source;
SELECT count(*), bool_and(n = two) AS normalised, bool_and(tq_compress(v, 'taught codes') = e) AS by_name
FROM test.trellis_taught JOIN test.trellis USING (id) JOIN test.trellis_source USING (id);
SELECT round(ratio::numeric, 2) AS fit FROM tq_codec_fit('taught codes', 'SELECT v FROM test.trellis_source');

-- Files.
COPY (SELECT id, e FROM test.trellis_taught ORDER BY id) TO :'out' (FORMAT tqcv);
SELECT tq_drop_codec('made of codes');
CREATE TABLE test.trellis_back (id int, e tqvec);
COPY test.trellis_back (id, e) FROM :'out' (FORMAT tqcv);
SELECT count(*), bool_and(b.e = t.e) AS same FROM test.trellis_back b JOIN test.trellis_taught t USING (id);
SELECT count(*) FROM tq_corpus_verify(:'out');
SELECT array_agg(s.ordinal) = (SELECT array_agg(id::bigint ORDER BY d, id) FROM (SELECT id, e <=> q.v AS d FROM test.trellis_taught ORDER BY d, id LIMIT 3) n) AS in_place
FROM (SELECT v FROM test.trellis_source WHERE id = 11) q, LATERAL (SELECT ordinal FROM tq_corpus_search(:'out', q.v, 3)) s GROUP BY q.v;
COPY (SELECT v FROM test.trellis_source ORDER BY id) TO :'floats' (FORMAT npy);
SELECT tq_convert(:'floats', :'made', '{"format": "tqcv", "bit_width": 2, "codes": "trellis"}');
TRUNCATE test.trellis_back;
COPY test.trellis_back (id, e) FROM :'made' (FORMAT tqcv, IDS 'ordinal');
SELECT count(*), bool_and(b.e = t.two) AS same FROM test.trellis_back b JOIN test.trellis t USING (id);
CREATE TABLE test.trellis_floats (e tqvec(48, 2, trellis));
COPY test.trellis_floats FROM :'floats' (FORMAT npy);
SELECT count(*) FROM (SELECT e FROM test.trellis_floats INTERSECT SELECT two FROM test.trellis) s;

-- The advisor.
SELECT bit_width AS bits, residual, codebook, relative_squared_error < 0.1 AS small FROM tq_evaluate('SELECT v FROM test.trellis_source') WHERE codebook LIKE '%trellis' ORDER BY 1, 2, 3;
SET client_min_messages = notice;
SELECT count(*) FROM tq_evaluate('SELECT v FROM test.trellis_source');
SET client_min_messages = warning;

-- What is refused.
\x
SELECT code, message, hint FROM test.failure($$CREATE TABLE test.refused (e tqvec(48, 8, trellis))$$);
SELECT code, message FROM test.failure($$CREATE TABLE test.refused (e tqvec(48, trellis))$$);
SELECT code, message FROM test.failure($$CREATE TABLE test.refused (e tqvec(48, 2, trellis, trellis))$$);
SELECT code, message FROM test.failure($$CREATE TABLE test.refused (e tqvec(trellis))$$);
SELECT code, message, hint FROM test.failure($$INSERT INTO test.trellis (two) SELECT scalar FROM test.trellis LIMIT 1$$);
SELECT code, message FROM test.failure($$INSERT INTO test.trellis (two) VALUES (array_fill(0, ARRAY[48])::real[])$$);
SELECT code, message, hint FROM test.failure($$SELECT tq_create_codec('x', 48, 8, codes => 'trellis')$$);
SELECT code, message, hint FROM test.failure($$SELECT tq_create_codec('x', 48, 2, codes => 'turbo')$$);
SELECT code, message FROM test.failure($$SELECT tq_create_codec('x', 48, 2, codes => 'trellis', codebook => ARRAY[-1, -0.5, 0.5, 1])$$);
SELECT code, message, hint FROM test.failure($$SELECT tq_create_codec('x', 48, 2, codes => 'trellis', codebook => array_fill(0, ARRAY[256])::real[])$$);
SELECT code, message FROM test.failure($$SELECT tq_create_codec('trellis', 48)$$);
SELECT code, message, hint FROM test.failure($$SELECT tq_train_codec('x', 'SELECT v FROM test.trellis_source', 8, codes => 'trellis')$$);
SELECT code, message, hint FROM test.failure(format($$SELECT tq_export_codec('tqvec(48, 2, trellis)', %L, %L)$$, :'book', :'json'));
SELECT code, message FROM test.failure(format($$SELECT tq_convert(%L, %L, '{"format": "tqcv", "bit_width": 8, "codes": "trellis"}')$$, :'floats', :'made'));
\x
DROP TABLE test.trellis, test.trellis_taught, test.trellis_floats, test.trellis_back, test.trellis_batch, test.trellis_found;
SELECT tq_drop_codec('taught codes'), tq_drop_codec('taught');
DROP TABLE test.trellis_source;
