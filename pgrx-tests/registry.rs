//! Registered codecs: their hash, their rules, and that a change reaches what is cached.

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use super::super::support::{assert_fails, one, run};
    use pgrx::prelude::*;

    #[pg_test]
    fn the_hash_is_tinyquants() {
        // SHA-256 of CodecConfig(bit_width=4,seed=42,dimension=8,residual_enabled=False), by core's sha256.
        let hash: String = one("SELECT tq_create_codec('a', 8)");
        let expected: String = one(
            "SELECT encode(sha256('CodecConfig(bit_width=4,seed=42,dimension=8,residual_enabled=False)'), 'hex')",
        );
        assert_eq!(hash, expected);
        let built_in: String = one("SELECT tq_config_hash(tq_compress('{1,0,0,0,0,0,0,0}', 2, true))");
        let expected: String = one(
            "SELECT encode(sha256('CodecConfig(bit_width=2,seed=1414611798,dimension=8,residual_enabled=True)'), 'hex')",
        );
        assert_eq!(built_in, expected);
    }

    #[pg_test]
    fn a_registered_codec_takes_any_norm() {
        run("SELECT tq_create_codec('mine', 4, 2, false, 18446744073709551615, '{-30,-10,10,30}')");
        let decoded: Vec<f32> = one("SELECT tq_decompress(tq_compress('{20,-20,5,0}', 'mine'))");
        assert_eq!(decoded.len(), 4);
        let norm = decoded.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
        assert!((10.0..70.0).contains(&norm), "{norm}");
        let by_hash: bool =
            one("SELECT tq_compress('{20,-20,5,0}', 'mine') = tq_compress('{20,-20,5,0}', config_hash) \
             FROM tq_catalog.tq_codec WHERE name = 'mine'");
        assert!(by_hash);
    }

    #[pg_test]
    fn rules_of_the_table() {
        run("SELECT tq_create_codec('a', 8)");
        assert_fails("SELECT tq_create_codec('a', 8)", "42710", "already exists");
        assert_fails("SELECT tq_create_codec('a', 9)", "42710", "already exists");
        assert_fails("SELECT tq_create_codec('b', 8)", "42710", "already registered as \"a\"");
        assert_fails(
            "SELECT tq_create_codec('b', 8, 4, false, 42, (SELECT array_agg(i::real) FROM generate_series(1, 16) i))",
            "42710",
            "another codebook",
        );
        assert_fails("SELECT tq_create_codec('b', 8, 4, false, 1414611798)", "22023", "built-in");
        assert_fails(
            "SELECT tq_create_codec('b', 8, 4, false, 18446744073709551616)",
            "22003",
            "out of range",
        );
        assert_fails("SELECT tq_create_codec('b', 8, 4, false, -1)", "22003", "out of range");
        assert_fails("SELECT tq_create_codec('b', 8, 4, false, 1.5)", "22003", "out of range");
        assert_fails("SELECT tq_create_codec('b', 0)", "22000", "dimension");
        assert_fails("SELECT tq_create_codec('b', -8)", "22000", "dimension");
        assert_fails("SELECT tq_create_codec('b', 16385)", "54000", "16385");
        assert_fails("SELECT tq_create_codec('b', 8, 5)", "22023", "2, 4 or 8");
        assert_fails("SELECT tq_create_codec('b', 8, 2, false, 1, '{1,2,3}')", "22023", "entries");
        assert_fails("SELECT tq_create_codec('b', 8, 2, false, 1, '{1,2,2,3}')", "22023", "entry 3");
        assert_fails("SELECT tq_create_codec('b', 8, 2, false, 1, '{1,2,3,NaN}')", "22023", "finite");
        assert_fails("SELECT tq_create_codec('b', 8, rotation => 'no')", "22023", "no");
        assert_fails("SELECT tq_create_codec('', 8)", "22023", "empty");
        assert_fails("SELECT tq_create_codec(NULL, 8)", "22004", "name");
        assert_fails("SELECT tq_create_codec('b', NULL)", "22004", "dimension");
        assert_fails("UPDATE tq_catalog.tq_codec SET name = 'z'", "55000", "immutable");
        assert_fails(
            "INSERT INTO tq_catalog.tq_codec SELECT repeat('0', 64), 'z', dimension, bit_width, 7, residual, rotation, codebook \
             FROM tq_catalog.tq_codec",
            "22023",
            "is not the hash",
        );
        assert_fails("SELECT tq_compress('{1}', 'nobody')", "42704", "nobody");
        assert_fails("SELECT tq_drop_codec('nobody')", "42704", "nobody");
    }

    #[pg_test]
    fn dropping_and_creating_anew_is_seen() {
        run("SELECT tq_create_codec('c', 4, 2, false, 5, '{-3,-1,1,3}')");
        run("CREATE TABLE held AS SELECT tq_compress('{2,2,2,2}', 'c') AS v");
        let before: Vec<f32> = one("SELECT tq_decompress(v) FROM held");
        run("SELECT tq_drop_codec('c')");
        assert_fails("SELECT tq_decompress(v) FROM held", "42704", "not registered");
        // The same hash with a codebook twice as wide decodes to twice the vector.
        run("SELECT tq_create_codec('c', 4, 2, false, 5, '{-6,-2,2,6}')");
        let after: Vec<f32> = one("SELECT tq_decompress(v) FROM held");
        for (a, b) in before.iter().zip(&after) {
            assert!((2.0 * a - b).abs() < 1e-5, "{a} {b}");
        }
        run("DELETE FROM tq_catalog.tq_codec");
        assert_fails("SELECT tq_decompress(v) FROM held", "42704", "not registered");
    }

    #[pg_test]
    fn rights_are_the_tables() {
        run("CREATE ROLE reader");
        run("SELECT tq_create_codec('c', 4)");
        run("SET LOCAL ROLE reader");
        assert_eq!(one::<i32>("SELECT tq_dimension(tq_compress('{1,0,0,0}', 'c'))"), 4);
        assert_fails("SELECT tq_create_codec('d', 5)", "42501", "tq_codec");
        assert_fails("SELECT tq_drop_codec('c')", "42501", "tq_codec");
        run("RESET ROLE");
        run("GRANT INSERT ON tq_catalog.tq_codec TO reader");
        run("SET LOCAL ROLE reader");
        assert_eq!(one::<String>("SELECT tq_create_codec('d', 5)").len(), 64);
    }
}
