//! Rows of codes: what a row's distance is measured by, in pages of their own.
//!
//! ```text
//! 0  tid of the row (6 bytes)   6  packed codes, as the record has them   then the residual, if the codec has one
//!                                                                         then `fit`'s numbers, of an index over floats
//! ```
//!
//! The tid stands by the codes, so that whoever reads both in one look at the page reads what belongs together: a slot that was freed
//! and filled again in the middle of a search gives the new row's name with the new row's distance.

use crate::error::{IndexError, damaged};
use crate::fit::{FIT_BYTES, Fit};
use crate::layout::{self, CODE_HEAD, Kind, RowLayout, Tid};
use crate::pages::{Change, Lent, MOST_EDITED, PageMut, Pages};
use crate::slot;
use tq_format::RecordView;
use tq_memory::Grow;

/// What a row is measured by.
pub(crate) enum Codes<R> {
    /// They were lent, and used so.
    Used(R),
    /// See [`Lent`].
    NotNow,
    Gone,
    /// The row has another codec than the index's rows.
    Other,
}

impl<R> Codes<R> {
    /// What came of using them.
    pub(crate) fn used(self) -> Option<R> {
        match self {
            Codes::Used(result) => Some(result),
            Codes::NotNow | Codes::Gone | Codes::Other => None,
        }
    }
}

/// Lends the codes of a slot to `use_row`: tid, codes and residual. `tid` is the slot's, if the caller knows it. `room` is where a row
/// is put together that isn't in one page. Where codes are in the table, no page may be held.
pub(crate) fn with_row<P: Pages, R>(
    pages: &P,
    layout: &RowLayout,
    place: (u32, u32, usize),
    tid: Option<Tid>,
    room: &mut Vec<u8>,
    use_row: impl FnOnce(&[u8]) -> R,
) -> Result<Codes<R>, IndexError> {
    if layout.code_bytes > 0 {
        return with_row_of_index(pages, layout, place, room, use_row).map(Codes::Used);
    }
    let tid = match tid {
        Some(tid) => Some(tid),
        None => tid_of_slot(pages, layout, place)?,
    };
    let Some(tid) = tid else { return Ok(Codes::Gone) };
    let mut is_of_codec = true;
    let lent = pages.record(tid, &mut |record| {
        is_of_codec = record.shape() == layout.shape;
        if is_of_codec { row_of(tid, record, None, room) } else { Ok(()) }
    })?;
    Ok(match lent {
        Lent::Yes if !is_of_codec => Codes::Other,
        Lent::Yes => Codes::Used(use_row(room)),
        Lent::NotNow => Codes::NotNow,
        Lent::Gone => Codes::Gone,
    })
}

/// Says that the codes of a slot will be asked for soon; whether they have to come from the disk.
pub(crate) fn prefetch<P: Pages>(
    pages: &P,
    layout: &RowLayout,
    place: (u32, u32, usize),
) -> Result<bool, IndexError> {
    if layout.code_bytes == 0 {
        return Ok(tid_of_slot(pages, layout, place)?.is_some_and(|tid| pages.prefetch_record(tid)));
    }
    let (start, page, slot) = place;
    // All of them, whatever the first ones say.
    let asked = layout.code_pieces(page, slot).filter(|piece| pages.prefetch(start + piece.block)).count();
    Ok(asked > 0)
}

/// The row of a slot, if it has one by now.
fn tid_of_slot<P: Pages>(
    pages: &P,
    layout: &RowLayout,
    (start, page, slot): (u32, u32, usize),
) -> Result<Option<Tid>, IndexError> {
    let block = start + page;
    pages.read(block, |page| {
        layout::expect(block, page, Kind::Slots)?;
        let slot = page.content.get(slot * layout.slot_bytes..(slot + 1) * layout.slot_bytes);
        slot.map(slot::tid).ok_or(damaged(block, "the page ends before a slot"))
    })
}

fn with_row_of_index<P: Pages, R>(
    pages: &P,
    layout: &RowLayout,
    (start, page, slot): (u32, u32, usize),
    room: &mut Vec<u8>,
    use_row: impl FnOnce(&[u8]) -> R,
) -> Result<R, IndexError> {
    let mut pieces = layout.code_pieces(page, slot);
    let first = pieces.next().filter(|piece| piece.bytes.len() == layout.code_bytes);
    if let Some(piece) = first {
        let block = start + piece.block;
        return pages.read(block, |page| {
            layout::expect(block, page, Kind::Codes)?;
            let row = page.content.get(piece.at..piece.at + piece.bytes.len());
            row.map(use_row).ok_or(damaged(block, "the page ends before the codes of a row"))
        });
    }
    room.clear();
    for piece in layout.code_pieces(page, slot) {
        let block = start + piece.block;
        pages.read(block, |page| {
            layout::expect(block, page, Kind::Codes)?;
            let row = page.content.get(piece.at..piece.at + piece.bytes.len());
            let row = row.ok_or(damaged(block, "the page ends before the codes of a row"))?;
            room.try_extend(row).map_err(IndexError::from)
        })?;
    }
    Ok(use_row(room))
}

/// Puts the codes of a row together in `out`.
pub(crate) fn row_of(
    tid: Tid,
    record: &RecordView<'_>,
    fit: Option<Fit>,
    out: &mut Vec<u8>,
) -> Result<(), IndexError> {
    out.clear();
    let (codes, residual) = (record.codes(), record.residual().unwrap_or_default());
    out.try_room(CODE_HEAD + codes.len() + residual.len() + FIT_BYTES)?;
    out.extend_from_slice(&tid.to_bytes());
    out.extend_from_slice(codes);
    out.extend_from_slice(residual);
    if let Some(fit) = fit {
        out.extend_from_slice(&fit.to_bytes());
    }
    Ok(())
}

/// Writes a row of codes for a slot whose page `change` has locked, and edits one page of that change at most beside these.
///
/// What doesn't fit the change is written before, in changes of its own: nobody looks at it before the slot says so.
pub(crate) fn write_row<P: Pages>(
    pages: &P,
    change: &mut P::Change<'_>,
    layout: &RowLayout,
    (start, page, slot): (u32, u32, usize),
    row: &[u8],
) -> Result<(), IndexError> {
    let pieces = || layout.code_pieces(page, slot);
    let before = pieces().count().saturating_sub(MOST_EDITED - 1);
    for piece in pieces().take(before) {
        let mut own = pages.change();
        let page = own.lock(start + piece.block);
        own.edit(page, |page| write_piece(page, piece.at, &row[piece.bytes.clone()]));
        own.commit()?;
    }
    for piece in pieces().skip(before) {
        let page = change.lock(start + piece.block);
        change.edit(page, |page| write_piece(page, piece.at, &row[piece.bytes.clone()]));
    }
    Ok(())
}

fn write_piece(page: &mut PageMut<'_>, at: usize, bytes: &[u8]) {
    *page.special = layout::special(Kind::Codes, 0);
    page.write(at, bytes);
}
