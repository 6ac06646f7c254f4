//! Adding a row, and letting an index that is filled by inserts grow up.
//!
//! A row's codes are written before its slot, or with it: after a crash, codes without a slot are nothing, and a slot has its codes.
//! Sessions that insert at once meet at one page, for the time that it takes to copy a slot.

use std::sync::Arc;

use tq_codec::Codec;
use tq_format::RecordShape;
use tq_memory::Grow;

use crate::codes;
use crate::error::{IndexError, damaged};
use crate::fit;
use crate::layout::{self, Kind, Refine, RowLayout, Tid};
use crate::meta::{ALL_REMADE, Meta};
use crate::others;
use crate::pages::{Change, Pages};
use crate::recentre;
use crate::session::{Session, is_codec_of};
use crate::slot;
use crate::value::Value;

/// Pages from the storage's list of those with room that are tried before a new one is made.
const TRIES: usize = 8;

/// What came of trying to put a row into a page.
pub(crate) enum Tried {
    Done,
    Full,
    /// Its slots are of a centre that the session hasn't read.
    Unknown(u32),
}

impl Session {
    /// Adds a row: its value, and the codec of the value's record if that is known; or NULL.
    ///
    /// Any record is taken. One that isn't of the index's codec is kept whole; the first whose codec is known decides which that is.
    /// An index over floats takes floats alone, any other records.
    ///
    /// # Errors
    /// [`IndexError::Damaged`], [`IndexError::Full`], [`IndexError::Memory`].
    pub fn insert<P: Pages>(
        &mut self,
        pages: &P,
        tid: Tid,
        value: Option<Value<'_>>,
        codec: Option<&Arc<Codec>>,
    ) -> Result<(), IndexError> {
        let Some(value) = value else {
            return others::add(pages, &mut self.meta, tid, None);
        };
        if let Some(record) = &value.record
            && let Some(codec) = codec.filter(|codec| codec.check_shape(&record.shape()).is_ok())
        {
            if self.meta.shape.is_none() {
                self.adopt(pages, &codec.record_shape())?;
            }
            self.rotated.clear();
            self.rotated.try_resize(record.dimension() as usize, 0.0)?;
            fit::decode(codec, (record.codes(), record.residual()), value.fit, &mut self.rotated);
            let is_own = is_codec_of(&self.meta, codec)
                && value.fit.is_some() == (self.meta.definition.refine == Refine::Floats);
            if is_own && slot::is_moderate(&self.rotated) {
                let mut row = std::mem::take(&mut self.row);
                let added = codes::row_of(tid, record, value.fit, &mut row)
                    .and_then(|()| self.insert_row(pages, codec, tid, &row));
                self.row = row;
                return added;
            }
        }
        others::add(pages, &mut self.meta, tid, Some(value.whole))
    }

    /// Makes this shape the index's, unless there is one by now.
    fn adopt<P: Pages>(&mut self, pages: &P, shape: &RecordShape) -> Result<(), IndexError> {
        let mut change = pages.change();
        let (page, mut meta) = Meta::lock(pages, &mut change)?;
        if meta.shape.is_none() && meta.adopt(shape, pages.room()) {
            meta.write(&mut change, page);
            change.commit()?;
        } else {
            change.abandon();
        }
        self.meta = meta;
        Ok(())
    }

    /// Adds a row that `self.rotated` is decoded from.
    fn insert_row<P: Pages>(
        &mut self,
        pages: &P,
        codec: &Arc<Codec>,
        tid: Tid,
        row: &[u8],
    ) -> Result<(), IndexError> {
        let layout = self.layout(pages)?;
        if self.meta.lists.is_some() {
            return self.insert_into_list(pages, &layout, tid, row);
        }
        loop {
            let block = match self.target {
                Some(block) => block,
                None => self.find_target(pages, &layout, codec)?,
            };
            match self.try_page(pages, &layout, block, tid, row)? {
                Tried::Done => {
                    self.target = Some(block);
                    return Ok(());
                }
                Tried::Full => {
                    if block == self.meta.tail {
                        self.full = Some(block);
                    } else {
                        pages.set_room(block, false);
                    }
                    self.target = None;
                }
                Tried::Unknown(number) => {
                    self.centre(pages, block, number)?;
                    self.target = Some(block);
                }
            }
        }
    }

    /// Puts the row into a page of slots, if it has room.
    pub(crate) fn try_page<P: Pages>(
        &self,
        pages: &P,
        layout: &RowLayout,
        block: u32,
        tid: Tid,
        row: &[u8],
    ) -> Result<Tried, IndexError> {
        let place = self.meta.place.and_then(|place| place.place(block));
        let (extent, page_of_extent) = place.ok_or(damaged(block, "rows outside of the extents"))?;
        let start = self.meta.extent_start(extent)?;
        let mut change = pages.change();
        let page = change.lock(block);
        let view = change.view(page);
        let number = layout::expect(block, view, Kind::Slots)?;
        let bytes = layout.slot_bytes;
        let used = view.content.len() / bytes;
        let at = match view.content.chunks_exact(bytes).position(|slot| !slot::is_live(slot)) {
            Some(free) => free,
            None if used < layout.slots => used,
            None => {
                change.abandon();
                return Ok(Tried::Full);
            }
        };
        let Some(centre) = self.centres.get(number) else {
            change.abandon();
            return Ok(Tried::Unknown(number));
        };
        codes::write_row(pages, &mut change, layout, (start, page_of_extent, at), row)?;
        change.edit(page, |page| {
            page.len = page.len.max((at + 1) * bytes);
            slot::fill(&mut page.room[at * bytes..(at + 1) * bytes], tid, &self.rotated, centre);
        });
        change.commit()?;
        Ok(Tried::Done)
    }

    /// A page of slots that may have room.
    fn find_target<P: Pages>(
        &mut self,
        pages: &P,
        layout: &RowLayout,
        codec: &Arc<Codec>,
    ) -> Result<u32, IndexError> {
        self.refresh(pages)?;
        if self.meta.tail != 0 && self.full != Some(self.meta.tail) {
            return Ok(self.meta.tail);
        }
        for _ in 0..TRIES {
            let Some(block) = pages.page_with_room() else { break };
            if self.may_have_room(pages, layout, block) {
                return Ok(block);
            }
            pages.set_room(block, false);
        }
        self.new_page(pages, layout, codec)
    }

    /// Whether a page that the storage remembers is one of slots with a free one: it may have forgotten what came after.
    pub(crate) fn may_have_room<P: Pages>(&self, pages: &P, layout: &RowLayout, block: u32) -> bool {
        let place = self.meta.place.and_then(|place| place.place(block));
        let within = place.is_some_and(|(extent, at)| extent < self.meta.extents && at < layout.slot_pages);
        within
            && pages.read(block, |page| {
                let slots = matches!(layout::kind_of(block, page), Ok(Some((Kind::Slots, _))));
                let mut used = page.content.chunks_exact(layout.slot_bytes);
                slots && (used.len() < layout.slots || used.any(|slot| !slot::is_live(slot)))
            })
    }

    /// Adds a page of slots, unless another session has, and sees to the centre that may be due.
    fn new_page<P: Pages>(
        &mut self,
        pages: &P,
        layout: &RowLayout,
        codec: &Arc<Codec>,
    ) -> Result<u32, IndexError> {
        let mut change = pages.change();
        let (meta_page, mut meta) = Meta::lock(pages, &mut change)?;
        if meta.tail != 0 && self.full != Some(meta.tail) {
            change.abandon();
            self.meta = meta;
            return Ok(self.meta.tail);
        }
        let here = meta.place.and_then(|place| place.place(meta.tail));
        let block = match here {
            Some((_, at)) if meta.tail != 0 && at + 1 < layout.slot_pages => meta.tail + 1,
            _ => meta.add_extent(pages.room())?,
        };
        meta.tail = block;
        meta.slot_pages = meta.slot_pages.saturating_add(1);
        let due = meta.remade == ALL_REMADE && meta.slot_pages > meta.next_centre_at;
        if due {
            meta.next_centre_at = recentre::next_after(meta.slot_pages);
        }
        meta.write(&mut change, meta_page);
        let page = change.lock(block);
        change.edit(page, |page| {
            *page.special = layout::special(Kind::Slots, meta.centre);
            page.len = 0;
        });
        change.commit()?;
        self.meta = meta;
        if due {
            recentre::take_new_centre(pages, self, layout, codec)?;
        }
        for _ in 0..recentre::EXTENTS_A_PAGE {
            if self.meta.remade != ALL_REMADE {
                recentre::remake_an_extent(pages, self, layout, codec)?;
            }
        }
        Ok(block)
    }
}
