//! Nanoseconds a row for each level and width at 1536 dimensions, from an array that fits the second-level cache and from one that doesn't
//! fit any, next to a plain read of the same array in the same run. Quick; `benches/kernels.rs` has statistics and bytes per second.
//!
//! `cargo run --release -p tq_simd --example kernels [dimension]`

#[path = "../benches/support/mod.rs"]
mod support;

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Instant;
use support::{CACHE_BYTES, fill, read, uniform};
use tq_simd::{Level, ScanQuery, Width, dequantize, dot_f32, rotate, rotate_transposed_polling};

const MEMORY_BYTES: usize = 200 << 20;

fn main() {
    let dimension = std::env::args().nth(1).and_then(|d| d.parse().ok()).unwrap_or(1536);
    let mut seed = 1u64;
    let mut memory = vec![0u8; MEMORY_BYTES];
    fill(&mut memory, &mut seed);
    let query: Vec<f32> = (0..dimension).map(|_| uniform(&mut seed)).collect();

    println!(
        "dimension {dimension}; ns a row: best of 7 from cache ({} KiB), of 3 from memory",
        CACHE_BYTES >> 10
    );
    println!(
        "{:8} {:>4} {:>5} | {:>8} {:>8} {:>8} {:>8} | {:>8} {:>8} {:>8} {:>8}",
        "level", "bits", "bytes", "read", "dot", "dot+norm", "l2", "read", "dot", "dot+norm", "l2"
    );
    for level in Level::available().into_iter().rev() {
        for width in Width::ALL {
            let levels = width.levels() as f32;
            let codebook: Vec<f32> =
                (0..width.levels()).map(|k| (k as f32 - levels / 2.0 + 0.5) / levels).collect();
            let scan = ScanQuery::new(level, width, &query, &codebook).unwrap();
            let bytes = width.packed_len(dimension);
            print!("{:8} {:>4} {bytes:>5}", level.name(), width.bits());
            for (array, repeats) in [(&memory[..CACHE_BYTES], 7), (&memory[..], 3)] {
                let array = if level == Level::Scalar { &array[..CACHE_BYTES] } else { array };
                let passes = (64 << 20) / array.len() + 1;
                let passes = if level == Level::Scalar { 2 } else { passes };
                let time = |f: &dyn Fn(&[u8]) -> f64| ns_a_row(array, bytes, passes, repeats, f);
                print!(
                    " | {:8.1} {:8.1} {:8.1} {:8.1}",
                    time(&read),
                    time(&|row| scan.dot(row, None)),
                    time(&|row| {
                        let (dot, norm) = scan.dot_and_norm(row, None);
                        dot + norm
                    }),
                    time(&|row| scan.squared_l2(row, None)),
                );
            }
            println!();
        }
    }

    println!("\nwith residual, from cache; decoding to floats, from cache");
    for level in Level::available().into_iter().rev() {
        for width in Width::ALL {
            let codebook: Vec<f32> = (0..width.levels()).map(|k| k as f32).collect();
            let scan = ScanQuery::new(level, width, &query, &codebook).unwrap();
            let codes = width.packed_len(dimension);
            // Residuals without the exponents of infinities.
            let array: Vec<u8> = memory[..CACHE_BYTES].iter().map(|byte| byte & 0x3b).collect();
            let passes = if level == Level::Scalar { 2 } else { 100 };
            let both = |row: &[u8]| {
                let (dot, norm) = scan.dot_and_norm(&row[..codes], Some(&row[codes..]));
                dot + norm
            };
            let out = RefCell::new(vec![0.0f32; dimension]);
            let decode = |row: &[u8]| {
                dequantize(level, width, row, None, &codebook, &mut out.borrow_mut());
                f64::from(black_box(&out).borrow()[dimension - 1])
            };
            println!(
                "{:8} {:>4}  dot+norm {:8.1}   dequantize {:8.1}",
                level.name(),
                width.bits(),
                ns_a_row(&array, codes + 2 * dimension, passes, 7, &both),
                ns_a_row(&array, codes, passes, 7, &decode),
            );
        }
    }

    println!(
        "\nmatrix {dimension} x {dimension}: rotate, rotate transposed in µs; dot of two f32 vectors in ns"
    );
    let matrix: Vec<f64> = (0..dimension * dimension).map(|_| f64::from(uniform(&mut seed))).collect();
    let mut out = vec![0.0; dimension];
    for level in Level::available().into_iter().rev() {
        let forth = best(20, || rotate(level, &matrix, &query, &mut out));
        let back = best(20, || rotate_transposed_polling(level, &matrix, &query, &mut out, &mut || {}));
        let pair = best(20, || {
            for _ in 0..1000 {
                black_box(dot_f32(level, black_box(&query), black_box(&out)));
            }
        });
        println!("{:8} {:8.1} {:8.1} {:8.1}", level.name(), forth / 1e3, back / 1e3, pair / 1e3);
    }
}

/// The least time of some runs over all rows of the array, a row.
fn ns_a_row(array: &[u8], bytes: usize, passes: usize, repeats: usize, f: &dyn Fn(&[u8]) -> f64) -> f64 {
    let rows = array.len() / bytes * passes;
    let run = || {
        let mut sum = 0.0;
        for _ in 0..passes {
            for row in array.chunks_exact(bytes) {
                sum += f(row);
            }
        }
        black_box(sum);
    };
    best(repeats, run) / rows as f64
}

fn best(repeats: usize, mut run: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..repeats {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_nanos() as f64);
    }
    best
}
