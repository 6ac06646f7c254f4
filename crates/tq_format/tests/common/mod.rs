//! What the integration tests share: the golden files, when they are there, and samples made from nothing.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::{Path, PathBuf};

use tq_format::{
    BitWidth, CorpusBuilder, CorpusError, CorpusHeader, CorpusView, RecordBuilder, RecordView, hash_field,
};

/// A folder under `golden/dev`, or `None` after saying so when the golden files aren't present.
pub(crate) fn golden(folder: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let path = root.join("golden/dev").join(folder);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("SKIPPED: golden files of {folder} (../shared not present)");
    None
}

/// The files of a folder with this extension, as (stem, bytes), in order of name.
pub(crate) fn files(folder: &Path, extension: &str) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    found
}

/// Reads a whole corpus: its first error, or its number of records.
pub(crate) fn read_all(bytes: &[u8]) -> Result<u64, CorpusError> {
    let view = CorpusView::parse(bytes)?;
    view.records().try_fold(0, |count, record| record.map(|_| count + 1))
}

/// Writes a corpus anew from what its view says, taking each record apart and putting it together again.
pub(crate) fn rebuilt(bytes: &[u8]) -> Vec<u8> {
    let view = CorpusView::parse(bytes).unwrap();
    let mut corpus = CorpusBuilder::new(view.to_header().unwrap()).unwrap();
    for record in view.records() {
        corpus.append(&rebuilt_record(record.unwrap())).unwrap();
    }
    corpus.finish()
}

pub(crate) fn rebuilt_record(record: RecordView<'_>) -> Vec<u8> {
    let field = hash_field(record.config_hash()).unwrap();
    let builder =
        RecordBuilder::new(&field, record.dimension(), record.bit_width(), record.has_residual()).unwrap();
    let indices: Vec<u8> = record.indices().collect();
    let mut out = Vec::new();
    builder.write(&indices, record.residual(), &mut out).unwrap();
    let mut packed = Vec::new();
    builder.write_packed(record.codes(), record.residual(), &mut packed).unwrap();
    assert_eq!(out, packed);
    out
}

/// A repeatable stream of bytes (xorshift), for samples whose content doesn't matter.
pub(crate) struct Noise(pub(crate) u64);

impl Noise {
    pub(crate) fn byte(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u8
    }
}

/// A record's codes and, if wanted, its residual: finite binary16 numbers.
pub(crate) fn sample_parts(
    width: BitWidth,
    dimension: u32,
    residual: bool,
    noise: &mut Noise,
) -> (Vec<u8>, Option<Vec<u8>>) {
    let mask = (width.levels() - 1) as u8;
    let indices = (0..dimension).map(|_| noise.byte() & mask).collect();
    let residual = residual.then(|| {
        // 0x7B is the greatest high byte whose exponent isn't all ones.
        (0..dimension).flat_map(|_| [noise.byte(), (noise.byte() & 0x80) | (noise.byte() % 0x7C)]).collect()
    });
    (indices, residual)
}

pub(crate) fn sample_record(
    width: BitWidth,
    dimension: u32,
    residual: bool,
    hash: &str,
    seed: u64,
) -> Vec<u8> {
    let mut noise = Noise(seed | 1);
    let (indices, bytes) = sample_parts(width, dimension, residual, &mut noise);
    let builder = RecordBuilder::new(&hash_field(hash).unwrap(), dimension, width, residual).unwrap();
    let mut out = Vec::new();
    builder.write(&indices, bytes.as_deref(), &mut out).unwrap();
    out
}

pub(crate) fn sample_corpus(
    width: BitWidth,
    dimension: u32,
    residual: bool,
    count: u64,
    metadata: &[u8],
) -> Vec<u8> {
    let hash = "0123456789abcdef".repeat(4);
    let mut corpus = CorpusBuilder::new(CorpusHeader {
        vector_count: 0,
        dimension,
        bit_width: width,
        residual,
        config_hash: hash.clone(),
        metadata: metadata.to_vec(),
    })
    .unwrap();
    for i in 0..count {
        corpus.append(&sample_record(width, dimension, residual, &hash, i * 977 + 13)).unwrap();
    }
    corpus.finish()
}
