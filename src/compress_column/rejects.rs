//! Rows whose vector can't be compressed, where they don't end the call: they keep NULL, and are met again by each pass.

#![allow(unsafe_code)]

use pgrx::pg_sys;

use super::batch::row_error;
use super::remaining::RemainingRows;
use super::target::TablePart;
use crate::datum::rejects::{RejectNames, Rejects};
use crate::error::Error;

pub(super) const NAMES: RejectNames = RejectNames {
    on_error: "on_error",
    limit: "reject_limit",
    limit_alone: "reject_limit requires on_error to be set to ignore",
    aftermath: " The batches before are committed.",
};

/// Rows that one pass over a table has rejected.
pub(super) struct PassRejects {
    /// `None` if the first one ends the call.
    rejects: Option<Rejects>,
    /// As that of [`RemainingRows`].
    fingerprint: i64,
}

impl PassRejects {
    /// None yet; `before` are those of the tables that are done.
    pub(super) fn behind(before: Option<&Rejects>) -> PassRejects {
        PassRejects { rejects: before.map(Rejects::behind), fingerprint: 0 }
    }

    /// Notes a row, if what is wrong is its own.
    ///
    /// # Errors
    /// It isn't, or such a row ends the call, or there are too many.
    pub(super) fn add(
        &mut self,
        part: &TablePart,
        position: pg_sys::ItemPointerData,
        error: Error,
    ) -> Result<(), Error> {
        self.add_all(part, &[position], error)
    }

    /// Notes rows of which the same is wrong.
    ///
    /// # Errors
    /// As for [`add`](Self::add).
    pub(super) fn add_all(
        &mut self,
        part: &TablePart,
        positions: &[pg_sys::ItemPointerData],
        error: Error,
    ) -> Result<(), Error> {
        let Some(rejects) = self.rejects.as_mut().filter(|_| error.is_about_row()) else {
            return Err(row_error(part, positions.first().copied().unwrap_or_default(), error));
        };
        for position in positions {
            let (block, offset) = pgrx::itemptr::item_pointer_get_both(*position);
            self.fingerprint += i64::from(hash(*position));
            let place = || format!("the row at ctid ({block},{offset}) of \"{}\"", part.shown);
            rejects.add(u64::from(block) << 16 | u64::from(offset), place, &error)?;
        }
        Ok(())
    }

    /// Whether rows may be rejected at all.
    pub(super) fn allowed(&self) -> bool {
        self.rejects.is_some()
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.rejects.as_ref().map_or(0, Rejects::count)
    }

    /// How many there are with those of the tables that are done.
    pub(super) fn count_all(&self) -> u64 {
        self.rejects.as_ref().map_or(0, Rejects::count_all)
    }

    /// Whether these are all that remains, and nobody has changed them.
    pub(super) fn are_all(&self, remaining: &RemainingRows) -> bool {
        remaining.is(self.count(), self.fingerprint)
    }

    pub(super) fn into_inner(self) -> Option<Rejects> {
        self.rejects
    }
}

/// `hashtid` of a position.
fn hash(mut position: pg_sys::ItemPointerData) -> i32 {
    let place = pg_sys::Datum::from(&raw mut position);
    // SAFETY: the function reads a position and nothing else.
    unsafe { pgrx::direct_function_call(pg_sys::hashtid, &[Some(place)]) }.unwrap_or_default()
}
