//! Rows whose distance is known, and that wait for their turn.

use std::collections::BinaryHeap;

use tq_memory::Grow;

use crate::error::IndexError;
use crate::fit::Range;
use crate::layout::Tid;

/// A measured row, the nearest the greatest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Measured {
    /// Its distance; of floats, what it is at the least.
    pub(crate) distance: f64,
    /// About what it is.
    pub(crate) likely: f64,
    pub(crate) tid: Tid,
    /// Where in the index it is.
    pub(crate) place: u32,
}

impl Ord for Measured {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        other.distance.total_cmp(&self.distance).then(other.tid.cmp(&self.tid))
    }
}

impl PartialOrd for Measured {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Measured {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Measured {}

impl Measured {
    /// All NaN are alike: the sign of one would decide its order.
    pub(crate) fn new(distance: f64, tid: Tid, place: u32) -> Self {
        Self::between(Range { least: distance, likely: distance }, tid, place)
    }

    /// Of a row whose distance isn't known to the bit.
    pub(crate) fn between(Range { least, likely }: Range, tid: Tid, place: u32) -> Self {
        Self { distance: if least.is_nan() { f64::NAN } else { least }, likely, tid, place }
    }
}

/// Measured rows, the nearest first.
#[derive(Default, Debug)]
pub(crate) struct Nearest(BinaryHeap<Measured>);

impl Nearest {
    /// Adds a row.
    pub(crate) fn push(&mut self, row: Measured) -> Result<(), IndexError> {
        if self.0.len() == self.0.capacity() {
            let mut rows = std::mem::take(&mut self.0).into_vec();
            rows.try_room(1)?;
            self.0 = rows.into();
        }
        self.0.push(row);
        Ok(())
    }

    /// The nearest row, if none that isn't here yet can be nearer than it: `least` is the least distance that one may have.
    pub(crate) fn pop_within(&mut self, least: Option<f64>) -> Option<Measured> {
        let nearest = self.0.peek()?;
        if least.is_some_and(|least| nearest.distance > least || nearest.distance.is_nan()) {
            return None;
        }
        self.0.pop()
    }
}
