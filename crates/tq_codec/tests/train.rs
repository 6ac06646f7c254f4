//! Trained codebooks: quantiles against the reference, Lloyd's against the built-in codebook.

mod common;

use common::Random;
use proptest::prelude::*;
use tinyquant_core::codec as reference;
use tq_codec::{BUILTIN_SEED, Codebook, CodecError, Rotation, train};
use tq_format::BitWidth;

/// Trained on a copy, since training sorts.
fn lloyd(values: &[f32], width: BitWidth) -> Result<Codebook, CodecError> {
    train::lloyd(&mut values.to_vec(), width, &mut || ())
}

fn quantile(values: &[f32], width: BitWidth) -> Result<Codebook, CodecError> {
    train::quantile(&mut values.to_vec(), width, &mut || ())
}

fn reference_quantile(values: &[f32], width: BitWidth) -> Option<Vec<f32>> {
    let config = reference::CodecConfig::new(width.bits(), 0, 1, false).unwrap();
    reference::Codebook::train(values, &config).ok().map(|codebook| codebook.entries().to_vec())
}

fn assert_equal_quantiles(values: &[f32], width: BitWidth) {
    match (quantile(values, width), reference_quantile(values, width)) {
        (Ok(ours), Some(theirs)) => {
            let bits = |entries: &[f32]| entries.iter().map(|entry| entry.to_bits()).collect::<Vec<_>>();
            assert_eq!(bits(ours.entries()), bits(&theirs), "{} values", values.len());
        }
        (Err(CodecError::TooFewDistinct { needed, got }), None) => {
            assert!(needed == width.levels() && got < needed);
        }
        (ours, theirs) => panic!("{ours:?}, reference {theirs:?}, of {values:?}"),
    }
}

#[test]
fn quantiles_equal_the_references() {
    let mut random = Random(31);
    for count in [0, 1, 3, 4, 5, 15, 16, 17, 100, 255, 256, 257, 1000, 4096, 100_000] {
        for scale in [1.0, 1e-3, 1e30] {
            let values: Vec<f32> = random.vector(count).iter().map(|x| x * scale).collect();
            for width in BitWidth::ALL {
                assert_equal_quantiles(&values, width);
            }
        }
    }
    // More than are sorted at once, and among them many that are equal.
    let values: Vec<f32> =
        random.vector((1 << 20) + 1).iter().map(|x| (x * 4096.0).round() / 4096.0).collect();
    assert_equal_quantiles(&values, BitWidth::Eight);
    if let Some(path) = common::shared("data/openai335/embeddings.npy") {
        for width in BitWidth::ALL {
            assert_equal_quantiles(&common::read_npy_f32(&path).values, width);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..Default::default() })]

    #[test]
    fn quantiles_of_few_distinct_values(
        pool in prop::collection::vec(1e-6f32..1e6, 1..40),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..200),
    ) {
        let values: Vec<f32> = picks.iter().map(|pick| *pick.get(&pool)).collect();
        for width in BitWidth::ALL {
            assert_equal_quantiles(&values, width);
        }
    }

    /// Whatever finite values come in, there is a valid codebook or the one reason why not.
    #[test]
    fn lloyd_takes_anything(
        bits in prop::collection::vec(any::<u32>(), 0..300),
        small in prop::collection::vec(0i32..40, 0..300),
    ) {
        let wild: Vec<f32> = bits.into_iter().map(f32::from_bits).filter(|x| x.is_finite()).collect();
        let small: Vec<f32> = small.into_iter().map(|x| x as f32 / 8.0).collect();
        for values in [wild, small] {
            let distinct = distinct(&values);
            for width in BitWidth::ALL {
                let enough = distinct.len() >= width.levels();
                match lloyd(&values, width) {
                    Ok(codebook) => prop_assert!(enough && codebook.bit_width() == width),
                    Err(error) => {
                        let (needed, got) = (width.levels(), distinct.len());
                        prop_assert!(!enough);
                        prop_assert_eq!(error, CodecError::TooFewDistinct { needed, got });
                    }
                }
            }
        }
    }

    /// Just enough distinct values become the codebook, however often each occurs.
    #[test]
    fn lloyd_of_just_enough_values(
        pool in prop::collection::btree_set(-5000i32..5000, 256),
        picks in prop::collection::vec(any::<prop::sample::Index>(), 0..500),
    ) {
        let pool: Vec<f32> = pool.into_iter().map(|x| x as f32 / 16.0).collect();
        for width in BitWidth::ALL {
            let expected = &pool[..width.levels()];
            let mut values = expected.to_vec();
            values.extend(picks.iter().map(|pick| *pick.get(expected)));
            let codebook = lloyd(&values, width).unwrap();
            for (entry, value) in codebook.entries().iter().zip(expected) {
                prop_assert!((entry - value).abs() <= 1e-3, "{} instead of {}", entry, value);
            }
        }
    }
}

fn distinct(values: &[f32]) -> Vec<f32> {
    let mut distinct = values.to_vec();
    distinct.sort_unstable_by(f32::total_cmp);
    distinct.dedup_by(|a, b| a == b);
    distinct
}

fn relative_error(codebook: &Codebook, values: &[f32]) -> f64 {
    let decoded: Vec<f32> =
        values.iter().map(|&y| codebook.entries()[usize::from(codebook.quantize(y))]).collect();
    common::relative_squared_error(values, &decoded)
}

/// Trained on a part and measured on all the rest, at any scale.
fn as_good_as_builtin(name: &str, rows: &[&[f32]]) {
    let d = rows[0].len();
    let rotation = Rotation::haar(BUILTIN_SEED, d as u32);
    let mut rotated = vec![0.0; rows.len() * d];
    for (row, rotated) in rows.iter().zip(rotated.chunks_exact_mut(d)) {
        rotation.apply(row, rotated);
    }
    // Every other row, so that both halves are of one kind.
    let half = |odd: usize| -> Vec<f32> {
        let rows = rotated.chunks_exact(d).skip(odd).step_by(2);
        rows.flatten().copied().collect()
    };
    let (sample, rest) = (half(0), half(1));
    for width in BitWidth::ALL {
        let builtin = relative_error(&Codebook::lloyd_max(width, d as u32), &rest);
        for scale in [1.0, 1e-3, 7.3, 1e4] {
            let scaled = |values: &[f32]| values.iter().map(|x| x * scale).collect::<Vec<f32>>();
            let codebook = lloyd(&scaled(&sample), width).unwrap();
            let trained = relative_error(&codebook, &scaled(&rest));
            let percent = 100.0 * (trained / builtin - 1.0);
            eprintln!("{name} times {scale}, {} bit: {trained:.4e}, {percent:+.2} %", width.bits());
            assert!(trained <= 1.02 * builtin, "{trained} against {builtin}");
        }
    }
}

#[test]
fn lloyd_is_as_good_as_builtin_on_random_vectors() {
    let mut random = Random(32);
    let vectors: Vec<Vec<f32>> = (0..2000).map(|_| random.unit_vector(384)).collect();
    as_good_as_builtin("random", &vectors.iter().map(Vec::as_slice).collect::<Vec<_>>());
}

#[test]
fn lloyd_is_as_good_as_builtin_on_real_vectors() {
    for part in ["data/debian-minilm/base.npy", "data/openai335/embeddings.npy"] {
        let Some(path) = common::shared(part) else { continue };
        let matrix = common::read_npy_f32(&path);
        let rows: Vec<&[f32]> = (0..matrix.rows.min(2000)).map(|i| matrix.row(i)).collect();
        as_good_as_builtin(part, &rows);
    }
}

/// No codebook of as many levels has less error on a uniform distribution than equal steps have, nor on two
/// points than one entry on each.
#[test]
fn lloyd_finds_known_optima() {
    let uniform: Vec<f32> = (0..160_000).map(|i| (i as f32 + 0.5) / 160_000.0).collect();
    let codebook = lloyd(&uniform, BitWidth::Four).unwrap();
    for (k, entry) in codebook.entries().iter().enumerate() {
        let optimum = (k as f32 + 0.5) / 16.0;
        assert!((entry - optimum).abs() < 1e-3, "entry {k} is {entry}, not {optimum}");
    }

    let few = [5.0, -1.0, 2.0, 2.0, 2.0, 100.0, 5.0];
    assert_eq!(lloyd(&few, BitWidth::Two).unwrap().entries(), [-1.0, 2.0, 5.0, 100.0]);
}

/// Lengths from 0.5 to 12: worse than unit vectors, far better than the built-in codebook scaled to their mean.
#[test]
fn lloyd_fits_mixed_lengths() {
    let mut random = Random(33);
    let values: Vec<f32> = (0..1000)
        .flat_map(|_| {
            let norm = 0.5 * 24f64.powf(random.uniform()) as f32;
            random.unit_vector(384).into_iter().map(move |x| x * norm)
        })
        .collect();
    let deviation = (values.iter().map(|x| x * x).sum::<f32>() / values.len() as f32).sqrt();
    for width in BitWidth::ALL {
        let normal = Codebook::lloyd_max(width, 1).entries().iter().map(|entry| entry * deviation).collect();
        let normal = relative_error(&Codebook::new(width, normal).unwrap(), &values);
        let trained = relative_error(&lloyd(&values, width).unwrap(), &values);
        let quantiles = relative_error(&quantile(&values, width).unwrap(), &values);
        let bits = width.bits();
        eprintln!(
            "mixed lengths, {bits} bit: normal {normal:.3e}, lloyd {trained:.3e}, quantile {quantiles:.3e}"
        );
        assert!(trained < 0.95 * normal && trained < 0.8 * quantiles);
    }
}

#[test]
fn refusals() {
    for train in [lloyd, quantile] {
        let error = |values: &[f32]| train(values, BitWidth::Two).unwrap_err();
        assert_eq!(error(&[]), CodecError::TooFewDistinct { needed: 4, got: 0 });
        assert_eq!(error(&[1.0; 50]), CodecError::TooFewDistinct { needed: 4, got: 1 });
        assert!(matches!(error(&[1.0, f32::NAN]), CodecError::NotFinite { index: 1, .. }));
        assert!(matches!(error(&[f32::INFINITY]), CodecError::NotFinite { index: 0, .. }));
    }
    let text = lloyd(&[1.0; 50], BitWidth::Two).unwrap_err().to_string();
    assert_eq!(text, "a codebook of 4 entries needs as many distinct values, not 1");
}

type Train = fn(&mut [f32], BitWidth, &mut dyn FnMut()) -> Result<Codebook, CodecError>;

/// Order doesn't matter, wherever the limits of a round come to lie; and whoever trains looks up often.
#[test]
fn training_polls_and_does_not_depend_on_the_order() {
    let round = 1 << 20;
    for count in [round - 1, round, round + 1, 3 * round + 17] {
        let values: Vec<f32> = Random(34).vector(count).iter().map(|x| x * 0.1).collect();
        for train in [train::lloyd as Train, train::quantile] {
            let mut polls = 0;
            let forwards = train(&mut values.clone(), BitWidth::Four, &mut || polls += 1).unwrap();
            // Values are checked, and each is sorted or moved.
            assert!(polls >= 2 * count / round, "{polls} polls for {count} values");
            let mut backwards: Vec<f32> = values.iter().rev().copied().collect();
            assert_eq!(forwards, train(&mut backwards, BitWidth::Four, &mut || ()).unwrap());
            assert!(backwards.is_sorted());
        }
    }
}

/// Wherever an interruption passes through, the values are all there, and training them again gives what it would have.
#[test]
fn interrupted_training_loses_no_value() {
    let values = Random(35).vector((1 << 20) + 5);
    for train in [train::lloyd as Train, train::quantile] {
        let mut polls = 0;
        let expected = train(&mut values.clone(), BitWidth::Two, &mut || polls += 1).unwrap();
        for stop in [0, 1, 2, 3, 5, polls / 2, polls - 1] {
            let mut copy = train::copy(&values, &mut || ()).unwrap();
            let mut left = stop;
            let mut poll = || {
                assert!(left > 0, "interrupted");
                left -= 1;
            };
            let interrupted = || train(&mut copy, BitWidth::Two, &mut poll);
            assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(interrupted)).is_err());
            assert_eq!(train(&mut copy, BitWidth::Two, &mut || ()).unwrap(), expected, "after {stop} polls");
        }
    }
}

#[test]
fn a_copy_is_made_in_rounds() {
    let values = Random(36).vector((2 << 20) + 5);
    let mut polls = 0;
    assert!(train::copy(&values, &mut || polls += 1).unwrap() == values);
    assert_eq!(polls, 3);
    assert_eq!(train::copy(&[], &mut || ()), Ok(vec![]));
    let text = CodecError::TrainingMemory { bytes: 4096 }.to_string();
    assert_eq!(text, "cannot allocate 4096 bytes to train a codebook");
}
