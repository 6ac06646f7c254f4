//! Searching a corpus in its file, against measuring every record by itself and sorting.

use std::fs::{self, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tempfile::TempDir;
use tq_codec::{
    BUILTIN_SEED, Codec, CodecError, Level, Metric, PreparedQuery, RotationKind, Workers, build_rotation,
};
use tq_files::{Corpus, CorpusFileError, FileError, Neighbour, SearchError};
use tq_format::{BitWidth, CorpusBuilder, CorpusError, CorpusHeader};

const METRICS: [Metric; 4] = [Metric::L2, Metric::InnerProduct, Metric::Cosine, Metric::L1];

fn codec(dimension: u32, width: BitWidth, residual: bool) -> Arc<Codec> {
    let rotation = build_rotation(RotationKind::Haar, BUILTIN_SEED, dimension).unwrap();
    Arc::new(Codec::builtin(dimension, width, residual, Arc::new(rotation)).unwrap())
}

/// Records of a corpus before they begin again.
const DISTINCT: u64 = 300;

/// Unit vectors.
fn vector(i: u64, dimension: usize) -> Vec<f32> {
    let mut state = i.wrapping_mul(0x9E37_79B9_7F4A_7C15) + 1;
    let vector: Vec<f32> = (0..dimension)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 40) as f32 / (1 << 23) as f32 - 1.0
        })
        .collect();
    tq_codec::normalize(&vector).unwrap()
}

fn write_corpus(folder: &Path, codec: &Codec, count: u64) -> PathBuf {
    let config = codec.config();
    let mut corpus = CorpusBuilder::new(CorpusHeader {
        vector_count: 0,
        dimension: config.dimension(),
        bit_width: config.bit_width(),
        residual: config.residual(),
        config_hash: codec.hash().to_string(),
        metadata: b"{\"x\": 1}".to_vec(),
    })
    .unwrap();
    let record = |i| {
        let mut record = Vec::new();
        codec.encode(&vector(i, config.dimension() as usize), &mut record).unwrap();
        record
    };
    let records: Vec<Vec<u8>> = (0..DISTINCT).map(record).collect();
    for i in 0..count {
        corpus.append(&records[(i % DISTINCT) as usize]).unwrap();
    }
    let path = folder.join("corpus.tqcv");
    fs::write(&path, corpus.finish()).unwrap();
    path
}

fn brute_force(corpus: &Corpus, query: &PreparedQuery, metric: Metric) -> Vec<Neighbour> {
    let mut all: Vec<Neighbour> = corpus
        .read(|view| {
            let distance = |record| match metric {
                Metric::InnerProduct => -query.distance(metric, &record),
                _ => query.distance(metric, &record),
            };
            let numbered = (0..).zip(view.records());
            numbered.map(|(index, record)| Ok(Neighbour { index, distance: distance(record?) })).collect()
        })
        .unwrap();
    all.sort_by(|a, b| a.distance.partial_cmp(&b.distance).unwrap().then(a.index.cmp(&b.index)));
    all
}

#[test]
fn equals_brute_force() {
    let folder = TempDir::new().unwrap();
    for (dimension, width, residual, count) in [
        (33, BitWidth::Four, true, 1000),
        (64, BitWidth::Two, false, 20_000),
        (100, BitWidth::Eight, false, 777),
        (5, BitWidth::Four, false, 1),
    ] {
        let codec = codec(dimension, width, residual);
        let corpus = Corpus::open(&write_corpus(folder.path(), &codec, count)).unwrap();
        let query = vector(1 << 20, dimension as usize);
        let query = PreparedQuery::new(codec, &query, Level::detect()).unwrap();
        for metric in METRICS {
            let expected = brute_force(&corpus, &query, metric);
            for (threads, limit) in [(1, 1), (1, 10), (2, 1), (2, 10), (3, 500), (2, 1 << 30), (2, 0)] {
                let workers = Workers::new(threads).unwrap();
                let mut polls = 0;
                let found = corpus.search(&query, metric, limit, &workers, &mut || polls += 1).unwrap();
                let limit = limit.min(expected.len());
                assert_eq!(found, expected[..limit], "{dimension} {metric:?} {threads} {limit}");
                assert!(polls > 0);
            }
        }
    }
}

#[test]
fn distances_that_are_no_numbers_come_last_in_order() {
    let folder = TempDir::new().unwrap();
    let codec = codec(8, BitWidth::Four, false);
    let corpus = Corpus::open(&write_corpus(folder.path(), &codec, 100)).unwrap();
    let query = PreparedQuery::new(codec, &[0.0; 8], Level::detect()).unwrap();
    let workers = Workers::new(2).unwrap();
    let found = corpus.search(&query, Metric::Cosine, 3, &workers, &mut || {}).unwrap();
    assert_eq!(found.iter().map(|neighbour| neighbour.index).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(found.iter().all(|neighbour| neighbour.distance.is_nan()));
}

#[test]
fn empty_corpus_has_no_neighbours() {
    let folder = TempDir::new().unwrap();
    let codec = codec(8, BitWidth::Four, false);
    let corpus = Corpus::open(&write_corpus(folder.path(), &codec, 0)).unwrap();
    let query = PreparedQuery::new(codec, &[1.0; 8], Level::detect()).unwrap();
    let found = corpus.search(&query, Metric::L2, 10, &Workers::new(1).unwrap(), &mut || {});
    assert_eq!(found.unwrap(), []);
}

#[test]
fn query_of_another_codec_is_refused() {
    let folder = TempDir::new().unwrap();
    let path = write_corpus(folder.path(), &codec(8, BitWidth::Four, false), 10);
    let corpus = Corpus::open(&path).unwrap();
    let query = PreparedQuery::new(codec(8, BitWidth::Two, false), &[1.0; 8], Level::detect()).unwrap();
    let error = corpus.search(&query, Metric::L2, 1, &Workers::new(1).unwrap(), &mut || {}).unwrap_err();
    assert!(matches!(error, SearchError::Codec(CodecError::ConfigMismatch { .. })), "{error}");
}

#[test]
fn first_malformed_record_is_the_error() {
    let folder = TempDir::new().unwrap();
    let codec = codec(33, BitWidth::Four, false);
    let path = write_corpus(folder.path(), &codec, 5000);
    let mut bytes = fs::read(&path).unwrap();
    let corpus = Corpus::open(&path).unwrap();
    let stride = corpus.read(|view| Ok(view.record_len() as u64 + 4)).unwrap();
    let body = corpus.read(|view| Ok(view.body_offset())).unwrap();
    for record in [4999, 3000, 1234] {
        bytes[(body + record * stride + 4) as usize] = 9;
    }
    fs::write(&path, &bytes).unwrap();
    let corpus = Corpus::open(&path).unwrap();
    let query = PreparedQuery::new(codec, &[1.0; 33], Level::detect()).unwrap();
    for threads in [1, 2] {
        let workers = Workers::new(threads).unwrap();
        let error = corpus.search(&query, Metric::L2, 1, &workers, &mut || {}).unwrap_err();
        let SearchError::Corpus(CorpusFileError::Format(CorpusError::Record { number, offset, .. })) = error
        else {
            panic!("{error}");
        };
        assert_eq!((number, offset), (1235, body + 1234 * stride));
    }
}

/// The workers meet the missing pages, not the caller's thread.
#[test]
fn file_changed_during_the_search_is_the_error() {
    let folder = TempDir::new().unwrap();
    let codec = codec(256, BitWidth::Eight, false);
    // A billion multiplications, which are not done in one round.
    let path = write_corpus(folder.path(), &codec, 20_000);
    let original = fs::read(&path).unwrap();
    let query = PreparedQuery::new(codec, &vector(7, 256), Level::detect()).unwrap();
    let workers = Workers::new(2).unwrap();
    let half = original.len() as u64 / 2;
    for (length, truncated) in [(0, true), (half, true), (original.len() as u64 + 5, false)] {
        fs::write(&path, &original).unwrap();
        let corpus = Corpus::open(&path).unwrap();
        let mut polls = 0;
        let result = corpus.search(&query, Metric::L1, 5, &workers, &mut || {
            polls += 1;
            if polls == 1 {
                OpenOptions::new().write(true).open(&path).unwrap().set_len(length).unwrap();
            }
        });
        match result {
            Err(SearchError::Corpus(CorpusFileError::File(FileError::Truncated { got, .. }))) => {
                assert!(truncated && got == length);
            }
            Err(SearchError::Corpus(CorpusFileError::File(FileError::Changed { .. }))) => assert!(!truncated),
            other => panic!("{length}: {other:?}"),
        }
        assert_eq!(polls, 1, "the round after the change is the last");
    }
}

#[test]
fn poll_that_unwinds_ends_the_search() {
    let folder = TempDir::new().unwrap();
    let codec = codec(8, BitWidth::Four, false);
    let corpus = Corpus::open(&write_corpus(folder.path(), &codec, 10)).unwrap();
    let query = PreparedQuery::new(codec, &[1.0; 8], Level::detect()).unwrap();
    let workers = Workers::new(2).unwrap();
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        corpus.search(&query, Metric::L2, 1, &workers, &mut || std::panic::resume_unwind(Box::new(())))
    }));
    assert!(result.is_err());
    assert_eq!(corpus.search(&query, Metric::L2, 1, &workers, &mut || {}).unwrap().len(), 1);
}
