//! A search: rows in the order of their distance from a query.
//!
//! ```text
//! pass     all slots ─ keys ─▶ the least of them (and the exact keys of the other rows)
//! next     take the least key; measure that row by its codes; give out the nearest measured row
//!          as soon as no key stands for less
//! ```
//!
//! Nothing knows how many rows will be asked for. When those kept are used up, another pass finds the next ones; rows that were taken
//! are marked, by place, so that each comes once whatever inserts do to the slots meanwhile. NULLs come last.
//!
//! With lists, passes go over those that [`Probing`] names. Before a row is given that asks for more of them, the new ones are passed over,
//! and their rows wait beside the others. A row that is nearer than the last that was given comes late: last of all, unless any order
//! will do.
//!
//! Distances are the operator's to the bit: the codes go through the kernels of [`PreparedQuery`]. In an index over floats they are what the
//! operator's are at the least, for certain ([`Bounds`]), and rows come in that order. What is approximate is which rows
//! are measured: with probability some thousandths for each row, a key stands for more than the row's distance, and the row may come
//! later than it should, or not among the first.

use tq_codec::{Metric, PreparedQuery};

use crate::candidates::{Candidates, OTHER, Places};
use crate::codes::{self, Codes};
use crate::error::{IndexError, damaged};
use crate::estimate::{Estimator, KeyRoom, Keys};
use crate::fit::Bounds;
use crate::hit::{Hit, Others, ScanCounts, ScanOptions};
use crate::layout::{Refine, RowLayout, Tid};
use crate::lists::Lists;
use crate::measured::{Measured, Nearest};
use crate::meta::Definition;
use crate::others::{LEAST_RECORD_ENTRY, OthersPage};
use crate::pages::Pages;
use crate::probing::Probing;
use crate::session::Session;
use crate::walk::Walk;
use tq_memory::Grow;

mod pass;

/// Rows kept by a first pass, if memory allows: this many, and of many rows one in [`ROWS_A_KEPT`]. Of 60,000 rows, those that were among the
/// least for a while are five times as many, which is what keeping costs; searches that measure more pass twice.
const FIRST_KEPT: usize = 1024;
const ROWS_A_KEPT: usize = 64;

/// Rows whose codes are asked for at a time, before the first of them is measured.
const PREFETCHED: usize = 64;

/// So many whose pages were in memory one after another, and none is asked for any more.
const ENOUGH_IN_MEMORY: usize = 8;

/// Bytes that a kept row takes at worst: twice in the array, and measured.
const BYTES_A_ROW: usize = 48;

/// One search.
#[derive(Debug)]
pub struct Scan {
    session: Session,
    /// The query for the index's codec; `None` if the index has no rows of one.
    query: Option<PreparedQuery>,
    layout: Option<RowLayout>,
    keys: Keys,
    options: ScanOptions,
    estimators: Vec<Estimator>,
    candidates: Candidates,
    /// Rows that were asked for and aren't measured yet.
    prefetched: usize,
    measured: Nearest,
    /// Rows taken, as places; of the first pass a list, since most searches have no second.
    first_taken: Vec<u32>,
    taken: [Places; 2],
    nulls: Walk,
    counts: ScanCounts,
    room: KeyRoom,
    row: Vec<u8>,
    others: OthersPage,
    probing: Option<Probing>,
    /// What is certain of floats' distances; `None` where the codes give the distance itself.
    bounds: Option<Bounds>,
    /// By how much more than at the least a measured row was likely to be away, at most.
    slack: f64,
    /// How many rows were given, and the last one's distance. A row of floats counts when the others' least distances have come to what
    /// its own likely is: that is when whoever measures the floats has it.
    given: u64,
    last: Option<f64>,
    /// Likely distances of rows that were given, and don't count yet.
    ahead: Nearest,
    /// Rows that were found late.
    late: Nearest,
}

impl Scan {
    /// The gap of each list; none if there are no lists.
    pub(crate) fn gaps(&self) -> Result<Vec<f32>, IndexError> {
        self.probing.as_ref().map_or(Ok(Vec::new()), Probing::gaps)
    }

    /// The list of a row; `None` if it has none.
    pub(crate) fn list_of(&self, row: &Measured) -> Option<u32> {
        let layout = self.layout.filter(|_| row.place & OTHER == 0)?;
        self.probing.as_ref()?.list_of(place_of(&layout, row.place as usize).0)
    }

    /// Starts a search. `session` has just been made, `query` is prepared for the codec of [`Meta::shape`](crate::Meta::shape), and
    /// `query_square` is its squared norm. Without a query, rows of that codec are passed over: the caller knows that none is to be found.
    ///
    /// # Errors
    /// [`IndexError::Damaged`].
    pub fn new<P: Pages>(
        pages: &P,
        mut session: Session,
        query: Option<PreparedQuery>,
        query_square: f64,
        options: ScanOptions,
    ) -> Result<Self, IndexError> {
        let probing = match &query {
            Some(query) if session.meta.lists.is_some() => {
                let lists = session.lists(pages)?;
                Probing::new(&session.meta, lists, query, options.lists, options.level)?
            }
            _ => None,
        };
        let layout = match &query {
            Some(_) => Some(session.layout(pages)?),
            None => None,
        };
        let rows = layout.map_or(0, |layout| session.meta.slot_pages as usize * layout.slots);
        let kept = if probing.is_some() { FIRST_KEPT } else { FIRST_KEPT.max(rows / ROWS_A_KEPT) };
        let Definition { metric, refine } = session.meta.definition;
        let bounds = layout
            .filter(|_| refine == Refine::Floats)
            .map(|layout| Bounds::new(metric, query_square, layout.dimension));
        Ok(Self {
            prefetched: 0,
            bounds,
            slack: 0.0,
            ahead: Nearest::default(),
            keys: Keys::new(metric, query_square),
            session,
            query,
            layout,
            options,
            estimators: Vec::new(),
            candidates: Candidates::new(kept.min(options.memory / BYTES_A_ROW)),
            measured: Nearest::default(),
            first_taken: Vec::new(),
            taken: Default::default(),
            nulls: Walk::nulls(),
            counts: ScanCounts::default(),
            room: KeyRoom::default(),
            row: Vec::new(),
            others: OthersPage::default(),
            probing,
            given: 0,
            last: None,
            late: Nearest::default(),
        })
    }

    /// What has been done so far.
    pub fn counts(&self) -> ScanCounts {
        self.counts
    }

    /// The query, for another search.
    pub fn into_query(self) -> Option<PreparedQuery> {
        self.query
    }

    /// The lists that were read, for [`Session::knowing`].
    pub fn known_lists(&self) -> Option<Lists> {
        self.session.known_lists()
    }

    /// The next row, or `None` after the last.
    ///
    /// # Errors
    /// [`IndexError::Damaged`], [`IndexError::Memory`], and those of `others`.
    pub fn next<P: Pages, O: Others>(&mut self, pages: &P, others: &mut O) -> Result<Option<Hit>, O::Error> {
        let row = self.next_measured(pages, others)?;
        match row {
            Some(Measured { distance, tid, .. }) => Ok(Some(Hit { tid, distance: Some(distance) })),
            // Nobody asks for NULLs who doesn't want all rows before them.
            None if self.probing.as_ref().is_some_and(|probing| !probing.is_all()) => Ok(None),
            None => Ok(self.nulls.next(pages, &self.session)?.map(|tid| Hit { tid, distance: None })),
        }
    }

    /// The next row that isn't NULL.
    pub(crate) fn next_measured<P: Pages, O: Others>(
        &mut self,
        pages: &P,
        others: &mut O,
    ) -> Result<Option<Measured>, O::Error> {
        if self.counts.passes == 0 {
            self.pass(pages, others)?;
        }
        loop {
            while self.probing.as_ref().is_some_and(|probing| {
                probing.asks_for_more(self.given) && probing.can_grow(self.counts.slots)
            }) {
                self.widen(pages, others)?;
            }
            let bound = self.candidates.bound();
            // A key is of what the codes decode to.
            let least = bound.map(|bound| self.keys.distance(bound) - self.slack);
            if let Some(row) = self.measured.pop_within(least) {
                if self.is_late(row) {
                    self.late.push(row)?;
                    continue;
                }
                self.count(row)?;
                return Ok(Some(row));
            }
            if self.prefetched == 0 {
                self.prefetch(pages)?;
            }
            if let Some(place) = self.candidates.take() {
                self.prefetched -= 1;
                self.measure(pages, others, place)?;
            } else if self.candidates.left_out() {
                self.pass(pages, others)?;
            } else if self.probing.as_ref().is_some_and(|probing| probing.can_grow(self.counts.slots)) {
                self.widen(pages, others)?;
            } else {
                return Ok(self.late.pop_within(None));
            }
        }
    }

    /// Counts a row that is given.
    fn count(&mut self, row: Measured) -> Result<(), IndexError> {
        self.last = Some(row.distance);
        if self.bounds.is_none() {
            self.given += 1;
            return Ok(());
        }
        self.ahead.push(Measured { distance: row.likely, ..row })?;
        while self.ahead.pop_within(self.last).is_some() {
            self.given += 1;
        }
        Ok(())
    }

    /// Whether a row has to wait for the end, because rows were given that are farther away.
    fn is_late(&self, row: Measured) -> bool {
        let strict = self.probing.as_ref().is_some_and(Probing::is_strict);
        strict && self.last.is_some_and(|last| row.distance.total_cmp(&last).is_lt())
    }

    /// Asks for the codes of the rows that are measured next, so that a disk finds several at once.
    fn prefetch<P: Pages>(&mut self, pages: &P) -> Result<(), IndexError> {
        self.prefetched = PREFETCHED;
        let Some(layout) = self.layout else { return Ok(()) };
        let mut in_memory = 0;
        for place in self.candidates.soon().take(PREFETCHED).filter(|place| place & OTHER == 0) {
            let place = place_of(&layout, place as usize);
            let start = self.session.meta.extent_start(place.0)?;
            if codes::prefetch(pages, &layout, (start, place.1, place.2))? {
                in_memory = 0;
            } else {
                in_memory += 1;
                if in_memory == ENOUGH_IN_MEMORY {
                    break;
                }
            }
        }
        Ok(())
    }

    fn extent_blocks(&self) -> u32 {
        self.session.meta.place.map_or(0, |place| place.blocks)
    }

    /// Marks a place as taken.
    fn mark(&mut self, place: u32) -> Result<(), IndexError> {
        self.taken[usize::from(place & OTHER != 0)].insert((place & !OTHER) as usize)
    }

    /// Measures a row that was taken.
    fn measure<P: Pages, O: Others>(
        &mut self,
        pages: &P,
        others: &mut O,
        place: u32,
    ) -> Result<(), O::Error> {
        if self.counts.passes == 1 {
            self.first_taken.try_push(place).map_err(IndexError::from)?;
        } else {
            self.mark(place)?;
        }
        let measured = if place & OTHER == 0 {
            self.counts.refined += 1;
            self.measure_slot(pages, place as usize)?
        } else {
            self.measure_other(pages, others, place & !OTHER)?
        };
        if let Some(measured) = measured {
            let ahead = measured.likely - measured.distance;
            if ahead.is_finite() {
                self.slack = self.slack.max(ahead);
            }
            self.measured.push(measured)?;
        }
        Ok(())
    }

    /// `None` if the table's row isn't there for the search.
    fn measure_slot<P: Pages>(&mut self, pages: &P, place: usize) -> Result<Option<Measured>, IndexError> {
        let (Some(layout), Some(query)) = (self.layout, &self.query) else {
            return Err(damaged(0, "rows without a codec"));
        };
        let (extent, page, slot) = place_of(&layout, place);
        let start = self.session.meta.extent_start(extent)?;
        let metric = self.session.meta.definition.metric;
        let measured = codes::with_row(pages, &layout, (start, page, slot), None, &mut self.row, |row| {
            let (codes, residual) = layout.payload(row);
            let (tid, place) = (Tid::from_bytes(row), place as u32);
            if let (Some(bounds), Some(fit)) = (&self.bounds, layout.fit(row)) {
                let cosine = query.distance_of_parts(Metric::Cosine, codes, residual);
                return Measured::between(bounds.of_codes(cosine, fit), tid, place);
            }
            let distance = query.distance_of_parts(metric, codes, residual);
            let distance = if metric == Metric::InnerProduct { -distance } else { distance };
            Measured::new(distance, tid, place)
        })?;
        match measured {
            Codes::Other => Err(damaged(start + page, "a slot of a row that isn't of the index's codec")),
            measured => Ok(measured.used()),
        }
    }

    /// `None` if it has died, or is left out.
    fn measure_other<P: Pages, O: Others>(
        &mut self,
        pages: &P,
        others: &mut O,
        place: u32,
    ) -> Result<Option<Measured>, O::Error> {
        let units = units_of_page(pages.room());
        let (page, unit) = (place / units, (place % units) as usize);
        let (extent, page) = (page / self.extent_blocks(), page % self.extent_blocks());
        let start = self.session.meta.extent_start(extent)?;
        self.others.read(pages, start + page)?;
        for entry in self.others.entries() {
            let entry = entry?;
            if let Some(record) = entry.record.filter(|_| entry.at / LEAST_RECORD_ENTRY == unit) {
                let distance = others.distance(entry.tid, record)?;
                return Ok(distance.map(|distance| Measured::new(distance, entry.tid, place | OTHER)));
            }
        }
        Ok(None)
    }
}

/// Extent, page in it, and slot of a place.
pub(crate) fn place_of(layout: &RowLayout, place: usize) -> (u32, u32, usize) {
    let (page, slot) = (place / layout.slots, place % layout.slots);
    (page as u32 / layout.slot_pages, page as u32 % layout.slot_pages, slot)
}

/// How many places a page of other rows has: no two records begin in one.
fn units_of_page(room: usize) -> u32 {
    (room / LEAST_RECORD_ENTRY + 1) as u32
}
