-- Loading files without preloading the library: calling the function loads it, and with it the COPY hook.

CREATE FUNCTION tq_import(relation regclass, path text, options jsonb DEFAULT '{}') RETURNS bigint
    AS 'MODULE_PATHNAME', 'tq_import_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_import(regclass, text, jsonb)
    IS 'loads a corpus file of the server into a table, as COPY relation (column) FROM path (FORMAT tqcv) does';
