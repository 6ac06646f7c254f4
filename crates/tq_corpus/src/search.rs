//! The nearest records of a corpus, found in its mapping without loading anything.
//!
//! The records are measured in rounds. A round is divided among the workers, each of which keeps the best of its part;
//! between two rounds the caller polls whatever it has to, and the file is looked at, so that one that was cut off ends
//! the search at once. Only what no worker could have missed decides: distance, then place in the file, so the result
//! depends neither on the number of threads nor on how long a round took.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::ops::Range;
use std::time::{Duration, Instant};

use tq_codec::{CodecError, Metric, PreparedQuery, Workers};
use tq_format::{CorpusError, CorpusView};

use crate::{Corpus, CorpusFileError, FileError};

/// What a round should take at most: half of it, so that a slow one is still well below 50 ms.
const ROUND: Duration = Duration::from_millis(20);
/// Bytes of a round at most: what comes from a slow disk takes its time, too, however fast the round before was.
const ROUND_BYTES: usize = 16 << 20;
/// Bytes of the first round.
const FIRST_BYTES: usize = 1 << 20;
/// Parts of a round for each thread, since one may be held up.
const PARTS: u64 = 4;

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
    /// `poll` is called on the caller's thread between rounds, many times a second, and may unwind. An L1 search rotates
    /// every record back, so a round has at least one record a thread, whatever that takes.
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

        let mut nearest = Nearest::new(limit, None);
        let mut pace = Pace::new(view.record_len(), workers.threads(), metric);
        let mut next = 0;
        while next < view.vector_count() {
            let end = view.vector_count().min(next + pace.rows);
            let started = Instant::now();
            let bound = nearest.bound();
            let parts = workers.map(parts(next..end, workers.threads()), |part| {
                nearest_in(&view, query, metric, part, Nearest::new(limit, bound))
            })?;
            // A changed file is the error, whatever its remains look like.
            guard.check()?;
            for part in parts {
                for candidate in part?.heap {
                    nearest.offer(candidate);
                }
            }
            pace.learn(started.elapsed());
            next = end;
            poll();
        }
        Ok(nearest.into_sorted())
    }
}

fn nearest_in(
    view: &CorpusView<'_>,
    query: &PreparedQuery,
    metric: Metric,
    part: Range<u64>,
    mut nearest: Nearest,
) -> Result<Nearest, CorpusError> {
    for (index, record) in part.clone().zip(view.records_in(part)) {
        let value = query.distance(metric, &record?);
        let distance = if metric == Metric::InnerProduct { -value } else { value };
        nearest.offer(Candidate(Neighbour { index, distance }));
    }
    Ok(nearest)
}

/// Divides a range into equal parts, several for each thread.
fn parts(range: Range<u64>, threads: usize) -> Vec<Range<u64>> {
    let wanted = if threads == 1 { 1 } else { threads as u64 * PARTS };
    let step = (range.end - range.start).div_ceil(wanted).max(1);
    (range.start..range.end)
        .step_by(usize::try_from(step).unwrap_or(usize::MAX))
        .map(|start| start..range.end.min(start + step))
        .collect()
}

/// How many records a round has, from how long the one before took.
struct Pace {
    rows: u64,
    least: u64,
    most: u64,
}

impl Pace {
    fn new(record_len: usize, threads: usize, metric: Metric) -> Self {
        let least = threads as u64;
        let rows_of = |bytes: usize| ((bytes / record_len.max(1)) as u64).max(least);
        let rows = if metric == Metric::L1 { least } else { rows_of(FIRST_BYTES) };
        Pace { rows, least, most: rows_of(ROUND_BYTES) }
    }

    fn learn(&mut self, took: Duration) {
        if took < ROUND / 4 {
            self.rows = self.most.min(self.rows * 2);
        } else if took > ROUND {
            self.rows = self.least.max(self.rows / 2);
        }
    }
}

/// The best so far of some records: at most `limit`, the worst on top.
struct Nearest {
    limit: usize,
    /// Only what is better than this is of any interest.
    bound: Option<Candidate>,
    heap: BinaryHeap<Candidate>,
}

impl Nearest {
    fn new(limit: usize, bound: Option<Candidate>) -> Self {
        Nearest { limit, bound, heap: BinaryHeap::new() }
    }

    /// The worst of `limit` records; what is worse is not among the nearest.
    fn bound(&self) -> Option<Candidate> {
        if self.heap.len() < self.limit { None } else { self.heap.peek().copied() }
    }

    #[inline]
    fn offer(&mut self, candidate: Candidate) {
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

    fn into_sorted(self) -> Vec<Neighbour> {
        self.heap.into_sorted_vec().into_iter().map(|candidate| candidate.0).collect()
    }
}

/// A neighbour, in the order that PostgreSQL gives distances: NaN is above every number. Equal ones by their place.
#[derive(Clone, Copy, Debug)]
struct Candidate(Neighbour);

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
