//! The global allocator: the system's, with a reserve behind it. The only file here with unsafe code.
//!
//! ```text
//!                      null               too large, or all taken
//! System ───────────────▶ holds ──▶ blocks ──────────▶ null
//!          otherwise: as it comes
//! ```
//!
//! Blocks are of four sizes, lie in memory that is the process's from the start, and are taken and given back by one atomic
//! operation on a word of bits. So nothing here can be found locked, by another thread or by the child of a fork, and a block
//! that lives long takes no other's place. [`hold`]s are promises of more for a while: memory that is fetched when the promise
//! is made, and handed out front to back.
//!
//! What the system serves costs nothing more than a comparison when it is freed.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::{Cell, UnsafeCell};
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicU64, AtomicUsize, Ordering::*};

use crate::OutOfMemory;
use crate::classes::{ALIGN, CLASSES, RESERVE_BYTES, WORDS, first_word, offset_of_class};

/// Bytes lent from which [`check`] warns: there is as much again, three times over, for the way out.
const WARNING: usize = RESERVE_BYTES / 4;

#[repr(C, align(4096))]
struct Region(UnsafeCell<[MaybeUninit<u8>; RESERVE_BYTES]>);

// SAFETY: nothing but blocks of it is ever accessed, each by who has set its bit.
unsafe impl Sync for Region {}

static REGION: Region = Region(UnsafeCell::new([MaybeUninit::uninit(); RESERVE_BYTES]));
/// A bit that is set is a block that is lent.
static TAKEN: [AtomicU64; WORDS] = [const { AtomicU64::new(0) }; WORDS];
/// Bytes of the blocks that are lent.
static LENT: AtomicUsize = AtomicUsize::new(0);
static SHORT: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// Whether the thread can be told that there is no memory, and so shouldn't draw on the reserve.
    static CAN_FAIL: Cell<bool> = const { Cell::new(false) };
}

/// Set when something that can't fail has found nothing left.
static EXHAUSTED: AtomicBool = AtomicBool::new(false);

/// Allocates what can fail.
#[inline]
pub(crate) fn without_reserve<R>(allocate: impl FnOnce() -> R) -> R {
    let before = CAN_FAIL.replace(true);
    // Allocating doesn't unwind, so this is always undone.
    let result = allocate();
    CAN_FAIL.set(before);
    result
}

/// Nothing is left for something that can't fail. The standard library ends the process then, with a message and, if the
/// environment asks for it, a backtrace: whose own memory can't be had either, while it holds a lock that it would wait for.
fn give_up() -> *mut u8 {
    if EXHAUSTED.swap(true, Relaxed) {
        std::process::abort();
    }
    ptr::null_mut()
}

/// Whether the address is one of the reserve's.
fn is_reserve(address: *const u8) -> bool {
    address.addr().wrapping_sub(REGION.0.get().addr()) < RESERVE_BYTES
}

/// Bytes of the reserve that are lent now.
///
/// For tests and benchmarks: nothing else calls it.
pub fn lent_bytes() -> usize {
    LENT.load(Relaxed)
}

/// Tells once that a good part of the reserve is lent: whatever is going on should end with this error, and give it back.
/// For work that makes many small things that can't fail, between them.
///
/// # Errors
/// [`OutOfMemory`].
#[inline]
pub fn check() -> Result<(), OutOfMemory> {
    if SHORT.load(Relaxed) && SHORT.swap(false, Relaxed) {
        return Err(OutOfMemory { bytes: 0 });
    }
    Ok(())
}

/// A block for the layout, or null.
fn take_block(layout: Layout) -> *mut u8 {
    let wanted = layout.size().max(layout.align());
    if layout.align() > ALIGN || wanted > CLASSES[CLASSES.len() - 1].0 || CAN_FAIL.get() {
        return ptr::null_mut();
    }
    for (class, &(size, count)) in CLASSES.iter().enumerate().filter(|(_, (size, _))| *size >= wanted) {
        for (number, word) in TAKEN[first_word(class)..first_word(class + 1)].iter().enumerate() {
            let mut bits = word.load(Relaxed);
            loop {
                let bit = bits.trailing_ones() as usize;
                let block = 64 * number + bit;
                if bit == 64 || block >= count {
                    break;
                }
                match word.compare_exchange_weak(bits, bits | 1 << bit, Acquire, Relaxed) {
                    Ok(_) => {
                        if LENT.fetch_add(size, Relaxed) + size > WARNING {
                            SHORT.store(true, Relaxed);
                        }
                        let offset = offset_of_class(class) + block * size;
                        // SAFETY: the block lies within the region.
                        return unsafe { REGION.0.get().cast::<u8>().add(offset) };
                    }
                    Err(now) => bits = now,
                }
            }
        }
    }
    give_up()
}

/// The class and the number in it of a block of the reserve.
fn block_at(address: *const u8) -> (usize, usize) {
    let offset = address.addr() - REGION.0.get().addr();
    let class = (1..CLASSES.len()).rev().find(|&class| offset >= offset_of_class(class)).unwrap_or(0);
    (class, (offset - offset_of_class(class)) / CLASSES[class].0)
}

fn give_back(address: *const u8) {
    let (class, block) = block_at(address);
    TAKEN[first_word(class) + block / 64].fetch_and(!(1 << (block % 64)), Release);
    LENT.fetch_sub(CLASSES[class].0, Relaxed);
}

/// How many promises there can be at once, counting those that have ended while something of theirs was still in use.
const HOLDS: usize = 64;

/// The state of a promise, in one word: bytes handed out, pieces in use, and whether it is closed or unused.
const PIECE: u64 = 1 << 40;
const BYTES: u64 = PIECE - 1;
const CLOSED: u64 = 1 << 63;
/// Nobody's, or being set up or put away.
const NOBODYS: u64 = u64::MAX;
const PIECES: u64 = !(BYTES | CLOSED);

struct Promise {
    state: AtomicU64,
    memory: AtomicPtr<u8>,
    size: AtomicUsize,
    /// Counts the changes of the two, so that none takes one's address and the other's size.
    changes: AtomicUsize,
}

static PROMISES: [Promise; HOLDS] = [const {
    Promise {
        state: AtomicU64::new(NOBODYS),
        memory: AtomicPtr::new(ptr::null_mut()),
        size: AtomicUsize::new(0),
        changes: AtomicUsize::new(0),
    }
}; HOLDS];
/// How many there are, so that nobody looks for them where there are none.
static PROMISED: AtomicUsize = AtomicUsize::new(0);

/// A promise of memory; see [`hold`]. Ends when it is dropped.
#[derive(Debug)]
pub struct Hold {
    number: usize,
}

/// Promises that, until the [`Hold`] is dropped, allocations that the system refuses are served all the same, whatever their
/// sizes and whichever thread's, up to so many bytes, counted over all of them. For libraries that allocate what can't
/// fail: the caller knows how much that is.
///
/// The memory is fetched from the system now, and isn't touched unless it is needed. Pieces of it may outlive the promise.
///
/// # Errors
/// [`OutOfMemory`].
pub fn hold(bytes: usize) -> Result<Hold, OutOfMemory> {
    let refused = OutOfMemory { bytes };
    let layout = promise_layout(bytes).ok_or(refused)?;
    let free = |promise: &&Promise| promise.memory.load(Relaxed).is_null();
    // SAFETY: the layout isn't empty.
    let memory = without_reserve(|| unsafe { std::alloc::alloc(layout) });
    if memory.is_null() {
        return Err(refused);
    }
    // Memory that was lent can't be promised.
    if !is_lent(memory) {
        for (number, promise) in PROMISES.iter().enumerate().filter(|(_, promise)| free(promise)) {
            if promise.memory.compare_exchange(ptr::null_mut(), memory, Relaxed, Relaxed).is_ok() {
                promise.size.store(layout.size(), Relaxed);
                promise.changes.fetch_add(1, Release);
                PROMISED.fetch_add(1, Relaxed);
                promise.state.store(0, Release);
                return Ok(Hold { number });
            }
        }
    }
    // SAFETY: it was allocated above, with the layout.
    unsafe { std::alloc::dealloc(memory, layout) };
    Err(refused)
}

fn promise_layout(bytes: usize) -> Option<Layout> {
    let size = bytes.max(1).checked_next_multiple_of(ALIGN)?;
    Layout::from_size_align(size, 64).ok().filter(|layout| layout.size() as u64 <= BYTES)
}

impl Drop for Hold {
    fn drop(&mut self) {
        let promise = &PROMISES[self.number];
        if promise.state.fetch_or(CLOSED, AcqRel) & PIECES == 0 {
            promise.put_away();
        }
    }
}

impl Promise {
    /// Gives the memory back. Called once, by whoever has found it closed and without pieces.
    fn put_away(&self) {
        self.state.store(NOBODYS, Relaxed);
        PROMISED.fetch_sub(1, Relaxed);
        let layout = promise_layout(self.size.swap(0, AcqRel));
        self.changes.fetch_add(1, AcqRel);
        let memory = self.memory.swap(ptr::null_mut(), AcqRel);
        if let Some(layout) = layout {
            // SAFETY: `hold` has allocated it with this layout, and no piece of it is in use, nor will be: it is closed.
            unsafe { std::alloc::dealloc(memory, layout) };
        }
    }

    fn piece(&self, layout: Layout) -> Option<*mut u8> {
        let mut state = self.state.load(Acquire);
        loop {
            if state & CLOSED != 0 || state & PIECES == PIECES {
                return None;
            }
            let (memory, size) = (self.memory.load(Relaxed), self.size.load(Relaxed));
            let from =
                (memory.addr() + (state & BYTES) as usize).next_multiple_of(layout.align()) - memory.addr();
            let to = from.checked_add(layout.size()).filter(|&to| to <= size)?;
            let next = ((state & !BYTES) + PIECE) | to as u64;
            match self.state.compare_exchange_weak(state, next, AcqRel, Acquire) {
                // From here on it stays what it is. Before, it may have become another one's in the same state.
                Ok(_) if memory != self.memory.load(Acquire) || size != self.size.load(Acquire) => {
                    self.return_piece();
                    return None;
                }
                // SAFETY: `from` is within the memory, which stays while the piece is counted.
                Ok(_) => return Some(unsafe { memory.add(from) }),
                Err(now) => state = now,
            }
        }
    }

    /// Whether the address is of a piece in use.
    fn has(&self, address: *const u8) -> bool {
        let changes = self.changes.load(Acquire);
        let (memory, size) = (self.memory.load(Acquire), self.size.load(Acquire));
        // While a piece is in use nothing changes.
        address.addr().wrapping_sub(memory.addr()) < size && changes == self.changes.load(Relaxed)
    }

    fn return_piece(&self) {
        let mut state = self.state.load(Relaxed);
        loop {
            let left = state - PIECE;
            // All that was handed out is free again once nothing of it is in use.
            let next = if left & PIECES == 0 { left & CLOSED } else { left };
            match self.state.compare_exchange_weak(state, next, AcqRel, Relaxed) {
                Ok(_) if next == CLOSED => return self.put_away(),
                Ok(_) => return,
                Err(now) => state = now,
            }
        }
    }
}

/// What the system has refused.
#[cold]
#[inline(never)]
fn lend(layout: Layout) -> *mut u8 {
    if PROMISED.load(Relaxed) > 0
        && let Some(piece) = PROMISES.iter().find_map(|promise| promise.piece(layout))
    {
        return piece;
    }
    take_block(layout)
}

/// Whether the memory at the address, which is allocated, is lent.
#[inline]
fn is_lent(address: *const u8) -> bool {
    is_reserve(address) || PROMISED.load(Relaxed) > 0 && PROMISES.iter().any(|promise| promise.has(address))
}

#[cold]
#[inline(never)]
fn return_lent(address: *const u8) {
    if is_reserve(address) {
        give_back(address);
    } else if let Some(promise) = PROMISES.iter().find(|promise| promise.has(address)) {
        promise.return_piece();
    }
}

/// An allocator, usually [`System`](std::alloc::System), with the reserve behind it.
#[derive(Debug)]
pub struct Reserved<A>(pub A);

// SAFETY: what the allocator gives is passed on as it is. What it refuses is lent: a block or a piece of at least the layout's size
// at its alignment, nobody else's until it is returned. What is lent is told by its address, so that each is freed as it was
// allocated. Nothing unwinds.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Reserved<A> {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the same.
        let memory = unsafe { self.0.alloc(layout) };
        if memory.is_null() { lend(layout) } else { memory }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the same.
        let memory = unsafe { self.0.alloc_zeroed(layout) };
        if !memory.is_null() {
            return memory;
        }
        let memory = lend(layout);
        if !memory.is_null() {
            // SAFETY: so many bytes were lent.
            unsafe { memory.write_bytes(0, layout.size()) };
        }
        memory
    }

    #[inline]
    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        if is_lent(memory) {
            return return_lent(memory);
        }
        // SAFETY: it wasn't lent, so it came from there, with this layout.
        unsafe { self.0.dealloc(memory, layout) }
    }

    #[inline]
    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !is_lent(memory) {
            // SAFETY: the caller's promises are the same, and it came from there.
            let moved = unsafe { self.0.realloc(memory, layout, size) };
            if !moved.is_null() {
                return moved;
            }
        } else if size <= layout.size() || is_reserve(memory) && size <= CLASSES[block_at(memory).0].0 {
            return memory;
        }
        // SAFETY: the caller promises that the size is not 0 and doesn't overflow at this alignment; the old memory stays the
        // caller's until it is copied, and both are at least as long as what is copied.
        unsafe {
            let moved = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !moved.is_null() {
                moved.copy_from_nonoverlapping(memory, layout.size().min(size));
                self.dealloc(memory, layout);
            }
            moved
        }
    }
}
