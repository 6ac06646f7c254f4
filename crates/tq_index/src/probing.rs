//! Which lists a search looks at.
//!
//! It begins with those that the target needs for ten rows. Before the eleventh row is given, it looks at as many more as twenty need,
//! and so on: whenever as many rows were given as the lists were enough for, that number doubles. Beyond what a build has measured, it grows
//! by a quarter at least. When the rows of the lists run out, the next ones follow, in the end all.

use std::ops::Range;

use tq_codec::PreparedQuery;

use crate::candidates;
use crate::error::IndexError;
use crate::lists::Lists;
use crate::meta::Meta;
use crate::probes::{Calibration, ListOptions, NEAREST, Order};
use tq_simd::Level;

/// The lists of a search.
#[derive(Debug)]
pub(crate) struct Probing {
    lists: Lists,
    calibration: Calibration,
    options: ListOptions,
    /// All lists, each below its gap; the first `active` are looked at, and are nearer than the others.
    ranked: Vec<u64>,
    active: usize,
    /// Rows that those are enough for.
    rows: f64,
    has_grown: bool,
}

impl Probing {
    /// Ranks the lists for a query; `None` if the index is flat.
    pub(crate) fn new(
        meta: &Meta,
        lists: Lists,
        query: &PreparedQuery,
        options: ListOptions,
        level: Level,
    ) -> Result<Option<Self>, IndexError> {
        let Some(known) = meta.lists else { return Ok(None) };
        // The scale hardly ever is another than one.
        let (rotated, scale) = query.rotated();
        let ranked = if scale == 1.0 {
            lists.ranked(meta, rotated, level)?
        } else {
            let scaled = rotated.iter().map(|x| (f64::from(*x) * scale) as f32);
            lists.ranked(meta, &tq_memory::collected(scaled)?, level)?
        };
        let rows = NEAREST[0] as f64;
        let mut probing = Self {
            lists,
            calibration: known.calibration,
            options,
            ranked,
            active: 0,
            rows,
            has_grown: false,
        };
        probing.grow_to(probing.wanted());
        Ok(Some(probing))
    }

    /// Lists for `self.rows` rows.
    fn wanted(&self) -> usize {
        if self.options.probes > 0 && self.active == 0 {
            return self.options.probes as usize;
        }
        let more = self.active + self.active / 4 + 1;
        if self.options.probes > 0 {
            return more;
        }
        let gap = candidates::order(self.calibration.gap(self.options.target, self.rows));
        let within = self.ranked.iter().filter(|ranked| (**ranked >> 32) as u32 <= gap).count();
        within.max(if self.rows > NEAREST[1] as f64 { more } else { 1 })
    }

    /// Looks at the nearest so many; returns which are new.
    fn grow_to(&mut self, wanted: usize) -> Range<usize> {
        let (from, to) = (self.active, wanted.clamp(self.active, self.ranked.len()));
        if to > from && to < self.ranked.len() {
            self.ranked[from..].select_nth_unstable(to - from - 1);
        }
        self.active = to;
        from..to
    }

    /// Whether there are lists that may yet be looked at, after so many slots.
    pub(crate) fn can_grow(&self, slots: u64) -> bool {
        let within = self.options.most_slots == 0 || slots < self.options.most_slots;
        self.options.order != Order::Off && within && self.active < self.ranked.len()
    }

    /// Whether the next row, after so many, asks for more lists.
    pub(crate) fn asks_for_more(&self, given: u64) -> bool {
        given as f64 >= self.rows
    }

    /// Looks at more lists, for twice as many rows; returns which are new: none, if that takes none.
    pub(crate) fn grow(&mut self) -> Range<usize> {
        self.rows *= 2.0;
        self.has_grown = true;
        self.grow_to(self.wanted())
    }

    /// The lists that are looked at.
    pub(crate) fn active(&self) -> Range<usize> {
        0..self.active
    }

    /// Whether those are all.
    pub(crate) fn is_all(&self) -> bool {
        self.active == self.ranked.len()
    }

    /// Whether rows that break the order come last. As long as no lists were added, those that do are as rare as in a flat index.
    pub(crate) fn is_strict(&self) -> bool {
        self.has_grown && self.options.order != Order::Relaxed
    }

    /// The extents of some of the lists, by rank.
    pub(crate) fn extents(&self, ranks: Range<usize>) -> impl Iterator<Item = u32> + '_ {
        let lists = self.ranked[ranks].iter().map(|ranked| *ranked as u32);
        lists.flat_map(|list| self.lists.map.extents(list).iter().copied())
    }

    /// The extents of other rows.
    pub(crate) fn others(&self) -> &[u32] {
        self.lists.map.others()
    }

    /// The gap of each list, for a calibration.
    pub(crate) fn gaps(&self) -> Result<Vec<f32>, IndexError> {
        let mut gaps = tq_memory::filled(self.ranked.len(), 0.0)?;
        for ranked in &self.ranked {
            gaps[*ranked as u32 as usize] = candidates::key_of((ranked >> 32) as u32);
        }
        Ok(gaps)
    }

    /// The list of an extent.
    pub(crate) fn list_of(&self, extent: u32) -> Option<u32> {
        self.lists.map.list_of(extent)
    }
}
