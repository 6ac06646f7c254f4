//! How many lists a search needs: measured at the end of a build, with queries made of the index's own rows.
//!
//! Of each query, the nearest rows are found among all, and the gaps of the lists that they are in (see `probes`). There are two kinds
//! of queries, and what the more demanding one needs is kept: rows, without the row itself among its neighbours; and points in
//! the middle between a row and its hundredth neighbour. Where rows have near copies of themselves, all their neighbours are in
//! a list or two, whereas queries that come from elsewhere find theirs in many: of 20 near copies of 7,500 rows of debian-minilm, 0.60 of the ten nearest are
//! found by the rows' gaps alone where 0.95 is aimed at, and 0.85 by both.

use std::sync::Arc;

use tq_codec::{Codec, PreparedQuery};
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
    /// Gaps of the lists that the nearest 10, and 100, are in.
    gaps: [Vec<f32>; 2],
    /// Gaps of all lists of all queries.
    all: Vec<f32>,
    queries: usize,
}

impl Found {
    /// Searches the whole index for the nearest rows; the first `skipped` of them don't count. Returns the place of the last.
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
        let mut scan = Scan::new(pages, session, Some(query), square, options)?;
        let gaps = scan.gaps()?;
        self.all.try_extend(&gaps)?;
        self.queries += 1;
        let mut last = None;
        for at in 0..NEAREST[1] + skipped {
            let Some(row) = scan.next_measured(pages, &mut NoOthers)? else { break };
            last = Some(row.place);
            let gap = scan.list_of(&row).and_then(|list| gaps.get(list as usize));
            let Some(gap) = gap.filter(|_| at >= skipped) else { continue };
            for (found, nearest) in self.gaps.iter_mut().zip(NEAREST) {
                if at < nearest + skipped {
                    found.try_push(*gap)?;
                }
            }
        }
        Ok(last)
    }

    /// Up to which gap lists have a share of the neighbours; 0 without any.
    fn gap(&self, k: usize, target: f64) -> f32 {
        let found = &self.gaps[k];
        let at = (target * found.len() as f64).ceil() as usize;
        found.get(at.clamp(1, found.len().max(1)) - 1).copied().unwrap_or(0.0)
    }
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
            let (codes, residual) = layout.payload(row);
            codec.dequantize_parts(codes, residual, &mut neighbour);
        })?;
        if decoded.used().is_some() {
            row.iter_mut().zip(&neighbour).for_each(|(x, y)| *x = 0.5 * (*x + y));
            if row.iter().any(|x| *x != 0.0) {
                between.search(pages, codec, &lists, &row, 0)?;
            }
        }
    }
    for found in of_rows.gaps.iter_mut().chain(&mut between.gaps) {
        found.sort_unstable_by(f32::total_cmp);
    }
    if of_rows.gaps[0].is_empty() {
        return Ok(Calibration::unmeasured(count));
    }
    let gaps = [0, 1].map(|k| TARGETS.map(|target| of_rows.gap(k, target).max(between.gap(k, target))));
    let probes = gaps[0].map(|most| {
        let within = of_rows.all.iter().filter(|gap| **gap <= most).count();
        within.div_ceil(of_rows.queries.max(1)) as u32
    });
    Ok(Calibration { gaps, probes })
}
