//! How long a search over a corpus takes, next to reading the bytes of its mapping once.
//!
//! `cargo run --release -p tq_files --example search_speed [ROWS [DIMENSION [BITS]]]` writes a corpus of random codes
//! into a temporary folder and prints medians for one thread and for two.

use std::error::Error;
use std::fs;
use std::sync::Arc;
use std::time::Instant;

use tq_codec::{BUILTIN_SEED, Codec, Level, Metric, PreparedQuery, RotationKind, Workers, build_rotation};
use tq_files::{AtomicFile, Corpus};
use tq_format::{BitWidth, CorpusHeader, Magic, RecordBuilder};

const ROUNDS: usize = 15;

fn main() -> Result<(), Box<dyn Error>> {
    let argument = |i: usize, default: u64| std::env::args().nth(i).map_or(Ok(default), |text| text.parse());
    let (rows, dimension) = (argument(1, 100_000)?, argument(2, 1536)? as u32);
    let width = BitWidth::from_bits(argument(3, 4)? as u32).ok_or("the bits must be 2, 4 or 8")?;
    let rotation = build_rotation(RotationKind::Hadamard, BUILTIN_SEED, dimension)?;
    let codec = Arc::new(Codec::builtin(dimension, width, false, Arc::new(rotation))?);

    let folder = tempfile::TempDir::new()?;
    let path = folder.path().join("corpus.tqcv");
    write(&path, &codec, rows)?;
    let size = fs::metadata(&path)?.len();
    println!(
        "{rows} records of {dimension} dimensions at {} bits, {:.1} MB",
        width.bits(),
        size as f64 / 1e6
    );

    let vector: Vec<f32> = (0..dimension).map(|i| (i as f32).sin()).collect();
    let query = PreparedQuery::new(codec, &vector, Level::detect())?;
    for threads in [1, 2] {
        let workers = Workers::new(threads)?;
        // As a search does: opened, mapped and read once.
        let read = median(|| {
            let corpus = Corpus::open(&path)?;
            let guard = corpus.guard()?;
            let bytes = guard.bytes();
            let parts: Vec<&[u8]> = bytes.chunks(bytes.len().div_ceil(threads * 4)).collect();
            std::hint::black_box(workers.map(parts, digest)?);
            Ok(())
        })?;
        println!("threads: {threads}  reading:       {}", figures(read, size, rows));
        for metric in [Metric::Cosine, Metric::L2, Metric::InnerProduct] {
            let search = median(|| {
                let corpus = Corpus::open(&path)?;
                std::hint::black_box(corpus.search(&query, metric, 10, &workers, &mut || {})?);
                Ok(())
            })?;
            let name = format!("{metric:?}:");
            println!(
                "threads: {threads}  {name:<14} {}, {:.2} times",
                figures(search, size, rows),
                search / read
            );
        }
    }
    Ok(())
}

/// A corpus of random codes.
fn write(path: &std::path::Path, codec: &Codec, rows: u64) -> Result<(), Box<dyn Error>> {
    let (dimension, bit_width) = (codec.config().dimension(), codec.config().bit_width());
    let header = CorpusHeader {
        vector_count: rows,
        dimension,
        bit_width,
        residual: false,
        config_hash: codec.hash().to_string(),
        metadata: Vec::new(),
    };
    let record = RecordBuilder::new(codec.hash().as_bytes(), dimension, bit_width, false)?;
    let mut file = AtomicFile::create(path)?;
    file.append(&header.encode(Magic::Final)?)?;
    let (mut state, mut bytes) = (1u64, Vec::new());
    for _ in 0..rows {
        let random = |_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            ((state >> 40) % bit_width.levels() as u64) as u8
        };
        let indices: Vec<u8> = (0..dimension).map(random).collect();
        bytes.clear();
        record.write(&indices, None, &mut bytes)?;
        file.append(&(bytes.len() as u32).to_le_bytes())?;
        file.append(&bytes)?;
    }
    file.finish()?;
    Ok(())
}

/// Something that takes every byte and next to no time.
fn digest(bytes: &[u8]) -> [u64; 8] {
    let (lines, _) = bytes.as_chunks::<64>();
    lines.iter().fold([0; 8], |mut sum, line| {
        let (words, _) = line.as_chunks::<8>();
        for (sum, word) in sum.iter_mut().zip(words) {
            *sum ^= u64::from_le_bytes(*word);
        }
        sum
    })
}

fn figures(seconds: f64, size: u64, rows: u64) -> String {
    let (per_row, rate) = (seconds / rows as f64 * 1e9, size as f64 / seconds / 1e9);
    format!("{:7.2} ms, {per_row:5.0} ns a record, {rate:5.1} GB/s", seconds * 1e3)
}

/// Seconds that a round takes.
fn median(mut round: impl FnMut() -> Result<(), Box<dyn Error>>) -> Result<f64, Box<dyn Error>> {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let started = Instant::now();
        round()?;
        times.push(started.elapsed().as_secs_f64());
    }
    times.sort_by(f64::total_cmp);
    Ok(times[ROUNDS / 2])
}
