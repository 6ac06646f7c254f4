//! Recall on real sentence embeddings, by exhaustive search: of the built-in codec with scalar codes and with those of a trellis, and of both with
//! the mean of the rows for a centre.
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
use tq_codec::{BUILTIN_SEED, CodeKind, Codec, CodecConfig, Metric, PreparedQuery, Rotation, train};
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
    println!(
        "bits  codes            residual  cosine  inner product  ns/row (cosine)  encode vectors/s  squared error"
    );
    let mean = train::mean(&base.values, base.columns, &mut || {}).expect("there is memory");
    let mut codecs = Vec::new();
    for (width, residual) in
        BitWidth::ALL.map(|width| (width, false)).into_iter().chain([(BitWidth::Eight, true)])
    {
        for (codes, centred) in [
            (CodeKind::Scalar, false),
            (CodeKind::Trellis, false),
            (CodeKind::Scalar, true),
            (CodeKind::Trellis, true),
        ] {
            let config = CodecConfig::builtin(base.columns as u32, width, residual);
            let Ok(config) = config.and_then(|config| config.with_codes(codes)) else { continue };
            codecs.push((config, centred));
        }
    }
    for (config, centred) in codecs {
        let (width, residual) = (config.bit_width(), config.residual());
        let codec = codec(config, centred.then_some(&mean[..]), &base, &rotation);
        let kind = format!("{}{}", config.codes(), if centred { ", centred" } else { "" });
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
            "{:>4}  {kind:<15}  {residual:>8}  {cosine:.4}  {product:>13.4}  {ns:>15.0}  {encoded_a_second:>16.0}  {error:>13.3e}",
            width.bits()
        );
    }
}

/// A codec whose codebook fits what is left of the rows without the centre.
fn codec(
    config: CodecConfig,
    centre: Option<&[f32]>,
    base: &common::Matrix<f32>,
    rotation: &Arc<Rotation>,
) -> Arc<Codec> {
    let plain = || Codec::builtin_of(config, Arc::clone(rotation)).expect("the data's dimension is in range");
    let Some(centre) = centre else { return Arc::new(plain()) };
    let mut values = vec![0.0; 2000.min(base.rows) * base.columns];
    for (i, values) in values.chunks_exact_mut(base.columns).enumerate() {
        rotation.apply(base.row(i * (base.rows / 2000).max(1)), values);
    }
    train::subtract_centre(rotation, centre, &mut values, &mut || {}).expect("a centre");
    let codebook = match config.codes() {
        CodeKind::Scalar => train::lloyd(&mut values, config.bit_width(), &mut || {}),
        CodeKind::Trellis => train::scaled_trellis(&values, config.bit_width(), &mut || {}),
    };
    let codec = Codec::new(config, codebook.expect("values that differ"), Arc::clone(rotation));
    Arc::new(codec.and_then(|codec| codec.with_centre(centre, &mut || {})).expect("of one shape"))
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
