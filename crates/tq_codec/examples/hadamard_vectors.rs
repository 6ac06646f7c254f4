//! Prints the rows of the table of test vectors in `docs/hadamard.md`.
//!
//! ```text
//! cargo run -p tq_codec --example hadamard_vectors
//! ```

#[path = "../tests/common/mod.rs"]
mod common;

fn main() {
    for (seed, dimension) in [
        (0, 1),
        (1, 2),
        (42, 3),
        (42, 8),
        (7, 16),
        (42, 100),
        (1_414_611_798, 384),
        (1_414_611_798, 768),
        (42, 1000),
        (1_414_611_798, 1536),
        (u64::MAX, 2047),
        (42, 3072),
        (42, 16384),
    ] {
        println!("{}", common::hadamard_row(seed, dimension));
    }
}
