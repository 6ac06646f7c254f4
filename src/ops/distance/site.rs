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

use std::sync::Arc;

use tq_codec::{Codec, Metric, PreparedQuery, distance_f32};
use tq_format::RecordView;

use super::operand::{Operand, OperandKind};
use crate::error::{Error, RegistryError, VectorError};
use crate::ops::datum_key::DatumKey;
use crate::ops::value_cache::{RecentHashes, ValueCache};
use crate::registry;
use crate::registry::Query;
use crate::server::settings;

/// Codecs of one column for which a query is kept prepared. A column rarely mixes more than two.
const PREPARED_LIMIT: usize = 32;
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

/// A query, and what was prepared of it.
#[derive(Default)]
struct SiteQuery {
    /// Which argument it was.
    side: usize,
    query: Query,
    prepared: Vec<PreparedQuery>,
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

impl SiteQuery {
    fn new(side: usize, operand: &Operand) -> Result<SiteQuery, Error> {
        let query = match operand.kind {
            OperandKind::Floats => Query::Floats(operand.to_floats()?),
            OperandKind::Record => operand.with_record(Query::from_record)?,
        };
        Ok(SiteQuery { side, query, prepared: Vec::new() })
    }

    /// The distance of the other argument; `None` if that takes a rotation of the query, which `may_rotate` doesn't allow.
    #[inline]
    fn distance(&mut self, metric: Metric, row: &Operand, may_rotate: bool) -> Result<Option<f64>, Error> {
        let dimension = self.query.dimension();
        match row.kind {
            OperandKind::Record => row.with_record(|record| {
                if record.dimension() as usize != dimension {
                    return Err(dimensions_differ(self.side, dimension, record.dimension() as usize));
                }
                let Some(prepared) = self.prepared_for(record, may_rotate)? else { return Ok(None) };
                // While the kernel runs on this row, the next one comes into the cache.
                tq_simd::prefetch_below(record.as_bytes());
                registry::distance(prepared, metric, record).map(Some)
            }),
            OperandKind::Floats if !may_rotate && self.query.is_rotated() => Ok(None),
            OperandKind::Floats => row.with_floats(|floats| {
                if floats.len() != dimension {
                    return Err(dimensions_differ(self.side, dimension, floats.len()));
                }
                Ok(Some(distance_f32(metric, self.query.floats()?, floats)))
            }),
        }
    }

    /// The query, prepared for the record's codec. Codecs changed since the query was taken are no concern here:
    /// the call site forgets its queries then.
    #[inline]
    fn prepared_for(
        &mut self,
        record: &RecordView<'_>,
        may_rotate: bool,
    ) -> Result<Option<&PreparedQuery>, Error> {
        let position = match self.prepared.iter().position(|prepared| prepared.matches(record)) {
            Some(position) => position,
            None => {
                let codec: Arc<Codec> = registry::for_record(record)?;
                if !may_rotate && !self.query.shares_rotation(&codec) {
                    return Ok(None);
                }
                if self.prepared.len() == PREPARED_LIMIT {
                    self.prepared.clear();
                }
                self.prepared.push(self.query.prepare(codec, settings::simd_level())?);
                self.prepared.len() - 1
            }
        };
        Ok(self.prepared.get(position))
    }

    fn memory_bytes(&self) -> usize {
        let prepared: usize = self.prepared.iter().map(PreparedQuery::memory_bytes).sum();
        size_of_val(self.prepared.as_slice()) + 4 * self.query.dimension() + prepared
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
        if likely.is_some() {
            self.recent.misses = 0;
        }
        self.recent.calls = self.recent.calls.wrapping_add(1);
        if self.recent.misses > PATIENCE && !self.recent.calls.is_multiple_of(RETRY) {
            return between_floats(metric, operands);
        }
        let hashes = [operands[0].hash(0), operands[1].hash(1)];
        for side in [1, 0] {
            let Some(place) = operands[side].find_in(&self.kept, hashes[side]) else { continue };
            let found = self.kept.value(place).distance(metric, &operands[1 - side], false)?;
            if let Some(distance) = found {
                self.recent.misses = self.recent.misses.saturating_sub(HIT);
                self.settle(place);
                return Ok(distance);
            }
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
        if !self.recent.known[side] {
            return self.take(side, operands, metric);
        }
        let place = match operands[side].find_in(&self.kept, hashes[side]) {
            Some(place) => place,
            None => {
                let (mut key, source) = (DatumKey::default(), SiteQuery::new(side, &operands[side])?);
                operands[side].keep_in(&mut key)?;
                let bytes = source.memory_bytes();
                self.kept.insert(hashes[side], key, source, bytes)?
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

/// Whether two records are in the same rotated space; two of different dimensions are for the caller to refuse.
fn share_rotation(operands: &[Operand; 2]) -> Result<bool, Error> {
    operands[0].with_record(|left| {
        operands[1].with_record(|right| {
            let codecs = [registry::for_record(left)?, registry::for_record(right)?];
            Ok(left.dimension() != right.dimension()
                || Arc::ptr_eq(codecs[0].rotation(), codecs[1].rotation()))
        })
    })
}

/// Both arguments vary, and are records: the distance in the rotated space, if it is the same for both.
fn between_records(metric: Metric, operands: &[Operand; 2]) -> Result<Option<f64>, Error> {
    operands[0].with_record(|left| {
        operands[1].with_record(|right| {
            if left.dimension() != right.dimension() {
                return Err(Error::Vector(VectorError::DimensionsDiffer(
                    left.dimension(),
                    right.dimension(),
                )));
            }
            let codecs = [registry::for_record(left)?, registry::for_record(right)?];
            if !Arc::ptr_eq(codecs[0].rotation(), codecs[1].rotation()) {
                return Ok(None);
            }
            let vector = || tq_memory::filled(left.dimension() as usize, 0.0);
            let mut vectors = [vector()?, vector()?];
            codecs[0].decode_rotated(left, &mut vectors[0])?;
            codecs[1].decode_rotated(right, &mut vectors[1])?;
            Ok(Some(distance_f32(metric, &vectors[0], &vectors[1])))
        })
    })
}

/// Both arguments vary: the distance in the original space.
fn between_floats(metric: Metric, operands: &[Operand; 2]) -> Result<f64, Error> {
    let left = operands[0].to_floats()?;
    let right = operands[1].to_floats()?;
    if left.len() != right.len() {
        return Err(dimensions_differ(0, left.len(), right.len()));
    }
    Ok(distance_f32(metric, &left, &right))
}

/// Names the dimensions in the order of the arguments.
fn dimensions_differ(query_side: usize, query: usize, row: usize) -> Error {
    let (left, right) = if query_side == 0 { (query, row) } else { (row, query) };
    Error::Vector(VectorError::DimensionsDiffer(left as u32, right as u32))
}
