//! What happens to a sample before the first codec, and work in rounds.

use crate::product::F32_NORMS;
use crate::{CodecError, Rotation, Workers, check_rotatable};
use tq_memory::OutOfMemory;

/// The most neighbours that recall is asked for.
pub const MOST_NEIGHBOURS: usize = 1000;
/// The most queries that may be asked for.
pub const MOST_QUERIES: usize = 10_000;

/// Values that a codebook is trained on: thousands for each entry, and sorted in some ten milliseconds.
const TRAINING_VALUES: usize = 1 << 20;
/// Floats of all queries together; a prepared query takes several times its floats.
const QUERY_VALUES: usize = 1 << 22;
/// Pairs of a query and a row, whose exact similarity is kept in four bytes.
const PAIRS: usize = 1 << 27;
/// Rows that are rotated as one product.
const ROTATED_ROWS: usize = 128;
/// Rows that are looked at as one piece of work, by their values.
const CHECKED_VALUES: usize = 10_000_000;

/// Refuses what can't be evaluated; returns the number of rows.
pub(super) fn check_shape(
    rows: &[f32],
    dimension: usize,
    queries: usize,
    k: usize,
    rotation: &Rotation,
) -> Result<usize, CodecError> {
    let expected = rotation.dimension() as usize;
    if dimension != expected {
        return Err(CodecError::DimensionMismatch { expected, got: dimension });
    }
    let (n, rest) = (rows.len() / dimension, rows.len() % dimension);
    if rest != 0 {
        return Err(CodecError::DimensionMismatch { expected, got: rest });
    }
    if !(1..=MOST_QUERIES).contains(&queries) {
        return Err(CodecError::QueriesOutOfRange { queries: queries as i64, most: MOST_QUERIES });
    }
    if !(1..=MOST_NEIGHBOURS).contains(&k) {
        return Err(CodecError::NeighboursOutOfRange { k: k as i64, most: MOST_NEIGHBOURS });
    }
    if n <= k {
        return Err(CodecError::SampleTooSmall { rows: n, k });
    }
    Ok(n)
}

/// How many queries there are, of those that are asked for: as many as memory allows.
pub(super) fn query_count(n: usize, dimension: usize, queries: usize) -> usize {
    let limit = (QUERY_VALUES / dimension).min(PAIRS / n.max(1)).max(1).min(n);
    queries.min(limit)
}

/// So many evenly spaced rows for queries.
pub(super) fn query_rows(n: usize, dimension: usize, queries: usize) -> Result<Vec<usize>, OutOfMemory> {
    let count = query_count(n, dimension, queries);
    tq_memory::collected((0..count).map(|i| i * n / count))
}

/// The squared norm of each row.
pub(super) fn check_rows(
    rows: &[f32],
    dimension: usize,
    workers: &Workers,
    poll: &mut dyn FnMut(),
) -> Result<Vec<f64>, CodecError> {
    let block = (CHECKED_VALUES / dimension).max(1);
    let check = |(first, rows): (usize, &[f32])| {
        let square = |(row, vector)| match check_rotatable(vector) {
            Ok(0.0) => Err(CodecError::Row { row: first + row, source: Box::new(CodecError::ZeroVector) }),
            Ok(norm) => Ok(norm * norm),
            Err(error) => Err(CodecError::Row { row: first + row, source: Box::new(error) }),
        };
        let mut squares = tq_memory::with_capacity(rows.len() / dimension)?;
        for row in rows.chunks_exact(dimension).enumerate() {
            squares.push(square(row)?);
        }
        Ok::<_, CodecError>(squares)
    };
    let mut squares = tq_memory::with_capacity(rows.len() / dimension)?;
    let blocks = rows.chunks(block * dimension).enumerate().map(|(i, rows)| (i * block, rows));
    in_rounds(workers, blocks, 1, check, poll, |block| {
        squares.extend(block?);
        Ok(())
    })?;
    Ok(squares)
}

/// As many whole rows as a codebook is trained on.
pub(super) fn evenly_spaced(rows: &[f32], dimension: usize) -> Result<Vec<f32>, OutOfMemory> {
    let n = rows.len() / dimension;
    let step = n.div_ceil((TRAINING_VALUES / dimension).max(1)).max(1);
    let mut values = tq_memory::with_capacity(n.div_ceil(step) * dimension)?;
    rows.chunks_exact(dimension).step_by(step).for_each(|row| values.extend_from_slice(row));
    Ok(values)
}

/// Rotates rows in place: in `f32` where there is a matrix, which is as good as the vectors themselves.
pub(super) fn rotate(
    rotation: &Rotation,
    rows: &mut [f32],
    squares: &[f64],
    workers: &Workers,
    poll: &mut dyn FnMut(),
) -> Result<(), CodecError> {
    let Some(single) = rotation.single_polling(poll) else {
        return rotation.apply_rows(workers, rows, poll);
    };
    let d = rotation.dimension() as usize;
    let size = ROTATED_ROWS.min(Workers::round_rows(d));
    let rotate = |(rows, squares): (&mut [f32], &[f64])| {
        let mut rotated = tq_memory::filled(rows.len(), 0.0)?;
        single.apply_rows(rows, &mut rotated, &mut Vec::new())?;
        for ((row, rotated), square) in rows.chunks_exact(d).zip(rotated.chunks_exact_mut(d)).zip(squares) {
            if !F32_NORMS.contains(&square.sqrt()) {
                rotation.apply(row, rotated);
            }
        }
        rows.copy_from_slice(&rotated);
        Ok::<_, OutOfMemory>(())
    };
    let blocks = rows.chunks_mut(size * d).zip(squares.chunks(size));
    in_rounds(workers, blocks, Workers::round_rows(d) / size, rotate, poll, |done| Ok(done?))
}

/// Does the job for each item, so many for each thread in a round, and takes the results in the order of the items.
pub(super) fn in_rounds<I: Send, R: Send>(
    workers: &Workers,
    items: impl Iterator<Item = I>,
    each: usize,
    job: impl Fn(I) -> R + Sync + Send,
    poll: &mut dyn FnMut(),
    mut take: impl FnMut(R) -> Result<(), CodecError>,
) -> Result<(), CodecError> {
    let mut items = items.peekable();
    while items.peek().is_some() {
        poll();
        let round = tq_memory::collected(items.by_ref().take(each.max(1) * workers.threads()))?;
        for result in workers.map(round, &job)? {
            take(result)?;
        }
    }
    Ok(())
}
