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
