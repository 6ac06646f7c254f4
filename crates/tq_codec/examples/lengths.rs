//! Recall of trained codecs on vectors that aren't of unit length, by exhaustive search.
//!
//! ```text
//! cargo run --release -p tq_codec --example lengths -- DIRECTORY
//! ```
//! DIRECTORY as for the example `recall`. Rows are taken as they are, times 7.3, and each by a random factor between 0.5 and
//! 12; queries are as long as rows on average. Codebooks are trained by Lloyd's iteration on a third of the rows, rotated;
//! the built-in codec stands beside them where it takes the vectors. Prints recall@10 against the exact neighbours of the
//! same vectors.

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::PathBuf;
use std::sync::Arc;
use tq_codec::{
    Codec, CodecConfig, Metric, PreparedQuery, Rotation, RotationKind, Workers, distance_f32, train,
};
use tq_format::{BitWidth, RecordView};
use tq_simd::Level;

const K: usize = 10;
const SEED: u64 = 42;
const METRICS: [(Metric, &str); 3] =
    [(Metric::L2, "L2"), (Metric::InnerProduct, "inner product"), (Metric::Cosine, "cosine")];

fn main() {
    let argument = std::env::args().nth(1).map(PathBuf::from);
    let Some(directory) = argument.or_else(|| common::shared("data/debian-minilm")) else { return };
    let base = common::read_npy_f32(&directory.join("base.npy"));
    let queries = common::read_npy_f32(&directory.join("queries.npy"));
    let d = base.columns;
    let mut random = common::Random(7);
    let mut scaled = |factor: &dyn Fn(f64) -> f32| -> Vec<f32> {
        let row = |i: usize| {
            let factor = factor(random.uniform());
            base.row(i).iter().map(move |x| x * factor).collect::<Vec<f32>>()
        };
        (0..base.rows).flat_map(row).collect()
    };
    println!("{} rows, {} queries, {d} dimensions, recall@{K}", base.rows, queries.rows);
    println!("norms      codebook  bits      L2  inner product  cosine");
    for (name, length, rows) in [
        ("1", 1.0, scaled(&|_| 1.0)),
        ("7.3", 7.3, scaled(&|_| 7.3)),
        ("0.5 to 12", 6.25, scaled(&|u| 0.5 + 11.5 * u as f32)),
    ] {
        let queries: Vec<Vec<f32>> =
            (0..queries.rows).map(|i| queries.row(i).iter().map(|x| x * length).collect()).collect();
        let exact = METRICS.map(|(metric, _)| exact(metric, &rows, &queries, d));
        let rotation = Arc::new(Rotation::haar(SEED, d as u32));
        let mut sample: Vec<f32> = rows.chunks_exact(d).step_by(3).flatten().copied().collect();
        let workers = Workers::new(Workers::available()).expect("threads can be had");
        rotation.apply_rows(&workers, &mut sample, &mut || {}).expect("nothing panics");
        let builtin = Arc::new(Rotation::haar(tq_codec::BUILTIN_SEED, d as u32));
        for width in BitWidth::ALL {
            let config = CodecConfig::new(width, SEED, d as u32, false, RotationKind::Haar);
            let codebook = train::lloyd(&mut sample, width, &mut || ()).expect("many different values");
            let trained = Codec::new(config.expect("in range"), codebook, Arc::clone(&rotation));
            let builtin = Codec::builtin(d as u32, width, false, Arc::clone(&builtin));
            let codecs = [("built-in", builtin), ("trained", trained)];
            for (codebook, codec) in codecs.map(|(name, codec)| (name, Arc::new(codec.expect("parts fit")))) {
                let mut bytes = Vec::new();
                if codec.encode_batch(&rows, &mut bytes).is_err() {
                    println!("{name:<9}  {codebook:<8}  {:>4}  refused", width.bits());
                    continue;
                }
                let records: Vec<RecordView<'_>> = bytes
                    .chunks_exact(bytes.len() / base.rows)
                    .map(|bytes| RecordView::parse(bytes).expect("just made"))
                    .collect();
                let recalls: Vec<f64> = METRICS
                    .iter()
                    .zip(&exact)
                    .map(|((metric, _), exact)| recall(&codec, *metric, &records, &queries, exact))
                    .collect();
                println!(
                    "{name:<9}  {codebook:<8}  {:>4}  {:.4}  {:>13.4}  {:.4}",
                    width.bits(),
                    recalls[0],
                    recalls[1],
                    recalls[2]
                );
            }
        }
    }
}

/// The rows nearest to a query, by scores of which less is better.
fn nearest(mut scored: Vec<(f64, usize)>) -> Vec<usize> {
    scored.select_nth_unstable_by(K - 1, |a, b| a.0.total_cmp(&b.0));
    scored[..K].iter().map(|(_, row)| *row).collect()
}

/// Inner products are distances only with the sign changed.
fn sign(metric: Metric) -> f64 {
    if metric == Metric::InnerProduct { -1.0 } else { 1.0 }
}

fn exact(metric: Metric, rows: &[f32], queries: &[Vec<f32>], d: usize) -> Vec<Vec<usize>> {
    let distances = |query: &Vec<f32>| {
        let distance = |row| sign(metric) * distance_f32(metric, query, row);
        nearest(rows.chunks_exact(d).map(distance).zip(0..).collect())
    };
    queries.iter().map(distances).collect()
}

fn recall(
    codec: &Arc<Codec>,
    metric: Metric,
    records: &[RecordView<'_>],
    queries: &[Vec<f32>],
    exact: &[Vec<usize>],
) -> f64 {
    let mut found = 0;
    for (query, exact) in queries.iter().zip(exact) {
        let query = PreparedQuery::new(Arc::clone(codec), query, Level::detect()).expect("of the dimension");
        let distances = records.iter().map(|record| sign(metric) * query.distance(metric, record));
        found += nearest(distances.zip(0..).collect()).iter().filter(|row| exact.contains(row)).count();
    }
    found as f64 / (K * queries.len()) as f64
}
