//! Corpus files of the reference implementation, made again from their inputs, and decoded.

mod common;

use std::path::Path;
use std::sync::Arc;
use tq_codec::{Codebook, Codec, CodecError, Rotation, sidecar};
use tq_format::{CorpusBuilder, CorpusView, tqcb};

/// The codec of a case, from its sidecar and codebook files.
fn codec(stem: &str) -> Codec {
    let config = sidecar::parse(&std::fs::read(format!("{stem}.config.json")).unwrap()).unwrap().config;
    let (width, entries) = tqcb::parse(&std::fs::read(format!("{stem}.tqcb")).unwrap()).unwrap();
    let rotation = Arc::new(Rotation::haar(config.seed(), config.dimension()));
    Codec::new(config, Codebook::new(width, entries).unwrap(), rotation).unwrap()
}

/// Stems of all cases that come with their codec.
fn cases(directory: &Path) -> Vec<String> {
    let sidecars = common::files(directory, ".config.json");
    sidecars.iter().map(|path| path.to_str().unwrap().replace(".config.json", "")).collect()
}

#[test]
fn corpora_are_reproduced_to_the_byte() {
    let Some(directory) = common::shared("golden/dev/tqcv") else { return };
    let cases = cases(&directory);
    let mut records = 0;
    for stem in &cases {
        let codec = codec(stem);
        let golden = std::fs::read(format!("{stem}.tqcv")).unwrap();
        let view = CorpusView::parse(&golden).unwrap();
        let mut header = view.to_header().unwrap();
        header.config_hash = codec.hash().to_string();
        header.dimension = codec.config().dimension();
        header.bit_width = codec.config().bit_width();
        header.residual = codec.config().residual();
        let mut builder = CorpusBuilder::new(header).unwrap();
        let input = common::read_f32s(Path::new(&format!("{stem}.in.f32.bin")));
        let mut record = Vec::new();
        for row in input.chunks_exact(codec.config().dimension() as usize) {
            record.clear();
            codec.encode(row, &mut record).unwrap();
            builder.append(&record).unwrap();
            records += 1;
        }
        let made = builder.finish();
        let first = made.iter().zip(&golden).position(|(a, b)| a != b);
        assert!(made == golden, "{stem}: first difference at {first:?}, {} and {}", made.len(), golden.len());
    }
    eprintln!("{} corpora with {records} records reproduced to the byte", cases.len());
    assert!(records > 2000);
}

#[test]
fn corpora_are_decoded() {
    let Some(directory) = common::shared("golden/dev/tqcv") else { return };
    let (mut values, mut different) = (0, 0);
    for stem in cases(&directory) {
        let codec = codec(&stem);
        let golden = std::fs::read(format!("{stem}.tqcv")).unwrap();
        let expected = common::read_f32s(Path::new(&format!("{stem}.dec.f32.bin")));
        let mut decoded = Vec::new();
        for record in CorpusView::parse(&golden).unwrap().records() {
            decoded.extend(codec.decode(&record.unwrap()).unwrap());
        }
        assert_eq!(decoded.len(), expected.len(), "{stem}");
        for (row, (decoded, expected)) in decoded
            .chunks_exact(codec.config().dimension() as usize)
            .zip(expected.chunks_exact(codec.config().dimension() as usize))
            .enumerate()
        {
            // A sum that cancels is small with the rounding of its large terms: relative to the row.
            let scale = expected.iter().fold(f32::MIN_POSITIVE, |max, x| max.max(x.abs()));
            for (a, b) in decoded.iter().zip(expected) {
                assert!((a - b).abs() <= 1e-6 * scale, "{stem}, row {row}: {a} and {b}");
                values += 1;
                different += usize::from(a.to_bits() != b.to_bits());
            }
        }
    }
    eprintln!("{values} decoded values, {different} differ in bits");
    assert!(values > 100_000);
}

#[test]
fn records_of_another_codec_are_refused() {
    let Some(directory) = common::shared("golden/dev/tqcv") else { return };
    let stem = |name: &str| directory.join(name).to_str().unwrap().to_owned();
    let (ours, other) = (codec(&stem("d33_b4_res")), codec(&stem("d33_b4_nores")));
    let golden = std::fs::read(format!("{}.tqcv", stem("d33_b4_res"))).unwrap();
    let view = CorpusView::parse(&golden).unwrap();
    let record = view.record(0).unwrap();
    assert!(ours.decode(&record).is_ok());
    assert_eq!(
        other.decode(&record),
        Err(CodecError::ConfigMismatch { expected: other.hash().to_string(), got: ours.hash().to_string() })
    );
}
