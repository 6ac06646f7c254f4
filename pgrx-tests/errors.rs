//! Bad input fails with its SQLSTATE and words that name what is wrong.

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use super::super::support::{assert_fails, one, unit_vector};
    use pgrx::prelude::*;

    #[pg_test]
    fn malformed_text() {
        assert_fails(r"SELECT '\x0'::tqvec", "22P02", "odd number");
        assert_fails(r"SELECT '\xzz'::tqvec", "22P02", "not a digit");
        assert_fails("SELECT ''::tqvec", "22P02", "invalid input syntax");
        assert_fails("SELECT '[1,2'::tqvec", "22P02", "invalid input syntax");
        assert_fails("SELECT '[1,,2]'::tqvec", "22P02", "invalid input syntax");
        assert_fails("SELECT '[1,x]'::tqvec", "22P02", "invalid input syntax");
        assert_fails("SELECT '[]'::tqvec", "22000", "must not be empty");
        assert_fails("SELECT '[1e39]'::tqvec", "22003", "out of range");
        assert_fails("SELECT '[1,NaN]'::tqvec", "22000", "NaN");
        assert_fails("SELECT '[1,Infinity]'::tqvec", "22000", "inf");
    }

    #[pg_test]
    fn a_record_cut_anywhere() {
        for (bits, residual) in [(2, false), (4, true), (8, true)] {
            let text: String = one(&format!("SELECT tq_compress('{{0.6,0,0.8}}', {bits}, {residual})::text"));
            for end in (2..text.len()).step_by(2) {
                assert_fails(&format!("SELECT '{}'::tqvec", &text[..end]), "22P03", "truncated");
            }
            assert_fails(&format!("SELECT '{text}00'::tqvec"), "22P03", "");
        }
    }

    #[pg_test]
    fn damaged_records() {
        let text: String = one("SELECT tq_compress('{0.6,0,0.8}', 4, false)::text");
        let with = |offset: usize, hex: &str| {
            let at = 2 + 2 * offset;
            format!("SELECT '{}{hex}{}'::tqvec", &text[..at], &text[at + hex.len()..])
        };
        assert_fails(&with(0, "02"), "22P03", "version");
        assert_fails(&with(1, "ff"), "22P03", "UTF-8");
        assert_fails(&with(65, "00000000"), "22P03", "no dimensions");
        assert_fails(&with(65, "01400000"), "22P03", "16385");
        assert_fails(&with(69, "03"), "22P03", "bit width 3");
        assert_fails(&with(71, "f0"), "22P03", "padding");
        assert_fails(&with(72, "02"), "22P03", "residual flag");
        // The same bytes through the cast and through the binary protocol's RECEIVE go the same way.
        assert_fails("SELECT '\\x01'::bytea::tqvec", "22P03", "truncated");
    }

    #[pg_test]
    fn values_that_no_codec_takes() {
        assert_fails("SELECT tq_compress('{1,NaN}')", "22000", "NaN");
        assert_fails("SELECT tq_compress('{1,-Infinity}')", "22000", "inf");
        assert_fails("SELECT tq_compress('{0,0,0}')", "22000", "zero");
        assert_fails("SELECT tq_compress('{0,0,0}', 8, true)", "22000", "zero");
        assert_fails("SELECT tq_compress('{3,4}')", "22000", "norm 5");
        assert_fails("SELECT '{3,4}'::real[]::tqvec(2,4)", "22000", "norm 5");
        assert_fails("SELECT tq_compress('{1e30,1e30}', 8, true)", "22003", "half precision");
        assert_fails("SELECT '{1e300}'::double precision[]::tqvec", "22003", "out of range");
        assert_fails("SELECT tq_compress('{{1,0},{0,1}}')", "2202E", "one dimension");
        assert_fails("SELECT tq_compress('{1,NULL}')", "22004", "nulls");
        assert_fails("SELECT tq_compress('{}')", "22000", "empty");
        assert_fails("SELECT tq_compress('{1}', 3)", "22023", "2, 4 or 8");
        assert_fails("SELECT tq_compress('{1}', 4, false, 'sideways')", "22023", "sideways");
        assert_fails(
            "SELECT tq_compress(array_agg(1::real)) FROM generate_series(1, 16385)",
            "54000",
            "16385",
        );
        assert_fails("SELECT tq_normalize('{0,0}')", "22000", "zero");
        assert_fails("SELECT tq_normalize('{1,NaN}')", "22000", "NaN");
    }

    #[pg_test]
    fn typmods() {
        assert_fails("SELECT NULL::tqvec(0)", "22023", "between 1 and 16384");
        assert_fails("SELECT NULL::tqvec(16385)", "22023", "between 1 and 16384");
        assert_fails("SELECT NULL::tqvec(8, 3)", "22023", "2, 4 or 8");
        assert_fails("SELECT NULL::tqvec(8, 4, 2)", "22023", "too many");
        assert_fails("SELECT NULL::tqvec(residual)", "22023", "dimension is missing");
        assert_fails("SELECT NULL::tqvec(8, residual)", "22023", "bit width");
        assert_fails("SELECT NULL::tqvec(8, 4, residual, residual)", "22023", "twice");
        assert_fails("SELECT NULL::tqvec(8, 4, sideways)", "22023", "sideways");
        assert_fails("SELECT NULL::tqvec(8, 4, hadamard, haar)", "22023", "rotation is given twice");
        assert_fails(
            "SELECT tq_compress('{1,0}')::tqvec(2, 4, hadamard)",
            "22000",
            "expected the hadamard rotation",
        );
        assert_fails("SELECT '[1,0]'::tqvec(3)", "22000", "expected 3 dimensions, not 2");
        assert_fails("SELECT tq_compress('{1,0}', 2)::tqvec(2, 4)", "22000", "expected 4 bits");
        assert_fails(
            "SELECT tq_compress('{1,0}', 4, true)::tqvec(2, 4)",
            "22000",
            "without an FP16 residual",
        );
        assert_fails(
            "SELECT tq_compress('{1,0}', 4)::tqvec(2, 4, residual)",
            "22000",
            "with an FP16 residual",
        );
        assert_fails("SELECT tq_compress('{1,0}', 8)::tqvec(2, 4)", "22000", "expected 4 bits");
        assert_fails("SELECT '[3,4]'::tqvec(2, 4)", "22000", "not within 55 %");
        assert_fails("SELECT tq_compress('{1,0}', 4)::text::tqvec(3)", "22000", "expected 3 dimensions");
        assert_fails("SELECT tq_compress('{1,0}', 4)::bytea::tqvec(3)", "22000", "expected 3 dimensions");
    }

    #[pg_test]
    fn distances() {
        for operator in ["<->", "<#>", "<=>", "<+>"] {
            for (left, right) in [
                ("'[1,0]'::tqvec", "'[1,0,0]'::tqvec"),
                ("'[1,0]'::tqvec", "'{1,0,0}'::real[]"),
                ("'{1,0}'::real[]", "'[1,0,0]'::tqvec"),
            ] {
                assert_fails(
                    &format!("SELECT {left} {operator} {right}"),
                    "22000",
                    "different vector dimensions 2 and 3",
                );
            }
        }
        assert_fails("SELECT '[1,0]'::tqvec <-> '{1,NULL}'::real[]", "22004", "nulls");
        assert_fails("SELECT '[1,0]'::tqvec <-> '{1,NaN}'::real[]", "22000", "NaN");
    }

    #[pg_test]
    fn an_unknown_codec() {
        let record: String = one(&format!(
            "SELECT replace(v::text, encode(tq_config_hash(v)::bytea, 'hex'), repeat('61', 64)) \
             FROM (SELECT tq_compress(('{}'::tqvec)::real[]) AS v) s",
            unit_vector(1, 16)
        ));
        // It can be stored, compared for equality and shown …
        assert!(one::<bool>(&format!("SELECT '{record}'::tqvec = '{record}'::tqvec(16,4)")));
        assert_eq!(one::<i32>(&format!("SELECT tq_dimension('{record}')")), 16);
        // … but not decoded.
        let hash = "a".repeat(64);
        assert_fails(&format!("SELECT tq_decompress('{record}')"), "42704", &hash);
        assert_fails(&format!("SELECT '{record}'::tqvec <-> '{}'", unit_vector(2, 16)), "42704", &hash);
        assert_fails(&format!("SELECT tq_norm('{record}')"), "42704", &hash);
    }
}
