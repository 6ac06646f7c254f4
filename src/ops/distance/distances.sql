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
