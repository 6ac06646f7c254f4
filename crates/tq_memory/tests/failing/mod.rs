//! An allocator that fails on demand, and a loop over all allocations of an operation.
//!
//! It counts every thread's allocations, so a test binary has one test.

#![allow(unsafe_code, dead_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::error::Error;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use tq_memory::{OutOfMemory, Reserved};

/// The program's allocator: the reserve behind one that fails.
#[global_allocator]
static ALLOCATOR: Reserved<Failing> = Reserved(Failing);

pub(crate) struct Failing;

/// The allocation that fails; 0 for none.
static FAILS: AtomicUsize = AtomicUsize::new(0);
/// Whether those after it fail, too.
static GOES_ON: AtomicBool = AtomicBool::new(false);
/// Smaller ones don't count.
static LEAST: AtomicUsize = AtomicUsize::new(1);
static SEEN: AtomicUsize = AtomicUsize::new(0);

impl Failing {
    fn refuses(&self, size: usize) -> bool {
        let fails = FAILS.load(SeqCst);
        if fails == 0 || size < LEAST.load(SeqCst) {
            return false;
        }
        let number = SEEN.fetch_add(1, SeqCst) + 1;
        number == fails || number > fails && GOES_ON.load(SeqCst)
    }
}

// SAFETY: the system's allocator, or null, which every caller must expect.
unsafe impl GlobalAlloc for Failing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises are the same.
        if self.refuses(layout.size()) { std::ptr::null_mut() } else { unsafe { System.alloc(layout) } }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        // SAFETY: it came from there.
        unsafe { System.dealloc(memory, layout) }
    }

    unsafe fn realloc(&self, memory: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // The system makes smaller in place.
        if size > layout.size() && self.refuses(size) {
            return std::ptr::null_mut();
        }
        // SAFETY: the caller's promises are the same.
        unsafe { System.realloc(memory, layout, size) }
    }
}

/// Waits until the thread that started the test does nothing: it has lists to keep once a test runs, and what it allocates would be
/// refused, or lent, among the test's. A thread that can run, but has no processor, isn't asleep.
fn settle() {
    static SETTLED: std::sync::Once = std::sync::Once::new();
    SETTLED.call_once(|| {
        let main = format!("/proc/self/task/{}/stat", std::process::id());
        let mut asleep = 0;
        // Where the test runs in that thread, it never is.
        for _ in 0..1000 {
            let stat = std::fs::read_to_string(&main).unwrap_or_default();
            let sleeps = stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('S'));
            asleep = if sleeps { asleep + 1 } else { 0 };
            if asleep == 10 {
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    });
}

/// Runs `work` while the `n`-th allocation of at least `least` bytes fails, and perhaps all after it; tells whether it came
/// to that.
pub(crate) fn while_failing<R>(n: usize, goes_on: bool, least: usize, work: impl FnOnce() -> R) -> (R, bool) {
    settle();
    SEEN.store(0, SeqCst);
    LEAST.store(least, SeqCst);
    GOES_ON.store(goes_on, SeqCst);
    FAILS.store(n, SeqCst);
    let result = work();
    FAILS.store(0, SeqCst);
    (result, SEEN.load(SeqCst) >= n)
}

/// How often what happened.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Counts {
    pub(crate) operations: usize,
    pub(crate) allocations: usize,
    pub(crate) errors: usize,
    pub(crate) successes: usize,
}

/// How many of an operation's allocations fail in turn, unless `EVERY_ALLOCATION` is set: a long operation has thousands that are
/// much the same.
const MOST: usize = 120;

/// The allocations of `total` that fail in turn: all if they aren't many, else the first and the last and some evenly between.
fn moments(total: usize) -> Vec<usize> {
    if total <= MOST || std::env::var_os("EVERY_ALLOCATION").is_some() {
        return (1..=total).collect();
    }
    let ends = MOST / 3;
    let middle = total - 2 * ends;
    let between = (0..MOST - 2 * ends).map(|i| ends + 1 + i * middle / (MOST - 2 * ends));
    (1..=ends).chain(between).chain(total - ends + 1..=total).collect()
}

impl Counts {
    /// Lets allocations of an operation fail in turn, by themselves and with all after them. `is_memory` tells whether an error is
    /// about memory, which each must be.
    pub(crate) fn check<T, E: Error + 'static>(
        &mut self,
        name: &str,
        is_memory: impl Fn(&(dyn Error + 'static)) -> bool,
        mut work: impl FnMut() -> Result<T, E>,
    ) {
        // What is made once for the process.
        work().unwrap_or_else(|error| panic!("{name}: {error}"));
        self.operations += 1;
        // None fails, and all are counted.
        let _ = while_failing(usize::MAX, false, 1, || work().map(drop));
        let total = SEEN.load(SeqCst);
        for goes_on in [false, true] {
            for n in moments(total) {
                let (result, hit) = while_failing(n, goes_on, 1, || work().map(drop));
                // Threads share work as it comes, so the last ones may stay away.
                if !hit {
                    break;
                }
                self.allocations += 1;
                match result {
                    Ok(()) => self.successes += 1,
                    Err(error) => {
                        self.errors += 1;
                        let mut next: Option<&(dyn Error + 'static)> = Some(&error);
                        while let Some(error) = next.filter(|error| !told(*error) && !is_memory(*error)) {
                            next = error.source();
                        }
                        assert!(next.is_some(), "{name}, allocation {n}: {error}");
                    }
                }
            }
        }
        // Lists of threads that have ended are freed by those that come later.
        let lent = tq_memory::lent_bytes();
        assert!(lent < tq_memory::RESERVE_BYTES / 8, "{name} keeps {lent} bytes of the reserve");
        let _ = tq_memory::check();
    }
}

fn told(error: &(dyn Error + 'static)) -> bool {
    let system = error.downcast_ref::<std::io::Error>();
    error.is::<OutOfMemory>() || system.is_some_and(|error| error.kind() == std::io::ErrorKind::OutOfMemory)
}
