-- Finite vectors near the ends of single precision: measured right, or refused in so many words.
\getenv abs_builddir PG_ABS_BUILDDIR
\set corpus :abs_builddir '/results/extremes.tqcv'
\set index :abs_builddir '/results/extremes.qvec'
SET client_min_messages = warning;
CREATE TABLE test.rows AS SELECT i AS id, f, tq_compress(f, 4) AS haar, tq_compress(f, 8, true, 'hadamard') AS hadamard
FROM (SELECT i, test.unit(i, 48) AS f FROM generate_series(1, 40) i) s;
-- A direction times 2^-143 to 2^127; near the lower end, only whole multiples of the smallest number are left of it.
CREATE TABLE test.scaled AS SELECT e AS exponent, array_agg((x * power(2::float8, e))::real ORDER BY o) AS q
FROM generate_series(-143, 127, 15) e, (SELECT round(x::numeric * 64)::float8 / 32 AS x, o FROM unnest(test.unit(500, 48)) WITH ORDINALITY u (x, o)) s GROUP BY e;
SELECT count(*), min(exponent), max(exponent) FROM test.scaled;
CREATE FUNCTION test.norm(v real[]) RETURNS float8 LANGUAGE sql IMMUTABLE RETURN sqrt(test.ip(v, v));
SELECT max(abs((haar <=> q) - test.cosine(tq_decompress(haar), q))) < 1e-6 AS cosine,
       max(abs((haar <#> q) + test.ip(tq_decompress(haar), q)) / test.norm(q)) < 1e-6 AS ip,
       max(abs((q <-> haar) - test.l2(tq_decompress(haar), q)) / (1 + test.norm(q))) < 1e-6 AS l2,
       max(abs((haar <+> q) - test.l1(tq_decompress(haar), q)) / (1 + test.norm(q))) < 1e-5 AS l1
FROM test.rows, test.scaled;
SELECT max(abs((hadamard <=> q) - test.cosine(tq_decompress(hadamard), q))) < 1e-6 AS cosine,
       max(abs((hadamard <#> q) + test.ip(tq_decompress(hadamard), q)) / test.norm(q)) < 1e-6 AS ip,
       max(abs((q <-> hadamard) - test.l2(tq_decompress(hadamard), q)) / (1 + test.norm(q))) < 1e-6 AS l2,
       max(abs((hadamard <+> q) - test.l1(tq_decompress(hadamard), q)) / (1 + test.norm(q))) < 1e-5 AS l1
FROM test.rows, test.scaled;
-- As constants of the plan, all elements at the largest number: beyond it once rotated.
SELECT array_agg(CASE WHEN x < 0 THEN -3.4e38 ELSE 3.4e38 END::real) AS q FROM unnest(test.unit(7, 48)) x \gset
SELECT max(abs((haar <=> :'q'::real[]) - test.cosine(tq_decompress(haar), :'q'))) < 1e-6 AS cosine,
       max(abs((haar <-> :'q'::real[]) / test.l2(tq_decompress(haar), :'q') - 1)) < 1e-6 AS l2,
       max(abs((hadamard <#> :'q'::real[]) + test.ip(tq_decompress(hadamard), :'q'))) / 2e39 < 1e-6 AS ip,
       (SELECT id FROM test.rows ORDER BY haar <=> :'q'::real[] LIMIT 1) =
       (SELECT id FROM test.rows ORDER BY test.cosine(tq_decompress(haar), :'q') LIMIT 1) AS nearest
FROM test.rows;
-- Both arguments vary.
SELECT max(abs((haar <=> x) - test.cosine(tq_decompress(haar), x))) < 1e-6 AS haar,
       max(abs((hadamard <-> x) / test.l2(tq_decompress(hadamard), x) - 1)) < 1e-6 AS hadamard
FROM (SELECT haar, hadamard, (SELECT array_agg((y * 3.2e38 / g)::real) FROM (SELECT y, max(abs(y)) OVER () AS g FROM unnest(f) y) z) AS x FROM test.rows) s;

-- In files.
COPY (SELECT id, haar FROM test.rows ORDER BY id) TO :'corpus' WITH (FORMAT tqcv);
COPY (SELECT id, f FROM test.rows ORDER BY id) TO :'index' WITH (FORMAT qvec);
SELECT exponent, bool_and(abs(c.distance - (haar <=> q)) < 1e-6) AS cosine
FROM test.scaled, tq_corpus_search(:'corpus', q, 3) c JOIN test.rows ON id = ordinal WHERE exponent IN (-143, -128, 7, 112, 127) GROUP BY 1 ORDER BY 1;
SELECT bool_and(distance BETWEEN -1e40 AND -1e36) AS inner_products FROM tq_corpus_search(:'corpus', :'q', 3, 'inner_product');
-- quantvec's scores are as good as its codes, whatever the scale.
SELECT exponent, max(abs(distance - test.cosine(f, q))) < 0.1 AS cosine
FROM test.scaled, tq_corpus_search(:'index', q, 40) JOIN test.rows ON id = ordinal WHERE exponent IN (-143, -128, 7, 112, 127) GROUP BY 1 ORDER BY 1;
SELECT bool_and(distance BETWEEN -1e40 AND -1e36) AS inner_products FROM tq_corpus_search(:'index', :'q', 3, 'inner_product');
SELECT bool_and(distance BETWEEN 2.3e39 AND 2.4e39) AS l2 FROM tq_corpus_search(:'index', :'q', 3, 'l2');

-- Records of a codec for such vectors.
SELECT tq_create_codec('huge', 48, 2, false, 5, '{-6e37, -2e37, 2e37, 6e37}') IS NOT NULL AS haar,
       tq_create_codec('huge too', 48, 2, false, 6, '{-3e38, -1e38, 1e38, 3e38}', 'hadamard') IS NOT NULL AS hadamard;
CREATE TABLE test.huge AS SELECT id, tq_compress(x, 'huge') AS haar, tq_compress(x, 'huge too') AS hadamard
FROM (SELECT id, (SELECT array_agg((y * 3e38)::real) FROM unnest(f) y) AS x FROM test.rows) s;
SELECT test.cosine(avg(haar), tq_normalize(avg(haar))) < 1e-6 AS avg, test.norm(avg(haar)) BETWEEN 1e37 AND 4e38 AS norm FROM test.huge;
SELECT * FROM test.failure($$SELECT sum(haar) FROM (SELECT haar FROM test.huge WHERE id = 1) h, generate_series(1, 1000)$$);
SELECT max(haar <-> tq_compress(:'q', 'huge')) < 1e40 AS haar, max(tq_compress(:'q', 'huge too') <=> hadamard) <= 2 AS hadamard FROM test.huge;
SELECT * FROM test.failure(format($$SELECT tq_decompress(tq_compress(%L, 'huge too'))$$, :'q'));

-- What can't be rotated in single precision is refused; quantiles are of the vectors as they are.
SELECT * FROM test.failure(format($$SELECT tq_train_codebook(%L, 2)$$, :'q'));
SELECT tq_train_codebook(q, 2, 7, 'quantile') IS NOT NULL AS quantile FROM (SELECT unnest(ARRAY[1, 2, 3]), f AS q FROM test.rows UNION ALL SELECT 1, :'q') s;
SELECT tq_train_codebook(q, 2) IS NOT NULL AS lloyd FROM test.scaled WHERE exponent = 112;
SELECT * FROM test.failure(format($$SELECT * FROM tq_evaluate('SELECT f FROM test.rows UNION ALL SELECT ''%s''::real[]')$$, :'q'));
SELECT count(recall) FROM tq_evaluate('SELECT (SELECT array_agg((y * 1e38)::real) FROM unnest(f) y) FROM test.rows', 5, 10);
SELECT tq_drop_codec('huge'), tq_drop_codec('huge too');
DROP TABLE test.rows, test.scaled, test.huge;
DROP FUNCTION test.norm(real[]);
RESET client_min_messages;
