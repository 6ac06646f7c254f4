//! Compression and decompression, this crate and the reference in turn, in one run on one thread.
//!
//! ```text
//! cargo run --release -p tq_codec --example compress -- [threads | check [ROWS]]
//! ```
//! Prints vectors a second. With `threads` it compresses batches of 10,000 vectors on one thread and on two. With `check` it compares the codes of batches with those of rows rotated one by one in f64
//! instead, on ROWS rows (a million) of 384 dimensions and a tenth as many of 1536.

#[path = "../tests/common/mod.rs"]
mod common;

use std::sync::Arc;
use std::time::Instant;
use tinyquant_core::codec as reference;
use tq_codec::{BUILTIN_SEED, CodeKind, Codec, CodecConfig, Rotation, RotationKind, Workers, build_rotation};
use tq_format::{BitWidth, RecordView};

fn main() {
    let mut arguments = std::env::args().skip(1);
    match arguments.next().as_deref() {
        Some("check") => {
            let rows = arguments.next().map_or(1_000_000, |rows| rows.parse().expect("a number of rows"));
            check(384, rows);
            check(1536, rows / 10);
        }
        Some("threads") => {
            println!("dimension  bits  residual  rotation   1 thread  2 threads  ratio");
            for dimension in [1536, 384] {
                measure_threads(dimension);
            }
        }
        _ => {
            println!("dimension  bits  residual  rotation  what                     vectors/s");
            for dimension in [1536, 384] {
                measure(dimension);
            }
        }
    }
}

fn rows(random: &mut common::Random, count: usize, d: usize) -> Vec<f32> {
    (0..count).flat_map(|_| random.unit_vector(d)).collect()
}

/// The best of several runs, in vectors a second.
fn rate(count: usize, mut run: impl FnMut()) -> f64 {
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
    }
    count as f64 / best
}

fn measure(dimension: u32) {
    let d = dimension as usize;
    let rows = rows(&mut common::Random(1), 2048 * 1536 / d, d);
    let count = rows.len() / d;
    let haar = Arc::new(Rotation::haar(BUILTIN_SEED, dimension));
    let hadamard = Arc::new(Rotation::hadamard(BUILTIN_SEED, dimension));
    let line = |width: BitWidth, residual: bool, rotation: &str, what: &str, rate: f64| {
        println!(
            "{dimension:>9}  {:>4}  {residual:>8}  {rotation:<8}  {what:<23} {rate:>10.0}",
            width.bits()
        );
    };
    let scalar = BitWidth::ALL.map(|width| (width, false, CodeKind::Scalar));
    let residual = [(BitWidth::Eight, true, CodeKind::Scalar)];
    let trellis = [BitWidth::Two, BitWidth::Four].map(|width| (width, false, CodeKind::Trellis));
    for (width, residual, codes) in scalar.into_iter().chain(residual).chain(trellis) {
        for rotation in [&haar, &hadamard] {
            let config = CodecConfig::new(width, BUILTIN_SEED, dimension, residual, rotation.kind());
            let config = config.and_then(|config| config.with_codes(codes)).expect("in range");
            let codec = Codec::builtin_of(config, Arc::clone(rotation)).expect("in range");
            let kind = if codes == CodeKind::Trellis { ", trellis" } else { "" };
            let line = |what: &str, rate| {
                line(width, residual, rotation.kind().name(), &format!("{what}{kind}"), rate)
            };
            let mut bytes = Vec::new();
            line(
                "encode batch",
                rate(count, || {
                    bytes.clear();
                    codec.encode_batch(&rows, &mut bytes).expect("unit vectors");
                }),
            );
            let some = count / 8;
            let mut single = Vec::new();
            line(
                "encode",
                rate(some, || {
                    for row in rows.chunks_exact(d).take(some) {
                        single.clear();
                        codec.encode(row, &mut single).expect("unit vectors");
                    }
                }),
            );
            let records: Vec<RecordView<'_>> = bytes
                .chunks_exact(bytes.len() / count)
                .map(|bytes| RecordView::parse(bytes).expect("just made"))
                .collect();
            let mut decoded = Vec::new();
            line(
                "decode batch",
                rate(count, || {
                    decoded.clear();
                    codec.decode_batch(&records, &mut decoded).expect("just made");
                }),
            );
        }
        if codes == CodeKind::Trellis {
            continue;
        }
        measure_reference(dimension, width, residual, &rows, |what, rate| {
            line(width, residual, "haar", what, rate)
        });
    }
}

fn measure_threads(dimension: u32) {
    let d = dimension as usize;
    let rows = rows(&mut common::Random(1), 10_000, d);
    let workers = [1, 2].map(|threads| Workers::new(threads).expect("threads can be had"));
    for kind in [RotationKind::Haar, RotationKind::Hadamard] {
        let rotation =
            Arc::new(build_rotation(kind, BUILTIN_SEED, dimension).expect("of a dimension in range"));
        for (width, residual) in [(BitWidth::Four, false), (BitWidth::Eight, true)] {
            let codec = Codec::builtin(dimension, width, residual, Arc::clone(&rotation)).expect("in range");
            // In turn, so that whatever else the machine does concerns both.
            let mut best = [0.0f64; 2];
            for _ in 0..5 {
                for (workers, best) in workers.iter().zip(&mut best) {
                    let mut bytes = Vec::new();
                    let start = Instant::now();
                    codec.encode_batch_on(workers, &rows, &mut bytes, &mut || {}).expect("unit vectors");
                    *best = best.max(10_000.0 / start.elapsed().as_secs_f64());
                }
            }
            let [one, two] = best;
            println!(
                "{dimension:>9}  {:>4}  {residual:>8}  {:<8} {one:>10.0} {two:>10.0} {:>6.2}",
                width.bits(),
                kind.name(),
                two / one
            );
        }
    }
}

fn measure_reference(
    dimension: u32,
    width: BitWidth,
    residual: bool,
    rows: &[f32],
    line: impl Fn(&str, f64),
) {
    let d = dimension as usize;
    let config =
        reference::CodecConfig::new(width.bits(), BUILTIN_SEED, dimension, residual).expect("in range");
    let entries = tq_codec::Codebook::lloyd_max(width, dimension).entries().to_vec();
    let codebook = reference::Codebook::new(entries.into(), width.bits()).expect("ascending");
    let prepared = reference::PreparedCodec::new(config, codebook).expect("they belong together");
    let codec = reference::Codec::new();
    let count = 64 * 1536 / d;
    let mut records = Vec::new();
    line(
        "reference compress",
        rate(count, || {
            records.clear();
            for row in rows.chunks_exact(d).take(count) {
                records.push(codec.compress_prepared(row, &prepared).expect("of the dimension"));
            }
        }),
    );
    let mut decoded = vec![0.0; d];
    line(
        "reference decompress",
        rate(count, || {
            for record in &records {
                codec.decompress_prepared_into(record, &prepared, &mut decoded).expect("just made");
            }
        }),
    );
}

fn check(dimension: u32, count: usize) {
    let d = dimension as usize;
    let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, dimension));
    let codecs: Vec<Codec> =
        [(BitWidth::Two, false), (BitWidth::Four, false), (BitWidth::Eight, false), (BitWidth::Eight, true)]
            .into_iter()
            .map(|(width, residual)| {
                Codec::builtin(dimension, width, residual, Arc::clone(&rotation)).expect("in range")
            })
            .collect();
    let mut random = common::Random(2);
    let (mut codes, mut different, mut done) = (0usize, 0usize, 0);
    let mut rotated = vec![0.0; d];
    while done < count {
        let rows = rows(&mut random, 1000.min(count - done), d);
        let batches: Vec<Vec<u8>> = codecs
            .iter()
            .map(|codec| {
                let mut bytes = Vec::new();
                codec.encode_batch(&rows, &mut bytes).expect("unit vectors");
                bytes
            })
            .collect();
        let records = rows.len() / d;
        for (i, row) in rows.chunks_exact(d).enumerate() {
            rotation.apply(row, &mut rotated);
            for (codec, batch) in codecs.iter().zip(&batches) {
                let size = batch.len() / records;
                let record = RecordView::parse(&batch[i * size..][..size]).expect("just made");
                let codebook = codec.codebook();
                let halves = record.residual().unwrap_or_default().as_chunks::<2>().0;
                for (i, (&y, code)) in rotated.iter().zip(record.indices()).enumerate() {
                    let expected = codebook.quantize(y);
                    codes += 1;
                    different += usize::from(code != expected);
                    if let Some(half) = halves.get(i) {
                        let rest = half::f16::from_f32(y - codebook.entries()[usize::from(expected)]);
                        different += usize::from(rest.to_le_bytes() != *half);
                    }
                }
            }
        }
        done += records;
    }
    println!("{dimension} dimensions, {done} rows: {codes} codes compared, {different} differ");
    assert_eq!(different, 0);
}
