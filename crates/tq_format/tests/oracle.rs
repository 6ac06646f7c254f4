//! Both ways with the reference implementation, live: what this crate writes it reads, and back, byte for byte.

mod common;

use std::io::Cursor;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::{Noise, rebuilt, rebuilt_record, sample_corpus, sample_parts, sample_record};
use proptest::prelude::*;
use tinyquant_core::codec::CompressedVector;
use tinyquant_io::codec_file::{CodecFileReader, CodecFileWriter};
use tinyquant_io::mmap::corpus_file::CorpusFileReader;
use tinyquant_io::{CompressedVectorView, from_bytes, to_bytes};
use tq_format::{BitWidth, CorpusView, RecordView};

const SHAPES: [(u32, bool); 8] =
    [(1, false), (1, true), (3, true), (33, false), (64, true), (100, false), (384, true), (16_384, true)];

fn scratch(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("oracle-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    folder.join(name)
}

fn reference_vector(
    width: BitWidth,
    dimension: u32,
    residual: bool,
    hash: &str,
    seed: u64,
) -> CompressedVector {
    let (indices, bytes) = sample_parts(width, dimension, residual, &mut Noise(seed | 1));
    let (indices, bytes) = (indices.into_boxed_slice(), bytes.map(Vec::into_boxed_slice));
    CompressedVector::new(indices, bytes, Arc::from(hash), dimension, width.bits()).unwrap()
}

#[test]
fn records_agree() {
    for width in BitWidth::ALL {
        for (dimension, residual) in SHAPES {
            let ours = sample_record(width, dimension, residual, "a hash", 9);
            let theirs = reference_vector(width, dimension, residual, "a hash", 9);
            assert!(to_bytes(&theirs) == ours, "{dimension} × {width:?}");

            let read = from_bytes(&ours).unwrap();
            assert_eq!(read.indices(), RecordView::parse(&ours).unwrap().indices().collect::<Vec<_>>());
            assert_eq!(read.residual(), theirs.residual());
            let (view, rest) = CompressedVectorView::parse(&ours).unwrap();
            assert!(rest.is_empty());
            assert!(to_bytes(&view.to_owned_cv().unwrap()) == ours);
        }
    }
}

#[test]
fn their_readers_read_our_corpora() {
    for width in BitWidth::ALL {
        for (count, (dimension, residual)) in (0u64..).zip(SHAPES) {
            let file = sample_corpus(width, dimension, residual, count, b"some metadata");
            let ours = CorpusView::parse(&file).unwrap();

            let mut stream = CodecFileReader::new(Cursor::new(&file)).unwrap();
            assert_eq!(stream.header().vector_count, count);
            assert_eq!(&*stream.header().config_hash, ours.config_hash());
            for record in ours.records() {
                let theirs = stream.next_vector().unwrap().unwrap();
                assert!(to_bytes(&theirs) == record.unwrap().as_bytes());
            }
            assert!(stream.next_vector().unwrap().is_none());

            let path = scratch(&format!("ours-{dimension}-{residual}-{}.tqcv", width.bits()));
            std::fs::write(&path, &file).unwrap();
            let mapped = CorpusFileReader::open(&path).unwrap();
            let theirs: Vec<Vec<u8>> =
                mapped.iter().map(|view| to_bytes(&view.unwrap().to_owned_cv().unwrap())).collect();
            assert_eq!(theirs.len() as u64, count);
            assert!(ours.records().zip(&theirs).all(|(ours, theirs)| ours.unwrap().as_bytes() == theirs));
            std::fs::remove_file(&path).unwrap();
        }
    }
}

#[test]
fn we_read_their_writers_corpora() {
    // The last hash is longer than a record's field: their writer cuts it, and so do we.
    let hashes = ["0123456789abcdef".repeat(4), String::new(), "short".to_owned(), "h".repeat(70)];
    for (width, hash) in BitWidth::ALL.into_iter().flat_map(|w| hashes.iter().map(move |h| (w, h))) {
        for (count, (dimension, residual)) in (0u64..).zip(SHAPES) {
            let path = scratch(&format!("theirs-{dimension}-{}-{}.tqcv", width.bits(), hash.len()));
            let mut writer =
                CodecFileWriter::create(&path, hash, dimension, width.bits(), residual, b"{\"k\":1}")
                    .unwrap();
            let unfinished = std::fs::read(&path).unwrap();
            let mut records = Vec::new();
            for i in 0..count {
                let vector = reference_vector(width, dimension, residual, hash, i * 31 + 1);
                writer.append(&vector).unwrap();
                records.push(to_bytes(&vector));
            }
            writer.finalize().unwrap();
            let file = std::fs::read(&path).unwrap();
            std::fs::remove_file(&path).unwrap();

            let view = CorpusView::parse(&file).unwrap();
            assert_eq!((view.vector_count(), view.config_hash()), (count, hash.as_str()));
            assert!(view.records().zip(&records).all(|(ours, theirs)| ours.unwrap().as_bytes() == theirs));
            assert!(rebuilt(&file) == file);
            // What their writer leaves when it is interrupted is the header we would write.
            let mut header = view.to_header().unwrap();
            header.vector_count = 0;
            assert_eq!(header.encode(tq_format::Magic::Unfinished).unwrap(), unfinished);
        }
    }
}

proptest! {
    /// Whatever we accept the reference accepts, and makes the same record of it.
    #[test]
    fn never_laxer_than_the_reference(
        width in prop::sample::select(BitWidth::ALL.to_vec()),
        dimension in 1u32..40,
        residual: bool,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut record = sample_record(width, dimension, residual, "hash", 1);
        for (at, byte) in edits {
            let at = at.index(record.len());
            record[at] = byte;
        }
        if let Some(cut) = cut {
            record.truncate(cut.index(record.len()));
        }
        if let Ok(view) = RecordView::parse(&record) {
            let theirs = from_bytes(&record).unwrap();
            prop_assert_eq!(theirs.config_hash().as_ref(), view.config_hash());
            prop_assert_eq!(theirs.indices(), view.indices().collect::<Vec<u8>>());
            prop_assert_eq!(theirs.residual(), view.residual());
            prop_assert_eq!(to_bytes(&theirs), rebuilt_record(view));
        }
    }
}
