//! What call sites keep of values that come again and again: found by a hash of the value in constant time, verified by
//! comparing it, bounded in memory. What is thrown out for something new is taken at random: a cycle that is a little
//! longer than what there is room for still finds most of its values, where the least recently used one would always be
//! the next.

#![allow(unsafe_code)]

use std::collections::HashMap;

use pgrx::pg_sys;
use tq_memory::{Grow, OutOfMemory};

use super::datum_key::DatumKey;

/// Bytes of an entry of the table of hashes.
const PLACE_BYTES: usize = size_of::<(u64, usize)>() + 1;
/// Most values, however small.
const MOST_ENTRIES: usize = 4096;

/// Values, each with the datum that it was made from.
pub(crate) struct ValueCache<T> {
    entries: Vec<CachedValue<T>>,
    places: HashMap<u64, usize>,
    bytes: usize,
    most_bytes: usize,
    dice: u64,
}

struct CachedValue<T> {
    hash: u64,
    key: DatumKey,
    value: T,
    bytes: usize,
}

impl<T> ValueCache<T> {
    /// Nothing yet; it will take about so many bytes at most.
    pub(crate) fn new(most_bytes: usize) -> Self {
        ValueCache {
            entries: Vec::new(),
            places: HashMap::new(),
            bytes: 0,
            most_bytes,
            dice: 0x9e37_79b9_7f4a_7c15,
        }
    }

    /// Forgets everything.
    pub(crate) fn clear(&mut self) {
        self.entries.clear();
        self.places.clear();
        self.bytes = 0;
    }

    /// Where the value for this datum is, whose [hash](super::datum_key::hash) is given.
    ///
    /// # Safety
    /// `datum` must be a valid, non-null varlena datum.
    pub(crate) unsafe fn find(&self, hash: u64, datum: pg_sys::Datum) -> Option<usize> {
        let place = *self.places.get(&hash)?;
        // SAFETY: by the contract.
        unsafe { self.holds(place, datum) }.then_some(place)
    }

    /// Whether the value there is for this datum.
    ///
    /// # Safety
    /// That of [`ValueCache::find`].
    #[inline]
    pub(crate) unsafe fn holds(&self, place: usize, datum: pg_sys::Datum) -> bool {
        // SAFETY: by the contract.
        self.entries.get(place).is_some_and(|entry| unsafe { entry.key.holds(datum) })
    }

    /// The value at a place that [`ValueCache::find`], [`ValueCache::insert`] or [`ValueCache::grow`] has named last.
    #[inline]
    pub(crate) fn value(&mut self, place: usize) -> &mut T {
        &mut self.entries[place].value
    }

    /// Keeps a value of so many bytes, instead of whatever has the same hash; others make room. Returns where it is.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    pub(crate) fn insert(
        &mut self,
        hash: u64,
        key: DatumKey,
        value: T,
        bytes: usize,
    ) -> Result<usize, OutOfMemory> {
        self.entries.try_room(1)?;
        self.places.try_reserve(1).map_err(|_| OutOfMemory { bytes: PLACE_BYTES * 2 * self.places.len() })?;
        if let Some(place) = self.places.get(&hash) {
            self.remove(*place);
        }
        let bytes = size_of::<CachedValue<T>>() + key.memory_bytes() + bytes;
        while !self.entries.is_empty()
            && (self.bytes + bytes > self.most_bytes || self.entries.len() == MOST_ENTRIES)
        {
            let victim = self.roll();
            self.remove(victim);
        }
        self.bytes += bytes;
        self.places.insert(hash, self.entries.len());
        self.entries.push(CachedValue { hash, key, value, bytes });
        Ok(self.entries.len() - 1)
    }

    /// Takes note that the value there has grown by so many bytes; others make room. Returns where it is now.
    pub(crate) fn grow(&mut self, place: usize, by: usize) -> usize {
        let hash = self.entries[place].hash;
        self.entries[place].bytes += by;
        self.bytes += by;
        while self.bytes > self.most_bytes && self.entries.len() > 1 {
            let victim = self.roll();
            if self.entries[victim].hash != hash {
                self.remove(victim);
            }
        }
        self.places.get(&hash).copied().unwrap_or(place)
    }

    fn remove(&mut self, place: usize) {
        let gone = self.entries.swap_remove(place);
        self.bytes -= gone.bytes;
        self.places.remove(&gone.hash);
        if let Some(moved) = self.entries.get(place) {
            self.places.insert(moved.hash, place);
        }
    }

    /// A place at random, of which there must be one (G. Marsaglia, *Xorshift RNGs*, 2003).
    fn roll(&mut self) -> usize {
        self.dice ^= self.dice << 13;
        self.dice ^= self.dice >> 7;
        self.dice ^= self.dice << 17;
        (self.dice % self.entries.len() as u64) as usize
    }
}

/// Which of some thousand hashes were met before, lately.
#[derive(Default)]
pub(crate) struct RecentHashes(Vec<u64>);

impl RecentHashes {
    /// Takes note of a hash, if there is memory for it; returns whether it was noted already.
    pub(crate) fn insert(&mut self, hash: u64) -> bool {
        if self.0.try_resize(MOST_ENTRIES, 0).is_err() {
            return false;
        }
        let slot = &mut self.0[(hash % MOST_ENTRIES as u64) as usize];
        std::mem::replace(slot, hash) == hash
    }

    /// Forgets all of them.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}
