//! Bytes of codes a second for each level, width and measure at 1536 dimensions, from an array that fits the second-level cache and
//! from one that fits no cache, beside a plain read of the same array in the same run.
//!
//! Rows of sign bits are measured beside them, in rows a second, from slots as pages of 8 KB hold them.
//!
//! `cargo bench -p tq_simd [-- FILTER]`, where benchmarks are named `memory/2 bit/avx512/dot+norm`, `cache/read` or
//! `signs 384/cache/avx512`. The scalar definition is measured from cache alone: it is the same from memory.
//! `floats/avx512/hadamard` and the like are what compression and decoded vectors take.

mod support;

use criterion::{Criterion, Throughput};
use std::hint::black_box;
use std::time::Duration;
use support::{CACHE_BYTES, SIGNS, fill, over_slots, read, slots_a_page, uniform};
use tq_simd::{
    Level, ScanQuery, SignQuery, Width, dot_and_norms_f32, dot_f32, hadamard, hadamard_signs, quantize,
    rotate, rotate_f32_polling, rotate_query_polling, rotate_transposed_polling,
};

const DIMENSION: usize = 1536;
/// More than any cache; a multiple of the longest row.
const MEMORY_BYTES: usize = 160_000 * DIMENSION;

/// A kernel as a number from a row of codes.
type Measure = fn(&ScanQuery, &[u8]) -> f64;

const MEASURES: [(&str, Measure); 4] = [
    ("dot", |scan, row| scan.dot(row, None)),
    ("dot+norm", |scan, row| {
        let (dot, norm) = scan.dot_and_norm(row, None);
        dot + norm
    }),
    ("dot+centred norm", |scan, row| {
        let (dot, norm) = scan.dot_and_centred_norm(row, None);
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
                let scan = scan.with_centre(&query).unwrap();
                for (name, measure) in MEASURES {
                    let kind = if width.is_trellis() { " trellis" } else { "" };
                    let name = format!("{} bit{kind}/{}/{name}", width.bits(), level.name());
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

/// What compression and decoded vectors take, from cache.
fn floats(criterion: &mut Criterion) {
    let mut seed = 2;
    let mut random = |count: usize| -> Vec<f32> { (0..count).map(|_| uniform(&mut seed)).collect() };
    let (a, b, matrix) = (random(DIMENSION), random(DIMENSION), random(64 * DIMENSION));
    let wide: Vec<f64> = matrix.iter().map(|value| f64::from(*value)).collect();
    let signs = vec![0; hadamard_signs(DIMENSION)];
    let (mut x, mut few, mut codes) = (a.clone(), vec![0.0; 64], vec![0; DIMENSION]);
    let mut group = criterion.benchmark_group("floats");
    for level in Level::available().into_iter().rev() {
        let mut bench = |name: &str, run: &mut dyn FnMut()| {
            group.bench_function(format!("{}/{name}", level.name()), |bencher| bencher.iter(&mut *run));
        };
        bench("dot", &mut || _ = black_box(dot_f32(level, black_box(&a), &b)));
        bench("dot+norms", &mut || _ = black_box(dot_and_norms_f32(level, black_box(&a), &b)));
        bench("64 rows of f64", &mut || rotate(level, black_box(&wide), &a, &mut few));
        bench("64 rows of f32, summed in f64", &mut || {
            rotate_query_polling(level, black_box(&matrix), &a, &mut few, &mut || {});
        });
        bench("64 rows of f64, transposed", &mut || {
            rotate_transposed_polling(level, black_box(&wide), &b[..64], &mut x, &mut || {});
        });
        bench("64 rows of f32", &mut || {
            rotate_f32_polling(level, black_box(&matrix), &a, &mut few, &mut || {});
        });
        x.copy_from_slice(&a);
        bench("hadamard", &mut || hadamard(level, black_box(&signs), &mut x));
        for levels in [4, 16, 256] {
            let thresholds: Vec<f32> = (1..levels).map(|i| 2.0 * i as f32 / levels as f32 - 1.0).collect();
            bench(&format!("codes of {levels}"), &mut || {
                quantize(level, &thresholds, black_box(&a), &mut codes);
            });
        }
    }
    group.finish();
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
    floats(&mut criterion);
    signs(&mut criterion);
    criterion.final_summary();
}
