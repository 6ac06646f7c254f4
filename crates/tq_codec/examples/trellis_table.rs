//! Finds the seeds of the fixed tables of trellis codes, and prints the tables: `trellis_table BITS SEEDS`.
//!
//! What it finds is a constant of `tq_codec::trellis`, and a test derives that from its seed anew.

#[path = "../tests/common/trellis_table.rs"]
mod trellis_table;

use tq_format::BitWidth;
use trellis_table::{derive, error_of, normals, schedule};

fn main() {
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|number| number.parse().ok()).collect();
    let [bits, seeds] = numbers[..] else { panic!("see the head of this file for its arguments") };
    let width = BitWidth::from_bits(bits as u32).expect("2 or 4");
    let schedule = schedule();
    let mut best = (f64::INFINITY, 0);
    for seed in 0..seeds {
        let (_, error) = derive(width, seed, &schedule[..1]);
        if error < best.0 {
            best = (error, seed);
            println!("seed {seed}: {error:.6}");
        }
    }
    let (half, _) = derive(width, best.1, &schedule);
    println!("seed {}: {:.6} of other values", best.1, error_of(width, &half, &normals(3, 4096)));
    for entry in half {
        println!("    {entry:?},");
    }
}
