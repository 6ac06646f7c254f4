//! Distances from a prepared query to records against distances between the decoded vectors.

mod common;

use std::sync::Arc;
use tq_codec::{
    BUILTIN_SEED, CodeKind, Codebook, Codec, CodecConfig, CodecError, Metric, PreparedQuery, Rotation,
    RotationKind, distance_f32,
};
use tq_format::{BitWidth, RecordBuilder, RecordView};
use tq_simd::Level;

const METRICS: [Metric; 4] = [Metric::L2, Metric::InnerProduct, Metric::Cosine, Metric::L1];

fn check_close(metric: Metric, got: f64, expected: f64, scale: f64, what: &str) {
    let scale = if metric == Metric::Cosine { 1.0 } else { scale };
    assert!((got - expected).abs() <= 1e-5 * scale, "{metric:?}, {what}: {got} instead of {expected}");
}

/// The original space in f64: the definition, apart from the decoding.
fn definition(metric: Metric, a: &[f32], b: &[f32]) -> f64 {
    let sum = |f: fn(f64, f64) -> f64| -> f64 { a.iter().zip(b).map(|(&a, &b)| f(a.into(), b.into())).sum() };
    match metric {
        Metric::L2 => sum(|a, b| (a - b) * (a - b)).sqrt(),
        Metric::InnerProduct => sum(|a, b| a * b),
        Metric::Cosine => 1.0 - sum(|a, b| a * b) / (sum(|a, _| a * a).sqrt() * sum(|_, b| b * b).sqrt()),
        Metric::L1 => sum(|a, b| (a - b).abs()),
    }
}

#[test]
fn distances_equal_those_of_decoded_vectors() {
    let mut random = common::Random(21);
    let mut compared = 0;
    for dimension in [1, 3, 64, 100, 384, 401] {
        let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, dimension));
        let scalar = BitWidth::ALL.map(|width| (width, CodeKind::Scalar));
        let trellis = [BitWidth::Two, BitWidth::Four].map(|width| (width, CodeKind::Trellis));
        for (width, codes) in scalar.into_iter().chain(trellis) {
            for residual in [false, true] {
                let config = CodecConfig::builtin(dimension, width, residual).unwrap();
                let config = config.with_codes(codes).unwrap();
                let codec = Arc::new(Codec::builtin_of(config, Arc::clone(&rotation)).unwrap());
                for level in Level::available() {
                    // Queries need not be of unit length.
                    let length = 2f32.powi((random.word() % 9) as i32 - 4);
                    let query: Vec<f32> =
                        random.unit_vector(dimension as usize).iter().map(|x| x * length).collect();
                    let prepared = PreparedQuery::new(Arc::clone(&codec), &query, level).unwrap();
                    for _ in 0..8 {
                        let vector = random.unit_vector(dimension as usize);
                        let mut bytes = Vec::new();
                        codec.encode(&vector, &mut bytes).unwrap();
                        let record = RecordView::parse(&bytes).unwrap();
                        assert!(prepared.matches(&record));
                        let decoded = codec.decode(&record).unwrap();
                        for metric in METRICS {
                            let expected = definition(metric, &query, &decoded);
                            let what = format!("{dimension} dimensions, {width:?}, {residual}, {level:?}");
                            let scale = f64::from(1.0f32.max(length)) * f64::from(dimension).sqrt().max(1.0);
                            let scale =
                                if metric == Metric::L1 { scale } else { f64::from(1.0f32.max(length)) };
                            check_close(metric, prepared.distance(metric, &record), expected, scale, &what);
                            check_close(
                                metric,
                                distance_f32(metric, &query, &decoded),
                                expected,
                                scale,
                                &what,
                            );
                            compared += 1;
                        }
                    }
                }
            }
        }
    }
    eprintln!("{compared} distances compared, levels {:?}", Level::available());
}

#[test]
fn the_rotated_space_keeps_three_of_the_four() {
    let mut random = common::Random(22);
    let codec =
        Codec::builtin(64, BitWidth::Eight, true, Arc::new(Rotation::haar(BUILTIN_SEED, 64))).unwrap();
    let [a, b] = std::array::from_fn(|_| {
        let mut bytes = Vec::new();
        codec.encode(&random.unit_vector(64), &mut bytes).unwrap();
        let record = RecordView::parse(&bytes).unwrap();
        let mut rotated = vec![0.0; 64];
        codec.decode_rotated(&record, &mut rotated).unwrap();
        (codec.decode(&record).unwrap(), rotated)
    });
    for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine] {
        let (original, rotated) = (distance_f32(metric, &a.0, &b.0), distance_f32(metric, &a.1, &b.1));
        assert!((original - rotated).abs() < 1e-6, "{metric:?}: {original} and {rotated}");
    }
}

#[test]
fn zero_has_no_direction() {
    let config = CodecConfig::new(BitWidth::Two, 1, 4, false, RotationKind::Haar).unwrap();
    let codebook = Codebook::new(BitWidth::Two, vec![-1.0, 0.0, 1.0, 2.0]).unwrap();
    let codec = Arc::new(Codec::new(config, codebook, Arc::new(Rotation::haar(1, 4))).unwrap());
    let (mut zero, mut other) = (Vec::new(), Vec::new());
    codec.encode(&[0.0; 4], &mut zero).unwrap();
    codec.encode(&[1.0, -1.0, 1.0, 1.0], &mut other).unwrap();
    let [zero, other] = [&zero, &other].map(|bytes| RecordView::parse(bytes).unwrap());
    let query = PreparedQuery::new(Arc::clone(&codec), &[1.0, 2.0, 3.0, 4.0], Level::detect()).unwrap();
    assert!(query.distance(Metric::Cosine, &zero).is_nan());
    assert!((0.0..=2.0).contains(&query.distance(Metric::Cosine, &other)));
    assert_eq!(query.distance(Metric::InnerProduct, &zero), 0.0);
    assert!((query.distance(Metric::L2, &zero) - 30f64.sqrt()).abs() < 1e-6);
    assert!((query.distance(Metric::L1, &zero) - 10.0).abs() < 1e-6);
    let nothing = PreparedQuery::new(codec, &[0.0; 4], Level::detect()).unwrap();
    assert!(nothing.distance(Metric::Cosine, &other).is_nan());
}

#[test]
fn queries_are_checked() {
    let codec = Codec::builtin(3, BitWidth::Four, false, Arc::new(Rotation::haar(BUILTIN_SEED, 3))).unwrap();
    let codec = Arc::new(codec);
    let new = |query: &[f32]| PreparedQuery::new(Arc::clone(&codec), query, Level::detect()).unwrap_err();
    assert_eq!(new(&[1.0]), CodecError::DimensionMismatch { expected: 3, got: 1 });
    assert!(matches!(new(&[1.0, f32::NAN, 0.0]), CodecError::NotFinite { index: 1, .. }));
}

/// A record that bears the codec's hash and has another shape must neither match nor be read.
#[test]
fn forged_records_do_not_match() {
    let codec = Codec::builtin(8, BitWidth::Four, false, Arc::new(Rotation::haar(BUILTIN_SEED, 8))).unwrap();
    let codec = Arc::new(codec);
    let query = PreparedQuery::new(Arc::clone(&codec), &[1.0; 8], Level::detect()).unwrap();
    for (dimension, width, residual, error) in [
        (7, BitWidth::Four, false, CodecError::DimensionMismatch { expected: 8, got: 7 }),
        (
            8,
            BitWidth::Two,
            false,
            CodecError::BitWidthMismatch { expected: BitWidth::Four, got: BitWidth::Two },
        ),
        (8, BitWidth::Four, true, CodecError::ResidualMismatch { expected: false }),
    ] {
        let builder = RecordBuilder::new(codec.hash().as_bytes(), dimension, width, residual).unwrap();
        let mut bytes = Vec::new();
        let rest = residual.then(|| vec![0; 2 * dimension as usize]);
        builder.write(&vec![0; dimension as usize], rest.as_deref(), &mut bytes).unwrap();
        let record = RecordView::parse(&bytes).unwrap();
        assert!(!query.matches(&record));
        assert!(METRICS.iter().all(|&metric| query.distance(metric, &record).is_nan()));
        assert_eq!(codec.decode(&record), Err(error));
    }
}

#[test]
fn threads_may_share_a_query() {
    fn is_shareable<T: Send + Sync>() {}
    is_shareable::<PreparedQuery>();
    is_shareable::<Codec>();
}

#[test]
fn a_query_given_rotated_is_the_same_query() {
    let dimension = 45;
    let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, dimension));
    let codec = Arc::new(Codec::builtin(dimension, BitWidth::Four, false, rotation.clone()).unwrap());
    let vector = |seed: u32| {
        let values: Vec<f32> = (0..dimension).map(|i| ((i * 37 + seed * 101) as f32).sin()).collect();
        tq_codec::normalize(&values).unwrap()
    };
    let query = vector(1);
    let mut rotated = vec![0.0; dimension as usize];
    rotation.apply(&query, &mut rotated);
    for level in tq_simd::Level::available() {
        let given = PreparedQuery::new(codec.clone(), &query, level).unwrap();
        let from_rotated = PreparedQuery::from_rotated(codec.clone(), &rotated, level).unwrap();
        assert!(query.iter().zip(from_rotated.query().0).all(|(a, b)| (a - b).abs() < 1e-6));
        for seed in 2..20 {
            let mut record = Vec::new();
            codec.encode(&vector(seed), &mut record).unwrap();
            let record = RecordView::parse(&record).unwrap();
            for metric in [Metric::L2, Metric::InnerProduct, Metric::Cosine, Metric::L1] {
                let (a, b) = (given.distance(metric, &record), from_rotated.distance(metric, &record));
                assert!((a - b).abs() < 1e-5, "{metric:?}: {a} {b}");
            }
        }
    }
    let short = PreparedQuery::from_rotated(codec, &rotated[1..], tq_simd::Level::Scalar);
    assert!(matches!(short, Err(CodecError::DimensionMismatch { expected: 45, got: 44 })));
}
