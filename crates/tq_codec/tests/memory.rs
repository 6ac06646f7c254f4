//! Memory that is refused is an error, at whichever allocation: each of every operation fails in turn, by itself and with all
//! after it. An allocation that can't fail and isn't served by the reserve or a promise ends the test.

#[path = "../../tq_memory/tests/failing/mod.rs"]
mod failing;

use failing::Counts;
use std::error::Error;
use std::sync::Arc;
use tq_codec::evaluate::{Evaluator, Sample, Training};
use tq_codec::{
    Codec, CodecError, Level, Metric, PreparedQuery, Quantvec, QuantvecDecoding, QuantvecRows, Rotation,
    RotationKind, VectorSample, Workers, build_rotation, normalize, sidecar, train,
};
use tq_format::{
    BitWidth, CorpusBuilder, CorpusHeader, CorpusView, RecordView, VectorText, qvec, record_text,
};

/// Enough for products of matrices, for several panels of the decomposition, and for rows on several threads.
const DIMENSION: u32 = 300;

fn is_memory(error: &(dyn Error + 'static)) -> bool {
    matches!(
        error.downcast_ref(),
        Some(CodecError::OutOfMemory { .. } | CodecError::TrainingMemory { .. } | CodecError::Memory(_))
    )
}

fn unit_rows(rows: usize, dimension: usize) -> Vec<f32> {
    let mut state = 1u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as f32 / (1 << 24) as f32 - 0.5
    };
    let mut all = Vec::new();
    for _ in 0..rows {
        let row: Vec<f32> = (0..dimension).map(|_| next()).collect();
        all.extend(normalize(&row).unwrap());
    }
    all
}

fn builtin(width: BitWidth, residual: bool, kind: RotationKind, dimension: u32) -> Codec {
    let rotation = build_rotation(kind, tq_codec::BUILTIN_SEED, dimension).unwrap();
    Codec::builtin(dimension, width, residual, Arc::new(rotation)).unwrap()
}

#[test]
fn refused_memory_is_an_error_everywhere() {
    let mut counts = Counts::default();
    rotations(&mut counts);
    records(&mut counts);
    batches(&mut counts);
    training(&mut counts);
    evaluation(&mut counts);
    indexes(&mut counts);
    formats(&mut counts);
    println!("{counts:?}, deaths: 0");
    assert!(counts.errors > 500 && counts.allocations > 1000, "{counts:?}");
}

fn rotations(counts: &mut Counts) {
    for kind in [RotationKind::Haar, RotationKind::Hadamard] {
        counts.check("rotation", is_memory, || build_rotation(kind, 7, DIMENSION));
    }
    let rotation = build_rotation(RotationKind::Haar, 7, 64).unwrap();
    let rows = unit_rows(300, 64);
    for threads in [1, 2] {
        counts.check("rows rotated", is_memory, || {
            rotation.apply_rows(&Workers::new(threads)?, &mut tq_memory::copied(&rows)?, &mut || ())
        });
    }
}

fn records(counts: &mut Counts) {
    let vector = unit_rows(1, DIMENSION as usize);
    for (width, residual, kind) in [
        (BitWidth::Four, false, RotationKind::Haar),
        (BitWidth::Eight, true, RotationKind::Haar),
        (BitWidth::Two, false, RotationKind::Hadamard),
    ] {
        // Made anew, so that what it makes of its rotation at its first use is made in the test.
        let seed = tq_codec::BUILTIN_SEED;
        let kept: Arc<Vec<f64>> =
            Arc::new(Rotation::haar(seed, DIMENSION).matrix().map(<[f64]>::to_vec).unwrap_or_default());
        struct Shared(Arc<Vec<f64>>);
        impl AsRef<[f64]> for Shared {
            fn as_ref(&self) -> &[f64] {
                &self.0
            }
        }
        let codec = || -> Result<Codec, CodecError> {
            let rotation = match kind {
                RotationKind::Haar => {
                    Rotation::haar_from(seed, DIMENSION, Arc::new(Shared(Arc::clone(&kept))))?
                }
                RotationKind::Hadamard => build_rotation(kind, seed, DIMENSION)?,
            };
            Codec::builtin(DIMENSION, width, residual, Arc::new(rotation))
        };
        counts.check("codec, encode", is_memory, || {
            let mut record = Vec::new();
            codec()?.encode(&vector, &mut record)?;
            Ok::<_, CodecError>(record)
        });
        let codec = Arc::new(codec().unwrap());
        let mut record = Vec::new();
        codec.encode(&vector, &mut record).unwrap();
        let view = RecordView::parse(&record).unwrap();
        counts.check("decode", is_memory, || codec.decode(&view));
        counts.check("query", is_memory, || {
            let query = PreparedQuery::new(Arc::clone(&codec), &vector, Level::detect())?;
            // Even without memory for what L1 needs.
            assert!(query.distance(Metric::L1, &view) < 8.0 && query.distance(Metric::L2, &view) < 0.5);
            Ok::<_, CodecError>(query.query().0.len())
        });
        counts.check("query that was rotated", is_memory, || {
            PreparedQuery::from_rotated(Arc::clone(&codec), &vector, Level::detect())
                .map(|query| query.query().0.len())
        });
        counts.check("sidecar", is_memory, || sidecar::write(codec.config()));
    }
    counts.check("normalize", is_memory, || normalize(&vector));
}

fn batches(counts: &mut Counts) {
    const ROWS: usize = 600;
    let rows = unit_rows(ROWS, DIMENSION as usize);
    for (residual, kind) in
        [(false, RotationKind::Haar), (true, RotationKind::Haar), (true, RotationKind::Hadamard)]
    {
        let codec = builtin(BitWidth::Four, residual, kind, DIMENSION);
        let mut expected = Vec::new();
        codec.encode_batch(&rows, &mut expected).unwrap();
        let views: Vec<_> = expected
            .chunks_exact(expected.len() / ROWS)
            .map(|record| RecordView::parse(record).unwrap())
            .collect();
        for threads in [1, 2] {
            counts.check("rows encoded", is_memory, || {
                // A thread, and with it the library's buffers for products, is new each time.
                let workers = Workers::new(threads)?;
                let mut records = vec![9];
                let result = codec.encode_batch_on(&workers, &rows, &mut records, &mut || ());
                let kept = if result.is_ok() { &expected[..] } else { &[] };
                assert!(records[0] == 9 && records[1..] == *kept, "an error leaves them as they were");
                result.map_err(|error| error.source)
            });
            counts.check("records decoded", is_memory, || {
                let mut vectors = Vec::new();
                let result = codec.decode_batch_on(&Workers::new(threads)?, &views, &mut vectors);
                assert_eq!(vectors.len(), if result.is_ok() { rows.len() } else { 0 });
                result.map_err(|error| error.source)
            });
        }
        counts.check("rows encoded on one", is_memory, || {
            let mut records = Vec::new();
            codec.encode_batch(&rows, &mut records).map_err(|error| error.source)
        });
        counts.check("records decoded on one", is_memory, || {
            let mut vectors = Vec::new();
            codec.decode_batch(&views, &mut vectors).map_err(|error| error.source)
        });
    }
}

fn training(counts: &mut Counts) {
    let values = unit_rows(200, 64);
    for width in [BitWidth::Two, BitWidth::Eight] {
        counts.check("quantiles", is_memory, || {
            train::quantile(&mut train::copy(&values, &mut || ())?, width, &mut || ())
        });
        counts.check("Lloyd's", is_memory, || {
            train::lloyd(&mut train::copy(&values, &mut || ())?, width, &mut || ())
        });
    }
    counts.check(
        "sample",
        |error| error.is::<std::collections::TryReserveError>(),
        || {
            let mut sample = VectorSample::new(1, 100, 64);
            values.chunks_exact(64).try_for_each(|vector| sample.offer(vector))?;
            let kept = sample.values().to_vec();
            let mut again = VectorSample::restore(1, 100, 64, 200, kept.into_iter(), &mut || ())?;
            again.merge(sample, &mut || ())
        },
    );
}

fn evaluation(counts: &mut Counts) {
    let rows = unit_rows(120, 32);
    for kind in [RotationKind::Haar, RotationKind::Hadamard] {
        let rotation = Arc::new(build_rotation(kind, 7, 32).unwrap());
        for threads in [1, 2] {
            counts.check("evaluation", is_memory, || {
                let workers = Workers::new(threads)?;
                let sample = Sample { rows: tq_memory::copied(&rows)?, dimension: 32, queries: 20, k: 5 };
                let evaluator = Evaluator::new(sample, Arc::clone(&rotation), &workers, &mut || ())?;
                for training in Training::ALL {
                    evaluator.evaluate(BitWidth::Four, training, &workers, &mut || ())?;
                }
                Ok::<_, CodecError>(())
            });
        }
    }
}

/// quantvec's.
fn indexes(counts: &mut Counts) {
    for dimension in [256usize, 264] {
        counts.check("quantvec's codec", is_memory, || {
            Quantvec::new(dimension as u32, qvec::Bits::Four, 42.0, &mut || ())
        });
        let codec = Quantvec::new(dimension as u32, qvec::Bits::Four, 42.0, &mut || ()).unwrap();
        let rows = unit_rows(300, dimension);
        let mut encoded = QuantvecRows::default();
        codec.encode_batch(&rows, &mut encoded).unwrap();
        let views: Vec<qvec::Row<'_>> = encoded
            .codes
            .chunks_exact(codec.row_len())
            .zip(encoded.scales.iter().zip(&encoded.norms))
            .map(|(codes, (&scale, &norm))| qvec::Row { codes, scale, norm })
            .collect();
        for threads in [1, 2] {
            counts.check("index encoded", is_memory, || {
                let mut out = QuantvecRows::default();
                let result = codec.encode_batch_on(&Workers::new(threads)?, &rows, &mut out, &mut || ());
                result.map_err(|error| error.source)
            });
            counts.check("index decoded", is_memory, || {
                let (workers, mut out) = (Workers::new(threads)?, Vec::new());
                let unit = QuantvecDecoding::Unit;
                let result = codec.decode_batch_on(&workers, &views, unit, &mut out, &mut || ());
                result.map_err(|error| error.source)
            });
        }
        counts.check("index queried", is_memory, || {
            codec.prepare(&rows[..dimension]).map(|query| query.score(qvec::Metric::Dot, &views[0]))
        });
    }
}

/// Those of `tq_format` that allocate by data, for which a codec's records are at hand here.
fn formats(counts: &mut Counts) {
    let codec = builtin(BitWidth::Eight, true, RotationKind::Hadamard, DIMENSION);
    let vector = unit_rows(1, DIMENSION as usize);
    let mut record = Vec::new();
    codec.encode(&vector, &mut record).unwrap();
    counts.check("text of a record", is_memory, || record_text(&record));
    let digits = record_text(&record).unwrap();
    counts.check("record from text", is_memory, || VectorText::parse(&digits));
    let numbers = format!("{vector:?}");
    counts.check("floats from text", is_memory, || VectorText::parse(&numbers));
    let header = CorpusHeader {
        vector_count: 0,
        dimension: DIMENSION,
        bit_width: BitWidth::Eight,
        residual: true,
        config_hash: codec.hash().to_string(),
        metadata: vec![b' '; 100_000],
    };
    counts.check("corpus in memory", is_memory, || {
        let mut corpus = CorpusBuilder::new(header.try_clone()?)?;
        (0..20).try_for_each(|_| corpus.append(&record))?;
        CorpusView::parse(&corpus.finish())?.to_header()
    });
}
