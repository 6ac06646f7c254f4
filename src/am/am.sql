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
