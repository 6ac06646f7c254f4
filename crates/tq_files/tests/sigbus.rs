//! Files that change under the mapping: the process lives, the reader is told, and faults that aren't ours go on to
//! whoever handled them before. What may end the process runs in a child.
#![allow(unsafe_code)]

use std::fs::{self, File, OpenOptions};
use std::mem::MaybeUninit;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};
use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use tempfile::TempDir;
use tq_files::{FileError, MappedFile};

fn page() -> usize {
    // SAFETY: takes a constant, touches no memory of ours.
    usize::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap()
}

struct Sample {
    _folder: TempDir,
    path: PathBuf,
}

impl Sample {
    fn new(pages: usize) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("data");
        fs::write(&path, vec![0xAB; pages * page()]).unwrap();
        Sample { _folder: folder, path }
    }

    fn file(&self) -> File {
        OpenOptions::new().write(true).open(&self.path).unwrap()
    }

    fn cut(&self, len: usize) {
        self.file().set_len(len as u64).unwrap();
    }

    fn open(&self) -> MappedFile {
        MappedFile::open(&self.path).unwrap()
    }
}

#[test]
fn truncated_while_mapped() {
    let sample = Sample::new(4);
    let file = sample.open();
    let guard = file.guard().unwrap();
    assert_eq!(guard.bytes()[3 * page()], 0xAB);
    guard.check().unwrap();
    sample.cut(page() + 10);
    assert!(!guard.faulted());
    assert_eq!(guard.bytes()[0], 0xAB, "what is left can be read");
    assert_eq!(guard.bytes()[2 * page() + 5], 0, "what is gone is zero");
    assert!(guard.faulted());
    assert_eq!(guard.bytes()[4 * page() - 1], 0);
    let (expected, got) = (4 * page() as u64, page() as u64 + 10);
    let error = guard.check().unwrap_err();
    assert!(
        matches!(error, FileError::Truncated { expected: e, got: g, .. } if (e, g) == (expected, got)),
        "{error}"
    );
    drop(guard);
    assert!(matches!(file.read(|bytes| bytes[0]), Err(FileError::Truncated { .. })), "and stays so");
}

/// The rest of the last page reads as zeros without any fault.
#[test]
fn truncated_within_a_page() {
    let sample = Sample::new(1);
    let file = sample.open();
    let result = file.read(|bytes| {
        sample.cut(100);
        bytes[200]
    });
    assert!(matches!(result, Err(FileError::Truncated { got: 100, .. })));
    assert!(!file.guard().unwrap().faulted());
}

#[test]
fn every_page_from_the_last_to_the_first() {
    let sample = Sample::new(300);
    let file = sample.open();
    let result = file.read(|bytes| {
        sample.cut(0);
        bytes.iter().rev().step_by(page()).map(|byte| u64::from(*byte)).sum::<u64>()
    });
    assert!(matches!(result, Err(FileError::Truncated { got: 0, .. })));
}

#[test]
fn grown_or_rewritten_is_changed() {
    let sample = Sample::new(2);
    let file = sample.open();
    sample.cut(3 * page());
    assert!(matches!(file.read(|bytes| bytes.len()), Err(FileError::Changed { .. })));

    let file = sample.open();
    let modified = fs::metadata(&sample.path).unwrap().modified().unwrap();
    sample.file().set_modified(modified + std::time::Duration::from_millis(1)).unwrap();
    assert!(matches!(file.read(|bytes| bytes.len()), Err(FileError::Changed { .. })));
    sample.file().set_modified(modified).unwrap();
    assert_eq!(file.read(|bytes| bytes.len()).unwrap(), 3 * page());
}

#[test]
fn missing_page_of_an_unchanged_file_is_unreadable() {
    let sample = Sample::new(2);
    let modified = fs::metadata(&sample.path).unwrap().modified().unwrap();
    let file = sample.open();
    let guard = file.guard().unwrap();
    sample.cut(0);
    assert_eq!(guard.bytes()[page()], 0);
    sample.cut(2 * page());
    sample.file().set_modified(modified).unwrap();
    assert!(matches!(guard.check(), Err(FileError::Unreadable { .. })));
}

#[test]
fn nested_guards_and_two_mappings() {
    let (whole, cut) = (Sample::new(3), Sample::new(3));
    let (whole_file, cut_file) = (whole.open(), cut.open());
    let twin = cut.open();
    let outer = whole_file.guard().unwrap();
    {
        let inner = cut_file.guard().unwrap();
        let innermost = cut_file.guard().unwrap();
        cut.cut(0);
        assert_eq!(innermost.bytes()[0], 0);
        assert!(inner.faulted() && innermost.faulted());
        drop(inner);
        assert_eq!(innermost.bytes()[2 * page()], 0);
    }
    assert!(!outer.faulted(), "only the mapping that missed a page is marked");
    assert_eq!(outer.bytes()[2 * page()], 0xAB);
    outer.check().unwrap();
    // Another mapping of the same file has pages, and a mark, of its own, and the handler is still there for it.
    let guard = twin.guard().unwrap();
    assert!(!guard.faulted());
    assert_eq!(guard.bytes()[page()], 0);
    assert!(guard.faulted());
}

#[test]
fn threads_share_a_guard() {
    let sample = Sample::new(64);
    let file = sample.open();
    let guard = file.guard().unwrap();
    sample.cut(page());
    let start = Barrier::new(4);
    let sums: Vec<u64> = thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|i| {
                let (guard, start) = (&guard, &start);
                scope.spawn(move || {
                    block_all_but_sigbus();
                    start.wait();
                    let pages = guard.bytes().chunks(page()).skip(1 + i).step_by(4);
                    pages.map(|page| page.iter().map(|byte| u64::from(*byte)).sum::<u64>()).sum()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(sums, [0; 4]);
    assert!(matches!(guard.check(), Err(FileError::Truncated { .. })));
}

#[test]
fn threads_with_files_of_their_own() {
    thread::scope(|scope| {
        for i in 0..8 {
            scope.spawn(move || {
                for round in 0..50 {
                    let sample = Sample::new(2);
                    let file = sample.open();
                    let cut = (i + round) % 2 == 0;
                    let result = file.read(|bytes| {
                        if cut {
                            sample.cut(page());
                        }
                        bytes[page()]
                    });
                    match result {
                        Ok(byte) => assert!(!cut && byte == 0xAB),
                        Err(FileError::Truncated { .. }) => assert!(cut),
                        Err(error) => panic!("{error}"),
                    }
                }
            });
        }
    });
}

#[test]
fn panic_in_the_reader_leaves_nothing_behind() {
    let sample = Sample::new(2);
    let file = sample.open();
    let result = std::panic::catch_unwind(|| file.read(|_| std::panic::resume_unwind(Box::new(()))));
    assert!(result.is_err());
    assert_eq!(file.read(|bytes| bytes[page()]).unwrap(), 0xAB);
}

fn block_all_but_sigbus() {
    let mut set = MaybeUninit::<libc::sigset_t>::uninit();
    // SAFETY: `set` is writable and filled by the first call before the others use it.
    unsafe {
        libc::sigfillset(set.as_mut_ptr());
        libc::sigdelset(set.as_mut_ptr(), libc::SIGBUS);
        assert_eq!(libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), std::ptr::null_mut()), 0);
    }
}

// Scenarios that may end the process or that need its signal handlers for themselves.

const SCENARIO: &str = "TQ_CORPUS_SIGBUS_SCENARIO";

fn run(scenario: &str) -> ExitStatus {
    // The child doesn't live to clean up after itself.
    let folder = TempDir::new().unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "scenario", "--nocapture"])
        .env(SCENARIO, scenario)
        .env("TMPDIR", folder.path())
        .output()
        .unwrap();
    eprintln!("{}", String::from_utf8_lossy(&output.stderr));
    output.status
}

#[test]
fn foreign_fault_ends_the_process_as_ever() {
    assert_eq!(run("foreign_default").signal(), Some(libc::SIGBUS));
    assert_eq!(run("foreign_ignored").signal(), Some(libc::SIGBUS));
    assert_eq!(run("foreign_kill").signal(), Some(libc::SIGBUS));
}

#[test]
fn foreign_fault_reaches_the_previous_handler() {
    assert_eq!(run("foreign_handler").code(), Some(42));
    assert_eq!(run("foreign_plain_handler").code(), Some(43));
}

#[test]
fn unguarded_fault_is_not_handled() {
    assert_eq!(run("after_guard").signal(), Some(libc::SIGBUS));
}

#[test]
fn handlers_are_restored_and_chained() {
    for scenario in ["ignored_kill", "restored", "handler_on_top", "table_full"] {
        assert_eq!(run(scenario).code(), Some(0), "{scenario}");
    }
}

#[test]
#[ignore = "run by other tests, in a process of its own"]
fn scenario() {
    let Ok(name) = std::env::var(SCENARIO) else {
        eprintln!("SKIPPED: scenario ({SCENARIO} not set)");
        return;
    };
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `none` is a valid rlimit. Processes that end as intended leave no core files.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) };
    match name.as_str() {
        "foreign_default" => foreign_fault(libc::SIG_DFL, 0),
        "foreign_ignored" => foreign_fault(libc::SIG_IGN, 0),
        "foreign_handler" => foreign_fault(exit_42 as *const () as usize, libc::SA_SIGINFO),
        "foreign_plain_handler" => foreign_fault(exit_43 as *const () as usize, 0),
        "foreign_kill" => guarded_kill(libc::SIG_DFL),
        "ignored_kill" => guarded_kill(libc::SIG_IGN),
        "after_guard" => after_guard(),
        "restored" => restored(),
        "handler_on_top" => handler_on_top(),
        "table_full" => table_full(),
        _ => panic!("no scenario {name}"),
    }
}

fn set_handler(action: usize, flags: i32) {
    // SAFETY: zeros are a valid sigaction; the callers pass a handler of the signature that the flags ask for.
    unsafe {
        let mut new = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        new.sa_sigaction = action;
        new.sa_flags = flags;
        assert_eq!(libc::sigaction(libc::SIGBUS, &new, std::ptr::null_mut()), 0);
    }
}

fn handler() -> (usize, i32) {
    // SAFETY: zeros are a valid sigaction and the call only fills it.
    unsafe {
        let mut old = MaybeUninit::<libc::sigaction>::zeroed().assume_init();
        assert_eq!(libc::sigaction(libc::SIGBUS, std::ptr::null(), &mut old), 0);
        (old.sa_sigaction, old.sa_flags & (libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER))
    }
}

extern "C" fn exit_42(_: i32, _: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: async-signal-safe.
    unsafe { libc::_exit(42) }
}

extern "C" fn exit_43(_: i32) {
    // SAFETY: async-signal-safe.
    unsafe { libc::_exit(43) }
}

/// Reads a missing page of a mapping that no guard knows.
fn fault_elsewhere() -> u8 {
    let sample = Sample::new(2);
    // SAFETY: the mapping is read once, below, on purpose after its file was cut off.
    let map = unsafe { memmap2::Mmap::map(&File::open(&sample.path).unwrap()).unwrap() };
    sample.cut(0);
    std::hint::black_box(map[page()])
}

fn foreign_fault(action: usize, flags: i32) {
    set_handler(action, flags);
    let sample = Sample::new(2);
    let file = sample.open();
    let guard = file.guard().unwrap();
    // Ours is handled first, so that the handler is known to be in place.
    sample.cut(0);
    assert_eq!(guard.bytes()[0], 0);
    fault_elsewhere();
}

fn guarded_kill(action: usize) {
    set_handler(action, 0);
    let sample = Sample::new(2);
    let file = sample.open();
    let guard = file.guard().unwrap();
    // SAFETY: sends a signal to this thread, touches no memory.
    unsafe { libc::raise(libc::SIGBUS) };
    guard.check().unwrap();
    drop(guard);
    assert_eq!(handler().0, action);
}

fn after_guard() {
    set_handler(libc::SIG_DFL, 0);
    let sample = Sample::new(2);
    let file = sample.open();
    file.read(|bytes| assert_eq!(bytes[0], 0xAB)).unwrap();
    fault_elsewhere();
}

fn restored() {
    set_handler(exit_42 as *const () as usize, libc::SA_SIGINFO | libc::SA_NODEFER);
    let before = handler();
    let (one, two) = (Sample::new(1).open(), Sample::new(1).open());
    assert_eq!(handler(), before, "a mapping alone installs nothing");
    let first = one.guard().unwrap();
    let ours = handler();
    assert_ne!(ours.0, before.0);
    let second = two.guard().unwrap();
    drop(first);
    assert_eq!(handler(), ours, "still needed by the second guard");
    drop(second);
    assert_eq!(handler(), before);
}

static BELOW: AtomicUsize = AtomicUsize::new(0);
static PASSED_DOWN: AtomicUsize = AtomicUsize::new(0);

/// A handler someone puts over ours, which passes everything down.
extern "C" fn on_top(signal: i32, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    if PASSED_DOWN.fetch_add(1, Ordering::SeqCst) > 10 {
        // SAFETY: async-signal-safe. The two handlers call each other in turn.
        unsafe { libc::_exit(99) }
    }
    // SAFETY: holds the handler found in place, which was installed with SA_SIGINFO.
    let below: extern "C" fn(i32, *mut libc::siginfo_t, *mut libc::c_void) =
        unsafe { std::mem::transmute(BELOW.load(Ordering::SeqCst)) };
    below(signal, info, context);
}

fn handler_on_top() {
    set_handler(libc::SIG_DFL, 0);
    let (one, two) = (Sample::new(2), Sample::new(2));
    let (file, other) = (one.open(), two.open());
    let guard = file.guard().unwrap();
    BELOW.store(handler().0, Ordering::SeqCst);
    let top = on_top as *const () as usize;
    set_handler(top, libc::SA_SIGINFO);
    one.cut(0);
    assert_eq!(guard.bytes()[0], 0);
    assert_eq!(PASSED_DOWN.load(Ordering::SeqCst), 1);
    drop(guard);
    assert_eq!(handler().0, top, "not ours to remove");
    let guard = other.guard().unwrap();
    assert_eq!(handler().0, top, "nor to cover: it calls ours");
    two.cut(0);
    assert_eq!(guard.bytes()[0], 0);
    assert!(guard.faulted());
    assert_eq!(PASSED_DOWN.load(Ordering::SeqCst), 2);
}

fn table_full() {
    let sample = Sample::new(1);
    let path: &Path = &sample.path;
    let mut files: Vec<MappedFile> = Vec::new();
    let limit = loop {
        match MappedFile::open(path) {
            Ok(file) => files.push(file),
            Err(FileError::TooManyMapped { limit, .. }) => break limit,
            Err(error) => panic!("{error}"),
        }
    };
    assert_eq!(files.len(), limit);
    files.pop();
    let last = MappedFile::open(path).unwrap();
    assert_eq!(last.read(|bytes| bytes[0]).unwrap(), 0xAB);
}
