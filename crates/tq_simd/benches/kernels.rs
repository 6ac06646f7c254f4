//! Bytes of codes a second for each level, width and measure at 1536 dimensions, from an array that fits the second-level cache and
//! from one that fits no cache, beside a plain read of the same array in the same run.
//!
//! Rows of sign bits are measured beside them, in rows a second, from slots as pages of 8 KB hold them.
//!
//! `cargo bench -p tq_simd [-- FILTER]`, where benchmarks are named `memory/2 bit/avx512/dot+norm`, `cache/read` or
//! `signs 384/cache/avx512`. The
//! scalar definition is measured from cache alone: it is the same from memory.

mod support;

use criterion::{Criterion, Throughput};
use std::hint::black_box;
use std::time::Duration;
use support::{CACHE_BYTES, SIGNS, fill, over_slots, read, slots_a_page, uniform};
use tq_simd::{Level, ScanQuery, SignQuery, Width};

const DIMENSION: usize = 1536;
/// More than any cache; a multiple of the longest row.
const MEMORY_BYTES: usize = 160_000 * DIMENSION;

/// A kernel as a number from a row of codes.
type Measure = fn(&ScanQuery, &[u8]) -> f64;

const MEASURES: [(&str, Measure); 3] = [
    ("dot", |scan, row| scan.dot(row, None)),
    ("dot+norm", |scan, row| {
        let (dot, norm) = scan.dot_and_norm(row, None);
        dot + norm
    }),
    ("l2", |scan, row| scan.squared_l2(row, None)),
];

fn kernels(criterion: &mut Criterion) {
    let mut seed = 1;
    let mut memory = vec![0; MEMORY_BYTES];
    fill(&mut memory, &mut seed);
    let query: Vec<f32> = (0..DIMENSION).map(|_| uniform(&mut seed)).collect();
    let cache = &memory[..CACHE_BYTES / DIMENSION * DIMENSION];

    for (place, array) in [("cache", cache), ("memory", &memory[..])] {
        let mut group = criterion.benchmark_group(place);
        group.throughput(Throughput::Bytes(array.len() as u64));
        group.bench_function("read", |bencher| bencher.iter(|| over_rows(array, DIMENSION, read)));
        for width in Width::ALL {
            let levels = width.levels() as f32;
            let codebook: Vec<f32> =
                (0..width.levels()).map(|k| (k as f32 - levels / 2.0 + 0.5) / levels).collect();
            for level in Level::available().into_iter().rev() {
                if level == Level::Scalar && place == "memory" {
                    continue;
                }
                let scan = ScanQuery::new(level, width, &query, &codebook).unwrap();
                for (name, measure) in MEASURES {
                    let name = format!("{} bit/{}/{name}", width.bits(), level.name());
                    group.bench_function(name, |bencher| {
                        bencher
                            .iter(|| over_rows(array, width.packed_len(DIMENSION), |row| measure(&scan, row)))
                    });
                }
            }
        }
        group.finish();
    }
}

/// Rows of sign bits at the ends of slots.
fn signs(criterion: &mut Criterion) {
    let mut seed = 1;
    let mut memory = vec![0; 100 << 20];
    fill(&mut memory, &mut seed);
    for (dimension, stride) in SIGNS {
        let query: Vec<f32> = (0..dimension).map(|_| uniform(&mut seed)).collect();
        for (place, array) in [("cache", &memory[..CACHE_BYTES]), ("memory", &memory[..])] {
            let mut group = criterion.benchmark_group(format!("signs {dimension}/{place}"));
            group.throughput(Throughput::Elements((array.len() / stride) as u64));
            group.bench_function("read", |bencher| {
                bencher.iter(|| over_slots(array, stride, |slots| _ = black_box(read(slots))))
            });
            for level in Level::available().into_iter().rev() {
                if level == Level::Scalar && place == "memory" {
                    continue;
                }
                let scan = SignQuery::new(level, &query).unwrap();
                let mut sums = vec![0; slots_a_page(stride)];
                group.bench_function(level.name(), |bencher| {
                    bencher.iter(|| {
                        over_slots(array, stride, |slots| {
                            scan.sums(slots, stride, stride - scan.row_bytes(), &mut sums);
                            black_box(&mut sums);
                        })
                    })
                });
            }
            group.finish();
        }
    }
}

/// The sum of `f` over all rows of `bytes` bytes, which the compiler can't drop.
fn over_rows(array: &[u8], bytes: usize, f: impl Fn(&[u8]) -> f64) -> f64 {
    black_box(array).chunks_exact(bytes).map(f).sum()
}

fn main() {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(600))
        .without_plots()
        .configure_from_args();
    kernels(&mut criterion);
    signs(&mut criterion);
    criterion.final_summary();
}
