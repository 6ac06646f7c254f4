//! The nearest records of a corpus, found in its mapping without loading anything.
//!
//! The records are measured in rounds of a few milliseconds. In a round every worker takes one small chunk after the other
//! from where all of them are in the file, until the time is up, and keeps the best of what it took; so all chunks below
//! that place are done when the round is over, however fast each worker was. Between rounds the caller polls whatever it
//! has to, and the file is looked at, so that one that was cut off ends the search at once. The result is decided by
//! distance, then place in the file: it depends neither on the number of threads nor on how long a round took.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering as Memory};
use std::time::Instant;

use tq_codec::{CodecError, Metric, PreparedQuery, Workers};
use tq_format::{CorpusError, CorpusView};

use super::file::{Corpus, CorpusFileError};
use crate::FileError;
use crate::nearest::{CHUNK_BYTES, Candidate, Nearest, Neighbour, ROUND};

/// Why a search failed.
#[derive(thiserror::Error, Debug)]
pub enum SearchError {
    /// The file, or what is in it.
    #[error(transparent)]
    Corpus(#[from] CorpusFileError),
    /// The query is prepared for another codec, or a worker failed.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

impl From<FileError> for SearchError {
    fn from(error: FileError) -> Self {
        SearchError::Corpus(error.into())
    }
}

impl From<CorpusError> for SearchError {
    fn from(error: CorpusError) -> Self {
        SearchError::Corpus(error.into())
    }
}

impl Corpus {
    /// The `limit` records nearest to the query, or all if there are fewer: the nearest first, of equally near ones the
    /// one that comes first in the file, NaN last. Every record is validated as it is read.
    ///
    /// `poll` is called on the caller's thread many times a second, and may unwind; where a single record takes long, as
    /// in an L1 search of many dimensions, which rotates each one back, after every record.
    ///
    /// # Errors
    /// [`CodecError::ConfigMismatch`] if the query is for another codec than the corpus's header names; the first
    /// malformed record; a file that changed meanwhile; [`CodecError::WorkerPanicked`].
    pub fn search(
        &self,
        query: &PreparedQuery,
        metric: Metric,
        limit: usize,
        workers: &Workers,
        poll: &mut dyn FnMut(),
    ) -> Result<Vec<Neighbour>, SearchError> {
        let field = self.header().record_hash_field();
        if field != *query.codec().hash().as_bytes() {
            let got = String::from_utf8_lossy(&field).trim_end_matches('\0').to_owned();
            return Err(CodecError::ConfigMismatch { expected: query.codec().hash().to_string(), got }.into());
        }
        let guard = self.guard()?;
        let view = CorpusView::parse(guard.bytes());
        guard.check()?;
        let view = view?;

        // What is far from memory speed is divided as finely as can be.
        let rows = if metric == Metric::L1 { 1 } else { (CHUNK_BYTES / view.record_len()).max(1) as u64 };
        let next = AtomicU64::new(0);
        let mut nearest = Nearest::new(limit, None);
        while next.load(Memory::Relaxed) < view.vector_count() {
            let bound = nearest.bound();
            let deadline = Instant::now() + ROUND;
            let found = workers.map(vec![(); workers.threads()], |()| {
                let mut nearest = Nearest::new(limit, bound);
                loop {
                    let start = next.fetch_add(rows, Memory::Relaxed);
                    nearest.room(rows)?;
                    measure(&view, query, metric, start..start.saturating_add(rows), &mut nearest)?;
                    self.file().release_below(view.place_of(start));
                    if start + rows >= view.vector_count() || Instant::now() >= deadline {
                        return Ok(nearest);
                    }
                }
            })?;
            // A changed file is the error, whatever its remains look like.
            guard.check()?;
            // Of several malformed records the first: every chunk below a worker's was taken, and so is told of.
            let errors = found.iter().filter_map(|found: &Result<_, CorpusError>| found.as_ref().err());
            if let Some(first) = errors.min_by_key(|error| error.record_number()) {
                return Err(first.clone().into());
            }
            for found in found.into_iter().flatten() {
                nearest.room(found.heap.len() as u64).map_err(CorpusError::from)?;
                found.heap.into_iter().for_each(|candidate| nearest.offer(candidate));
            }
            poll();
        }
        Ok(nearest.into_sorted().map_err(CorpusError::from)?)
    }
}

/// Measures the records with indices in `chunk`, as far as there are any.
fn measure(
    view: &CorpusView<'_>,
    query: &PreparedQuery,
    metric: Metric,
    chunk: Range<u64>,
    nearest: &mut Nearest,
) -> Result<(), CorpusError> {
    for (index, record) in chunk.clone().zip(view.records_in(chunk)) {
        let value = query.distance(metric, &record?);
        let distance = if metric == Metric::InnerProduct { -value } else { value };
        nearest.offer(Candidate(Neighbour { index, distance }));
    }
    Ok(())
}
