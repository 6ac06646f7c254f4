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
