-- The type tqvec. Its datum is one TinyQuant Level-1 record, laid out like a bytea: whatever core's bytea functions
-- do on the bytes (send, compare, hash) they do for tqvec too.

CREATE TYPE tqvec;

CREATE FUNCTION tqvec_in(cstring, oid, integer) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_in_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_in(cstring, oid, integer) IS 'I/O';
-- What it prints depends on tinyquant.output.
CREATE FUNCTION tqvec_out(tqvec) RETURNS cstring
    AS 'MODULE_PATHNAME', 'tqvec_out_wrapper' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_out(tqvec) IS 'I/O';
CREATE FUNCTION tqvec_recv(internal, oid, integer) RETURNS tqvec
    AS 'MODULE_PATHNAME', 'tqvec_recv_wrapper' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_recv(internal, oid, integer) IS 'I/O';
CREATE FUNCTION tqvec_send(tqvec) RETURNS bytea
    AS 'byteasend' LANGUAGE internal IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION tqvec_send(tqvec) IS 'I/O';
CREATE FUNCTION tqvec_typmod_in(cstring[]) RETURNS integer
    AS 'MODULE_PATHNAME', 'tqvec_typmod_in_wrapper' LANGUAGE C STABLE STRICT PARALLEL SAFE;
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
