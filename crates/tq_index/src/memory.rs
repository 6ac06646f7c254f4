//! Pages in memory, and rows of a table, for tests: they hold callers to the rules of [`Pages`], and can stop as a crash would.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};

use tq_format::RecordView;

use crate::error::{IndexError, damaged};
use crate::layout::Tid;
use crate::pages::{Change, Lent, MOST_EDITED, PageMut, PageView, Pages, SPECIAL_BYTES};

/// One page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemoryPage {
    /// The special space, unless the page was never written.
    pub special: Option<[u8; SPECIAL_BYTES]>,
    /// The content.
    pub content: Vec<u8>,
}

/// Pages in memory.
#[derive(Debug)]
pub struct MemoryPages {
    room: usize,
    pages: RefCell<Vec<MemoryPage>>,
    locked: RefCell<BTreeSet<u32>>,
    with_room: RefCell<BTreeSet<u32>>,
    changes_left: Cell<Option<usize>>,
    /// Pages read so far.
    reads: Cell<usize>,
    /// The table's rows; `None` are those that can't be read now.
    rows: RefCell<BTreeMap<Tid, Option<Vec<u8>>>>,
}

impl MemoryPages {
    /// No pages yet; each will have room for so many bytes.
    pub fn new(room: usize) -> Self {
        Self {
            room,
            pages: RefCell::default(),
            locked: RefCell::default(),
            with_room: RefCell::default(),
            changes_left: Cell::new(None),
            reads: Cell::new(0),
            rows: RefCell::default(),
        }
    }

    /// Pages with that content.
    pub fn from_pages(room: usize, pages: Vec<MemoryPage>) -> Self {
        Self { pages: RefCell::new(pages), ..Self::new(room) }
    }

    /// After so many more changes, every other one fails with [`IndexError::Stopped`] and changes nothing; `None` lifts that. As
    /// after a crash, nothing is locked then.
    pub fn stop_after(&self, changes: Option<usize>) {
        self.changes_left.set(changes);
        self.locked.borrow_mut().clear();
    }

    /// A copy of all pages.
    pub fn pages(&self) -> Vec<MemoryPage> {
        self.pages.borrow().clone()
    }

    /// How many pages have been read so far.
    pub fn reads(&self) -> usize {
        self.reads.get()
    }

    /// Puts a record into the table, or one that can't be read now.
    pub fn put_row(&self, tid: Tid, record: Option<&[u8]>) {
        self.rows.borrow_mut().insert(tid, record.map(<[u8]>::to_vec));
    }

    /// Takes a row out of the table.
    pub fn remove_row(&self, tid: Tid) {
        self.rows.borrow_mut().remove(&tid);
    }

    fn check_order(&self, block: u32) {
        if let Some(last) = self.locked.borrow().last() {
            assert!(block > *last, "block {block} is asked for while block {last} is locked");
        }
    }
}

fn view(page: Option<&MemoryPage>) -> PageView<'_> {
    match page {
        Some(MemoryPage { special: Some(special), content }) => PageView { special, content },
        _ => PageView::NEW,
    }
}

impl Pages for MemoryPages {
    type Change<'a> = MemoryChange<'a>;

    fn room(&self) -> usize {
        self.room
    }

    fn blocks(&self) -> u32 {
        u32::try_from(self.pages.borrow().len()).unwrap_or(u32::MAX)
    }

    fn read<R>(&self, block: u32, use_page: impl FnOnce(PageView<'_>) -> R) -> R {
        self.check_order(block);
        self.reads.set(self.reads.get() + 1);
        use_page(view(self.pages.borrow().get(block as usize)))
    }

    fn change(&self) -> MemoryChange<'_> {
        MemoryChange { all: self, pages: Vec::new() }
    }

    fn put(&self, block: u32, special: &[u8; SPECIAL_BYTES], content: &[u8]) {
        assert!(content.len() <= self.room, "{} bytes don't fit a page", content.len());
        let mut pages = self.pages.borrow_mut();
        let len = pages.len().max(block as usize + 1);
        pages.resize(len, MemoryPage { special: None, content: Vec::new() });
        pages[block as usize] = MemoryPage { special: Some(*special), content: content.to_vec() };
    }

    fn put_at(&self, block: u32, special: &[u8; SPECIAL_BYTES], at: usize, content: &[u8]) {
        let mut whole = self.read(block, |page| page.content.to_vec());
        whole.resize(whole.len().max(at + content.len()), 0);
        whole[at..at + content.len()].copy_from_slice(content);
        self.put(block, special, &whole);
    }

    fn page_with_room(&self) -> Option<u32> {
        self.with_room.borrow().first().copied()
    }

    fn set_room(&self, block: u32, has_room: bool) {
        let mut with_room = self.with_room.borrow_mut();
        if has_room {
            with_room.insert(block);
        } else {
            with_room.remove(&block);
        }
    }

    fn record(
        &self,
        tid: Tid,
        use_record: &mut dyn FnMut(&RecordView<'_>) -> Result<(), IndexError>,
    ) -> Result<Lent, IndexError> {
        assert!(self.locked.borrow().is_empty(), "a row is asked for while a page is locked");
        match self.rows.borrow().get(&tid) {
            None => Ok(Lent::Gone),
            Some(None) => Ok(Lent::NotNow),
            Some(Some(record)) => {
                use_record(&RecordView::parse(record).map_err(|_| damaged(0, "a row that is no record"))?)?;
                Ok(Lent::Yes)
            }
        }
    }

    fn poll(&self) {
        assert!(self.locked.borrow().is_empty(), "a poll while a page is locked");
    }
}

/// A change of pages in memory.
#[derive(Debug)]
pub struct MemoryChange<'a> {
    all: &'a MemoryPages,
    /// Number, state, and whether it was edited.
    pages: Vec<(u32, MemoryPage, bool)>,
}

impl MemoryChange<'_> {
    fn unlock(&self) {
        let mut locked = self.all.locked.borrow_mut();
        for (block, ..) in &self.pages {
            locked.remove(block);
        }
    }
}

impl Change for MemoryChange<'_> {
    fn lock(&mut self, block: u32) -> usize {
        self.all.check_order(block);
        self.all.locked.borrow_mut().insert(block);
        let new = MemoryPage { special: None, content: Vec::new() };
        let page = self.all.pages.borrow().get(block as usize).cloned().unwrap_or(new);
        self.pages.push((block, page, false));
        self.pages.len() - 1
    }

    fn view(&self, page: usize) -> PageView<'_> {
        view(Some(&self.pages[page].1))
    }

    fn edit<R>(&mut self, page: usize, edit: impl FnOnce(&mut PageMut<'_>) -> R) -> R {
        let edited = self.pages.iter().enumerate().filter(|(other, (.., edited))| *edited || *other == page);
        assert!(edited.count() <= MOST_EDITED, "more pages than a change may edit");
        let (_, kept, edited) = &mut self.pages[page];
        *edited = true;
        let mut room = kept.content.clone();
        let len = room.len();
        room.resize(self.all.room, 0);
        let mut page = PageMut { special: kept.special.get_or_insert_default(), room: &mut room, len };
        let result = edit(&mut page);
        let len = page.len;
        room.truncate(len);
        kept.content = room;
        result
    }

    fn commit(self) -> Result<(), IndexError> {
        match self.all.changes_left.get() {
            Some(0) => return Err(IndexError::Stopped),
            Some(left) => self.all.changes_left.set(Some(left - 1)),
            None => (),
        }
        self.unlock();
        for (block, page, edited) in self.pages {
            if edited {
                self.all.put(block, &page.special.unwrap_or_default(), &page.content);
            }
        }
        Ok(())
    }

    fn abandon(self) {
        self.unlock();
    }
}
