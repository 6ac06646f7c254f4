//! Threads for bulk work: a few, for the length of one task, out of the way of the process they live in.
//!
//! A database server's process handles its signals in its main thread and expects to be alone. So the threads here block
//! every signal that can be meant for the process, live no longer than their [`Workers`], run nothing but what they are
//! given, and hand a panic back as an error. Nothing of rayon's global pool is ever started.

use crate::CodecError;
use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Barrier, Mutex};
use std::thread::JoinHandle;

/// The floating-point operations of a round, for each thread: well below 100 ms on a slow CPU.
const ROUND: u64 = 2_000_000_000;

/// Bytes of a list that the reserve can do without.
const SMALL: usize = 8 << 10;

/// A thread's stack.
const STACK_BYTES: usize = 2 << 20;

/// What else the C library maps for a thread in its first moments.
const SLACK_BYTES: usize = 64 << 10;

/// Threads for bulk work, or none of them: then the caller's does it.
///
/// Dropping waits for the threads to end, which are idle by then.
pub struct Workers {
    threads: usize,
    pool: Option<Pool>,
}

struct Pool {
    /// Taken when it is dropped, which tells the threads to end.
    rayon: Option<rayon::ThreadPool>,
    handles: Arc<Mutex<Vec<JoinHandle<()>>>>,
}

impl Workers {
    /// Starts so many threads; 1, or 0, starts none, and so does a system that has no memory for them: then the caller's
    /// thread does the work.
    ///
    /// # Errors
    /// [`CodecError::Threads`] if the signals can't be kept from them.
    pub fn new(threads: usize) -> Result<Self, CodecError> {
        let pool = if threads > 1 { Pool::start(threads)? } else { None };
        Ok(Self { threads: if pool.is_some() { threads } else { 1 }, pool })
    }

    /// How many threads can run at once on this machine, as far as it says.
    pub fn available() -> usize {
        std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
    }

    /// How many things are done at once.
    pub fn threads(&self) -> usize {
        self.threads
    }

    /// Does the job for each item, several at once; results are in the order of the items.
    ///
    /// The caller waits, so a caller that has other duties passes no more items at a time than it has time for.
    ///
    /// # Errors
    /// [`CodecError::WorkerPanicked`].
    pub fn map<I: Send, R: Send>(
        &self,
        items: Vec<I>,
        job: impl Fn(I) -> R + Sync + Send,
    ) -> Result<Vec<R>, CodecError> {
        // The library's lists of items and results.
        let lists = items.len().saturating_mul(size_of::<I>() + 2 * size_of::<R>());
        let _lists = if lists > SMALL { Some(tq_memory::hold(lists)?) } else { None };
        let work = || match self.pool.as_ref().and_then(|pool| pool.rayon.as_ref()) {
            Some(pool) => pool.install(|| items.into_par_iter().with_max_len(1).map(&job).collect()),
            None => items.into_iter().map(&job).collect(),
        };
        // What the job leaves half done is its own, and lost with it.
        catch_unwind(AssertUnwindSafe(work))
            .map_err(|payload| CodecError::WorkerPanicked { message: panic_message(&*payload) })
    }

    /// How many rows of an *n* × *d* matrix each thread may rotate before the caller looks at its other duties; a power of
    /// two, so that it divides into equal blocks.
    pub(crate) fn round_rows(dimension: usize) -> usize {
        let rows = ROUND / (2 * (dimension as u64).pow(2)).max(1);
        rows.clamp(16, 4096).next_power_of_two() as usize
    }
}

impl Pool {
    /// `None` if they can't be had.
    fn start(threads: usize) -> Result<Option<Self>, CodecError> {
        let handles = Arc::new(Mutex::new(Vec::new()));
        let started = handles.clone();
        let blocked = BlockedSignals::block()?;
        let rayon = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .spawn_handler(|thread| {
                make_room(threads)?;
                let builder = std::thread::Builder::new().name(format!("tinyquant {}", thread.index()));
                let begun = Arc::new(Barrier::new(2));
                let begins = Arc::clone(&begun);
                let handle = builder.stack_size(STACK_BYTES).spawn(move || {
                    crate::prepare_thread();
                    begins.wait();
                    thread.run();
                })?;
                begun.wait();
                if let Ok(mut handles) = started.lock() {
                    handles.push(handle);
                }
                Ok(())
            })
            .build();
        drop(blocked);
        if let Ok(rayon) = &rayon {
            // Each has taken what it needs for itself.
            rayon.broadcast(|_| ());
        }
        // Dropped without a pool, it waits for the threads that have been started, which have been told to end.
        let pool = Self { rayon: rayon.ok(), handles };
        Ok(Some(pool).filter(|pool| pool.rayon.is_some()))
    }
}

/// Makes sure that there is memory for a thread's stack and, behind it, for what the C library maps for the thread in its first
/// moments: for the variables that each thread has of its own. To be refused that is the end of the process. So threads start
/// one after the other, and nothing else goes on meanwhile.
fn make_room(threads: usize) -> std::io::Result<()> {
    memmap2::MmapMut::map_anon(STACK_BYTES + threads * SLACK_BYTES).map(drop)
}

impl Drop for Pool {
    fn drop(&mut self) {
        drop(self.rayon.take());
        let handles = self.handles.lock().map(|mut handles| std::mem::take(&mut *handles));
        for handle in handles.unwrap_or_default() {
            // A thread that panicked has told its caller.
            let _ = handle.join();
        }
    }
}

/// While it lives, the calling thread, and what it starts, has all signals blocked but those that a thread raises
/// itself by a fault: blocked, those would end the process without asking anyone.
struct BlockedSignals {
    before: SigSet,
}

impl BlockedSignals {
    fn block() -> Result<Self, CodecError> {
        let mut signals = SigSet::all();
        for fault in [Signal::SIGBUS, Signal::SIGSEGV, Signal::SIGFPE, Signal::SIGILL, Signal::SIGTRAP] {
            signals.remove(fault);
        }
        let before = signals
            .thread_swap_mask(SigmaskHow::SIG_BLOCK)
            .map_err(|error| CodecError::Threads { threads: 0, reason: error.to_string() })?;
        Ok(Self { before })
    }
}

impl Drop for BlockedSignals {
    fn drop(&mut self) {
        // Fails for an invalid argument alone, and this mask came from the system.
        let _ = self.before.thread_set_mask();
    }
}

fn panic_message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_string());
    text.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "unknown cause".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_in_order() {
        for threads in [0, 1, 2, 5] {
            let workers = Workers::new(threads).unwrap();
            assert_eq!(workers.threads(), threads.max(1));
            let squares = workers.map((0..1000).collect(), |i: u64| i * i).unwrap();
            assert_eq!(squares, (0..1000).map(|i| i * i).collect::<Vec<u64>>());
        }
    }

    #[test]
    fn work_is_done_at_once_and_elsewhere() {
        let workers = Workers::new(2).unwrap();
        let barrier = std::sync::Barrier::new(2);
        let threads = workers
            .map(vec![(), ()], |()| {
                // Neither passes before the other is here.
                barrier.wait();
                std::thread::current().id()
            })
            .unwrap();
        assert_ne!(threads[0], threads[1]);
        assert!(!threads.contains(&std::thread::current().id()));
    }

    #[test]
    fn panics_come_back_as_errors() {
        for threads in [1, 2] {
            let workers = Workers::new(threads).unwrap();
            let job = |i: u32| if i == 3 { panic!("item {i}") } else { i };
            assert_eq!(
                workers.map((0..8).collect(), job),
                Err(CodecError::WorkerPanicked { message: "item 3".into() })
            );
            // The threads are still there.
            assert_eq!(workers.map(vec![1, 2], job), Ok(vec![1, 2]));
        }
    }

    #[test]
    fn threads_block_signals_and_the_caller_keeps_its_mask() {
        let before = SigSet::thread_get_mask().unwrap();
        let workers = Workers::new(2).unwrap();
        assert_eq!(SigSet::thread_get_mask().unwrap(), before);
        let masks = workers.map(vec![(), ()], |()| SigSet::thread_get_mask().unwrap()).unwrap();
        for mask in masks {
            for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGUSR1, Signal::SIGALRM, Signal::SIGQUIT]
            {
                assert!(mask.contains(signal), "{signal}");
            }
            for fault in [Signal::SIGBUS, Signal::SIGSEGV] {
                assert!(!mask.contains(fault), "{fault}");
            }
        }
    }

    #[test]
    fn threads_end_with_their_workers() {
        let count = || std::fs::read_dir("/proc/self/task").map(Iterator::count).unwrap_or(0);
        let named = || {
            let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
            tasks
                .filter_map(|task| std::fs::read_to_string(task.path().join("comm")).ok())
                .filter(|name| name.trim() == "tinyquant 6")
                .count()
        };
        if count() == 0 {
            eprintln!("SKIPPED: no /proc here");
            return;
        }
        let workers = Workers::new(7).unwrap();
        // All have begun, and so have their names.
        let barrier = std::sync::Barrier::new(7);
        workers.map(vec![(); 7], |()| barrier.wait().is_leader()).unwrap();
        assert_eq!(named(), 1);
        drop(workers);
        // The system forgets an ended thread a moment after whoever joins it hears of the end.
        while named() > 0 {
            std::thread::yield_now();
        }
    }
}
