//! Each fault of a record has its error, and each boundary its side.

mod common;

use common::sample_record;
use tq_format::{
    BitWidth, HASH_LEN, MAX_DIMENSION, RecordBuilder, RecordError, RecordHeader, RecordView, hash_field,
    record_len,
};

const HASH: &str = "caf\u{e9}";

/// Dimension 5 at 2 bits: two bytes of codes at 70, flag at 72, length at 73, residual at 77.
fn good() -> Vec<u8> {
    sample_record(BitWidth::Two, 5, true, HASH, 7)
}

fn edited(at: usize, bytes: &[u8]) -> RecordError {
    let mut record = good();
    record[at..at + bytes.len()].copy_from_slice(bytes);
    RecordView::parse(&record).unwrap_err()
}

#[test]
fn view_shows_what_was_written() {
    let builder = RecordBuilder::new(&hash_field(HASH).unwrap(), 5, BitWidth::Two, true).unwrap();
    let residual: Vec<u8> = (0..10).collect();
    let mut out = vec![0xAA];
    builder.write(&[3, 0, 1, 2, 3], Some(&residual), &mut out).unwrap();
    assert_eq!(out.len(), 1 + builder.record_len());
    let view = RecordView::parse(&out[1..]).unwrap();
    assert_eq!(view.config_hash(), HASH);
    assert_eq!(view.hash_field()[..5], *HASH.as_bytes());
    assert_eq!(view.hash_field()[5..], [0; 59]);
    assert_eq!((view.dimension(), view.bit_width(), view.has_residual()), (5, BitWidth::Two, true));
    assert_eq!(view.codes(), [0b10_01_00_11, 0b11]);
    assert_eq!(view.residual(), Some(&residual[..]));
    assert_eq!(view.indices().collect::<Vec<u8>>(), [3, 0, 1, 2, 3]);
    assert_eq!(view.as_bytes(), &out[1..]);
    let header = RecordHeader::parse(&out[1..71]).unwrap();
    assert_eq!((header.dimension, header.bit_width, header.hash_str()), (5, BitWidth::Two, HASH));
}

#[test]
fn each_fault_has_its_error() {
    use RecordError::*;
    assert_eq!(edited(0, &[0]), UnknownVersion { got: 0 });
    assert_eq!(edited(0, &[2]), UnknownVersion { got: 2 });
    assert_eq!(edited(4, &[0xFF]), InvalidUtf8);
    assert_eq!(edited(65, &[0]), DimensionZero);
    assert_eq!(edited(65, &[1, 0x40, 0, 0]), DimensionTooLarge { got: MAX_DIMENSION + 1 });
    assert_eq!(edited(65, &[0xFF; 4]), DimensionTooLarge { got: u32::MAX });
    assert_eq!(edited(69, &[3]), InvalidBitWidth { got: 3 });
    assert_eq!(edited(71, &[0b100]), PaddingBits);
    assert_eq!(edited(71, &[0b1000_0000]), PaddingBits);
    assert_eq!(edited(72, &[2]), InvalidResidualFlag { got: 2 });
    assert_eq!(edited(72, &[0]), Trailing { expected: 73, got: 87 });
    assert_eq!(edited(73, &[8]), ResidualLength { expected: 10, got: 8 });
    assert_eq!(edited(73, &[0xFF; 4]), ResidualLength { expected: 10, got: u32::MAX as usize });
    assert_eq!(edited(77, &[0, 0x7C]), ResidualNotFinite { index: 0 });
    assert_eq!(edited(85, &[0, 0xFC]), ResidualNotFinite { index: 4 });
    assert_eq!(edited(81, &[1, 0x7E]), ResidualNotFinite { index: 2 });
}

#[test]
fn stored_view_skips_only_what_it_says() {
    for (at, byte) in [(4, 0xFF), (71, 0xFF), (78, 0x7C)] {
        let mut record = good();
        record[at] = byte;
        assert!(RecordView::parse(&record).is_err());
        let view = RecordView::parse_stored(&record).unwrap();
        assert_eq!(view.config_hash(), if at == 4 { "" } else { HASH });
        assert_eq!(view.indices().count(), 5);
    }
    for (at, byte) in [(0, 2), (65, 0), (65, 6), (67, 1), (69, 4), (69, 5), (72, 0), (72, 2), (73, 9)] {
        let mut record = good();
        record[at] = byte;
        assert!(RecordView::parse_stored(&record).is_err(), "byte {at} = {byte}");
    }
}

#[test]
fn every_other_length_is_refused() {
    for width in BitWidth::ALL {
        for residual in [false, true] {
            let record = sample_record(width, 5, residual, HASH, 3);
            assert_eq!(record.len(), record_len(width, 5, residual));
            for len in 0..record.len() {
                let error = RecordView::parse(&record[..len]).unwrap_err();
                assert!(
                    matches!(error, RecordError::Truncated { needed, got } if got == len && needed > len),
                    "{error}"
                );
                assert_eq!(RecordView::parse_stored(&record[..len]), Err(error));
            }
            let mut longer = record.clone();
            longer.push(0);
            let (expected, got) = (record.len(), record.len() + 1);
            assert_eq!(RecordView::parse(&longer), Err(RecordError::Trailing { expected, got }));
        }
    }
}

#[test]
fn header_needs_seventy_bytes_and_no_more() {
    let record = good();
    assert_eq!(RecordHeader::parse(&record[..69]), Err(RecordError::Truncated { needed: 70, got: 69 }));
    let header = RecordHeader::parse(&record[..70]).unwrap();
    assert_eq!(header, RecordHeader::parse(&record).unwrap());
    for (at, byte) in [(0, 9), (4, 0xFF), (65, 0), (67, 1), (69, 0)] {
        let mut record = good();
        record[at] = byte;
        assert_eq!(RecordHeader::parse(&record).unwrap_err(), RecordView::parse(&record).unwrap_err());
    }
}

#[test]
fn hash_fills_its_field_or_is_refused() {
    let full = "x".repeat(HASH_LEN);
    assert_eq!(hash_field(&full), Ok([b'x'; HASH_LEN]));
    assert_eq!(hash_field(""), Ok([0; HASH_LEN]));
    assert_eq!(hash_field(&"x".repeat(65)), Err(RecordError::HashTooLong { got: 65 }));
    let record = sample_record(BitWidth::Eight, 1, false, &full, 1);
    assert_eq!(RecordView::parse(&record).unwrap().config_hash(), full);
    // Only NULs at the end are padding.
    let record = sample_record(BitWidth::Eight, 1, false, "a\0b", 1);
    assert_eq!(RecordView::parse(&record).unwrap().config_hash(), "a\0b");
}

#[test]
fn builder_refuses_what_the_reader_refuses() {
    use RecordError::*;
    let field = [0; HASH_LEN];
    let new = |dimension| RecordBuilder::new(&field, dimension, BitWidth::Four, true);
    assert_eq!(new(0).unwrap_err(), DimensionZero);
    assert_eq!(new(MAX_DIMENSION + 1).unwrap_err(), DimensionTooLarge { got: 16_385 });
    assert_eq!(RecordBuilder::new(&[0xFF; 64], 1, BitWidth::Two, false).unwrap_err(), InvalidUtf8);

    let with = new(3).unwrap();
    let without = RecordBuilder::new(&field, 3, BitWidth::Four, false).unwrap();
    let mut out = vec![1, 2];
    let finite = [0; 6];
    let infinite = [0, 0, 0, 0, 0, 0x7C];
    let written = [
        with.write(&[0; 2], Some(&finite), &mut out),
        with.write(&[0; 4], Some(&finite), &mut out),
        with.write(&[0, 16, 0], Some(&finite), &mut out),
        with.write(&[0; 3], None, &mut out),
        with.write(&[0; 3], Some(&finite[1..]), &mut out),
        with.write(&[0; 3], Some(&infinite), &mut out),
        without.write(&[0; 3], Some(&finite), &mut out),
        without.write_packed(&[0; 3], None, &mut out),
        without.write_packed(&[0, 0x10], None, &mut out),
        with.write_packed(&[0, 0], None, &mut out),
    ];
    let expected = [
        IndexCount { expected: 3, got: 2 },
        IndexCount { expected: 3, got: 4 },
        IndexOutOfRange { position: 1, index: 16, max: 15 },
        ResidualMissing,
        ResidualLength { expected: 6, got: 5 },
        ResidualNotFinite { index: 2 },
        ResidualUnexpected,
        PackedLength { expected: 2, got: 3 },
        PaddingBits,
        ResidualMissing,
    ];
    assert_eq!(written.map(Result::unwrap_err), expected);
    assert_eq!(out, [1, 2], "a refused record leaves nothing behind");
}

#[test]
fn largest_record() {
    let record = sample_record(BitWidth::Eight, MAX_DIMENSION, true, HASH, 5);
    assert_eq!(record.len(), 49_227);
    assert_eq!(RecordView::parse(&record).unwrap().indices().count(), 16_384);
}
