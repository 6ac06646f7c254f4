//! Makes the demonstration corpus: descriptions of Debian packages as a TQCV file, and their names.
//!
//! ```text
//! cargo run --release -p tq_codec --example demo_corpus -- DIRECTORY OUT.tqcv OUT.txt
//! ```
//! DIRECTORY holds `base.npy` (float16 or float32, one row a package) and `names.txt` (one name a line, in the
//! same order). The first 5,000 rows are scaled to unit length and compressed by the built-in codec with
//! 4 bits and without residual. Row *i* of the corpus belongs to line *i* of the names.

#[path = "../tests/common/mod.rs"]
mod common;

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use tq_codec::{BUILTIN_SEED, Codec, Rotation, normalize};
use tq_format::{BitWidth, CorpusBuilder, CorpusHeader};

const ROWS: usize = 5_000;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, corpus, names] = arguments.as_slice() else {
        return Err("usage: demo_corpus DIRECTORY OUT.tqcv OUT.txt".into());
    };
    let directory = Path::new(directory);
    let base = common::read_npy_f32(&directory.join("base.npy"));
    let rows = ROWS.min(base.rows);
    let dimension = u32::try_from(base.columns)?;
    let rotation = Arc::new(Rotation::haar(BUILTIN_SEED, dimension));
    let codec = Codec::builtin(dimension, BitWidth::Four, false, rotation)?;
    let mut builder = CorpusBuilder::new(CorpusHeader {
        vector_count: rows as u64,
        dimension,
        bit_width: BitWidth::Four,
        residual: false,
        config_hash: codec.hash().to_string(),
        metadata: Vec::new(),
    })?;
    let mut record = Vec::new();
    for i in 0..rows {
        record.clear();
        codec.encode(&normalize(base.row(i))?, &mut record)?;
        builder.append(&record)?;
    }
    let bytes = builder.finish();

    let text = fs::read_to_string(directory.join("names.txt"))?;
    let mut kept: Vec<&str> = text.lines().take(rows).collect();
    if kept.len() != rows || kept.iter().any(|name| name.trim().is_empty()) {
        return Err("names.txt does not have a name for every row".into());
    }
    kept.push("");
    fs::write(corpus, &bytes)?;
    fs::write(names, kept.join("\n"))?;
    println!("{rows} vectors of {dimension} dimensions, {} bytes", bytes.len());
    Ok(())
}
