//! The best of what a search looks at, and how its work is divided: by all formats that are searched in place.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use std::time::Duration;

use tq_memory::OutOfMemory;

/// How long a round lasts, but for the chunks that are at work when it is over.
pub(crate) const ROUND: Duration = Duration::from_millis(20);
/// Bytes of a chunk: little enough to be short even if they come from a slow disk.
pub(crate) const CHUNK_BYTES: usize = 256 << 10;

/// A record and its distance from the query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The record's index, counted from 0.
    pub index: u64,
    /// Its distance; for [`Metric::InnerProduct`](tq_codec::Metric::InnerProduct) the negative inner product.
    pub distance: f64,
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
