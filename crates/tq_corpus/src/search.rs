//! The nearest records of a corpus, found in its mapping without loading anything.
//!
//! The records are measured in rounds of a few milliseconds. In a round every worker takes one small chunk after the other
//! from where all of them are in the file, until the time is up, and keeps the best of what it took; so all chunks below
//! that place are done when the round is over, however fast each worker was. Between rounds the caller polls whatever it
//! has to, and the file is looked at, so that one that was cut off ends the search at once. The result is decided by
//! distance, then place in the file: it depends neither on the number of threads nor on how long a round took.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering as Memory};
use std::time::{Duration, Instant};

use tq_codec::{CodecError, Metric, PreparedQuery, Workers};
use tq_format::{CorpusError, CorpusView};
use tq_memory::OutOfMemory;

use crate::{Corpus, CorpusFileError, FileError};

/// How long a round lasts, but for the chunks that are at work when it is over.
pub(crate) const ROUND: Duration = Duration::from_millis(20);
/// Bytes of a chunk: little enough to be short even if they come from a slow disk.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// A record and its distance from the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The record's index, counted from 0.
    pub index: u64,
    /// Its distance; for [`Metric::InnerProduct`] the negative inner product.
    pub distance: f64,
}

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

/// The best so far of some records: at most `limit`, the worst on top.
pub(crate) struct Nearest {
    limit: usize,
    /// Only what is better than this is of any interest.
    bound: Option<Candidate>,
    pub(crate) heap: BinaryHeap<Candidate>,
}

impl Nearest {
    pub(crate) fn new(limit: usize, bound: Option<Candidate>) -> Self {
        Nearest { limit, bound, heap: BinaryHeap::new() }
    }

    /// Makes room for so many more, which may then be offered.
    pub(crate) fn room(&mut self, more: u64) -> Result<(), OutOfMemory> {
        let more = (self.limit - self.heap.len()).min(usize::try_from(more).unwrap_or(usize::MAX));
        Ok(self.heap.try_reserve(more)?)
    }

    /// The worst of `limit` records; what is worse is not among the nearest.
    pub(crate) fn bound(&self) -> Option<Candidate> {
        if self.heap.len() < self.limit { None } else { self.heap.peek().copied() }
    }

    #[inline]
    pub(crate) fn offer(&mut self, candidate: Candidate) {
        if self.bound.is_some_and(|bound| candidate >= bound) {
            return;
        }
        if self.heap.len() < self.limit {
            self.heap.push(candidate);
        } else if let Some(mut worst) = self.heap.peek_mut()
            && candidate < *worst
        {
            *worst = candidate;
        }
    }

    pub(crate) fn into_sorted(self) -> Result<Vec<Neighbour>, OutOfMemory> {
        tq_memory::collected(self.heap.into_sorted_vec().into_iter().map(|candidate| candidate.0))
    }
}

/// A neighbour, in the order that PostgreSQL gives distances: NaN is above every number. Equal ones by their place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Candidate(pub(crate) Neighbour);

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        let (a, b) = (self.0.distance, other.0.distance);
        let by_distance = a.partial_cmp(&b).unwrap_or_else(|| a.is_nan().cmp(&b.is_nan()));
        by_distance.then(self.0.index.cmp(&other.0.index))
    }
}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Candidate {}
