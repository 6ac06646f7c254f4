//! One call site of a distance function: the queries that it has seen, and which argument of a call is one.
//!
//! Where both arguments vary and one of them would have to be rotated, up to a few megabytes of queries are kept. Which
//! of two values will come again can't be known, so that nothing costs more than twice what it would by the
//! simple rule, which is to rotate whichever argument was the same in the call before:
//!
//! - a value is worth keeping when it comes for the second time, other than from one call to the next;
//! - for each rotation on behalf of an argument that stayed the same, one may be spent on keeping the other one instead;
//! - where nothing has come again for long, nothing is looked up any more but now and then.
//!
//! Nearest of ten centroids, for each row of a table: the first rows cost two rotations each, one of them for the next
//! of the centroids; from the tenth on none is rotated. The other way round, each row's ten neighbours among a thousand: a
//! rotation or two for each of the ten, as ever.

use tq_codec::Metric;

use super::operand::{Operand, OperandKind};
use super::pair::{between_floats, between_records, share_rotation};
use super::site_query::SiteQuery;
use crate::error::{Error, RegistryError};
use crate::ops::datum_key::DatumKey;
use crate::ops::value_cache::{RecentHashes, ValueCache};
use crate::registry;

/// Memory for the queries that a call site keeps: some two hundred of 1536 dimensions.
const KEPT_BYTES: usize = 8 << 20;
/// So many more calls without anything known than with, and most of the next ones look nothing up.
const PATIENCE: u32 = 64;
/// After which every so many do; a prime, so that these are others in each round of a cycle.
const RETRY: u32 = 31;
/// A query that is found makes up for so many calls.
const HIT: u32 = 2;

/// State of one call site.
pub(super) struct CallSite {
    /// Which argument the plan holds fixed, and whether as a constant; `None` until the first call.
    planned: Option<(Option<usize>, bool)>,
    /// What the call before took for the query.
    current: Option<QueryPlace>,
    /// A query that isn't worth keeping, and its value.
    loose: SiteQuery,
    loose_key: DatumKey,
    kept: ValueCache<SiteQuery>,
    generation: u64,
    /// The arguments of the call before, where nothing needs a rotation.
    last: [DatumKey; 2],
    recent: RecentCalls,
}

/// Where a query is.
#[derive(Clone, Copy)]
enum QueryPlace {
    Loose,
    Kept(usize),
}

/// What is known of the calls in which both arguments vary.
#[derive(Default)]
struct RecentCalls {
    seen: RecentHashes,
    /// [`Operand::tag`] of the arguments.
    tags: [u64; 2],
    /// Whether an argument had been seen before it came this time.
    known: [bool; 2],
    /// Rotations that may be spent on queries to keep.
    credit: u32,
    /// Calls in which nothing was known, less those in which something was.
    misses: u32,
    calls: u32,
}

impl RecentCalls {
    /// Counts a call; whether it is one of those that look nothing up, because nothing has come again for long.
    fn looks_nothing_up(&mut self, likely: Option<usize>) -> bool {
        if likely.is_some() {
            self.misses = 0;
        }
        self.calls = self.calls.wrapping_add(1);
        self.misses > PATIENCE && !self.calls.is_multiple_of(RETRY)
    }
}

impl Default for CallSite {
    fn default() -> Self {
        CallSite {
            planned: None,
            current: None,
            loose: SiteQuery::default(),
            loose_key: DatumKey::default(),
            kept: ValueCache::new(KEPT_BYTES),
            generation: 0,
            last: Default::default(),
            recent: RecentCalls::default(),
        }
    }
}

impl CallSite {
    /// The distance of one call. `fixed` is read once, in the call site's first call.
    #[inline]
    pub(super) fn distance(
        &mut self,
        metric: Metric,
        operands: &[Operand; 2],
        fixed: impl FnOnce() -> (Option<usize>, bool),
    ) -> Result<f64, Error> {
        let (planned, constant) = *self.planned.get_or_insert_with(fixed);
        if self.generation != registry::generation() {
            self.forget();
        }
        let Some(place) = self.current else { return self.look(metric, operands, planned) };
        let side = self.source(place).side;
        if !(constant && planned == Some(side) || self.holds(place, &operands[side])) {
            self.current = None;
            return self.look(metric, operands, planned);
        }
        let may_rotate = planned == Some(side) || metric == Metric::L1;
        match self.source(place).distance(metric, &operands[1 - side], may_rotate)? {
            Some(distance) => Ok(distance),
            None => self.look(metric, operands, Some(side)),
        }
    }

    /// Forgets what was made by codecs that may have changed.
    fn forget(&mut self) {
        // Before anything is looked up: they may change meanwhile.
        self.generation = registry::generation();
        self.current = None;
        self.kept.clear();
        self.recent.seen.clear();
        self.last.iter_mut().for_each(DatumKey::clear);
    }

    #[inline]
    fn source(&mut self, place: QueryPlace) -> &mut SiteQuery {
        match place {
            QueryPlace::Loose => &mut self.loose,
            QueryPlace::Kept(place) => self.kept.value(place),
        }
    }

    #[inline]
    fn holds(&self, place: QueryPlace, operand: &Operand) -> bool {
        match place {
            QueryPlace::Loose => operand.is(&self.loose_key),
            QueryPlace::Kept(place) => operand.is_in(&self.kept, place),
        }
    }

    /// The distance of a call whose query isn't known yet: that is `likely` this argument.
    fn look(&mut self, metric: Metric, operands: &[Operand; 2], likely: Option<usize>) -> Result<f64, Error> {
        let records = operands.iter().all(|operand| operand.kind == OperandKind::Record);
        if metric != Metric::L1 && !records {
            return self.look_for_rotated(metric, operands, likely);
        }
        // What is the same as in the call before is likely to stay for a while.
        let repeated =
            likely.or_else(|| [1, 0].into_iter().find(|&side| operands[side].is(&self.last[side])));
        if let Some(side) = repeated
            && (metric == Metric::L1 || share_rotation(operands)?)
        {
            return self.take(side, operands, metric);
        }
        if repeated.is_none() {
            operands[0].keep_in(&mut self.last[0])?;
            operands[1].keep_in(&mut self.last[1])?;
            if metric == Metric::L1 {
                return between_floats(metric, operands);
            }
            if let Some(distance) = between_records(metric, operands)? {
                return Ok(distance);
            }
        }
        self.look_for_rotated(metric, operands, likely)
    }

    /// [`CallSite::look`] where it takes a rotation to get from one of the arguments to the other.
    fn look_for_rotated(
        &mut self,
        metric: Metric,
        operands: &[Operand; 2],
        likely: Option<usize>,
    ) -> Result<f64, Error> {
        // Queries that are kept may move; and an error on the way leaves no half-made one behind.
        self.current = None;
        let tags = [operands[0].tag(), operands[1].tag()];
        let same = [tags[0] == self.recent.tags[0], tags[1] == self.recent.tags[1]];
        self.recent.tags = tags;
        let likely = likely.or_else(|| [1, 0].into_iter().find(|&side| same[side]));
        if self.recent.looks_nothing_up(likely) {
            return between_floats(metric, operands);
        }
        let hashes = [operands[0].hash(0), operands[1].hash(1)];
        if let Some(distance) = self.distance_from_kept(metric, operands, hashes)? {
            return Ok(distance);
        }
        if likely.is_none() {
            self.recent.misses = (self.recent.misses + 1).min(2 * PATIENCE);
        }
        for side in [0, 1] {
            if !same[side] {
                self.recent.known[side] = self.recent.seen.insert(hashes[side]);
            }
        }
        let side = self.side_to_rotate(operands, likely);
        if self.recent.known[side] {
            self.keep(side, hashes[side], operands, metric)
        } else {
            self.take(side, operands, metric)
        }
    }

    /// The distance from a query that is kept, if one of the arguments is one and needs no rotation for the other.
    fn distance_from_kept(
        &mut self,
        metric: Metric,
        operands: &[Operand; 2],
        hashes: [u64; 2],
    ) -> Result<Option<f64>, Error> {
        for side in [1, 0] {
            let Some(place) = operands[side].find_in(&self.kept, hashes[side]) else { continue };
            let found = self.kept.value(place).distance(metric, &operands[1 - side], false)?;
            if found.is_some() {
                self.recent.misses = self.recent.misses.saturating_sub(HIT);
                self.settle(place);
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Keeps an argument as a query, and rotates it for the other one.
    fn keep(
        &mut self,
        side: usize,
        hash: u64,
        operands: &[Operand; 2],
        metric: Metric,
    ) -> Result<f64, Error> {
        let place = match operands[side].find_in(&self.kept, hash) {
            Some(place) => place,
            None => {
                let (mut key, query) = (DatumKey::default(), SiteQuery::new(side, &operands[side])?);
                operands[side].keep_in(&mut key)?;
                let bytes = query.memory_bytes();
                self.kept.insert(hash, key, query, bytes)?
            }
        };
        let before = self.kept.value(place).memory_bytes();
        let distance = self.kept.value(place).distance(metric, &operands[1 - side], true)?;
        let after = self.kept.value(place).memory_bytes();
        let place = self.kept.grow(place, after - before.min(after));
        self.settle(place);
        distance.ok_or(Error::Registry(RegistryError::RotationLost))
    }

    fn settle(&mut self, place: usize) {
        self.current = Some(QueryPlace::Kept(place));
    }

    /// Which argument is rotated, where one has to be.
    fn side_to_rotate(&mut self, operands: &[Operand; 2], likely: Option<usize>) -> usize {
        let recent = &mut self.recent;
        let Some(side) = likely else {
            // Either costs the same. Floats first: a record needs no rotation for others of its codec.
            let order = if operands[0].kind == OperandKind::Floats { [0, 1] } else { [1, 0] };
            return order.into_iter().find(|&side| recent.known[side]).unwrap_or(order[0]);
        };
        if recent.known[1 - side] && recent.credit > 0 {
            recent.credit -= 1;
            return 1 - side;
        }
        recent.credit = recent.credit.saturating_add(1);
        side
    }

    /// Takes an argument for the query until another one comes.
    fn take(&mut self, side: usize, operands: &[Operand; 2], metric: Metric) -> Result<f64, Error> {
        // Forgotten first, so that an error on the way leaves no half-made query behind.
        self.current = None;
        self.loose = SiteQuery::new(side, &operands[side])?;
        operands[side].keep_in(&mut self.loose_key)?;
        self.current = Some(QueryPlace::Loose);
        let distance = self.loose.distance(metric, &operands[1 - side], true)?;
        distance.ok_or(Error::Registry(RegistryError::RotationLost))
    }
}
