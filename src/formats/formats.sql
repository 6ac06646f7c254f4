-- Files of any format, looked into, converted and merged without a table. What they return may change from one call to the
-- next (VOLATILE); files.sql says who may call them.

CREATE FUNCTION tq_file_info(
    path text, OUT format text, OUT name text, OUT dtype text, OUT shape bigint[], OUT encoding text, OUT bytes bigint,
    OUT checksum text, OUT details jsonb
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tq_file_info_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION tq_file_info(text)
    IS 'what a file of the server is, by its content, and what it holds: a corpus, an index, or tensors, their checksums compared';

CREATE FUNCTION tq_convert(source text, target text, options jsonb) RETURNS bigint
    AS 'MODULE_PATHNAME', 'tq_convert_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_convert(text, text, jsonb)
    IS 'writes the vectors of a file of the server into another, of the format that the options name';

CREATE FUNCTION tq_merge(target text, sources text[], options jsonb DEFAULT '{}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'tq_merge_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_merge(text, text[], jsonb)
    IS 'writes corpora of one codec, or files of tensors, into one file of the server';
