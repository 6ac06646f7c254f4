//! quantvec's codec against the golden files: rotations and codebooks to the bit or nearly, codes equal, scales within two
//! units of the last place, scores within a millionth; and what holds without any files.

mod common;

use common::{Random, read_f32s, relative_squared_error, shared};
use serde_json::Value;
use std::path::{Path, PathBuf};
use tq_codec::{CodecError, Quantvec, QuantvecDecoding, QuantvecRows, Workers};
use tq_format::qvec;

const METRICS: [qvec::Metric; 3] = [qvec::Metric::Dot, qvec::Metric::Cosine, qvec::Metric::Euclidean];

fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap()
}

/// Distance in units of the last place.
fn ulps(a: f32, b: f32) -> i64 {
    i64::from((a.to_bits() as i32).wrapping_sub(b.to_bits() as i32)).abs()
}

fn codec(view: &qvec::View<'_>) -> Quantvec {
    let header = view.header();
    let codec = Quantvec::new(header.dimension, header.bits, header.seed, &mut || {}).unwrap();
    match view.calibration() {
        Some(c) => codec.with_calibration(c.shifts().collect(), c.scales().collect()).unwrap(),
        None => codec,
    }
}

fn rows_of<'a>(view: &qvec::View<'a>) -> Vec<qvec::Row<'a>> {
    view.rows(0..view.header().count).collect()
}

/// An index, and the files beside it.
struct Sample {
    name: String,
    bytes: Vec<u8>,
    folder: PathBuf,
}

impl Sample {
    fn floats(&self, what: &str) -> Vec<f32> {
        read_f32s(&self.folder.join(format!("{}.{what}.f32.bin", self.name)))
    }
}

/// The golden indexes where they are, and the committed one.
fn samples() -> Vec<Sample> {
    let committed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/pg_regress/data");
    let name = "pos_d24_b3_cosine";
    let bytes = std::fs::read(committed.join(format!("{name}.v2.qvec"))).unwrap();
    let mut samples = vec![Sample { name: name.into(), bytes, folder: committed }];
    if let Some(folder) = shared("golden/dev/qvec") {
        for path in common::files(&folder, ".v2.qvec") {
            let name = path.file_name().unwrap().to_str().unwrap().split('.').next().unwrap().to_owned();
            samples.push(Sample { name, bytes: std::fs::read(&path).unwrap(), folder: folder.clone() });
        }
    }
    samples
}

#[test]
fn golden_rotations() {
    let Some(folder) = shared("golden/dev/qvec") else { return };
    for (dimension, seed) in [(24, 7.0), (40, -3.0), (384, 42.0)] {
        let expected = read_f32s(&folder.join(format!("rot_d{dimension}_s{seed}.f32.bin")));
        let mut polls = 0;
        let codec = Quantvec::new(dimension, qvec::Bits::Two, seed, &mut || polls += 1).unwrap();
        assert!(polls > 1);
        let d = dimension as usize;
        let mut different = 0;
        for column in 0..d {
            let mut x = vec![0.0; d];
            x[column] = 1.0;
            for (row, y) in codec.rotate(&x).unwrap().into_iter().enumerate() {
                let distance = ulps(y, expected[row * d + column]);
                assert!(distance <= 1, "{dimension} {row} {column}");
                different += distance;
            }
        }
        println!("dimension {dimension}: {different} of {} entries differ in the last bit", d * d);
        assert!(different <= (d * d / 100_000) as i64);
    }
    for entry in json(&folder.join("rotations.json")).as_array().unwrap() {
        if entry["kind"] != "hadamard" {
            continue;
        }
        let d = entry["dim"].as_u64().unwrap() as usize;
        let signs = |round: usize| entry["signs"][round].as_array().unwrap().iter().map(number);
        let codec = Quantvec::new(d as u32, qvec::Bits::Two, number(&entry["seed"]), &mut || {}).unwrap();
        // The definition: signs, then the matrix of parities, three times.
        let x: Vec<f64> = (0..d).map(|i| f64::from((i as f32).sin())).collect();
        let mut b = x.clone();
        for round in 0..3 {
            let signed: Vec<f64> = b.iter().zip(signs(round)).map(|(b, sign)| b * sign).collect();
            let parity = |i: usize, j: usize| if (i & j).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
            b = (0..d)
                .map(|i| (0..d).map(|j| parity(i, j) * signed[j]).sum::<f64>() / (d as f64).sqrt())
                .collect();
        }
        let x: Vec<f32> = x.iter().map(|x| *x as f32).collect();
        for (y, b) in codec.rotate(&x).unwrap().iter().zip(b) {
            assert!((f64::from(*y) - b).abs() < 1e-6, "{d}");
        }
    }
}

#[test]
fn golden_codebooks() {
    let Some(folder) = shared("golden/dev/qvec") else { return };
    let (mut all, mut different) = (0, 0);
    for entry in json(&folder.join("codebooks.json")).as_array().unwrap() {
        let (dimension, bits) = (number(&entry["dim"]) as u32, number(&entry["bits"]) as u32);
        // The rotation doesn't matter, so take the one that costs least.
        let codec = Quantvec::new(dimension, qvec::Bits::from_bits(bits).unwrap(), 1.0, &mut || {}).unwrap();
        let expected = entry["centroids"].as_array().unwrap();
        assert_eq!(codec.centroids().len(), expected.len());
        for (centroid, expected) in codec.centroids().iter().zip(expected) {
            let distance = ulps(*centroid, number(expected) as f32);
            assert!(distance <= 1, "dimension {dimension}, {bits} bits: {centroid} {expected}");
            all += 1;
            different += distance;
        }
    }
    println!("{different} of {all} centroids differ in the last bit");
}

#[test]
fn golden_indexes_encode_alike() {
    for sample in samples() {
        let view = qvec::View::parse(&sample.bytes).unwrap();
        let mut encoded = QuantvecRows::default();
        codec(&view).encode_batch(&sample.floats("in"), &mut encoded).unwrap();
        let rows = rows_of(&view);
        let codes: Vec<u8> = rows.iter().flat_map(|row| row.codes.iter().copied()).collect();
        assert!(encoded.codes == codes, "{}", sample.name);
        assert_eq!(encoded.scales.len(), rows.len());
        for (row, (scale, norm)) in rows.iter().zip(encoded.scales.iter().zip(&encoded.norms)) {
            assert!(ulps(row.scale, *scale) <= 2 && ulps(row.norm, *norm) <= 1, "{}", sample.name);
        }
    }
}

#[test]
fn golden_indexes_decode_alike() {
    for sample in samples() {
        let view = qvec::View::parse(&sample.bytes).unwrap();
        let (codec, rows) = (codec(&view), rows_of(&view));
        let decode = |decoding| {
            let mut vectors = Vec::new();
            codec.decode_batch(&rows, decoding, &mut vectors).unwrap();
            vectors
        };
        let d = codec.dimension();
        let norm = |vector: &[f32]| tq_codec::check_vector(vector).unwrap();
        for (decoding, name) in [(QuantvecDecoding::Scale, "dec_scale"), (QuantvecDecoding::Norm, "dec_norm")]
        {
            if name == "dec_norm" && sample.folder.ends_with("pg_regress/data") {
                continue;
            }
            let (got, expected) = (decode(decoding), sample.floats(name));
            assert_eq!(got.len(), expected.len());
            for (got, expected) in got.chunks_exact(d).zip(expected.chunks_exact(d)) {
                let reach = 1e-6 * norm(expected);
                assert!(
                    got.iter().zip(expected).all(|(a, b)| f64::from((a - b).abs()) <= reach),
                    "{}",
                    sample.name
                );
            }
        }
        let (unit, original) = (decode(QuantvecDecoding::Unit), sample.floats("in"));
        for (row, vector) in rows.iter().zip(unit.chunks_exact(d)) {
            assert!((norm(vector) / f64::from(row.norm) - 1.0).abs() < 1e-6);
        }
        let most = [0.17, 0.04, 0.011][codec.bits().bits() as usize - 2];
        if !rows.is_empty() {
            let error = relative_squared_error(&original, &unit);
            assert!(error < most, "{}: {error}", sample.name);
        }
    }
}

#[test]
fn golden_scores() {
    let mut scores = 0;
    for sample in samples() {
        let view = qvec::View::parse(&sample.bytes).unwrap();
        let (codec, rows) = (codec(&view), rows_of(&view));
        let expected = json(&sample.folder.join(format!("{}.scores.json", sample.name)));
        for (number_of, query) in sample.floats("queries").chunks_exact(codec.dimension()).enumerate() {
            let query = codec.prepare(query).unwrap();
            for metric in METRICS {
                let expected = expected[metric.name()][number_of].as_array().unwrap();
                assert_eq!(expected.len(), rows.len());
                for (row, expected) in rows.iter().zip(expected) {
                    let (got, expected) = (query.score(metric, row), number(expected));
                    let reach = 1e-6 * expected.abs().max(1.0);
                    assert!((got - expected).abs() <= reach, "{} {metric:?}: {got} {expected}", sample.name);
                    scores += 1;
                }
            }
        }
    }
    println!("{scores} scores");
}

/// Many vectors at once, on threads or not, are what one at a time are, in dimensions of both rotations.
#[test]
fn batches_are_single_vectors() {
    let mut random = Random(3);
    let workers = Workers::new(2).unwrap();
    for (dimension, bits) in [(8, 2), (40, 3), (64, 4), (200, 4), (384, 2), (1000, 3)] {
        let codec = Quantvec::new(dimension, qvec::Bits::from_bits(bits).unwrap(), -8.5, &mut || {}).unwrap();
        let d = dimension as usize;
        let rows: Vec<f32> = (0..600 * d).map(|_| 100.0 * random.normal()).collect();
        let (mut single, mut batch, mut threads) =
            (QuantvecRows::default(), QuantvecRows::default(), QuantvecRows::default());
        let mut polls = 0;
        codec.encode_batch(&rows, &mut batch).unwrap();
        codec.encode_batch_on(&workers, &rows, &mut threads, &mut || polls += 1).unwrap();
        assert!(polls > 0 && batch == threads);
        // By the definition: the codes of the nearest centroid of each exactly rotated coordinate.
        for row in rows.chunks_exact(d).take(100) {
            let norm = tq_codec::check_vector(row).unwrap();
            let unit: Vec<f32> = row.iter().map(|&x| (f64::from(x) * (1.0 / norm)) as f32).collect();
            let y = codec.rotate(&unit).unwrap();
            let centroids = codec.centroids();
            let nearest = |y: f32| {
                let bound = |k: usize| (f64::from(centroids[k]) + f64::from(centroids[k + 1])) / 2.0;
                (0..centroids.len() - 1).filter(|k| f64::from(y) >= bound(*k)).count() as u8
            };
            let codes: Vec<u8> = y.iter().map(|&y| nearest(y)).collect();
            let inner: f64 = y
                .iter()
                .zip(&codes)
                .map(|(&y, &k)| f64::from(y) * f64::from(centroids[usize::from(k)]))
                .sum();
            tq_format::qvec::pack_codes(codec.bits(), &codes, &mut single.codes);
            single.scales.push((norm / inner) as f32);
            single.norms.push(norm as f32);
        }
        assert!(batch.codes.starts_with(&single.codes), "{dimension}");
        for (a, b) in single.scales.iter().zip(&batch.scales) {
            assert!(ulps(*a, *b) <= if d < 256 { 0 } else { 1 }, "{dimension}: {a} {b}");
        }
        assert!(batch.norms.starts_with(&single.norms));

        let row = |i: usize| qvec::Row {
            codes: &batch.codes[i * codec.row_len()..][..codec.row_len()],
            scale: batch.scales[i],
            norm: batch.norms[i],
        };
        let rows: Vec<qvec::Row<'_>> = (0..600).map(row).collect();
        let (mut decoded, mut on_threads) = (Vec::new(), Vec::new());
        codec.decode_batch(&rows, QuantvecDecoding::Scale, &mut decoded).unwrap();
        let decoding = QuantvecDecoding::Scale;
        codec.decode_batch_on(&workers, &rows, decoding, &mut on_threads, &mut || {}).unwrap();
        assert!(decoded == on_threads);
        // The estimates are inner products with what decodes under the scale.
        let query = random.vector(d);
        let prepared = codec.prepare(&query).unwrap();
        for (row, vector) in rows.iter().zip(decoded.chunks_exact(d)) {
            let product: f64 = query.iter().zip(vector).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum();
            let score = prepared.score(qvec::Metric::Dot, row);
            let reach =
                1e-6 * tq_codec::check_vector(&query).unwrap() * tq_codec::check_vector(vector).unwrap();
            assert!((product - score).abs() <= reach, "{dimension}: {product} {score}");
        }
    }
}

#[test]
fn what_cannot_be_encoded() {
    let codec = Quantvec::new(24, qvec::Bits::Four, 42.0, &mut || {}).unwrap();
    let mut rows: Vec<f32> = (0..300 * 24).map(|i| (i as f32).cos()).collect();
    let mut out = QuantvecRows::default();
    codec.encode_batch(&rows[..24], &mut out).unwrap();
    let before = out.clone();
    let workers = Workers::new(2).unwrap();
    let mut refused = |rows: &[f32]| {
        let error = codec.encode_batch(rows, &mut out).unwrap_err();
        assert_eq!(codec.encode_batch_on(&workers, rows, &mut out, &mut || {}), Err(error.clone()));
        assert_eq!(out, before);
        (error.row, error.source)
    };
    let expected = CodecError::DimensionMismatch { expected: 24, got: 5 };
    assert_eq!(refused(&rows[..250 * 24 + 5]), (250, expected));
    rows[299 * 24..].fill(0.0);
    assert_eq!(refused(&rows), (299, CodecError::ZeroVector));
    rows[200 * 24..201 * 24].fill(f32::MAX);
    assert!(matches!(refused(&rows), (200, CodecError::QuantvecRange { .. })));
    rows[170 * 24 + 3] = f32::INFINITY;
    assert!(matches!(refused(&rows), (170, CodecError::NotFinite { index: 3, .. })));

    for dimension in [0, 4, 12, 16_008] {
        let error = Quantvec::new(dimension, qvec::Bits::Two, 1.0, &mut || {}).unwrap_err();
        assert_eq!(error, CodecError::QuantvecDimension { dimension: dimension.into() });
    }
    assert_eq!(codec.prepare(&[0.0; 24]).err(), Some(CodecError::ZeroVector));
    assert!(matches!(codec.prepare(&[f32::INFINITY; 24]).err(), Some(CodecError::NotFinite { .. })));
    assert!(matches!(codec.prepare(&[1.0; 8]).err(), Some(CodecError::DimensionMismatch { .. })));
    let row = qvec::Row { codes: &[0; 8], scale: 1.0, norm: 1.0 };
    let error = codec.decode_batch(&[row], QuantvecDecoding::Unit, &mut Vec::new()).unwrap_err();
    assert_eq!(error.source, CodecError::DimensionMismatch { expected: 24, got: 16 });
}

/// The least and the greatest vectors that a file can hold come back finite.
#[test]
fn extreme_norms() {
    let codec = Quantvec::new(24, qvec::Bits::Four, 42.0, &mut || {}).unwrap();
    for length in [f32::from_bits(1), f32::MIN_POSITIVE, 3e37] {
        let mut vector = vec![0.0; 24];
        vector[5] = length;
        let mut out = QuantvecRows::default();
        codec.encode_batch(&vector, &mut out).unwrap();
        let row = qvec::Row { codes: &out.codes, scale: out.scales[0], norm: out.norms[0] };
        let mut back = Vec::new();
        codec.decode_batch(&[row], QuantvecDecoding::Unit, &mut back).unwrap();
        assert!(back.iter().all(|x| x.is_finite()));
        assert!(back[5] >= 0.9 * length, "{length} {}", back[5]);
    }
}
