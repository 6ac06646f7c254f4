//! Datum, SEND, RECEIVE and the record that the codec makes are the same bytes.

use pgrx::prelude::*;

#[pg_schema]
mod tests {
    use super::super::support::{one, run, unit_values};
    use pgrx::prelude::*;
    use std::sync::Arc;
    use tq_codec::{BUILTIN_SEED, Codec, Rotation};
    use tq_format::BitWidth;

    fn record(width: BitWidth, residual: bool, dimension: u32) -> Vec<u8> {
        let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, dimension));
        let codec = Codec::builtin(dimension, width, residual, rotation).expect("codec");
        let mut record = Vec::new();
        codec.encode(&unit_values(7, dimension as usize), &mut record).expect("encode");
        record
    }

    #[pg_test]
    fn datum_send_and_codec_agree() {
        for (width, residual) in
            [(BitWidth::Two, false), (BitWidth::Four, false), (BitWidth::Eight, true), (BitWidth::Four, true)]
        {
            for dimension in [1u32, 7, 64, 384] {
                let expected = record(width, residual, dimension);
                let compressed: Vec<u8> = Spi::get_one_with_args(
                    "SELECT tqvec_send(tq_compress($1, $2, $3))",
                    &[
                        unit_values(7, dimension as usize).into(),
                        i32::from(width.bits()).into(),
                        residual.into(),
                    ],
                )
                .expect("query")
                .expect("a value");
                assert_eq!(compressed, expected, "{width:?} {residual} {dimension}");
                let stored: Vec<u8> =
                    Spi::get_one_with_args("SELECT ($1::bytea::tqvec)::bytea", &[expected.clone().into()])
                        .expect("query")
                        .expect("a value");
                assert_eq!(stored, expected);
            }
        }
    }

    #[pg_test]
    fn every_byte_survives_a_table() {
        run("CREATE TABLE stored (v tqvec)");
        run("ALTER TABLE stored ALTER v SET STORAGE external");
        // Short (one-byte header), inline and out of line in TOAST.
        for (width, residual, dimension) in
            [(BitWidth::Two, false, 8u32), (BitWidth::Four, false, 384), (BitWidth::Eight, true, 2000)]
        {
            let expected = record(width, residual, dimension);
            Spi::run_with_args("INSERT INTO stored VALUES ($1::bytea::tqvec)", &[expected.clone().into()])
                .expect("insert");
            let found: Vec<u8> =
                one(&format!("SELECT v::bytea FROM stored WHERE tq_dimension(v) = {dimension}"));
            assert_eq!(found, expected);
        }
        let toasted = "SELECT pg_relation_size(reltoastrelid) FROM pg_class WHERE relname = 'stored'";
        assert!(one::<i64>(toasted) > 0);
    }

    #[pg_test]
    fn accessors_see_the_record() {
        run("CREATE TABLE seen (v tqvec)");
        // Out of line, where a part of the value can be fetched.
        run("ALTER TABLE seen ALTER v SET STORAGE external");
        run("INSERT INTO seen SELECT tq_compress(array_agg(sin(i)::real / sqrt(1000)::real), 8, true) \
             FROM generate_series(1, 2000) i");
        assert_eq!(one::<i32>("SELECT tq_dimension(v) FROM seen"), 2000);
        assert_eq!(one::<i32>("SELECT tq_bit_width(v) FROM seen"), 8);
        assert!(one::<bool>("SELECT tq_has_residual(v) FROM seen"));
        assert_eq!(one::<i32>("SELECT array_length(tq_indices(v), 1) FROM seen"), 2000);
        let norm = one::<f64>("SELECT tq_norm(v) FROM seen");
        let exact =
            one::<f64>("SELECT sqrt(sum(pow(sin(i) / sqrt(1000), 2))) FROM generate_series(1, 2000) i");
        assert!((norm - exact).abs() < 1e-4, "{norm} {exact}");
    }
}
