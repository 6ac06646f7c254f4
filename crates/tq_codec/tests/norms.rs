//! Norms of decoded records, and the rule about norms: what a codec has done to a vector doesn't keep it from being compressed again,
//! and data of another length are refused.

mod common;

use std::sync::Arc;
use tq_codec::{BUILTIN_SEED, Codebook, Codec, CodecConfig, CodecError, Rotation, RotationKind, train};
use tq_format::{BitWidth, RecordView};

const WIDTHS: [BitWidth; 3] = [BitWidth::Two, BitWidth::Four, BitWidth::Eight];

/// The built-in codecs of all widths, without residual.
fn builtin(dimension: u32) -> [Codec; 3] {
    let rotation = Arc::new(Rotation::hadamard(BUILTIN_SEED, dimension));
    WIDTHS.map(|width| Codec::builtin(dimension, width, false, rotation.clone()).unwrap())
}

fn record(codec: &Codec, vector: &[f32]) -> Vec<u8> {
    let mut record = Vec::new();
    codec.encode(vector, &mut record).unwrap();
    record
}

fn decoded(codec: &Codec, vector: &[f32]) -> Vec<f32> {
    codec.decode(&RecordView::parse(&record(codec, vector)).unwrap()).unwrap()
}

/// Compresses to each width, and what that decodes to, to each width again; returns the least and the greatest norm between.
fn recompress(codecs: &[Codec; 3], vectors: impl Iterator<Item = Vec<f32>>) -> (f64, f64) {
    let (mut least, mut greatest) = (f64::INFINITY, 0.0f64);
    let mut out = Vec::new();
    for vector in vectors {
        for from in codecs {
            let between = decoded(from, &vector);
            let norm = tq_codec::check_vector(&between).unwrap();
            (least, greatest) = (least.min(norm), greatest.max(norm));
            for to in codecs {
                out.clear();
                let made = to.encode(&between, &mut out);
                assert_eq!(made, Ok(()), "{from:?} to {to:?}: norm {norm}");
            }
        }
    }
    (least, greatest)
}

#[test]
fn decoded_random_vectors_are_compressed_again() {
    let mut random = common::Random(3);
    for dimension in (1..=40).chain([48, 64, 96, 100, 128, 200, 256, 384, 768, 1536, 3072]) {
        let rows = (60_000 / dimension as usize).clamp(60, 3000);
        let codecs = builtin(dimension);
        recompress(&codecs, (0..rows).map(|_| random.unit_vector(dimension as usize)));
        // One direction alone, and all directions alike.
        let one = |i: usize| (0..dimension as usize).map(|j| f32::from(u8::from(i == j))).collect();
        recompress(&codecs, (0..dimension.min(8) as usize).map(one));
        recompress(&codecs, [vec![1.0 / (dimension as f32).sqrt(); dimension as usize]].into_iter());
    }
}

#[test]
fn decoded_embeddings_are_compressed_again() {
    let sets = ["data/openai335/embeddings.npy", "data/debian-e5/base.npy", "data/debian-minilm/base.npy"];
    for set in sets {
        let Some(path) = common::shared(set) else { return };
        let matrix = common::read_npy_f32(&path);
        // A prefix of a vector, scaled again, is an embedding as well, for models that are made for it.
        for dimension in [matrix.columns, 256, 64, 16, 8, 2] {
            let units = (0..matrix.rows.min(5000))
                .map(|row| tq_codec::normalize(&matrix.row(row)[..dimension]).unwrap());
            let (least, greatest) = recompress(&builtin(dimension as u32), units);
            eprintln!("{set}, {dimension} dimensions: norms from {least:.3} to {greatest:.3}");
        }
    }
}

/// At the rule's edge the squared error is greater than at 1, by less than half where there are many dimensions.
#[test]
fn errors_at_the_edge() {
    let mut random = common::Random(4);
    let dimension = 384;
    let codecs = builtin(dimension);
    for codec in &codecs {
        let mut errors = [0.0; 3];
        for _ in 0..200 {
            let unit = random.unit_vector(dimension as usize);
            for (norm, error) in [1.0, 0.8, 1.2].into_iter().zip(&mut errors) {
                let vector: Vec<f32> = unit.iter().map(|x| norm * x).collect();
                *error += common::relative_squared_error(&vector, &decoded(codec, &vector));
            }
        }
        let [at_one, below, above] = errors;
        eprintln!("{:?}: {below:.3e} {at_one:.3e} {above:.3e}", codec.config().bit_width());
        assert!(below > at_one && above > at_one, "{errors:?}");
        assert!(below < 1.5 * at_one && above < 1.5 * at_one, "{errors:?}");
    }
}

#[test]
fn data_of_another_length_are_refused() {
    for (dimension, tolerance) in [(2u32, 0.55), (64, 0.35), (384, 0.2020), (1536, 0.1510)] {
        let codecs = builtin(dimension);
        let vector = |norm: f64| vec![(norm / f64::from(dimension).sqrt()) as f32; dimension as usize];
        for codec in &codecs {
            let mut out = Vec::new();
            for norm in [1.0 - tolerance + 0.001, 1.0 + tolerance - 0.001] {
                assert_eq!(codec.encode(&vector(norm), &mut out), Ok(()), "{dimension}: {norm}");
            }
            for norm in [0.1, 1.0 - tolerance - 0.001, 1.0 + tolerance + 0.001, 7.3] {
                let refused = codec.encode(&vector(norm), &mut out);
                assert!(matches!(refused, Err(CodecError::NormOutOfRange { .. })), "{dimension}: {norm}");
            }
        }
    }
}

/// Where the records are known to be of the built-in codec, nothing is refused, however far from 1 they decode to.
#[test]
fn records_of_a_known_codec_are_recompressed() {
    let dimension = 384;
    let codecs = builtin(dimension);
    let rotation = codecs[0].rotation().clone();
    let vector = |norm: f32| {
        let mut vector = vec![0.0; dimension as usize];
        vector[7] = norm;
        vector
    };
    // Made of entries alone, as no vector of unit length is.
    let mut record = record(&codecs[0], &vector(1.0));
    let codes = tq_format::RECORD_HEADER_LEN..tq_format::RECORD_HEADER_LEN + dimension as usize / 4;
    record[codes].fill(0b0101_0101);
    let view = RecordView::parse(&record).unwrap();
    let short = codecs[0].decode(&view).unwrap();
    assert!(tq_codec::check_vector(&short).unwrap() < 0.5);
    let mut out = Vec::new();
    for to in &codecs {
        let refused = to.encode(&short, &mut out);
        assert!(matches!(refused, Err(CodecError::NormOutOfRange { .. })), "{refused:?}");
        assert_eq!(to.recompressing(&codecs[0]).encode(&short, &mut out), Ok(()));
        assert_eq!(to.recompressing(&codecs[0]).encode_batch(&short, &mut out).map_err(|e| e.source), Ok(()));
    }

    // What a record with residual or of another codec decodes to may really be of another length.
    let residual = Codec::builtin(dimension, BitWidth::Two, true, rotation.clone()).unwrap();
    let config = CodecConfig::new(BitWidth::Two, 7, dimension, false, RotationKind::Hadamard).unwrap();
    let scaled = Codebook::new(BitWidth::Two, vec![-0.5, -0.1, 0.1, 0.5]).unwrap();
    let other = Codec::new(config, scaled, Arc::new(Rotation::hadamard(7, dimension))).unwrap();
    for from in [&residual, &other] {
        for to in &codecs {
            let refused = to.recompressing(from).encode(&decoded(from, &vector(7.3)), &mut out);
            assert!(matches!(refused, Err(CodecError::NormOutOfRange { .. })), "{refused:?}");
        }
    }
}

/// TinyQuant's own codebooks lose more, and so decode further from 1.
#[test]
fn records_of_tinyquants_recipe_are_recompressed() {
    for set in ["data/openai335/embeddings.npy", "data/debian-e5/base.npy", "data/debian-minilm/base.npy"] {
        let Some(path) = common::shared(set) else { return };
        let matrix = common::read_npy_f32(&path);
        let dimension = matrix.columns as u32;
        let rotation = Arc::new(Rotation::hadamard(42, dimension));
        for width in [BitWidth::Two, BitWidth::Four] {
            let mut sample = matrix.values[..matrix.columns * 300].to_vec();
            let codebook = train::quantile(&mut sample, width, &mut || {}).unwrap();
            let config = CodecConfig::new(width, 42, dimension, false, RotationKind::Hadamard).unwrap();
            let from = Codec::new(config, codebook, rotation.clone()).unwrap();
            let (mut least, mut greatest) = (f64::INFINITY, 0.0f64);
            let mut out = Vec::new();
            for row in 0..matrix.rows.min(2000) {
                let between = decoded(&from, &tq_codec::normalize(matrix.row(row)).unwrap());
                let norm = tq_codec::check_vector(&between).unwrap();
                (least, greatest) = (least.min(norm), greatest.max(norm));
                for to in &builtin(dimension) {
                    assert_eq!(to.recompressing(&from).encode(&between, &mut out), Ok(()), "norm {norm}");
                }
            }
            eprintln!("{set}, {width:?}: norms from {least:.3} to {greatest:.3}");
        }
    }
}
