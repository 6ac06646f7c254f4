//! Fuzz targets: the readers of all that others may have made, records, corpora, codec descriptions, files of vectors, and the pages
//! of an index.
//!
//! A target gets any bytes at all. They are an error, or are read as exactly what they say: what was read is put together again
//! and must give the same bytes, and what two readers say of them must agree. A panic, an endless loop, or memory beyond a
//! small multiple of the input is a finding.
//!
//! `scripts/fuzz` runs the targets under libFuzzer. What it has found worth keeping lies in `corpus/`, and `cargo test` runs
//! every target over it.

mod bytes;
mod files;
mod index;
mod memory;

use memory::Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// What is done with the bytes.
type Target = fn(&[u8]);

/// All targets: their names, and how many bytes they may take for each byte that they are given.
pub const TARGETS: [(&str, Target, usize); 20] = [
    ("record", bytes::record, 8),
    ("text", bytes::text, 64),
    ("binary", bytes::binary, 16),
    ("corpus", bytes::corpus, 8),
    ("verify", files::verify, 64),
    ("metadata", bytes::metadata, 64),
    ("codebook", bytes::codebook, 8),
    ("sidecar", bytes::sidecar, 8),
    ("declaration", bytes::declaration, 64),
    ("qvec", bytes::qvec, 32),
    ("ztensor", files::ztensor, 64),
    ("burnpack", files::burnpack, 64),
    ("npy", files::npy, 64),
    ("npz", files::npz, 64),
    ("safetensors", files::safetensors, 128),
    ("gguf", files::gguf, 128),
    ("torch", files::torch, 256),
    ("benchmark", files::benchmark, 64),
    ("ids", bytes::ids, 64),
    ("pages", index::pages, 64),
];

/// What a target may take whatever it is given: buffers, windows of decompression, the texts of errors.
const ALLOWANCE: usize = 24 << 20;

/// Runs a target.
///
/// # Panics
/// There is no such target, or it has found something.
pub fn run(name: &str, data: &[u8]) {
    let found = TARGETS.iter().find(|(known, ..)| *known == name);
    let (_, target, factor) = found.expect("a target of this name");
    if name == "pages" {
        index::prepare();
    }
    let ((), peak) = memory::peak(|| target(data));
    let most = ALLOWANCE + factor * data.len();
    assert!(peak <= most, "{peak} bytes of memory for {} bytes of input", data.len());
}
