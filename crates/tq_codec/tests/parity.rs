//! Codes, residuals and decoded vectors against the reference implementation, run live on the same codebooks.
//!
//! The reference sums in another order, so a rotated value may differ in its last bit, and a code may differ
//! where that bit decides. Every test counts what it compared and what differed, and accepts a different code
//! only where the rotated value lies within 1e-6 of a decision boundary, relative to the gap of the entries.

mod common;

use half::f16;
use std::sync::Arc;
use tinyquant_core::codec as reference;
use tq_codec::{BUILTIN_SEED, Codebook, Codec, CodecConfig, Rotation, RotationKind};
use tq_format::{BitWidth, RecordView};

#[derive(Default, Debug)]
struct Counts {
    vectors: usize,
    codes: usize,
    different_codes: usize,
    boundary_cases: usize,
    residuals: usize,
    different_residuals: usize,
    decoded: usize,
    different_decoded: usize,
}

/// Which codebook both sides get.
#[derive(Clone, Copy)]
enum Book {
    /// Ours.
    LloydMax,
    /// As the reference trains them, on the rotated vectors: on sentence embeddings as they are it finds too
    /// few distinct values, because two of their dimensions are always zero.
    Quantiles,
}

/// f16 numbers in ascending order, so that neighbours differ by one.
fn ordinal(value: f16) -> i32 {
    let magnitude = i32::from(value.to_bits() & 0x7fff);
    if value.is_sign_negative() { -magnitude } else { magnitude }
}

fn near_boundary(entries: &[f32], value: f32) -> bool {
    entries.windows(2).any(|pair| {
        let (left, right) = (f64::from(pair[0]), f64::from(pair[1]));
        (f64::from(value) - 0.5 * (left + right)).abs() <= 1e-6 * (right - left)
    })
}

fn compare(rows: &[&[f32]], rotation: &Arc<Rotation>, width: BitWidth, residual: bool, book: Book) -> Counts {
    let dimension = rotation.dimension();
    let config = CodecConfig::new(width, rotation.seed(), dimension, residual, RotationKind::Haar).unwrap();
    let their_config =
        reference::CodecConfig::new(width.bits(), rotation.seed(), dimension, residual).unwrap();
    let entries = match book {
        Book::LloydMax => Codebook::lloyd_max(width, dimension).entries().to_vec(),
        Book::Quantiles => {
            let mut sample = vec![0.0; rows.len() * dimension as usize];
            for (row, rotated) in rows.iter().zip(sample.chunks_exact_mut(dimension as usize)) {
                rotation.apply(row, rotated);
            }
            reference::Codebook::train(&sample, &their_config).unwrap().entries().to_vec()
        }
    };
    let their_book = reference::Codebook::new(entries.clone().into(), width.bits()).unwrap();
    let theirs = reference::PreparedCodec::new(their_config, their_book).unwrap();
    let ours =
        Codec::new(config, Codebook::new(width, entries.clone()).unwrap(), Arc::clone(rotation)).unwrap();

    let mut counts = Counts::default();
    let mut bytes = Vec::new();
    let mut their_decoded = vec![0.0; dimension as usize];
    for row in rows {
        bytes.clear();
        ours.encode(row, &mut bytes).unwrap();
        let record = RecordView::parse(&bytes).unwrap();
        let their_record = reference::Codec::new().compress_prepared(row, &theirs).unwrap();
        assert_eq!(record.config_hash(), &**their_record.config_hash());

        let mut rotated = vec![0.0; row.len()];
        rotation.apply(row, &mut rotated);
        let our_codes: Vec<u8> = record.indices().collect();
        for (i, (a, b)) in our_codes.iter().zip(their_record.indices()).enumerate() {
            counts.codes += 1;
            if a != b {
                counts.different_codes += 1;
                assert!(near_boundary(&entries, rotated[i]), "code {a}, reference {b}, value {}", rotated[i]);
            }
            counts.boundary_cases += usize::from(near_boundary(&entries, rotated[i]));
        }
        let same_codes = our_codes == their_record.indices();

        assert_eq!(record.residual().is_some(), their_record.residual().is_some());
        if let (Some(a), Some(b)) = (record.residual(), their_record.residual()) {
            assert_eq!(a.len(), b.len());
            for (i, (a, b)) in a.as_chunks().0.iter().zip(b.as_chunks().0).enumerate() {
                let (a, b) = (f16::from_le_bytes(*a), f16::from_le_bytes(*b));
                if our_codes[i] == their_record.indices()[i] {
                    counts.residuals += 1;
                    counts.different_residuals += usize::from(a.to_bits() != b.to_bits());
                    assert!((ordinal(a) - ordinal(b)).abs() <= 1, "residuals {a} and {b}");
                }
            }
        }

        let decoded = ours.decode(&record).unwrap();
        reference::Codec::new().decompress_prepared_into(&their_record, &theirs, &mut their_decoded).unwrap();
        if same_codes {
            let scale = decoded.iter().fold(1e-3f32, |max, x| max.max(x.abs()));
            for (a, b) in decoded.iter().zip(&their_decoded) {
                counts.decoded += 1;
                counts.different_decoded += usize::from(a.to_bits() != b.to_bits());
                assert!((a - b).abs() <= 1e-5 * scale, "decoded {a}, reference {b}");
            }
        }
        counts.vectors += 1;
    }
    counts
}

fn report(name: &str, counts: &Counts) {
    eprintln!(
        "{name}: {} vectors, {} codes compared, {} differ ({} within 1e-6 of a boundary); \
         {} residuals, {} differ by one step; {} decoded values, {} differ in bits",
        counts.vectors,
        counts.codes,
        counts.different_codes,
        counts.boundary_cases,
        counts.residuals,
        counts.different_residuals,
        counts.decoded,
        counts.different_decoded
    );
    assert!(counts.codes > 0 && counts.residuals > 0 && counts.decoded > 0);
}

fn compare_all(name: &str, rows: &[&[f32]], seed: u64) {
    let rotation = Arc::new(Rotation::haar(seed, rows[0].len() as u32));
    let mut sum = Counts::default();
    for (width, residual, book) in [
        (BitWidth::Two, false, Book::LloydMax),
        (BitWidth::Four, false, Book::Quantiles),
        (BitWidth::Four, true, Book::LloydMax),
        (BitWidth::Eight, true, Book::Quantiles),
        (BitWidth::Eight, false, Book::LloydMax),
    ] {
        let counts = compare(rows, &rotation, width, residual, book);
        sum.vectors += counts.vectors;
        sum.codes += counts.codes;
        sum.different_codes += counts.different_codes;
        sum.boundary_cases += counts.boundary_cases;
        sum.residuals += counts.residuals;
        sum.different_residuals += counts.different_residuals;
        sum.decoded += counts.decoded;
        sum.different_decoded += counts.different_decoded;
    }
    report(name, &sum);
}

#[test]
fn random_vectors() {
    let mut random = common::Random(11);
    for (dimension, count, seed) in [(3, 2000, 0), (33, 1000, 7), (100, 1000, u64::MAX), (384, 500, 42)] {
        let vectors: Vec<Vec<f32>> = (0..count).map(|_| random.unit_vector(dimension)).collect();
        let rows: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
        compare_all(&format!("random, {dimension} dimensions"), &rows, seed);
    }
}

#[test]
fn vectors_of_any_length() {
    let mut random = common::Random(12);
    let vectors: Vec<Vec<f32>> = (0..300)
        .map(|i| random.vector(64).into_iter().map(|x| x * 10f32.powi(i % 7 - 3)).collect())
        .collect();
    let mut rows: Vec<&[f32]> = vectors.iter().map(Vec::as_slice).collect();
    let zero = [0.0; 64];
    rows.push(&zero);
    compare_all("any length, 64 dimensions", &rows, 1);
}

#[test]
fn sentence_embeddings() {
    let Some(path) = common::shared("data/debian-minilm/base.npy") else { return };
    let matrix = common::read_npy_f32(&path);
    let rows: Vec<&[f32]> = (0..1000).map(|i| matrix.row(i)).collect();
    compare_all("debian-minilm, 384 dimensions", &rows, BUILTIN_SEED);
}

#[test]
fn openai_embeddings() {
    let Some(path) = common::shared("data/openai335/embeddings.npy") else { return };
    let matrix = common::read_npy_f32(&path);
    let rows: Vec<&[f32]> = (0..matrix.rows).map(|i| matrix.row(i)).collect();
    let rotation = Arc::new(Rotation::haar(42, matrix.columns as u32));
    let mut counts = compare(&rows, &rotation, BitWidth::Four, true, Book::LloydMax);
    report("openai335, 1536 dimensions, 4 bit", &counts);
    counts = compare(&rows[..100], &rotation, BitWidth::Eight, true, Book::Quantiles);
    report("openai335, 1536 dimensions, 8 bit", &counts);
}
