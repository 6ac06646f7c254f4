-- The type: text, type modifiers, casts, comparison.

-- Text: floats in, the record's bytes out; the bytes go in again as they are.
SELECT '[0.6, 0, 0.8]'::tqvec(3, 4);
SELECT '[0.6, 0, 0.8]'::tqvec(3, 2);
SELECT ' [0.6,0,0.8] '::tqvec(3, 4) = '[0.6, 0, 0.8]'::tqvec(3, 4) AS spaces_do_not_matter;
SELECT v::text::tqvec = v AS round_trip FROM (SELECT '[0.6, 0, 0.8]'::tqvec(3, 4, residual) AS v) s;
SELECT upper(substr(v::text, 3))::text <> '' AND ('\x' || upper(substr(v::text, 3)))::tqvec = v AS upper_case_digits
FROM (SELECT '[0.6, 0, 0.8]'::tqvec AS v) s;

-- Without a modifier floats keep all that the format can keep.
SELECT tq_dimension(v), tq_bit_width(v), tq_has_residual(v) FROM (SELECT '[0.6, 0, 0.8]'::tqvec AS v) s;
SELECT tq_dimension(v), tq_bit_width(v), tq_has_residual(v) FROM (SELECT '[0.6, 0, 0.8]'::tqvec(3) AS v) s;
SELECT tq_dimension(v), tq_bit_width(v), tq_has_residual(v) FROM (SELECT '[0.6, 0, 0.8]'::tqvec(3, 2) AS v) s;
SELECT test.l2(tq_decompress('[3, 4, 12]'), '{3, 4, 12}') < 1e-3 AS close_at_any_norm;

-- Type modifiers as they are shown.
CREATE TABLE test.modifiers (
    a tqvec, b tqvec(3), c tqvec(3, 4), d tqvec(3, 8, residual), e tqvec(residual, 3, 8), f tqvec(3, 4, haar),
    g tqvec(3, HAAR)
);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
WHERE attrelid = 'test.modifiers'::regclass AND attnum > 0 ORDER BY attnum;
SELECT typname, typstorage, typalign, typlen FROM pg_type WHERE typname = 'tqvec';

-- A literal reaches the column as an 8 bit record with residual, which stands for floats and is compressed; so do
-- parameters, defaults and views. No other record is ever recompressed.
CREATE TABLE test.literals (v tqvec(3, 4) DEFAULT '[0.6, 0, 0.8]');
INSERT INTO test.literals VALUES ('[0.6, 0, 0.8]'), (DEFAULT);
PREPARE insert_literal AS INSERT INTO test.literals VALUES ($1);
EXECUTE insert_literal('[0.6, 0, 0.8]');
\copy test.literals from stdin
[0.6, 0, 0.8]
\.
SELECT v = tq_compress('{0.6, 0, 0.8}', 4) AS compressed, count(*) FROM test.literals GROUP BY 1;
DROP TABLE test.literals;
SELECT * FROM test.failure($$SELECT '[3, 4]'::tqvec(2, 4)$$);

-- Modifiers are enforced on every way in.
INSERT INTO test.modifiers (c) VALUES ('[0.6, 0, 0.8]');
INSERT INTO test.modifiers (c) VALUES ('{0.6, 0, 0.8}'::real[]);
INSERT INTO test.modifiers (c) VALUES ('{0.6, 0, 0.8}'::double precision[]);
SELECT count(DISTINCT c) FROM test.modifiers;
SELECT * FROM test.failure($$INSERT INTO test.modifiers (b) VALUES ('[1, 0]')$$);
SELECT * FROM test.failure($$INSERT INTO test.modifiers (b) VALUES ('{1, 0}'::real[])$$);
SELECT * FROM test.failure($$INSERT INTO test.modifiers (c) SELECT tq_compress('{0.6, 0, 0.8}', 2)$$);
SELECT * FROM test.failure($$INSERT INTO test.modifiers (c) SELECT tq_compress('{0.6, 0, 0.8}', 4, true)$$);
SELECT * FROM test.failure($$INSERT INTO test.modifiers (d) SELECT tq_compress('{0.6, 0, 0.8}', 8)$$);
SELECT * FROM test.failure($$ALTER TABLE test.modifiers ALTER c TYPE tqvec(3, 8)$$);
ALTER TABLE test.modifiers ALTER c TYPE tqvec(3);
SELECT * FROM test.failure($$SELECT NULL::tqvec(3, 5)$$);
SELECT * FROM test.failure($$SELECT NULL::tqvec(3, 4, diagonal)$$);
SELECT * FROM test.failure($$SELECT tq_compress('{0.6, 0, 0.8}')::tqvec(3, 4, hadamard)$$);

-- Text and binary COPY enforce them, too.
\copy test.modifiers (b) from stdin
[1, 0]
\.

-- Casts.
SELECT tq_decompress('[0.6, 0, 0.8]'::tqvec) = '[0.6, 0, 0.8]'::tqvec::real[] AS to_real;
SELECT v::bytea::tqvec = v AS through_bytea, tqvec_send(v) = v::bytea AS same_bytes
FROM (SELECT '[0.6, 0, 0.8]'::tqvec AS v) s;
SELECT castsource::regtype, casttarget::regtype, castcontext FROM pg_cast
WHERE 'tqvec'::regtype IN (castsource, casttarget) ORDER BY 1, 2;

-- Comparison of the bytes.
CREATE TABLE test.ordered (id int, v tqvec);
INSERT INTO test.ordered SELECT i, tq_compress(test.unit(i % 40, 12), 4) FROM generate_series(1, 200) i;
SELECT count(*), count(DISTINCT v) FROM test.ordered;
SELECT count(*) FROM (SELECT v FROM test.ordered GROUP BY v) s;
SET enable_hashagg = off;
SELECT count(*) FROM (SELECT v FROM test.ordered GROUP BY v) s;
RESET enable_hashagg;
SELECT bool_and(v::bytea >= previous) AS sorted_like_bytes
FROM (SELECT v, lag(v::bytea) OVER (ORDER BY v) AS previous FROM test.ordered) s WHERE previous IS NOT NULL;
SELECT count(*) FROM test.ordered a JOIN test.ordered b USING (v);
CREATE UNIQUE INDEX ON test.ordered (v);
DELETE FROM test.ordered WHERE id > 40;
CREATE UNIQUE INDEX ordered_v ON test.ordered (v);
CREATE INDEX ON test.ordered USING hash (v);
SELECT * FROM test.failure('INSERT INTO test.ordered SELECT 0, v FROM test.ordered WHERE id = 7');
SET enable_seqscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM test.ordered WHERE v = '[1,0]';
SELECT a.id FROM test.ordered a WHERE v = (SELECT v FROM test.ordered WHERE id = 7);
RESET enable_seqscan;
SELECT ('[1, 0]'::tqvec < '[0, 1]'::tqvec) <> ('[1, 0]'::tqvec >= '[0, 1]'::tqvec) AS total_order;
DROP TABLE test.modifiers, test.ordered;
