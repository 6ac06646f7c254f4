-- From 0.2.0 to 0.3.0: leaves what CREATE EXTENSION makes of 0.3.0, comments and rights included. tests/cluster/lifecycle.sh
-- compares the two. A section for each .sql file, with what it has got since.

-- src/registry/registry.sql --------------------------------------------------------------------------------------

-- The table moves, with its rows and with the rights that were granted, to where tools that compare `public` don't find it.
CREATE SCHEMA tq_catalog;
COMMENT ON SCHEMA tq_catalog IS 'what tinyquant keeps: the registered codecs';
GRANT USAGE ON SCHEMA tq_catalog TO PUBLIC;
ALTER TABLE tq_codec SET SCHEMA tq_catalog;
ALTER TABLE tq_catalog.tq_codec ADD COLUMN centre real[], ADD COLUMN squared_error double precision;
COMMENT ON COLUMN tq_catalog.tq_codec.codebook IS 'the 2^bit_width entries, ascending; of trellis codes the 256, by state';
COMMENT ON COLUMN tq_catalog.tq_codec.centre IS 'the vector that is taken off all others, if there is one';
COMMENT ON COLUMN tq_catalog.tq_codec.squared_error IS 'mean squared error of the vectors that tq_train_codec trained it on';
ALTER TABLE tq_catalog.tq_codec DROP CONSTRAINT tq_codec_valid;
DROP FUNCTION tq_codec_check(text, text, integer, integer, numeric, boolean, text, real[]);
CREATE FUNCTION tq_codec_check(
    name text, config_hash text, dimension integer, bit_width integer, seed numeric, residual boolean,
    rotation text, codebook real[], centre real[]
) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tq_codec_check_centred_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tq_codec_check(text, text, integer, integer, numeric, boolean, text, real[], real[])
    IS 'checks that a row of tq_codec describes a codec and carries its hash';
ALTER TABLE tq_catalog.tq_codec ADD CONSTRAINT tq_codec_valid
    CHECK (tq_codec_check(name, config_hash, dimension, bit_width, seed, residual, rotation, codebook, centre));
DROP FUNCTION tq_create_codec(text, integer, integer, boolean, numeric, real[], text);
CREATE FUNCTION tq_create_codec(
    name text, dimension integer, bit_width integer DEFAULT 4, residual boolean DEFAULT false,
    seed numeric DEFAULT 42, codebook real[] DEFAULT NULL, rotation text DEFAULT 'haar', centre real[] DEFAULT NULL,
    codes text DEFAULT 'scalar'
) RETURNS text
    AS 'MODULE_PATHNAME', 'tq_create_codec_centred_wrapper' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_create_codec(text, integer, integer, boolean, numeric, real[], text, real[], text)
    IS 'registers a codec and returns its config_hash';
COMMENT ON CONSTRAINT tq_codec_valid ON tq_catalog.tq_codec IS 'a row describes a codec and carries its hash';

-- src/vector/vector.sql ------------------------------------------------------------------------------------------

-- What it prints depends on tinyquant.output.
ALTER FUNCTION tqvec_out(tqvec) STABLE;
-- It may look a codec up.
ALTER FUNCTION tqvec_typmod_in(cstring[]) STABLE;
CREATE FUNCTION tqvec(numeric[], integer, boolean) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_from_floats_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tqvec(numeric[], integer, boolean) IS 'compresses numbers under a type modifier';
CREATE CAST (numeric[] AS tqvec) WITH FUNCTION tqvec(numeric[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (numeric[] AS tqvec) IS 'compresses under a type modifier';

CREATE FUNCTION tqvec(integer[], integer, boolean) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_from_floats_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tqvec(integer[], integer, boolean) IS 'compresses numbers under a type modifier';
CREATE CAST (integer[] AS tqvec) WITH FUNCTION tqvec(integer[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (integer[] AS tqvec) IS 'compresses under a type modifier';

CREATE FUNCTION tqvec(smallint[], integer, boolean) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_from_floats_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tqvec(smallint[], integer, boolean) IS 'compresses numbers under a type modifier';
CREATE CAST (smallint[] AS tqvec) WITH FUNCTION tqvec(smallint[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (smallint[] AS tqvec) IS 'compresses under a type modifier';

CREATE FUNCTION tqvec(bigint[], integer, boolean) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_from_floats_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tqvec(bigint[], integer, boolean) IS 'compresses numbers under a type modifier';
CREATE CAST (bigint[] AS tqvec) WITH FUNCTION tqvec(bigint[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (bigint[] AS tqvec) IS 'compresses under a type modifier';

-- src/ops/ops.sql ------------------------------------------------------------------------------------------------

DROP PROCEDURE tq_compress_column(regclass, text, text, integer, text);
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
CREATE FUNCTION tq_decompress_double(v tqvec) RETURNS double precision[]
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE COST 10000 RETURN tq_decompress(v)::double precision[];
COMMENT ON FUNCTION tq_decompress_double(tqvec) IS 'the vector that a record stands for, in double precision';
CREATE CAST (tqvec AS double precision[]) WITH FUNCTION tq_decompress_double(tqvec);
COMMENT ON CAST (tqvec AS double precision[]) IS 'the vector that a record stands for, in double precision';
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
ALTER FUNCTION tq_evaluate(text, integer, integer) ROWS 32;

ALTER FUNCTION tq_l2_distance(tqvec, tqvec) SUPPORT tq_distance_support;
ALTER FUNCTION tq_inner_product(tqvec, tqvec) SUPPORT tq_distance_support;
ALTER FUNCTION tq_negative_inner_product(tqvec, tqvec) SUPPORT tq_distance_support;
ALTER FUNCTION tq_cosine_distance(tqvec, tqvec) SUPPORT tq_distance_support;
ALTER FUNCTION tq_l1_distance(tqvec, tqvec) SUPPORT tq_distance_support;

-- src/ops/distance/distances.sql --------------------------------------------------------------------------------

-- Distances from arrays of other numbers, which clients send where they know no better: as those from real[], whose types
-- their elements are read as. Without all of them, an array of the ones that are missing would fit several.

CREATE FUNCTION tq_l2_distance(tqvec, double precision[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_l2_distance(tqvec, double precision[]) IS 'Euclidean distance';
CREATE FUNCTION tq_l2_distance(double precision[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_l2_distance(double precision[], tqvec) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = tqvec, RIGHTARG = double precision[], FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (tqvec, double precision[]) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = double precision[], RIGHTARG = tqvec, FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (double precision[], tqvec) IS 'Euclidean distance';
CREATE FUNCTION tq_l2_distance(tqvec, numeric[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_l2_distance(tqvec, numeric[]) IS 'Euclidean distance';
CREATE FUNCTION tq_l2_distance(numeric[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_l2_distance(numeric[], tqvec) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = tqvec, RIGHTARG = numeric[], FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (tqvec, numeric[]) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = numeric[], RIGHTARG = tqvec, FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (numeric[], tqvec) IS 'Euclidean distance';
CREATE FUNCTION tq_l2_distance(tqvec, integer[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_l2_distance(tqvec, integer[]) IS 'Euclidean distance';
CREATE FUNCTION tq_l2_distance(integer[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_l2_distance(integer[], tqvec) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = tqvec, RIGHTARG = integer[], FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (tqvec, integer[]) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = integer[], RIGHTARG = tqvec, FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (integer[], tqvec) IS 'Euclidean distance';
CREATE FUNCTION tq_l2_distance(tqvec, smallint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_l2_distance(tqvec, smallint[]) IS 'Euclidean distance';
CREATE FUNCTION tq_l2_distance(smallint[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_l2_distance(smallint[], tqvec) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = tqvec, RIGHTARG = smallint[], FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (tqvec, smallint[]) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = smallint[], RIGHTARG = tqvec, FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (smallint[], tqvec) IS 'Euclidean distance';
CREATE FUNCTION tq_l2_distance(tqvec, bigint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_l2_distance(tqvec, bigint[]) IS 'Euclidean distance';
CREATE FUNCTION tq_l2_distance(bigint[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l2_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_l2_distance(bigint[], tqvec) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = tqvec, RIGHTARG = bigint[], FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (tqvec, bigint[]) IS 'Euclidean distance';
CREATE OPERATOR <-> (LEFTARG = bigint[], RIGHTARG = tqvec, FUNCTION = tq_l2_distance, COMMUTATOR = <->);
COMMENT ON OPERATOR <-> (bigint[], tqvec) IS 'Euclidean distance';

CREATE FUNCTION tq_inner_product(tqvec, double precision[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_inner_product(tqvec, double precision[]) IS 'inner product';
CREATE FUNCTION tq_inner_product(double precision[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_inner_product(double precision[], tqvec) IS 'inner product';
CREATE FUNCTION tq_inner_product(tqvec, numeric[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_inner_product(tqvec, numeric[]) IS 'inner product';
CREATE FUNCTION tq_inner_product(numeric[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_inner_product(numeric[], tqvec) IS 'inner product';
CREATE FUNCTION tq_inner_product(tqvec, integer[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_inner_product(tqvec, integer[]) IS 'inner product';
CREATE FUNCTION tq_inner_product(integer[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_inner_product(integer[], tqvec) IS 'inner product';
CREATE FUNCTION tq_inner_product(tqvec, smallint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_inner_product(tqvec, smallint[]) IS 'inner product';
CREATE FUNCTION tq_inner_product(smallint[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_inner_product(smallint[], tqvec) IS 'inner product';
CREATE FUNCTION tq_inner_product(tqvec, bigint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_inner_product(tqvec, bigint[]) IS 'inner product';
CREATE FUNCTION tq_inner_product(bigint[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_ip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_inner_product(bigint[], tqvec) IS 'inner product';

CREATE FUNCTION tq_negative_inner_product(tqvec, double precision[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_negative_inner_product(tqvec, double precision[]) IS 'negative inner product';
CREATE FUNCTION tq_negative_inner_product(double precision[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_negative_inner_product(double precision[], tqvec) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = tqvec, RIGHTARG = double precision[], FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (tqvec, double precision[]) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = double precision[], RIGHTARG = tqvec, FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (double precision[], tqvec) IS 'negative inner product';
CREATE FUNCTION tq_negative_inner_product(tqvec, numeric[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_negative_inner_product(tqvec, numeric[]) IS 'negative inner product';
CREATE FUNCTION tq_negative_inner_product(numeric[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_negative_inner_product(numeric[], tqvec) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = tqvec, RIGHTARG = numeric[], FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (tqvec, numeric[]) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = numeric[], RIGHTARG = tqvec, FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (numeric[], tqvec) IS 'negative inner product';
CREATE FUNCTION tq_negative_inner_product(tqvec, integer[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_negative_inner_product(tqvec, integer[]) IS 'negative inner product';
CREATE FUNCTION tq_negative_inner_product(integer[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_negative_inner_product(integer[], tqvec) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = tqvec, RIGHTARG = integer[], FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (tqvec, integer[]) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = integer[], RIGHTARG = tqvec, FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (integer[], tqvec) IS 'negative inner product';
CREATE FUNCTION tq_negative_inner_product(tqvec, smallint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_negative_inner_product(tqvec, smallint[]) IS 'negative inner product';
CREATE FUNCTION tq_negative_inner_product(smallint[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_negative_inner_product(smallint[], tqvec) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = tqvec, RIGHTARG = smallint[], FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (tqvec, smallint[]) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = smallint[], RIGHTARG = tqvec, FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (smallint[], tqvec) IS 'negative inner product';
CREATE FUNCTION tq_negative_inner_product(tqvec, bigint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_negative_inner_product(tqvec, bigint[]) IS 'negative inner product';
CREATE FUNCTION tq_negative_inner_product(bigint[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_nip_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_negative_inner_product(bigint[], tqvec) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = tqvec, RIGHTARG = bigint[], FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (tqvec, bigint[]) IS 'negative inner product';
CREATE OPERATOR <#> (LEFTARG = bigint[], RIGHTARG = tqvec, FUNCTION = tq_negative_inner_product, COMMUTATOR = <#>);
COMMENT ON OPERATOR <#> (bigint[], tqvec) IS 'negative inner product';

CREATE FUNCTION tq_cosine_distance(tqvec, double precision[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_cosine_distance(tqvec, double precision[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE FUNCTION tq_cosine_distance(double precision[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_cosine_distance(double precision[], tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = tqvec, RIGHTARG = double precision[], FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (tqvec, double precision[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = double precision[], RIGHTARG = tqvec, FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (double precision[], tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE FUNCTION tq_cosine_distance(tqvec, numeric[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_cosine_distance(tqvec, numeric[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE FUNCTION tq_cosine_distance(numeric[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_cosine_distance(numeric[], tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = tqvec, RIGHTARG = numeric[], FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (tqvec, numeric[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = numeric[], RIGHTARG = tqvec, FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (numeric[], tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE FUNCTION tq_cosine_distance(tqvec, integer[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_cosine_distance(tqvec, integer[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE FUNCTION tq_cosine_distance(integer[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_cosine_distance(integer[], tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = tqvec, RIGHTARG = integer[], FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (tqvec, integer[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = integer[], RIGHTARG = tqvec, FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (integer[], tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE FUNCTION tq_cosine_distance(tqvec, smallint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_cosine_distance(tqvec, smallint[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE FUNCTION tq_cosine_distance(smallint[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_cosine_distance(smallint[], tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = tqvec, RIGHTARG = smallint[], FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (tqvec, smallint[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = smallint[], RIGHTARG = tqvec, FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (smallint[], tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE FUNCTION tq_cosine_distance(tqvec, bigint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_cosine_distance(tqvec, bigint[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE FUNCTION tq_cosine_distance(bigint[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_cosine_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 20;
COMMENT ON FUNCTION tq_cosine_distance(bigint[], tqvec) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = tqvec, RIGHTARG = bigint[], FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (tqvec, bigint[]) IS 'cosine distance: one minus the cosine of the angle';
CREATE OPERATOR <=> (LEFTARG = bigint[], RIGHTARG = tqvec, FUNCTION = tq_cosine_distance, COMMUTATOR = <=>);
COMMENT ON OPERATOR <=> (bigint[], tqvec) IS 'cosine distance: one minus the cosine of the angle';

CREATE FUNCTION tq_l1_distance(tqvec, double precision[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_l1_distance(tqvec, double precision[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE FUNCTION tq_l1_distance(double precision[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_l1_distance(double precision[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = tqvec, RIGHTARG = double precision[], FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (tqvec, double precision[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = double precision[], RIGHTARG = tqvec, FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (double precision[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE FUNCTION tq_l1_distance(tqvec, numeric[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_l1_distance(tqvec, numeric[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE FUNCTION tq_l1_distance(numeric[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_l1_distance(numeric[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = tqvec, RIGHTARG = numeric[], FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (tqvec, numeric[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = numeric[], RIGHTARG = tqvec, FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (numeric[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE FUNCTION tq_l1_distance(tqvec, integer[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_l1_distance(tqvec, integer[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE FUNCTION tq_l1_distance(integer[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_l1_distance(integer[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = tqvec, RIGHTARG = integer[], FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (tqvec, integer[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = integer[], RIGHTARG = tqvec, FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (integer[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE FUNCTION tq_l1_distance(tqvec, smallint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_l1_distance(tqvec, smallint[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE FUNCTION tq_l1_distance(smallint[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_l1_distance(smallint[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = tqvec, RIGHTARG = smallint[], FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (tqvec, smallint[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = smallint[], RIGHTARG = tqvec, FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (smallint[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE FUNCTION tq_l1_distance(tqvec, bigint[]) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_rf' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_l1_distance(tqvec, bigint[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE FUNCTION tq_l1_distance(bigint[], tqvec) RETURNS double precision
    AS 'MODULE_PATHNAME', 'tq_l1_fr' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE COST 10000;
COMMENT ON FUNCTION tq_l1_distance(bigint[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = tqvec, RIGHTARG = bigint[], FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (tqvec, bigint[]) IS 'taxicab distance; each record is rotated back, so it is slow';
CREATE OPERATOR <+> (LEFTARG = bigint[], RIGHTARG = tqvec, FUNCTION = tq_l1_distance, COMMUTATOR = <+>);
COMMENT ON OPERATOR <+> (bigint[], tqvec) IS 'taxicab distance; each record is rotated back, so it is slow';

-- src/am/am.sql -------------------------------------------------------------------------------------------------

-- The access method tinyquant: an index over a tqvec column, for ORDER BY distance.

CREATE FUNCTION tq_index_handler(internal) RETURNS index_am_handler
    AS 'MODULE_PATHNAME', 'tq_index_handler' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tq_index_handler(internal) IS 'tinyquant index access method handler';

CREATE ACCESS METHOD tinyquant TYPE INDEX HANDLER tq_index_handler;
COMMENT ON ACCESS METHOD tinyquant IS 'index of compressed vectors: nearest first';

CREATE OPERATOR CLASS tqvec_cosine_ops FOR TYPE tqvec USING tinyquant AS
    OPERATOR 1 <=> (tqvec, tqvec) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 1 <=> (tqvec, real[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 1 <=> (tqvec, double precision[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 1 <=> (tqvec, numeric[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 1 <=> (tqvec, integer[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 1 <=> (tqvec, smallint[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 1 <=> (tqvec, bigint[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS tqvec_cosine_ops USING tinyquant IS 'nearest first, by cosine distance';
COMMENT ON OPERATOR FAMILY tqvec_cosine_ops USING tinyquant IS 'nearest first, by cosine distance';
CREATE OPERATOR CLASS tqvec_l2_ops FOR TYPE tqvec USING tinyquant AS
    OPERATOR 2 <-> (tqvec, tqvec) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 2 <-> (tqvec, real[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 2 <-> (tqvec, double precision[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 2 <-> (tqvec, numeric[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 2 <-> (tqvec, integer[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 2 <-> (tqvec, smallint[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 2 <-> (tqvec, bigint[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS tqvec_l2_ops USING tinyquant IS 'nearest first, by Euclidean distance';
COMMENT ON OPERATOR FAMILY tqvec_l2_ops USING tinyquant IS 'nearest first, by Euclidean distance';
CREATE OPERATOR CLASS tqvec_ip_ops FOR TYPE tqvec USING tinyquant AS
    OPERATOR 3 <#> (tqvec, tqvec) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 3 <#> (tqvec, real[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 3 <#> (tqvec, double precision[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 3 <#> (tqvec, numeric[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 3 <#> (tqvec, integer[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 3 <#> (tqvec, smallint[]) FOR ORDER BY pg_catalog.float_ops,
    OPERATOR 3 <#> (tqvec, bigint[]) FOR ORDER BY pg_catalog.float_ops;
COMMENT ON OPERATOR CLASS tqvec_ip_ops USING tinyquant IS 'nearest first, by negative inner product';
COMMENT ON OPERATOR FAMILY tqvec_ip_ops USING tinyquant IS 'nearest first, by negative inner product';

CREATE FUNCTION tq_index_info(
    index regclass, OUT metric text, OUT lists integer, OUT dimension integer, OUT bit_width integer, OUT residual boolean,
    OUT codec text, OUT refine text, OUT rows bigint, OUT others bigint, OUT nulls bigint, OUT free_slots bigint, OUT old_slot_pages bigint,
    OUT centre integer, OUT bytes bigint, OUT probes integer, OUT imbalance double precision, OUT advice text
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tq_index_info_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 1 COST 10000;
COMMENT ON FUNCTION tq_index_info(regclass) IS 'what a tinyquant index holds';

CREATE FUNCTION tq_index_check(index regclass, heapallindexed boolean DEFAULT false, OUT block bigint, OUT fault text)
    RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tq_index_check_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 1 COST 100000;
COMMENT ON FUNCTION tq_index_check(regclass, boolean)
    IS 'all faults of a tinyquant index: its structure, every slot against its codes and, if asked for, every row of the table';

-- Measures every row for each query: a search by each of the index's ways.
CREATE FUNCTION tq_index_recall(
    index regclass, queries integer DEFAULT 100, k integer DEFAULT 10, OUT queries_asked integer, OUT recall double precision,
    OUT rows_measured double precision, OUT passes double precision
) RETURNS SETOF record
    AS 'MODULE_PATHNAME', 'tq_index_recall_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 1 COST 1000000;
COMMENT ON FUNCTION tq_index_recall(regclass, integer, integer)
    IS 'what searches of a tinyquant index find of the nearest of its own rows, and how many rows they measure';

-- src/vector/pgvector.sql ---------------------------------------------------------------------------------------

COMMENT ON FUNCTION tq_enable_pgvector()
    IS 'creates what makes tqvec stand beside pgvector''s vector and halfvec: casts, distances, pgvector''s functions, and operator classes for indexes';
-- What has come to stand beside pgvector's types since; not in a restore, which brings what the dumped database had.
SELECT tq_enable_pgvector() FROM pg_catalog.pg_extension
    WHERE extname OPERATOR(pg_catalog.=) 'vector'
      AND pg_catalog.current_setting('row_security') OPERATOR(pg_catalog.=) 'on';
