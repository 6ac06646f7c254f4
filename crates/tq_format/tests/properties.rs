//! Round trips, and that no bytes whatever make a reader panic or a view lie.

mod common;

use common::{read_all, rebuilt, rebuilt_record, sample_corpus, sample_record};
use proptest::prelude::*;
use tq_format::{
    BitWidth, CorpusView, RecordHeader, RecordView, pack_indices, record_len, tqcb, unpack_indices,
};

fn width() -> impl Strategy<Value = BitWidth> {
    prop::sample::select(BitWidth::ALL.to_vec())
}

/// Calls every accessor: on any bytes they must neither panic nor disagree with each other.
fn exercise(view: RecordView<'_>) {
    let dimension = view.dimension() as usize;
    assert!((1..=16_384).contains(&dimension));
    assert_eq!(view.codes().len(), view.bit_width().packed_len(view.dimension()));
    assert_eq!(view.residual().map(<[u8]>::len), view.has_residual().then_some(2 * dimension));
    assert_eq!(view.indices().count(), dimension);
    assert!(view.indices().all(|index| usize::from(index) < view.bit_width().levels()));
    assert!(view.config_hash().len() <= view.hash_field().len());
    assert_eq!(view.as_bytes().len(), record_len(view.bit_width(), view.dimension(), view.has_residual()));
}

/// The two parsers and the header's on the same bytes.
fn check_parsers(bytes: &[u8]) {
    let stored = RecordView::parse_stored(bytes);
    if let Ok(view) = stored {
        exercise(view);
    }
    match RecordView::parse(bytes) {
        Ok(view) => {
            exercise(view);
            let stored = stored.expect("whatever parse accepts, parse_stored accepts");
            assert_eq!(view, stored);
            assert_eq!(view.dimension(), stored.dimension());
            assert_eq!(view.bit_width(), stored.bit_width());
            assert_eq!(view.codes(), stored.codes());
            assert_eq!(view.residual(), stored.residual());
            let header = RecordHeader::parse(bytes).expect("and so does the header's");
            assert_eq!(header.config_hash, *view.hash_field());
            assert_eq!(header.hash_str(), view.config_hash());
            assert_eq!(rebuilt_record(view), bytes, "a valid record has one form");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

proptest! {
    #[test]
    fn packing_round_trips(width in width(), raw in prop::collection::vec(any::<u8>(), 0..600)) {
        let mask = (width.levels() - 1) as u8;
        let indices: Vec<u8> = raw.iter().map(|index| index & mask).collect();
        let mut packed = Vec::new();
        pack_indices(width, &indices, &mut packed).unwrap();
        let dimension = indices.len() as u32;
        prop_assert_eq!(packed.len(), width.packed_len(dimension));
        let mut back = vec![0xFF; indices.len()];
        unpack_indices(width, dimension, &packed, &mut back).unwrap();
        prop_assert_eq!(back, indices);
    }

    #[test]
    fn record_round_trips(
        width in width(),
        dimension in prop_oneof![1u32..70, 1u32..=16_384],
        residual: bool,
        hash in "[0-9a-f]{0,64}",
        seed: u64,
    ) {
        let record = sample_record(width, dimension, residual, &hash, seed);
        let view = RecordView::parse(&record).unwrap();
        prop_assert_eq!(view.config_hash(), hash);
        prop_assert_eq!(view.dimension(), dimension);
        prop_assert_eq!(view.bit_width(), width);
        prop_assert_eq!(view.has_residual(), residual);
        check_parsers(&record);
    }

    #[test]
    fn random_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check_parsers(&bytes);
        let _ = CorpusView::parse(&bytes);
        let _ = tqcb::parse(&bytes);
    }

    #[test]
    fn mutated_records_never_panic(
        width in width(),
        dimension in 1u32..40,
        residual: bool,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut record = sample_record(width, dimension, residual, "hash", 1);
        for (at, byte) in edits {
            let at = at.index(record.len());
            record[at] = byte;
        }
        if let Some(cut) = cut {
            record.truncate(cut.index(record.len()));
        }
        check_parsers(&record);
    }

    #[test]
    fn every_truncation_of_a_record_is_refused(
        width in width(), dimension in 1u32..60, residual: bool, cut: prop::sample::Index,
    ) {
        let record = sample_record(width, dimension, residual, "hash", 1);
        let shorter = &record[..cut.index(record.len())];
        prop_assert!(RecordView::parse(shorter).is_err());
        prop_assert!(RecordView::parse_stored(shorter).is_err());
    }

    #[test]
    fn corpus_round_trips(
        width in width(),
        dimension in 1u32..40,
        residual: bool,
        count in 0u64..8,
        metadata in prop::collection::vec(any::<u8>(), 0..40),
    ) {
        let file = sample_corpus(width, dimension, residual, count, &metadata);
        let view = CorpusView::parse(&file).unwrap();
        prop_assert_eq!(view.metadata(), &metadata[..]);
        prop_assert_eq!(view.body_offset() % 8, 0);
        prop_assert_eq!(read_all(&file), Ok(count));
        prop_assert_eq!(rebuilt(&file), file);
    }

    /// Whatever is accepted after an edit has one form only, and so still re-serialises to itself.
    #[test]
    fn mutated_corpora_never_panic(
        width in width(),
        residual: bool,
        count in 0u64..5,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..5),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let mut file = sample_corpus(width, 11, residual, count, b"metadata");
        for (at, byte) in edits {
            let at = at.index(file.len());
            file[at] = byte;
        }
        if let Some(cut) = cut {
            file.truncate(cut.index(file.len()));
        }
        match read_all(&file) {
            Ok(read) => {
                prop_assert_eq!(CorpusView::parse(&file).unwrap().vector_count(), read);
                prop_assert_eq!(rebuilt(&file), file);
            }
            Err(error) => {
                let at = error.offset().unwrap_or(0);
                prop_assert!(at <= file.len() as u64, "{}", error);
            }
        }
    }

    #[test]
    fn mutated_codebooks_never_panic(at: prop::sample::Index, byte: u8) {
        let mut file = tqcb::encode(BitWidth::Four, &std::array::from_fn::<f32, 16, _>(|i| i as f32));
        let at = at.index(file.len());
        file[at] = byte;
        if let Ok((width, entries)) = tqcb::parse(&file) {
            prop_assert_eq!(tqcb::encode(width, &entries), file);
        }
    }
}
