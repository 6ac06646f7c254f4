//! Making SIGBUS in our own mappings survivable.
//!
//! Reading a mapped page that its file no longer has raises SIGBUS in the reading thread. While at least one
//! [`HandlerGuard`] lives, a handler looks the faulting address up in a table of registered mappings. If it is ours,
//! anonymous zero pages are put over the rest of that mapping, its flag is set, and the read goes on, seeing zeros; the
//! reader looks at the flag before it believes anything. Every other SIGBUS goes to whoever handled it before.
//!
//! The handler may interrupt anything, so it uses atomics and three system calls (mmap, sigaction, raise) and nothing
//! else. The table is made of them too, with a sequence number a slot (odd while it is written), so that a fault never
//! sees the bounds of two mappings mixed up.
//!
//! A thread that blocks SIGBUS can't be helped: the kernel kills the process on a synchronous signal that is blocked.
//! Threads that read mappings may block every other signal.
#![allow(unsafe_code)]

use std::io;
use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use libc::{c_int, c_void, siginfo_t};

/// Most mappings at one time. A session reads one or two files; a table of fixed size needs no memory in the handler.
pub(crate) const MAX_MAPPINGS: usize = 256;

struct Slot {
    sequence: AtomicUsize,
    /// First address, 0 when the slot is free.
    start: AtomicUsize,
    /// One past the last address, at a page boundary.
    end: AtomicUsize,
    faulted: AtomicBool,
}

static SLOTS: [Slot; MAX_MAPPINGS] = [const {
    Slot {
        sequence: AtomicUsize::new(0),
        start: AtomicUsize::new(0),
        end: AtomicUsize::new(0),
        faulted: AtomicBool::new(false),
    }
}; MAX_MAPPINGS];

/// Serialises everyone who changes the table; the handler only reads it.
static TABLE: Mutex<()> = Mutex::new(());

/// A mapping's place in the table; leaves it when dropped. The mapping must outlive it.
#[derive(Debug)]
pub(crate) struct Registration(usize);

impl Registration {
    /// Enters the mapping of `len` bytes at `start`, a page boundary; `None` when the table is full.
    ///
    /// # Safety
    /// `start..start + len`, rounded up to whole pages, must be one mapping that belongs to the caller, is read only,
    /// and stays mapped as long as the registration lives: the handler may replace its pages.
    pub(crate) unsafe fn new(start: *const u8, len: usize) -> Option<Self> {
        let _lock = lock(&TABLE);
        let index = SLOTS.iter().position(|slot| slot.start.load(Ordering::Relaxed) == 0)?;
        let slot = &SLOTS[index];
        slot.faulted.store(false, Ordering::Relaxed);
        slot.set(start.addr(), start.addr() + len.next_multiple_of(page_size()));
        Some(Registration(index))
    }

    /// Whether a page of the mapping could not be read. Stays set: the pages put in its place stay too.
    pub(crate) fn faulted(&self) -> bool {
        SLOTS[self.0].faulted.load(Ordering::Acquire)
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let _lock = lock(&TABLE);
        SLOTS[self.0].set(0, 0);
    }
}

impl Slot {
    /// Changes the bounds, the table's lock being held.
    fn set(&self, start: usize, end: usize) {
        self.sequence.fetch_add(1, Ordering::SeqCst);
        self.start.store(start, Ordering::SeqCst);
        self.end.store(end, Ordering::SeqCst);
        self.sequence.fetch_add(1, Ordering::SeqCst);
    }

    /// The bounds as they were at one moment.
    fn bounds(&self) -> (usize, usize) {
        loop {
            let before = self.sequence.load(Ordering::SeqCst);
            let bounds = (self.start.load(Ordering::SeqCst), self.end.load(Ordering::SeqCst));
            if before.is_multiple_of(2) && self.sequence.load(Ordering::SeqCst) == before {
                return bounds;
            }
            // Another thread is between two stores: a thread that faults on a mapping isn't the one that writes here.
            std::hint::spin_loop();
        }
    }
}

/// The action that was in place before ours, for the handler, which may not take the lock.
static PREVIOUS_ACTION: AtomicUsize = AtomicUsize::new(libc::SIG_DFL);
static PREVIOUS_FLAGS: AtomicI32 = AtomicI32::new(0);

struct Installation {
    guards: usize,
    /// What to restore; `Some` while our handler is in place or someone who came later may still call it.
    previous: Option<libc::sigaction>,
}

static INSTALLATION: Mutex<Installation> = Mutex::new(Installation { guards: 0, previous: None });

/// Keeps the handler installed. Guards nest and may be made and dropped on any thread, in any order.
#[derive(Debug)]
pub(crate) struct HandlerGuard(());

impl HandlerGuard {
    /// Installs the handler, unless another guard has.
    ///
    /// # Errors
    /// When the system refuses the handler.
    pub(crate) fn new() -> io::Result<Self> {
        let mut installation = lock(&INSTALLATION);
        if installation.guards == 0 {
            let current = query()?;
            let foreign = ![libc::SIG_DFL, libc::SIG_IGN, our_action()].contains(&current.sa_sigaction);
            // A handler that was put over ours and kept when we left calls ours in turn; over it, ours would call it
            // for ever.
            let chained = installation.previous.is_some() && foreign;
            if current.sa_sigaction != our_action() && !chained {
                PREVIOUS_FLAGS.store(current.sa_flags, Ordering::SeqCst);
                PREVIOUS_ACTION.store(current.sa_sigaction, Ordering::SeqCst);
                let mut action = current;
                action.sa_sigaction = our_action();
                // On the alternate stack if the thread has one, as whoever is called next may expect.
                action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_RESTART;
                install(&action)?;
                installation.previous = Some(current);
            }
        }
        installation.guards += 1;
        Ok(HandlerGuard(()))
    }
}

impl Drop for HandlerGuard {
    fn drop(&mut self) {
        let mut installation = lock(&INSTALLATION);
        installation.guards -= 1;
        if installation.guards == 0
            && let Some(previous) = installation.previous
            && query().is_ok_and(|current| current.sa_sigaction == our_action())
            && install(&previous).is_ok()
        {
            installation.previous = None;
        }
    }
}

fn our_action() -> usize {
    on_sigbus as extern "C" fn(c_int, *mut siginfo_t, *mut c_void) as usize
}

fn query() -> io::Result<libc::sigaction> {
    let mut current = MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: a null action only queries; `current` is writable and of the right type.
    if unsafe { libc::sigaction(libc::SIGBUS, ptr::null(), current.as_mut_ptr()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call succeeded and so filled it.
    Ok(unsafe { current.assume_init() })
}

fn install(action: &libc::sigaction) -> io::Result<()> {
    // SAFETY: `action` is either what `query` returned or that with our handler, whose signature is the one that
    // SA_SIGINFO asks for.
    match unsafe { libc::sigaction(libc::SIGBUS, action, ptr::null_mut()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

extern "C" fn on_sigbus(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    // SAFETY: with SA_SIGINFO the kernel passes a valid siginfo.
    let code = unsafe { (*info).si_code };
    // Only this code comes with an address that failed to load; a kill() comes with none.
    if code == libc::BUS_ADRERR {
        // SAFETY: as above, and the address field is filled for this code.
        let address = unsafe { (*info).si_addr() }.addr();
        if SLOTS.iter().any(|slot| slot.cover(address)) {
            return;
        }
    }
    pass_on(signal, info, context, code);
}

impl Slot {
    /// If the address is in this mapping, replaces its page and those after it, which fail likewise when a file was cut
    /// off, by zeros.
    fn cover(&self, address: usize) -> bool {
        let (start, end) = self.bounds();
        if !(start..end).contains(&address) {
            return false;
        }
        // Pages are replaced after the flag is set: who reads a zero can find out why.
        self.faulted.store(true, Ordering::SeqCst);
        let page = address & !(page_size() - 1);
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED;
        // SAFETY: `page..end` lies in a registered mapping, which its owner vouches is its own, read only and still
        // mapped. Read-only anonymous pages in its place keep every pointer into it readable.
        let mapped = unsafe { libc::mmap(page as *mut c_void, end - page, libc::PROT_READ, flags, -1, 0) };
        mapped != libc::MAP_FAILED
    }
}

/// Does with the signal what would have been done without us.
fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void, code: c_int) {
    let action = PREVIOUS_ACTION.load(Ordering::SeqCst);
    match action {
        // Someone's kill() that was to be ignored; a real fault can't be.
        libc::SIG_IGN if code <= 0 => {}
        libc::SIG_DFL | libc::SIG_IGN => {
            // SAFETY: all-zero is a valid sigaction: SIG_DFL, no flags, empty mask.
            let default = unsafe { MaybeUninit::<libc::sigaction>::zeroed().assume_init() };
            let _ = install(&default);
            // SAFETY: async-signal-safe. Blocked until we return, then it ends the process at the faulting instruction.
            unsafe { libc::raise(signal) };
        }
        _ if PREVIOUS_FLAGS.load(Ordering::SeqCst) & libc::SA_SIGINFO != 0 => {
            // SAFETY: installed by someone with SA_SIGINFO, so it has this signature.
            let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) =
                unsafe { std::mem::transmute(action) };
            handler(signal, info, context);
        }
        _ => {
            // SAFETY: installed by someone without SA_SIGINFO, so it has this signature.
            let handler: extern "C" fn(c_int) = unsafe { std::mem::transmute(action) };
            handler(signal);
        }
    }
}

/// Bytes of a page, remembered when the first mapping is registered: the handler mustn't ask.
fn page_size() -> usize {
    static SIZE: AtomicUsize = AtomicUsize::new(0);
    match SIZE.load(Ordering::Relaxed) {
        0 => {
            // SAFETY: takes a constant, touches no memory of ours.
            let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
            let size = usize::try_from(size).unwrap_or(4096);
            SIZE.store(size, Ordering::Relaxed);
            size
        }
        size => size,
    }
}

/// Neither mutex guards anything that a panic could leave half done.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
