-- Compression with the built-in codec, and what can be read off a record.

-- The built-in codec is the same on every machine: these bytes never change.
SELECT tq_compress('{0.5, -0.5, 0.5, -0.5}', 2);
SELECT tq_compress('{0.5, -0.5, 0.5, -0.5}', 4);
SELECT tq_compress('{0.5, -0.5, 0.5, -0.5}', 8);
SELECT tq_compress('{0.5, -0.5, 0.5, -0.5}', 4, true);
SELECT md5(string_agg(tq_compress(test.unit(i, 96), 4)::text, '' ORDER BY i)) FROM generate_series(1, 50) i;

-- Relative squared error, by width: what rate-distortion theory expects of Lloyd-Max codes.
SELECT bits, residual, round(avg(test.l2(f, tq_decompress(tq_compress(f, bits, residual))) ^ 2)::numeric, 3) AS error
FROM (SELECT test.unit(i, 256) AS f FROM generate_series(1, 20) i) s, unnest('{2,4,8}'::int[]) bits, unnest('{f,t}'::bool[]) residual
GROUP BY bits, residual ORDER BY 1, 2;

-- Bytes a record.
SELECT dimension, bits, residual, octet_length(tq_compress(test.unit(1, dimension), bits, residual)::bytea)
FROM unnest('{1,3,384}'::int[]) dimension, unnest('{2,4,8}'::int[]) bits, unnest('{f,t}'::bool[]) residual
ORDER BY 1, 2, 3;

-- Accessors.
SELECT tq_dimension(v), tq_bit_width(v), tq_has_residual(v), tq_config_hash(v), round(tq_norm(v)::numeric, 2) AS norm, tq_indices(v)
FROM (SELECT tq_compress('{0.5, -0.5, 0.5, -0.5}', 4) AS v) s;
SELECT round(tq_norm(tq_compress('{3, 4}', 8, true))::numeric, 3) AS norm;
SELECT tq_normalize('{3, 4}'), tq_normalize('{1e30, 0}'), tq_normalize('{1e-40, 0}');
SELECT tq_compress(NULL) IS NULL AND tq_decompress(NULL) IS NULL AND tq_norm(NULL) IS NULL AS strict;
SELECT tq_version() ~ '^tinyquant \d+\.\d+\.\d+, simd (avx512|avx2|neon|scalar), threads \d+$' AS version;

-- The fast rotation: another codec with the same errors, in a column and in a registered codec, beside the other.
SELECT tq_compress('{0.5, -0.5, 0.5, -0.5}', 4, rotation => 'hadamard');
SELECT tq_config_hash(tq_compress('{0.6, 0, 0.8}', 4, false, 'hadamard'))
     = encode(sha256('CodecConfig(bit_width=4,seed=1414611798,dimension=3,residual_enabled=False,rotation=hadamard)'), 'hex') AS hash;
CREATE TABLE test.fast (v tqvec(100, 4, hadamard));
INSERT INTO test.fast SELECT test.unit(i, 100) FROM generate_series(1, 50) i;
INSERT INTO test.fast VALUES (format('[%s]', array_to_string(test.unit(51, 100), ','))::tqvec);
SELECT count(*), count(DISTINCT tq_config_hash(v)) FROM test.fast;
SELECT max(abs((a.v <=> b.v) - test.cosine(tq_decompress(a.v), tq_decompress(b.v)))) < 1e-5 AS both_fast,
       max(abs((a.v <=> h.v) - test.cosine(tq_decompress(a.v), tq_decompress(h.v)))) < 1e-5 AS mixed
FROM test.fast a, test.fast b, (SELECT tq_compress(test.unit(i, 100), 2) AS v FROM generate_series(1, 5) i) h;
SELECT tq_create_codec('fast', 100, 4, seed => 8, rotation => 'hadamard') IS NOT NULL AS registered;
SELECT round(avg(test.l2(test.unit(i, 100), tq_decompress(tq_compress(test.unit(i, 100), 'fast'))) ^ 2)::numeric, 2) AS error
FROM generate_series(1, 20) i;
DROP TABLE test.fast;
SELECT tq_drop_codec('fast');

-- What it refuses.
SELECT * FROM test.failure($$SELECT tq_compress('{3, 4}')$$);
SELECT * FROM test.failure($$SELECT tq_compress('{0, 0}')$$);
SELECT * FROM test.failure($$SELECT tq_compress('{1, NaN}')$$);
SELECT * FROM test.failure($$SELECT tq_compress('{1, Infinity}')$$);
SELECT * FROM test.failure($$SELECT tq_compress('{1, NULL}')$$);
SELECT * FROM test.failure($$SELECT tq_compress('{}')$$);
SELECT * FROM test.failure($$SELECT tq_compress('{{1},{0}}')$$);
SELECT * FROM test.failure($$SELECT tq_compress('{1}', 3)$$);
SELECT * FROM test.failure($$SELECT tq_compress('{1}', 4, false, 'none')$$);
SELECT * FROM test.failure($$SELECT tq_compress(array_fill(1::real, '{16385}'))$$);
SELECT * FROM test.failure($$SELECT tq_normalize('{0}')$$);

-- With a residual any length will do, but not one of which half precision leaves nothing.
SELECT f.* FROM unnest(ARRAY['SELECT tq_compress(''{3e-6, 4e-6}'', 8, true)', 'SELECT ''[1e-20, 0]''::tqvec', 'SELECT tq_compress(''{1e30, 0}'', 8, true)']) s,
    test.failure(s) f;
SELECT round(tq_norm(tq_compress('{3e-3, 4e-3}', 8, true))::numeric, 5) AS short, round(tq_norm(tq_compress('{3e3, 4e3}', 8, true))::numeric, -1) AS long;
