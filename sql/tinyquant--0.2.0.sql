-- The type tqvec. Its datum is one TinyQuant Level-1 record, laid out like a bytea: whatever core's bytea functions
-- do on the bytes (send, compare, hash) they do for tqvec too.

CREATE TYPE tqvec;

CREATE FUNCTION tqvec_in(cstring, oid, integer) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_in_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_in(cstring, oid, integer) IS 'I/O';
CREATE FUNCTION tqvec_out(tqvec) RETURNS cstring
    AS 'MODULE_PATHNAME', 'tqvec_out_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_out(tqvec) IS 'I/O';
CREATE FUNCTION tqvec_recv(internal, oid, integer) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_recv_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_recv(internal, oid, integer) IS 'I/O';
CREATE FUNCTION tqvec_send(tqvec) RETURNS bytea
    AS 'byteasend' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_send(tqvec) IS 'I/O';
CREATE FUNCTION tqvec_typmod_in(cstring[]) RETURNS integer
    AS 'MODULE_PATHNAME', 'tqvec_typmod_in_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_typmod_in(cstring[]) IS 'I/O typmod';
CREATE FUNCTION tqvec_typmod_out(integer) RETURNS cstring
    AS 'MODULE_PATHNAME', 'tqvec_typmod_out_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_typmod_out(integer) IS 'I/O typmod';
CREATE FUNCTION tqvec_typanalyze(internal) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tqvec_typanalyze_wrapper' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_typanalyze(internal) IS 'tqvec typanalyze';

-- Records stay in their row as long as a page takes it: a search reads them all, and fetching one from out of line costs more than its
-- distance. Codes look random and don't compress, so TOAST, where it must, stores them as they are, and slices of them can be fetched.
CREATE TYPE tqvec (
    INPUT = tqvec_in,
    OUTPUT = tqvec_out,
    RECEIVE = tqvec_recv,
    SEND = tqvec_send,
    TYPMOD_IN = tqvec_typmod_in,
    TYPMOD_OUT = tqvec_typmod_out,
    ANALYZE = tqvec_typanalyze,
    INTERNALLENGTH = VARIABLE,
    ALIGNMENT = int4,
    STORAGE = main
);
COMMENT ON TYPE tqvec IS 'embedding vector compressed by rotation and scalar quantisation (a TinyQuant Level-1 record)';

-- Casts -------------------------------------------------------------------------------------------------------

CREATE FUNCTION tqvec(tqvec, integer, boolean) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_enforce_typmod_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec(tqvec, integer, boolean) IS 'checks a record against a type modifier';
CREATE CAST (tqvec AS tqvec) WITH FUNCTION tqvec(tqvec, integer, boolean) AS IMPLICIT;
COMMENT ON CAST (tqvec AS tqvec) IS 'checks a record against a type modifier';

CREATE FUNCTION tqvec(real[], integer, boolean) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_from_floats_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tqvec(real[], integer, boolean) IS 'compresses floats under a type modifier';
CREATE CAST (real[] AS tqvec) WITH FUNCTION tqvec(real[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (real[] AS tqvec) IS 'compresses under a type modifier';

CREATE FUNCTION tqvec(double precision[], integer, boolean) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_from_floats_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tqvec(double precision[], integer, boolean) IS 'compresses floats under a type modifier';
CREATE CAST (double precision[] AS tqvec) WITH FUNCTION tqvec(double precision[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (double precision[] AS tqvec) IS 'compresses under a type modifier';

CREATE FUNCTION tqvec(bytea, integer, boolean) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_from_bytea_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec(bytea, integer, boolean) IS 'takes bytes as a record, checked in full';
CREATE CAST (bytea AS tqvec) WITH FUNCTION tqvec(bytea, integer, boolean);
COMMENT ON CAST (bytea AS tqvec) IS 'takes bytes as a record, checked in full';

-- A tqvec is a bytea as it is: nothing to compute.
CREATE CAST (tqvec AS bytea) WITHOUT FUNCTION;
COMMENT ON CAST (tqvec AS bytea) IS 'the bytes of the record';

-- Comparison of the bytes ---------------------------------------------------------------------------------------

-- A literal is compared with a column as the column would store it.
CREATE FUNCTION tqvec_equality_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'tqvec_equality_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_equality_support(internal) IS 'planner support for equality with literals';
CREATE FUNCTION tqvec_comparand(tqvec, integer) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_comparand' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_comparand(tqvec, integer)
    IS 'internal: floats as a column of a type modifier stores them, to be compared with its records; any other record as it is';

CREATE FUNCTION tqvec_eq(tqvec, tqvec) RETURNS boolean
    AS 'byteaeq' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF SUPPORT tqvec_equality_support;
COMMENT ON FUNCTION tqvec_eq(tqvec, tqvec) IS 'implementation of = operator';
CREATE FUNCTION tqvec_ne(tqvec, tqvec) RETURNS boolean
    AS 'byteane' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF SUPPORT tqvec_equality_support;
COMMENT ON FUNCTION tqvec_ne(tqvec, tqvec) IS 'implementation of <> operator';
CREATE FUNCTION tqvec_lt(tqvec, tqvec) RETURNS boolean
    AS 'bytealt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION tqvec_lt(tqvec, tqvec) IS 'implementation of < operator';
CREATE FUNCTION tqvec_le(tqvec, tqvec) RETURNS boolean
    AS 'byteale' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION tqvec_le(tqvec, tqvec) IS 'implementation of <= operator';
CREATE FUNCTION tqvec_gt(tqvec, tqvec) RETURNS boolean
    AS 'byteagt' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION tqvec_gt(tqvec, tqvec) IS 'implementation of > operator';
CREATE FUNCTION tqvec_ge(tqvec, tqvec) RETURNS boolean
    AS 'byteage' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION tqvec_ge(tqvec, tqvec) IS 'implementation of >= operator';
CREATE FUNCTION tqvec_cmp(tqvec, tqvec) RETURNS integer
    AS 'byteacmp' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION tqvec_cmp(tqvec, tqvec) IS 'less-equal-greater';
CREATE FUNCTION tqvec_sortsupport(internal) RETURNS void
    AS 'bytea_sortsupport' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_sortsupport(internal) IS 'sort support';
CREATE FUNCTION tqvec_hash(tqvec) RETURNS integer
    AS 'hashvarlena' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION tqvec_hash(tqvec) IS 'hash';
CREATE FUNCTION tqvec_hash_extended(tqvec, bigint) RETURNS bigint
    AS 'hashvarlenaextended' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE LEAKPROOF;
COMMENT ON FUNCTION tqvec_hash_extended(tqvec, bigint) IS 'hash';

CREATE OPERATOR = (
    LEFTARG = tqvec, RIGHTARG = tqvec, FUNCTION = tqvec_eq, COMMUTATOR = =, NEGATOR = <>,
    RESTRICT = eqsel, JOIN = eqjoinsel, HASHES, MERGES
);
COMMENT ON OPERATOR = (tqvec, tqvec) IS 'equal bytes';
CREATE OPERATOR <> (
    LEFTARG = tqvec, RIGHTARG = tqvec, FUNCTION = tqvec_ne, COMMUTATOR = <>, NEGATOR = =,
    RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (tqvec, tqvec) IS 'different bytes';
CREATE OPERATOR < (
    LEFTARG = tqvec, RIGHTARG = tqvec, FUNCTION = tqvec_lt, COMMUTATOR = >, NEGATOR = >=,
    RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (tqvec, tqvec) IS 'less, by bytes';
CREATE OPERATOR <= (
    LEFTARG = tqvec, RIGHTARG = tqvec, FUNCTION = tqvec_le, COMMUTATOR = >=, NEGATOR = >,
    RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (tqvec, tqvec) IS 'less or equal, by bytes';
CREATE OPERATOR > (
    LEFTARG = tqvec, RIGHTARG = tqvec, FUNCTION = tqvec_gt, COMMUTATOR = <, NEGATOR = <=,
    RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (tqvec, tqvec) IS 'greater, by bytes';
CREATE OPERATOR >= (
    LEFTARG = tqvec, RIGHTARG = tqvec, FUNCTION = tqvec_ge, COMMUTATOR = <=, NEGATOR = <,
    RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (tqvec, tqvec) IS 'greater or equal, by bytes';

CREATE OPERATOR CLASS tqvec_ops DEFAULT FOR TYPE tqvec USING btree AS
    OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >,
    FUNCTION 1 tqvec_cmp(tqvec, tqvec),
    FUNCTION 2 tqvec_sortsupport(internal);
COMMENT ON OPERATOR CLASS tqvec_ops USING btree IS 'order of the bytes';
COMMENT ON OPERATOR FAMILY tqvec_ops USING btree IS 'order of the bytes';

CREATE OPERATOR CLASS tqvec_hash_ops DEFAULT FOR TYPE tqvec USING hash AS
    OPERATOR 1 =,
    FUNCTION 1 tqvec_hash(tqvec),
    FUNCTION 2 tqvec_hash_extended(tqvec, bigint);
COMMENT ON OPERATOR CLASS tqvec_hash_ops USING hash IS 'hash of the bytes';
COMMENT ON OPERATOR FAMILY tqvec_hash_ops USING hash IS 'hash of the bytes';

-- COPY without preloading the library: calling a function loads it, and with it the COPY hook.

CREATE FUNCTION tq_import(relation regclass, path text, options jsonb DEFAULT '{}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'tq_import_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_import(regclass, text, jsonb)
    IS 'loads a file of the server into a table, as COPY relation (column) FROM path (FORMAT ...) does; its content tells the format';

CREATE FUNCTION tq_export(query text, path text, options jsonb DEFAULT '{}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'tq_export_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_export(text, text, jsonb)
    IS 'writes what a query gives into a file of the server, as COPY (query) TO path (FORMAT tqcv) does';

-- What the hooks of extensions loaded before this one get to see of such a COPY: see the module chain.
CREATE PROCEDURE tq_run_copy()
    AS 'MODULE_PATHNAME', 'tq_run_copy' LANGUAGE C;
COMMENT ON PROCEDURE tq_run_copy() IS 'internal: runs a COPY of this extension below the hooks of others';

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

-- Registered codecs. A record names its codec by hash alone, so a row is all that stands between a record and its
-- floats: rows are immutable, and dumped with the database.

CREATE FUNCTION tq_codec_check(
    name text, config_hash text, dimension integer, bit_width integer, seed numeric, residual boolean,
    rotation text, codebook real[]
) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tq_codec_check_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tq_codec_check(text, text, integer, integer, numeric, boolean, text, real[])
    IS 'checks that a row of tq_codec describes a codec and carries its hash';

CREATE TABLE tq_codec (
    config_hash text PRIMARY KEY,
    name text NOT NULL UNIQUE,
    dimension integer NOT NULL,
    bit_width integer NOT NULL,
    seed numeric(20) NOT NULL,
    residual boolean NOT NULL,
    rotation text NOT NULL DEFAULT 'haar',
    codebook real[] NOT NULL,
    CONSTRAINT tq_codec_valid
        CHECK (tq_codec_check(name, config_hash, dimension, bit_width, seed, residual, rotation, codebook))
);
COMMENT ON TABLE tq_codec IS 'registered codecs: what turns records of foreign or trained codecs back into vectors';
COMMENT ON COLUMN tq_codec.config_hash IS 'hash of the configuration, as records carry it';
COMMENT ON COLUMN tq_codec.name IS 'name for tq_compress(v, name)';
COMMENT ON COLUMN tq_codec.dimension IS 'length of the vectors, 1 to 16384';
COMMENT ON COLUMN tq_codec.bit_width IS 'bits a dimension: 2, 4 or 8';
COMMENT ON COLUMN tq_codec.seed IS 'seed of the rotation, an unsigned 64-bit number';
COMMENT ON COLUMN tq_codec.residual IS 'whether records carry an FP16 residual';
COMMENT ON COLUMN tq_codec.rotation IS 'kind of rotation: haar or hadamard';
COMMENT ON COLUMN tq_codec.codebook IS 'the 2^bit_width entries, ascending';
SELECT pg_catalog.pg_extension_config_dump('tq_codec', '');
GRANT SELECT ON tq_codec TO PUBLIC;
-- The extension is trusted: where the owner of a database creates it, the table belongs to the server's superuser all the same,
-- as the functions do, whose checks its triggers and constraint are.
GRANT INSERT, DELETE ON tq_codec TO pg_database_owner WITH GRANT OPTION;

CREATE FUNCTION tq_codec_changed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'tq_codec_changed_wrapper' LANGUAGE C;
COMMENT ON FUNCTION tq_codec_changed() IS 'refuses updates of tq_codec and tells all sessions of other changes';
-- A trigger of another table would announce changes of that one.
REVOKE EXECUTE ON FUNCTION tq_codec_changed() FROM PUBLIC;
CREATE TRIGGER tq_codec_immutable BEFORE UPDATE ON tq_codec
    FOR EACH STATEMENT EXECUTE FUNCTION tq_codec_changed();
COMMENT ON TRIGGER tq_codec_immutable ON tq_codec IS 'a codec is never changed, only dropped';
ALTER TABLE tq_codec ENABLE ALWAYS TRIGGER tq_codec_immutable;
COMMENT ON CONSTRAINT tq_codec_valid ON tq_codec IS 'a row describes a codec and carries its hash';
COMMENT ON CONSTRAINT tq_codec_pkey ON tq_codec IS 'one codec for a hash';
COMMENT ON CONSTRAINT tq_codec_name_key ON tq_codec IS 'one codec for a name';
-- Also where changes arrive by logical replication, which runs only such triggers as are always enabled, and for inserts and
-- deletes only those of rows.
CREATE TRIGGER tq_codec_announce AFTER INSERT OR DELETE ON tq_codec
    FOR EACH ROW EXECUTE FUNCTION tq_codec_changed();
COMMENT ON TRIGGER tq_codec_announce ON tq_codec IS 'makes all sessions forget codecs that they hold';
ALTER TABLE tq_codec ENABLE ALWAYS TRIGGER tq_codec_announce;
CREATE TRIGGER tq_codec_announce_truncate AFTER TRUNCATE ON tq_codec
    FOR EACH STATEMENT EXECUTE FUNCTION tq_codec_changed();
COMMENT ON TRIGGER tq_codec_announce_truncate ON tq_codec IS 'makes all sessions forget codecs that they hold';
ALTER TABLE tq_codec ENABLE ALWAYS TRIGGER tq_codec_announce_truncate;

CREATE FUNCTION tq_create_codec(
    name text, dimension integer, bit_width integer DEFAULT 4, residual boolean DEFAULT false,
    seed numeric DEFAULT 42, codebook real[] DEFAULT NULL, rotation text DEFAULT 'haar'
) RETURNS text
    AS 'MODULE_PATHNAME', 'tq_create_codec_wrapper' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_create_codec(text, integer, integer, boolean, numeric, real[], text)
    IS 'registers a codec and returns its config_hash';

CREATE FUNCTION tq_drop_codec(name text) RETURNS void
    AS 'MODULE_PATHNAME', 'tq_drop_codec_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_drop_codec(text) IS 'drops a registered codec';

-- Files of the server; files.sql says who may call these two.
CREATE FUNCTION tq_import_codec(name text, codebook_path text, json_path text) RETURNS text
    AS 'MODULE_PATHNAME', 'tq_import_codec_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_import_codec(text, text, text)
    IS 'registers the codec of a TinyQuant codebook and its JSON configuration, files of the server; returns its config_hash';

CREATE FUNCTION tq_export_codec(name text, codebook_path text, json_path text) RETURNS void
    AS 'MODULE_PATHNAME', 'tq_export_codec_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_export_codec(text, text, text)
    IS 'writes a codec, by name, hash or declaration, to a TinyQuant codebook and its JSON configuration, files of the server';

-- Files below the data directory, shared by all databases.
CREATE FUNCTION tq_rotation_cache(OUT rotation text, OUT seed numeric, OUT dimension integer, OUT bytes bigint)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tq_rotation_cache_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tq_rotation_cache() IS 'lists the rotations that are kept in files below the data directory';
-- As core's pg_ls_tmpdir and its like.
REVOKE EXECUTE ON FUNCTION tq_rotation_cache() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tq_rotation_cache() TO pg_monitor;

CREATE FUNCTION tq_clear_rotation_cache() RETURNS bigint
    AS 'MODULE_PATHNAME', 'tq_clear_rotation_cache_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_clear_rotation_cache() IS 'removes the files in which rotations are kept, and returns how many there were';
REVOKE EXECUTE ON FUNCTION tq_clear_rotation_cache() FROM PUBLIC;

-- Compression, accessors and distances. Costs are in units of cpu_operator_cost (a comparison of two integers), so
-- that large scans are worth parallel workers: a distance reads the whole code, a compression rotates.

CREATE FUNCTION tq_version() RETURNS text
    AS 'MODULE_PATHNAME', 'tq_version_wrapper' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tq_version() IS 'version of the extension, the instruction set and the number of threads in use';

CREATE FUNCTION tq_compress(
    v real[], bit_width integer DEFAULT 4, residual boolean DEFAULT false, rotation text DEFAULT 'haar'
) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tq_compress_builtin_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_compress(real[], integer, boolean, text) IS 'compresses a vector with the built-in codec';

CREATE FUNCTION tq_compress(v real[], codec text) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tq_compress_codec_wrapper' LANGUAGE C STABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_compress(real[], text) IS 'compresses a vector with a registered codec, given by name or hash';

CREATE PROCEDURE tq_compress_column(
    relation regclass, source text, target text, batch integer DEFAULT 10000, codec text DEFAULT NULL
)
    AS 'MODULE_PATHNAME', 'tq_compress_column_wrapper' LANGUAGE C;
COMMENT ON PROCEDURE tq_compress_column(regclass, text, text, integer, text)
    IS 'fills a tqvec column from a column of floats, in batches that are committed one by one';

CREATE FUNCTION tq_decompress(v tqvec) RETURNS real[]
    AS 'MODULE_PATHNAME', 'tq_decompress_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_decompress(tqvec) IS 'the vector that a record stands for';
CREATE CAST (tqvec AS real[]) WITH FUNCTION tq_decompress(tqvec);
COMMENT ON CAST (tqvec AS real[]) IS 'the vector that a record stands for';

CREATE FUNCTION tq_normalize(v real[]) RETURNS real[]
    AS 'MODULE_PATHNAME', 'tq_normalize_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_normalize(real[]) IS 'the vector scaled to unit length';

CREATE FUNCTION tq_dimension(v tqvec) RETURNS integer
    AS 'MODULE_PATHNAME', 'tq_dimension_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION tq_dimension(tqvec) IS 'number of dimensions';

CREATE FUNCTION tq_bit_width(v tqvec) RETURNS integer
    AS 'MODULE_PATHNAME', 'tq_bit_width_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION tq_bit_width(tqvec) IS 'bits a dimension: 2, 4 or 8';

CREATE FUNCTION tq_config_hash(v tqvec) RETURNS text
    AS 'MODULE_PATHNAME', 'tq_config_hash_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION tq_config_hash(tqvec) IS 'hash of the codec that the record was made with';

CREATE FUNCTION tq_has_residual(v tqvec) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tq_has_residual_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION tq_has_residual(tqvec) IS 'whether the record carries an FP16 residual';

CREATE FUNCTION tq_norm(v tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_norm_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 40;
COMMENT ON FUNCTION tq_norm(tqvec) IS 'Euclidean norm of the vector that the record stands for';

CREATE FUNCTION tq_indices(v tqvec) RETURNS smallint[]
    AS 'MODULE_PATHNAME', 'tq_indices_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_indices(tqvec) IS 'the codes, one a rotated dimension';

-- What makes a query that has to be converted first cost its conversion once: see src/ops/support.rs.
CREATE FUNCTION tq_once(VARIADIC "any") RETURNS real[]
    AS 'MODULE_PATHNAME', 'tq_once' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 1;
COMMENT ON FUNCTION tq_once("any") IS 'internal: a cast in a plan, whose results are kept for arguments that come again';
CREATE FUNCTION tq_distance_support(internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'tq_distance_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tq_distance_support(internal) IS 'planner support for distances from floats';

-- Distances: for each metric a function and an operator for each pair of arguments, one of which is compressed.

CREATE FUNCTION tq_l2_distance(tqvec, tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_rr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_l2_distance(tqvec, tqvec) IS 'Euclidean distance';
CREATE FUNCTION tq_l2_distance(tqvec, real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
COMMENT ON FUNCTION tq_l2_distance(tqvec, real[]) IS 'Euclidean distance';
CREATE FUNCTION tq_l2_distance(real[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
COMMENT ON FUNCTION tq_l2_distance(real[], tqvec) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = tqvec, RIGHTARG = tqvec, FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (tqvec, tqvec) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = tqvec, RIGHTARG = real[], FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (tqvec, real[]) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = real[], RIGHTARG = tqvec, FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (real[], tqvec) IS 'Euclidean distance';

CREATE FUNCTION tq_inner_product(tqvec, tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_rr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_inner_product(tqvec, tqvec) IS 'inner product';
CREATE FUNCTION tq_inner_product(tqvec, real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
COMMENT ON FUNCTION tq_inner_product(tqvec, real[]) IS 'inner product';
CREATE FUNCTION tq_inner_product(real[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
COMMENT ON FUNCTION tq_inner_product(real[], tqvec) IS 'inner product';

CREATE FUNCTION tq_negative_inner_product(tqvec, tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_rr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_negative_inner_product(tqvec, tqvec) IS 'negative inner product';
CREATE FUNCTION tq_negative_inner_product(tqvec, real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
COMMENT ON FUNCTION tq_negative_inner_product(tqvec, real[]) IS 'negative inner product';
CREATE FUNCTION tq_negative_inner_product(real[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
COMMENT ON FUNCTION tq_negative_inner_product(real[], tqvec) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = tqvec, RIGHTARG = tqvec, FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (tqvec, tqvec) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = tqvec, RIGHTARG = real[], FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (tqvec, real[]) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = real[], RIGHTARG = tqvec, FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (real[], tqvec) IS 'negative inner product';

CREATE FUNCTION tq_cosine_distance(tqvec, tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_rr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_cosine_distance(tqvec, tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE FUNCTION tq_cosine_distance(tqvec, real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
COMMENT ON FUNCTION tq_cosine_distance(tqvec, real[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE FUNCTION tq_cosine_distance(real[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
COMMENT ON FUNCTION tq_cosine_distance(real[], tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = tqvec, RIGHTARG = tqvec, FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (tqvec, tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = tqvec, RIGHTARG = real[], FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (tqvec, real[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = real[], RIGHTARG = tqvec, FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (real[], tqvec) IS 'cosine distance: one minus the cosine of the angle';

CREATE FUNCTION tq_l1_distance(tqvec, tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_rr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_l1_distance(tqvec, tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE FUNCTION tq_l1_distance(tqvec, real[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000
    SUPPORT tq_distance_support;
COMMENT ON FUNCTION tq_l1_distance(tqvec, real[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE FUNCTION tq_l1_distance(real[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000
    SUPPORT tq_distance_support;
COMMENT ON FUNCTION tq_l1_distance(real[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = tqvec, RIGHTARG = tqvec, FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (tqvec, tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = tqvec, RIGHTARG = real[], FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (tqvec, real[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = real[], RIGHTARG = tqvec, FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (real[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';

-- Aggregates: summed in the rotated space, rotated back once.

CREATE FUNCTION tqvec_accumulate(internal, tqvec) RETURNS internal
    AS 'MODULE_PATHNAME', 'tqvec_accumulate_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 60;
COMMENT ON FUNCTION tqvec_accumulate(internal, tqvec) IS 'aggregate transition function';
CREATE FUNCTION tqvec_combine(internal, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'tqvec_combine_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_combine(internal, internal) IS 'aggregate combine function';
CREATE FUNCTION tqvec_serialize(internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tqvec_serialize_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_serialize(internal) IS 'aggregate serial function';
CREATE FUNCTION tqvec_deserialize(bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'tqvec_deserialize_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_deserialize(bytea, internal) IS 'aggregate deserial function';
CREATE FUNCTION tqvec_sum(internal) RETURNS real[]
    AS 'MODULE_PATHNAME', 'tqvec_sum_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_sum(internal) IS 'aggregate final function';
CREATE FUNCTION tqvec_avg(internal) RETURNS real[]
    AS 'MODULE_PATHNAME', 'tqvec_avg_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_avg(internal) IS 'aggregate final function';

CREATE AGGREGATE sum(tqvec) (
    SFUNC = tqvec_accumulate, STYPE = internal, SSPACE = 16384, FINALFUNC = tqvec_sum,
    COMBINEFUNC = tqvec_combine, SERIALFUNC = tqvec_serialize, DESERIALFUNC = tqvec_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(tqvec) IS 'sum of the vectors, decompressed';
CREATE AGGREGATE avg(tqvec) (
    SFUNC = tqvec_accumulate, STYPE = internal, SSPACE = 16384, FINALFUNC = tqvec_avg,
    COMBINEFUNC = tqvec_combine, SERIALFUNC = tqvec_serialize, DESERIALFUNC = tqvec_deserialize, PARALLEL = SAFE
);
COMMENT ON AGGREGATE avg(tqvec) IS 'mean of the vectors, decompressed';

-- Training: an aggregate for each number of arguments, since an aggregate's can't have defaults.

CREATE FUNCTION tq_train_combine(internal, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'tq_train_combine_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tq_train_combine(internal, internal) IS 'aggregate combine function';
CREATE FUNCTION tq_train_serialize(internal) RETURNS bytea
    AS 'MODULE_PATHNAME', 'tq_train_serialize_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tq_train_serialize(internal) IS 'aggregate serial function';
CREATE FUNCTION tq_train_deserialize(bytea, internal) RETURNS internal
    AS 'MODULE_PATHNAME', 'tq_train_deserialize_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tq_train_deserialize(bytea, internal) IS 'aggregate deserial function';
CREATE FUNCTION tq_train_finish(internal) RETURNS real[]
    AS 'MODULE_PATHNAME', 'tq_train_finish_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tq_train_finish(internal) IS 'aggregate final function';

CREATE FUNCTION tq_train_accumulate(internal, real[], integer) RETURNS internal
    AS 'MODULE_PATHNAME', 'tq_train_accumulate_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_train_accumulate(internal, real[], integer) IS 'aggregate transition function';
CREATE AGGREGATE tq_train_codebook(v real[], bit_width integer) (
    SFUNC = tq_train_accumulate, STYPE = internal, SSPACE = 16777216, FINALFUNC = tq_train_finish,
    COMBINEFUNC = tq_train_combine, SERIALFUNC = tq_train_serialize, DESERIALFUNC = tq_train_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE tq_train_codebook(real[], integer) IS 'trains a codebook for tq_create_codec on a sample of the vectors';

CREATE FUNCTION tq_train_accumulate(internal, real[], integer, numeric) RETURNS internal
    AS 'MODULE_PATHNAME', 'tq_train_accumulate_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_train_accumulate(internal, real[], integer, numeric) IS 'aggregate transition function';
CREATE AGGREGATE tq_train_codebook(v real[], bit_width integer, seed numeric) (
    SFUNC = tq_train_accumulate, STYPE = internal, SSPACE = 16777216, FINALFUNC = tq_train_finish,
    COMBINEFUNC = tq_train_combine, SERIALFUNC = tq_train_serialize, DESERIALFUNC = tq_train_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE tq_train_codebook(real[], integer, numeric) IS 'trains a codebook for tq_create_codec on a sample of the vectors';

CREATE FUNCTION tq_train_accumulate(internal, real[], integer, numeric, text) RETURNS internal
    AS 'MODULE_PATHNAME', 'tq_train_accumulate_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_train_accumulate(internal, real[], integer, numeric, text) IS 'aggregate transition function';
CREATE AGGREGATE tq_train_codebook(v real[], bit_width integer, seed numeric, method text) (
    SFUNC = tq_train_accumulate, STYPE = internal, SSPACE = 16777216, FINALFUNC = tq_train_finish,
    COMBINEFUNC = tq_train_combine, SERIALFUNC = tq_train_serialize, DESERIALFUNC = tq_train_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE tq_train_codebook(real[], integer, numeric, text) IS 'trains a codebook for tq_create_codec on a sample of the vectors';

CREATE FUNCTION tq_train_accumulate(internal, real[], integer, numeric, text, integer) RETURNS internal
    AS 'MODULE_PATHNAME', 'tq_train_accumulate_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_train_accumulate(internal, real[], integer, numeric, text, integer) IS 'aggregate transition function';
CREATE AGGREGATE tq_train_codebook(v real[], bit_width integer, seed numeric, method text, sample integer) (
    SFUNC = tq_train_accumulate, STYPE = internal, SSPACE = 16777216, FINALFUNC = tq_train_finish,
    COMBINEFUNC = tq_train_combine, SERIALFUNC = tq_train_serialize, DESERIALFUNC = tq_train_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE tq_train_codebook(real[], integer, numeric, text, integer) IS 'trains a codebook for tq_create_codec on a sample of the vectors';

CREATE FUNCTION tq_train_accumulate(internal, real[], integer, numeric, text, integer, text) RETURNS internal
    AS 'MODULE_PATHNAME', 'tq_train_accumulate_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_train_accumulate(internal, real[], integer, numeric, text, integer, text) IS 'aggregate transition function';
CREATE AGGREGATE tq_train_codebook(v real[], bit_width integer, seed numeric, method text, sample integer, rotation text) (
    SFUNC = tq_train_accumulate, STYPE = internal, SSPACE = 16777216, FINALFUNC = tq_train_finish,
    COMBINEFUNC = tq_train_combine, SERIALFUNC = tq_train_serialize, DESERIALFUNC = tq_train_deserialize,
    PARALLEL = SAFE
);
COMMENT ON AGGREGATE tq_train_codebook(real[], integer, numeric, text, integer, text) IS 'trains a codebook for tq_create_codec on a sample of the vectors';

-- The advisor.

CREATE FUNCTION tq_evaluate(sample_query text, k integer DEFAULT 10, queries integer DEFAULT 100)
    RETURNS TABLE (
        bit_width integer, residual boolean, codebook text, bytes integer, ratio double precision,
        relative_squared_error double precision, correlation double precision, recall double precision
    )
    AS 'MODULE_PATHNAME', 'tq_evaluate_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 18 COST 1000000;
COMMENT ON FUNCTION tq_evaluate(text, integer, integer)
    IS 'what each codec would cost and keep, measured on the vectors that a query returns';

-- Corpora in their files. As with core's own functions on files, what they return may change from one call to the next
-- (VOLATILE); files.sql says who may call them.

CREATE FUNCTION tq_corpus_info(
    path text, OUT records bigint, OUT dimension integer, OUT bit_width integer, OUT residual boolean,
    OUT config_hash text, OUT codec text, OUT record_bytes integer, OUT metadata_bytes integer, OUT bytes bigint
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tq_corpus_info_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 1;
COMMENT ON FUNCTION tq_corpus_info(text) IS 'header of a TQCV corpus, a file of the server, and what its codec is called here';

CREATE FUNCTION tq_corpus_scan(path text, OUT ordinal bigint, OUT embedding tqvec) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tq_corpus_scan_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 1 ROWS 100000;
COMMENT ON FUNCTION tq_corpus_scan(text) IS 'records of a TQCV corpus, a file of the server, numbered from 1';

-- Starts threads of its own: several at once, in parallel workers, would be too many.
CREATE FUNCTION tq_corpus_search(
    path text, query real[], k integer, metric text DEFAULT 'cosine', OUT ordinal bigint, OUT distance double precision
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tq_corpus_search_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED COST 100000 ROWS 10;
COMMENT ON FUNCTION tq_corpus_search(text, real[], integer, text)
    IS 'the k records of a TQCV corpus, a file of the server, that are nearest to a query: l2, inner_product (negative), cosine or l1';

CREATE FUNCTION tq_corpus_verify(path text, OUT ordinal bigint, OUT byte_offset bigint, OUT fault text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tq_corpus_verify_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL SAFE COST 100000 ROWS 10;
COMMENT ON FUNCTION tq_corpus_verify(text) IS 'all faults of a TQCV corpus, a file of the server';

-- Who may call the functions that name files of the server. As COPY, a statement, they go by the roles pg_read_server_files and
-- pg_write_server_files, which they ask for before anything else, and name in the error; so everyone may call them, and a GRANT
-- of EXECUTE alone opens no file. The roles have EXECUTE of their own, so that whoever takes it from PUBLIC leaves it to those
-- who may use it, with no second GRANT to remember.

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

-- Casts between tqvec and pgvector's types: made by a call, or now if pgvector is there. Not while a dump is being
-- restored, which brings what the dumped database had: every dump turns row_security off, as hardly anyone else does.

CREATE FUNCTION tq_enable_pgvector() RETURNS void
    AS 'MODULE_PATHNAME', 'tq_enable_pgvector_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_enable_pgvector() IS 'creates the casts between tqvec and pgvector''s vector and halfvec';

SELECT tq_enable_pgvector() FROM pg_catalog.pg_extension
    WHERE extname OPERATOR(pg_catalog.=) 'vector'
      AND pg_catalog.current_setting('row_security') OPERATOR(pg_catalog.=) 'on';
