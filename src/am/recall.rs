//! `tq_index_recall`: what a search finds of an index's own rows, against measuring all of them.

use std::sync::Arc;

use pgrx::pg_sys;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::prelude::*;
use tq_codec::{Codec, PreparedQuery};
use tq_index::{IndexError, ListOptions, Others, Scan, ScanCounts, ScanOptions, Session, Tid};

use super::buffers::Buffers;
use super::functions::open;
use super::rows::{list_options, named};
use super::table::Seen;
use crate::error::{Error, SampleError};
use crate::registry;
use crate::server::settings;

/// Standard deviations that nothing exceeds: every row is measured.
const ALL: f64 = 1e9;

/// The most queries, and the most neighbours of each.
const MOST: i32 = 10_000;

/// Other rows take no part: they are measured in every search, and found.
struct LeftOut;

impl Others for LeftOut {
    type Error = IndexError;

    fn distance(&mut self, _: Tid, _: &[u8]) -> Result<Option<f64>, IndexError> {
        Ok(None)
    }
}

/// The recall of an index, measured with its own rows as queries.
#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)] // the columns, as pgrx wants them named
fn tq_index_recall(
    index: pg_sys::Oid,
    queries: i32,
    k: i32,
) -> Result<
    TableIterator<
        'static,
        (
            name!(queries_asked, i32),
            name!(recall, Option<f64>),
            name!(rows_measured, Option<f64>),
            name!(passes, Option<f64>),
        ),
    >,
    ErrorReport,
> {
    Ok(TableIterator::once(recall(index, queries, k)?))
}

type RecallRow = (i32, Option<f64>, Option<f64>, Option<f64>);

fn recall(index: pg_sys::Oid, queries: i32, k: i32) -> Result<RecallRow, Error> {
    if !(1..=MOST).contains(&queries) {
        return Err(SampleError::OutOfRange { what: "queries", value: queries, most: MOST }.into());
    }
    if !(1..=MOST).contains(&k) {
        return Err(SampleError::OutOfRange { what: "k", value: k, most: MOST }.into());
    }
    let relation = open(index)?;
    // SAFETY: a function runs under a snapshot.
    let pages = relation.pages(Seen::By(unsafe { pg_sys::GetActiveSnapshot() })).searching();
    // SAFETY: the index stays open until the end of the function.
    let name = |error: IndexError| unsafe { named(relation.index(), error) };
    let session = Session::new(&pages).map_err(name)?;
    let Some(shape) = session.meta().shape else { return Ok((0, None, None, None)) };
    let codec = registry::of_shape(&shape)?;
    let rows = tq_index::sample_rows(&pages, &session, &codec, queries as usize).map_err(name)?;
    let (mut found, mut there, mut counts) = (0, 0, ScanCounts::default());
    for row in &rows {
        let (nearest, _) = search(&pages, &codec, row, k as usize, (ALL, ListOptions::ALL)).map_err(name)?;
        let as_set = (settings::epsilon(), list_options());
        let (hits, work) = search(&pages, &codec, row, k as usize, as_set).map_err(name)?;
        // Rows as near as the last of the nearest are as good as it.
        let farthest = nearest.last().copied().unwrap_or(f64::NAN);
        found += hits.iter().filter(|distance| **distance <= farthest).count().min(nearest.len());
        there += nearest.len();
        counts.refined += work.refined;
        counts.passes += work.passes;
    }
    pages.close_table();
    let share = |part: f64, of: usize| (of > 0).then(|| part / of as f64);
    Ok((
        rows.len() as i32,
        share(found as f64, there),
        share(counts.refined as f64, rows.len()),
        share(counts.passes as f64, rows.len()),
    ))
}

/// Distances of the first rows of a search, and what it did.
fn search(
    pages: &Buffers,
    codec: &Arc<Codec>,
    rotated: &[f32],
    count: usize,
    (epsilon, lists): (f64, ListOptions),
) -> Result<(Vec<f64>, ScanCounts), IndexError> {
    let level = settings::simd_level();
    let query = PreparedQuery::from_rotated(Arc::clone(codec), rotated, level)?;
    let square = query.square();
    let options = ScanOptions { epsilon, memory: settings::work_memory(), level, lists };
    let session = Session::new(pages)?.knowing(pages.known_lists());
    let mut scan = Scan::new(pages, session, Some(query), square, options)?;
    pages.keep_lists(scan.known_lists());
    let mut distances = tq_memory::with_capacity(count)?;
    while distances.len() < count {
        match scan.next(pages, &mut LeftOut)? {
            // The others, and NULL.
            Some(hit) if hit.distance.is_none_or(f64::is_nan) => (),
            Some(hit) => distances.extend(hit.distance),
            None => break,
        }
    }
    Ok((distances, scan.counts()))
}
