//! Encoding, one vector at a time and many, against the definition: rotated in f64, nearest entries, half
//! precision of what is left. Every byte has to be equal.

mod common;
#[path = "../../tq_simd/tests/support/path.rs"]
#[allow(dead_code)]
mod path;

use common::Random;
use half::f16;
use std::sync::Arc;
use tq_codec::{
    BUILTIN_SEED, BatchError, CodeKind, Codebook, Codec, CodecConfig, CodecError, Rotation, RotationKind,
    Workers, build_rotation,
};
use tq_format::{BitWidth, RecordBuilder, RecordView};

fn codec(rotation: &Arc<Rotation>, width: BitWidth, residual: bool, codebook: Codebook) -> Codec {
    let config =
        CodecConfig::new(width, rotation.seed(), rotation.dimension(), residual, rotation.kind()).unwrap();
    let config = config.with_codes(codebook.codes()).unwrap();
    Codec::new(config, codebook, Arc::clone(rotation)).unwrap()
}

fn lloyd_max(rotation: &Arc<Rotation>, width: BitWidth, residual: bool) -> Codec {
    codec(rotation, width, residual, Codebook::lloyd_max(width, rotation.dimension()))
}

fn trellis(rotation: &Arc<Rotation>, width: BitWidth, residual: bool) -> Codec {
    let codebook = Codebook::builtin(CodeKind::Trellis, width, rotation.dimension()).unwrap();
    codec(rotation, width, residual, codebook)
}

/// Those of both widths, and with a residual.
fn trellises(rotation: &Arc<Rotation>) -> Vec<Codec> {
    [(BitWidth::Two, false), (BitWidth::Four, false), (BitWidth::Two, true), (BitWidth::Four, true)]
        .map(|(width, residual)| trellis(rotation, width, residual))
        .to_vec()
}

/// The record by definition.
fn by_the_book(codec: &Codec, rotated: &[f32]) -> Vec<u8> {
    let config = codec.config();
    let rotated = match codec.centre() {
        None => rotated.to_vec(),
        Some(centre) => {
            let mut off = vec![0.0; centre.len()];
            codec.rotation().apply(centre, &mut off);
            rotated.iter().zip(off).map(|(y, m)| y - m).collect()
        }
    };
    let (entries, bits) = (codec.codebook().entries(), u32::from(config.bit_width().bits()));
    let (codes, numbers): (Vec<u8>, Vec<usize>) = match config.codes() {
        CodeKind::Scalar => rotated
            .iter()
            .map(|&y| codec.codebook().quantize(y))
            .map(|code| (code, usize::from(code)))
            .unzip(),
        CodeKind::Trellis => {
            let step = path::grid_step(bits, entries);
            let grid: Vec<i16> = rotated.iter().map(|&y| path::on_the_grid(step, y)).collect();
            let codes = path::path(bits, entries, step, &grid);
            let states = path::states(bits, &codes);
            codes.into_iter().zip(states).unzip()
        }
    };
    let rest = rotated.iter().zip(&numbers).map(|(y, number)| y - entries[*number]);
    let residual: Vec<u8> = rest.flat_map(|rest| f16::from_f32(rest).to_le_bytes()).collect();
    let builder = RecordBuilder::new(
        codec.hash().as_bytes(),
        config.dimension(),
        config.bit_width(),
        config.residual(),
    );
    let mut bytes = Vec::new();
    builder.unwrap().write(&codes, config.residual().then_some(&residual[..]), &mut bytes).unwrap();
    bytes
}

/// Compares all three ways on all rows; returns the number of codes.
fn compare(codecs: &[Codec], rows: &[f32]) -> usize {
    let d = codecs[0].config().dimension() as usize;
    let mut batches: Vec<Vec<u8>> = vec![b"kept".to_vec(); codecs.len()];
    for (codec, batch) in codecs.iter().zip(&mut batches) {
        codec.encode_batch(rows, batch).unwrap();
    }
    let mut rotated = vec![0.0; d];
    for (i, row) in rows.chunks_exact(d).enumerate() {
        codecs[0].rotation().apply(row, &mut rotated);
        for (codec, batch) in codecs.iter().zip(&batches) {
            let expected = by_the_book(codec, &rotated);
            assert_eq!(&batch[..4], b"kept");
            let in_batch = &batch[4 + i * expected.len()..][..expected.len()];
            assert!(in_batch == expected, "row {i} of a batch, {}", codec.config().canonical());
            let mut single = Vec::new();
            codec.encode(row, &mut single).unwrap();
            assert!(single == expected, "row {i} by itself, {}", codec.config().canonical());
        }
    }
    for (codec, batch) in codecs.iter().zip(&batches) {
        let record_len = batch.len().saturating_sub(4) / (rows.len() / d).max(1);
        compare_decoded(codec, &batch[4..], record_len);
    }
    rows.len() * codecs.len()
}

fn compare_decoded(codec: &Codec, batch: &[u8], record_len: usize) {
    let d = codec.config().dimension() as usize;
    let records: Vec<RecordView<'_>> =
        batch.chunks_exact(record_len).take(300).map(|bytes| RecordView::parse(bytes).unwrap()).collect();
    let mut decoded = vec![7.0; 3];
    codec.decode_batch(&records, &mut decoded).unwrap();
    assert_eq!(decoded.len(), 3 + records.len() * d);
    assert_eq!(decoded[..3], [7.0; 3]);
    for (record, vector) in records.iter().zip(decoded[3..].chunks_exact(d)) {
        let expected = codec.decode(record).unwrap();
        let norm = tq_codec::check_vector(&expected).unwrap();
        for (a, b) in vector.iter().zip(&expected) {
            assert!(f64::from((a - b).abs()) <= 1e-6 * norm, "decoded {a} in a batch, {b} by itself");
            assert!(codec.config().rotation() == RotationKind::Haar || a == b);
        }
    }
}

#[test]
fn random_rows() {
    let mut random = Random(21);
    let mut codes = 0;
    for (dimension, count) in
        [(1, 300), (3, 300), (33, 500), (100, 500), (129, 300), (384, 20_000), (700, 200)]
    {
        for kind in [RotationKind::Haar, RotationKind::Hadamard] {
            let count = if kind == RotationKind::Hadamard { count / 10 } else { count };
            let rotation = Arc::new(build_rotation(kind, BUILTIN_SEED, dimension).unwrap());
            let mut codecs = Vec::new();
            for width in BitWidth::ALL {
                codecs.push(lloyd_max(&rotation, width, false));
            }
            codecs.push(lloyd_max(&rotation, BitWidth::Four, true));
            codecs.push(lloyd_max(&rotation, BitWidth::Eight, true));
            let centre = random.vector(dimension as usize);
            for at in [0, 1, 2, 3] {
                codecs.push(codecs[at].clone().with_centre(&centre, &mut || {}).unwrap());
            }
            let rows: Vec<f32> = (0..count).flat_map(|_| random.unit_vector(dimension as usize)).collect();
            codes += compare(&codecs, &rows);
            let mut paths = trellises(&rotation);
            paths.extend(
                paths.clone().into_iter().map(|codec| codec.with_centre(&centre, &mut || {}).unwrap()),
            );
            // Their definition, word by word, takes longer.
            codes += compare(&paths, &rows[..rows.len().min(300 * dimension as usize)]);
        }
    }
    eprintln!("{codes} codes compared, none differs");
}

/// Of any length, with a codebook whose thresholds crowd around zero, where a zero row has all its values.
#[test]
fn awkward_rows() {
    let mut random = Random(22);
    let rotation = Arc::new(Rotation::haar(5, 64));
    let crowded = vec![-1e-7, 0.0, 1e-7, 1.0];
    let codecs = [false, true].map(|residual| {
        codec(&rotation, BitWidth::Two, residual, Codebook::new(BitWidth::Two, crowded.clone()).unwrap())
    });
    let mut rows = vec![0.0; 64];
    for i in 0..600 {
        let magnitude = 10f32.powi(i % 50 - 46);
        rows.extend(random.vector(64).iter().map(|x| x * magnitude));
    }
    rows.extend([f32::from_bits(1); 64]);
    rows.extend((0..64).map(|i| if i == 9 { 1.0 } else { 0.0 }));
    compare(&codecs, &rows);
    for magnitude in [1e-30, 1e-7, 1.0, 1e6] {
        let centre: Vec<f32> = random.vector(64).iter().map(|x| x * magnitude).collect();
        let centred = codecs.clone().map(|codec| codec.with_centre(&centre, &mut || {}).unwrap());
        // A residual has no more than half precision.
        compare(&centred[..if magnitude > 1.0 { 1 } else { 2 }], &rows);
    }

    // A residual has no more than half precision.
    let moderate: Vec<f32> = rows.iter().map(|x| if x.abs() < 1e4 { *x } else { 0.0 }).collect();
    compare(&trellises(&rotation), &moderate);
    compare(&trellises(&rotation)[..2], &rows);

    let mut great = vec![f32::MAX / 16.0; 64];
    great.extend((0..64).map(|i| if i == 9 { f32::MAX } else { 1.0 }));
    compare(&codecs[..1], &great);
    compare(&trellises(&rotation)[..2], &great);
}

#[test]
fn real_rows() {
    for part in ["data/debian-minilm/base.npy", "data/openai335/embeddings.npy"] {
        let Some(path) = common::shared(part) else { continue };
        let matrix = common::read_npy_f32(&path);
        let rows = &matrix.values[..matrix.rows.min(5000) * matrix.columns];
        let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, matrix.columns as u32));
        let plain = BitWidth::ALL.map(|width| lloyd_max(&rotation, width, false));
        let residual = BitWidth::ALL.map(|width| lloyd_max(&rotation, width, true));
        let mean: Vec<f32> = (0..matrix.columns)
            .map(|i| rows.iter().skip(i).step_by(matrix.columns).sum::<f32>() / matrix.rows.min(5000) as f32)
            .collect();
        let centred = plain.clone().map(|codec| codec.with_centre(&mean, &mut || {}).unwrap());
        let codes =
            compare(&centred, rows) + compare(&plain, rows) + compare(&residual, &rows[..rows.len() / 5]);
        let paths = trellises(&rotation);
        let centred = paths[..2].iter().map(|codec| codec.clone().with_centre(&mean, &mut || {}).unwrap());
        let centred: Vec<Codec> = centred.collect();
        let few = &rows[..(matrix.rows.min(5000) / 20) * matrix.columns];
        let codes = codes + compare(&paths, few) + compare(&centred, few);
        eprintln!("{part}: {codes} codes compared, none differs");
    }
}

#[test]
fn the_first_bad_row_is_named_and_nothing_is_written() {
    let mut random = Random(23);
    let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, 8));
    let builtin = Codec::builtin(8, BitWidth::Four, false, Arc::clone(&rotation)).unwrap();
    let rows: Vec<f32> = (0..400).flat_map(|_| random.unit_vector(8)).collect();
    let fails = |codec: &Codec, rows: &[f32]| {
        let mut out = b"kept".to_vec();
        let error = codec.encode_batch(rows, &mut out).unwrap_err();
        assert_eq!(out, b"kept");
        error
    };
    let mut bad = rows.clone();
    bad[300 * 8 + 2] = f32::NAN;
    assert!(matches!(
        fails(&builtin, &bad),
        BatchError { row: 300, source: CodecError::NotFinite { index: 2, .. } }
    ));
    bad[130 * 8..131 * 8].fill(0.0);
    assert_eq!(fails(&builtin, &bad), BatchError { row: 130, source: CodecError::ZeroVector });
    bad[129 * 8..130 * 8].fill(1.0);
    assert!(matches!(
        fails(&builtin, &bad),
        BatchError { row: 129, source: CodecError::NormOutOfRange { .. } }
    ));
    let short = BatchError { row: 399, source: CodecError::DimensionMismatch { expected: 8, got: 7 } };
    assert_eq!(fails(&builtin, &rows[..rows.len() - 1]), short);
    assert_eq!(short.to_string(), "row 399: expected 8 dimensions, not 7");

    // A residual that overflows is found after the rotation, and yet before a later row that isn't finite.
    let registered = codec(&rotation, BitWidth::Four, true, {
        Codebook::new(BitWidth::Four, (0..16).map(|i| i as f32).collect()).unwrap()
    });
    let mut bad = rows.clone();
    bad[20 * 8] = f32::INFINITY;
    bad[10 * 8] = 1e9;
    assert!(matches!(
        fails(&registered, &bad),
        BatchError { row: 10, source: CodecError::ResidualOverflow { .. } }
    ));

    let mut bytes = Vec::new();
    builtin.encode_batch(&rows[..24], &mut bytes).unwrap();
    let records: Vec<RecordView<'_>> =
        bytes.chunks_exact(bytes.len() / 3).map(|bytes| RecordView::parse(bytes).unwrap()).collect();
    let mut decoded = vec![1.0];
    let error = registered.decode_batch(&records[1..], &mut decoded).unwrap_err();
    assert!(matches!(error, BatchError { row: 0, source: CodecError::ConfigMismatch { .. } }));
    assert_eq!(decoded, [1.0]);
}

#[test]
fn no_rows_are_no_records() {
    let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, 8));
    let codec = lloyd_max(&rotation, BitWidth::Four, true);
    let (mut bytes, mut floats) = (Vec::new(), Vec::new());
    codec.encode_batch(&[], &mut bytes).unwrap();
    codec.decode_batch(&[], &mut floats).unwrap();
    assert!(bytes.is_empty() && floats.is_empty());
}

/// Several threads make what one makes, whatever the number of rows, and say which row is wrong.
#[test]
fn threads_make_the_same_records() {
    let d = 48;
    let rotation = Arc::new(build_rotation(RotationKind::Haar, BUILTIN_SEED, d).unwrap());
    for codec in [lloyd_max(&rotation, BitWidth::Four, false), trellis(&rotation, BitWidth::Two, false)] {
        check_threads(&rotation, &codec);
    }
}

fn check_threads(rotation: &Rotation, codec: &Codec) {
    let d = rotation.dimension();
    // What is made once has polls of its own.
    rotation.prepare(false, &mut || {});
    let mut random = Random(11);
    let all: Vec<f32> = (0..9000).flat_map(|_| random.unit_vector(d as usize)).collect();
    for threads in [1, 2, 3] {
        let workers = Workers::new(threads).unwrap();
        for count in [0, 1, 255, 257, 4097, 9000] {
            let rows = &all[..count * d as usize];
            let (mut one, mut several, mut polls) = (vec![7], vec![7], 0);
            codec.encode_batch(rows, &mut one).unwrap();
            codec.encode_batch_on(&workers, rows, &mut several, &mut || polls += 1).unwrap();
            assert!(one == several, "{count} rows on {threads} threads");
            assert_eq!(polls, count.div_ceil(4096 * threads));
        }
        for wrong in [0, 255, 256, 4095, 4096, 8999] {
            let mut rows = all.clone();
            rows[wrong * d as usize + 5] = f32::NAN;
            rows[8999 * d as usize + 5] = f32::NAN;
            let mut out = vec![7];
            let error = codec.encode_batch_on(&workers, &rows, &mut out, &mut || {}).unwrap_err();
            assert_eq!(error.row, wrong);
            assert!(matches!(error.source, CodecError::NotFinite { index: 5, .. }));
            assert_eq!(out, [7]);
        }
    }
}

/// Decoding likewise.
#[test]
fn threads_decode_the_same_vectors() {
    let d = 48;
    let rotation = Arc::new(build_rotation(RotationKind::Haar, BUILTIN_SEED, d).unwrap());
    let [codec, other] = [false, true].map(|residual| lloyd_max(&rotation, BitWidth::Four, residual));
    let mut random = Random(12);
    let rows: Vec<f32> = (0..1500).flat_map(|_| random.unit_vector(d as usize)).collect();
    let (mut bytes, mut foreign) = (Vec::new(), Vec::new());
    codec.encode_batch(&rows, &mut bytes).unwrap();
    other.encode_batch(&rows[..d as usize], &mut foreign).unwrap();
    let foreign = RecordView::parse(&foreign).unwrap();
    let all: Vec<RecordView<'_>> =
        bytes.chunks_exact(bytes.len() / 1500).map(|bytes| RecordView::parse(bytes).unwrap()).collect();
    for threads in [1, 2, 3] {
        let workers = Workers::new(threads).unwrap();
        assert_eq!(codec.round_rows(&workers), 4096 * threads);
        for count in [0, 1, 255, 257, 1500] {
            let (mut one, mut several) = (vec![7.0], vec![7.0]);
            codec.decode_batch(&all[..count], &mut one).unwrap();
            codec.decode_batch_on(&workers, &all[..count], &mut several).unwrap();
            assert_eq!(one.len(), several.len());
            let near = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-6;
            assert!(one.iter().zip(&several).all(near), "{count} records on {threads} threads");
        }
        for wrong in [0, 255, 256, 1499] {
            let mut records = all.clone();
            (records[wrong], records[1499]) = (foreign, foreign);
            let mut out = vec![7.0];
            let error = codec.decode_batch_on(&workers, &records, &mut out).unwrap_err();
            assert_eq!(error.row, wrong);
            assert!(matches!(error.source, CodecError::ConfigMismatch { .. }));
            assert_eq!(out, [7.0]);
        }
    }
}
