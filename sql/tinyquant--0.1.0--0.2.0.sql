-- From 0.1.0 to 0.2.0: leaves what CREATE EXTENSION makes of 0.2.0, comments and rights included. tests/cluster/lifecycle.sh
-- compares the two. A section for each .sql file, with what it has got since.

-- src/copy/copy.sql ---------------------------------------------------------------------------------------------

CREATE PROCEDURE tq_run_copy()
    AS 'MODULE_PATHNAME', 'tq_run_copy' LANGUAGE C;
COMMENT ON PROCEDURE tq_run_copy() IS 'internal: runs a COPY of this extension below the hooks of others';
COMMENT ON FUNCTION tq_import(regclass, text, jsonb)
    IS 'loads a file of the server into a table, as COPY relation (column) FROM path (FORMAT ...) does; its content tells the format';
COMMENT ON FUNCTION tq_export(text, text, jsonb)
    IS 'writes what a query gives into a file of the server, as COPY (query) TO path (FORMAT tqcv) does';

-- src/formats/formats.sql ---------------------------------------------------------------------------------------

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

-- src/registry/registry.sql -------------------------------------------------------------------------------------

GRANT INSERT, DELETE ON tq_codec TO pg_database_owner WITH GRANT OPTION;
REVOKE EXECUTE ON FUNCTION tq_codec_changed() FROM PUBLIC;
COMMENT ON TRIGGER tq_codec_immutable ON tq_codec IS 'a codec is never changed, only dropped';
ALTER TABLE tq_codec ENABLE ALWAYS TRIGGER tq_codec_immutable;
COMMENT ON CONSTRAINT tq_codec_valid ON tq_codec IS 'a row describes a codec and carries its hash';
COMMENT ON CONSTRAINT tq_codec_pkey ON tq_codec IS 'one codec for a hash';
COMMENT ON CONSTRAINT tq_codec_name_key ON tq_codec IS 'one codec for a name';
COMMENT ON FUNCTION tq_clear_rotation_cache() IS 'removes the files in which rotations are kept, and returns how many there were';
DROP TRIGGER tq_codec_announce ON tq_codec;
CREATE TRIGGER tq_codec_announce AFTER INSERT OR DELETE ON tq_codec
    FOR EACH ROW EXECUTE FUNCTION tq_codec_changed();
COMMENT ON TRIGGER tq_codec_announce ON tq_codec IS 'makes all sessions forget codecs that they hold';
ALTER TABLE tq_codec ENABLE ALWAYS TRIGGER tq_codec_announce;
CREATE TRIGGER tq_codec_announce_truncate AFTER TRUNCATE ON tq_codec
    FOR EACH STATEMENT EXECUTE FUNCTION tq_codec_changed();
COMMENT ON TRIGGER tq_codec_announce_truncate ON tq_codec IS 'makes all sessions forget codecs that they hold';
ALTER TABLE tq_codec ENABLE ALWAYS TRIGGER tq_codec_announce_truncate;
REVOKE EXECUTE ON FUNCTION tq_rotation_cache() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_rotation_cache() TO pg_monitor;

-- src/files.sql -------------------------------------------------------------------------------------------------

GRANT EXECUTE ON FUNCTION tq_import(regclass, text, jsonb) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_import_codec(text, text, text) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_corpus_info(text) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_corpus_scan(text) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_corpus_search(text, real[], integer, text) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_corpus_verify(text) TO pg_read_server_files;
GRANT EXECUTE ON FUNCTION tq_file_info(text) TO pg_read_server_files;

GRANT EXECUTE ON FUNCTION tq_export(text, text, jsonb) TO pg_write_server_files;
GRANT EXECUTE ON FUNCTION tq_export_codec(text, text, text) TO pg_write_server_files;
GRANT EXECUTE ON FUNCTION tq_convert(text, text, jsonb) TO pg_write_server_files;
GRANT EXECUTE ON FUNCTION tq_merge(text, text[], jsonb) TO pg_write_server_files;

-- src/vector/vector.sql -----------------------------------------------------------------------------------------

COMMENT ON FUNCTION tqvec_in(cstring, oid, integer) IS 'I/O';
COMMENT ON FUNCTION tqvec_out(tqvec) IS 'I/O';
COMMENT ON FUNCTION tqvec_recv(internal, oid, integer) IS 'I/O';
COMMENT ON FUNCTION tqvec_send(tqvec) IS 'I/O';
COMMENT ON FUNCTION tqvec_typmod_in(cstring[]) IS 'I/O typmod';
COMMENT ON FUNCTION tqvec_typmod_out(integer) IS 'I/O typmod';
CREATE FUNCTION tqvec_typanalyze(internal) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tqvec_typanalyze_wrapper' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_typanalyze(internal) IS 'tqvec typanalyze';
-- Of columns that are there, neither the storage nor, until the next ANALYZE, the statistics change.
ALTER TYPE tqvec SET (ANALYZE = tqvec_typanalyze, STORAGE = main);
COMMENT ON CAST (tqvec AS tqvec) IS 'checks a record against a type modifier';
COMMENT ON CAST (real[] AS tqvec) IS 'compresses under a type modifier';
COMMENT ON CAST (double precision[] AS tqvec) IS 'compresses under a type modifier';
COMMENT ON CAST (bytea AS tqvec) IS 'takes bytes as a record, checked in full';
COMMENT ON CAST (tqvec AS bytea) IS 'the bytes of the record';
CREATE FUNCTION tqvec_equality_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'tqvec_equality_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_equality_support(internal) IS 'planner support for equality with literals';
CREATE FUNCTION tqvec_comparand(tqvec, integer) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_comparand' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_comparand(tqvec, integer)
    IS 'internal: floats as a column of a type modifier stores them, to be compared with its records; any other record as it is';
ALTER FUNCTION tqvec_eq(tqvec, tqvec) SUPPORT tqvec_equality_support;
ALTER FUNCTION tqvec_ne(tqvec, tqvec) SUPPORT tqvec_equality_support;
COMMENT ON FUNCTION tqvec_eq(tqvec, tqvec) IS 'implementation of = operator';
COMMENT ON FUNCTION tqvec_ne(tqvec, tqvec) IS 'implementation of <> operator';
COMMENT ON FUNCTION tqvec_lt(tqvec, tqvec) IS 'implementation of < operator';
COMMENT ON FUNCTION tqvec_le(tqvec, tqvec) IS 'implementation of <= operator';
COMMENT ON FUNCTION tqvec_gt(tqvec, tqvec) IS 'implementation of > operator';
COMMENT ON FUNCTION tqvec_ge(tqvec, tqvec) IS 'implementation of >= operator';
COMMENT ON FUNCTION tqvec_cmp(tqvec, tqvec) IS 'less-equal-greater';
COMMENT ON FUNCTION tqvec_sortsupport(internal) IS 'sort support';
COMMENT ON FUNCTION tqvec_hash(tqvec) IS 'hash';
COMMENT ON FUNCTION tqvec_hash_extended(tqvec, bigint) IS 'hash';
COMMENT ON OPERATOR = (tqvec, tqvec) IS 'equal bytes';
COMMENT ON OPERATOR <> (tqvec, tqvec) IS 'different bytes';
COMMENT ON OPERATOR < (tqvec, tqvec) IS 'less, by bytes';
COMMENT ON OPERATOR <= (tqvec, tqvec) IS 'less or equal, by bytes';
COMMENT ON OPERATOR > (tqvec, tqvec) IS 'greater, by bytes';
COMMENT ON OPERATOR >= (tqvec, tqvec) IS 'greater or equal, by bytes';
COMMENT ON OPERATOR CLASS tqvec_ops USING btree IS 'order of the bytes';
COMMENT ON OPERATOR FAMILY tqvec_ops USING btree IS 'order of the bytes';
COMMENT ON OPERATOR CLASS tqvec_hash_ops USING hash IS 'hash of the bytes';
COMMENT ON OPERATOR FAMILY tqvec_hash_ops USING hash IS 'hash of the bytes';

-- src/ops/ops.sql -----------------------------------------------------------------------------------------------

COMMENT ON CAST (tqvec AS real[]) IS 'the vector that a record stands for';
COMMENT ON FUNCTION tqvec_accumulate(internal, tqvec) IS 'aggregate transition function';
COMMENT ON FUNCTION tqvec_combine(internal, internal) IS 'aggregate combine function';
COMMENT ON FUNCTION tqvec_serialize(internal) IS 'aggregate serial function';
COMMENT ON FUNCTION tqvec_deserialize(bytea, internal) IS 'aggregate deserial function';
COMMENT ON FUNCTION tqvec_sum(internal) IS 'aggregate final function';
COMMENT ON FUNCTION tqvec_avg(internal) IS 'aggregate final function';
COMMENT ON FUNCTION tq_train_combine(internal, internal) IS 'aggregate combine function';
COMMENT ON FUNCTION tq_train_serialize(internal) IS 'aggregate serial function';
COMMENT ON FUNCTION tq_train_deserialize(bytea, internal) IS 'aggregate deserial function';
COMMENT ON FUNCTION tq_train_finish(internal) IS 'aggregate final function';
COMMENT ON FUNCTION tq_train_accumulate(internal, real[], integer) IS 'aggregate transition function';
COMMENT ON FUNCTION tq_train_accumulate(internal, real[], integer, numeric) IS 'aggregate transition function';
COMMENT ON FUNCTION tq_train_accumulate(internal, real[], integer, numeric, text) IS 'aggregate transition function';
COMMENT ON FUNCTION tq_train_accumulate(internal, real[], integer, numeric, text, integer) IS 'aggregate transition function';
COMMENT ON FUNCTION tq_train_accumulate(internal, real[], integer, numeric, text, integer, text) IS 'aggregate transition function';

CREATE FUNCTION tq_once(VARIADIC "any") RETURNS real[]
    AS 'MODULE_PATHNAME', 'tq_once' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION tq_once("any") IS 'internal: a cast in a plan, whose results are kept for arguments that come again';
CREATE FUNCTION tq_distance_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'tq_distance_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tq_distance_support(internal) IS 'planner support for distances from floats';
ALTER FUNCTION tq_l2_distance(tqvec, real[]) SUPPORT tq_distance_support;
ALTER FUNCTION tq_l2_distance(real[], tqvec) SUPPORT tq_distance_support;
ALTER FUNCTION tq_inner_product(tqvec, real[]) SUPPORT tq_distance_support;
ALTER FUNCTION tq_inner_product(real[], tqvec) SUPPORT tq_distance_support;
ALTER FUNCTION tq_negative_inner_product(tqvec, real[]) SUPPORT tq_distance_support;
ALTER FUNCTION tq_negative_inner_product(real[], tqvec) SUPPORT tq_distance_support;
ALTER FUNCTION tq_cosine_distance(tqvec, real[]) SUPPORT tq_distance_support;
ALTER FUNCTION tq_cosine_distance(real[], tqvec) SUPPORT tq_distance_support;
ALTER FUNCTION tq_l1_distance(tqvec, real[]) SUPPORT tq_distance_support;
ALTER FUNCTION tq_l1_distance(real[], tqvec) SUPPORT tq_distance_support;
