//! An index's pages in the server's buffers, and their changes in its WAL: the only place that touches either.
//!
//! Changes go through generic WAL, which works with copies of up to four pages and logs what differs. It takes what lies between
//! `pd_lower` and `pd_upper` for empty, which here it is. Builds write whole pages and log them all in the end.
//!
//! A buffer is pinned and locked for the time of one call at most, but for those of a change, which its end unlocks. After an error
//! the end of the transaction releases what is left.

use std::cell::Cell;
use std::ffi::c_int;

use pgrx::pg_sys;
use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use tq_format::RecordView;
use tq_index::{Change, IndexError, Lent, Lists, PageMut, PageView, Pages, SPECIAL_BYTES, Tid};

use super::page::{BLOCK, ROOM, edit, initialize, view};
use super::recent::Recent;
use super::table::TableRows;
use crate::error::interrupts::poll;
use crate::server::pg_compat::{FileLocator, extend, locator_of, vacuum_delay};

/// Bytes of free space that a page with free slots is recorded with: any will do.
const SOME_SPACE: usize = BLOCK / 2;

unsafe extern "C-unwind" {
    // pgrx's own bindings put a guard around each; here several calls share one.
    fn ReadBufferExtended(
        relation: pg_sys::Relation,
        fork: pg_sys::ForkNumber::Type,
        block: pg_sys::BlockNumber,
        mode: pg_sys::ReadBufferMode::Type,
        strategy: pg_sys::BufferAccessStrategy,
    ) -> pg_sys::Buffer;
    fn ReadRecentBuffer(
        locator: FileLocator,
        fork: pg_sys::ForkNumber::Type,
        block: pg_sys::BlockNumber,
        recent: pg_sys::Buffer,
    ) -> bool;
    fn LockBuffer(buffer: pg_sys::Buffer, mode: c_int);
    fn UnlockReleaseBuffer(buffer: pg_sys::Buffer);
}

/// What is done between pages.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Between {
    /// Interrupts are answered.
    Poll,
    /// And vacuum's delay is kept.
    Vacuum,
}

/// The pages of an index.
#[derive(Debug)]
pub(super) struct Buffers {
    index: pg_sys::Relation,
    fork: pg_sys::ForkNumber::Type,
    between: Between,
    /// Blocks that there are at least.
    known: Cell<u32>,
    /// The table's rows, for whom reads them.
    table: Option<TableRows>,
    /// Where pages were, for searches.
    recent: Option<Recent>,
}

impl Buffers {
    /// The pages of an index's main fork.
    ///
    /// # Safety
    /// `index` must be open, and stay so as long as this is used.
    pub(super) unsafe fn new(index: pg_sys::Relation) -> Self {
        Self {
            index,
            fork: pg_sys::ForkNumber::MAIN_FORKNUM,
            between: Between::Poll,
            known: Cell::new(0),
            table: None,
            recent: None,
        }
    }

    /// With the rows of the table, for an index that leaves the codes there.
    pub(super) fn with_table(self, table: TableRows) -> Self {
        Self { table: Some(table), ..self }
    }

    /// The rows of the table, if they were given.
    pub(super) fn table(&self) -> Option<&TableRows> {
        self.table.as_ref()
    }

    /// Gives back what reading rows of the table has needed; before the call of the server's ends.
    pub(super) fn close_table(&self) {
        if let Some(table) = &self.table {
            table.close();
        }
    }

    /// For a search, which reads most pages and finds most where they were.
    pub(super) fn searching(self) -> Self {
        // SAFETY: the index is open.
        let recent = unsafe { Recent::of(self.index) };
        Self { recent: Some(recent), ..self }
    }

    /// The lists that were read in a search before.
    pub(super) fn known_lists(&self) -> Option<Lists> {
        self.recent.as_ref().and_then(Recent::lists)
    }

    /// Remembers lists for the next search.
    pub(super) fn keep_lists(&self, lists: Option<Lists>) {
        if let Some(recent) = &self.recent {
            recent.keep_lists(lists);
        }
    }

    /// Those of its init fork.
    ///
    /// # Safety
    /// That of [`Buffers::new`].
    pub(super) unsafe fn init_fork(index: pg_sys::Relation) -> Self {
        // SAFETY: by the contract.
        Self { fork: pg_sys::ForkNumber::INIT_FORKNUM, ..unsafe { Self::new(index) } }
    }

    /// Those of its main fork, for a vacuum.
    ///
    /// # Safety
    /// That of [`Buffers::new`].
    pub(super) unsafe fn vacuuming(index: pg_sys::Relation) -> Self {
        // SAFETY: by the contract.
        Self { between: Between::Vacuum, ..unsafe { Self::new(index) } }
    }

    /// Logs all pages as they are.
    pub(super) fn log_all(&self) {
        // SAFETY: the index is open; nobody else changes it while it is built. Its pages have standard headers.
        unsafe { pg_sys::log_newpage_range(self.index, self.fork, 0, self.blocks(), true) }
    }

    /// Pins and locks a page that is there.
    #[allow(ffi_unwind_calls)] // behind the boundary
    fn locked(&self, block: u32, lock: u32) -> pg_sys::Buffer {
        // SAFETY: the index is open. A jump out of the server's functions finds nothing to drop before the boundary.
        unsafe {
            let recent = self.recent.as_ref().and_then(|recent| recent.get(block));
            let buffer = pg_guard_ffi_boundary(|| {
                let buffer = match recent {
                    Some(recent) if ReadRecentBuffer(locator_of(self.index), self.fork, block, recent) => {
                        recent
                    }
                    _ => {
                        let mode = pg_sys::ReadBufferMode::RBM_NORMAL;
                        ReadBufferExtended(self.index, self.fork, block, mode, std::ptr::null_mut())
                    }
                };
                LockBuffer(buffer, lock as c_int);
                buffer
            });
            if let Some(all) = self.recent.as_ref().filter(|_| recent != Some(buffer)) {
                all.set(block, buffer);
            }
            buffer
        }
    }

    /// Writes to a page that nobody else sees, without logging it; a page that is `whole` is nothing else then.
    fn write(&self, block: u32, special: &[u8; SPECIAL_BYTES], at: usize, content: &[u8], whole: bool) {
        self.extend_to(block);
        let buffer = self.locked(block, pg_sys::BUFFER_LOCK_EXCLUSIVE);
        // SAFETY: the page is locked for this session alone; it is marked before it is unlocked.
        unsafe {
            let page = pg_sys::BufferGetPage(buffer);
            if whole || view(page).is_new() {
                initialize(page);
            }
            edit(page, |page| {
                *page.special = *special;
                page.write(at, content);
            });
            pg_sys::MarkBufferDirty(buffer);
        }
        release(buffer);
    }

    /// Makes sure that the page is there, adding empty ones.
    fn extend_to(&self, block: u32) {
        if self.has(block) {
            return;
        }
        // SAFETY: the index is open; the lock keeps others from extending it at the same time, and is released here, or by the
        // end of the transaction. No page is locked under it.
        unsafe {
            pg_sys::LockRelationForExtension(self.index, pg_sys::ExclusiveLock as pg_sys::LOCKMODE);
            while self.blocks() <= block {
                let new = pg_sys::ReadBufferExtended(
                    self.index,
                    self.fork,
                    pg_sys::InvalidBlockNumber,
                    pg_sys::ReadBufferMode::RBM_NORMAL,
                    std::ptr::null_mut(),
                );
                pg_sys::ReleaseBuffer(new);
            }
            pg_sys::UnlockRelationForExtension(self.index, pg_sys::ExclusiveLock as pg_sys::LOCKMODE);
        }
    }
}

/// Says that a block of a relation's main fork will be read soon; whether it isn't in the buffers.
///
/// # Safety
/// The relation must be open.
pub(super) unsafe fn prefetch(relation: pg_sys::Relation, block: u32) -> bool {
    // SAFETY: by the contract.
    unsafe {
        if pg_sys::effective_io_concurrency == 0 {
            return false;
        }
        let found = pg_sys::PrefetchBuffer(relation, pg_sys::ForkNumber::MAIN_FORKNUM, block);
        found.recent_buffer == pg_sys::InvalidBuffer as pg_sys::Buffer
    }
}

/// Unlocks and unpins a page.
#[allow(ffi_unwind_calls)] // behind the boundary
fn release(buffer: pg_sys::Buffer) {
    // SAFETY: the caller has pinned and locked it.
    unsafe { pg_guard_ffi_boundary(|| UnlockReleaseBuffer(buffer)) }
}

impl Pages for Buffers {
    type Change<'a> = BufferChange<'a>;

    fn room(&self) -> usize {
        ROOM
    }

    fn blocks(&self) -> u32 {
        // SAFETY: the index is open.
        let blocks = unsafe { pg_sys::RelationGetNumberOfBlocksInFork(self.index, self.fork) };
        self.known.set(blocks);
        blocks
    }

    fn has(&self, block: u32) -> bool {
        block < self.known.get() || block < self.blocks()
    }

    fn read<R>(&self, block: u32, use_page: impl FnOnce(PageView<'_>) -> R) -> R {
        if !self.has(block) {
            return use_page(PageView::NEW);
        }
        let buffer = self.locked(block, pg_sys::BUFFER_LOCK_SHARE);
        // SAFETY: the page is locked until it is released below.
        let result = use_page(unsafe { view(pg_sys::BufferGetPage(buffer)) });
        release(buffer);
        result
    }

    fn change(&self) -> BufferChange<'_> {
        BufferChange { buffers: self, pages: Vec::new(), log: std::ptr::null_mut() }
    }

    fn expect(&self, block: u32) {
        if !self.has(block) {
            // SAFETY: the index is open, and nobody else extends it while it is built.
            unsafe { extend(self.index, self.fork, block + 1 - self.known.get()) };
        }
    }

    fn put(&self, block: u32, special: &[u8; SPECIAL_BYTES], content: &[u8]) {
        self.write(block, special, 0, content, true);
    }

    fn put_at(&self, block: u32, special: &[u8; SPECIAL_BYTES], at: usize, content: &[u8]) {
        self.write(block, special, at, content, false);
    }

    fn page_with_room(&self) -> Option<u32> {
        // SAFETY: the index is open.
        let block = unsafe { pg_sys::GetPageWithFreeSpace(self.index, SOME_SPACE / 2) };
        (block != pg_sys::InvalidBlockNumber).then_some(block)
    }

    fn set_room(&self, block: u32, has_room: bool) {
        let space = if has_room { SOME_SPACE } else { 0 };
        // SAFETY: the index is open.
        unsafe { pg_sys::RecordPageWithFreeSpace(self.index, block, space) }
    }

    fn record(
        &self,
        tid: Tid,
        use_record: &mut dyn FnMut(&RecordView<'_>) -> Result<(), IndexError>,
    ) -> Result<Lent, IndexError> {
        match &self.table {
            Some(table) => table.record(tid, use_record),
            None => Err(IndexError::Damaged { block: 0, problem: "codes are said to be in the table" }),
        }
    }

    fn prefetch(&self, block: u32) -> bool {
        // SAFETY: the index is open.
        self.has(block) && unsafe { prefetch(self.index, block) }
    }

    fn prefetch_record(&self, tid: Tid) -> bool {
        self.table.as_ref().is_some_and(|table| table.prefetch(tid))
    }

    fn poll(&self) {
        poll();
        if self.between == Between::Vacuum {
            vacuum_delay();
        }
    }
}

/// A page of a change.
#[derive(Clone, Copy, Debug)]
struct Locked {
    buffer: pg_sys::Buffer,
    /// The copy that is edited; null before the first edit.
    copy: pg_sys::Page,
}

/// A change of some pages: locked buffers, and a record of generic WAL once there is an edit.
#[derive(Debug)]
pub(super) struct BufferChange<'a> {
    buffers: &'a Buffers,
    pages: Vec<Locked>,
    log: *mut pg_sys::GenericXLogState,
}

impl BufferChange<'_> {
    fn unlock(&self) {
        self.pages.iter().for_each(|page| release(page.buffer));
    }
}

impl Change for BufferChange<'_> {
    fn lock(&mut self, block: u32) -> usize {
        self.buffers.extend_to(block);
        let buffer = self.buffers.locked(block, pg_sys::BUFFER_LOCK_EXCLUSIVE);
        self.pages.push(Locked { buffer, copy: std::ptr::null_mut() });
        self.pages.len() - 1
    }

    fn view(&self, page: usize) -> PageView<'_> {
        let Locked { buffer, copy } = self.pages[page];
        // SAFETY: the buffer is locked as long as this change lives, and so is the copy there.
        unsafe { view(if copy.is_null() { pg_sys::BufferGetPage(buffer) } else { copy }) }
    }

    fn edit<R>(&mut self, page: usize, edit_page: impl FnOnce(&mut PageMut<'_>) -> R) -> R {
        let locked = &mut self.pages[page];
        // SAFETY: the index is open, the buffer locked for this change alone; the copy is the change's until it is finished.
        unsafe {
            if locked.copy.is_null() {
                if self.log.is_null() {
                    self.log = pg_sys::GenericXLogStart(self.buffers.index);
                }
                let is_new = view(pg_sys::BufferGetPage(locked.buffer)).is_new();
                let flags = if is_new { pg_sys::GENERIC_XLOG_FULL_IMAGE } else { 0 };
                locked.copy = pg_sys::GenericXLogRegisterBuffer(self.log, locked.buffer, flags as c_int);
                if is_new {
                    initialize(locked.copy);
                }
            }
            edit(locked.copy, edit_page)
        }
    }

    fn commit(self) -> Result<(), IndexError> {
        if !self.log.is_null() {
            // SAFETY: it was started by this change, whose buffers are locked.
            unsafe { pg_sys::GenericXLogFinish(self.log) };
        }
        self.unlock();
        Ok(())
    }

    fn abandon(self) {
        if !self.log.is_null() {
            // SAFETY: it was started by this change.
            unsafe { pg_sys::GenericXLogAbort(self.log) };
        }
        self.unlock();
    }
}
