//! Every row of an index, whatever its distance: for queries that are NULL, and for counting.

use std::collections::VecDeque;

use crate::error::IndexError;
use crate::layout::{self, Kind, Tid};
use crate::others::OthersPage;
use crate::pages::Pages;
use crate::session::Session;
use crate::slot;
use tq_memory::Grow;

/// What is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Which {
    All,
    /// Rows with slots.
    Slots,
    Nulls,
}

/// A walk over the rows of an index, page by page.
#[derive(Debug)]
pub struct Walk {
    which: Which,
    extent: u32,
    page: u32,
    found: VecDeque<Tid>,
    others: OthersPage,
}

impl Walk {
    /// Over all rows.
    pub fn all() -> Self {
        Self { which: Which::All, extent: 0, page: 0, found: VecDeque::new(), others: OthersPage::default() }
    }

    /// Over NULLs.
    pub(crate) fn nulls() -> Self {
        Self { which: Which::Nulls, ..Self::all() }
    }

    /// Over the rows that are of the index's codec.
    pub fn slots() -> Self {
        Self { which: Which::Slots, ..Self::all() }
    }

    /// The next row.
    ///
    /// # Errors
    /// [`IndexError::Damaged`], [`IndexError::Memory`].
    pub fn next<P: Pages>(&mut self, pages: &P, session: &Session) -> Result<Option<Tid>, IndexError> {
        loop {
            if let Some(tid) = self.found.pop_front() {
                return Ok(Some(tid));
            }
            if self.extent >= session.meta.extents {
                return Ok(None);
            }
            pages.poll();
            self.read_page(pages, session)?;
        }
    }

    /// Finds the rows of the next page.
    fn read_page<P: Pages>(&mut self, pages: &P, session: &Session) -> Result<(), IndexError> {
        let start = session.meta.extent_start(self.extent)?;
        let kind = pages.read(start, |page| layout::kind_of(start, page))?;
        let count = match kind {
            Some((Kind::Slots, _)) if self.which != Which::Nulls => session.layout(pages)?.slot_pages,
            Some((Kind::Others, _)) if self.which != Which::Slots => {
                session.meta.place.map_or(0, |place| place.blocks)
            }
            _ => 0,
        };
        if self.page >= count {
            (self.extent, self.page) = (self.extent + 1, 0);
            return Ok(());
        }
        let block = start + self.page;
        self.page += 1;
        let mut found = std::mem::take(&mut self.found).into();
        if matches!(kind, Some((Kind::Slots, _))) {
            let bytes = session.layout(pages)?.slot_bytes;
            pages.read(block, |page| {
                if !page.is_new() {
                    layout::expect(block, page, Kind::Slots)?;
                }
                page.content
                    .chunks_exact(bytes)
                    .filter_map(slot::tid)
                    .try_for_each(|tid| push(&mut found, tid))
            })?;
        } else if self.others.read(pages, block)? {
            for entry in self.others.entries() {
                let entry = entry?;
                if entry.record.is_none() || self.which == Which::All {
                    push(&mut found, entry.tid)?;
                }
            }
        }
        self.found = found.into();
        Ok(())
    }
}

fn push(found: &mut Vec<Tid>, tid: Tid) -> Result<(), IndexError> {
    Ok(found.try_push(tid)?)
}
