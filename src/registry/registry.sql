-- Registered codecs. A record names its codec by hash alone, so a row is all that stands between a record and its
-- floats: rows are immutable, and dumped with the database.

CREATE FUNCTION tq_codec_check(
    name text, config_hash text, dimension integer, bit_width integer, seed numeric, residual boolean,
    rotation text, codebook real[], centre real[]
) RETURNS boolean
    AS 'MODULE_PATHNAME', 'tq_codec_check_centred_wrapper' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION tq_codec_check(text, text, integer, integer, numeric, boolean, text, real[], real[])
    IS 'checks that a row of tq_codec describes a codec and carries its hash';

-- A schema of its own, so that tools that compare `public` with what they know (Alembic, Django, drizzle-kit) don't find a table that
-- they would propose to drop. It is the extension's, and can't be dropped without it.
CREATE SCHEMA tq_catalog;
COMMENT ON SCHEMA tq_catalog IS 'what tinyquant keeps: the registered codecs';
GRANT USAGE ON SCHEMA tq_catalog TO PUBLIC;

CREATE TABLE tq_catalog.tq_codec (
    config_hash text PRIMARY KEY,
    name text NOT NULL UNIQUE,
    dimension integer NOT NULL,
    bit_width integer NOT NULL,
    seed numeric(20) NOT NULL,
    residual boolean NOT NULL,
    rotation text NOT NULL DEFAULT 'haar',
    codebook real[] NOT NULL,
    centre real[],
    squared_error double precision,
    CONSTRAINT tq_codec_valid
        CHECK (tq_codec_check(name, config_hash, dimension, bit_width, seed, residual, rotation, codebook, centre))
);
COMMENT ON TABLE tq_catalog.tq_codec IS 'registered codecs: what turns records of foreign or trained codecs back into vectors';
COMMENT ON COLUMN tq_catalog.tq_codec.config_hash IS 'hash of the configuration, as records carry it';
COMMENT ON COLUMN tq_catalog.tq_codec.name IS 'name for tq_compress(v, name)';
COMMENT ON COLUMN tq_catalog.tq_codec.dimension IS 'length of the vectors, 1 to 16384';
COMMENT ON COLUMN tq_catalog.tq_codec.bit_width IS 'bits a dimension: 2, 4 or 8';
COMMENT ON COLUMN tq_catalog.tq_codec.seed IS 'seed of the rotation, an unsigned 64-bit number';
COMMENT ON COLUMN tq_catalog.tq_codec.residual IS 'whether records carry an FP16 residual';
COMMENT ON COLUMN tq_catalog.tq_codec.rotation IS 'kind of rotation: haar or hadamard';
COMMENT ON COLUMN tq_catalog.tq_codec.codebook IS 'the 2^bit_width entries, ascending; of trellis codes the 256, by state';
COMMENT ON COLUMN tq_catalog.tq_codec.centre IS 'the vector that is taken off all others, if there is one';
COMMENT ON COLUMN tq_catalog.tq_codec.squared_error IS 'mean squared error of the vectors that tq_train_codec trained it on';
SELECT pg_catalog.pg_extension_config_dump('tq_catalog.tq_codec', '');
GRANT SELECT ON tq_catalog.tq_codec TO PUBLIC;
-- The extension is trusted: where the owner of a database creates it, the table belongs to the server's superuser all the same,
-- as the functions do, whose checks its triggers and constraint are.
GRANT INSERT, DELETE ON tq_catalog.tq_codec TO pg_database_owner WITH GRANT OPTION;

CREATE FUNCTION tq_codec_changed() RETURNS trigger
    AS 'MODULE_PATHNAME', 'tq_codec_changed_wrapper' LANGUAGE C;
COMMENT ON FUNCTION tq_codec_changed() IS 'refuses updates of tq_codec and tells all sessions of other changes';
-- A trigger of another table would announce changes of that one.
REVOKE EXECUTE ON FUNCTION tq_codec_changed() FROM PUBLIC;
CREATE TRIGGER tq_codec_immutable BEFORE UPDATE ON tq_catalog.tq_codec
    FOR EACH STATEMENT EXECUTE FUNCTION tq_codec_changed();
COMMENT ON TRIGGER tq_codec_immutable ON tq_catalog.tq_codec IS 'a codec is never changed, only dropped';
ALTER TABLE tq_catalog.tq_codec ENABLE ALWAYS TRIGGER tq_codec_immutable;
COMMENT ON CONSTRAINT tq_codec_valid ON tq_catalog.tq_codec IS 'a row describes a codec and carries its hash';
COMMENT ON CONSTRAINT tq_codec_pkey ON tq_catalog.tq_codec IS 'one codec for a hash';
COMMENT ON CONSTRAINT tq_codec_name_key ON tq_catalog.tq_codec IS 'one codec for a name';
-- Also where changes arrive by logical replication, which runs only such triggers as are always enabled, and for inserts and
-- deletes only those of rows.
CREATE TRIGGER tq_codec_announce AFTER INSERT OR DELETE ON tq_catalog.tq_codec
    FOR EACH ROW EXECUTE FUNCTION tq_codec_changed();
COMMENT ON TRIGGER tq_codec_announce ON tq_catalog.tq_codec IS 'makes all sessions forget codecs that they hold';
ALTER TABLE tq_catalog.tq_codec ENABLE ALWAYS TRIGGER tq_codec_announce;
CREATE TRIGGER tq_codec_announce_truncate AFTER TRUNCATE ON tq_catalog.tq_codec
    FOR EACH STATEMENT EXECUTE FUNCTION tq_codec_changed();
COMMENT ON TRIGGER tq_codec_announce_truncate ON tq_catalog.tq_codec IS 'makes all sessions forget codecs that they hold';
ALTER TABLE tq_catalog.tq_codec ENABLE ALWAYS TRIGGER tq_codec_announce_truncate;

CREATE FUNCTION tq_create_codec(
    name text, dimension integer, bit_width integer DEFAULT 4, residual boolean DEFAULT false,
    seed numeric DEFAULT 42, codebook real[] DEFAULT NULL, rotation text DEFAULT 'haar', centre real[] DEFAULT NULL,
    codes text DEFAULT 'scalar'
) RETURNS text
    AS 'MODULE_PATHNAME', 'tq_create_codec_centred_wrapper' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_create_codec(text, integer, integer, boolean, numeric, real[], text, real[], text)
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
