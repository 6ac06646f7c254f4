//! The nearest vectors of an index, by quantvec's own scores.
//!
//! In rounds, as [`Corpus::search`](crate::Corpus::search) goes through a corpus: the result depends neither on threads nor on time.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use tq_codec::{CodecError, Workers, check_vector};
use tq_format::qvec;

use super::{QvecFile, QvecFileError};
use crate::nearest::{CHUNK_BYTES, Candidate, Nearest, Neighbour, ROUND};

impl QvecFile {
    /// The `limit` vectors with the best scores for a query, or all if there are fewer: slot and score, the best first, of equal
    /// ones the lower slot. Every vector is looked at, also where the index has lists.
    ///
    /// Scores are quantvec's: for [`Dot`](qvec::Metric::Dot) and [`Cosine`](qvec::Metric::Cosine) the greatest are the best,
    /// for [`Euclidean`](qvec::Metric::Euclidean), an estimate of the squared distance that may be negative, the least. The
    /// first search of a file makes its codec: see [`QvecFile::codec`].
    ///
    /// `poll` is called on the caller's thread many times a second, and may unwind.
    ///
    /// # Errors
    /// [`QvecFileError::Codec`] for a query of another dimension, of zeros or with numbers that aren't finite, and for
    /// a worker that failed; [`QvecFileError::File`] for a file that changed meanwhile.
    pub fn search(
        &self,
        query: &[f32],
        metric: qvec::Metric,
        limit: usize,
        workers: &Workers,
        poll: &mut dyn FnMut(),
    ) -> Result<Vec<(u32, f64)>, QvecFileError> {
        if limit == 0 || self.header().count == 0 {
            // Without a codec, which may be dear.
            self.check_query(query)?;
            return Ok(Vec::new());
        }
        let query = self.codec(poll)?.prepare(query)?;
        let sign = if metric == qvec::Metric::Euclidean { 1.0 } else { -1.0 };
        let header = self.header();
        let chunk = (CHUNK_BYTES / header.bits.row_len(header.dimension).max(1)).max(1) as u32;
        let next = AtomicU32::new(0);
        let mut nearest = Nearest::new(limit, None);
        while next.load(Ordering::Relaxed) < header.count {
            let bound = nearest.bound();
            let deadline = Instant::now() + ROUND;
            let found = self.read(|view| {
                workers.map(vec![(); workers.threads()], |()| {
                    let mut nearest = Nearest::new(limit, bound);
                    loop {
                        let taken = next.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                            (next < header.count).then(|| next.saturating_add(chunk))
                        });
                        let Ok(start) = taken else { return Ok(nearest) };
                        nearest.room(chunk.into())?;
                        for (slot, row) in (start..).zip(view.rows(start..start.saturating_add(chunk))) {
                            let distance = sign * query.score(metric, &row);
                            nearest.offer(Candidate(Neighbour { index: slot.into(), distance }));
                        }
                        if Instant::now() >= deadline {
                            return Ok::<_, CodecError>(nearest);
                        }
                    }
                })
            })??;
            for found in found {
                let found = found?;
                nearest.room(found.heap.len() as u64).map_err(CodecError::from)?;
                found.heap.into_iter().for_each(|candidate| nearest.offer(candidate));
            }
            poll();
        }
        let neighbours = nearest.into_sorted().map_err(CodecError::from)?;
        // Slots are of 32 bits.
        let scored = neighbours.iter().map(|found| (found.index as u32, sign * found.distance));
        Ok(tq_memory::collected(scored).map_err(CodecError::from)?)
    }

    /// The errors of [`Quantvec::prepare`](tq_codec::Quantvec::prepare).
    fn check_query(&self, query: &[f32]) -> Result<(), CodecError> {
        let (expected, got) = (self.header().dimension as usize, query.len());
        if got != expected {
            return Err(CodecError::DimensionMismatch { expected, got });
        }
        match check_vector(query)? {
            0.0 => Err(CodecError::ZeroVector),
            _ => Ok(()),
        }
    }
}
