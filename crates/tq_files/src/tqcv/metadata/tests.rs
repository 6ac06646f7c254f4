//! What is written comes back, what is foreign is passed over, what is broken is an error.

use tq_codec::{CodecConfig, RotationKind};
use tq_format::BitWidth;

use super::*;

fn round_trip(metadata: &Metadata, records: u64) -> Metadata {
    let bytes = metadata.encode().unwrap();
    Metadata::parse(&bytes, records).unwrap().unwrap()
}

#[test]
fn codecs_come_back_bit_by_bit() {
    for rotation in [RotationKind::Haar, RotationKind::Hadamard] {
        for (width, seed) in
            [(BitWidth::Two, 0), (BitWidth::Four, (1 << 53) + 1), (BitWidth::Eight, u64::MAX)]
        {
            let config = CodecConfig::new(width, seed, 100, seed == 0, rotation).unwrap();
            let entries = (0..width.levels()).map(|k| (k as f32 - 7.7) * 0.012_345_679).collect();
            for codebook in [Codebook::new(width, entries).unwrap(), Codebook::lloyd_max(width, 100)] {
                let definition = CodecDefinition::new(config, codebook, None).unwrap();
                let metadata = Metadata { codec: Some(definition), ..Metadata::default() };
                assert_eq!(round_trip(&metadata, 0), metadata);
            }
        }
    }
    // The standard codebook goes without saying.
    let config = CodecConfig::new(BitWidth::Eight, 1, 100, false, RotationKind::Haar).unwrap();
    let codebook = Codebook::lloyd_max(BitWidth::Eight, 100);
    let definition = CodecDefinition::new(config, codebook.clone(), None).unwrap();
    let metadata = Metadata { codec: Some(definition), ..Metadata::default() };
    assert!(metadata.encode().unwrap().len() < 300);
    // A centre is part of the codec, to the bit.
    let centre: Vec<f32> = (0..100).map(|i| (i as f32 - 50.3) * 1.234_567_9e-20).collect();
    let definition = CodecDefinition::new(config, codebook, Some(centre)).unwrap();
    let metadata = Metadata { codec: Some(definition), ..Metadata::default() };
    assert_eq!(round_trip(&metadata, 0), metadata);
}

#[test]
fn ids_come_back() {
    for ids in [
        Ids::Bigint(vec![]),
        Ids::Bigint((1..=100_000).collect()),
        Ids::Bigint(vec![i64::MIN, i64::MAX, 0, 5, 6, 7, i64::MAX - 1, i64::MAX, i64::MIN]),
        Ids::Bigint((i64::MAX - 9..=i64::MAX).collect()),
        Ids::Uuid(vec![[0; 16], std::array::from_fn(|i| i as u8 * 17), [255; 16]]),
        Ids::Text(vec![String::new(), "a\"b\\".into(), "ü\u{0}\n".into()]),
    ] {
        let count = ids.len() as u64;
        let metadata = Metadata {
            ids: Some(ids),
            user: Some("{\"model\": \"x\", \"tinyquant\": {}}".into()),
            ..Metadata::default()
        };
        assert_eq!(round_trip(&metadata, count), metadata);
        let bytes = metadata.encode().unwrap();
        assert!(matches!(Metadata::parse(&bytes, count + 1), Err(MetadataError::Malformed { .. })));
    }
    let many = Metadata { ids: Some(Ids::Bigint((1..=10_000_000).collect())), ..Metadata::default() };
    assert!(many.encode().unwrap().len() < 100);
}

#[test]
fn too_many_ids_are_refused() {
    let ids = Ids::Bigint((0..2_000_000).map(|i| i * 1_000_003).collect());
    let error = Metadata { ids: Some(ids), ..Metadata::default() }.encode().unwrap_err();
    assert!(matches!(error, MetadataError::TooLong { bytes, ids } if ids > 16 << 20 && bytes > ids));
}

#[test]
fn what_the_user_added_stays_to_the_byte() {
    for user in [
        "{\"b\": 1,  \"a\":\t2, \"b\": 3}",
        "[12345678901234567890123, 0.10000000000000000000000001, 1e400, -0]",
        "{\"\\u00e9\": \"\\ud83d\\ude00 \\/ \\ud800\", \"ü\": \"é\"}",
        "1.0",
        "\"[[\\\"{{\"",
        "null",
    ] {
        let metadata = Metadata { user: Some(user.into()), ..Metadata::default() };
        assert_eq!(round_trip(&metadata, 0), metadata);
        // Written again, it is the same file.
        let bytes = metadata.encode().unwrap();
        assert_eq!(Metadata::parse(&bytes, 0).unwrap().unwrap().encode().unwrap(), bytes);
    }
    let nested = |levels| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    for broken in ["", "{", "{} {}", "{'a': 1}", "01", "\"\\x\"", "nul", &nested(128), &nested(1 << 20)] {
        let error = check_json(broken).unwrap_err();
        let metadata = Metadata { user: Some(broken.into()), ..Metadata::default() };
        if broken.starts_with("[[") {
            assert_eq!(error.to_string(), "more than 127 levels");
            let bytes = metadata.encode().unwrap();
            assert!(matches!(Metadata::parse(&bytes, 0), Err(MetadataError::Malformed { .. })));
            assert!(Metadata::parse_ours(&bytes, 0).unwrap().is_some());
        } else {
            assert!(matches!(metadata.encode(), Err(MetadataError::Malformed { .. })), "{broken}");
        }
    }
    assert!(check_json(&nested(127)).is_ok());
}

#[test]
fn what_is_not_ours_is_passed_over() {
    assert_eq!(Metadata::default().encode().unwrap(), b"");
    for foreign in [
        "",
        "\0\u{1}",
        "{}",
        "[1]",
        "[[1], 2]",
        "{\"model\": 1}",
        "{\"tinyquant\": 1}",
        "{\"tinyquant\": [1]}",
        "{\"tinyquant\": {}}",
        "{",
    ] {
        assert_eq!(Metadata::parse(foreign.as_bytes(), 3), Ok(None), "{foreign}");
    }
}

#[test]
fn what_is_ours_and_broken_is_an_error() {
    let parse = |ours: &str| Metadata::parse(format!("{{\"tinyquant\": {ours}}}").as_bytes(), 2);
    assert_eq!(parse("{\"version\": 2}"), Err(MetadataError::Version { version: 2 }));
    assert_eq!(parse("{\"version\": 1}"), Ok(Some(Metadata::default())));
    for broken in [
        "\"codec\": 1",
        "\"codec\": {\"bit_width\": 4}",
        "\"ids\": {\"type\": \"bigint\"}",
        "\"ids\": {\"type\": \"bigint\", \"values\": [1]}",
        "\"ids\": {\"type\": \"bigint\", \"values\": [1, 2, 3]}",
        "\"ids\": {\"type\": \"bigint\", \"ranges\": [[1, 0], [1, 0], [1, 2]]}",
        "\"ids\": {\"type\": \"bigint\", \"values\": [1, 2.5]}",
        "\"ids\": {\"type\": \"oid\", \"values\": [1, 2]}",
        "\"ids\": {\"type\": \"uuid\", \"values\": [\"00\", \"x\"]}",
        "\"ids\": {\"type\": \"text\", \"ranges\": [[1, 2]]}",
        "\"ids\": {\"type\": \"bigint\", \"ranges\": [[1, 2]], \"values\": [1, 2]}",
        "\"ids\": {\"type\": \"bigint\", \"ranges\": [[1, 18446744073709551615], [1, 3]]}",
        "\"ids\": {\"type\": \"bigint\", \"ranges\": [[9223372036854775807, 2]]}",
    ] {
        let result = parse(&format!("{{\"version\": 1, {broken}}}"));
        assert!(matches!(result, Err(MetadataError::Malformed { .. })), "{broken}: {result:?}");
    }
    let codec = |from: &str, to: &str| {
        let text = "{\"version\": 1, \"codec\": {\"bit_width\": 2, \"seed\": 7, \"dimension\": 3, \
             \"residual_enabled\": false, \"rotation\": \"haar\", \"config_hash\": \"\", \"codebook\": [1, 2, 3, 4]}}";
        assert!(parse(text).is_ok());
        parse(&text.replace(from, to))
    };
    for (from, to) in [
        ("\"bit_width\": 2", "\"bit_width\": 3"),
        ("3, 4]", "4]"),
        ("[1, 2", "[2, 1"),
        ("4]", "1e300]"),
        ("\"dimension\": 3", "\"dimension\": 0"),
    ] {
        assert!(matches!(codec(from, to), Err(MetadataError::Codec(_))), "{from} -> {to}");
    }
    assert!(matches!(codec("haar", "givens"), Err(MetadataError::Malformed { .. })));
}
