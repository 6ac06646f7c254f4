//! Work with codecs and rotations. A rotation may be mapped from a file, so that each result is confirmed: what was read of the
//! file was right.

use std::sync::Arc;

use tq_codec::{BatchError, Codec, Metric, PreparedQuery, Rotation, RotationKind, Workers};
use tq_format::RecordView;

use super::cache;
use super::lookup::for_record;
use crate::error::Error;
use crate::error::interrupts::poll;

/// Compresses a vector: appends one record.
pub(crate) fn encode(codec: &Codec, vector: &[f32], record: &mut Vec<u8>) -> Result<(), Error> {
    if !codec.config().residual() {
        codec.rotation().prepare(false, &mut poll);
    }
    codec.encode_polling(vector, record, &mut poll)?;
    cache::confirm(codec)
}

/// Compresses many vectors (*n* × *d*, row-major), on several threads, and appends *n* records; `at` names the row, from 0, that an
/// error concerns. Answers interrupts.
pub(crate) fn encode_batch(
    codec: &Codec,
    workers: &Workers,
    vectors: &[f32],
    records: &mut Vec<u8>,
    at: impl FnOnce(usize, Error) -> Error,
) -> Result<(), Error> {
    codec
        .encode_batch_on(workers, vectors, records, &mut poll)
        .map_err(|BatchError { row, source }| at(row, source.into()))?;
    cache::confirm(codec)
}

/// Decompresses many records of one codec, on several threads, and appends the vectors (*n* × *d*, row-major). Answers
/// interrupts.
pub(crate) fn decode_batch(
    codec: &Codec,
    workers: &Workers,
    records: &[RecordView<'_>],
    vectors: &mut Vec<f32>,
) -> Result<(), Error> {
    codec.rotation().prepare(false, &mut poll);
    for round in records.chunks(codec.round_rows(workers)) {
        poll();
        codec.decode_batch_on(workers, round, vectors).map_err(|error| Error::from(error.source))?;
    }
    cache::confirm(codec)
}

/// Decompresses a record.
pub(crate) fn decode(record: &RecordView<'_>) -> Result<Vec<f32>, Error> {
    let codec = for_record(record)?;
    let vector = codec.decode_polling(record, &mut poll)?;
    count_rotation();
    cache::confirm(&codec)?;
    Ok(vector)
}

/// The distance of a record from a query that was prepared for its codec.
#[inline]
pub(crate) fn distance(query: &PreparedQuery, metric: Metric, record: &RecordView<'_>) -> Result<f64, Error> {
    let distance = query.distance(metric, record);
    // The other metrics don't touch the rotation.
    if metric == Metric::L1 {
        cache::confirm(query.codec())?;
    }
    Ok(distance)
}

/// Confirms, after a codec was used by other means than the functions here, that what it read of its rotation was right.
pub(crate) fn confirm(codec: &Codec) -> Result<(), Error> {
    cache::confirm(codec)
}

/// Rotates a vector back to where it came from.
pub(crate) fn rotate_back(
    kind: RotationKind,
    seed: u64,
    rotated: &[f32],
    out: &mut [f32],
) -> Result<(), Error> {
    let dimension = rotated.len() as u32;
    cache::rotation(kind, seed, dimension)?.apply_inverse_polling(rotated, out, &mut poll);
    cache::confirm_rotation((kind, seed, dimension))
}

/// Rotates vectors (*n* × *d*, row-major) in place, on several threads. Answers interrupts.
pub(crate) fn rotate_rows(
    kind: RotationKind,
    seed: u64,
    dimension: u32,
    workers: &Workers,
    vectors: &mut [f32],
) -> Result<(), Error> {
    cache::rotation(kind, seed, dimension)?.apply_rows(workers, vectors, &mut poll)?;
    cache::confirm_rotation((kind, seed, dimension))
}

/// Does work with the rotation of that kind, seed and dimension, and refuses the result if its file was changed meanwhile.
pub(crate) fn with_rotation<R>(
    kind: RotationKind,
    seed: u64,
    dimension: u32,
    work: impl FnOnce(Arc<Rotation>) -> Result<R, Error>,
) -> Result<R, Error> {
    let result = work(cache::rotation(kind, seed, dimension)?)?;
    cache::confirm_rotation((kind, seed, dimension))?;
    Ok(result)
}

#[cfg(any(test, feature = "pg_test"))]
thread_local! {
    /// Rotations of single vectors, for tests: what distances shall save can't be seen otherwise.
    pub(crate) static ROTATIONS: std::cell::Cell<u64> = const { std::cell::Cell::new(0) };
}

#[inline]
pub(super) fn count_rotation() {
    #[cfg(any(test, feature = "pg_test"))]
    ROTATIONS.set(ROTATIONS.get() + 1);
}
