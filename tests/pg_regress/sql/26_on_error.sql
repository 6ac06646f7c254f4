-- COPY's ON_ERROR, REJECT_LIMIT and LOG_VERBOSITY: rows of files that can't be stored.
\getenv abs_builddir PG_ABS_BUILDDIR
\set dense :abs_builddir '/results/on_error.zt'
\set sparse :abs_builddir '/results/on_error_sparse.zt'
\set doubles :abs_builddir '/results/on_error_doubles.zt'
\set plain :abs_builddir '/results/on_error.bpk'
\set holes :abs_builddir '/results/on_error_nan.bpk'
\set index :abs_builddir '/results/on_error.qvec'
\set corpus :abs_builddir '/results/on_error.tqcv'
\set damaged :abs_builddir '/results/on_error_damaged.tqcv'
\set shifted :abs_builddir '/results/on_error_shifted.tqcv'
\set large :abs_builddir '/results/on_error_large.bpk'
CREATE FUNCTION test.put_file(path text, bytes bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    large oid := lo_from_bytea(0, bytes);
BEGIN
    PERFORM lo_export(large, path), lo_unlink(large);
END $$;

-- Rows 3 and 20 are zero, row 7 isn't of unit length.
CREATE TABLE test.odd AS
    SELECT i AS id, CASE WHEN i IN (3, 20) THEN array_fill(0::real, ARRAY[8])
                         WHEN i = 7 THEN (SELECT array_agg((2 * x)::real ORDER BY n) FROM unnest(test.unit(7, 8)) WITH ORDINALITY u(x, n))
                         ELSE test.unit(i, 8) END AS v
    FROM generate_series(1, 20) i;
COPY (SELECT v FROM test.odd ORDER BY id) TO :'dense' (FORMAT ztensor);
COPY (SELECT v FROM test.odd ORDER BY id) TO :'sparse' (FORMAT ztensor, SPARSE true, COMPRESSION 'zstd');
COPY (SELECT v FROM test.odd ORDER BY id) TO :'plain' (FORMAT burnpack);
COPY (SELECT 'row ' || id, v FROM test.odd WHERE id NOT IN (3, 20) ORDER BY id) TO :'index' (FORMAT qvec);
COPY (SELECT id, tq_compress(v, 4) FROM test.odd WHERE id NOT IN (3, 7, 20) ORDER BY id) TO :'corpus' (FORMAT tqcv);
-- NaN and infinity, in files that have no checksum.
COPY (SELECT CASE id WHEN 2 THEN ARRAY[0, 1.5, 0, 0, 0, 0, 0, 0] WHEN 5 THEN ARRAY[0, 0, 0, 0, 0, 0, 0, 1.25] ELSE v END::real[]
      FROM test.odd ORDER BY id) TO :'plain' (FORMAT burnpack);
SELECT test.put_file(:'holes', overlay(overlay(f PLACING '\x0000c07f' FROM position('\x0000c03f'::bytea IN f))
                                       PLACING '\x0000807f' FROM position('\x0000a03f'::bytea IN f)))
FROM pg_read_binary_file(:'plain') f;
COPY (SELECT v FROM test.odd ORDER BY id) TO :'plain' (FORMAT burnpack);

CREATE TABLE test.kept (id int, e tqvec(8, 4), n int GENERATED ALWAYS AS IDENTITY);
-- What has become of the rows: how many, with a vector, equal to what they should be, and the ids of those that lack one.
CREATE FUNCTION test.kept() RETURNS TABLE (rows bigint, vectors bigint, right_ones bigint, missing int[]) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY SELECT count(k), count(e), count(*) FILTER (WHERE e IS NOT NULL AND e = tq_compress(CASE odd.id WHEN 7 THEN tq_normalize(v) ELSE v END, 4)),
                        array_agg(odd.id ORDER BY odd.id) FILTER (WHERE e IS NULL)
                 FROM test.odd LEFT JOIN test.kept k USING (id);
    TRUNCATE test.kept RESTART IDENTITY;
END $$;

-- The first is an error, unless something else is asked for.
SELECT f.* FROM (VALUES (''), (', ON_ERROR stop'), (', ON_ERROR ''STOP'', LOG_VERBOSITY verbose')) s(options),
    test.failure(format('COPY test.kept (id, e) FROM %L (FORMAT ztensor, IDS ''ordinal''%s)', :'dense', options)) f;
COPY test.kept (id, e) FROM :'dense' (FORMAT ztensor, IDS 'ordinal', ON_ERROR ignore);
SELECT * FROM test.kept();
COPY test.kept (id, e) FROM :'sparse' (FORMAT ztensor, IDS 'ordinal', ON_ERROR 'null');
SELECT * FROM test.kept();
-- Core's word for it needs no quotes.
COPY test.kept (id, e) FROM :'plain' (FORMAT burnpack, IDS 'ordinal', ON_ERROR set_null, LOG_VERBOSITY verbose);
SELECT * FROM test.kept();
COPY test.kept (id, e) FROM :'plain' (FORMAT burnpack, IDS 'ordinal', ON_ERROR ignore, LOG_VERBOSITY verbose) WHERE id < 19;
SELECT * FROM test.kept();
COPY test.kept (id, e) FROM :'plain' (FORMAT burnpack, IDS 'ordinal', ON_ERROR ignore, LOG_VERBOSITY silent);
SELECT * FROM test.kept();
COPY test.kept (id, e) FROM :'plain' (FORMAT burnpack, IDS 'ordinal', ON_ERROR ignore, NORMALIZE true);
SELECT * FROM test.kept();
COPY test.kept (id, e) FROM :'holes' (FORMAT burnpack, IDS 'ordinal', ON_ERROR ignore, LOG_VERBOSITY verbose);
SELECT * FROM test.kept();

-- An index gives its ids one by one; those of rows that are left out go with them.
CREATE TABLE test.named (name text, e tqvec(8, 4));
COPY test.named FROM :'index' (FORMAT qvec, ON_ERROR ignore);
SELECT count(*), min(name) FILTER (WHERE name = 'row 7'), min(name) FILTER (WHERE name = 'row 8') FROM test.named;
TRUNCATE test.named;
COPY test.named FROM :'index' (FORMAT qvec, ON_ERROR 'null');
SELECT count(*), string_agg(name, ',') FILTER (WHERE e IS NULL) AS without FROM test.named;

-- Columns of floats take zeros and any length, and no NaN; half precision has less room.
CREATE TABLE test.floats (id int, v real[], d double precision[]);
COPY test.floats (id, v) FROM :'holes' (FORMAT burnpack, IDS 'ordinal', ON_ERROR ignore, LOG_VERBOSITY verbose);
COPY test.floats (id, d) FROM :'holes' (FORMAT burnpack, IDS 'ordinal', ON_ERROR 'null');
SELECT count(*), count(v), count(d) FROM test.floats;
COPY (SELECT ARRAY[i, 1e300, 3]::float8[] FROM generate_series(1, 2) i UNION ALL SELECT ARRAY[1, 2, 3]) TO :'doubles' (FORMAT ztensor, DTYPE 'f64');
TRUNCATE test.floats;
COPY test.floats (id, d) FROM :'doubles' (FORMAT ztensor, IDS 'ordinal', ON_ERROR ignore);
COPY test.floats (id, v) FROM :'doubles' (FORMAT ztensor, IDS 'ordinal', ON_ERROR ignore);
SELECT * FROM test.floats ORDER BY id, d;

-- Records of a corpus: the third is of an unknown version, the fifth has another hash, the seventh another length, from which the
-- next can still be found.
SELECT record_bytes + 4 AS stride, bytes - records * (record_bytes + 4) AS body FROM tq_corpus_info(:'corpus') \gset
SELECT test.put_file(:'damaged', set_byte(set_byte(set_byte(f, :body + 2 * :stride + 4, 9), :body + 4 * :stride + 10, ascii('x')), :body + 6 * :stride, 1)),
       test.put_file(:'shifted', set_byte(set_byte(f, :body + 6 * :stride, 1), :body + 7 * :stride, 1))
FROM pg_read_binary_file(:'corpus') f;
SELECT f.* FROM test.failure(format('COPY test.kept (id, e) FROM %L (FORMAT tqcv)', :'damaged')) f;
COPY test.kept (id, e) FROM :'damaged' (FORMAT tqcv, ON_ERROR ignore, LOG_VERBOSITY verbose);
SELECT * FROM test.kept();
COPY test.kept (id, e) FROM :'damaged' (FORMAT tqcv, ON_ERROR 'null');
SELECT * FROM test.kept();
-- Recompressed on the way.
CREATE TABLE test.smaller (id int, e tqvec(8, 2));
COPY test.smaller FROM :'damaged' (FORMAT tqcv, ON_ERROR ignore, RECOMPRESS true);
COPY test.smaller FROM :'damaged' (FORMAT tqcv, ON_ERROR 'null', RECOMPRESS true, LOG_VERBOSITY silent);
SELECT count(*), count(e), count(*) FILTER (WHERE e IS NOT NULL AND e = tq_compress(tq_decompress(tq_compress(v, 4)), 2)) AS right_ones
FROM test.smaller JOIN test.odd USING (id);
-- Two lengths in a row say that records aren't where they should be. What doesn't fit the column is the whole file, and no row of it.
SELECT f.* FROM (VALUES
    (format('COPY test.kept (id, e) FROM %L (FORMAT tqcv, ON_ERROR ignore)', :'shifted')),
    (format('COPY test.smaller FROM %L (FORMAT tqcv, ON_ERROR ignore)', :'corpus')),
    (format('COPY test.smaller (id, e) FROM %L (FORMAT ztensor, IDS ''ordinal'', ON_ERROR ignore)', :'doubles'))) s(statement), test.failure(statement) f;

-- As many as there may be, and one less.
COPY test.kept (id, e) FROM :'dense' (FORMAT ztensor, IDS 'ordinal', ON_ERROR ignore, REJECT_LIMIT 3);
SELECT * FROM test.kept();
SELECT f.* FROM (VALUES
    (', ON_ERROR ignore, REJECT_LIMIT 2'), (', ON_ERROR ''null'', REJECT_LIMIT ''2'''), (', REJECT_LIMIT 2'),
    (', ON_ERROR ignore, REJECT_LIMIT 0'), (', ON_ERROR ignore, REJECT_LIMIT -5'), (', ON_ERROR ignore, REJECT_LIMIT few'),
    (', ON_ERROR ignore, REJECT_LIMIT 99999999999999999999'), (', ON_ERROR skip'), (', ON_ERROR'), (', LOG_VERBOSITY loud'),
    (', ON_ERROR ignore, ON_ERROR stop')) s(options),
    test.failure(format('COPY test.kept (id, e) FROM %L (FORMAT ztensor, IDS ''ordinal''%s)', :'dense', options)) f;
SELECT f.* FROM test.failure(format('COPY test.odd (v) TO %L (FORMAT ztensor, ON_ERROR ignore)', :'dense')) f;
SELECT * FROM test.kept();

-- tq_import takes the same.
SELECT tq_import('test.kept', :'dense', '{"id_column": "id", "ids": "ordinal", "on_error": "ignore", "reject_limit": 3, "log_verbosity": "verbose"}');
SELECT * FROM test.kept();
SELECT f.* FROM (VALUES ('"on_error": true'), ('"on_error": "skip"'), ('"on_error": "ignore", "reject_limit": 1')) s(options),
    test.failure(format('SELECT tq_import(%L, %L, %L)', 'test.kept', :'dense', '{"id_column": "id", "ids": "ordinal", ' || options || '}')) f;

-- What stays an error: constraints, triggers, ids that their column can't hold.
CREATE TABLE test.strict (id int CHECK (id <> 5), e tqvec(8, 4) NOT NULL);
CREATE TABLE test.small (id smallint, e tqvec(8, 4));
SELECT f.* FROM (VALUES
    (format('COPY test.strict FROM %L (FORMAT ztensor, IDS ''ordinal'', ON_ERROR ignore)', :'dense')),
    (format('COPY test.strict FROM %L (FORMAT ztensor, IDS ''ordinal'', ON_ERROR ''null'')', :'dense')),
    (format('COPY test.small FROM %L (FORMAT qvec, ON_ERROR ignore)', :'index'))) s(statement), test.failure(statement) f;

-- Every tenth row of several blocks, and rows whose residual is too large, which shows only when they are compressed.
COPY (SELECT CASE WHEN i % 10 = 0 THEN array_fill(0::real, ARRAY[64])
                  WHEN i % 777 = 1 THEN array_fill(1e6::real, ARRAY[64]) ELSE test.unit(i % 97, 64) END
      FROM generate_series(1, 40000) i) TO :'large' (FORMAT burnpack);
CREATE TABLE test.many (id int, e tqvec(64, 4, residual));
COPY test.many FROM :'large' (FORMAT burnpack, IDS 'ordinal', ON_ERROR ignore);
SELECT count(*), bool_and(id % 10 <> 0 AND id % 777 <> 1) AS none_of_those,
       bool_and(e = tq_compress(test.unit(id % 97, 64), 4, residual => true)) FILTER (WHERE id % 100 = 3) AS right_ones
FROM test.many;
TRUNCATE test.many;
COPY test.many FROM :'large' (FORMAT burnpack, IDS 'ordinal', ON_ERROR 'null');
SELECT count(*), count(e), count(*) FILTER (WHERE (e IS NULL) = (id % 10 = 0 OR id % 777 = 1)) AS as_they_should FROM test.many;

DROP TABLE test.many, test.strict, test.small, test.smaller, test.floats, test.named, test.kept, test.odd;
DROP FUNCTION test.kept(), test.put_file;
