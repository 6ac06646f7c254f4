//! The pages that an index with lists has beside those of a flat one, at places that can be computed:
//!
//! ```text
//! centroids    scale (f32), |c|² (f32), d codes; of one list after the other, running on from one page to the next
//! directory    of each list: its last slot page (u32, 0: none), the slot page that rows go to (u32)
//! map          of each extent: its list + 1 (u32), or 2³² - 1 if it has other rows; a page before each group of room / 4 extents
//! ```
//!
//! The pages of a list follow one another in the order of their blocks. Rows go to the last one, but when a vacuum has freed slots in
//! one before: then from there on.

use crate::error::{IndexError, damaged};
use crate::layout::{self, Kind};
use crate::meta::Meta;
use crate::pages::{Change, PageView, Pages};
use tq_memory::Grow;

/// Bytes of a centroid before its codes.
pub(crate) const CENTROID_HEAD: usize = 8;

/// Bytes of a list in the directory.
const ENTRY_BYTES: usize = 8;

/// What the map says of an extent of other rows.
pub(crate) const OTHERS: u32 = u32::MAX;

/// Extents behind a page of the map.
pub(crate) fn group(room: usize) -> u32 {
    (room / 4) as u32
}

/// Bytes of a centroid.
pub(crate) fn centroid_bytes(dimension: usize) -> usize {
    CENTROID_HEAD + dimension
}

/// The first page of centroids.
pub(crate) fn centroids_start(dimension: usize, room: usize) -> u32 {
    1 + 2 * layout::centre_blocks(dimension, room)
}

fn directory_start(dimension: usize, room: usize, count: u32) -> u32 {
    let bytes = count as usize * centroid_bytes(dimension);
    centroids_start(dimension, room) + bytes.div_ceil(room) as u32
}

/// The first page of the map.
pub(crate) fn base(dimension: usize, room: usize, count: u32) -> u32 {
    directory_start(dimension, room, count) + (count as usize).div_ceil(room / ENTRY_BYTES) as u32
}

/// What the directory says of a list.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Entry {
    /// Its last slot page; 0 if it has none.
    pub(crate) last: u32,
    /// The slot page that rows go to.
    pub(crate) target: u32,
}

/// Where in the directory a list is: block, and byte.
pub(crate) fn entry_place(meta: &Meta, room: usize, list: u32) -> Result<(u32, usize), IndexError> {
    let dimension = meta.shape.ok_or(damaged(0, "lists without a codec"))?.dimension as usize;
    let a_page = (room / ENTRY_BYTES) as u32;
    let block = directory_start(dimension, room, meta.lists()) + list / a_page;
    Ok((block, (list % a_page) as usize * ENTRY_BYTES))
}

/// Reads an entry from its page. What it names lies in the extents, however many there are by now.
pub(crate) fn entry_in(
    meta: &Meta,
    (block, at): (u32, usize),
    page: PageView<'_>,
) -> Result<Entry, IndexError> {
    layout::expect(block, page, Kind::Directory)?;
    let bytes = page.content.get(at..at + ENTRY_BYTES).and_then(|bytes| bytes.first_chunk::<ENTRY_BYTES>());
    let &[a, b, c, d, e, f, g, h] = bytes.ok_or(damaged(block, "the directory ends before a list"))?;
    let entry = Entry { last: u32::from_le_bytes([a, b, c, d]), target: u32::from_le_bytes([e, f, g, h]) };
    let within = |block: u32| meta.place.and_then(|place| place.place(block)).is_some();
    if entry.last == 0 && entry.target == 0 || within(entry.last) && within(entry.target) {
        return Ok(entry);
    }
    Err(damaged(block, "a list whose rows lie outside of the extents"))
}

/// What the directory says of a list.
pub(crate) fn read_entry<P: Pages>(pages: &P, meta: &Meta, list: u32) -> Result<Entry, IndexError> {
    let place = entry_place(meta, pages.room(), list)?;
    pages.read(place.0, |page| entry_in(meta, place, page))
}

/// An entry's bytes.
pub(crate) fn entry_bytes(entry: Entry) -> [u8; ENTRY_BYTES] {
    let mut bytes = [0; ENTRY_BYTES];
    bytes[..4].copy_from_slice(&entry.last.to_le_bytes());
    bytes[4..].copy_from_slice(&entry.target.to_le_bytes());
    bytes
}

/// Pages of the directory, for a build: blocks and contents.
pub(crate) fn write_directory<P: Pages>(pages: &P, meta: &Meta, entries: &[Entry]) -> Result<(), IndexError> {
    let (first, _) = entry_place(meta, pages.room(), 0)?;
    let mut content = tq_memory::with_capacity(pages.room())?;
    for (block, entries) in (first..).zip(entries.chunks(pages.room() / ENTRY_BYTES)) {
        content.clear();
        entries.iter().for_each(|entry| content.extend_from_slice(&entry_bytes(*entry)));
        pages.put(block, &layout::special(Kind::Directory, 0), &content);
    }
    Ok(())
}

/// Writes what the map says of an extent that a change adds, if the index has a map. No page behind the map's may be locked yet.
pub(crate) fn write_map<C: Change>(change: &mut C, meta: &Meta, extent: u32, says: u32) {
    let Some((block, at)) = meta.place.and_then(|place| place.map_place(extent)) else { return };
    let page = change.lock(block);
    change.edit(page, |page| {
        *page.special = layout::special(Kind::Map, 0);
        page.write(4 * at, &says.to_le_bytes());
    });
}

/// Writes the whole map, for a build.
pub(crate) fn put_map<P: Pages>(pages: &P, meta: &Meta, map: &[u32]) -> Result<(), IndexError> {
    let place = meta.place.ok_or(damaged(0, "lists without extents"))?;
    let mut content = tq_memory::with_capacity(pages.room())?;
    for (group, says) in (0..).zip(map.chunks(place.group.max(1) as usize)) {
        let (block, _) = place.map_place(group * place.group).ok_or(IndexError::Full)?;
        content.clear();
        says.iter().for_each(|says| content.extend_from_slice(&says.to_le_bytes()));
        pages.put(block, &layout::special(Kind::Map, 0), &content);
    }
    Ok(())
}

/// Reads the map of the extents from the one of number `map.len()` on.
pub(crate) fn read_map<P: Pages>(pages: &P, meta: &Meta, map: &mut Vec<u32>) -> Result<(), IndexError> {
    let (place, count) = (meta.place.ok_or(damaged(0, "lists without extents"))?, meta.lists());
    while map.len() < meta.extents as usize {
        pages.poll();
        let (block, at) = place.map_place(map.len() as u32).ok_or(IndexError::Full)?;
        let wanted = (meta.extents as usize - map.len()).min(place.group as usize - at);
        pages.read(block, |page| {
            layout::expect(block, page, Kind::Map)?;
            let bytes = page.content.get(4 * at..4 * (at + wanted));
            let bytes = bytes.ok_or(damaged(block, "the map ends before an extent"))?;
            map.try_room(wanted)?;
            for says in bytes.as_chunks::<4>().0.iter().map(|says| u32::from_le_bytes(*says)) {
                if !(1..=count).contains(&says) && says != OTHERS {
                    return Err(damaged(block, "an extent of a list that isn't there"));
                }
                map.push(says);
            }
            Ok(())
        })?;
    }
    Ok(())
}

/// The bytes of all centroids.
pub(crate) fn read_centroids<P: Pages>(pages: &P, meta: &Meta) -> Result<Vec<u8>, IndexError> {
    let dimension = meta.shape.ok_or(damaged(0, "lists without a codec"))?.dimension as usize;
    let total = meta.lists() as usize * centroid_bytes(dimension);
    let mut bytes = Vec::new();
    for block in centroids_start(dimension, pages.room()).. {
        if bytes.len() == total {
            break;
        }
        pages.poll();
        let wanted = pages.room().min(total - bytes.len());
        pages.read(block, |page| {
            layout::expect(block, page, Kind::Centroids)?;
            if page.content.len() != wanted {
                return Err(damaged(block, "a page of centroids has another length"));
            }
            // As they come: how many there are, page 0 says, which may be wrong.
            bytes.try_extend(page.content).map_err(IndexError::from)
        })?;
    }
    Ok(bytes)
}

/// Writes the bytes of all centroids, for a build.
pub(crate) fn put_centroids<P: Pages>(pages: &P, dimension: usize, bytes: &[u8]) {
    let special = layout::special(Kind::Centroids, 0);
    for (block, piece) in (centroids_start(dimension, pages.room())..).zip(bytes.chunks(pages.room())) {
        pages.put(block, &special, piece);
    }
}
