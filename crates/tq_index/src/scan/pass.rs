//! Passes over slots: of all extents or, with lists, of some.

use std::ops::Range;

use super::{BYTES_A_ROW, ENOUGH_IN_MEMORY, Scan, units_of_page};
use crate::candidates::OTHER;
use crate::error::{IndexError, damaged};
use crate::estimate::Estimator;
use crate::hit::{Others, ScanOptions};
use crate::layout::{self, Kind, RowLayout};
use crate::others::LEAST_RECORD_ENTRY;
use crate::pages::{PageView, Pages};
use crate::slot;
use tq_memory::Grow;

/// Keys that are compared with the threshold at once.
const CHUNK: usize = 16;

impl Scan {
    /// Offers all rows that weren't taken.
    pub(super) fn pass<P: Pages, O: Others>(&mut self, pages: &P, others: &mut O) -> Result<(), O::Error> {
        if self.counts.passes == 1 {
            for place in std::mem::take(&mut self.first_taken) {
                self.mark(place)?;
            }
        }
        if self.counts.passes > 0 {
            self.candidates.restart(self.options.memory / BYTES_A_ROW);
        }
        self.counts.passes += 1;
        match &self.probing {
            None => (0..self.session.meta.extents)
                .try_for_each(|extent| self.pass_extent(pages, others, extent))?,
            Some(probing) => {
                let extents = tq_memory::copied(probing.others()).map_err(IndexError::from)?;
                let active = probing.active();
                self.pass_lists(pages, others, active)?;
                extents.into_iter().try_for_each(|extent| self.pass_extent(pages, others, extent))?;
            }
        }
        self.candidates.finish();
        Ok(())
    }

    /// Looks at more lists, and offers their rows beside those that wait.
    pub(super) fn widen<P: Pages, O: Others>(&mut self, pages: &P, others: &mut O) -> Result<(), O::Error> {
        let Some(probing) = &mut self.probing else { return Ok(()) };
        let new = probing.grow();
        if new.is_empty() {
            return Ok(());
        }
        self.candidates.resume();
        self.pass_lists(pages, others, new)?;
        self.candidates.finish();
        Ok(())
    }

    /// Offers the rows of some lists, by rank.
    fn pass_lists<P: Pages, O: Others>(
        &mut self,
        pages: &P,
        others: &mut O,
        ranks: Range<usize>,
    ) -> Result<(), O::Error> {
        let Some(probing) = &self.probing else { return Ok(()) };
        let mut extents = Vec::new();
        for extent in probing.extents(ranks) {
            extents.try_push(extent).map_err(IndexError::from)?;
        }
        self.prefetch_slots(pages, &extents)?;
        extents.into_iter().try_for_each(|extent| self.pass_extent(pages, others, extent))
    }

    /// Asks for the pages of slots of extents from all over the index, so that a disk finds several at once.
    fn prefetch_slots<P: Pages>(&self, pages: &P, extents: &[u32]) -> Result<(), IndexError> {
        let mut in_memory = 0;
        for extent in extents {
            let start = self.session.meta.extent_start(*extent)?;
            for block in start..start + self.layout.map_or(0, |layout| layout.slot_pages) {
                in_memory = if pages.prefetch(block) { 0 } else { in_memory + 1 };
            }
            if in_memory >= ENOUGH_IN_MEMORY {
                break;
            }
        }
        Ok(())
    }

    fn pass_extent<P: Pages, O: Others>(
        &mut self,
        pages: &P,
        others: &mut O,
        extent: u32,
    ) -> Result<(), O::Error> {
        pages.poll();
        let start = self.session.meta.extent_start(extent)?;
        match pages.read(start, |page| layout::kind_of(start, page))? {
            Some((Kind::Slots, _)) if self.query.is_none() => Ok(()),
            Some((Kind::Slots, _)) => Ok(self.pass_slots(pages, extent, start)?),
            Some((Kind::Others, _)) => self.pass_others(pages, others, extent, start),
            Some(_) => Err(damaged(start, "an extent begins with a page of another kind").into()),
            None => Ok(()),
        }
    }

    fn pass_slots<P: Pages>(&mut self, pages: &P, extent: u32, start: u32) -> Result<(), IndexError> {
        let layout = self.layout.ok_or(damaged(start, "rows without a codec"))?;
        for page in 0..layout.slot_pages {
            let block = start + page;
            loop {
                let unknown =
                    pages.read(block, |view| self.offer_slots(&layout, (extent, page, block), view))?;
                match unknown {
                    Offered::All => break,
                    Offered::NoPage => return Ok(()),
                    Offered::Unknown(number) => self.prepare(pages, block, number)?,
                }
            }
        }
        Ok(())
    }

    fn offer_slots(
        &mut self,
        layout: &RowLayout,
        (extent, page, block): (u32, u32, u32),
        view: PageView<'_>,
    ) -> Result<Offered, IndexError> {
        if view.is_new() {
            return Ok(Offered::NoPage);
        }
        let number = layout::expect(block, view, Kind::Slots)?;
        let Some(estimator) = self.estimators.iter().find(|estimator| estimator.number() == number) else {
            return Ok(Offered::Unknown(number));
        };
        if view.content.len() > layout.slots * layout.slot_bytes {
            return Err(damaged(block, "more slots than a page has"));
        }
        estimator.keys(layout, view.content, &mut self.room)?;
        let first = (extent * layout.slot_pages + page) as usize * layout.slots;
        if first + layout.slots > OTHER as usize {
            return Err(IndexError::Full);
        }
        self.counts.slots += self.room.keys.len() as u64;
        let again = self.counts.passes > 1;
        for (chunk, keys) in self.room.keys.chunks(CHUNK).enumerate() {
            // Most rows are far away, and found to be so many at a time.
            let threshold = self.candidates.threshold();
            if keys.iter().fold(f32::INFINITY, |least, key| least.min(*key)) > threshold {
                self.candidates.leave_out();
                continue;
            }
            for (at, key) in (chunk * CHUNK..).zip(keys) {
                let live = slot::is_live(&view.content[at * layout.slot_bytes..]);
                if live && !(again && self.taken[0].contains(first + at)) {
                    self.candidates.offer(*key, (first + at) as u32)?;
                }
            }
        }
        Ok(Offered::All)
    }

    /// Prepares the query for another centre.
    fn prepare<P: Pages>(&mut self, pages: &P, block: u32, number: u32) -> Result<(), IndexError> {
        let centre = self.session.centre(pages, block, number)?;
        let query = self.query.as_ref().ok_or(damaged(block, "rows without a codec"))?;
        let ScanOptions { epsilon, level, .. } = self.options;
        let estimator = Estimator::new(query, self.session.meta.definition.metric, &centre, epsilon, level)?;
        self.estimators.try_push(estimator)?;
        Ok(())
    }

    fn pass_others<P: Pages, O: Others>(
        &mut self,
        pages: &P,
        others: &mut O,
        extent: u32,
        start: u32,
    ) -> Result<(), O::Error> {
        let again = self.counts.passes > 1;
        for page in 0..self.extent_blocks() {
            pages.poll();
            if !self.others.read(pages, start + page)? {
                continue;
            }
            let places = first_other_place(pages.room(), self.extent_blocks(), extent, page)?;
            for entry in self.others.entries() {
                let entry = entry?;
                let place = places + (entry.at / LEAST_RECORD_ENTRY) as u32;
                if let Some(record) = entry.record
                    && !(again && self.taken[1].contains((place & !OTHER) as usize))
                {
                    let Some(distance) = others.distance(entry.tid, record)? else { continue };
                    self.candidates.offer(self.keys.key(distance), place)?;
                }
            }
        }
        Ok(())
    }
}

/// What came of offering a page's slots.
enum Offered {
    All,
    NoPage,
    Unknown(u32),
}

fn first_other_place(room: usize, blocks: u32, extent: u32, page: u32) -> Result<u32, IndexError> {
    let page = extent.checked_mul(blocks).and_then(|first| first.checked_add(page));
    let units = units_of_page(room);
    let place = page.and_then(|page| page.checked_mul(units)).filter(|place| *place < OTHER - units);
    Ok(place.ok_or(IndexError::Full)? | OTHER)
}
