//! Notes of checks: that a matrix's file was checked in full, so that the next process need not do it again.
//!
//! A checksum over a matrix takes milliseconds, which each parallel worker of each query would pay. So whoever has checked a
//! file leaves a small one beside it, `NAME.checked`, that says which bytes they were: those of the file of this device,
//! inode, size, and times of modification and change.
//!
//! ```text
//!  0  8  "TQCHECKD"
//!  8  4  version, 1
//! 12 16  run of the processes that believe it
//! 28  4  kind of matrix
//! 32  8  seed
//! 40  4  dimension
//! 44  4  CRC-32C of the entries
//! 48 24  device, inode, size
//! 72 32  seconds and nanoseconds of the last modification, and of the last change
//! ```
//!
//! All little-endian. A note that isn't to the byte what the reader would write himself is none, so it needs no checksum.
//!
//! **Why that is proof.** The system sets the time of change whenever a file's bytes, length or times are written, and lets nobody
//! choose it. A copy of the file, or another one under its name, is another inode; a restored folder meets another run. One
//! case is left: clocks of file systems tick, in milliseconds or whole seconds, and a file that is written twice within
//! a tick has one time of change for both. A check counts therefore only if it began in a later tick than that of the file's
//! change, by the file system's own clock: that of the note's file, which is made before the check begins. Until then everybody
//! checks for himself.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::MatrixKey;
use crate::{AtomicFile, read_small};

const MAGIC: &[u8; 8] = b"TQCHECKD";
const VERSION: u32 = 1;
/// What the name of a matrix's file is followed by.
pub(super) const SUFFIX: &str = ".checked";

/// Name of the note on a matrix.
pub(super) fn file_name(key: MatrixKey) -> String {
    format!("{}{SUFFIX}", key.file_name())
}

/// What is noted of a file.
#[derive(PartialEq, Eq, Debug)]
pub(super) struct Note {
    key: MatrixKey,
    bytes: Vec<u8>,
    changed: (i64, i64),
}

impl Note {
    /// On the file of which the system says this, with entries of that checksum.
    pub(super) fn new(run: [u8; 16], key: MatrixKey, checksum: u32, metadata: &Metadata) -> Self {
        let mut bytes = Vec::with_capacity(104);
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&VERSION.to_le_bytes());
        bytes.extend_from_slice(&run);
        bytes.extend_from_slice(&key.kind.to_le_bytes());
        bytes.extend_from_slice(&key.seed.to_le_bytes());
        bytes.extend_from_slice(&key.dimension.to_le_bytes());
        bytes.extend_from_slice(&checksum.to_le_bytes());
        for number in [metadata.dev(), metadata.ino(), metadata.len()] {
            bytes.extend_from_slice(&number.to_le_bytes());
        }
        for time in [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()] {
            bytes.extend_from_slice(&time.to_le_bytes());
        }
        Note { key, bytes, changed: changed(metadata) }
    }

    /// Whether a process of the same run has left it.
    pub(super) fn is_in(&self, folder: &Path) -> bool {
        let length = self.bytes.len() as u64;
        read_small(&folder.join(file_name(self.key)), length).is_ok_and(|bytes| bytes == self.bytes)
    }
}

fn changed(metadata: &Metadata) -> (i64, i64) {
    (metadata.ctime(), metadata.ctime_nsec())
}

/// A note's file while the check is under way.
pub(super) struct Draft {
    file: AtomicFile,
    pub(super) began: (i64, i64),
}

impl Draft {
    /// To be called before the check begins; `None` where nothing can be written.
    pub(super) fn begin(folder: &Path, key: MatrixKey, mode: u32) -> Option<Self> {
        let file = AtomicFile::create_with_mode(&folder.join(file_name(key)), mode).ok()?;
        let began = changed(&file.metadata().ok()?);
        Some(Draft { file, began })
    }

    /// Leaves the note, the check having passed, if the file was the same `before` and `after` it, and hadn't just been changed.
    pub(super) fn finish(mut self, before: &Note, after: &Note) {
        if before == after && before.changed < self.began && self.file.append(&before.bytes).is_ok() {
            // Without it, the next process checks for itself.
            let _ = self.file.finish_unsynced();
        }
    }
}
