-- Codecs with a centre: trained in one call, known to every path.
\getenv abs_srcdir PG_ABS_SRCDIR
\set out :abs_srcdir '/centre.tqcv'
SET client_min_messages = warning;
-- Vectors that resemble one another: unit vectors around a common one.
CREATE TABLE test.like_each_other AS
SELECT i AS id, tq_normalize((SELECT array_agg((a + 0.5 * b)::real ORDER BY n) FROM unnest(test.unit(-1, 48), test.unit(i, 48)) WITH ORDINALITY u(a, b, n))) AS v
FROM generate_series(1, 2000) i;
CREATE FUNCTION test.squared_error(codec text) RETURNS float8 LANGUAGE sql AS $$
    SELECT sum(test.l2(v, tq_decompress(tq_compress(v, codec))) ^ 2) / count(*) FROM test.like_each_other WHERE id <= 200
$$;
SET client_min_messages = notice;
SELECT length(tq_train_codec('centred', 'SELECT v FROM test.like_each_other'));
SET client_min_messages = warning;
SELECT length(tq_train_codec('centred 2', 'SELECT v FROM test.like_each_other', 2)), length(tq_train_codec('centred 8', 'SELECT v FROM test.like_each_other', 8)),
    length(tq_train_codec('centred r', 'SELECT v FROM test.like_each_other', residual => true)),
    length(tq_train_codec('centred h', 'SELECT v FROM test.like_each_other', rotation => 'hadamard')),
    length(tq_train_codec('plain', 'SELECT v FROM test.like_each_other', centre => false));
SELECT name, cardinality(centre), round(test.l2(centre, (SELECT array_agg(m::real ORDER BY n) FROM
    (SELECT n, avg(x) m FROM test.like_each_other, unnest(v) WITH ORDINALITY u(x, n) GROUP BY n) s))::numeric, 5) AS off_the_mean
FROM tq_catalog.tq_codec WHERE name ~ 'centred|plain' ORDER BY name;
-- Most of their length is what they have in common.
SELECT test.squared_error('centred') < 0.35 * test.squared_error('plain') AS better,
    test.squared_error('centred h') < 0.35 * test.squared_error('plain') AS hadamard, test.squared_error('centred r') < 1e-8 AS residual;

-- How well a codec fits: what it was trained on, and what came later.
SELECT vectors, abs(ratio - 1) < 0.001 AS as_trained, squared_error > 0 AS some FROM tq_codec_fit('centred', 'SELECT v FROM test.like_each_other');
SELECT vectors, ratio > 3 AS worse FROM tq_codec_fit('centred', 'SELECT test.unit(i, 48) FROM generate_series(1, 100) i');
SELECT code, message FROM test.failure($$SELECT tq_codec_fit('centred', 'VALUES (''{1,2}''::real[])')$$);
SELECT code, message FROM test.failure($$SELECT tq_codec_fit('centred', 'SELECT v FROM test.like_each_other WHERE false')$$);
SELECT code, message FROM test.failure($$SELECT tq_codec_fit('nosuch', 'SELECT v FROM test.like_each_other')$$);

-- All distances are those of the vectors that the records stand for: from floats, between records, at every width.
CREATE TABLE test.centred AS
SELECT id, c AS codec, tq_compress(v, c) AS e FROM test.like_each_other, unnest('{centred,centred 2,centred 8,centred r,centred h}'::text[]) c WHERE id <= 60;
SELECT codec, bool_and(abs((e <-> q) - test.l2(e::real[], q)) < 1e-5) AS l2, bool_and(abs((e <#> q) + test.ip(e::real[], q)) < 1e-5) AS ip,
    bool_and(abs((e <=> q) - test.cosine(e::real[], q)) < 1e-5) AS cosine, bool_and(abs((e <+> q) - test.l1(e::real[], q)) < 1e-4) AS l1
FROM test.centred, (SELECT test.unit(7, 48)) s(q) GROUP BY codec ORDER BY codec;
SELECT a.codec, b.codec, bool_and(abs((a.e <-> b.e) - test.l2(a.e::real[], b.e::real[])) < 1e-5) AS l2,
    bool_and(abs((a.e <=> b.e) - test.cosine(a.e::real[], b.e::real[])) < 1e-5) AS cosine
FROM test.centred a JOIN test.centred b USING (id) WHERE a.codec = 'centred' GROUP BY 1, 2 ORDER BY 1, 2;
SELECT codec, test.l2(avg(e)::real[], (SELECT array_agg(m::real ORDER BY n) FROM
    (SELECT n, avg(x) m FROM test.centred d, unnest(d.e::real[]) WITH ORDINALITY u(x, n) WHERE d.codec = c.codec GROUP BY n) s)) < 1e-5 AS mean
FROM test.centred c WHERE codec <> 'centred h' GROUP BY codec ORDER BY codec;
SELECT round(tq_norm(e)::numeric, 4) = round(sqrt(test.ip(e::real[], e::real[]))::numeric, 4) AS norm FROM test.centred WHERE id = 1 AND codec = 'centred';

-- The index, and workers, which look the codec up by themselves.
CREATE TABLE test.indexed AS SELECT id, tq_compress(v, 'centred') AS e FROM test.like_each_other;
CREATE INDEX indexed_index ON test.indexed USING tinyquant (e tqvec_cosine_ops);
SET enable_seqscan = off;
SELECT array_agg(id) = (SELECT array_agg(id) FROM (SELECT id FROM test.indexed ORDER BY (e <=> test.unit(9, 48)) + 0 LIMIT 20) s) AS same
FROM (SELECT id FROM test.indexed ORDER BY e <=> test.unit(9, 48) LIMIT 20) s;
RESET enable_seqscan;
SELECT count(*) FROM tq_index_check('test.indexed_index', true);
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET max_parallel_workers_per_gather = 2;
CREATE TABLE test.by_workers AS SELECT id, tq_compress(v, 'centred') AS e FROM test.like_each_other;
SELECT count(*) FROM test.by_workers JOIN test.indexed USING (id, e);
RESET parallel_setup_cost; RESET parallel_tuple_cost; RESET min_parallel_table_scan_size; RESET max_parallel_workers_per_gather;

-- A corpus carries it; TinyQuant's files have no place for it.
COPY (SELECT e FROM test.indexed ORDER BY id LIMIT 100) TO :'out' (FORMAT tqcv);
CREATE TABLE test.centred_hash AS SELECT config_hash, codebook, centre FROM tq_catalog.tq_codec WHERE name = 'centred';
SELECT tq_drop_codec('centred');
SELECT code, message FROM test.failure('SELECT e::real[] FROM test.indexed');
CREATE TABLE test.centred_back (e tqvec);
COPY test.centred_back FROM :'out' (FORMAT tqcv);
SELECT count(*) FROM test.centred_back JOIN test.indexed USING (e);
SELECT name = config_hash AS named_by_hash, codebook = (SELECT codebook FROM test.centred_hash) AS codebook, centre = (SELECT centre FROM test.centred_hash) AS centre
FROM tq_catalog.tq_codec WHERE config_hash = (SELECT config_hash FROM test.centred_hash);
SELECT codec IS NOT NULL AS known FROM tq_corpus_info(:'out');
SELECT count(*) FROM tq_corpus_search(:'out', test.unit(9, 48), 10);
\x
SELECT code, message, hint FROM test.failure($$SELECT tq_export_codec('centred 2', '/tmp/a.tqcb', '/tmp/a.json')$$);

-- By hand, with the hash of docs/formats.md; and what can't be.
SELECT tq_create_codec('by hand', 3, 4, seed => 7, centre => '{0.5,-1,0.25}') = '6e6717f19a67f84e0971c34ea2830b057635c853917e4a0eea7dc7b946add1f4' AS hash;
SELECT code, message FROM test.failure($$SELECT tq_create_codec('x', 3, 4, seed => 8, centre => '{0.5,-1}')$$);
SELECT code, message FROM test.failure($$SELECT tq_create_codec('x', 3, 4, seed => 8, centre => '{0.5,-1,NaN}')$$);
SELECT code, message FROM test.failure($$SELECT tq_create_codec('x', 3, 4, seed => 8, centre => '{0.5,-1,1e30}')$$);
SELECT code, message FROM test.failure($$SELECT tq_create_codec('x', 3, 4, seed => 1414611798, centre => '{0.5,-1,1}')$$);
SELECT code, message FROM test.failure($$INSERT INTO tq_catalog.tq_codec SELECT config_hash || '', 'x', dimension, bit_width, seed, residual, rotation, codebook FROM tq_catalog.tq_codec WHERE name = 'by hand'$$);
SELECT code, message FROM test.failure($$SELECT tq_train_codec('by hand', 'SELECT v FROM test.like_each_other')$$);
SELECT code, message FROM test.failure($$SELECT tq_train_codec('tqvec(3,4)', 'SELECT v FROM test.like_each_other')$$);
SELECT code, message FROM test.failure($$SELECT tq_train_codec('x', 'SELECT v FROM test.like_each_other WHERE false')$$);
SELECT code, message FROM test.failure($$SELECT tq_train_codec('x', 'SELECT NULL::real[]')$$);
SELECT code, message, hint FROM test.failure($$SELECT tq_train_codec('x', 'VALUES (''{1,2}''::real[])')$$);
SELECT code, message FROM test.failure($$SELECT tq_train_codec('x', 'VALUES (''{1,2}''::real[]), (''{1,2,3}'')')$$);
SELECT code, message, hint FROM test.failure($$SELECT tq_train_codec('x', 'DELETE FROM test.centred_back')$$);
SELECT code, message FROM test.failure($$SELECT tq_train_codec('x', 'SELECT v FROM test.like_each_other', 3)$$);
SELECT code, message FROM test.failure($$SELECT tq_train_codec('x', 'SELECT v FROM test.like_each_other', seed => 1414611798)$$);
\x
-- The advisor knows it.
SELECT bit_width, codebook, relative_squared_error < 0.05 AS good, recall > 0.5 AS finds
FROM tq_evaluate('SELECT v FROM test.like_each_other LIMIT 500') WHERE NOT residual AND codebook IN ('lloyd', 'centred') AND bit_width = 4;
DELETE FROM tq_catalog.tq_codec WHERE name ~ 'centred|plain|by hand' OR config_hash = (SELECT config_hash FROM test.centred_hash);
DROP TABLE test.like_each_other, test.centred, test.indexed, test.by_workers, test.centred_hash, test.centred_back;
DROP FUNCTION test.squared_error;
