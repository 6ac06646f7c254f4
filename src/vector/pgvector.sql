-- Casts, distances and functions beside pgvector's types: made by a call, or now if pgvector is there. Not while a dump is being
-- restored, which brings what the dumped database had: every dump turns row_security off, as hardly anyone else does.

CREATE FUNCTION tq_enable_pgvector() RETURNS void
    AS 'MODULE_PATHNAME', 'tq_enable_pgvector_wrapper' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION tq_enable_pgvector()
    IS 'creates what makes tqvec stand beside pgvector''s vector and halfvec: casts, distances, pgvector''s functions, and operator classes for indexes';

SELECT tq_enable_pgvector() FROM pg_catalog.pg_extension
    WHERE extname OPERATOR(pg_catalog.=) 'vector'
      AND pg_catalog.current_setting('row_security') OPERATOR(pg_catalog.=) 'on';
