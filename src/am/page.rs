//! An index's page in memory, in a buffer or a copy of one:
//!
//! ```text
//! 0   page header, 24 bytes       pd_lower: where the content ends; pd_upper = pd_special: nothing lies between
//! 24  content
//! 8184 special space, 8 bytes
//! ```

use std::slice;

use pgrx::pg_sys;
use tq_index::{PageMut, PageView, SPECIAL_BYTES};

pub(super) const BLOCK: usize = pg_sys::BLCKSZ as usize;
/// Bytes of a page's header, of which the last four belong to the first line pointer, which isn't there.
const HEADER: usize = 24;
pub(super) const ROOM: usize = BLOCK - HEADER - SPECIAL_BYTES;

/// What is on a page.
///
/// # Safety
/// `page` must be a page in memory, locked as long as the view is used.
pub(super) unsafe fn view<'a>(page: pg_sys::Page) -> PageView<'a> {
    // SAFETY: by the contract there are that many bytes.
    let (header, bytes) = unsafe {
        let header = &*page.cast::<pg_sys::PageHeaderData>();
        (header, slice::from_raw_parts(page.cast::<u8>(), BLOCK))
    };
    if header.pd_upper == 0 {
        return PageView::NEW;
    }
    let (lower, special) = (usize::from(header.pd_lower), usize::from(header.pd_special));
    if special != HEADER + ROOM || lower < HEADER || lower > special {
        // Of another size than any special space of ours.
        return PageView { special: &bytes[..1], content: &[] };
    }
    PageView { special: &bytes[special..], content: &bytes[HEADER..lower] }
}

/// Makes an empty page of ours.
///
/// # Safety
/// `page` must be a page in memory that nobody else looks at.
pub(super) unsafe fn initialize(page: pg_sys::Page) {
    // SAFETY: by the contract.
    unsafe { pg_sys::PageInit(page, BLOCK, SPECIAL_BYTES) }
}

/// Lends a page for editing.
///
/// # Safety
/// `page` must be an initialised page of ours in memory that nobody else looks at.
pub(super) unsafe fn edit<R>(page: pg_sys::Page, edit: impl FnOnce(&mut PageMut<'_>) -> R) -> R {
    // SAFETY: by the contract; the parts of the page don't overlap.
    let (header, room, special) = unsafe {
        let bytes = page.cast::<u8>();
        (
            &mut *page.cast::<pg_sys::PageHeaderData>(),
            slice::from_raw_parts_mut(bytes.add(HEADER), ROOM),
            &mut *bytes.add(HEADER + ROOM).cast::<[u8; SPECIAL_BYTES]>(),
        )
    };
    let len = usize::from(header.pd_lower).clamp(HEADER, HEADER + ROOM) - HEADER;
    let mut page = PageMut { special, room, len };
    let result = edit(&mut page);
    let len = page.len.min(ROOM);
    // What is no content any more is no rest of it either.
    page.room[len..].fill(0);
    header.pd_lower = (HEADER + len) as u16;
    header.pd_upper = header.pd_special;
    result
}
