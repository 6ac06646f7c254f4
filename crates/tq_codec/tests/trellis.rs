//! Trellis codes: the fixed tables anew, what they leave of normal values, and the document's test vectors.

mod common;
#[path = "common/trellis_table.rs"]
mod trellis_table;

use common::Random;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tq_codec::{
    BUILTIN_SEED, CodeKind, Codebook, Codec, CodecConfig, CodecError, Rotation, RotationKind, trellis,
};
use tq_format::{BitWidth, RecordView};
use tq_simd::{Level, Trellis, TrellisRoom, Width};
use trellis_table::{SEEDS, derive, error_of, normals, schedule};

const WIDTHS: [BitWidth; 2] = [BitWidth::Two, BitWidth::Four];

/// What `docs/trellis.md` and the module say of the tables.
const ERRORS: [f64; 2] = [0.0774, 0.00603];

/// The tables follow from their seeds.
#[test]
fn tables_are_derived_anew() {
    for (width, seed) in WIDTHS.into_iter().zip(SEEDS) {
        let table = trellis::lower_half(width).unwrap();
        let (derived, _) = derive(width, seed, &schedule());
        for (state, (entry, derived)) in table.iter().zip(derived).enumerate() {
            assert!((entry - derived).abs() <= 1e-9, "{width:?}, state {state}: {entry}, derived {derived}");
        }
    }
    assert!(trellis::lower_half(BitWidth::Eight).is_none());
}

/// Values that no table was made for: within 1 % of what the documents say.
#[test]
fn errors_are_as_stated() {
    let values = normals(77, 400);
    for (width, stated) in WIDTHS.into_iter().zip(ERRORS) {
        let error = error_of(width, trellis::lower_half(width).unwrap(), &values);
        eprintln!("{} bits: squared error {error:.5}, stated {stated}", width.bits());
        assert!((error / stated - 1.0).abs() < 0.01, "{width:?}: {error}, stated {stated}");
    }
}

/// The same through codecs: rotated, encoded in batches, decoded.
#[test]
fn codecs_lose_as_much() {
    for kind in [RotationKind::Haar, RotationKind::Hadamard] {
        for (width, stated) in WIDTHS.into_iter().zip(ERRORS) {
            let dimension = 384;
            let rotation = Arc::new(tq_codec::build_rotation(kind, BUILTIN_SEED, dimension).unwrap());
            let config = CodecConfig::new(width, BUILTIN_SEED, dimension, false, kind).unwrap();
            let config = config.with_codes(CodeKind::Trellis).unwrap();
            let codec = Codec::builtin_of(config, rotation).unwrap();
            assert!(codec.is_builtin());
            let mut random = Random(5);
            let rows: Vec<f32> = (0..800).flat_map(|_| random.unit_vector(dimension as usize)).collect();
            let mut records = Vec::new();
            codec.encode_batch(&rows, &mut records).unwrap();
            let len = records.len() / 800;
            let mut decoded = Vec::new();
            let views: Vec<_> =
                records.chunks_exact(len).map(|bytes| RecordView::parse(bytes).unwrap()).collect();
            codec.decode_batch(&views, &mut decoded).unwrap();
            let error = common::relative_squared_error(&rows, &decoded);
            eprintln!("{kind}, {} bits: {error:.5}", width.bits());
            // Coordinates of unit vectors have slightly lighter tails than normal values.
            assert!((error / stated - 1.0).abs() < 0.02, "{kind}, {width:?}: {error}, stated {stated}");
        }
    }
}

/// A record is exactly as long as a scalar one, and says nothing else of itself than its hash.
#[test]
fn records_have_their_length() {
    let rotation = Arc::new(Rotation::hadamard(BUILTIN_SEED, 33));
    for width in WIDTHS {
        for residual in [false, true] {
            let config = CodecConfig::new(width, BUILTIN_SEED, 33, residual, RotationKind::Hadamard).unwrap();
            let record = |codes| {
                let config = config.with_codes(codes).unwrap();
                let codec = Codec::builtin_of(config, Arc::clone(&rotation)).unwrap();
                let mut bytes = Vec::new();
                codec.encode(&Random(1).unit_vector(33), &mut bytes).unwrap();
                (codec.hash().to_string(), bytes)
            };
            let ((scalar_hash, scalar), (hash, bytes)) =
                (record(CodeKind::Scalar), record(CodeKind::Trellis));
            assert_eq!(scalar.len(), bytes.len());
            assert_ne!(scalar_hash, hash);
            assert_eq!(RecordView::parse(&bytes).unwrap().config_hash(), hash);
        }
    }
}

#[test]
fn names_and_hashes() {
    let config =
        CodecConfig::builtin(384, BitWidth::Two, false).unwrap().with_codes(CodeKind::Trellis).unwrap();
    let canonical =
        "CodecConfig(bit_width=2,seed=1414611798,dimension=384,residual_enabled=False,codes=trellis)";
    assert_eq!(config.canonical(), canonical);
    let all = CodecConfig::new(BitWidth::Four, 7, 2, true, RotationKind::Hadamard).unwrap();
    let all = all.with_codes(CodeKind::Trellis).unwrap().with_centre(&[1.0, 2.0]).unwrap();
    assert!(all.canonical().starts_with(
        "CodecConfig(bit_width=4,seed=7,dimension=2,residual_enabled=True,rotation=hadamard,codes=trellis,centre="
    ));
}

#[test]
fn what_there_is_not() {
    let eight = CodecConfig::builtin(8, BitWidth::Eight, false).unwrap();
    assert_eq!(eight.with_codes(CodeKind::Trellis), Err(CodecError::TrellisOfEightBits));
    assert_eq!(Codebook::of_trellis(BitWidth::Eight, vec![0.0; 256]), Err(CodecError::TrellisOfEightBits));
    let of = |entries| Codebook::of_trellis(BitWidth::Two, entries);
    assert_eq!(
        of(vec![1.0; 4]),
        Err(CodecError::CodebookCount { codes: CodeKind::Trellis, bits: 2, expected: 256, got: 4 })
    );
    assert_eq!(of(vec![0.0; 256]), Err(CodecError::TrellisRange { largest: 0.0 }));
    assert_eq!(of(vec![1e31; 256]), Err(CodecError::TrellisRange { largest: 1e31 }));
    let mut entries = vec![1.0; 256];
    entries[200] = f32::NAN;
    assert_eq!(of(entries), Err(CodecError::CodebookNotFinite { index: 200 }));
    let two = CodecConfig::builtin(8, BitWidth::Two, false).unwrap();
    let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, 8));
    let mixed = Codec::new(two, Codebook::builtin(CodeKind::Trellis, BitWidth::Two, 8).unwrap(), rotation);
    assert_eq!(
        mixed.unwrap_err(),
        CodecError::CodesMismatch { expected: CodeKind::Scalar, got: CodeKind::Trellis }
    );
}

/// A row of the document's table of test vectors.
fn documented(bits: u32, d: usize) -> String {
    let width = BitWidth::from_bits(bits).unwrap();
    let codebook = Codebook::fixed_trellis(width, 1.0).unwrap();
    let kind = if bits == 2 { Width::TrellisTwo } else { Width::TrellisFour };
    let trellis = Trellis::new(kind, codebook.entries()).unwrap();
    let values: Vec<f32> = (0..d).map(|i| ((7 * i + 3) % 31) as f32 / 8.0 - 1.875).collect();
    let (mut grid, mut codes) = (vec![0; d], vec![0; d]);
    trellis.round(Level::detect(), &values, &mut grid);
    trellis.encode(Level::detect(), d, &grid, &mut codes, &mut TrellisRoom::default()).unwrap();
    let mut record = Vec::new();
    for chunk in codes.chunks(8 / bits as usize) {
        record.push(chunk.iter().rev().fold(0u8, |byte, code| byte << bits | code));
    }
    let hex: String = record.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("| {bits} | {d} | {hex} |")
}

#[test]
fn vectors_are_the_documents() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/trellis.md");
    let text = fs::read_to_string(path).unwrap();
    let is_vector =
        |line: &&str| line.starts_with("| ") && line.matches('|').count() == 4 && !line.contains("codes");
    let rows: Vec<&str> = text.lines().filter(|line| is_vector(line) && !line.contains("---")).collect();
    let expected: Vec<String> =
        [2, 4].into_iter().flat_map(|bits| [1, 2, 5, 16, 33, 64].map(|d| documented(bits, d))).collect();
    assert_eq!(rows, expected, "write them so:\n{}", expected.join("\n"));
    // And the tables of entries: four a line, by state.
    for width in WIDTHS {
        for entries in trellis::lower_half(width).unwrap().chunks(4) {
            let line = entries.iter().map(|entry| format!("{entry:?}")).collect::<Vec<_>>().join(" ");
            assert!(text.contains(&line), "missing: {line}");
        }
    }
}
