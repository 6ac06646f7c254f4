//! The reference's own files: each valid one is read and written back to the same bytes, each damaged one refused with
//! the error that fits.

mod common;

use std::collections::BTreeMap;

use common::{files, golden, read_all, rebuilt};
use serde_json::Value;
use tq_format::{CorpusError, CorpusView, MAX_METADATA_LEN, RecordError, tqcb};

#[test]
fn valid_corpora_round_trip() {
    let Some(folder) = golden("tqcv") else { return };
    let corpora = files(&folder, "tqcv");
    assert!(corpora.len() > 20, "only {} files", corpora.len());
    for (name, bytes) in corpora {
        let read = read_all(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        let description: Value =
            serde_json::from_slice(&std::fs::read(folder.join(format!("{name}.json"))).unwrap()).unwrap();
        if let Some(rows) = description["rows"].as_u64() {
            assert_eq!(read, rows, "{name}");
        }
        if let Some(hash) = description["config_hash"].as_str() {
            assert_eq!(CorpusView::parse(&bytes).unwrap().config_hash(), hash, "{name}");
        }
        assert!(rebuilt(&bytes) == bytes, "{name}: written back differently");
    }
}

#[test]
fn valid_codebooks_round_trip() {
    let Some(folder) = golden("tqcv") else { return };
    let codebooks = files(&folder, "tqcb");
    assert!(codebooks.len() > 10, "only {} files", codebooks.len());
    for (name, bytes) in codebooks {
        let (width, entries) = tqcb::parse(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(entries.len(), width.levels(), "{name}");
        assert!(tqcb::encode(width, &entries) == bytes, "{name}: written back differently");
    }
}

/// What each damaged file must be refused with; `None` for the three that are sound.
fn expectations() -> BTreeMap<&'static str, Option<CorpusError>> {
    use CorpusError::*;
    let (first, at) = (1, 104);
    let record = |source| Record { number: first, offset: at, source };
    let length = |got| RecordLength { number: first, offset: at, expected: 115, got };
    let header = |needed, got| HeaderTruncated { needed, got };
    let cut = |number, offset, needed, got| Truncated { number, count: 5, offset, needed, got };
    let short = |count, present, offset| CountExceedsFile { count, present, offset };
    let trailing = |count, offset, surplus| TrailingBytes { count, offset, surplus };
    let reserved = |offset| ReservedNotZero { offset, got: 1 };
    let mut table = BTreeMap::from([
        ("base", None),
        ("ok_base", None),
        ("oddpad_ok", None),
        ("bad_magic", Some(BadMagic { got: *b"TQCB" })),
        ("tqcx_magic", Some(Unfinished)),
        ("bad_version_0", Some(UnknownVersion { got: 0 })),
        ("bad_version_2", Some(UnknownVersion { got: 2 })),
        ("reserved_5_nonzero", Some(reserved(5))),
        ("reserved_6_nonzero", Some(reserved(6))),
        ("reserved_7_nonzero", Some(reserved(7))),
        ("dim_zero", Some(DimensionZero)),
        ("dim_over_16384", Some(DimensionTooLarge { got: 16_385 })),
        ("dim_huge", Some(DimensionTooLarge { got: u32::MAX })),
        ("residual_flag_2", Some(InvalidResidualFlag { got: 2 })),
        ("hash_len_257", Some(HashTooLong { got: 257 })),
        ("hash_len_65535", Some(HashTooLong { got: 65_535 })),
        ("hash_bad_utf8", Some(InvalidUtf8)),
        // The metadata length is then read from the hash's text.
        ("hash_len_0", Some(MetadataTooLong { got: 875_848_247 })),
        ("metadata_len_16mib_plus_1", Some(MetadataTooLong { got: 16_777_217 })),
        ("metadata_len_huge", Some(MetadataTooLong { got: 4_294_967_295 })),
        ("header_padding_nonzero", Some(HeaderPadding { offset: 103 })),
        ("vector_count_zero", Some(trailing(0, 104, 595))),
        ("vector_count_minus_1", Some(trailing(4, 580, 119))),
        ("trailing_1", Some(trailing(5, 699, 1))),
        ("trailing_garbage", Some(trailing(5, 699, 22))),
        ("vector_count_plus_1", Some(short(6, 5, 699))),
        ("vector_count_2_40", Some(short(1 << 40, 5, 699))),
        ("vector_count_max", Some(short(u64::MAX, 5, 699))),
        ("trunc_0", Some(header(24, 0))),
        ("trunc_3", Some(header(24, 3))),
        ("trunc_4", Some(header(24, 4))),
        ("trunc_23", Some(header(24, 23))),
        ("trunc_24", Some(header(88, 24))),
        ("trunc_60", Some(header(88, 60))),
        ("trunc_88", Some(header(92, 88))),
        ("trunc_90", Some(header(92, 90))),
        ("trunc_92", Some(header(104, 92))),
        ("trunc_94", Some(header(104, 94))),
        ("trunc_104", Some(short(5, 0, 104))),
        ("trunc_107", Some(cut(1, 104, 4, 3))),
        ("trunc_108", Some(cut(1, 104, 119, 4))),
        ("trunc_154", Some(cut(1, 104, 119, 50))),
        ("trunc_222", Some(cut(1, 104, 119, 118))),
        ("trunc_223", Some(short(5, 1, 223))),
        ("trunc_698", Some(cut(5, 580, 119, 118))),
        ("record_len_zero", Some(length(0))),
        ("record_len_minus_1", Some(length(114))),
        ("record_len_plus_1", Some(length(116))),
        ("record_len_max", Some(length(u32::MAX))),
        ("record_slack_inside", Some(length(118))),
        ("record_version_2", Some(record(RecordError::UnknownVersion { got: 2 }))),
        ("record_hash_bad_utf8", Some(record(RecordError::InvalidUtf8))),
        ("record_bw_3", Some(record(RecordError::InvalidBitWidth { got: 3 }))),
        ("record_dim_zero", Some(record(RecordError::DimensionZero))),
        ("record_dim_huge", Some(record(RecordError::DimensionTooLarge { got: u32::MAX }))),
        ("record_residual_flag_2", Some(record(RecordError::InvalidResidualFlag { got: 2 }))),
        ("record_residual_len_zero", Some(record(RecordError::ResidualLength { expected: 32, got: 0 }))),
        ("record_residual_len_short", Some(record(RecordError::ResidualLength { expected: 32, got: 30 }))),
        (
            "record_residual_len_huge",
            Some(record(RecordError::ResidualLength { expected: 32, got: u32::MAX as usize })),
        ),
        ("residual_inf", Some(record(RecordError::ResidualNotFinite { index: 0 }))),
        ("residual_nan", Some(record(RecordError::ResidualNotFinite { index: 0 }))),
        ("oddpad_nonzero", Some(Record { number: 1, offset: 96, source: RecordError::PaddingBits })),
    ]);
    for name in ["hash_header_differs", "record_hash_differs", "record_hash_empty", "record_hash_inner_nul"] {
        table.insert(name, Some(RecordHash { number: first, offset: at }));
    }
    for name in ["record_dim_minus_1", "record_other_dim_wellformed"] {
        table.insert(name, Some(RecordDimension { number: first, offset: at, expected: 16, got: 15 }));
    }
    for (name, expected, got) in [("record_bw_differs", 4, 8), ("bit_width_header_differs", 8, 4)] {
        table.insert(name, Some(RecordBitWidth { number: first, offset: at, expected, got }));
    }
    for (name, expected) in [
        ("record_residual_flag_0_slack", true),
        ("record_without_residual_in_residual_file", true),
        ("residual_header_off_records_on", false),
    ] {
        table.insert(name, Some(RecordResidual { number: first, offset: at, expected }));
    }
    for (name, got) in [
        ("bit_width_0", 0),
        ("bit_width_1", 1),
        ("bit_width_3", 3),
        ("bit_width_5", 5),
        ("bit_width_6", 6),
        ("bit_width_7", 7),
        ("bit_width_16", 16),
        ("bit_width_255", 255),
    ] {
        table.insert(name, Some(InvalidBitWidth { got }));
    }
    table
}

#[test]
fn damaged_corpora_are_refused_for_the_right_reason() {
    let Some(folder) = golden("tqcv_malformed") else { return };
    let mut table = expectations();
    let mut wrong = Vec::new();
    for (name, bytes) in files(&folder, "tqcv") {
        let got = read_all(&bytes).err();
        match table.remove(name.as_str()) {
            Some(expected) if expected == got => {}
            Some(expected) => wrong.push(format!("{name}: expected {expected:?}, got {got:?}")),
            None => wrong.push(format!("{name} is in no table, got {got:?}")),
        }
        if got.is_none() {
            assert!(rebuilt(&bytes) == bytes, "{name}: written back differently");
        }
    }
    wrong.extend(table.keys().map(|name| format!("{name} is in the table and not in the folder")));
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Files that at least one of the reference's two readers takes and this one doesn't.
const STRICTER: [&str; 24] = [
    "bit_width_header_differs",
    "dim_huge",
    "dim_over_16384",
    "hash_header_differs",
    "header_padding_nonzero",
    "metadata_16mib_plus_1_complete",
    "oddpad_nonzero",
    "record_dim_minus_1",
    "record_hash_differs",
    "record_hash_empty",
    "record_hash_inner_nul",
    "record_other_dim_wellformed",
    "record_residual_flag_0_slack",
    "record_residual_len_short",
    "record_residual_len_zero",
    "record_slack_inside",
    "record_without_residual_in_residual_file",
    "residual_header_off_records_on",
    "residual_inf",
    "residual_nan",
    "trailing_1",
    "trailing_garbage",
    "vector_count_minus_1",
    "vector_count_zero",
];

#[test]
fn stricter_than_the_reference_never_laxer() {
    let Some(folder) = golden("tqcv_malformed") else { return };
    let index: BTreeMap<String, Value> =
        serde_json::from_slice(&std::fs::read(folder.join("index.json")).unwrap()).unwrap();
    let mut stricter = Vec::new();
    for (name, outcome) in &index {
        let accepts = |reader: &str| outcome[reader]["result"] == "accepted";
        let we_accept = match std::fs::read(folder.join(format!("{name}.tqcv"))) {
            Ok(bytes) => read_all(&bytes).is_ok(),
            // The one that is described and not stored; it has its own test.
            Err(_) => name != "metadata_16mib_plus_1_complete",
        };
        if we_accept {
            assert!(accepts("stream") && accepts("mmap"), "{name}: the reference refuses it");
        } else if accepts("stream") || accepts("mmap") {
            stricter.push(name.as_str());
        }
    }
    assert_eq!(stricter, STRICTER);
}

#[test]
fn metadata_above_the_limit_is_refused_even_when_complete() {
    let Some(folder) = golden("tqcv_malformed") else { return };
    let base = std::fs::read(folder.join("base.tqcv")).unwrap();
    for (len, accepted) in [(MAX_METADATA_LEN, true), (MAX_METADATA_LEN + 1, false)] {
        let mut file = base[..88].to_vec();
        file.extend_from_slice(&(len as u32).to_le_bytes());
        file.resize(file.len() + len, b' ');
        file.resize(file.len().next_multiple_of(8), 0);
        file.extend_from_slice(&base[104..]);
        let expected = if accepted { Ok(5) } else { Err(CorpusError::MetadataTooLong { got: len as u64 }) };
        assert_eq!(read_all(&file), expected);
    }
}

#[test]
fn no_truncation_of_the_base_is_accepted() {
    let Some(folder) = golden("tqcv_malformed") else { return };
    let base = std::fs::read(folder.join("base.tqcv")).unwrap();
    for len in 0..base.len() {
        let error = CorpusView::parse(&base[..len]).unwrap_err();
        assert!(
            matches!(
                error,
                CorpusError::HeaderTruncated { .. }
                    | CorpusError::Truncated { .. }
                    | CorpusError::CountExceedsFile { .. }
            ),
            "{len}: {error}"
        );
    }
}

#[test]
fn flipped_bytes_are_never_accepted_where_the_reference_refuses() {
    let Some(folder) = golden("tqcv_malformed") else { return };
    let base = std::fs::read(folder.join("base.tqcv")).unwrap();
    let flips: Value = serde_json::from_slice(&std::fs::read(folder.join("byteflip.json")).unwrap()).unwrap();
    let flips = flips["table"].as_array().unwrap();
    assert_eq!(flips.len(), base.len());
    for flip in flips {
        let offset = flip[0].as_u64().unwrap() as usize;
        let mut file = base.clone();
        file[offset] ^= 0xFF;
        let result = read_all(&file);
        if flip[1] == "error" || flip[2] == "error" {
            assert!(result.is_err(), "byte {offset}: the reference refuses it");
        }
        // Nothing but opaque bytes can change unnoticed: metadata, codes, and residuals that stay finite.
        let opaque = match offset {
            92..97 => true,
            104.. => match (offset - 104) % 119 {
                74..82 => true,
                at @ 87..119 => at % 2 == 1 || file[offset] & 0x7C != 0x7C,
                _ => false,
            },
            _ => false,
        };
        assert_eq!(result.is_ok(), opaque, "byte {offset}: {result:?}");
    }
}
