//! Where a backend last found the pages of its indexes among the server's buffers, and the lists of those that have some.
//!
//! A search reads every page of slots. Most of them are where they were in the search before; looking there first saves the look-up in
//! the server's hash table, which misses the processor's caches for every page: a sixth of the time of a search. Where another page is
//! there by now, the server says so, and it is looked up.

use std::cell::RefCell;

use pgrx::pg_sys;
use tq_index::Lists;
use tq_memory::Grow;

use super::rows::{Key, key_of};

/// Indexes that a backend remembers pages of.
const MOST_INDEXES: usize = 16;

/// Pages that are remembered of one: 4 bytes each.
const MOST_PAGES: usize = 1 << 20;

thread_local! {
    /// The most recently used last.
    static KEPT: RefCell<Vec<(Key, Known)>> = const { RefCell::new(Vec::new()) };
}

/// What is remembered of an index.
type Known = (Vec<pg_sys::Buffer>, Option<Lists>);

/// Makes what is kept now, for which the C library may allocate.
pub(super) fn init() {
    KEPT.with_borrow(|_| ());
}

/// Forgets an index that is built anew, maybe in the same file.
///
/// # Safety
/// `index` must be an open relation.
pub(super) unsafe fn forget(index: pg_sys::Relation) {
    // SAFETY: by the contract.
    let key = unsafe { key_of(index) };
    KEPT.with_borrow_mut(|all| all.retain(|(other, _)| *other != key));
}

/// The buffers of an index's pages, by block; kept for the next search when it is dropped.
#[derive(Debug)]
pub(super) struct Recent {
    key: Key,
    buffers: RefCell<Vec<pg_sys::Buffer>>,
    lists: RefCell<Option<Lists>>,
}

impl Recent {
    /// What is remembered of an index.
    ///
    /// # Safety
    /// `index` must be an open relation.
    pub(super) unsafe fn of(index: pg_sys::Relation) -> Self {
        // SAFETY: by the contract.
        let key = unsafe { key_of(index) };
        let kept = KEPT.with_borrow_mut(|all| {
            let at = all.iter().rposition(|(other, _)| *other == key)?;
            Some(all.remove(at).1)
        });
        let (buffers, lists) = kept.unwrap_or_default();
        Self { key, buffers: RefCell::new(buffers), lists: RefCell::new(lists) }
    }

    /// The lists that were read in a search before.
    pub(super) fn lists(&self) -> Option<Lists> {
        self.lists.borrow().clone()
    }

    /// Remembers lists for the next search.
    pub(super) fn keep_lists(&self, lists: Option<Lists>) {
        self.lists.replace(lists);
    }

    /// Where the page was.
    pub(super) fn get(&self, block: u32) -> Option<pg_sys::Buffer> {
        self.buffers.borrow().get(block as usize).copied().filter(|buffer| *buffer > 0)
    }

    /// Remembers where the page is; forgets it where there is no memory for that.
    pub(super) fn set(&self, block: u32, buffer: pg_sys::Buffer) {
        let (at, mut buffers) = (block as usize, self.buffers.borrow_mut());
        if at >= buffers.len() {
            let size = (at + 1).next_multiple_of(1024);
            if size > MOST_PAGES || buffers.try_resize(size, 0).is_err() {
                return;
            }
        }
        buffers[at] = buffer;
    }
}

impl Drop for Recent {
    fn drop(&mut self) {
        let known = (self.buffers.take(), self.lists.take());
        let kept = KEPT.try_with(|all| {
            let Ok(mut all) = all.try_borrow_mut() else { return };
            all.retain(|(key, _)| *key != self.key);
            if all.len() == MOST_INDEXES {
                all.remove(0);
            }
            if all.try_room(1).is_ok() {
                all.push((self.key, known));
            }
        });
        // Where the thread ends, nothing is to be kept.
        let _ = kept;
    }
}
