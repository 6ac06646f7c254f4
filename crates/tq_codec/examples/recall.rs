//! Recall of the built-in codec on real sentence embeddings, by exhaustive search.
//!
//! ```text
//! cargo run --release -p tq_codec --example recall -- DIRECTORY
//! ```
//! DIRECTORY holds `base.npy`, `queries.npy` (float16 or float32, unit length) and `gt_inner_product.npy`
//! (int32, the exact nearest rows of each query). Without an argument, the reference data next to the
//! repository. Prints recall@10 for each bit width with cosine and inner product, and the time for a row.

#[path = "../tests/common/mod.rs"]
mod common;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;
use tq_codec::{BUILTIN_SEED, Codec, Metric, PreparedQuery, Rotation};
use tq_format::{BitWidth, RecordView};
use tq_simd::Level;

const K: usize = 10;

fn main() {
    let argument = std::env::args().nth(1).map(PathBuf::from);
    let Some(directory) = argument.or_else(|| common::shared("data/debian-minilm")) else { return };
    let base = common::read_npy_f32(&directory.join("base.npy"));
    let queries = common::read_npy_f32(&directory.join("queries.npy"));
    let truth = common::read_npy_i32(&directory.join("gt_inner_product.npy"));
    let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, base.columns as u32));
    println!("{} rows, {} queries, {} dimensions, recall@{K}", base.rows, queries.rows, base.columns);
    println!("bits  residual  cosine  inner product  ns/row (cosine)  encode vectors/s  squared error");
    for (width, residual) in
        BitWidth::ALL.map(|width| (width, false)).into_iter().chain([(BitWidth::Eight, true)])
    {
        let codec = Codec::builtin(base.columns as u32, width, residual, Arc::clone(&rotation));
        let codec = Arc::new(codec.expect("the data's dimension is in range"));
        let start = Instant::now();
        let mut bytes = Vec::new();
        for i in 0..base.rows {
            codec.encode(base.row(i), &mut bytes).expect("rows of unit length");
        }
        let encoded_a_second = base.rows as f64 / start.elapsed().as_secs_f64();
        let records: Vec<RecordView<'_>> = bytes
            .chunks_exact(bytes.len() / base.rows)
            .map(|bytes| RecordView::parse(bytes).expect("records just made"))
            .collect();
        let sample = 1000.min(base.rows);
        let errors = (0..sample).map(|i| {
            let decoded = codec.decode(&records[i]).expect("records just made");
            common::relative_squared_error(base.row(i), &decoded)
        });
        let error = errors.sum::<f64>() / sample as f64;

        let start = Instant::now();
        let cosine = recall(&codec, &records, &queries, &truth, Metric::Cosine);
        let ns = start.elapsed().as_nanos() as f64 / (queries.rows * base.rows) as f64;
        let product = recall(&codec, &records, &queries, &truth, Metric::InnerProduct);
        println!(
            "{:>4}  {residual:>8}  {cosine:.4}  {product:>13.4}  {ns:>15.0}  {encoded_a_second:>16.0}  {error:>13.3e}",
            width.bits()
        );
    }
}

/// The share of the exact nearest rows among the nearest by codes.
fn recall(
    codec: &Arc<Codec>,
    records: &[RecordView<'_>],
    queries: &common::Matrix<f32>,
    truth: &common::Matrix<i32>,
    metric: Metric,
) -> f64 {
    let sign = if metric == Metric::InnerProduct { -1.0 } else { 1.0 };
    let mut found = 0;
    for i in 0..queries.rows {
        let query = PreparedQuery::new(Arc::clone(codec), queries.row(i), Level::detect());
        let query = query.expect("queries of the data's dimension");
        let mut scored: Vec<(f64, usize)> =
            records.iter().map(|record| sign * query.distance(metric, record)).zip(0..).collect();
        scored.select_nth_unstable_by(K - 1, |a, b| a.0.total_cmp(&b.0));
        let nearest = &scored[..K];
        let exact = &truth.row(i)[..K];
        found += nearest.iter().filter(|(_, row)| exact.contains(&(*row as i32))).count();
    }
    found as f64 / (K * queries.rows) as f64
}
