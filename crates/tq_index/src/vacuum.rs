//! Freeing the slots of rows that have died, and counting those that live.
//!
//! Every page is read; only pages with dead rows are changed. Nothing moves: a search that is under way finds each slot where it was.
//! A freed slot is filled again by an insert; the codes of the dead row stay until then, and nobody asks for them.

use crate::error::IndexError;
use crate::layout::{self, Kind, RowLayout, Tid};
use crate::list_pages::{self, Entry};
use crate::meta::Meta;
use crate::others::{DEAD, OthersPage, STATE_AT};
use crate::pages::{Change, Pages};
use crate::session::Session;
use crate::slot;
use tq_memory::Grow;

/// What a vacuum has found.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Vacuumed {
    /// Rows that were removed.
    pub removed: u64,
    /// Rows that are left.
    pub live: u64,
    /// Pages with room for rows, dead rows' or never used.
    pub pages_with_room: u64,
}

/// Removes the rows for which `is_dead`, and counts the others. `is_dead` is called while a page is held.
///
/// # Errors
/// [`IndexError::Damaged`], [`IndexError::Memory`].
pub fn vacuum<P: Pages>(pages: &P, is_dead: &mut dyn FnMut(Tid) -> bool) -> Result<Vacuumed, IndexError> {
    let session = Session::new(pages)?;
    let map = match session.meta.lists {
        Some(_) => Some(session.list_map(pages)?),
        None => None,
    };
    let meta = session.meta();
    // Of each list, the first page in which slots were freed.
    let mut freed = tq_memory::filled(meta.lists() as usize, 0)?;
    let mut counts = Vacuumed::default();
    for extent in 0..meta.extents {
        pages.poll();
        let start = meta.extent_start(extent)?;
        match pages.read(start, |page| layout::kind_of(start, page))? {
            Some((Kind::Slots, _)) => {
                let layout = session.layout(pages)?;
                for page in 0..layout.slot_pages {
                    pages.poll();
                    let block = start + page;
                    let has_room = vacuum_slots(pages, &layout, block, is_dead, &mut counts)?;
                    match map.as_ref().map(|map| map.list_of(extent)) {
                        Some(Some(list)) if has_room == Room::Freed && freed[list as usize] == 0 => {
                            freed[list as usize] = block;
                        }
                        None if has_room != Room::None => pages.set_room(block, true),
                        _ => (),
                    }
                }
            }
            Some((Kind::Others, _)) => {
                for page in 0..meta.place.map_or(0, |place| place.blocks) {
                    pages.poll();
                    vacuum_others(pages, start + page, is_dead, &mut counts)?;
                }
            }
            _ => (),
        }
    }
    for (list, block) in (0..).zip(freed).filter(|(_, block)| *block != 0) {
        pages.poll();
        fill_from(pages, meta, list, block)?;
    }
    Ok(counts)
}

/// Has the rows of a list go to a page, unless they go to one before it.
fn fill_from<P: Pages>(pages: &P, meta: &Meta, list: u32, block: u32) -> Result<(), IndexError> {
    let place = list_pages::entry_place(meta, pages.room(), list)?;
    let mut change = pages.change();
    let page = change.lock(place.0);
    let entry = list_pages::entry_in(meta, place, change.view(page))?;
    if block >= entry.target {
        change.abandon();
        return Ok(());
    }
    let entry = list_pages::entry_bytes(Entry { target: block, ..entry });
    change.edit(page, |page| page.write(place.1, &entry));
    change.commit()
}

/// Whether a page of slots has room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Room {
    None,
    /// Since before.
    Some,
    /// Of rows that have just been removed.
    Freed,
}

fn vacuum_slots<P: Pages>(
    pages: &P,
    layout: &RowLayout,
    block: u32,
    is_dead: &mut dyn FnMut(Tid) -> bool,
    counts: &mut Vacuumed,
) -> Result<Room, IndexError> {
    let mut dead = Vec::new();
    let mut live = 0;
    let found = pages.read(block, |page| {
        if page.is_new() {
            return Ok(0);
        }
        layout::expect(block, page, Kind::Slots)?;
        let slots = page.content.chunks_exact(layout.slot_bytes);
        for (at, slot) in slots.clone().enumerate() {
            match slot::tid(slot) {
                Some(tid) if is_dead(tid) => dead.try_push((at, tid))?,
                Some(_) => live += 1,
                None => (),
            }
        }
        Ok::<_, IndexError>(slots.len())
    })?;
    counts.live += live;
    if !dead.is_empty() {
        let mut change = pages.change();
        let page = change.lock(block);
        layout::expect(block, change.view(page), Kind::Slots)?;
        change.edit(page, |page| {
            for (at, tid) in &dead {
                let slot = &mut page.room[at * layout.slot_bytes..][..layout.slot_bytes];
                // Nobody but a vacuum frees slots; one at a time runs.
                if slot::tid(slot) == Some(*tid) {
                    slot::free(slot);
                    counts.removed += 1;
                }
            }
        });
        change.commit()?;
    }
    if dead.is_empty() && found as u64 == live {
        return Ok(Room::None);
    }
    counts.pages_with_room += 1;
    Ok(if dead.is_empty() { Room::Some } else { Room::Freed })
}

fn vacuum_others<P: Pages>(
    pages: &P,
    block: u32,
    is_dead: &mut dyn FnMut(Tid) -> bool,
    counts: &mut Vacuumed,
) -> Result<(), IndexError> {
    let mut page = OthersPage::default();
    if !page.read(pages, block)? || page.is_empty() {
        return Ok(());
    }
    let mut dead = Vec::new();
    let mut live = 0;
    for entry in page.entries() {
        let entry = entry?;
        if is_dead(entry.tid) {
            dead.try_push(entry.at)?;
        } else {
            live += 1;
        }
    }
    counts.live += live;
    counts.removed += dead.len() as u64;
    let large = page.is_large();
    if live == 0 && !large && empty(pages, block, &dead)? {
        return Ok(());
    }
    if !dead.is_empty() {
        let mut change = pages.change();
        let page = change.lock(block);
        layout::expect(block, change.view(page), Kind::Others)?;
        change.edit(page, |page| dead.iter().for_each(|at| page.room[at + STATE_AT] = DEAD));
        change.commit()?;
    }
    Ok(())
}

/// Empties a page whose entries, `dead` among them, are all that it has, and links it into the list; `false` if more have come, or if
/// it is the tail, which goes on being filled.
fn empty<P: Pages>(pages: &P, block: u32, dead: &[usize]) -> Result<bool, IndexError> {
    let mut change = pages.change();
    let (meta_page, mut meta) = Meta::lock(pages, &mut change)?;
    let page = change.lock(block);
    let all = OthersPage::of(pages, block, change.view(page))?;
    let unchanged = all.live()?.iter().all(|at| dead.contains(at));
    if !unchanged || meta.others_tail == block {
        change.abandon();
        return Ok(false);
    }
    let next = std::mem::replace(&mut meta.others_free, block);
    meta.write(&mut change, meta_page);
    change.edit(page, |page| {
        *page.special = layout::special(Kind::Others, next);
        page.room[..page.len].fill(0);
        page.len = 0;
    });
    change.commit()?;
    Ok(true)
}
