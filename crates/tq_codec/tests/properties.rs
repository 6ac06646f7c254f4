//! Properties of encoding and decoding that hold for all vectors.

mod common;

use proptest::prelude::*;
use std::sync::{Arc, LazyLock};
use tq_codec::{
    BUILTIN_SEED, Codebook, Codec, CodecConfig, CodecError, Metric, PreparedQuery, Rotation, RotationKind,
};
use tq_format::{BitWidth, RecordView, record_len};
use tq_simd::Level;

const DIMENSION: usize = 24;

static ROTATION: LazyLock<Arc<Rotation>> =
    LazyLock::new(|| Arc::new(Rotation::haar(BUILTIN_SEED, DIMENSION as u32)));

static HADAMARD: LazyLock<Arc<Rotation>> =
    LazyLock::new(|| Arc::new(Rotation::hadamard(BUILTIN_SEED, DIMENSION as u32)));

fn width() -> impl Strategy<Value = BitWidth> {
    prop::sample::select(BitWidth::ALL.to_vec())
}

fn finite_vector() -> impl Strategy<Value = Vec<f32>> {
    let any_bits = any::<u32>().prop_map(f32::from_bits).prop_filter("finite", |x| x.is_finite());
    prop::collection::vec(prop_oneof![any_bits, -1f32..1.0, Just(0.0f32)], DIMENSION)
}

/// A codec with a registered codec's freedom, on the shared rotation.
fn registered(width: BitWidth, residual: bool) -> Codec {
    let config =
        CodecConfig::new(width, BUILTIN_SEED, DIMENSION as u32, residual, RotationKind::Haar).unwrap();
    let step = 2.0 / width.levels() as f32;
    let entries = (0..width.levels()).map(|i| i as f32 * step - 1.0).collect();
    Codec::new(config, Codebook::new(width, entries).unwrap(), Arc::clone(&ROTATION)).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..Default::default() })]

    /// The error of each rotated element is bounded: half the gap between entries, or half a step of FP16.
    #[test]
    fn decoding_undoes_encoding(
        vector in prop::collection::vec(-1f32..1.0, DIMENSION),
        width in width(),
        residual in any::<bool>(),
    ) {
        prop_assume!(vector.iter().any(|x| x.abs() > 1e-3));
        let vector = tq_codec::normalize(&vector).unwrap();
        let codec = Codec::builtin(DIMENSION as u32, width, residual, Arc::clone(&ROTATION)).unwrap();
        let mut bytes = Vec::new();
        codec.encode(&vector, &mut bytes).unwrap();
        prop_assert_eq!(bytes.len(), record_len(width, DIMENSION as u32, residual));
        let record = RecordView::parse(&bytes).unwrap();

        let (mut rotated, mut decoded) = (vec![0.0; DIMENSION], vec![0.0; DIMENSION]);
        codec.rotation().apply(&vector, &mut rotated);
        codec.decode_rotated(&record, &mut decoded).unwrap();
        let entries = codec.codebook().entries();
        for (y, z) in rotated.iter().zip(&decoded) {
            let nearest = entries.iter().map(|e| (y - e).abs()).fold(f32::INFINITY, f32::min);
            let bound = if residual { nearest / 2048.0 + 1e-7 } else { nearest + 1e-7 };
            prop_assert!((y - z).abs() <= bound, "{} became {}", y, z);
        }

        let back = codec.decode(&record).unwrap();
        let lost: f64 = rotated.iter().zip(&decoded).map(|(y, z)| f64::from(y - z).powi(2)).sum();
        let error: f64 = vector.iter().zip(&back).map(|(x, z)| f64::from(x - z).powi(2)).sum();
        prop_assert!((error.sqrt() - lost.sqrt()).abs() < 1e-5);
    }

    /// Whatever finite numbers come in, encoding gives a valid record or the one error that they can cause.
    #[test]
    fn encoding_never_panics(
        vector in finite_vector(),
        width in width(),
        residual in any::<bool>(),
        centre in prop::option::of(prop::collection::vec(-1e6f32..1e6, DIMENSION)),
    ) {
        let mut codec = registered(width, residual);
        if let Some(centre) = centre {
            codec = codec.with_centre(&centre, &mut || {}).unwrap();
        }
        let codec = Arc::new(codec);
        let mut bytes = b"kept".to_vec();
        match codec.encode(&vector, &mut bytes) {
            Ok(()) => {
                let record = RecordView::parse(&bytes[4..]).unwrap();
                prop_assert!(codec.decode(&record).unwrap().iter().all(|x| x.is_finite()));
                let query = PreparedQuery::new(Arc::clone(&codec), &vector, Level::detect()).unwrap();
                for metric in [Metric::L2, Metric::InnerProduct, Metric::L1, Metric::Cosine] {
                    let distance = query.distance(metric, &record);
                    prop_assert!(metric != Metric::Cosine || distance.is_nan() || (0.0..=2.0).contains(&distance));
                    prop_assert!(metric == Metric::Cosine || !distance.is_nan());
                }
            }
            Err(error) => {
                prop_assert!(residual && matches!(error, CodecError::ResidualOverflow { .. }), "{}", error);
                prop_assert_eq!(bytes, b"kept".to_vec());
            }
        }
    }

    /// The distances of queries of every scale that `f32` has are those of the definition in `f64`.
    #[test]
    fn queries_of_any_scale_keep_their_digits(
        seed in any::<u64>(),
        exponent in -149i32..=127,
        of_record in prop_oneof![Just(0i32), -126i32..=120],
        width in width(),
        hadamard in any::<bool>(),
        residual in any::<bool>(),
        centred in any::<bool>(),
    ) {
        let mut random = common::Random(seed);
        let residual = residual && of_record == 0;
        let kind = if hadamard { RotationKind::Hadamard } else { RotationKind::Haar };
        let rotation = if hadamard { Arc::clone(&HADAMARD) } else { Arc::clone(&ROTATION) };
        let config = CodecConfig::new(width, BUILTIN_SEED, DIMENSION as u32, residual, kind).unwrap();
        let step = 2.0 / width.levels() as f32;
        let unit = 2f64.powi(of_record) as f32;
        let entries = (0..width.levels()).map(|i| (i as f32 * step - 1.0) * unit).collect();
        let mut codec = Codec::new(config, Codebook::new(width, entries).unwrap(), rotation).unwrap();
        if centred && of_record < 30 {
            let centre: Vec<f32> = random.vector(DIMENSION).iter().map(|x| x * unit).collect();
            codec = codec.with_centre(&centre, &mut || {}).unwrap();
        }
        let codec = Arc::new(codec);
        let mut bytes = Vec::new();
        let vector: Vec<f32> = random.unit_vector(DIMENSION).iter().map(|x| x * unit).collect();
        codec.encode(&vector, &mut bytes).unwrap();
        let record = RecordView::parse(&bytes).unwrap();
        let decoded = codec.decode(&record).unwrap();
        // The largest element is less than 2, so none leaves f32.
        let query: Vec<f32> = random.unit_vector(DIMENSION).iter().map(|x| {
            let x = (f64::from(*x) * 2f64.powi(exponent) * 1.99) as f32;
            if x.is_finite() { x } else { f32::MAX }
        }).collect();
        prop_assume!(query.iter().any(|x| *x != 0.0));
        let wide = |v: &[f32]| v.iter().map(|x| f64::from(*x)).collect::<Vec<f64>>();
        let (q, x) = (wide(&query), wide(&decoded));
        let sum = |f: &dyn Fn(f64, f64) -> f64| q.iter().zip(&x).map(|(q, x)| f(*q, *x)).sum::<f64>();
        let norms = (sum(&|q, _| q * q).sqrt(), sum(&|_, x| x * x).sqrt());
        for level in Level::available() {
            let prepared = PreparedQuery::new(Arc::clone(&codec), &query, level).unwrap();
            let root = (DIMENSION as f64).sqrt();
            for (metric, expected, scale) in [
                (Metric::InnerProduct, sum(&|q, x| q * x), norms.0 * norms.1),
                (Metric::L2, sum(&|q, x| (q - x) * (q - x)).sqrt(), norms.0 + norms.1),
                (Metric::Cosine, 1.0 - sum(&|q, x| q * x) / (norms.0 * norms.1), 1.0),
                (Metric::L1, sum(&|q, x| (q - x).abs()), root * (norms.0 + norms.1)),
            ] {
                let got = prepared.distance(metric, &record);
                prop_assert!((got - expected).abs() <= 2e-6 * scale, "{:?} at 2^{}: {} instead of {}", metric, exponent, got, expected);
            }
        }
    }

    /// What a rotation would take out of `f32` is refused, or measured all the same; nothing becomes NaN.
    #[test]
    fn vectors_at_the_end_of_the_range(signs in any::<u32>(), width in width(), hadamard in any::<bool>()) {
        let kind = if hadamard { RotationKind::Hadamard } else { RotationKind::Haar };
        let rotation = if hadamard { Arc::clone(&HADAMARD) } else { Arc::clone(&ROTATION) };
        let config = CodecConfig::new(width, BUILTIN_SEED, DIMENSION as u32, false, kind).unwrap();
        let step = f32::MAX / width.levels() as f32;
        let entries = (0..width.levels()).map(|i| (2.0 * i as f32 + 1.0 - width.levels() as f32) * step).collect();
        let codec = Arc::new(Codec::new(config, Codebook::new(width, entries).unwrap(), rotation).unwrap());
        let vector: Vec<f32> = (0..DIMENSION).map(|i| if signs >> i & 1 == 1 { -f32::MAX } else { f32::MAX }).collect();
        let mut bytes = Vec::new();
        codec.encode(&vector, &mut bytes).unwrap();
        let record = RecordView::parse(&bytes).unwrap();
        let decoded = codec.decode(&record);
        prop_assert!(matches!(&decoded, Ok(_) | Err(CodecError::DecodedOverflow { .. })), "{:?}", decoded);
        let mut batch = vec![7.0];
        prop_assert_eq!(codec.decode_batch(&[record, record], &mut batch).is_ok(), decoded.is_ok());
        prop_assert_eq!(batch.len(), if decoded.is_ok() { 1 + 2 * DIMENSION } else { 1 });
        let query = PreparedQuery::new(Arc::clone(&codec), &vector, Level::detect()).unwrap();
        let norm = f64::from(f32::MAX) * (DIMENSION as f64).sqrt();
        let inner = query.distance(Metric::InnerProduct, &record);
        prop_assert!(inner > 0.3 * norm * norm && inner < 2.0 * norm * norm, "{}", inner);
        let cosine = query.distance(Metric::Cosine, &record);
        prop_assert!((0.0..0.5).contains(&cosine), "{}", cosine);
        let (l2, l1) = (query.distance(Metric::L2, &record), query.distance(Metric::L1, &record));
        prop_assert!(l2 < norm && l1 < norm * (DIMENSION as f64).sqrt(), "{} {}", l2, l1);
        let mut rotated = vec![0.0; DIMENSION];
        codec.decode_rotated(&record, &mut rotated).unwrap();
        let own = PreparedQuery::from_rotated(Arc::clone(&codec), &rotated, Level::detect()).unwrap();
        prop_assert_eq!(own.distance(Metric::L2, &record), 0.0);
        prop_assert!(own.distance(Metric::L1, &record) <= 1e-5 * norm);
    }

    /// NaN and infinities are found wherever they are.
    #[test]
    fn not_finite_is_an_error(
        mut vector in finite_vector(),
        at in 0..DIMENSION,
        bad in prop::sample::select(vec![f32::NAN, f32::INFINITY, f32::NEG_INFINITY]),
    ) {
        vector[at] = bad;
        let error = registered(BitWidth::Four, true).encode(&vector, &mut Vec::new()).unwrap_err();
        prop_assert!(matches!(error, CodecError::NotFinite { index, .. } if index == at), "{}", error);
    }
}
