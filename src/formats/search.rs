//! Searching an index where it is: quantvec's estimates, given as distances.

use std::path::Path;

use tq_codec::{Metric, Workers};
use tq_files::Neighbour;
use tq_format::qvec;

use super::open::{index_error, open_index};
use crate::error::interrupts::poll;
use crate::error::{Error, FormatError, VectorError};

/// The `limit` vectors of an index that are nearest to a query, the nearest first. `threads` is told the file's bytes.
///
/// An estimate `s` of an inner product is the distance `-s`, one of a cosine `1 - s`, and one of a squared distance, which may be
/// negative, `√max(s, 0)`: what the operators' distances are of, in the order of the estimates.
///
/// # Errors
/// The file is malformed, the query has another dimension or is zero, or the metric isn't one of quantvec's.
pub(crate) fn search_index(
    path: &Path,
    query: &[f32],
    limit: usize,
    metric: Metric,
    threads: impl FnOnce(u64) -> usize,
) -> Result<Vec<Neighbour>, Error> {
    let (wanted, distance): (_, fn(f64) -> f64) = match metric {
        Metric::InnerProduct => (qvec::Metric::Dot, |score| -score),
        Metric::Cosine => (qvec::Metric::Cosine, |score| 1.0 - score),
        Metric::L2 => (qvec::Metric::Euclidean, |score| score.max(0.0).sqrt()),
        Metric::L1 => return Err(Error::Format(FormatError::IndexMetric(path.into()))),
    };
    let index = open_index(path, path)?;
    let header = index.header();
    if query.len() != header.dimension as usize {
        return Err(Error::Vector(VectorError::DimensionsDiffer(header.dimension, query.len() as u32)));
    }
    let workers = Workers::new(threads(index.file().len()))?;
    let found = index.search(query, wanted, limit, &workers, &mut poll);
    let found = found.map_err(|error| index_error(path, error))?;
    Ok(tq_memory::collected(
        found.into_iter().map(|(slot, score)| Neighbour { index: slot.into(), distance: distance(score) }),
    )?)
}
