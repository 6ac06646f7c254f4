//! Configuration hashes against the reference implementation, live and recorded.

mod common;

use tinyquant_core::codec::CodecConfig as Reference;
use tq_codec::{BUILTIN_SEED, CodecConfig, CodecError, RotationKind, sidecar};
use tq_format::BitWidth;

#[test]
fn hashes_equal_the_references() {
    let mut compared = 0;
    for width in BitWidth::ALL {
        for seed in [0, 1, 42, BUILTIN_SEED, i64::MAX as u64, u64::MAX] {
            for dimension in [1, 2, 3, 100, 384, 1536, 16384] {
                for residual in [false, true] {
                    let ours =
                        CodecConfig::new(width, seed, dimension, residual, RotationKind::Haar).unwrap();
                    let theirs = Reference::new(width.bits(), seed, dimension, residual).unwrap();
                    assert_eq!(ours.hash().as_str(), &**theirs.config_hash(), "{}", ours.canonical());
                    compared += 1;
                }
            }
        }
    }
    assert_eq!(compared, 252);
}

#[test]
fn a_hash_known_by_heart() {
    // `printf '%s' '<canonical>' | sha256sum` gives the same.
    let config = CodecConfig::new(BitWidth::Four, 42, 64, true, RotationKind::Haar).unwrap();
    assert_eq!(config.canonical(), "CodecConfig(bit_width=4,seed=42,dimension=64,residual_enabled=True)");
    let hash = config.hash();
    assert_eq!(hash.as_str(), "751b5d0e4a1cefe13e11c805fa4d02adee6e863fc133443bbbeb6db0a8732089");
    assert_eq!(hash.to_string().as_bytes(), hash.as_bytes());
}

#[test]
fn hashes_equal_the_recorded_ones() {
    let Some(directory) = common::shared("golden/dev/tqcv") else { return };
    let files = common::files(&directory, ".config.json");
    for path in &files {
        let json = std::fs::read(path).unwrap();
        let sidecar = sidecar::parse(&json).unwrap();
        assert!(sidecar.stated_hash.is_some() && sidecar.hash_agrees(), "{}", path.display());
        let case = path.to_str().unwrap().replace(".config.json", ".json");
        let case: serde_json::Value = serde_json::from_slice(&std::fs::read(case).unwrap()).unwrap();
        assert_eq!(case["canonical"], sidecar.config.canonical());
        assert_eq!(sidecar::write(&sidecar.config).unwrap().as_bytes(), json, "{}", path.display());
    }
    eprintln!("{} sidecars read and written to the byte", files.len());
}

#[test]
fn hadamard_has_a_hash_of_its_own() {
    let new = |rotation| CodecConfig::new(BitWidth::Two, 7, 8, false, rotation).unwrap();
    let (haar, hadamard) = (new(RotationKind::Haar), new(RotationKind::Hadamard));
    assert_eq!(
        hadamard.canonical(),
        "CodecConfig(bit_width=2,seed=7,dimension=8,residual_enabled=False,rotation=hadamard)"
    );
    assert_ne!(haar.hash(), hadamard.hash());
    for kind in [RotationKind::Haar, RotationKind::Hadamard] {
        assert_eq!(RotationKind::from_name(kind.name()), Some(kind));
    }
    assert_eq!(RotationKind::from_name("Haar"), None);
}

/// The vectors of `docs/formats.md`: `printf '%s' '<canonical>' | sha256sum` gives the same.
#[test]
fn a_centre_has_a_part_in_the_hash() {
    let centre = [0.5, -1.0, 0.25];
    let bytes: Vec<u8> = centre.iter().flat_map(|x: &f32| x.to_le_bytes()).collect();
    assert_eq!(bytes, [0, 0, 0, 0x3f, 0, 0, 0x80, 0xbf, 0, 0, 0x80, 0x3e]);
    let of = "17848b710dd45e3b40690530f3fd6381eca7e9ded32dbfabfc49ec9552ef4a98";
    for (rotation, name, hash) in [
        (RotationKind::Haar, "", "6e6717f19a67f84e0971c34ea2830b057635c853917e4a0eea7dc7b946add1f4"),
        (
            RotationKind::Hadamard,
            ",rotation=hadamard",
            "eec5d4922d09b727b014e76f38e2a427bfc9c154f90a9dcfb30234a0fa6f01c1",
        ),
    ] {
        let config = CodecConfig::new(BitWidth::Four, 7, 3, false, rotation).unwrap();
        let centred = config.with_centre(&centre).unwrap();
        assert_eq!(centred.centre().unwrap().to_string(), of);
        assert_eq!(
            centred.canonical(),
            format!("CodecConfig(bit_width=4,seed=7,dimension=3,residual_enabled=False{name},centre={of})")
        );
        assert_eq!(centred.hash().as_str(), hash);
        assert_ne!(centred.hash(), config.hash());
        assert_ne!(centred.hash(), config.with_centre(&[0.5, -1.0, -0.25]).unwrap().hash());
    }
    let error = CodecConfig::builtin(3, BitWidth::Four, false).unwrap().with_centre(&[1.0]).unwrap_err();
    assert_eq!(error, CodecError::CentreLength { expected: 3, got: 1 });
}

#[test]
fn dimensions_are_bounded() {
    for dimension in [0, 16385, u32::MAX] {
        assert_eq!(
            CodecConfig::builtin(dimension, BitWidth::Four, false),
            Err(CodecError::DimensionOutOfRange { dimension: dimension.into() })
        );
    }
    assert_eq!(CodecConfig::builtin(16384, BitWidth::Four, false).unwrap().seed(), BUILTIN_SEED);
    assert_eq!(BUILTIN_SEED, u64::from(u32::from_be_bytes(*b"TQCV")));
}
