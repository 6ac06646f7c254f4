//! What ANALYZE keeps of a column: the share of nulls, the average width, and the number of different values.
//!
//! PostgreSQL's own function for types with an order also keeps a hundred values and a hundred bounds of a histogram, some
//! ten kilobytes each, for comparisons with constants. Records are compared for equality alone, by DISTINCT, GROUP BY and
//! UNIQUE, and for that their number is enough. It is estimated as PostgreSQL does it, from the sample's different values and
//! those among them that appear once; but a value is its hash, and none is fetched from out of line.

#![allow(unsafe_code)]

use std::hash::{DefaultHasher, Hash, Hasher};

use pgrx::Internal;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::prelude::*;

use crate::datum::arguments::required;
use crate::datum::record::Varlena;
use crate::error::SqlResult;
use crate::error::interrupts::poll;
use crate::server::pg_compat::statistics_target;

/// Rows of the sample for each unit of the statistics target, as PostgreSQL takes them.
const ROWS_A_TARGET: i32 = 300;
/// A number of different values above this share of the rows is kept as a share: it will grow with the table.
const GROWING: f64 = 0.1;

/// The type's `ANALYZE` function: says how a column is to be analysed.
#[pg_extern(sql = false)]
fn tqvec_typanalyze(stats: Internal) -> SqlResult<bool> {
    let stats = required(stats.unwrap(), "stats")?.cast_mut_ptr::<pg_sys::VacAttrStats>();
    // SAFETY: an argument of type internal can't be made in SQL; ANALYZE passes this struct.
    unsafe {
        (*stats).minrows = ROWS_A_TARGET.saturating_mul(statistics_target(stats));
        (*stats).compute_stats = Some(compute);
    }
    Ok(true)
}

/// What was found in a sample.
#[derive(Default)]
struct ColumnSample {
    nulls: usize,
    /// Bytes in the rows, where a value out of line is a pointer.
    width: usize,
    /// Hashes of the values in the rows.
    hashes: Vec<u64>,
    /// Values out of line, which weren't looked at.
    unseen: usize,
}

/// Fills in the statistics of a column of which `rows` rows were sampled, of about `total`.
#[pg_guard]
unsafe extern "C-unwind" fn compute(
    stats: *mut pg_sys::VacAttrStats,
    fetch: pg_sys::AnalyzeAttrFetchFunc,
    rows: std::ffi::c_int,
    total: f64,
) {
    let Some(fetch) = fetch else { return };
    let mut sample = ColumnSample::default();
    for row in 0..rows {
        poll();
        // SAFETY: ANALYZE's own function, its own struct, a row of the sample.
        match unsafe { fetch_row(fetch, stats, row) } {
            None => sample.nulls += 1,
            // SAFETY: a value of the column, whose type is ours; it lives as long as the sample.
            Some(value) => unsafe { sample.take(value) },
        }
    }
    if rows < 1 {
        return;
    }
    let present = rows as usize - sample.nulls;
    let nulls = sample.nulls as f64 / f64::from(rows);
    let distinct = sample.distinct(total * (1.0 - nulls), total);
    // SAFETY: ANALYZE's own struct, as it wants it filled.
    unsafe {
        (*stats).stanullfrac = nulls as f32;
        (*stats).stawidth = (sample.width / present.max(1)) as i32;
        (*stats).stadistinct = if present == 0 { 0.0 } else { distinct };
        (*stats).stats_valid = true;
    }
}

/// The column's value in a row of the sample, unless it is null. Errors come back as panics.
///
/// # Safety
/// All must be what ANALYZE has passed, and the row one of the sample's.
#[allow(ffi_unwind_calls)] // behind the boundary
unsafe fn fetch_row(
    fetch: unsafe extern "C-unwind" fn(
        *mut pg_sys::VacAttrStats,
        std::ffi::c_int,
        *mut bool,
    ) -> pg_sys::Datum,
    stats: *mut pg_sys::VacAttrStats,
    row: std::ffi::c_int,
) -> Option<pg_sys::Datum> {
    let mut is_null = false;
    // SAFETY: by this function's contract.
    let value = unsafe { pg_guard_ffi_boundary(|| fetch(stats, row, &mut is_null)) };
    (!is_null).then_some(value)
}

impl ColumnSample {
    /// Takes a value in.
    ///
    /// # Safety
    /// It must be a valid, non-null varlena datum.
    unsafe fn take(&mut self, value: pg_sys::Datum) {
        let pointer = value.cast_mut_ptr::<pg_sys::varlena>();
        // SAFETY: by the contract; the macros read the header.
        let (width, external) = unsafe { (pgrx::varsize_any(pointer), pgrx::varatt_is_1b_e(pointer)) };
        self.width += width;
        // Without memory for them, what is left of the sample is taken to be different.
        if external || self.hashes.try_reserve(1).is_err() {
            self.unseen += 1;
            return;
        }
        // SAFETY: by the contract; the value isn't used after this.
        let value = unsafe { Varlena::packed(value) };
        let mut hasher = DefaultHasher::new();
        value.bytes().hash(&mut hasher);
        self.hashes.push(hasher.finish());
        value.release();
    }

    /// The number of different values among `present` ones of `total` rows; if there are many, their share of the rows,
    /// negative. That is the estimator of Haas and Stokes, *Estimating the number of classes in a finite population*
    /// (IBM RJ 10025), which PostgreSQL uses.
    fn distinct(&mut self, present: f64, total: f64) -> f32 {
        self.hashes.sort_unstable();
        let groups = self.hashes.chunk_by(PartialEq::eq);
        let (mut different, mut once) = (self.unseen, self.unseen);
        for group in groups {
            different += 1;
            once += usize::from(group.len() == 1);
        }
        let sampled = self.hashes.len() + self.unseen;
        let share = present / total.max(1.0);
        if once == different {
            return -share as f32;
        }
        if once == 0 {
            // Each was seen more than once: there are hardly others.
            return different as f32;
        }
        let (n, d, f) = (sampled as f64, different as f64, once as f64);
        let estimate = (n * d / (n - f + f * n / present.max(n))).clamp(d, present.max(d)).round();
        if estimate > GROWING * total { (-estimate / total) as f32 } else { estimate as f32 }
    }
}
