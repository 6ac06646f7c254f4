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
    fn encoding_never_panics(vector in finite_vector(), width in width(), residual in any::<bool>()) {
        let codec = Arc::new(registered(width, residual));
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
