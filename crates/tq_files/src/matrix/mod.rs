//! Matrices that are expensive to compute, kept in files and shared by mapping.
//!
//! A rotation takes O(d³) to build and 12·d² bytes to hold, in `f64` and rounded to `f32`; in a file, every process that needs
//! it maps the same pages.
//!
//! ```text
//!  0  8  "TQMATRIX"
//!  8  4  version, 2
//! 12  4  kind of matrix, the caller's number
//! 16  8  seed
//! 24  4  dimension d, rows and columns
//! 28  4  CRC-32C of the entries
//! 32  4  CRC-32C of bytes 0 to 31
//! 36 28  zero
//! 64     d × d entries, f64, row by row; then the same, each rounded to the nearest f32
//! ```
//!
//! All little-endian. A file is an [`AtomicFile`], so that a name always stands for a whole file, and several processes
//! may write the same one at once. One of another version is damaged: it is made anew. Whoever opens it has all of it checked: by itself, or by a process whose [`note`] says
//! that it has checked the very bytes that are there.

mod note;

use std::fs::{self, DirBuilder, Permissions};
use std::hint::black_box;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use self::note::{Draft, Note};
use crate::io::HandlerGuard;
use crate::{AtomicFile, FileError, MappedFile};

const MAGIC: &[u8; 8] = b"TQMATRIX";
const VERSION: u32 = 2;
const HEADER_LEN: usize = 64;
/// Where the header's own checksum stands, and how much it covers.
const HEADER_CHECKSUM: usize = 32;
/// Where the checksum of the entries stands.
const ENTRIES_CHECKSUM: usize = 28;
/// Bytes that are read or written between two polls: a few ten milliseconds on a slow disk.
const STEP: usize = 1 << 20;

/// Which matrix a file holds.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct MatrixKey {
    /// Kind of matrix: the caller's number.
    pub kind: u32,
    /// Seed that it was made from.
    pub seed: u64,
    /// Rows and columns.
    pub dimension: u32,
}

impl MatrixKey {
    /// Name of the matrix's file.
    pub fn file_name(&self) -> String {
        format!("{PREFIX}{}-{}-{}", self.kind, self.seed, self.dimension)
    }

    /// Bytes of the matrix's file.
    pub fn file_len(&self) -> u64 {
        HEADER_LEN as u64 + 12 * self.entries()
    }

    fn entries(&self) -> u64 {
        u64::from(self.dimension) * u64::from(self.dimension)
    }

    fn header(&self, checksum: u32) -> [u8; HEADER_LEN] {
        let mut header = [0; HEADER_LEN];
        header[..8].copy_from_slice(MAGIC);
        header[8..12].copy_from_slice(&VERSION.to_le_bytes());
        header[12..16].copy_from_slice(&self.kind.to_le_bytes());
        header[16..24].copy_from_slice(&self.seed.to_le_bytes());
        header[24..28].copy_from_slice(&self.dimension.to_le_bytes());
        header[28..32].copy_from_slice(&checksum.to_le_bytes());
        let own = crc32c::crc32c(&header[..HEADER_CHECKSUM]);
        header[HEADER_CHECKSUM..HEADER_CHECKSUM + 4].copy_from_slice(&own.to_le_bytes());
        header
    }
}

/// Why a matrix could not be taken from its file.
#[derive(thiserror::Error, Debug)]
#[non_exhaustive]
pub enum MatrixError {
    /// There is no such file, or it can't be read or mapped.
    #[error(transparent)]
    File(#[from] FileError),
    /// The file is not what it should be.
    #[error("matrix file \"{}\" is damaged: {reason}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: &'static str,
    },
}

impl MatrixError {
    /// Whether there is just no file yet.
    pub fn is_missing(&self) -> bool {
        matches!(self, MatrixError::File(FileError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound)
    }
}

/// A folder of matrices, as the processes see it that share it.
#[derive(Clone, Debug)]
pub struct MatrixFolder {
    path: PathBuf,
    run: [u8; 16],
    group: bool,
}

impl MatrixFolder {
    /// The folder at `path`, which need not be there.
    ///
    /// Processes with the same `run` believe each other's notes: those, say, that one server has started since it was.
    /// With `group`, members of the folder's group may read what is in it, otherwise its owner alone.
    pub fn new(path: PathBuf, run: [u8; 16], group: bool) -> Self {
        MatrixFolder { path, run, group }
    }

    /// Maps the matrix of `key`. All of it is checked, unless a process of the same run has noted that it has done so and
    /// the file is the same since. `poll` is called every few milliseconds meanwhile, and may unwind.
    ///
    /// # Errors
    /// [`MatrixError`].
    pub fn open(&self, key: MatrixKey, poll: &mut dyn FnMut()) -> Result<MatrixFile, MatrixError> {
        let path = self.path.join(key.file_name());
        let file = MappedFile::open(&path)?;
        self.follow_permissions();
        // Before anything is read, so that what is read later is of no earlier state.
        let state = file.metadata()?;
        let handler = HandlerGuard::new().map_err(|source| FileError::Io {
            path: path.clone(),
            op: "guard",
            source,
        })?;
        let damaged = |reason| Err(MatrixError::Damaged { path: path.clone(), reason });
        if file.len() != key.file_len() {
            return damaged("its size is wrong");
        }
        let (header, entries) = file.bytes_under_guard().split_at(HEADER_LEN);
        let stated = u32::from_le_bytes(std::array::from_fn(|i| header[ENTRIES_CHECKSUM + i]));
        if *header != key.header(stated) {
            return damaged("a checksum does not match");
        }
        let rounded_at = 8 * key.entries() as usize;
        let (wide, rounded) = entries.split_at(rounded_at);
        if bytemuck::try_cast_slice::<u8, f64>(wide).is_err()
            || bytemuck::try_cast_slice::<u8, f32>(rounded).is_err()
        {
            return damaged("its entries are not aligned");
        }
        let note = Note::new(self.run, key, stated, &state);
        if note.is_in(&self.path) {
            touch(entries, poll);
        } else {
            let draft = Draft::begin(&self.path, key, self.file_mode());
            if checksum(entries, poll) != stated {
                return damaged("a checksum does not match");
            }
            if let Some(draft) = draft {
                draft.finish(&note, &Note::new(self.run, key, stated, &file.metadata()?));
            }
        }
        file.confirm()?;
        Ok(MatrixFile { file, rounded_at: HEADER_LEN + rounded_at, _handler: handler })
    }

    /// Writes a matrix's file, durably, in place of one that may be there, and removes what writers that died have left in
    /// the folder, which is made if it isn't there. `poll` is called every few milliseconds, and may unwind.
    ///
    /// # Errors
    /// Those of [`AtomicFile`] when `entries` can't be written; nothing is left behind then.
    ///
    /// # Panics
    /// When `entries` is not as long as the key says.
    pub fn store(&self, key: MatrixKey, entries: &[f64], poll: &mut dyn FnMut()) -> Result<(), FileError> {
        assert_eq!(entries.len() as u64, key.entries(), "entries of another dimension");
        match DirBuilder::new().mode(self.folder_mode()).create(&self.path) {
            Err(source) if source.kind() != io::ErrorKind::AlreadyExists => {
                return Err(FileError::Io { path: self.path.clone(), op: "create", source });
            }
            _ => self.follow_permissions(),
        }
        let mut file = AtomicFile::create_with_mode(&self.path.join(key.file_name()), self.file_mode())?;
        let mut sum = 0;
        let mut add = |part: &[u8]| {
            sum = crc32c::crc32c_append(sum, part);
            Ok(())
        };
        each_part(entries, poll, &mut add)?;
        file.append(&key.header(sum))?;
        each_part(entries, poll, &mut |part| file.append(part))?;
        file.finish()
    }

    /// The matrices in the folder, the one written longest ago first. A folder that isn't there has none.
    ///
    /// # Errors
    /// [`FileError::Io`] when the folder can't be listed.
    pub fn list(&self) -> Result<Vec<MatrixEntry>, FileError> {
        let mut found = Vec::new();
        for entry in self.entries()? {
            // A file that another process removes meanwhile is none.
            if let (Some(key), Ok(metadata)) =
                (parse_name(&entry.file_name().to_string_lossy()), entry.metadata())
            {
                found.push((metadata.modified().ok(), MatrixEntry { key, bytes: metadata.len() }));
            }
        }
        found.sort_unstable_by_key(|(modified, _)| *modified);
        Ok(found.into_iter().map(|(_, entry)| entry).collect())
    }

    /// Removes a matrix's file and the note on it. Processes that have it mapped keep it.
    ///
    /// # Errors
    /// [`FileError::Io`]; that there is no such file is none.
    pub fn remove(&self, key: MatrixKey) -> Result<(), FileError> {
        for name in [key.file_name(), note::file_name(key)] {
            let path = self.path.join(name);
            match fs::remove_file(&path) {
                Err(source) if source.kind() != io::ErrorKind::NotFound => {
                    return Err(FileError::Io { path, op: "remove", source });
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// [Removes](Self::remove) them all, notes on matrices that are gone already with them; returns how many there were.
    ///
    /// # Errors
    /// [`FileError::Io`].
    pub fn clear(&self) -> Result<usize, FileError> {
        let matrices = self.list()?;
        let noted = self
            .entries()?
            .into_iter()
            .filter_map(|entry| parse_name(entry.file_name().to_string_lossy().strip_suffix(note::SUFFIX)?));
        let noted: Vec<MatrixKey> = noted.collect();
        for key in matrices.iter().map(|entry| entry.key).chain(noted) {
            self.remove(key)?;
        }
        Ok(matrices.len())
    }

    fn entries(&self) -> Result<Vec<fs::DirEntry>, FileError> {
        let listing = fs::read_dir(&self.path).and_then(Iterator::collect);
        match listing {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            other => other.map_err(|source| FileError::Io { path: self.path.clone(), op: "list", source }),
        }
    }

    fn folder_mode(&self) -> u32 {
        if self.group { 0o750 } else { 0o700 }
    }

    fn file_mode(&self) -> u32 {
        if self.group { 0o640 } else { 0o600 }
    }

    /// Gives a folder from before, and what is in it, the permissions that are wanted now. Whoever mustn't do that leaves it as
    /// it is.
    fn follow_permissions(&self) {
        let permit = |path: &Path, mode: u32| -> io::Result<()> {
            let now = fs::metadata(path)?.mode() & 0o7777;
            fs::set_permissions(path, Permissions::from_mode(now & 0o7000 | mode))
        };
        let folder = fs::metadata(&self.path).map(|folder| folder.mode() & 0o777);
        if folder.is_ok_and(|mode| mode != self.folder_mode()) {
            for entry in self.entries().unwrap_or_default() {
                if entry.file_name().to_string_lossy().starts_with(PREFIX) {
                    let _: io::Result<()> = permit(&entry.path(), self.file_mode());
                }
            }
            let _: io::Result<()> = permit(&self.path, self.folder_mode());
        }
    }
}

/// What follows a file's header, a part at a time: the entries, then the same rounded.
fn each_part(
    entries: &[f64],
    poll: &mut dyn FnMut(),
    take: &mut dyn FnMut(&[u8]) -> Result<(), FileError>,
) -> Result<(), FileError> {
    for part in entries.chunks(STEP / size_of::<f64>()) {
        poll();
        take(bytemuck::cast_slice(part))?;
    }
    // On the stack, so that there is nothing that can fail.
    let mut rounded = [0.0f32; 4096];
    for (number, part) in entries.chunks(rounded.len()).enumerate() {
        if number % (STEP / size_of_val(&rounded)) == 0 {
            poll();
        }
        rounded.iter_mut().zip(part).for_each(|(rounded, &entry)| *rounded = entry as f32);
        take(bytemuck::cast_slice(&rounded[..part.len()]))?;
    }
    Ok(())
}

/// Brings bytes into memory, for a reader who doesn't poll and mustn't wait for a disk.
fn touch(bytes: &[u8], poll: &mut dyn FnMut()) {
    const SMALLEST_PAGE: usize = 4096;
    for part in bytes.chunks(STEP) {
        poll();
        black_box(part.iter().step_by(SMALLEST_PAGE).fold(0, |all, byte| all | byte));
    }
}

/// CRC-32C of bytes that may be many.
fn checksum(bytes: &[u8], poll: &mut dyn FnMut()) -> u32 {
    bytes.chunks(STEP).fold(0, |sum, part| {
        poll();
        crc32c::crc32c_append(sum, part)
    })
}

/// A mapped matrix, readable for as long as it lives, on whatever happens to its file.
///
/// Entries that the file has lost meanwhile read as zeros: [`intact`](Self::intact), asked after they were used, tells.
#[derive(Debug)]
pub struct MatrixFile {
    file: MappedFile,
    /// Where the entries in `f32` begin.
    rounded_at: usize,
    _handler: HandlerGuard,
}

impl MatrixFile {
    /// Whether the file is still what it was when it was opened, and so whatever was read from it right.
    pub fn intact(&self) -> bool {
        self.file.confirm().is_ok()
    }
}

impl AsRef<[f64]> for MatrixFile {
    fn as_ref(&self) -> &[f64] {
        // `open` has seen that both the length and the alignment are right.
        let entries = self.file.bytes_under_guard().get(HEADER_LEN..self.rounded_at).unwrap_or_default();
        bytemuck::try_cast_slice(entries).unwrap_or_default()
    }
}

/// The entries rounded to nearest.
impl AsRef<[f32]> for MatrixFile {
    fn as_ref(&self) -> &[f32] {
        let entries = self.file.bytes_under_guard().get(self.rounded_at..).unwrap_or_default();
        bytemuck::try_cast_slice(entries).unwrap_or_default()
    }
}

const PREFIX: &str = "matrix-";

/// A file in a folder of matrices.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct MatrixEntry {
    /// The matrix.
    pub key: MatrixKey,
    /// Bytes of the file.
    pub bytes: u64,
}

/// The key behind a file's name; temporary files have none.
fn parse_name(name: &str) -> Option<MatrixKey> {
    let mut numbers = name.strip_prefix(PREFIX)?.split('-');
    let key = MatrixKey {
        kind: numbers.next()?.parse().ok()?,
        seed: numbers.next()?.parse().ok()?,
        dimension: numbers.next()?.parse().ok()?,
    };
    (key.file_name() == name).then_some(key)
}

#[cfg(test)]
mod tests;
