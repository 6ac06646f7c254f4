//! Many vectors of which some can't be compressed, and the others are.

use std::ops::Range;

use tq_codec::{BatchError, Codec, CodecError, Workers};
use tq_format::RecordView;

use super::{confirm, encode_batch};
use crate::error::Error;

/// Rows that are tried again behind one that failed. What is done twice because of the next is bounded by it.
const AFTER_FAILURE: usize = 64;

/// Hears of a row that is refused, counted from 0, and may end it all.
pub(crate) type OnRefused<'a> = dyn FnMut(usize, Error) -> Result<(), Error> + 'a;

/// An error of the row that is this many behind the first, or of none.
type RunError = (Option<usize>, Error);

/// Compresses those of many vectors (*n* × *d*, row-major) that can be, scaled to unit length if asked for: their records
/// replace `records`. Returns which rows these are of. `vectors` are of no use afterwards.
///
/// # Errors
/// Those that are no vector's own, and `refused`'s.
pub(crate) fn encode_good(
    codec: &Codec,
    workers: &Workers,
    vectors: &mut [f32],
    normalize: bool,
    records: &mut Vec<u8>,
    refused: &mut OnRefused<'_>,
) -> Result<Vec<usize>, Error> {
    let dimension = codec.config().dimension() as usize;
    let rows = vectors.len() / dimension;
    // Nearly all that is refused is so at a look. The others close ranks, and are compressed together.
    let mut sound: Vec<usize> = tq_memory::with_capacity(rows)?;
    for row in 0..rows {
        let place = row * dimension..(row + 1) * dimension;
        match check(codec, &mut vectors[place.clone()], normalize) {
            Ok(()) => {
                vectors.copy_within(place, sound.len() * dimension);
                sound.push(row);
            }
            Err(error) => sift(error.into(), |error| refused(row, error))?,
        }
    }
    records.clear();
    let mut encode = |run: Range<usize>| {
        let (mut failed, vectors) = (None, &vectors[run.start * dimension..run.end * dimension]);
        encode_batch(codec, workers, vectors, records, |row, error| {
            failed = Some(row);
            error
        })
        .map_err(|error| (failed, error))
    };
    let good = runs(sound.len(), &mut encode, &mut |index, error| refused(sound[index], error))?;
    Ok(tq_memory::collected(good.into_iter().map(|index| sound[index]))?)
}

/// Decompresses those of many records that can be, and appends their vectors. Returns which these are.
///
/// # Errors
/// As for [`encode_good`].
pub(crate) fn decode_good(
    codec: &Codec,
    records: &[RecordView<'_>],
    vectors: &mut Vec<f32>,
    refused: &mut OnRefused<'_>,
) -> Result<Vec<usize>, Error> {
    let mut decode = |run: Range<usize>| {
        let decoded = codec.decode_batch(&records[run], vectors);
        decoded.map_err(|BatchError { row, source }| (Some(row), source.into()))
    };
    let good = runs(records.len(), &mut decode, refused)?;
    confirm(codec)?;
    Ok(good)
}

/// What can be told of a vector before it is rotated.
fn check(codec: &Codec, vector: &mut [f32], normalize: bool) -> Result<(), CodecError> {
    if normalize {
        let unit = tq_codec::normalize(vector)?;
        vector.copy_from_slice(&unit);
    }
    codec.check_encodable(vector).map(drop)
}

/// Hands an error of a row's own on, and returns any other.
fn sift(error: Error, refused: impl FnOnce(Error) -> Result<(), Error>) -> Result<(), Error> {
    if error.is_about_row() { refused(error) } else { Err(error) }
}

/// Does work on so many rows, in runs between those that it fails at; returns the others. Work that fails leaves nothing
/// behind.
fn runs(
    count: usize,
    work: &mut dyn FnMut(Range<usize>) -> Result<(), RunError>,
    refused: &mut OnRefused<'_>,
) -> Result<Vec<usize>, Error> {
    let mut good: Vec<usize> = tq_memory::with_capacity(count)?;
    let (mut start, mut most) = (0, count);
    while start < count {
        let end = count.min(start.saturating_add(most));
        match work(start..end) {
            Ok(()) => {
                good.extend(start..end);
                (start, most) = (end, most.saturating_mul(2));
            }
            Err((Some(row), error)) => {
                let failed = start + row;
                sift(error, |error| refused(failed, error))?;
                if row > 0 {
                    work(start..failed).map_err(|(_, error)| error)?;
                    good.extend(start..failed);
                }
                (start, most) = (failed + 1, AFTER_FAILURE);
            }
            Err((None, error)) => return Err(error),
        }
    }
    Ok(good)
}
