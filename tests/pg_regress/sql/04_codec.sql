-- Registered codecs.

SELECT tq_create_codec('wide', 4, bit_width => 2, seed => 18446744073709551615, codebook => '{-30, -10, 10, 30}');
SELECT tq_create_codec('default', 8);
SELECT name, config_hash, dimension, bit_width, seed, residual, rotation, codebook FROM tq_catalog.tq_codec ORDER BY name;
SELECT tq_compress('{20, -20, 5, 0}', 'wide');
SELECT round(tq_norm(tq_compress('{20, -20, 5, 0}', 'wide'))::numeric, 3);
SELECT tq_compress('{0, 0, 0, 0}', 'wide') IS NOT NULL AS zero_has_codes_here;

-- Rows are immutable, and describe what they say.
SELECT * FROM test.failure($$UPDATE tq_catalog.tq_codec SET seed = 1$$);
SELECT * FROM test.failure($$INSERT INTO tq_catalog.tq_codec (config_hash, name, dimension, bit_width, seed, residual, codebook)
    SELECT repeat('0', 64), 'forged', dimension, bit_width, seed, residual, codebook FROM tq_catalog.tq_codec$$);
SELECT * FROM test.failure($$SELECT tq_create_codec('wide', 9)$$);
SELECT * FROM test.failure($$SELECT tq_create_codec('other', 4, 2, seed => 18446744073709551615)$$);
SELECT * FROM test.failure($$SELECT tq_create_codec('other', 8)$$);
SELECT * FROM test.failure($$SELECT tq_create_codec('other', 4, seed => 1414611798)$$);
SELECT * FROM test.failure($$SELECT tq_create_codec('other', 4, seed => 18446744073709551616)$$);
SELECT * FROM test.failure($$SELECT tq_create_codec('other', 4, 2, codebook => '{1, 2, 3}')$$);
SELECT * FROM test.failure($$SELECT tq_create_codec('other', 4, rotation => 'diagonal')$$);
SELECT * FROM test.failure($$SELECT tq_compress('{1, 0}', 'wide')$$);
SELECT * FROM test.failure($$SELECT tq_compress('{1, 0}', 'nobody')$$);

-- Records outlive their codec, unreadable until it is back.
CREATE TABLE test.held AS SELECT tq_compress('{20, -20, 5, 0}', 'wide') AS v;
SELECT tq_drop_codec('wide');
SELECT count(DISTINCT v) FROM test.held;
SELECT * FROM test.failure($$SELECT tq_decompress(v) FROM test.held$$);
SELECT * FROM test.failure($$SELECT v <-> '{1, 0, 0, 0}'::real[] FROM test.held$$);
SELECT tq_create_codec('wide', 4, bit_width => 2, seed => 18446744073709551615, codebook => '{-30, -10, 10, 30}') = tq_config_hash(v) AS back FROM test.held;
SELECT round(tq_norm(v)::numeric, 3) FROM test.held;
SELECT * FROM test.failure($$SELECT tq_drop_codec('nobody')$$);
-- Dropping one says what computes with such records without being asked: ANALYZE of an index or statistics, writes of a generated
-- column or a constraint. What needs no codec, or is declared to hold other records, isn't named.
ALTER TABLE test.held ADD other tqvec(8, 4), ADD norm real GENERATED ALWAYS AS (tq_norm(v)) STORED, ADD CONSTRAINT long CHECK (tq_norm(v) > 1),
    ADD CONSTRAINT known CHECK (tq_config_hash(v) <> '');
CREATE INDEX by_norm ON test.held (tq_norm(v));
CREATE INDEX by_distance ON test.held ((v <-> '{1,0,0,0}'::real[])) WHERE tq_dimension(v) = 4;
CREATE INDEX by_bytes ON test.held (v);
CREATE INDEX by_header ON test.held (tq_dimension(v), (v = v), tq_indices(v)) WHERE v IS NOT NULL;
CREATE INDEX by_other ON test.held (tq_norm(other));
CREATE STATISTICS test.norms ON tq_norm(v), tq_dimension(v) FROM test.held;
SELECT tq_drop_codec('wide');
DROP STATISTICS test.norms;
ALTER TABLE test.held DROP norm, DROP CONSTRAINT long;
SELECT tq_create_codec('wide', 4, bit_width => 2, seed => 18446744073709551615, codebook => '{-30, -10, 10, 30}') IS NOT NULL AS back;
SELECT tq_drop_codec('wide');
-- And who meets it later is told the ways out.
SELECT * FROM test.failure($$ANALYZE test.held$$);
SELECT * FROM test.failure($$REINDEX INDEX test.by_norm$$);
SELECT * FROM test.failure($$INSERT INTO test.held SELECT v FROM test.held$$);
DROP INDEX test.by_norm, test.by_distance;
ANALYZE test.held;
SELECT tq_create_codec('wide', 4, bit_width => 2, seed => 18446744073709551615, codebook => '{-30, -10, 10, 30}') IS NOT NULL AS back;
DROP TABLE test.held;
SELECT tq_drop_codec('wide'), tq_drop_codec('default');
