//! Nanoseconds a row for each level and width at 1536 dimensions, from an array that fits the second-level cache and from
//! one that doesn't fit any, next to a plain read of the same array in the same run; then of rows of sign bits. Quick;
//! `benches/kernels.rs` has statistics and bytes per second.
//!
//! `cargo run --release -p tq_simd --example kernels [dimension]`

#[path = "../benches/support/mod.rs"]
mod support;

use std::cell::RefCell;
use std::hint::black_box;
use std::time::Instant;
use support::{CACHE_BYTES, SIGNS, fill, over_slots, read, slots_a_page, uniform};
use tq_simd::{
    Level, ScanQuery, SignQuery, Trellis, TrellisRoom, Width, dequantize, dot_f32, rotate,
    rotate_query_polling, rotate_transposed_polling,
};

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
        "{:8} {:>4} {:>5} | {:>8} {:>8} {:>8} {:>8} {:>8} | {:>8} {:>8} {:>8} {:>8} {:>8}",
        "level",
        "bits",
        "bytes",
        "read",
        "dot",
        "dot+norm",
        "centred",
        "l2",
        "read",
        "dot",
        "dot+norm",
        "centred",
        "l2"
    );
    for level in Level::available().into_iter().rev() {
        for width in Width::ALL {
            let levels = width.levels() as f32;
            let codebook: Vec<f32> =
                (0..width.levels()).map(|k| (k as f32 - levels / 2.0 + 0.5) / levels).collect();
            let scan = ScanQuery::new(level, width, &query, &codebook).unwrap().with_centre(&query).unwrap();
            let bytes = width.packed_len(dimension);
            print!("{:8} {:>4} {bytes:>5}", level.name(), named(width));
            for (array, repeats) in [(&memory[..CACHE_BYTES], 7), (&memory[..], 3)] {
                let array = if level == Level::Scalar { &array[..CACHE_BYTES] } else { array };
                let passes = (64 << 20) / array.len() + 1;
                let passes = if level == Level::Scalar { 2 } else { passes };
                let time = |f: &dyn Fn(&[u8]) -> f64| ns_a_row(array, bytes, passes, repeats, f);
                print!(
                    " | {:8.1} {:8.1} {:8.1} {:8.1} {:8.1}",
                    time(&read),
                    time(&|row| scan.dot(row, None)),
                    time(&|row| {
                        let (dot, norm) = scan.dot_and_norm(row, None);
                        dot + norm
                    }),
                    time(&|row| {
                        let (dot, norm) = scan.dot_and_centred_norm(row, None);
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
                named(width),
                ns_a_row(&array, codes + 2 * dimension, passes, 7, &both),
                ns_a_row(&array, codes, passes, 7, &decode),
            );
        }
    }

    trellis(&mut seed);
    signs(&memory, &mut seed);

    println!(
        "\nmatrix {dimension} x {dimension}: rotate, with the matrix in f32, transposed in µs; dot of two f32 vectors in ns"
    );
    let matrix: Vec<f64> = (0..dimension * dimension).map(|_| f64::from(uniform(&mut seed))).collect();
    let rounded: Vec<f32> = matrix.iter().map(|&entry| entry as f32).collect();
    let mut out = vec![0.0; dimension];
    for level in Level::available().into_iter().rev() {
        let forth = best(20, || rotate(level, &matrix, &query, &mut out));
        let narrow = best(20, || rotate_query_polling(level, &rounded, &query, &mut out, &mut || {}));
        let back = best(20, || rotate_transposed_polling(level, &matrix, &query, &mut out, &mut || {}));
        let pair = best(20, || {
            for _ in 0..1000 {
                black_box(dot_f32(level, black_box(&query), black_box(&out)));
            }
        });
        print!("{:8} {:8.1} {:8.1} ", level.name(), forth / 1e3, narrow / 1e3);
        println!("{:8.1} {:8.1}", back / 1e3, pair / 1e3);
    }
}

/// The bits of a width, `t` behind those of a trellis.
fn named(width: Width) -> String {
    format!("{}{}", width.bits(), if width.is_trellis() { "t" } else { "" })
}

/// Paths of trellis codes: sixteen rows at a time, and one.
fn trellis(seed: &mut u64) {
    println!("\npaths of trellis codes, ns a coordinate of 384: rows in batches, and one at a time");
    let table: Vec<f32> = (0..256).map(|_| uniform(seed) + uniform(seed) + uniform(seed)).collect();
    let values: Vec<f32> = (0..384 * 64).map(|_| uniform(seed) + uniform(seed) + uniform(seed)).collect();
    for level in Level::available().into_iter().rev() {
        for width in [Width::TrellisTwo, Width::TrellisFour] {
            let trellis = Trellis::new(width, &table).unwrap();
            let (mut grid, mut codes) = (vec![0; values.len()], vec![0; values.len()]);
            trellis.round(level, &values, &mut grid);
            let mut room = TrellisRoom::default();
            let many = best(20, || trellis.encode(level, 384, &grid, &mut codes, &mut room).unwrap());
            let one = best(20, || {
                for (grid, codes) in grid.chunks(384).zip(codes.chunks_mut(384)) {
                    trellis.encode(level, 384, grid, codes, &mut room).unwrap();
                }
            });
            let a_coordinate = |ns: f64| ns / values.len() as f64;
            println!(
                "{:8} {:>4} {:8.1} {:8.1}",
                level.name(),
                named(width),
                a_coordinate(many),
                a_coordinate(one)
            );
        }
    }
}

/// Rows of sign bits, with the slots of a page in a call: the read and the levels take turns, so that all see the machine
/// alike.
fn signs(memory: &[u8], seed: &mut u64) {
    let levels: Vec<Level> = Level::available().into_iter().rev().collect();
    println!("\nsign bits, ns a row: best of 15 from cache, of 7 from memory (100 MiB)");
    print!("{:>9} {:>6} {:>6} | {:>8}", "dimension", "stride", "from", "read");
    levels.iter().for_each(|level| print!(" {:>8}", level.name()));
    println!();
    for (dimension, stride) in SIGNS {
        let query: Vec<f32> = (0..dimension).map(|_| uniform(seed)).collect();
        let scans: Vec<SignQuery> =
            levels.iter().map(|level| SignQuery::new(*level, &query).unwrap()).collect();
        for (place, bytes, repeats) in [("cache", CACHE_BYTES, 15), ("memory", 100 << 20, 7)] {
            let array = &memory[..bytes];
            let mut sums = vec![0; slots_a_page(stride)];
            let mut least = vec![f64::INFINITY; 1 + scans.len()];
            for _ in 0..repeats {
                let plain = || over_slots(array, stride, |slots| _ = black_box(read(slots)));
                least[0] = least[0].min(ns_a_slot(array, stride, plain));
                for (scan, least) in scans.iter().zip(&mut least[1..]) {
                    if scan.level() == Level::Scalar && place == "memory" {
                        continue;
                    }
                    let run = || {
                        over_slots(array, stride, |slots| {
                            scan.sums(slots, stride, stride - scan.row_bytes(), &mut sums);
                            black_box(&mut sums);
                        });
                    };
                    *least = least.min(ns_a_slot(array, stride, run));
                }
            }
            print!("{dimension:>9} {stride:>6} {place:>6} | {:8.2}", least[0]);
            least[1..].iter().filter(|ns| ns.is_finite()).for_each(|ns| print!(" {ns:8.2}"));
            println!();
        }
    }
}

/// The time of one run over all slots of the array, a slot; of a few, after a first, where the array fits the cache.
fn ns_a_slot(array: &[u8], stride: usize, mut run: impl FnMut()) -> f64 {
    let passes = ((4 << 20) / array.len()).max(1);
    let slots = array.len() / (slots_a_page(stride) * stride) * slots_a_page(stride);
    if passes > 1 {
        run();
    }
    let start = Instant::now();
    (0..passes).for_each(|_| run());
    start.elapsed().as_nanos() as f64 / (slots * passes) as f64
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
