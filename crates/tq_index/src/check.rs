//! Looking at every page and every row: what an index holds, and whether it is what an index should hold.

use std::sync::Arc;

use tq_codec::Codec;

use crate::centre::Centre;
use crate::check_lists::check_lists;
use crate::codes::{self, Codes};
use crate::error::{IndexError, damaged};
use crate::layout::{self, CODE_HEAD, Kind, RowLayout, SLOT_HEAD, Tid};
use crate::meta::Meta;
use crate::others::OthersPage;
use crate::pages::Pages;
use crate::session::Session;
use crate::slot;
use tq_memory::Grow;

/// What an index has of a row.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kept<'a> {
    /// It is NULL.
    Null,
    /// A whole record.
    Record(&'a [u8]),
    /// A row of the table that can't be read now, or that nobody sees any more.
    Unread,
    /// Packed codes, and the residual if the codec has one: a record of [`Meta::shape`] without its header.
    Payload {
        /// The packed codes.
        codes: &'a [u8],
        /// The residual.
        residual: Option<&'a [u8]>,
        /// How the row's floats lie to them ([`Fit::to_bytes`](crate::Fit::to_bytes)); empty in an index over records.
        fit: &'a [u8],
    },
}

/// What an index holds.
#[derive(Clone, Copy, Default, PartialEq, Debug)]
pub struct Contents {
    /// Rows with slots.
    pub rows: u64,
    /// Slots that are free: of dead rows, or left over in the last page.
    pub free_slots: u64,
    /// Rows that are kept whole.
    pub others: u64,
    /// NULLs.
    pub nulls: u64,
    /// Pages of slots.
    pub slot_pages: u32,
    /// Those among them whose slots were made with an older centre.
    pub old_slot_pages: u32,
    /// How unevenly rows are divided into lists: how many times as many rows lie in the list of a row, on average, as if they were divided
    /// evenly. `None` if the index is flat, or has no rows with slots.
    pub imbalance: Option<f64>,
}

/// Receives what a check finds.
pub trait Checker {
    /// An error of the receiver's, or of the index.
    type Error: From<IndexError>;

    /// A row.
    ///
    /// # Errors
    /// Its own.
    fn row(&mut self, tid: Tid, kept: Kept<'_>) -> Result<(), Self::Error>;

    /// A fault of a page.
    ///
    /// # Errors
    /// Its own.
    fn fault(&mut self, block: u32, problem: &'static str) -> Result<(), Self::Error>;
}

/// Counts what an index holds, without looking at codes.
///
/// # Errors
/// [`IndexError::Damaged`].
pub fn contents<P: Pages>(pages: &P) -> Result<Contents, IndexError> {
    let session = Session::new(pages)?;
    let mut contents = Contents::default();
    let map = match session.meta.lists {
        Some(_) => Some(session.list_map(pages)?),
        None => None,
    };
    let mut of_lists = tq_memory::filled(session.meta.lists() as usize, 0u64)?;
    for_each_page(pages, &session, |kind, (start, page)| match kind {
        Kind::Slots => {
            let (layout, before) = (session.layout(pages)?, contents.rows);
            count_slots(pages, &session.meta, &layout, start + page, &mut contents)?;
            let extent = session.meta.place.and_then(|place| place.place(start));
            if let (Some(map), Some((extent, _))) = (&map, extent)
                && let Some(list) = map.list_of(extent)
            {
                of_lists[list as usize] += contents.rows - before;
            }
            Ok::<_, IndexError>(())
        }
        _ => {
            let mut others = OthersPage::default();
            if others.read(pages, start + page)? {
                for entry in others.entries() {
                    match entry?.record {
                        Some(_) => contents.others += 1,
                        None => contents.nulls += 1,
                    }
                }
            }
            Ok(())
        }
    })?;
    if contents.rows > 0 && map.is_some() {
        let squares = of_lists.iter().map(|rows| (*rows as f64).powi(2)).sum::<f64>();
        contents.imbalance = Some(squares * of_lists.len() as f64 / (contents.rows as f64).powi(2));
    }
    Ok(contents)
}

fn count_slots<P: Pages>(
    pages: &P,
    meta: &Meta,
    layout: &RowLayout,
    block: u32,
    contents: &mut Contents,
) -> Result<(), IndexError> {
    pages.read(block, |page| {
        if page.is_new() {
            return Ok(());
        }
        let number = layout::expect(block, page, Kind::Slots)?;
        let live = page.content.chunks_exact(layout.slot_bytes).filter(|slot| slot::is_live(slot)).count();
        contents.rows += live as u64;
        contents.free_slots += layout.slots.saturating_sub(live) as u64;
        contents.slot_pages += 1;
        contents.old_slot_pages += u32::from(number != meta.centre);
        Ok(())
    })
}

/// Calls `visit` for each page of slots and of other rows, with the first block of its extent and its number there.
fn for_each_page<P: Pages, E: From<IndexError>>(
    pages: &P,
    session: &Session,
    mut visit: impl FnMut(Kind, (u32, u32)) -> Result<(), E>,
) -> Result<(), E> {
    for extent in 0..session.meta.extents {
        let start = session.meta.extent_start(extent)?;
        let (kind, count) = match pages.read(start, |page| layout::kind_of(start, page))? {
            Some((Kind::Slots, _)) => (Kind::Slots, session.layout(pages)?.slot_pages),
            Some((Kind::Others, _)) => (Kind::Others, session.meta.place.map_or(0, |place| place.blocks)),
            Some(_) => return Err(damaged(start, "an extent begins with a page of another kind").into()),
            None => return Err(damaged(start, "an extent begins with an empty page").into()),
        };
        for page in 0..count {
            pages.poll();
            visit(kind, (start, page))?;
        }
    }
    Ok(())
}

/// Checks all of an index, and hands over each row. `codec` is that of [`Meta::shape`], if it is known: slots are made anew with it,
/// and must be the same to the bit.
///
/// Rows that come and go meanwhile may or may not be seen.
///
/// # Errors
/// Those of `checker`; [`IndexError`] where nothing can be looked at any more. Damage of single pages is a fault.
pub fn check<P: Pages, C: Checker>(
    pages: &P,
    codec: Option<&Codec>,
    checker: &mut C,
) -> Result<(), C::Error> {
    let mut session = Session::new(pages)?;
    let codec = codec.filter(|codec| session.meta.shape == Some(codec.record_shape()));
    let mut slot_pages = 0;
    let mut plan = Session::new(pages)?;
    if plan.meta.lists.is_some() {
        check_lists(pages, &mut plan, checker)?;
    }
    for_each_page(pages, &plan, |kind, (start, page)| {
        let checked = match kind {
            Kind::Slots => {
                let mut page =
                    SlotPage { start, page, layout: plan.layout(pages)?, slots: Vec::new(), number: 0 };
                page.check(pages, &mut session, codec, checker).map(|there| slot_pages += u32::from(there))
            }
            _ => check_others(pages, start + page, checker),
        };
        match checked {
            Err(Stop::Index(IndexError::Damaged { block, problem })) => checker.fault(block, problem),
            Err(Stop::Index(error)) => Err(error.into()),
            Err(Stop::Checker(error)) => Err(error),
            Ok(()) => Ok(()),
        }
    })?;
    // With lists, it is how many there may be.
    if plan.meta.lists.is_none() && slot_pages < plan.meta.slot_pages {
        checker.fault(0, "there are fewer pages of slots than the meta page says")?;
    }
    Ok(())
}

/// Why a page's check ended early.
enum Stop<E> {
    Index(IndexError),
    Checker(E),
}

impl<E> From<IndexError> for Stop<E> {
    fn from(error: IndexError) -> Self {
        Stop::Index(error)
    }
}

fn check_others<P: Pages, C: Checker>(pages: &P, block: u32, checker: &mut C) -> Result<(), Stop<C::Error>> {
    let mut others = OthersPage::default();
    if others.read(pages, block)? {
        for entry in others.entries() {
            let entry = entry?;
            let kept = entry.record.map_or(Kept::Null, Kept::Record);
            checker.row(entry.tid, kept).map_err(Stop::Checker)?;
        }
    }
    Ok(())
}

/// A slot that is made again, for comparison.
struct MadeAgain {
    rotated: Vec<f32>,
    slot: Vec<u8>,
    centre: Arc<Centre>,
}

impl MadeAgain {
    /// What is wrong with a slot whose row of codes is `row`.
    fn fault_of(
        &mut self,
        layout: &RowLayout,
        slot: &[u8],
        row: &[u8],
        codec: Option<&Codec>,
    ) -> Option<&'static str> {
        if row[..CODE_HEAD] != slot[..CODE_HEAD] {
            return Some("a slot with another row's codes");
        }
        let in_table = layout.code_bytes == 0;
        if in_table && slot::unread(slot::numbers(slot).1).is_some() {
            return None;
        }
        layout.decode(codec?, row, &mut self.rotated);
        slot::fill(&mut self.slot, Tid::from_bytes(row), &self.rotated, &self.centre);
        if self.slot[SLOT_HEAD..] != slot[SLOT_HEAD..] {
            Some("a slot whose bits aren't those of its codes")
        } else if self.slot != slot {
            Some("a slot whose numbers aren't those of its codes")
        } else {
            None
        }
    }
}

/// A page of slots that is checked.
struct SlotPage {
    start: u32,
    page: u32,
    layout: RowLayout,
    slots: Vec<u8>,
    number: u32,
}

impl SlotPage {
    /// Copies the page; `false` if it isn't there yet.
    fn read<P: Pages>(&mut self, pages: &P) -> Result<bool, IndexError> {
        let block = self.start + self.page;
        pages.read(block, |page| {
            if page.is_new() {
                return Ok(false);
            }
            self.number = layout::expect(block, page, Kind::Slots)?;
            let (bytes, most) = (self.layout.slot_bytes, self.layout.slots * self.layout.slot_bytes);
            if page.content.len() > most || !page.content.len().is_multiple_of(bytes) {
                return Err(damaged(block, "the page ends in the middle of a slot"));
            }
            self.slots.clear();
            self.slots.try_extend(page.content)?;
            Ok(true)
        })
    }

    /// Whether a slot is as it was.
    fn is_unchanged<P: Pages>(&self, pages: &P, at: usize) -> bool {
        let bytes = at * self.layout.slot_bytes..(at + 1) * self.layout.slot_bytes;
        pages.read(self.start + self.page, |page| page.content.get(bytes.clone()) == self.slots.get(bytes))
    }

    fn check<P: Pages, C: Checker>(
        &mut self,
        pages: &P,
        session: &mut Session,
        codec: Option<&Codec>,
        checker: &mut C,
    ) -> Result<bool, Stop<C::Error>> {
        let (block, layout) = (self.start + self.page, self.layout);
        if !self.read(pages)? {
            return Ok(false);
        }
        let centre = session.centre(pages, block, self.number)?;
        let (mut row, mut room) = (Vec::new(), Vec::new());
        let mut made = MadeAgain {
            rotated: tq_memory::filled(layout.dimension, 0.0).map_err(IndexError::from)?,
            slot: tq_memory::filled(layout.slot_bytes, 0).map_err(IndexError::from)?,
            centre,
        };
        for (at, slot) in self.slots.chunks_exact(layout.slot_bytes).enumerate() {
            let Some(tid) = slot::tid(slot) else { continue };
            let place = (self.start, self.page, at);
            let read = codes::with_row(pages, &layout, place, Some(tid), &mut room, |codes| {
                row.clear();
                row.try_extend(codes).map_err(IndexError::from)
            })?;
            let (mut fault, mut kept) = (None, Kept::Unread);
            match read {
                Codes::Used(copied) => {
                    copied?;
                    let (codes, residual) = layout.payload(&row);
                    fault = made.fault_of(&layout, slot, &row, codec);
                    let fit = &row[row.len() - layout.fit_bytes()..];
                    kept = Kept::Payload { codes, residual, fit };
                }
                Codes::Other => fault = Some("a slot of a row that isn't of the index's codec"),
                Codes::NotNow | Codes::Gone => (),
            }
            match fault {
                // A row that has come in the meantime.
                Some(_) if !self.is_unchanged(pages, at) => (),
                Some(problem) => checker.fault(block, problem).map_err(Stop::Checker)?,
                None => checker.row(tid, kept).map_err(Stop::Checker)?,
            }
        }
        Ok(true)
    }
}
