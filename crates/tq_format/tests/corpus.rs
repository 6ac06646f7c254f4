//! The corpus header and geometry: builder, limits, and errors that name the record and the byte.

mod common;

use common::{read_all, rebuilt, sample_corpus, sample_record};
use tq_format::{
    BitWidth, CorpusBuilder, CorpusError, CorpusHeader, CorpusView, MAX_METADATA_LEN, Magic, RecordBuilder,
    RecordError, RecordHeader, RecordView,
};

fn header() -> CorpusHeader {
    CorpusHeader {
        vector_count: 0,
        dimension: 5,
        bit_width: BitWidth::Four,
        residual: false,
        config_hash: "abc".to_owned(),
        metadata: b"{}".to_vec(),
    }
}

#[test]
fn header_is_laid_out_as_specified() {
    let file = CorpusHeader { vector_count: 0x0102, ..header() }.encode(Magic::Unfinished).unwrap();
    let expected = b"TQCX\x01\0\0\0\x02\x01\0\0\0\0\0\0\x05\0\0\0\x04\0\x03\0abc\x02\0\0\0{}\0\0\0\0\0\0\0";
    assert_eq!(file, expected);
    assert_eq!(CorpusView::parse(&file).unwrap_err(), CorpusError::Unfinished);
    assert!(header().encode(Magic::Final).unwrap().starts_with(b"TQCV"));
}

#[test]
fn limits_of_the_header() {
    use CorpusError::*;
    let refused = |header: CorpusHeader| header.encode(Magic::Final).unwrap_err();
    assert_eq!(refused(CorpusHeader { dimension: 0, ..header() }), DimensionZero);
    assert_eq!(refused(CorpusHeader { dimension: 16_385, ..header() }), DimensionTooLarge { got: 16_385 });
    for got in [257, 65_536, 70_000] {
        let config_hash = "h".repeat(got);
        assert_eq!(refused(CorpusHeader { config_hash, ..header() }), HashTooLong { got: got as u64 });
    }
    let metadata = vec![b' '; MAX_METADATA_LEN + 1];
    assert_eq!(refused(CorpusHeader { metadata, ..header() }), MetadataTooLong { got: 16_777_217 });

    let widest = CorpusHeader {
        config_hash: "h".repeat(256),
        metadata: vec![7; MAX_METADATA_LEN],
        dimension: 16_384,
        ..header()
    };
    let file = CorpusBuilder::new(widest.clone()).unwrap().finish();
    assert_eq!(CorpusView::parse(&file).unwrap().to_header().unwrap(), widest);
}

#[test]
fn records_come_back_in_order_and_by_index() {
    let file = sample_corpus(BitWidth::Two, 9, true, 7, b"meta");
    let view = CorpusView::parse(&file).unwrap();
    assert_eq!((view.vector_count(), view.dimension(), view.bit_width()), (7, 9, BitWidth::Two));
    assert!(view.has_residual());
    assert_eq!(view.metadata(), b"meta");
    assert_eq!(view.body_offset(), 96);
    let all: Vec<_> = view.records().map(Result::unwrap).collect();
    assert_eq!(all.len(), 7);
    for (i, record) in (0..).zip(&all) {
        assert_eq!(view.record(i).as_ref(), Ok(record));
        assert_eq!(
            record.as_bytes(),
            sample_record(BitWidth::Two, 9, true, view.config_hash(), i * 977 + 13)
        );
    }
    assert_eq!(view.records_in(2..4).map(Result::unwrap).collect::<Vec<_>>(), all[2..4]);
    assert_eq!(view.records_in(5..u64::MAX).count(), 2);
    assert_eq!(view.records_in(9..9).count(), 0);
    for i in [7, 8, u64::MAX] {
        let number = i.saturating_add(1);
        assert_eq!(view.record(i), Err(CorpusError::NoSuchRecord { number, count: 7 }));
    }
    assert_eq!(rebuilt(&file), file);
}

#[test]
fn builder_takes_only_its_own() {
    let place = (Some(1), Some(40));
    let mut corpus = CorpusBuilder::new(header()).unwrap();
    let mut refuse = |record: &[u8]| {
        let error = corpus.append(record).unwrap_err();
        assert_eq!((error.record_number(), error.offset()), place);
        error
    };
    let (number, offset) = (1, 40);
    let sample = |width, dimension, residual, hash| sample_record(width, dimension, residual, hash, 1);
    use BitWidth::{Four, Two};
    assert_eq!(
        refuse(&sample(Four, 6, false, "abc")),
        CorpusError::RecordDimension { number, offset, expected: 5, got: 6 }
    );
    assert_eq!(
        refuse(&sample(Two, 5, false, "abc")),
        CorpusError::RecordBitWidth { number, offset, expected: 4, got: 2 }
    );
    assert_eq!(
        refuse(&sample(Four, 5, true, "abc")),
        CorpusError::RecordResidual { number, offset, expected: false }
    );
    assert_eq!(refuse(&sample(Four, 5, false, "abd")), CorpusError::RecordHash { number, offset });
    assert_eq!(
        refuse(&sample(Four, 5, false, "abc")[..73]),
        CorpusError::Record { number, offset, source: RecordError::Truncated { needed: 74, got: 73 } }
    );
    corpus.append(&sample(Four, 5, false, "abc")).unwrap();
    assert_eq!(corpus.vector_count(), 1);
    assert_eq!(read_all(&corpus.finish()), Ok(1));
}

#[test]
fn hash_longer_than_its_field() {
    // Cut after 64 bytes, as the reference's writer does.
    let long = CorpusHeader { config_hash: format!("{}tail", "x".repeat(64)), ..header() };
    let mut corpus = CorpusBuilder::new(long.clone()).unwrap();
    let record = sample_record(BitWidth::Four, 5, false, &"x".repeat(64), 1);
    assert_eq!(corpus.append(&record), Ok(()));
    let file = corpus.finish();
    assert_eq!(read_all(&file), Ok(1));
    assert_eq!(rebuilt(&file), file);
    assert_eq!(CorpusView::parse(&file).unwrap().config_hash(), long.config_hash);

    // Cut within a character: no record can be valid, and a file of such records says why.
    let cut = CorpusHeader { config_hash: format!("{}\u{e9}", "x".repeat(63)), vector_count: 1, ..header() };
    let mut bytes = cut.encode(Magic::Final).unwrap();
    bytes.extend_from_slice(&(record.len() as u32).to_le_bytes());
    bytes.extend_from_slice(&record);
    let at = bytes.len() - record.len();
    bytes[at + 1..at + 65].copy_from_slice(&cut.record_hash_field());
    let error = read_all(&bytes).unwrap_err();
    assert!(
        matches!(error, CorpusError::Record { number: 1, source: RecordError::InvalidUtf8, .. }),
        "{error}"
    );
}

#[test]
fn a_foreign_record_anywhere_is_named() {
    let hash = "0123456789abcdef".repeat(4);
    for at in 0..9u64 {
        // A record of another dimension in the middle shifts all that follow.
        let mut file = sample_corpus(BitWidth::Four, 16, false, at, b"");
        let offset = file.len() as u64;
        for (dimension, count) in [(14, 1), (16, 8 - at)] {
            for _ in 0..count {
                let record = sample_record(BitWidth::Four, dimension, false, &hash, 5);
                file.extend_from_slice(&(record.len() as u32).to_le_bytes());
                file.extend_from_slice(&record);
            }
        }
        file[8..16].copy_from_slice(&9u64.to_le_bytes());
        let expected = CorpusError::RecordDimension { number: at + 1, offset, expected: 16, got: 14 };
        assert_eq!(CorpusView::parse(&file).unwrap_err(), expected);
        assert_eq!((expected.record_number(), expected.offset()), (Some(at + 1), Some(offset)));
    }
}

#[test]
fn every_truncation_says_where() {
    let file = sample_corpus(BitWidth::Four, 7, true, 3, b"m");
    let view = CorpusView::parse(&file).unwrap();
    let (body, stride) = (view.body_offset() as usize, view.record_len() + 4);
    for len in 0..file.len() {
        let error = CorpusView::parse(&file[..len]).unwrap_err();
        if len < body {
            assert!(
                matches!(error, CorpusError::HeaderTruncated { needed, got } if got == len as u64 && needed > got)
            );
            continue;
        }
        let (present, extra) = (((len - body) / stride) as u64, ((len - body) % stride) as u64);
        let (count, number, offset) = (3, present + 1, (len as u64) - extra);
        let expected = match extra {
            0 => CorpusError::CountExceedsFile { count, present, offset },
            1..4 => CorpusError::Truncated { number, count, offset, needed: 4, got: extra },
            _ => CorpusError::Truncated { number, count, offset, needed: stride as u64, got: extra },
        };
        assert_eq!(error, expected, "length {len}");
        assert_eq!(error.offset(), Some(offset));
    }
}

#[test]
fn absurd_counts_cost_nothing() {
    let mut file = sample_corpus(BitWidth::Eight, 3, false, 4, b"");
    let offset = file.len() as u64;
    for count in [5, 1 << 40, u64::MAX / 78, u64::MAX] {
        file[8..16].copy_from_slice(&count.to_le_bytes());
        let error = CorpusView::parse(&file).unwrap_err();
        assert_eq!(error, CorpusError::CountExceedsFile { count, present: 4, offset });
    }
    for count in [0, 3] {
        file[8..16].copy_from_slice(&u64::to_le_bytes(count));
        let surplus = (4 - count) * 78;
        let error = CorpusView::parse(&file).unwrap_err();
        assert_eq!(error, CorpusError::TrailingBytes { count, offset: offset - surplus, surplus });
    }
}

#[test]
fn messages_are_plain() {
    let messages = [
        CorpusError::Unfinished.to_string(),
        CorpusError::BadMagic { got: *b"QV\0\xFF" }.to_string(),
        CorpusError::RecordResidual { number: 3, offset: 99, expected: true }.to_string(),
        CorpusError::RecordResidual { number: 3, offset: 99, expected: false }.to_string(),
        CorpusError::Record { number: 1, offset: 96, source: RecordError::PaddingBits }.to_string(),
    ];
    assert_eq!(
        messages,
        [
            "corpus file is unfinished: its writer did not complete it",
            r#"not a TQCV corpus file: it starts with "QV\x00\xff""#,
            "record 3 of the corpus, at byte 99, has no residual: the corpus is one with residuals",
            "record 3 of the corpus, at byte 99, has a residual: the corpus is one without",
            "record 1 of the corpus, at byte 96: padding bits after the packed codes are not zero",
        ]
    );
}

#[test]
fn a_hash_with_capital_letters_is_refused() {
    let lower = "0123456789abcdef".repeat(4);
    let capital = lower.replacen('a', "A", 1);
    let header = |hash: &str| CorpusHeader { config_hash: hash.to_owned(), ..header() };
    for hash in [lower.as_str(), "Text in CAPITALS", &format!("{capital}00"), &format!("X{}", &capital[1..])]
    {
        let file = header(hash).encode(Magic::Final).unwrap();
        assert_eq!(CorpusView::parse(&file).unwrap().config_hash(), hash);
    }
    let file = header(&capital).encode(Magic::Final).unwrap();
    assert_eq!(CorpusView::parse(&file).unwrap_err(), CorpusError::HashCapitals);

    let mut bytes = sample_record(BitWidth::Four, 5, false, &lower, 3);
    assert!(RecordView::parse(&bytes).is_ok());
    bytes[1 + 10] = b'A';
    assert_eq!(RecordView::parse(&bytes).unwrap_err(), RecordError::HashCapitals);
    assert_eq!(RecordHeader::parse(&bytes).unwrap_err(), RecordError::HashCapitals);
    let field: [u8; 64] = capital.as_bytes().try_into().unwrap();
    let built = RecordBuilder::new(&field, 5, BitWidth::Four, false);
    assert_eq!(built.unwrap_err(), RecordError::HashCapitals);
}
