//! How many lists a search needs: measured at the end of a build, with queries made of the index's own rows.
//!
//! Of each query, the nearest rows are found among all, and the gaps of the lists that they are in (see `probes`). There are two kinds
//! of queries, and what the more demanding one needs is kept: rows, without the row itself among its neighbours; and points in
//! the middle between a row and its hundredth neighbour, near copies not counted. Where rows have near copies of themselves, all their neighbours are in
//! a list or two, whereas queries that come from elsewhere find theirs in many.

use std::sync::Arc;

use tq_codec::{Codec, Metric, PreparedQuery};
use tq_memory::Grow;
use tq_simd::Level;

use crate::codes;
use crate::error::IndexError;
use crate::hit::{Others, ScanOptions};
use crate::layout::Tid;
use crate::lists::Lists;
use crate::pages::Pages;
use crate::probes::{Calibration, ListOptions, NEAREST, TARGETS};
use crate::recentre::sample_rows;
use crate::scan::{Scan, place_of};
use crate::session::Session;

/// Queries of each kind: as many as look at so many slots, but no fewer than the least, and no more than the most.
const SLOTS: usize = 60_000_000;
const QUERIES: std::ops::RangeInclusive<usize> = 100..=300;

/// Memory of a search.
const MEMORY: usize = 4 << 20;

/// A neighbour is a near copy that is no farther away than this part of the hundredth neighbour's distance.
const COPY: f64 = 0.4;

/// By how many of its standard deviations the measured share is taken to be too high: queries differ, and copies of one row are all in one list.
const DEVIATIONS: f64 = 1.0;

/// More copies of a row than these are no more to look at.
const MOST_COPIES: usize = 40;

/// About the squared Euclidean distance from a query of that squared norm, or what is in proportion to it.
fn squared_distance(metric: Metric, query_square: f64, distance: f64) -> f64 {
    match metric {
        Metric::L2 => distance * distance,
        // Of a row about as long as the query.
        Metric::InnerProduct => (2.0 * (query_square + distance)).max(0.0),
        _ => distance,
    }
}

/// Other rows are measured by every search, and need no list.
struct NoOthers;

impl Others for NoOthers {
    type Error = IndexError;

    fn distance(&mut self, _: Tid, _: &[u8]) -> Result<Option<f64>, IndexError> {
        Ok(None)
    }
}

/// What queries of one kind have found.
#[derive(Default)]
struct Found {
    /// Gaps of the lists that the nearest 10, and 100, are in, each with the number of its query.
    gaps: [Vec<(f32, u32)>; 2],
    /// Gaps of all lists of all queries.
    all: Vec<f32>,
    queries: usize,
}

impl Found {
    /// Searches the whole index for the nearest rows; the first `skipped` of them don't count. Returns the place of the hundredth, or, if
    /// many of these are near copies, of about the hundredth that is none: a query may lie between it and this one.
    fn search<P: Pages>(
        &mut self,
        pages: &P,
        codec: &Arc<Codec>,
        lists: &Lists,
        rotated: &[f32],
        skipped: usize,
    ) -> Result<Option<u32>, IndexError> {
        pages.poll();
        let level = Level::detect();
        let query = PreparedQuery::from_rotated(Arc::clone(codec), rotated, level)?;
        let square = query.square();
        let options = ScanOptions { epsilon: 3.0, memory: MEMORY, level, lists: ListOptions::ALL };
        let session = Session::new(pages)?.knowing(Some(lists.clone()));
        let metric = session.meta.definition.metric;
        let mut scan = Scan::new(pages, session, Some(query), square, options)?;
        let gaps = scan.gaps()?;
        self.all.try_extend(&gaps)?;
        let (mut last, mut squares) = (None, [f64::INFINITY; NEAREST[1]]);
        for at in 0..NEAREST[1] + skipped {
            let Some(row) = scan.next_measured(pages, &mut NoOthers)? else { break };
            last = Some(row.place);
            let Some(at) = at.checked_sub(skipped) else { continue };
            squares[at] = squared_distance(metric, square, row.likely);
            let Some(gap) = scan.list_of(&row).and_then(|list| gaps.get(list as usize)) else { continue };
            for (found, nearest) in self.gaps.iter_mut().zip(NEAREST) {
                if at < nearest {
                    found.try_push((*gap, self.queries as u32))?;
                }
            }
        }
        self.queries += 1;
        let near = squares[NEAREST[1] - 1] * COPY * COPY;
        let copies = squares.iter().filter(|square| **square <= near).count();
        if skipped > 0 && near.is_finite() {
            for _ in 0..NEAREST[1] * copies.min(MOST_COPIES) {
                let Some(row) = scan.next_measured(pages, &mut NoOthers)? else { break };
                last = Some(row.place);
            }
        }
        Ok(last)
    }

    /// Up to which gap lists have a share of a query's nearest, on average and less what the average may be off by; of all that were found if
    /// the share is never reached, 0 without any.
    fn gap(&self, k: usize, target: f64) -> Result<f32, IndexError> {
        let queries = self.queries as f64;
        let mut counts = tq_memory::filled(self.queries, 0.0)?;
        let (mut sum, mut squares) = (0.0, 0.0);
        for (gap, query) in &self.gaps[k] {
            let share: &mut f64 = &mut counts[*query as usize];
            let before = *share;
            *share += 1.0 / NEAREST[k] as f64;
            sum += *share - before;
            squares += *share * *share - before * before;
            let mean = sum / queries;
            let deviation = (squares / queries - mean * mean).max(0.0).sqrt();
            if mean - DEVIATIONS * deviation / queries.sqrt() >= target {
                return Ok(*gap);
            }
        }
        Ok(self.gaps[k].last().map_or(0.0, |(gap, _)| *gap))
    }
}

/// Makes `row` the point between it and its neighbour that is as long as they are: of rows of one length, the middle would lie closer to all
/// centroids than any row does. `false` if there is none.
fn between_of(row: &mut [f32], neighbour: &[f32]) -> bool {
    let norm = |x: &[f32]| x.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    let long = norm(row) + norm(neighbour);
    row.iter_mut().zip(neighbour).for_each(|(x, y)| *x += y);
    let scale = 0.5 * long / norm(row);
    row.iter_mut().for_each(|x| *x = (scale * f64::from(*x)) as f32);
    scale.is_finite()
}

/// Measures an index that has just been built.
pub(crate) fn calibrate<P: Pages>(pages: &P, codec: &Arc<Codec>) -> Result<Calibration, IndexError> {
    let mut session = Session::new(pages)?;
    let count = session.meta.lists();
    let lists = session.lists(pages)?;
    let layout = session.layout(pages)?;
    let [mut of_rows, mut between] = [Found::default(), Found::default()];
    let mut neighbour = tq_memory::filled(layout.dimension, 0.0)?;
    let mut room = Vec::new();
    let slots = (session.meta.slot_pages as usize).saturating_mul(layout.slots).max(1);
    let queries = (SLOTS / slots).clamp(*QUERIES.start(), *QUERIES.end());
    for mut row in sample_rows(pages, &session, codec, queries)? {
        // The first is the row itself, or its like.
        let Some(place) = of_rows.search(pages, codec, &lists, &row, 1)? else { continue };
        let (extent, page, slot) = place_of(&layout, place as usize);
        let place = (session.meta.extent_start(extent)?, page, slot);
        let decoded = codes::with_row(pages, &layout, place, None, &mut room, |row| {
            layout.decode(codec, row, &mut neighbour);
        })?;
        if decoded.used().is_some() && between_of(&mut row, &neighbour) {
            between.search(pages, codec, &lists, &row, 0)?;
        }
    }
    for found in of_rows.gaps.iter_mut().chain(&mut between.gaps) {
        found.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    }
    if of_rows.gaps[0].is_empty() {
        return Ok(Calibration::unmeasured(count));
    }
    let mut gaps = [[0.0; TARGETS.len()]; 2];
    for (k, gaps) in gaps.iter_mut().enumerate() {
        for (gap, target) in gaps.iter_mut().zip(TARGETS) {
            *gap = of_rows.gap(k, target)?.max(between.gap(k, target)?);
        }
    }
    let probes = gaps[0].map(|most| {
        let within = of_rows.all.iter().filter(|gap| **gap <= most).count();
        within.div_ceil(of_rows.queries.max(1)) as u32
    });
    Ok(Calibration { gaps, probes })
}
