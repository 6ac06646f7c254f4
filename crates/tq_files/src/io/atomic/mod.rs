//! Files that appear whole or not at all.
//!
//! What is written goes into a hidden file beside the target, `.NAME.PID-N.tqtmp`, which takes the target's place in
//! one step when it is complete and on disk. Until then the target is what it was, and an error or a crash leaves it so.
//!
//! [`temporary`] tells how writers keep out of each other's way, and what becomes of those that are killed.

mod temporary;
mod writeback;

use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};

use std::sync::{Mutex, PoisonError};

use self::temporary::{create_temporary, folder_of, remove_leftovers};
use self::writeback::Writeback;
use crate::io::FileError;

/// Small writes are gathered up to this size.
const BUFFER_BYTES: usize = 256 * 1024;
/// Symbolic links followed one after the other, as Linux does.
const MOST_LINKS: usize = 40;

/// The files that are being written, for [`remove_unfinished`].
static UNFINISHED: Mutex<Vec<PathBuf>> = Mutex::new(Vec::new());

fn unfinished<R>(action: impl FnOnce(&mut Vec<PathBuf>) -> R) -> R {
    action(&mut UNFINISHED.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Removes the files that this process is writing. For the end of a process that drops nothing; they can't be finished after it.
pub fn remove_unfinished() {
    for path in unfinished(std::mem::take) {
        let _: io::Result<()> = fs::remove_file(path);
    }
}

/// A file being written, which takes its target's place with [`finish`](Self::finish) and is removed otherwise.
///
/// Small writes are gathered into large ones. Once a write has failed, the file can't be finished any more.
#[derive(Debug)]
pub struct AtomicFile {
    /// The path as the caller gave it, for errors.
    target: PathBuf,
    /// The file that it leads to.
    destination: PathBuf,
    temporary: PathBuf,
    out: BufWriter<File>,
    len: u64,
    writeback: Writeback,
    /// What the target is now, if it is there.
    replaced: Option<Metadata>,
    /// Mode of a file that replaces none.
    new_mode: u32,
    failed: bool,
    finished: bool,
}

impl AtomicFile {
    /// Begins a file that is to stand at `target`, and removes from its folder what writers that died have left there.
    ///
    /// A symbolic link stays, and the file that it leads to is replaced or made. A new file will be readable by all
    /// (mode 0644, whatever the umask), as COPY's are; one that is replaced passes on its permissions and, if the
    /// process may, its owner and group. While it is written only its owner can read it.
    ///
    /// # Errors
    /// [`FileError::IsDirectory`], [`NotRegular`](FileError::NotRegular) for what else isn't a file, and
    /// [`Io`](FileError::Io), also for an existing file that the process may not write.
    pub fn create(target: &Path) -> Result<Self, FileError> {
        Self::create_with_mode(target, 0o644)
    }

    /// [`create`](Self::create) with another mode for a new file.
    pub(crate) fn create_with_mode(target: &Path, new_mode: u32) -> Result<Self, FileError> {
        let failed = |op| move |source| FileError::Io { path: target.to_owned(), op, source };
        let is_directory = || Err(FileError::IsDirectory { path: target.to_owned() });
        let exists = match fs::metadata(target) {
            Ok(metadata) if metadata.is_dir() => return is_directory(),
            Ok(metadata) if !metadata.is_file() => {
                return Err(FileError::NotRegular { path: target.to_owned() });
            }
            Ok(_) => true,
            Err(error) if error.kind() == io::ErrorKind::NotFound => false,
            Err(error) => return Err(failed("stat")(error)),
        };
        let destination = follow_links(target).map_err(failed("create"))?;
        // `Path` doesn't tell "name", "name/" and "name/." apart.
        let bytes = destination.as_os_str().as_bytes();
        if bytes.ends_with(b"/") || bytes.ends_with(b"/.") {
            return is_directory();
        }
        let replaced = match exists {
            // Renaming would also replace what may not be written; opening tells.
            true => {
                let file = OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(&destination);
                Some(file.and_then(|file| file.metadata()).map_err(failed("open"))?)
            }
            false => None,
        };
        remove_leftovers(folder_of(&destination));
        // The writer's buffer: the library can't be refused it.
        let _hold = tq_memory::hold(2 * BUFFER_BYTES).map_err(|error| failed("create")(error.into()))?;
        let (temporary, file) = create_temporary(&destination).map_err(failed("create"))?;
        unfinished(|paths| paths.push(temporary.clone()));
        Ok(AtomicFile {
            target: target.to_owned(),
            destination,
            temporary,
            out: BufWriter::with_capacity(BUFFER_BYTES, file),
            len: 0,
            writeback: Writeback::default(),
            replaced,
            new_mode,
            failed: false,
            finished: false,
        })
    }

    /// Bytes written so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether nothing was written yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The path that was asked for.
    pub fn target(&self) -> &Path {
        &self.target
    }

    /// Where the bytes are until the file is finished.
    ///
    /// For tests and benchmarks: nothing else calls it.
    pub fn temporary_path(&self) -> &Path {
        &self.temporary
    }

    /// Whether both would come to stand under one name, by whatever paths they were asked for.
    ///
    /// # Errors
    /// [`FileError::Io`] when a folder is not there any more.
    pub fn same_place(&self, other: &Self) -> Result<bool, FileError> {
        if self.destination.file_name() != other.destination.file_name() {
            return Ok(false);
        }
        let folder = |file: &Self| {
            let folder = fs::canonicalize(folder_of(&file.destination));
            folder.map_err(file.failure("stat"))
        };
        Ok(folder(self)? == folder(other)?)
    }

    /// Writes `bytes` behind what is there, as [`Write::write_all`] does, with errors that name the target.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), FileError> {
        // The file's name is copied only for an error: this is called for every record of a corpus.
        self.write_all(bytes).map_err(|error| self.failure("write")(error))
    }

    /// Replaces bytes written earlier: those from `offset` on. What [`append`](Self::append) writes next still goes to
    /// the end.
    ///
    /// # Errors
    /// [`FileError::Io`], also if there is not as much from `offset` on as `bytes` are.
    pub fn write_at(&mut self, offset: u64, bytes: &[u8]) -> Result<(), FileError> {
        let end = offset.checked_add(bytes.len() as u64);
        let result = match end {
            Some(end) if end <= self.len => {
                self.out.flush().and_then(|()| self.out.get_ref().write_all_at(bytes, offset))
            }
            _ => Err(io::Error::new(io::ErrorKind::InvalidInput, "the place was not written yet")),
        };
        self.note(result).map_err(self.failure("write"))
    }

    /// Brings what was written to the disk. [`finish`](Self::finish) does it too; with several files, doing it
    /// for all before the first is finished leaves little that can fail in between.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn sync(&mut self) -> Result<(), FileError> {
        let result = self.out.flush();
        self.note(result).map_err(self.failure("write"))?;
        let result = self.out.get_ref().sync_data();
        self.note(result).map_err(self.failure("fsync"))
    }

    /// Completes the file: brings it to the disk, puts it in the target's place, and brings that to the disk.
    ///
    /// # Errors
    /// [`FileError::Io`]. The target is what it was then, and nothing is left behind; only if its folder can't be
    /// brought to the disk is the target the new file.
    pub fn finish(mut self) -> Result<(), FileError> {
        self.complete()?;
        self.out.get_ref().sync_all().map_err(self.failure("fsync"))?;
        // A folder may be writable without being readable, and can't be brought to the disk then.
        let folder = File::open(folder_of(&self.destination)).ok();
        self.rename()?;
        match folder.map_or(Ok(()), |folder| folder.sync_all()) {
            // Some file systems have no such operation for folders.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => Ok(()),
            other => other.map_err(self.failure("fsync")),
        }
    }

    /// [`finish`](Self::finish) for a file that says nothing any more once the machine has stopped: nobody waits for the disk.
    pub(crate) fn finish_unsynced(mut self) -> Result<(), FileError> {
        self.complete()?;
        self.rename()
    }

    /// What the system says of the file that is being written.
    pub(crate) fn metadata(&self) -> Result<Metadata, FileError> {
        self.out.get_ref().metadata().map_err(self.failure("stat"))
    }

    /// Writes what is still gathered, and makes the file what it is to be.
    fn complete(&mut self) -> Result<(), FileError> {
        if self.failed {
            let source = io::Error::other("an earlier write has failed");
            return Err(self.failure("write")(source));
        }
        self.out.flush().map_err(self.failure("write"))?;
        let file = self.out.get_ref();
        let mode = match &self.replaced {
            Some(replaced) => {
                keep_owner(file, replaced);
                replaced.mode() & 0o777
            }
            None => self.new_mode,
        };
        file.set_permissions(Permissions::from_mode(mode)).map_err(self.failure("chmod"))
    }

    fn rename(&mut self) -> Result<(), FileError> {
        fs::rename(&self.temporary, &self.destination).map_err(self.failure("rename"))?;
        self.finished = true;
        Ok(())
    }

    /// Remembers that the file is not what it should be.
    fn note<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        self.failed |= result.is_err();
        result
    }

    fn failure(&self, op: &'static str) -> impl FnOnce(io::Error) -> FileError + use<> {
        let path = self.target.clone();
        move |source| FileError::Io { path, op, source }
    }
}

impl Write for AtomicFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.out.write(bytes);
        if let Ok(count) = result {
            self.len += count as u64;
            let written = self.len - self.out.buffer().len() as u64;
            let sent = self.writeback.advance(self.out.get_ref(), written);
            self.note(sent)?;
        }
        match &result {
            // The caller tries again.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => result,
            _ => self.note(result),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.out.flush();
        self.note(result)
    }
}

impl Drop for AtomicFile {
    fn drop(&mut self) {
        unfinished(|paths| paths.retain(|path| *path != self.temporary));
        if !self.finished {
            // The lock is still held: fields go after this. If it fails, the next writer removes the file.
            let _: io::Result<()> = fs::remove_file(&self.temporary);
        }
    }
}

/// The file that a path leads to, which need not be there.
fn follow_links(path: &Path) -> io::Result<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_symlink() => path = folder_of(&path).join(fs::read_link(&path)?),
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => return Ok(path),
        }
    }
    Err(io::Error::from_raw_os_error(libc::ELOOP))
}

/// Gives the file the owner and the group of the one that it replaces, as far as the process may.
fn keep_owner(file: &File, replaced: &Metadata) {
    if fchown(file, Some(replaced.uid()), Some(replaced.gid())).is_err() {
        // A member of the group may still pass that on; otherwise the file is ours.
        let _: io::Result<()> = fchown(file, None, Some(replaced.gid()));
    }
}
