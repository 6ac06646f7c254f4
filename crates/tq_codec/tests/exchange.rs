//! One codec in both implementations, through the pair of files that TinyQuant's command line reads and writes.
//!
//! Its reader and writer of these files are in no published crate; the ones here do what it does, apart from ours.

mod common;

use std::sync::Arc;

use serde_json::{Value, json};
use tinyquant_core::codec as reference;
use tinyquant_io::{from_bytes, to_bytes};
use tq_codec::{CodeKind, Codebook, Codec, CodecConfig, CodecError, Rotation, RotationKind, sidecar, train};
use tq_format::{BitWidth, RecordView, tqcb};

const CASES: [(u32, BitWidth, bool, u64); 5] = [
    (33, BitWidth::Two, false, 7),
    (64, BitWidth::Four, false, u64::MAX),
    (96, BitWidth::Four, true, 42),
    (100, BitWidth::Eight, false, (1 << 53) + 1),
    (128, BitWidth::Two, true, 0),
];

/// Vectors of many lengths, as the built-in codebook would not serve them.
fn vectors(dimension: u32, count: usize) -> Vec<Vec<f32>> {
    let mut random = common::Random(u64::from(dimension));
    (0..count)
        .map(|i| random.vector(dimension as usize).iter().map(|x| x * (0.1 + i as f32 / 50.0)).collect())
        .collect()
}

fn rotated(vectors: &[Vec<f32>], rotation: &Rotation) -> Vec<f32> {
    let mut all = vec![0.0; vectors.len() * rotation.dimension() as usize];
    for (vector, out) in vectors.iter().zip(all.chunks_exact_mut(rotation.dimension() as usize)) {
        rotation.apply(vector, out);
    }
    all
}

/// The codec that TinyQuant makes of the files.
fn read_there(codebook: &[u8], json: &[u8]) -> reference::PreparedCodec {
    assert_eq!(codebook[..5], *b"TQCB\x01");
    let bits = codebook[5];
    assert_eq!(u32::from_le_bytes(codebook[8..12].try_into().unwrap()), 1 << bits);
    let entries: Vec<f32> = codebook[12..].as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    let json: Value = serde_json::from_slice(json).unwrap();
    let config = reference::CodecConfig::new(
        json["bit_width"].as_u64().unwrap().try_into().unwrap(),
        json["seed"].as_u64().unwrap(),
        json["dimension"].as_u64().unwrap().try_into().unwrap(),
        json["residual_enabled"].as_bool().unwrap(),
    )
    .unwrap();
    assert_eq!(json["config_hash"], **config.config_hash(), "the hash that it computes");
    let codebook = reference::Codebook::new(entries.into(), bits).unwrap();
    reference::PreparedCodec::new(config, codebook).unwrap()
}

/// The files that TinyQuant writes.
fn write_there(config: &reference::CodecConfig, codebook: &reference::Codebook) -> (Vec<u8>, Vec<u8>) {
    let mut bytes = b"TQCB\x01".to_vec();
    bytes.extend([config.bit_width(), 0, 0]);
    bytes.extend(codebook.num_entries().to_le_bytes());
    bytes.extend(codebook.entries().iter().flat_map(|entry| entry.to_le_bytes()));
    let json = json!({
        "bit_width": config.bit_width(),
        "seed": config.seed(),
        "dimension": config.dimension(),
        "residual_enabled": config.residual_enabled(),
        "config_hash": **config.config_hash(),
    });
    (bytes, serde_json::to_vec_pretty(&json).unwrap())
}

/// The codec that we make of the files.
fn read_here(codebook: &[u8], json: &[u8]) -> Codec {
    let (width, entries) = tqcb::parse(codebook).unwrap();
    let sidecar = sidecar::parse(json).unwrap();
    assert!(sidecar.hash_agrees());
    let config = sidecar.config;
    let rotation = Arc::new(Rotation::haar(config.seed(), config.dimension()));
    Codec::new(config, Codebook::new(width, entries).unwrap(), rotation).unwrap()
}

#[derive(Default)]
struct Counts {
    numbers: usize,
    different: usize,
}

impl Counts {
    /// Both decode the record of a vector to the same numbers, but for the last bit of a few: the sums of the rotation
    /// run in another order.
    fn compare(&mut self, record: &[u8], here: &Codec, there: &reference::PreparedCodec) {
        let ours = here.decode(&RecordView::parse(record).unwrap()).unwrap();
        let mut theirs = vec![0.0; ours.len()];
        let their_record = from_bytes(record).unwrap();
        reference::Codec::new().decompress_prepared_into(&their_record, there, &mut theirs).unwrap();
        let scale = theirs.iter().fold(0f32, |max, x| max.max(x.abs()));
        for (a, b) in ours.iter().zip(&theirs) {
            assert!((a - b).abs() <= 1e-6 * scale, "{a} here, {b} there");
            self.numbers += 1;
            self.different += usize::from(a.to_bits() != b.to_bits());
        }
    }

    /// Records made on either side, decoded on both.
    fn exchange(&mut self, vectors: &[Vec<f32>], here: &Codec, there: &reference::PreparedCodec) {
        for vector in vectors {
            let mut record = Vec::new();
            here.encode(vector, &mut record).unwrap();
            self.compare(&record, here, there);
            let record = to_bytes(&reference::Codec::new().compress_prepared(vector, there).unwrap());
            self.compare(&record, here, there);
        }
    }

    fn report(&self, name: &str) {
        eprintln!(
            "{name}: {} numbers decoded on both sides, {} differ in bits",
            self.numbers, self.different
        );
        assert!(self.numbers > 10_000 && self.different * 1000 <= self.numbers);
    }
}

#[test]
fn codebook_trained_here_serves_there() {
    let mut counts = Counts::default();
    for (dimension, width, residual, seed) in CASES {
        let vectors = vectors(dimension, 60);
        let rotation = Arc::new(Rotation::haar(seed, dimension));
        let codebook = train::lloyd(&mut rotated(&vectors, &rotation), width, &mut || ()).unwrap();
        let config = CodecConfig::new(width, seed, dimension, residual, RotationKind::Haar).unwrap();
        let files = (tqcb::encode(width, codebook.entries()), sidecar::write(&config).unwrap());
        let here = Codec::new(config, codebook, rotation).unwrap();
        let there = read_there(&files.0, files.1.as_bytes());
        assert_eq!(there.codebook().entries(), here.codebook().entries());
        counts.exchange(&vectors, &here, &there);
    }
    counts.report("trained here");
}

#[test]
fn codebook_trained_there_serves_here() {
    let mut counts = Counts::default();
    for (dimension, width, residual, seed) in CASES {
        let vectors = vectors(dimension, 60);
        let config = reference::CodecConfig::new(width.bits(), seed, dimension, residual).unwrap();
        // As its command line trains, without rotating.
        let codebook = reference::Codebook::train(&vectors.concat(), &config).unwrap();
        let files = write_there(&config, &codebook);
        let here = read_here(&files.0, &files.1);
        assert_eq!(here.hash().as_str(), &**config.config_hash());
        assert_eq!(tqcb::encode(width, here.codebook().entries()), files.0, "the same file again");
        let there = reference::PreparedCodec::new(config, codebook).unwrap();
        counts.exchange(&vectors, &here, &there);
    }
    counts.report("trained there");
}

#[test]
fn builtin_codec_serves_there() {
    let mut counts = Counts::default();
    for (dimension, width, residual) in [(64, BitWidth::Four, false), (96, BitWidth::Eight, true)] {
        let rotation = Arc::new(Rotation::haar(tq_codec::BUILTIN_SEED, dimension));
        let here = Codec::builtin(dimension, width, residual, rotation).unwrap();
        let json = sidecar::write(here.config()).unwrap();
        let there = read_there(&tqcb::encode(width, here.codebook().entries()), json.as_bytes());
        let mut random = common::Random(9);
        let vectors: Vec<_> = (0..60).map(|_| random.unit_vector(dimension as usize)).collect();
        counts.exchange(&vectors, &here, &there);
    }
    counts.report("built in");
}

/// To TinyQuant a record of trellis codes is a valid one of a codec that it doesn't know.
#[test]
fn trellis_records_are_refused_there() {
    for width in [BitWidth::Two, BitWidth::Four] {
        let config = CodecConfig::new(width, 5, 64, true, RotationKind::Haar).unwrap();
        let config = config.with_codes(CodeKind::Trellis).unwrap();
        let codebook = Codebook::builtin(CodeKind::Trellis, width, 64).unwrap();
        let here = Codec::new(config, codebook, Arc::new(Rotation::haar(5, 64))).unwrap();
        let mut record = Vec::new();
        here.encode(&common::Random(4).unit_vector(64), &mut record).unwrap();
        let read = from_bytes(&record).unwrap();
        assert_eq!(to_bytes(&read), record, "read and written again");
        let standard = Codebook::lloyd_max(width, 64);
        let their_config = reference::CodecConfig::new(width.bits(), 5, 64, true).unwrap();
        let their_book = reference::Codebook::new(standard.entries().into(), width.bits()).unwrap();
        let there = reference::PreparedCodec::new(their_config, their_book).unwrap();
        let mut out = vec![0.0; 64];
        assert!(reference::Codec::new().decompress_prepared_into(&read, &there, &mut out).is_err());
    }
}

/// TinyQuant ignores the name of a rotation that it doesn't know, but not the hash in a record.
#[test]
fn hadamard_records_are_refused_there() {
    let config = CodecConfig::new(BitWidth::Four, 5, 64, false, RotationKind::Hadamard).unwrap();
    let codebook = Codebook::lloyd_max(BitWidth::Four, 64);
    let rotation = Arc::new(Rotation::hadamard(5, 64));
    let here = Codec::new(config, codebook.clone(), rotation).unwrap();
    let their_config = reference::CodecConfig::new(4, 5, 64, false).unwrap();
    let their_book = reference::Codebook::new(codebook.entries().into(), 4).unwrap();
    let there = reference::PreparedCodec::new(their_config, their_book).unwrap();
    let vector = common::Random(3).unit_vector(64);
    let mut record = Vec::new();
    here.encode(&vector, &mut record).unwrap();
    let mut out = vec![0.0; 64];
    let refused =
        reference::Codec::new().decompress_prepared_into(&from_bytes(&record).unwrap(), &there, &mut out);
    assert!(refused.is_err());
    let record = to_bytes(&reference::Codec::new().compress_prepared(&vector, &there).unwrap());
    let refused = here.decode(&RecordView::parse(&record).unwrap());
    assert!(matches!(refused, Err(CodecError::ConfigMismatch { .. })));
}
