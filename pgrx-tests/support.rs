//! What the tests share.

#![allow(unsafe_code)]

use pgrx::prelude::*;

/// Runs a query of one value.
pub(super) fn one<T: FromDatum + IntoDatum>(sql: &str) -> T {
    Spi::get_one(sql).expect("query").expect("a value")
}

/// Runs a statement without looking at its result.
pub(super) fn run(sql: &str) {
    Spi::run(sql).expect("statement");
}

/// The SQLSTATE and message with which a statement fails, or "00000 " if it doesn't.
pub(super) fn failure(sql: &str) -> String {
    run("CREATE OR REPLACE FUNCTION pg_temp.failure(statement text) RETURNS text LANGUAGE plpgsql AS $$ \
         BEGIN EXECUTE statement; RETURN '00000 '; \
         EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM; END $$");
    Spi::get_one_with_args("SELECT pg_temp.failure($1)", &[sql.into()]).expect("query").expect("a value")
}

/// Asserts that a statement fails with this SQLSTATE and a message that contains `words`.
pub(super) fn assert_fails(sql: &str, sqlstate: &str, words: &str) {
    let failure = failure(sql);
    assert!(failure.starts_with(sqlstate), "{sql}: expected {sqlstate}, got {failure}");
    assert!(failure.contains(words), "{sql}: expected \"{words}\" in {failure}");
}

/// A seeded unit vector as SQL text, `[0.1,…]`.
pub(super) fn unit_vector(seed: u64, dimension: usize) -> String {
    let values = unit_values(seed, dimension);
    let words: Vec<String> = values.iter().map(f32::to_string).collect();
    format!("[{}]", words.join(","))
}

/// A seeded unit vector, from a linear congruential generator: any spread of directions will do.
pub(super) fn unit_values(seed: u64, dimension: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(1);
    let mut values: Vec<f64> = (0..dimension)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as f64 / f64::from(1u32 << 31) - 0.5
        })
        .collect();
    let norm = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    values.iter_mut().for_each(|value| *value /= norm);
    values.into_iter().map(|value| value as f32).collect()
}
