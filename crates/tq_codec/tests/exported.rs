//! A corpus that COPY TO wrote, in the reference's reader: it opens, and decodes to what `tq_decompress` gave. The golden
//! test of COPY TO writes the same file again, byte for byte.

use std::path::{Path, PathBuf};

use tinyquant_core::codec as reference;
use tinyquant_io::mmap::corpus_file::CorpusFileReader;
use tinyquant_io::to_bytes;
use tq_codec::{CodecConfig, RotationKind};
use tq_format::{BitWidth, CorpusView};

const SEED: u64 = 7;
const DIMENSION: u32 = 24;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/pg_regress/data").join(name)
}

/// The codebook that the test's codec was registered with.
fn codebook() -> Vec<f32> {
    (0..16).map(|i| ((f64::from(i) - 7.5) / 30.0) as f32).collect()
}

#[test]
fn the_reference_reads_what_copy_to_writes() {
    let config = reference::CodecConfig::new(4, SEED, DIMENSION, true).unwrap();
    let ours = CodecConfig::new(BitWidth::Four, SEED, DIMENSION, true, RotationKind::Haar).unwrap();
    assert_eq!(**config.config_hash(), *ours.hash().as_str());
    let codebook = reference::Codebook::new(codebook().into(), 4).unwrap();
    let codec = reference::PreparedCodec::new(config, codebook).unwrap();

    let path = data("exported.tqcv");
    let bytes = std::fs::read(&path).unwrap();
    let here = CorpusView::parse(&bytes).unwrap();
    let decoded = std::fs::read_to_string(data("exported.decoded.txt")).unwrap();
    let expected: Vec<Vec<f32>> =
        decoded.lines().map(|line| line.split(' ').map(|number| number.parse().unwrap()).collect()).collect();

    let reader = CorpusFileReader::open(&path).unwrap();
    let mut rows = 0;
    for ((theirs, ours), expected) in reader.iter().zip(here.records()).zip(&expected) {
        let theirs = theirs.unwrap().to_owned_cv().unwrap();
        assert_eq!(to_bytes(&theirs), ours.unwrap().as_bytes());
        let mut vector = vec![0.0; DIMENSION as usize];
        reference::Codec::new().decompress_prepared_into(&theirs, &codec, &mut vector).unwrap();
        for (a, b) in expected.iter().zip(&vector) {
            assert!((a - b).abs() <= 1e-6, "row {rows}: {a} here, {b} there");
        }
        rows += 1;
    }
    assert_eq!((rows, expected.len()), (20, 20));
}
