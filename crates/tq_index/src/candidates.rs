//! The rows that a search looks at next: the least keys of a pass, in a flat array of bounded size, taken one after another.
//!
//! A search rarely looks at more than some hundred rows, of any number. So a pass over the slots keeps the least keys only, and marks
//! that it left some out; a search that gets through all of them makes another pass, for the next ones, with more room. A row is one
//! 64-bit number, its key's order above its place, so that comparing is one instruction and no two are equal.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tq_memory::Grow;

use crate::IndexError;

/// Set in the place of a row that has no slot.
pub(crate) const OTHER: u32 = 1 << 31;

/// The bits of a float in the order of its value.
#[inline(always)]
pub(crate) fn order(key: f32) -> u32 {
    let bits = key.to_bits();
    if bits >> 31 == 0 { bits | 1 << 31 } else { !bits }
}

/// The float that [`order`] was made of.
pub(crate) fn key_of(order: u32) -> f32 {
    f32::from_bits(if order >> 31 == 1 { order & !(1 << 31) } else { !order })
}

/// The least keys that were offered in a pass.
#[derive(Debug)]
pub(crate) struct Candidates {
    kept: Vec<u64>,
    /// How many are kept in the end; up to twice as many meanwhile.
    limit: usize,
    /// Keys above it are of no interest.
    threshold: f32,
    left_out: bool,
    heap: BinaryHeap<Reverse<u64>>,
}

impl Candidates {
    /// For that many.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            kept: Vec::new(),
            limit: limit.max(1),
            threshold: f32::INFINITY,
            left_out: false,
            heap: BinaryHeap::new(),
        }
    }

    /// Keys above this are left out: a caller may save itself the trouble, and say so.
    #[inline(always)]
    pub(crate) fn threshold(&self) -> f32 {
        self.threshold
    }

    /// Offers a row, whose key isn't NaN.
    #[inline(always)]
    pub(crate) fn offer(&mut self, key: f32, place: u32) -> Result<(), IndexError> {
        if key > self.threshold {
            self.left_out = true;
            return Ok(());
        }
        if self.kept.len() >= 2 * self.limit {
            self.prune();
        }
        self.kept.try_push(u64::from(order(key)) << 32 | u64::from(place))?;
        Ok(())
    }

    /// Keeps the least.
    #[cold]
    fn prune(&mut self) {
        let (_, last, _) = self.kept.select_nth_unstable(self.limit - 1);
        self.threshold = key_of((*last >> 32) as u32);
        self.kept.truncate(self.limit);
        self.left_out = true;
    }

    /// Marks that rows weren't offered because of [`Candidates::threshold`].
    #[inline(always)]
    pub(crate) fn leave_out(&mut self) {
        self.left_out = true;
    }

    /// Ends the pass: what was kept can be taken.
    pub(crate) fn finish(&mut self) {
        if self.kept.len() > self.limit {
            self.prune();
        }
        let kept = std::mem::take(&mut self.kept);
        self.heap = BinaryHeap::from(kept.into_iter().map(Reverse).collect::<Vec<_>>());
    }

    /// The least key of any row that wasn't taken yet, or a lower bound of it; `None` when all were taken.
    pub(crate) fn bound(&self) -> Option<f32> {
        match self.heap.peek() {
            Some(Reverse(least)) => Some(key_of((least >> 32) as u32)),
            None => self.left_out.then_some(self.threshold),
        }
    }

    /// The place of the row of the least key; `None` when those kept have been taken.
    pub(crate) fn take(&mut self) -> Option<u32> {
        self.heap.pop().map(|Reverse(least)| least as u32)
    }

    /// Places of rows that are taken soon, in about that order.
    pub(crate) fn soon(&self) -> impl Iterator<Item = u32> + '_ {
        self.heap.as_slice().iter().map(|Reverse(key)| *key as u32)
    }

    /// Whether another pass has more.
    pub(crate) fn left_out(&self) -> bool {
        self.left_out
    }

    /// Goes on with a pass, of rows that weren't offered before: those that wait are kept beside them.
    pub(crate) fn resume(&mut self) {
        let heap = std::mem::take(&mut self.heap);
        self.kept = heap.into_vec().into_iter().map(|Reverse(key)| key).collect();
    }

    /// Starts another pass, with room for that many.
    pub(crate) fn restart(&mut self, limit: usize) {
        *self = Self::new(limit);
    }
}

/// A set of places, a bit each.
#[derive(Default, Debug)]
pub(crate) struct Places(Vec<u64>);

impl Places {
    /// Adds a place.
    pub(crate) fn insert(&mut self, place: usize) -> Result<(), IndexError> {
        if place / 64 >= self.0.len() {
            // At once rather than word by word: growing in steps would copy again and again.
            self.0.try_resize((place / 64 + 1).next_multiple_of(1024), 0)?;
        }
        self.0[place / 64] |= 1 << (place % 64);
        Ok(())
    }

    /// Whether it was added.
    #[inline]
    pub(crate) fn contains(&self, place: usize) -> bool {
        self.0.get(place / 64).is_some_and(|word| word >> (place % 64) & 1 == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn order_is_that_of_the_floats() {
        let keys = [f32::NEG_INFINITY, -3.0, -1e-30, -0.0, 0.0, 1e-30, 0.5, 7.0, f32::MAX, f32::INFINITY];
        assert!(keys.windows(2).all(|pair| order(pair[0]) < order(pair[1])));
        assert!(keys.iter().all(|key| key_of(order(*key)).to_bits() == key.to_bits()));
    }

    #[test]
    fn the_least_are_kept_and_taken_in_order() {
        let keys: Vec<f32> = (0..1000).map(|i| ((i * 7919) % 1000) as f32 - 500.0).collect();
        for limit in [1, 7, 499, 500, 999, 1000, 5000] {
            let mut candidates = Candidates::new(limit);
            for (place, key) in (0..).zip(&keys) {
                candidates.offer(*key, place).unwrap();
            }
            candidates.finish();
            let mut taken = Vec::new();
            while let Some(bound) = candidates.bound() {
                let Some(place) = candidates.take() else { break };
                assert_eq!(keys[place as usize], bound);
                taken.push(bound);
            }
            let expected: Vec<f32> = (0..1000.min(limit)).map(|i| i as f32 - 500.0).collect();
            assert_eq!(taken, expected);
            assert_eq!(candidates.left_out(), limit < 1000);
            assert!(candidates.bound().is_none_or(|bound| bound <= limit as f32 - 500.0));
        }
    }

    #[test]
    fn places_are_kept() {
        let mut places = Places::default();
        for place in [0, 63, 64, 100_000] {
            assert!(!places.contains(place));
            places.insert(place).unwrap();
            assert!(places.contains(place));
        }
        assert!(!places.contains(1) && !places.contains(99_999) && !places.contains(1 << 40));
    }
}
