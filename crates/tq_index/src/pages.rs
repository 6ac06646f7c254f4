//! What an index asks of the storage below it: numbered pages, read one at a time, changed a few at a time and at once; and the
//! table's rows, if it leaves the codes there.
//!
//! A page is an opaque special space of [`SPECIAL_BYTES`], which says what the page is, and content of a length of its own: what
//! follows the content isn't kept. A page that was never written reads as [`PageView::is_new`], also beyond the last page:
//! blocks are numbered before they are written, and a crash may have lost the tail of the file.
//!
//! The storage locks: a read holds its page for the time of the call, a change each of its pages until it is committed. Pages
//! are locked in the order of their numbers, so that no two sessions wait for each other.

use tq_format::RecordView;

use crate::IndexError;
use crate::layout::Tid;

/// Bytes of the special space of a page.
pub const SPECIAL_BYTES: usize = 8;

/// Pages that one change may edit: what PostgreSQL's generic WAL takes in a record.
pub const MOST_EDITED: usize = 4;

/// What came of asking for a row of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lent {
    /// It was lent.
    Yes,
    /// It is there, but can't be read now: another session may be writing it.
    NotNow,
    /// It isn't there for whoever asks.
    Gone,
}

/// A page as it is.
#[derive(Clone, Copy, Debug)]
pub struct PageView<'a> {
    /// [`SPECIAL_BYTES`] bytes; empty if the page was never written.
    pub special: &'a [u8],
    /// The content, at most [`Pages::room`] bytes.
    pub content: &'a [u8],
}

impl PageView<'_> {
    /// A page that was never written.
    pub const NEW: PageView<'static> = PageView { special: &[], content: &[] };

    /// Whether it was never written.
    pub fn is_new(&self) -> bool {
        self.special.is_empty()
    }
}

/// A page that is being edited.
#[derive(Debug)]
pub struct PageMut<'a> {
    /// The special space; zeros if the page is new.
    pub special: &'a mut [u8; SPECIAL_BYTES],
    /// Room for content: [`Pages::room`] bytes, zeros behind the content.
    pub room: &'a mut [u8],
    /// How much of the room is content.
    pub len: usize,
}

impl PageMut<'_> {
    /// Writes `bytes` at `at`; the content reaches at least to their end.
    ///
    /// # Panics
    /// If they don't fit.
    pub fn write(&mut self, at: usize, bytes: &[u8]) {
        self.room[at..at + bytes.len()].copy_from_slice(bytes);
        self.len = self.len.max(at + bytes.len());
    }
}

/// Pages of one index.
pub trait Pages {
    /// A change of some of them.
    type Change<'a>: Change
    where
        Self: 'a;

    /// Bytes of content that a page has room for.
    fn room(&self) -> usize;

    /// How many pages there are at the moment.
    fn blocks(&self) -> u32;

    /// Whether that page is there, written or not.
    fn has(&self, block: u32) -> bool {
        block < self.blocks()
    }

    /// Lends a page to `use_page`. Behind the last page, all are new.
    fn read<R>(&self, block: u32, use_page: impl FnOnce(PageView<'_>) -> R) -> R;

    /// Starts a change.
    fn change(&self) -> Self::Change<'_>;

    /// Says that a build will write the pages up to this one, so that they may be made at once.
    fn expect(&self, _block: u32) {}

    /// Writes a whole page of an index that is being built and that nobody else sees; what makes it durable follows when all is
    /// written.
    fn put(&self, block: u32, special: &[u8; SPECIAL_BYTES], content: &[u8]);

    /// Writes a part of such a page: what stands before it stays, and the content reaches at least to its end.
    fn put_at(&self, block: u32, special: &[u8; SPECIAL_BYTES], at: usize, content: &[u8]);

    /// A page that was said to have free slots, if one is known. It needn't have any.
    fn page_with_room(&self) -> Option<u32>;

    /// Remembers whether a page has free slots. May be forgotten.
    fn set_room(&self, block: u32, has_room: bool);

    /// Lends the record of a row of the table, for an index that leaves the codes there. No page is held.
    ///
    /// # Errors
    /// [`IndexError::Memory`], and those of `use_record`.
    fn record(
        &self,
        _tid: Tid,
        _use_record: &mut dyn FnMut(&RecordView<'_>) -> Result<(), IndexError>,
    ) -> Result<Lent, IndexError> {
        Ok(Lent::Gone)
    }

    /// Says that a page will be read soon; whether it has to come from the disk.
    fn prefetch(&self, _block: u32) -> bool {
        false
    }

    /// Says that a row's record will be asked for soon; whether its page has to come from the disk.
    fn prefetch_record(&self, _tid: Tid) -> bool {
        false
    }

    /// Called between pages, when no page is held; may unwind to give the work up.
    fn poll(&self) {}
}

/// A change of up to [`MOST_EDITED`] pages that happens at once or, after a crash, not at all.
///
/// Dropping one without committing it leaves its pages locked: errors end the transaction, which unlocks them.
pub trait Change {
    /// Locks a page, which comes into being if it has to, for this change alone; returns what it is called below.
    fn lock(&mut self, block: u32) -> usize;

    /// The page as it is, edits included.
    fn view(&self, page: usize) -> PageView<'_>;

    /// Edits a page.
    fn edit<R>(&mut self, page: usize, edit: impl FnOnce(&mut PageMut<'_>) -> R) -> R;

    /// Makes all edits and unlocks all pages.
    ///
    /// # Errors
    /// [`IndexError::Stopped`], for pages in memory.
    fn commit(self) -> Result<(), IndexError>;

    /// Unlocks all pages, and forgets the edits.
    fn abandon(self);
}
