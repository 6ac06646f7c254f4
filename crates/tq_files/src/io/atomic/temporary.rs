//! Temporary files of writers: their names, their locks, and the removal of what the dead have left.
//!
//! A writer that was killed leaves its temporary file behind; the next one in that folder removes it. Who is dead is
//! told by locks, which end with their process: a writer holds a lock (`flock`) on its file, and
//!
//! 1. nobody removes or renames a temporary file without holding its lock, and, with the lock in hand, having seen
//!    that the name still stands for the locked file;
//! 2. a writer whose new file was locked by another, or is gone once the lock is its own, starts over with another
//!    name.
//!
//! So a file that was created and is not locked yet may be removed, but its writer notices before a byte is in it; and
//! a file whose writer has looked is safe, because its lock can't be had. No clock is involved.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

/// Longest file name of the usual file systems.
const NAME_BYTES: usize = 255;
const SUFFIX: &str = ".tqtmp";
/// Names tried; each costs one file that is there already, or another process at the same work at the same moment.
const MOST_NAMES: usize = 1000;

/// The folder of a file.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Makes a temporary file for `destination`, and locks it.
pub(super) fn create_temporary(destination: &Path) -> io::Result<(PathBuf, File)> {
    static UNIQUE: AtomicU32 = AtomicU32::new(0);
    let name = destination.file_name().ok_or(io::ErrorKind::NotFound)?;
    for _ in 0..MOST_NAMES {
        let unique = UNIQUE.fetch_add(1, Ordering::Relaxed);
        let path = folder_of(destination).join(temporary_name(name, std::process::id(), unique));
        let file = match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => continue,
            other => other?,
        };
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => continue,
            // Without locks on this file system no one can take the file for a dead writer's.
            Err(TryLockError::Error(_)) | Ok(()) => {}
        }
        if is_at(&file, &path)? {
            return Ok((path, file));
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

/// `.NAME.PID-N.tqtmp`, with as much of the name as fits.
fn temporary_name(name: &OsStr, process: u32, unique: u32) -> OsString {
    let end = format!(".{process}-{unique}{SUFFIX}");
    let room = NAME_BYTES - 1 - end.len();
    let kept = match name.to_str() {
        Some(name) => &name.as_bytes()[..name.floor_char_boundary(room)],
        None => &name.as_bytes()[..room.min(name.len())],
    };
    OsString::from_vec([b".", kept, end.as_bytes()].concat())
}

/// Whether a file has such a name.
fn is_temporary_name(name: &OsStr) -> bool {
    let number = |bytes: &[u8]| !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    let unique = || {
        let rest = name.as_bytes().strip_prefix(b".")?.strip_suffix(SUFFIX.as_bytes())?;
        let dot = rest.iter().rposition(|byte| *byte == b'.')?;
        let numbers = &rest[dot + 1..];
        let hyphen = numbers.iter().position(|byte| *byte == b'-')?;
        Some(dot > 0 && number(&numbers[..hyphen]) && number(&numbers[hyphen + 1..]))
    };
    unique().unwrap_or(false)
}

/// Removes the temporary files of writers that died, as far as that is possible.
pub(super) fn remove_leftovers(folder: &Path) {
    let Ok(listing) = fs::read_dir(folder) else {
        return;
    };
    for entry in listing.map_while(Result::ok) {
        if is_temporary_name(&entry.file_name()) && entry.file_type().is_ok_and(|kind| kind.is_file()) {
            // Another user's, or gone already.
            let _: io::Result<()> = remove_if_dead(&entry.path());
        }
    }
}

fn remove_if_dead(path: &Path) -> io::Result<()> {
    // Writing, because network file systems give exclusive locks for no less. What isn't a plain file any more is
    // not followed, and not waited for.
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path)?;
    if file.try_lock().is_ok() && is_at(&file, path)? {
        fs::remove_file(path)?;
    }
    Ok(())
}

/// Whether `path` is the name of this open file.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(named) => Ok((named.dev(), named.ino()) == (open.dev(), open.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}
