//! A file mapped for reading, whose bytes can only be had through a guard.
//!
//! Opening never blocks and takes regular files only. Afterwards another process may still cut the file off, rewrite it
//! or pull the disk out; [`MapGuard`] makes all of that harmless and [`MapGuard::check`] tells it, so the rule for
//! readers is: read a batch, check, and only then believe it.
#![allow(unsafe_code)]

use std::fs::{File, Metadata};
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use memmap2::{Advice, Mmap, UncheckedAdvice};

use super::error::FileError;
use super::guard::{HandlerGuard, MAX_MAPPINGS, Registration};
use super::read::open_regular;

/// Pages are released so many bytes at a time; a multiple of every page size.
const RELEASE_BYTES: u64 = 8 << 20;

/// A regular file, open and mapped read-only in its whole length.
#[derive(Debug)]
pub struct MappedFile {
    path: PathBuf,
    file: File,
    opened: State,
    /// `None` for an empty file, which can't be mapped.
    mapping: Option<Mapping>,
    /// Where [`release_below`](Self::release_below) was last.
    released: AtomicU64,
}

/// Fields drop in order: the mapping leaves the guard's table before it goes.
#[derive(Debug)]
struct Mapping {
    registration: Registration,
    map: Mmap,
}

/// What tells that a file isn't any more what it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct State {
    len: u64,
    modified: (i64, i64),
}

impl State {
    fn of(metadata: &Metadata) -> Self {
        State { len: metadata.len(), modified: (metadata.mtime(), metadata.mtime_nsec()) }
    }
}

impl MappedFile {
    /// Opens and maps the file at `path`, to be read front to back in the main.
    ///
    /// # Errors
    /// [`FileError::Io`] with what the system says, [`IsDirectory`](FileError::IsDirectory),
    /// [`NotRegular`](FileError::NotRegular), [`TooLarge`](FileError::TooLarge) or
    /// [`TooManyMapped`](FileError::TooManyMapped).
    pub fn open(path: &Path) -> Result<Self, FileError> {
        let (file, metadata) = open_regular(path)?;
        let opened = State::of(&metadata);
        let len = usize::try_from(opened.len).ok().filter(|len| isize::try_from(*len).is_ok());
        let len = len.ok_or(FileError::TooLarge { path: path.to_owned(), size: opened.len })?;
        let mapping = match len {
            0 => None,
            _ => Some(Mapping::new(&file, len, path)?),
        };
        Ok(MappedFile { path: path.to_owned(), file, opened, mapping, released: AtomicU64::new(0) })
    }

    /// The path it was opened by.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Bytes of the file when it was opened, which are those of the mapping.
    pub fn len(&self) -> u64 {
        self.opened.len
    }

    /// Whether the file was empty when it was opened.
    pub fn is_empty(&self) -> bool {
        self.opened.len == 0
    }

    /// Makes the bytes readable for as long as the guard lives. Guards nest, and are cheap: the first of a process
    /// and its end cost four system calls, another while it lives none.
    ///
    /// # Errors
    /// [`FileError::Io`] when the system refuses the signal handler.
    pub fn guard(&self) -> Result<MapGuard<'_>, FileError> {
        match HandlerGuard::new() {
            Ok(handler) => Ok(MapGuard { file: self, _handler: handler }),
            Err(source) => Err(FileError::Io { path: self.path.clone(), op: "guard", source }),
        }
    }

    /// Runs `f` on the bytes under a guard and returns what it does, unless the file changed meanwhile.
    ///
    /// # Errors
    /// Those of [`guard`](Self::guard) and of [`MapGuard::check`].
    pub fn read<R>(&self, f: impl FnOnce(&[u8]) -> R) -> Result<R, FileError> {
        let guard = self.guard()?;
        let result = f(guard.bytes());
        guard.check()?;
        Ok(result)
    }

    /// Takes the pages below `offset` out of the process's memory, for readers from front to back to call as they go: so
    /// the process stays as small as it was, and the end of the mapping comes quickly, however large the file is. They stay in
    /// the system's cache, and can be read again at any time. Nearly always it is too early for that, and costs nothing.
    pub(crate) fn release_below(&self, offset: u64) {
        let end = offset.min(self.len()) / RELEASE_BYTES * RELEASE_BYTES;
        let begin = self.released.swap(end, Ordering::Relaxed);
        let Some(mapping) = self.mapping.as_ref().filter(|_| begin < end) else { return };
        // SAFETY: what is taken away of a mapped file comes back as it is in the file when it is read again; of a page that
        // was missing, and was replaced by one of zeros, as zeros. Either is what readers are prepared for. The range
        // lies within the mapping, whose length fits a usize.
        let released = unsafe {
            let length = (end - begin) as usize;
            mapping.map.unchecked_advise_range(UncheckedAdvice::DontNeed, begin as usize, length)
        };
        // Without it, the process is only larger than it might be.
        let _: io::Result<()> = released;
    }

    /// The bytes, for those in this crate who hold a [`HandlerGuard`] of their own.
    pub(crate) fn bytes_under_guard(&self) -> &[u8] {
        self.bytes()
    }

    /// What the system says of the open file now.
    pub(crate) fn metadata(&self) -> Result<Metadata, FileError> {
        self.file.metadata().map_err(|source| FileError::Io { path: self.path.clone(), op: "stat", source })
    }

    /// [`MapGuard::check`] for them.
    pub(crate) fn confirm(&self) -> Result<(), FileError> {
        self.check()
    }

    fn bytes(&self) -> &[u8] {
        self.mapping.as_ref().map_or(&[], |mapping| &mapping.map)
    }

    fn faulted(&self) -> bool {
        self.mapping.as_ref().is_some_and(|mapping| mapping.registration.faulted())
    }

    fn check(&self) -> Result<(), FileError> {
        // First the flag: a file that is cut off after it was looked at is caught by the size.
        let faulted = self.faulted();
        let path = || self.path.clone();
        let now = State::of(&self.metadata()?);
        if now.len < self.opened.len {
            return Err(FileError::Truncated { path: path(), expected: self.opened.len, got: now.len });
        }
        if now != self.opened {
            return Err(FileError::Changed { path: path() });
        }
        if faulted {
            return Err(FileError::Unreadable { path: path() });
        }
        Ok(())
    }
}

impl Mapping {
    fn new(file: &File, len: usize, path: &Path) -> Result<Self, FileError> {
        // SAFETY: the file may change or shrink while it is mapped. The bytes are handed out only under a guard that
        // turns missing pages into zeros, they are plain integers, and no reader trusts what it read from them earlier.
        let map = unsafe { memmap2::MmapOptions::new().len(len).map(file) };
        let map = map.map_err(|source| FileError::Io { path: path.to_owned(), op: "map", source })?;
        // Only a hint for the kernel's reading ahead.
        let _: io::Result<()> = map.advise(Advice::Sequential);
        // SAFETY: `map` starts at a page, is `len` bytes long, read only, ours alone, and dropped after the registration.
        match unsafe { Registration::new(map.as_ptr(), len) } {
            Some(registration) => Ok(Mapping { registration, map }),
            None => Err(FileError::TooManyMapped { path: path.to_owned(), limit: MAX_MAPPINGS }),
        }
    }
}

/// Access to the bytes of a [`MappedFile`]; while it lives, a missing page reads as zeros instead of ending the process.
///
/// May be shared with other threads, on condition that they don't block SIGBUS (a blocked fault can't be handled).
/// A system call that is given these bytes fails with EFAULT at a missing page instead.
#[derive(Debug)]
pub struct MapGuard<'f> {
    file: &'f MappedFile,
    _handler: HandlerGuard,
}

impl MapGuard<'_> {
    /// The bytes of the file. Nothing read from them counts until [`check`](Self::check) has passed afterwards.
    pub fn bytes(&self) -> &[u8] {
        self.file.bytes()
    }

    /// Whether a page was missing when it was read. Costs a load; [`check`](Self::check) says more.
    pub fn faulted(&self) -> bool {
        self.file.faulted()
    }

    /// Confirms that whatever was read before this call was the file as it was opened: no page was missing, and
    /// neither its size nor its time of modification is another. Costs one system call.
    ///
    /// # Errors
    /// [`FileError::Truncated`], [`Changed`](FileError::Changed), [`Unreadable`](FileError::Unreadable), or
    /// [`Io`](FileError::Io) when the file can't be asked.
    pub fn check(&self) -> Result<(), FileError> {
        self.file.check()
    }
}

/// A stretch of a file as indices into its mapping; an empty one if they don't fit.
pub(crate) fn at(offset: u64, length: u64) -> Range<usize> {
    let index = |offset: u64| usize::try_from(offset).unwrap_or(usize::MAX);
    index(offset)..index(offset.saturating_add(length))
}

/// Copies a few bytes of a file.
pub(crate) fn copy<const N: usize>(file: &MappedFile, offset: u64) -> Result<[u8; N], FileError> {
    let range = at(offset, N as u64);
    file.read(|bytes| bytes.get(range).and_then(|bytes| bytes.try_into().ok()).unwrap_or([0; N]))
}
