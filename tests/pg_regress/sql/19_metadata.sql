-- What METADATA says stays as it was written, to the byte: equal keys, long numbers, spaces, order, escapes.
\getenv abs_builddir PG_ABS_BUILDDIR
\set out :abs_builddir '/results/metadata.tqcv'
\set other :abs_builddir '/results/metadata.other'
\set merged :abs_builddir '/results/metadata.merged'
\set user '{"b":1,  "a": 12345678901234567890123, "b":\t0.1000000000000000055511151231257827021181583404541015625, "c": "\\u00e9 \\/"}'

CREATE TABLE test.described (id int, e tqvec(16, 4));
INSERT INTO test.described SELECT i, tq_compress(test.unit(i, 16), 4) FROM generate_series(1, 5) i;
CREATE FUNCTION test.holds(path text, part text) RETURNS boolean LANGUAGE sql
    AS $$SELECT position(convert_to(part, 'UTF8') in pg_read_binary_file(path)) > 0$$;

COPY (SELECT id, e FROM test.described ORDER BY id) TO :'out' (FORMAT tqcv, METADATA :'user');
SELECT test.holds(:'out', '"metadata":' || :'user' || '}') AS to_the_byte;
-- jsonb has each key once, and the numbers with all their digits.
SELECT details->'metadata' AS shown FROM tq_file_info(:'out');
-- Through a merge and a conversion.
SELECT tq_merge(:'merged', ARRAY[:'out', :'out']);
SELECT test.holds(:'merged', '"metadata":' || :'user' || '}') AS merged;
SELECT tq_convert(:'merged', :'other', '{"format": "tqcv", "bit_width": 8}');
SELECT test.holds(:'other', '"metadata":' || :'user' || '}') AS converted;
CREATE TABLE test.described_again (id int, e tqvec);
COPY test.described_again FROM :'other' (FORMAT tqcv);
SELECT count(*), count(DISTINCT id) FROM test.described_again;

-- What jsonb can't hold is kept all the same, and shown as text.
COPY test.described (e) TO :'out' (FORMAT tqcv, METADATA '{"n": 1e400, "big": 1e99999, "nul": "\u0000", "half": "\ud800"}');
SELECT test.holds(:'out', '{"n": 1e400, "big": 1e99999, "nul": "\u0000", "half": "\ud800"}') AS to_the_byte;
SELECT jsonb_typeof(details->'metadata') AS type, details->>'metadata' AS shown FROM tq_file_info(:'out');
-- Which texts these are.
CREATE FUNCTION test.shown(path text, metadata text) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY test.described (e) TO %L (FORMAT tqcv, METADATA %L)', path, metadata);
    RETURN (SELECT details->'metadata' FROM tq_file_info(path));
END $$;
SELECT m.metadata, test.shown(:'out', m.metadata) AS shown, test.shown(:'out', m.metadata) = m.metadata::jsonb AS as_jsonb
FROM (VALUES ('{}'), ('[1, -2.5e10, 1e99, "\\u0000", "\"1e9999", {"": true}]'), ('"\ud83d\ude00"'), ('"\u00e9\n\/"'), ('""'), ('-0.0')) m(metadata);
SELECT left(m.metadata, 20) AS metadata, jsonb_typeof(test.shown(:'out', m.metadata)) AS type, test.shown(:'out', m.metadata)#>>'{}' = m.metadata AS as_text
FROM (VALUES ('["\u0000"]'), ('["\ud83d"]'), ('["\ude00"]'), ('["\ud83d\ud83d\ude00"]'), ('["\ud83d \ude00"]'), ('["\ud83d\n\ude00"]'),
             ('[0, 1e1000]'), ('{"a": 1E-99999}'), ('[' || repeat('7', 1001) || ']'), ('{"\u0000": 1}')) m(metadata);
DROP FUNCTION test.shown(text, text);
COPY test.described (e) TO :'out' (FORMAT tqcv, METADATA 'null');
SELECT test.holds(:'out', '"metadata":null}') AS null, details->'metadata' AS shown FROM tq_file_info(:'out');

-- Options of functions are jsonb: equal keys and spaces are lost before they come here, digits are not.
SELECT tq_export('SELECT e FROM test.described', :'out', '{"metadata": {"a": 12345678901234567890123, "c": 1.10}}');
SELECT test.holds(:'out', '"metadata":{"a": 12345678901234567890123, "c": 1.10}}') AS digits;

-- Files of tensors have texts under names, each once.
COPY (SELECT e::real[] FROM test.described) TO :'out' (FORMAT ztensor, METADATA ' {"b": "\u00e9",  "a": "2"}');
SELECT test.holds(:'out', 'é') AS text;

SELECT f.* FROM (VALUES
    ('{"a": 1,}'), ('{"a": 1} {}'), ('01'), ('"'), (''), (repeat('[', 128) || repeat(']', 128))) m(metadata),
    test.failure(format('COPY test.described (e) TO %L (FORMAT tqcv, METADATA %L)', :'out', metadata)) f;
SELECT f.* FROM (VALUES ('{"a": 1}'), ('["a"]'), ('{"a": "1", "b": "", "\u0061": "2"}'), ('{')) m(metadata),
    test.failure(format('COPY (SELECT e::real[] FROM test.described) TO %L (FORMAT burnpack, METADATA %L)', :'out', metadata)) f;

DROP TABLE test.described, test.described_again;
DROP FUNCTION test.holds(text, text);
