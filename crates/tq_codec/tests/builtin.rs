//! The built-in codec: what it accepts, and how well it does on real embeddings.

mod common;

use std::sync::Arc;
use tq_codec::{
    BUILTIN_SEED, Codebook, Codec, CodecConfig, CodecError, Metric, PreparedQuery, Rotation, RotationKind,
};
use tq_format::{BitWidth, RecordView};
use tq_simd::Level;

fn builtin(dimension: u32, width: BitWidth, residual: bool) -> Codec {
    let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, dimension));
    Codec::builtin(dimension, width, residual, rotation).unwrap()
}

#[test]
fn what_it_refuses() {
    let mut out = b"before".to_vec();
    let (plain, residual) = (builtin(4, BitWidth::Four, false), builtin(4, BitWidth::Four, true));
    assert!(plain.is_builtin() && residual.is_builtin());
    for codec in [&plain, &residual] {
        let mut refuse = |vector: &[f32]| codec.encode(vector, &mut out).unwrap_err();
        assert_eq!(refuse(&[1.0; 3]), CodecError::DimensionMismatch { expected: 4, got: 3 });
        assert_eq!(refuse(&[0.0, -0.0, 0.0, 0.0]), CodecError::ZeroVector);
        assert!(matches!(refuse(&[0.5, 0.5, f32::NAN, 0.5]), CodecError::NotFinite { index: 2, .. }));
        let infinite = CodecError::NotFinite { index: 3, value: f32::NEG_INFINITY };
        assert_eq!(refuse(&[0.5, 0.5, 0.5, f32::NEG_INFINITY]), infinite);
    }
    assert_eq!(
        plain.encode(&[1.0; 4], &mut out),
        Err(CodecError::NormOutOfRange { norm: 2.0, tolerance: 0.55 })
    );
    assert!(matches!(plain.encode(&[0.1; 4], &mut out), Err(CodecError::NormOutOfRange { .. })));
    assert_eq!(out, b"before");
    assert!(plain.encode(&[0.77; 4], &mut out).is_ok());
    assert!(plain.encode(&[0.23; 4], &mut out).is_ok());
    assert!(residual.encode(&[100.0; 4], &mut out).is_ok());
    let full = out.len();
    assert!(matches!(residual.encode(&[1e6; 4], &mut out), Err(CodecError::ResidualOverflow { .. })));
    assert_eq!(out.len(), full);
}

#[test]
fn vanishing_vectors_with_residual() {
    let dimension = 96;
    let direction: Vec<f32> = (0..dimension).map(|i| (i as f32 * 0.7).sin()).collect();
    let length = tq_codec::check_vector(&direction).unwrap() as f32;
    for (width, least) in [(BitWidth::Two, 1e-3), (BitWidth::Four, 3e-4), (BitWidth::Eight, 3e-5)] {
        let codec = builtin(dimension, width, true);
        let mut record = Vec::new();
        let scaled = |norm: f32| direction.iter().map(|x| x / length * norm).collect::<Vec<f32>>();
        let refused = codec.encode(&scaled(0.99 * least), &mut record);
        assert!(matches!(refused, Err(CodecError::NormTooSmall { .. })), "{width:?}");
        assert_eq!(record, b"");
        let vector = scaled(1.01 * least);
        codec.encode(&vector, &mut record).unwrap();
        let decoded = codec.decode(&RecordView::parse(&record).unwrap()).unwrap();
        let error: f32 = decoded.iter().zip(&vector).map(|(a, b)| (a - b).powi(2)).sum();
        assert!(error.sqrt() < 0.15 * least, "{width:?}: {}", error.sqrt() / least);
    }
}

#[test]
fn registered_codecs_accept_any_finite_vector() {
    let config = CodecConfig::new(BitWidth::Four, 42, 4, false, RotationKind::Haar).unwrap();
    let rotation = Arc::new(Rotation::haar(42, 4));
    let codec = Codec::new(config, Codebook::lloyd_max(BitWidth::Four, 4), rotation).unwrap();
    assert!(!codec.is_builtin());
    let mut out = Vec::new();
    for vector in [[0.0; 4], [1e6; 4], [f32::MAX; 4], [f32::from_bits(1); 4]] {
        assert_eq!(codec.encode(&vector, &mut out), Ok(()));
    }
    assert!(matches!(codec.encode(&[f32::NAN; 4], &mut out), Err(CodecError::NotFinite { index: 0, .. })));
}

#[test]
fn parts_must_belong_together() {
    let config = CodecConfig::builtin(4, BitWidth::Four, false).unwrap();
    let new = |codebook, rotation| Codec::new(config, codebook, Arc::new(rotation)).unwrap_err();
    let lloyd = |width| Codebook::lloyd_max(width, 4);
    assert_eq!(
        new(lloyd(BitWidth::Two), Rotation::haar(BUILTIN_SEED, 4)),
        CodecError::BitWidthMismatch { expected: BitWidth::Four, got: BitWidth::Two }
    );
    for rotation in [Rotation::haar(BUILTIN_SEED, 5), Rotation::haar(1, 4)] {
        let error = new(lloyd(BitWidth::Four), rotation);
        assert!(matches!(error, CodecError::RotationMismatch { .. }), "{error}");
    }
    // The seed alone doesn't make a codec the built-in one.
    let codebook = Codebook::new(BitWidth::Four, (0u8..16).map(f32::from).collect()).unwrap();
    let codec = Codec::new(config, codebook, Arc::new(Rotation::haar(BUILTIN_SEED, 4))).unwrap();
    assert!(!codec.is_builtin());
}

/// The five best rows for each query by exact cosine, and the share of them that `distance` finds.
fn recall(rows: &[&[f32]], k: usize, distance: impl Fn(usize) -> Vec<f64>) -> f64 {
    let best = |mut scored: Vec<(f64, usize)>| -> Vec<usize> {
        scored.sort_by(|a, b| a.0.total_cmp(&b.0));
        scored.into_iter().take(k).map(|(_, row)| row).collect()
    };
    let mut found = 0;
    for query in 0..rows.len() {
        let exact = rows.iter().enumerate().filter(|(row, _)| *row != query);
        let exact = best(
            exact.map(|(i, row)| (tq_codec::distance_f32(Metric::Cosine, rows[query], row), i)).collect(),
        );
        let distances = distance(query).into_iter().enumerate();
        let ours = best(distances.filter(|(i, _)| *i != query).map(|(i, d)| (d, i)).collect());
        found += exact.iter().filter(|row| ours.contains(row)).count();
    }
    found as f64 / (k * rows.len()) as f64
}

#[test]
fn distortion_and_recall_on_openai_embeddings() {
    let Some(path) = common::shared("data/openai335/embeddings.npy") else { return };
    let matrix = common::read_npy_f32(&path);
    let rows: Vec<&[f32]> = (0..matrix.rows).map(|i| matrix.row(i)).collect();
    let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, matrix.columns as u32));
    // Mean squared errors of the Lloyd-Max quantisers of a normal variable, which real data come close to.
    for (width, expected, least_recall) in
        [(BitWidth::Two, 0.1175, 0.90), (BitWidth::Four, 0.0095, 0.97), (BitWidth::Eight, 4.12e-5, 0.995)]
    {
        let codec = Codec::builtin(matrix.columns as u32, width, false, Arc::clone(&rotation)).unwrap();
        let codec = Arc::new(codec);
        let records: Vec<Vec<u8>> = rows
            .iter()
            .map(|row| {
                let mut bytes = Vec::new();
                codec.encode(row, &mut bytes).unwrap();
                bytes
            })
            .collect();
        let views: Vec<RecordView<'_>> =
            records.iter().map(|bytes| RecordView::parse(bytes).unwrap()).collect();
        let errors = rows
            .iter()
            .zip(&views)
            .map(|(row, view)| common::relative_squared_error(row, &codec.decode(view).unwrap()));
        let error = errors.sum::<f64>() / rows.len() as f64;
        let recall = recall(&rows, 5, |query| {
            let query = PreparedQuery::new(Arc::clone(&codec), rows[query], Level::detect()).unwrap();
            views.iter().map(|view| query.distance(Metric::Cosine, view)).collect()
        });
        eprintln!("openai335, {width:?}: relative squared error {error:.3e}, recall@5 {recall:.4}");
        assert!((error / expected - 1.0).abs() < 0.04, "{width:?}: {error:e}");
        assert!(recall >= least_recall, "{width:?}: recall {recall}");
    }
}
