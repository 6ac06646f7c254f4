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
    relation regclass, source text, target text, batch integer DEFAULT 10000, codec text DEFAULT NULL,
    on_error text DEFAULT 'stop', reject_limit bigint DEFAULT NULL
)
    AS 'MODULE_PATHNAME', 'tq_compress_column_on_error_wrapper' LANGUAGE C;
COMMENT ON PROCEDURE tq_compress_column(regclass, text, text, integer, text, text, bigint)
    IS 'fills a tqvec column from a column of floats, in batches that are committed one by one';

-- A call of tq_compress_column is a COPY to core, with numbers of its own where core's COPY has none: see src/compress_column/progress.rs.
CREATE FUNCTION tq_compress_progress(
    OUT pid integer, OUT datname name, OUT relid oid, OUT source_column name, OUT target_column name, OUT rows_total bigint,
    OUT rows_done bigint, OUT rows_skipped bigint, OUT batches bigint, OUT started timestamp with time zone
) RETURNS SETOF record LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 10
BEGIN ATOMIC
    SELECT s.pid, d.datname, s.relid, v.attname, e.attname, s.param16, s.param3, s.param7, s.param17,
        pg_catalog.to_timestamp(946684800::double precision
            OPERATOR(pg_catalog.+) (s.param18::double precision OPERATOR(pg_catalog./) 1000000::double precision))
    FROM pg_catalog.pg_stat_get_progress_info('COPY') s
        JOIN pg_catalog.pg_database d ON d.oid OPERATOR(pg_catalog.=) s.datid
        LEFT JOIN pg_catalog.pg_attribute v ON d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
            AND v.attrelid OPERATOR(pg_catalog.=) s.relid AND v.attnum OPERATOR(pg_catalog.=) s.param14
        LEFT JOIN pg_catalog.pg_attribute e ON d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()
            AND e.attrelid OPERATOR(pg_catalog.=) s.relid AND e.attnum OPERATOR(pg_catalog.=) s.param15
    WHERE s.param20 OPERATOR(pg_catalog.=) 8390596910980099438;
END;
COMMENT ON FUNCTION tq_compress_progress()
    IS 'calls of tq_compress_column that run, and how far they have come; those of others for pg_read_all_stats';

CREATE FUNCTION tq_decompress(v tqvec) RETURNS real[]
    AS 'MODULE_PATHNAME', 'tq_decompress_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_decompress(tqvec) IS 'the vector that a record stands for';
CREATE CAST (tqvec AS real[]) WITH FUNCTION tq_decompress(tqvec);
COMMENT ON CAST (tqvec AS real[]) IS 'the vector that a record stands for';
CREATE FUNCTION tq_decompress_double(v tqvec) RETURNS double precision[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 RETURN tq_decompress(v)::double precision[];
COMMENT ON FUNCTION tq_decompress_double(tqvec) IS 'the vector that a record stands for, in double precision';
CREATE CAST (tqvec AS double precision[]) WITH FUNCTION tq_decompress_double(tqvec);
COMMENT ON CAST (tqvec AS double precision[]) IS 'the vector that a record stands for, in double precision';

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
    AS 'MODULE_PATHNAME', 'tq_l2_rr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
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
    AS 'MODULE_PATHNAME', 'tq_ip_rr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
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
    AS 'MODULE_PATHNAME', 'tq_nip_rr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
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
    AS 'MODULE_PATHNAME', 'tq_cosine_rr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20
    SUPPORT tq_distance_support;
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
    AS 'MODULE_PATHNAME', 'tq_l1_rr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000
    SUPPORT tq_distance_support;
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
    AS 'MODULE_PATHNAME', 'tq_evaluate_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 32 COST 1000000;
COMMENT ON FUNCTION tq_evaluate(text, integer, integer)
    IS 'what each codec would cost and keep, measured on the vectors that a query returns';

-- Runs the query with the caller's rights, read-only, and registers what it has trained.
CREATE FUNCTION tq_train_codec(
    name text, sample_query text, bit_width integer DEFAULT 4, residual boolean DEFAULT false,
    rotation text DEFAULT 'haar', centre boolean DEFAULT true, seed numeric DEFAULT 42,
    codes text DEFAULT 'scalar'
) RETURNS text
    AS 'MODULE_PATHNAME', 'tq_train_codec_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE COST 1000000;
COMMENT ON FUNCTION tq_train_codec(text, text, integer, boolean, text, boolean, numeric, text)
    IS 'trains a codec, its centre and its codebook, on the vectors of a query, registers it and returns its config_hash';

-- What the codec loses of the vectors of a query, beside what it lost of those that it was trained on.
CREATE FUNCTION tq_codec_fit(
    codec text, sample_query text, OUT vectors bigint, OUT squared_error double precision,
    OUT trained_squared_error double precision, OUT ratio double precision
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tq_codec_fit_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 1 COST 1000000;
COMMENT ON FUNCTION tq_codec_fit(text, text)
    IS 'how well a codec fits the vectors of a query, against those that it was trained on';
