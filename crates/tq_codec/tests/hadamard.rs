//! The Hadamard rotation: as `docs/hadamard.md` says, orthogonal, and as good for quantisation as Haar's.

mod common;

use common::Random;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tq_codec::{BUILTIN_SEED, Codebook, Codec, CodecConfig, Rotation, RotationKind};
use tq_format::{BitWidth, RecordView};

#[test]
fn vectors_are_the_documents() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/hadamard.md");
    let text = fs::read_to_string(path).unwrap();
    let rows: Vec<&str> = text
        .lines()
        .filter(|line| {
            line.strip_prefix("| ").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        })
        .collect();
    assert_eq!(rows.len(), 13);
    for row in rows {
        let mut cells = row.split('|').map(str::trim).skip(1);
        let mut number = || cells.next().unwrap().parse::<u64>().unwrap();
        let (seed, dimension) = (number(), number() as u32);
        assert_eq!(common::hadamard_row(seed, dimension), row);
    }
}

fn apply(rotation: &Rotation, x: &[f32]) -> Vec<f32> {
    let mut y = vec![0.0; x.len()];
    rotation.apply(x, &mut y);
    y
}

fn inner(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

#[test]
fn orthogonal_at_every_dimension() {
    let powers = (1..=14).flat_map(|k| [(1 << k) - 1, 1 << k, (1 << k) + 1]);
    let others = [271, 384, 641, 768, 1000, 1536, 1543, 3071, 3072, 3073, 6143, 9973, 12288, 16381];
    let (mut worst, mut count) = (0f64, 0);
    for dimension in (1..=260).chain(powers).chain(others).filter(|d| *d <= 16384) {
        let mut random = Random(u64::from(dimension));
        let d = dimension as usize;
        let rotation = Rotation::hadamard(random.word(), dimension);
        assert_eq!((rotation.kind(), rotation.matrix()), (RotationKind::Hadamard, None));
        let mut one_hot = vec![0.0; d];
        one_hot[d - 1] = 1.0;
        let constant = tq_codec::normalize(&vec![1.0; d]).unwrap();
        let vectors = [random.unit_vector(d), random.unit_vector(d), one_hot, constant];
        let rotated = vectors.each_ref().map(|x| apply(&rotation, x));
        for (x, y) in vectors.iter().zip(&rotated) {
            for (other, other_rotated) in vectors.iter().zip(&rotated) {
                worst = worst.max((inner(y, other_rotated) - inner(x, other)).abs());
            }
            let mut back = vec![0.0; d];
            rotation.apply_inverse(y, &mut back);
            let error: f64 = x.iter().zip(&back).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>().sqrt();
            worst = worst.max(error);
        }
        assert!(worst < 1e-6, "{dimension} dimensions: {worst:e}");
        assert!(rotation.memory_bytes() < 200 + 24 * d);
        count += 1;
    }
    eprintln!("{count} dimensions, largest error of an inner product or of the inverse {worst:.1e}");
}

/// Relative squared error of a built-in codec over `rows`.
fn error(rotation: &Arc<Rotation>, width: BitWidth, rows: &[&[f32]]) -> f64 {
    let (dimension, seed) = (rotation.dimension(), rotation.seed());
    let config = CodecConfig::new(width, seed, dimension, false, rotation.kind()).unwrap();
    let codec = Codec::new(config, Codebook::lloyd_max(width, dimension), Arc::clone(rotation)).unwrap();
    let (mut bytes, mut decoded, mut sum) = (Vec::new(), vec![0.0; rows[0].len()], 0.0);
    for row in rows {
        bytes.clear();
        codec.encode(row, &mut bytes).unwrap();
        codec.decode_rotated(&RecordView::parse(&bytes).unwrap(), &mut decoded).unwrap();
        sum += common::relative_squared_error(&apply(rotation, row), &decoded);
    }
    sum / rows.len() as f64
}

fn as_good_as_haar(part: &str) {
    let Some(path) = common::shared(part) else { return };
    let matrix = common::read_npy_f32(&path);
    let rows: Vec<&[f32]> = (0..matrix.rows.min(400)).map(|i| matrix.row(i)).collect();
    let dimension = matrix.columns as u32;
    // The rows have much in common, so a few seeds tell more than many rows under one.
    let seeds = BUILTIN_SEED..BUILTIN_SEED + 5;
    let haars: Vec<_> = seeds.clone().map(|seed| Arc::new(Rotation::haar(seed, dimension))).collect();
    let hadamards: Vec<_> = seeds.map(|seed| Arc::new(Rotation::hadamard(seed, dimension))).collect();
    for width in BitWidth::ALL {
        let mean = |rotations: &[Arc<Rotation>]| {
            rotations.iter().map(|rotation| error(rotation, width, &rows)).sum::<f64>()
                / rotations.len() as f64
        };
        let (a, b) = (mean(&haars), mean(&hadamards));
        eprintln!(
            "{part}, {} bit: Haar {a:.4e}, Hadamard {b:.4e}, {:+.2} %",
            width.bits(),
            100.0 * (b / a - 1.0)
        );
        assert!(b <= 1.01 * a, "{part}, {} bit: {b} against {a}", width.bits());
    }
}

#[test]
fn as_good_as_haar_on_openai() {
    as_good_as_haar("data/openai335/embeddings.npy");
}

#[test]
fn as_good_as_haar_on_minilm() {
    as_good_as_haar("data/debian-minilm/base.npy");
}

/// Box and Muller's; the shared tests' sums of uniforms aren't normal enough for a comparison to 1 %.
fn exact_normal(random: &mut Random) -> f32 {
    let radius = (-2.0 * (1.0 - random.uniform()).ln()).sqrt();
    (radius * (std::f64::consts::TAU * random.uniform()).cos()) as f32
}

/// A Haar rotation sends any unit vector to a uniformly distributed one, so that is what the hardest inputs are held
/// against: many seeds of the one, many random vectors of the other.
#[test]
fn as_good_as_haar_on_one_hot_and_constant_vectors() {
    for dimension in [384u32, 513, 1536, 2047] {
        let d = dimension as usize;
        let mut random = Random(3);
        let count = 1_500_000 / d as u64;
        let mut uniform = Vec::new();
        for _ in 0..count {
            let vector: Vec<f32> = (0..d).map(|_| exact_normal(&mut random)).collect();
            uniform.push(tq_codec::normalize(&vector).unwrap());
        }
        let mut kinds = Vec::new();
        for at in [0, d / 3, d / 2, d - 1] {
            let mut one_hot = vec![0.0; d];
            one_hot[at] = 1.0;
            kinds.push((format!("one-hot at {at}"), one_hot));
        }
        kinds.push(("constant".to_owned(), tq_codec::normalize(&vec![1.0; d]).unwrap()));
        kinds.push(("two one-hot".to_owned(), {
            let mut pair = vec![0.0; d];
            (pair[0], pair[1]) = (0.6, -0.8);
            pair
        }));
        for width in [BitWidth::Two, BitWidth::Four] {
            let codebook = Codebook::lloyd_max(width, dimension);
            let error = |rotated: &[f32]| {
                let decoded: Vec<f32> =
                    rotated.iter().map(|&y| codebook.entries()[usize::from(codebook.quantize(y))]).collect();
                common::relative_squared_error(rotated, &decoded)
            };
            let haar = uniform.iter().map(|y| error(y)).sum::<f64>() / count as f64;
            for (name, x) in &kinds {
                let rotated = (0..count).map(|seed| apply(&Rotation::hadamard(seed, dimension), x));
                let hadamard = rotated.map(|y| error(&y)).sum::<f64>() / count as f64;
                let ratio = hadamard / haar;
                let bits = width.bits();
                eprintln!("{dimension} dimensions, {bits} bit, {name}: {:+.2} %", 100.0 * (ratio - 1.0));
                assert!(
                    (0.98..=1.01).contains(&ratio),
                    "{dimension} dimensions, {bits} bit, {name}: {hadamard} against {haar}"
                );
            }
        }
    }
}
