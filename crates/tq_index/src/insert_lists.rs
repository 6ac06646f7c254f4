//! Adding a row to an index with lists: into the list whose centroid is nearest, where the directory says that its rows go.
//!
//! A page that is added becomes reachable, by page 0, the directory and the map, in the change that makes it.

use crate::error::{IndexError, damaged};
use crate::insert::Tried;
use crate::layout::{self, Kind, RowLayout, Tid};
use crate::list_pages::{self, Entry};
use crate::meta::Meta;
use crate::pages::{Change, Pages};
use crate::session::Session;
use tq_memory::Grow;

impl Session {
    /// Adds a row that `self.rotated` is decoded from.
    pub(crate) fn insert_into_list<P: Pages>(
        &mut self,
        pages: &P,
        layout: &RowLayout,
        tid: Tid,
        row: &[u8],
    ) -> Result<(), IndexError> {
        let lists = self.lists(pages)?;
        let mut room = std::mem::take(&mut self.distances);
        let list = lists.nearest(&self.meta, &self.rotated, &mut room);
        self.distances = room;
        let list = list?;
        self.targets.try_resize(self.meta.lists() as usize, 0)?;
        let mut full = None;
        loop {
            let block = match (self.targets.get(list as usize), full) {
                (Some(block), None) if *block != 0 => *block,
                _ => self.target_of(pages, layout, list, full)?,
            };
            full = None;
            match self.try_page(pages, layout, block, tid, row)? {
                Tried::Done => {
                    self.targets[list as usize] = block;
                    return Ok(());
                }
                Tried::Full => full = Some(block),
                Tried::Unknown(number) => {
                    self.centre(pages, block, number)?;
                    self.targets[list as usize] = block;
                }
            }
            pages.poll();
        }
    }

    /// The page that rows of a list go to; not `full`, which was found to be.
    fn target_of<P: Pages>(
        &mut self,
        pages: &P,
        layout: &RowLayout,
        list: u32,
        full: Option<u32>,
    ) -> Result<u32, IndexError> {
        loop {
            let entry = list_pages::read_entry(pages, &self.meta, list)?;
            if entry.target != 0 && Some(entry.target) != full {
                return Ok(entry.target);
            }
            let target = if entry.target == entry.last {
                self.new_page_of(pages, layout, list, entry)?
            } else {
                let next = self.next_with_room(pages, layout, list, entry)?;
                self.set_target(pages, list, entry, Entry { target: next, ..entry })?.then_some(next)
            };
            if let Some(target) = target {
                return Ok(target);
            }
            pages.poll();
        }
    }

    /// The next page of a list after its target that has free slots, or its last one.
    fn next_with_room<P: Pages>(
        &mut self,
        pages: &P,
        layout: &RowLayout,
        list: u32,
        entry: Entry,
    ) -> Result<u32, IndexError> {
        self.refresh(pages)?;
        let lists = self.lists(pages)?;
        for extent in lists.map.extents(list) {
            let start = self.meta.extent_start(*extent)?;
            for block in start..start + layout.slot_pages {
                if block >= entry.last {
                    return Ok(entry.last);
                }
                if block > entry.target && self.may_have_room(pages, layout, block) {
                    return Ok(block);
                }
                pages.poll();
            }
        }
        Ok(entry.last)
    }

    /// Changes what the directory says of a list; `false` if that isn't `before` any more.
    fn set_target<P: Pages>(
        &self,
        pages: &P,
        list: u32,
        before: Entry,
        after: Entry,
    ) -> Result<bool, IndexError> {
        let place = list_pages::entry_place(&self.meta, pages.room(), list)?;
        let mut change = pages.change();
        let page = change.lock(place.0);
        if list_pages::entry_in(&self.meta, place, change.view(page))? != before {
            change.abandon();
            return Ok(false);
        }
        change.edit(page, |page| page.write(place.1, &list_pages::entry_bytes(after)));
        change.commit()?;
        Ok(true)
    }

    /// Adds a page of slots to a list; `None` if the directory doesn't say `before` of it any more.
    fn new_page_of<P: Pages>(
        &mut self,
        pages: &P,
        layout: &RowLayout,
        list: u32,
        before: Entry,
    ) -> Result<Option<u32>, IndexError> {
        let place = list_pages::entry_place(&self.meta, pages.room(), list)?;
        let here = self.meta.place.and_then(|place| place.place(before.last)).filter(|_| before.last != 0);
        let behind = here.filter(|(_, page)| page + 1 < layout.slot_pages).map(|_| before.last + 1);
        let mut change = pages.change();
        let meta = match behind {
            Some(_) => None,
            None => Some(Meta::lock(pages, &mut change)?),
        };
        let directory = change.lock(place.0);
        if list_pages::entry_in(&self.meta, place, change.view(directory))? != before {
            change.abandon();
            return Ok(None);
        }
        let block = match (behind, meta) {
            (Some(block), _) => block,
            (None, Some((meta_page, mut meta))) => {
                let extent = meta.extents;
                let start = meta.add_extent(pages.room())?;
                meta.slot_pages = meta.slot_pages.saturating_add(layout.slot_pages);
                meta.write(&mut change, meta_page);
                list_pages::write_map(&mut change, &meta, extent, list + 1);
                self.meta = meta;
                start
            }
            (None, None) => return Err(IndexError::Full),
        };
        let after = list_pages::entry_bytes(Entry { last: block, target: block });
        change.edit(directory, |page| page.write(place.1, &after));
        let page = change.lock(block);
        if !change.view(page).is_new() {
            change.abandon();
            return Err(damaged(block, "a page that a list should get next isn't empty"));
        }
        let centre = self.meta.centre;
        change.edit(page, |page| *page.special = layout::special(Kind::Slots, centre));
        change.commit()?;
        Ok(Some(block))
    }
}
