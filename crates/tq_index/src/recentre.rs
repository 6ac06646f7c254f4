//! New centres for an index that has grown, and old pages' slots made anew by them.

use tq_codec::Codec;

use crate::centre::{Centre, MeanSum};
use crate::codes::{self, Codes};
use crate::error::{IndexError, damaged};
use crate::layout::{self, Kind, RowLayout, Tid};
use crate::meta::{ALL_REMADE, Meta};
use crate::pages::{Change, Pages};
use crate::session::{Session, is_codec_of};
use crate::slot;
use tq_memory::Grow;

/// Rows that a mean needs: of a fifth as many, a tenth more rows come to be measured in a search of debian-e5.
pub const SAMPLE_ROWS: usize = 16_384;

/// Extents that are remade for each page that is added: all are long before the next centre is due, without haste.
pub(crate) const EXTENTS_A_PAGE: usize = 2;

/// The number of slot pages beyond which a new centre is due when the last was taken at `slot_pages`: a quarter more.
///
/// Rows that come sorted drift away from the mean of those before. Doubling lets a fifth more rows be measured on debian-e5, a quarter
/// a few in a hundred; and a row is remade four times as often as it is inserted, for some microseconds in all.
pub(crate) fn next_after(slot_pages: u32) -> u32 {
    slot_pages.saturating_add(slot_pages / 4).max(1)
}

/// Pages from which rows are taken for a mean: rows that arrived together may resemble one another.
const SAMPLED_PAGES: usize = 1024;

/// The extents of rows among an index's.
pub(crate) fn row_extents<P: Pages>(pages: &P, meta: &Meta) -> Result<Vec<u32>, IndexError> {
    let mut found = Vec::new();
    for extent in 0..meta.extents {
        pages.poll();
        let start = meta.extent_start(extent)?;
        if let Some((Kind::Slots, _)) = pages.read(start, |page| layout::kind_of(start, page))? {
            found.try_push(extent)?;
        }
    }
    Ok(found)
}

/// Slots of a page that have rows.
fn live_slots<P: Pages>(pages: &P, layout: &RowLayout, block: u32) -> Result<Vec<usize>, IndexError> {
    pages.read(block, |page| {
        if layout::kind_of(block, page)?.is_none() {
            return Ok(Vec::new());
        }
        layout::expect(block, page, Kind::Slots)?;
        let slots = page.content.chunks_exact(layout.slot_bytes).enumerate();
        Ok(tq_memory::collected(slots.filter(|(_, slot)| slot::is_live(slot)).map(|(at, _)| at))?)
    })
}

/// Takes the mean of a sample of all rows for the new centre, which the next pages are made with.
pub(crate) fn take_new_centre<P: Pages>(
    pages: &P,
    session: &mut Session,
    layout: &RowLayout,
    codec: &Codec,
) -> Result<(), IndexError> {
    let old = session.meta.centre;
    let Some(centre) = mean_of_rows(pages, &session.meta, layout, codec, old + 1)? else {
        return Ok(());
    };
    let mut change = pages.change();
    let (page, mut meta) = Meta::lock(pages, &mut change)?;
    if meta.centre != old || meta.remade != ALL_REMADE {
        change.abandon();
        session.meta = meta;
        return Ok(());
    }
    // Its area is that of the centre before the last, which no page needs any more: all were remade.
    centre.write(pages)?;
    meta.centre = centre.number();
    meta.remade = 0;
    meta.write(&mut change, page);
    change.commit()?;
    session.meta = meta;
    session.centres.add(centre);
    Ok(())
}

/// The mean of some thousand rows, from as many places as can be.
fn mean_of_rows<P: Pages>(
    pages: &P,
    meta: &Meta,
    layout: &RowLayout,
    codec: &Codec,
    number: u32,
) -> Result<Option<Centre>, IndexError> {
    let mut mean = MeanSum::default();
    for_sampled_rows(pages, meta, layout, codec, SAMPLE_ROWS, |rotated| mean.add(rotated))?;
    mean.centre(number)
}

/// The pages of slots that there are, by extent and number in it.
fn used_pages<P: Pages>(
    pages: &P,
    meta: &Meta,
    layout: &RowLayout,
    extents: &[u32],
) -> Result<Vec<(u32, u32)>, IndexError> {
    let mut used = Vec::new();
    for extent in extents {
        pages.poll();
        let start = meta.extent_start(*extent)?;
        for page in 0..layout.slot_pages {
            if pages.read(start + page, |view| !view.is_new()) {
                used.try_push((*extent, page))?;
            }
        }
    }
    Ok(used)
}

/// Decodes about `count` rows from all over an index, in rotated space.
fn for_sampled_rows<P: Pages>(
    pages: &P,
    meta: &Meta,
    layout: &RowLayout,
    codec: &Codec,
    count: usize,
    mut visit: impl FnMut(&[f32]) -> Result<(), IndexError>,
) -> Result<(), IndexError> {
    let extents = row_extents(pages, meta)?;
    let of_lists = if meta.lists.is_some() { used_pages(pages, meta, layout, &extents)? } else { Vec::new() };
    // Without lists, extents are filled one after another, so that only the last may have pages to come.
    let total = match meta.lists {
        Some(_) => of_lists.len(),
        None => (extents.len() * layout.slot_pages as usize).min(meta.slot_pages as usize),
    };
    let taken = total.min(SAMPLED_PAGES).min(count);
    let (mut rotated, mut room) = (tq_memory::filled(layout.dimension, 0.0)?, Vec::new());
    for i in 0..taken {
        pages.poll();
        let ordinal = i * total / taken;
        let slot_pages = layout.slot_pages as usize;
        let (extent, page) = match of_lists.get(ordinal) {
            Some(place) => *place,
            None => (extents[ordinal / slot_pages], (ordinal % slot_pages) as u32),
        };
        let start = meta.extent_start(extent)?;
        let slots = live_slots(pages, layout, start + page)?;
        let step = slots.len().div_ceil((count / taken).max(1)).max(1);
        for slot in slots.into_iter().step_by(step) {
            let decoded = codes::with_row(pages, layout, (start, page, slot), None, &mut room, |row| {
                layout.decode(codec, row, &mut rotated);
            })?;
            if decoded.used().is_some() {
                visit(&rotated)?;
            }
        }
    }
    Ok(())
}

/// About `count` rows from all over an index, decoded and rotated: queries like its rows. `codec` is that of [`Meta::shape`].
///
/// # Errors
/// [`IndexError::Damaged`], [`IndexError::Memory`].
pub fn sample_rows<P: Pages>(
    pages: &P,
    session: &Session,
    codec: &Codec,
    count: usize,
) -> Result<Vec<Vec<f32>>, IndexError> {
    let mut rows = Vec::new();
    if !is_codec_of(&session.meta, codec) {
        return Ok(rows);
    }
    let layout = session.layout(pages)?;
    for_sampled_rows(pages, &session.meta, &layout, codec, count, |rotated| {
        if rows.len() < count {
            rows.try_push(tq_memory::copied(rotated)?)?;
        }
        Ok(())
    })?;
    Ok(rows)
}

/// Makes the slots of the next extent anew that may still be of an older centre.
pub(crate) fn remake_an_extent<P: Pages>(
    pages: &P,
    session: &mut Session,
    layout: &RowLayout,
    codec: &Codec,
) -> Result<(), IndexError> {
    let (extent, newest) = (session.meta.remade, session.meta.centre);
    if extent < session.meta.extents {
        let start = session.meta.extent_start(extent)?;
        if let Some((Kind::Slots, _)) = pages.read(start, |page| layout::kind_of(start, page))? {
            let centre = session.centre(pages, 0, newest)?;
            for page in 0..layout.slot_pages {
                pages.poll();
                remake_page(pages, layout, codec, &centre, (start, page))?;
            }
        }
    }
    let mut change = pages.change();
    let (page, mut meta) = Meta::lock(pages, &mut change)?;
    if meta.remade == extent && meta.centre == newest {
        // Pages that were added since the centre was taken are of it.
        meta.remade = if extent + 1 < meta.extents { extent + 1 } else { ALL_REMADE };
        meta.write(&mut change, page);
        change.commit()?;
    } else {
        change.abandon();
    }
    session.meta = meta;
    Ok(())
}

/// Makes a page's slots anew, from their codes. Rows that come and go meanwhile have it done again: it isn't held while they are read.
fn remake_page<P: Pages>(
    pages: &P,
    layout: &RowLayout,
    codec: &Codec,
    centre: &Centre,
    place: (u32, u32),
) -> Result<(), IndexError> {
    let block = place.0 + place.1;
    let mut remade = Remade::default();
    loop {
        remade.before.clear();
        let is_old = pages.read(block, |view| {
            if view.is_new() || layout::expect(block, view, Kind::Slots)? == centre.number() {
                return Ok(false);
            }
            remade.before.try_extend(view.content)?;
            Ok::<_, IndexError>(true)
        })?;
        if !is_old {
            return Ok(());
        }
        let fault = remade.make(pages, layout, codec, centre, place)?;
        let mut change = pages.change();
        let page = change.lock(block);
        let view = change.view(page);
        layout::expect(block, view, Kind::Slots)?;
        if view.content != remade.before {
            change.abandon();
            continue;
        }
        if let Some(problem) = fault {
            change.abandon();
            return Err(damaged(block, problem));
        }
        change.edit(page, |page| {
            *page.special = layout::special(Kind::Slots, centre.number());
            page.write(0, &remade.after);
        });
        return change.commit();
    }
}

/// The slots of a page, before and after they are made anew.
#[derive(Default)]
struct Remade {
    before: Vec<u8>,
    after: Vec<u8>,
    rotated: Vec<f32>,
    room: Vec<u8>,
}

impl Remade {
    /// Makes the slots anew; returns what is wrong, if the page hasn't changed since.
    fn make<P: Pages>(
        &mut self,
        pages: &P,
        layout: &RowLayout,
        codec: &Codec,
        centre: &Centre,
        (start, page): (u32, u32),
    ) -> Result<Option<&'static str>, IndexError> {
        self.after.clear();
        self.after.try_extend(&self.before)?;
        self.rotated.try_resize(layout.dimension, 0.0)?;
        let mut fault = None;
        for (at, slot) in self.after.chunks_exact_mut(layout.slot_bytes).enumerate() {
            let Some(tid) = slot::tid(slot) else { continue };
            let rotated = &mut self.rotated;
            let owner =
                codes::with_row(pages, layout, (start, page, at), Some(tid), &mut self.room, |row| {
                    layout.decode(codec, row, rotated);
                    Tid::from_bytes(row)
                })?;
            match owner {
                Codes::Used(owner) if owner == tid => slot::fill(slot, tid, rotated, centre),
                Codes::Used(_) => fault = Some("a slot with another row's codes"),
                Codes::Other => fault = Some("a slot of a row that isn't of the index's codec"),
                Codes::NotNow => slot::fill_unread(slot, false),
                Codes::Gone => slot::fill_unread(slot, true),
            }
        }
        Ok(fault)
    }
}
