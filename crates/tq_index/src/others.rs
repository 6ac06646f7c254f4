//! The other rows: NULLs, records of other codecs, and vectors that the first stage can't tell anything of.
//!
//! They are kept whole, in extents of their own, and every search measures each of them. An entry is
//!
//! ```text
//! 0  tid (6 bytes)   6  state: 0 dead, 1 NULL, 2 a record   7  zero   8  bytes of the record (u32)   12  the record
//! ```
//!
//! An entry that is larger than a page begins one, and goes on in the pages behind it, which hold nothing else. A page whose entries
//! have all died is emptied and linked into a list, by the number in its special space.

use crate::error::{IndexError, damaged};
use crate::layout::{self, Kind, Tid};
use crate::list_pages;
use crate::meta::Meta;
use crate::pages::{Change, PageView, Pages};
use tq_memory::Grow;

/// Bytes of an entry before the record.
pub(crate) const ENTRY_HEAD: usize = 12;

/// The least that an entry with a record takes.
pub(crate) const LEAST_RECORD_ENTRY: usize = ENTRY_HEAD + tq_format::RECORD_HEADER_LEN;

/// States of an entry.
pub(crate) const DEAD: u8 = 0;
const NULL: u8 = 1;
const RECORD: u8 = 2;

/// Where in an entry its state is.
pub(crate) const STATE_AT: usize = 6;

pub(crate) fn head(tid: Tid, record: Option<&[u8]>) -> [u8; ENTRY_HEAD] {
    let mut head = [0; ENTRY_HEAD];
    head[..6].copy_from_slice(&tid.to_bytes());
    head[STATE_AT] = if record.is_some() { RECORD } else { NULL };
    head[8..].copy_from_slice(&(record.map_or(0, <[u8]>::len) as u32).to_le_bytes());
    head
}

/// One entry.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    /// Where in its page it begins.
    pub(crate) at: usize,
    pub(crate) tid: Tid,
    /// `None` for NULL.
    pub(crate) record: Option<&'a [u8]>,
}

/// A copy of a page of others: entries are looked at when no page is held.
#[derive(Default, Debug)]
pub(crate) struct OthersPage {
    block: u32,
    content: Vec<u8>,
    room: usize,
}

impl OthersPage {
    /// Reads a page and, if its entry is larger than that, those behind it. `false` if no entry begins in it.
    pub(crate) fn read<P: Pages>(&mut self, pages: &P, block: u32) -> Result<bool, IndexError> {
        self.block = block;
        self.room = pages.room();
        self.content.clear();
        let begins = pages.read(block, |page| match layout::kind_of(block, page)? {
            Some((Kind::Others, _)) => {
                self.content.try_extend(page.content)?;
                Ok(true)
            }
            Some((Kind::OthersRest, _)) | None => Ok(false),
            Some(_) => Err(damaged(block, "a page of another kind among the other rows")),
        })?;
        if self.content.len() < self.room {
            return Ok(begins);
        }
        let first = self.content.first_chunk::<ENTRY_HEAD>();
        let len = first.map_or(0, |head| u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize);
        let end = len.saturating_add(ENTRY_HEAD);
        if end > self.room
            && end
                > ENTRY_HEAD
                    + tq_format::record_len(tq_format::BitWidth::Eight, tq_format::MAX_DIMENSION, true)
        {
            return Err(damaged(block, "an entry that is larger than any record"));
        }
        let mut next = block;
        while self.content.len() < end.max(self.room) {
            next = next.checked_add(1).ok_or(damaged(block, "an entry without an end"))?;
            pages.read(next, |page| {
                layout::expect(next, page, Kind::OthersRest)?;
                let wanted = self.room.min(end - self.content.len());
                let rest = page.content.get(..wanted).ok_or(damaged(next, "an entry's rest is too short"))?;
                self.content.try_extend(rest).map_err(IndexError::from)
            })?;
        }
        Ok(begins)
    }

    /// A copy of a page that is locked, without what stands behind it.
    pub(crate) fn of<P: Pages>(pages: &P, block: u32, view: PageView<'_>) -> Result<Self, IndexError> {
        layout::expect(block, view, Kind::Others)?;
        Ok(Self { block, content: tq_memory::copied(view.content)?, room: pages.room() })
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.content.is_empty()
    }

    /// Whether its entry goes on in the pages behind it.
    pub(crate) fn is_large(&self) -> bool {
        self.content.len() > self.room
    }

    /// Where the entries that live begin.
    pub(crate) fn live(&self) -> Result<Vec<usize>, IndexError> {
        let mut places = Vec::new();
        for entry in self.entries() {
            places.try_push(entry?.at)?;
        }
        Ok(places)
    }

    /// The entries that live.
    pub(crate) fn entries(&self) -> Entries<'_> {
        Entries { page: self, at: 0 }
    }
}

/// Iterates over the live entries of a page.
#[derive(Debug)]
pub(crate) struct Entries<'a> {
    page: &'a OthersPage,
    at: usize,
}

impl<'a> Iterator for Entries<'a> {
    type Item = Result<Entry<'a>, IndexError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let rest = self.page.content.get(self.at..).filter(|rest| !rest.is_empty())?;
            match parse(self.page.block, self.at, rest) {
                Ok((entry, bytes)) => {
                    self.at += bytes;
                    if let Some(entry) = entry {
                        return Some(Ok(entry));
                    }
                }
                Err(error) => {
                    self.at = usize::MAX;
                    return Some(Err(error));
                }
            }
        }
    }
}

/// The entry at the beginning of `rest`, unless it is dead, and its bytes.
fn parse(block: u32, at: usize, rest: &[u8]) -> Result<(Option<Entry<'_>>, usize), IndexError> {
    let head = rest.first_chunk::<ENTRY_HEAD>().ok_or(damaged(block, "an entry is cut off"))?;
    let len = u32::from_le_bytes([head[8], head[9], head[10], head[11]]) as usize;
    let record = rest[ENTRY_HEAD..].get(..len).ok_or(damaged(block, "a record is cut off"))?;
    let tid = Tid::from_bytes(head);
    let entry = match head[STATE_AT] {
        DEAD => None,
        NULL if len == 0 => Some(Entry { at, tid, record: None }),
        RECORD => Some(Entry { at, tid, record: Some(record) }),
        _ => return Err(damaged(block, "an entry in an unknown state")),
    };
    Ok((entry, ENTRY_HEAD + len))
}

/// Adds an entry. `meta` is what the caller knows, and is brought up to date when that matters.
pub(crate) fn add<P: Pages>(
    pages: &P,
    meta: &mut Meta,
    tid: Tid,
    record: Option<&[u8]>,
) -> Result<(), IndexError> {
    let (head, record) = (head(tid, record), record.unwrap_or_default());
    let bytes = ENTRY_HEAD + record.len();
    loop {
        let tail = meta.others_tail;
        if tail != 0 && bytes <= pages.room() {
            let mut change = pages.change();
            let page = change.lock(tail);
            let view = change.view(page);
            let at = view.content.len();
            let here = matches!(layout::kind_of(tail, view)?, Some((Kind::Others, 0)));
            if here && at > 0 && at + bytes <= pages.room() {
                change.edit(page, |page| {
                    page.write(at, &head);
                    page.write(at + ENTRY_HEAD, record);
                });
                return change.commit();
            }
            change.abandon();
        }
        let mut change = pages.change();
        let (meta_page, fresh) = Meta::lock(pages, &mut change)?;
        let moved = fresh.others_tail != tail;
        *meta = fresh;
        if moved && bytes <= pages.room() {
            change.abandon();
            continue;
        }
        let extents = meta.extents;
        let (start, next_free) = place_for(pages, meta, bytes.div_ceil(pages.room()) as u32)?;
        let (first, rest) = record.split_at(record.len().min(pages.room() - ENTRY_HEAD));
        let mut last = start;
        for piece in rest.chunks(pages.room()) {
            last += 1;
            let mut own = pages.change();
            let page = own.lock(last);
            own.edit(page, |page| {
                *page.special = layout::special(Kind::OthersRest, 0);
                page.len = 0;
                page.write(0, piece);
            });
            own.commit()?;
        }
        match next_free {
            Some(next) => meta.others_free = next,
            None => meta.others_end = last,
        }
        meta.others_tail = start;
        meta.write(&mut change, meta_page);
        if meta.extents > extents {
            list_pages::write_map(&mut change, meta, extents, list_pages::OTHERS);
        }
        let page = change.lock(start);
        change.edit(page, |page| {
            *page.special = layout::special(Kind::Others, 0);
            page.len = 0;
            page.write(0, &head);
            page.write(ENTRY_HEAD, first);
        });
        return change.commit();
    }
}

/// Where that many pages in a row are free: the first, and, if it is from the list of emptied ones, the next of these.
pub(crate) fn place_for<P: Pages>(
    pages: &P,
    meta: &mut Meta,
    count: u32,
) -> Result<(u32, Option<u32>), IndexError> {
    let free = meta.others_free;
    if count == 1 && free != 0 {
        let next = pages.read(free, |page| layout::expect(free, page, Kind::Others))?;
        return Ok((free, Some(next)));
    }
    let here = meta.place.and_then(|place| Some((place.blocks, place.place(meta.others_end)?.1)));
    match here {
        Some((blocks, at)) if count < blocks - at => Ok((meta.others_end + 1, None)),
        _ => {
            let start = meta.add_extent(pages.room())?;
            if meta.place.is_none_or(|place| count > place.blocks) {
                return Err(IndexError::Full);
            }
            Ok((start, None))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::layout::Refine;
    use crate::memory::MemoryPages;
    use crate::meta::Definition;
    use tq_codec::Metric;

    fn all(pages: &MemoryPages) -> Vec<(u32, Option<Vec<u8>>)> {
        let meta = Meta::read(pages).unwrap();
        let (mut found, mut page) = (Vec::new(), OthersPage::default());
        for extent in 0..meta.extents {
            let start = meta.extent_start(extent).unwrap();
            for block in start..start + meta.place.unwrap().blocks {
                if page.read(pages, block).unwrap() {
                    for entry in page.entries() {
                        let Entry { tid, record, .. } = entry.unwrap();
                        found.push((tid.block, record.map(<[u8]>::to_vec)));
                    }
                }
            }
        }
        found
    }

    #[test]
    fn entries_of_all_sizes_come_back() {
        let pages = MemoryPages::new(8160);
        let mut change = pages.change();
        let page = change.lock(0);
        Meta::empty(Definition { metric: Metric::L2, refine: Refine::Index }).write(&mut change, page);
        change.commit().unwrap();
        let mut meta = Meta::read(&pages).unwrap();
        let sizes = [0, 100, 8148, 8149, 20_000, 0, 49_200, 5000, 5000, 1, 49_200, 49_200, 49_200, 49_200];
        let mut expected = Vec::new();
        for (i, size) in sizes.into_iter().enumerate() {
            let record = (size > 0).then(|| vec![i as u8; size]);
            // A session that has slept finds the tail all the same.
            let mut stale = Meta::empty(Definition { metric: Metric::L2, refine: Refine::Index });
            let meta = if i % 2 == 0 { &mut stale } else { &mut meta };
            add(&pages, meta, Tid { block: i as u32, offset: 1 }, record.as_deref()).unwrap();
            expected.push((i as u32, record));
        }
        let mut found = all(&pages);
        found.sort_unstable_by_key(|(row, _)| *row);
        let sizes = |rows: &[(u32, Option<Vec<u8>>)]| -> Vec<(u32, Option<usize>)> {
            rows.iter().map(|(row, record)| (*row, record.as_ref().map(Vec::len))).collect()
        };
        assert_eq!(sizes(&found), sizes(&expected));
        assert!(found == expected);
        assert!(Meta::read(&pages).unwrap().extents > 1);
    }
}
