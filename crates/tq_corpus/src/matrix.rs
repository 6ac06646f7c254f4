//! Matrices that are expensive to compute, kept in files and shared by mapping.
//!
//! A rotation takes O(d³) to build and 8·d² bytes to hold; in a file, every process that needs it maps the same pages.
//!
//! ```text
//!  0  8  "TQMATRIX"
//!  8  4  version, 1
//! 12  4  kind of matrix, the caller's number
//! 16  8  seed
//! 24  4  dimension d, rows and columns
//! 28  4  CRC-32C of the entries
//! 32  4  CRC-32C of bytes 0 to 31
//! 36 28  zero
//! 64     d × d entries, f64, row by row
//! ```
//!
//! All little-endian. A file is an [`AtomicFile`], so that a name always stands for a whole file, and several processes
//! may write the same one at once. It is checked in full when it is opened.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::guard::HandlerGuard;
use crate::{AtomicFile, FileError, MappedFile};

const MAGIC: &[u8; 8] = b"TQMATRIX";
const VERSION: u32 = 1;
const HEADER_LEN: usize = 64;
/// Where the header's own checksum stands, and how much it covers.
const HEADER_CHECKSUM: usize = 32;

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
        HEADER_LEN as u64 + 8 * u64::from(self.dimension) * u64::from(self.dimension)
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

/// How much of a file is checked when it is opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MatrixCheck {
    /// All of it.
    Full,
    /// Its size and its header: for a file that another process has just checked.
    Header,
}

/// A mapped matrix, readable for as long as it lives, on whatever happens to its file.
///
/// Entries that the file has lost meanwhile read as zeros: [`intact`](Self::intact), asked after they were used, tells.
#[derive(Debug)]
pub struct MatrixFile {
    file: MappedFile,
    _handler: HandlerGuard,
}

impl MatrixFile {
    /// Maps the matrix of `key` in `folder` and checks as much of it as `check` says.
    ///
    /// # Errors
    /// [`MatrixError`].
    pub fn open(folder: &Path, key: MatrixKey, check: MatrixCheck) -> Result<Self, MatrixError> {
        let path = folder.join(key.file_name());
        let file = MappedFile::open(&path)?;
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
        let checksum = match check {
            MatrixCheck::Full => crc32c::crc32c(entries),
            MatrixCheck::Header => u32::from_le_bytes([header[28], header[29], header[30], header[31]]),
        };
        if *header != key.header(checksum) {
            return damaged("a checksum does not match");
        }
        if bytemuck::try_cast_slice::<u8, f64>(entries).is_err() {
            return damaged("its entries are not aligned");
        }
        file.confirm()?;
        Ok(MatrixFile { file, _handler: handler })
    }

    /// Whether the file is still what it was when it was opened, and so whatever was read from it right.
    pub fn intact(&self) -> bool {
        self.file.confirm().is_ok()
    }
}

impl AsRef<[f64]> for MatrixFile {
    fn as_ref(&self) -> &[f64] {
        // `open` has seen that both the length and the alignment are right.
        let entries = self.file.bytes_under_guard().get(HEADER_LEN..).unwrap_or_default();
        bytemuck::try_cast_slice(entries).unwrap_or_default()
    }
}

/// Writes a matrix's file, durably, in place of one that may be there, and removes what writers that died have left in
/// the folder.
///
/// # Errors
/// Those of [`AtomicFile`] when `entries` can't be written; nothing is left behind then.
///
/// # Panics
/// When `entries` is not as long as the key says.
pub fn store_matrix(folder: &Path, key: MatrixKey, entries: &[f64]) -> Result<(), FileError> {
    assert_eq!(entries.len() as u64 * 8 + HEADER_LEN as u64, key.file_len(), "entries of another dimension");
    let path = folder.join(key.file_name());
    let bytes: &[u8] = bytemuck::cast_slice(entries);
    let mut file = AtomicFile::create_with_mode(&path, 0o600)?;
    file.append(&key.header(crc32c::crc32c(bytes)))?;
    file.append(bytes)?;
    file.finish()
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

/// The matrices in `folder`, the one written longest ago first. A folder that isn't there has none.
///
/// # Errors
/// [`FileError::Io`] when the folder can't be listed.
pub fn list_matrices(folder: &Path) -> Result<Vec<MatrixEntry>, FileError> {
    let failed = |source| FileError::Io { path: folder.to_owned(), op: "list", source };
    let listing = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.map_err(failed)?,
    };
    let mut found = Vec::new();
    for entry in listing {
        let entry = entry.map_err(failed)?;
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

/// Removes a matrix's file. Processes that have it mapped keep it.
///
/// # Errors
/// [`FileError::Io`]; that there is no such file is none.
pub fn remove_matrix(folder: &Path, key: MatrixKey) -> Result<(), FileError> {
    let path = folder.join(key.file_name());
    match fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other.map_err(|source| FileError::Io { path, op: "remove", source }),
    }
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
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tempfile::TempDir;

    const KEY: MatrixKey = MatrixKey { kind: 1, seed: u64::MAX, dimension: 33 };

    fn entries() -> Vec<f64> {
        (0..33 * 33).map(|i| f64::from(i).sin()).collect()
    }

    #[test]
    fn comes_back_as_it_was() {
        let folder = TempDir::new().unwrap();
        assert!(MatrixFile::open(folder.path(), KEY, MatrixCheck::Full).unwrap_err().is_missing());
        store_matrix(folder.path(), KEY, &entries()).unwrap();
        store_matrix(folder.path(), KEY, &entries()).unwrap();
        let matrix = MatrixFile::open(folder.path(), KEY, MatrixCheck::Full).unwrap();
        assert_eq!(matrix.as_ref(), entries());
        assert!(matrix.intact());
        assert_eq!(list_matrices(folder.path()).unwrap(), [MatrixEntry { key: KEY, bytes: KEY.file_len() }]);
        remove_matrix(folder.path(), KEY).unwrap();
        remove_matrix(folder.path(), KEY).unwrap();
        assert!(matrix.intact(), "whoever has it mapped keeps it");
        assert_eq!(matrix.as_ref(), entries());
        assert!(list_matrices(folder.path()).unwrap().is_empty());
    }

    #[test]
    fn damage_anywhere_is_seen() {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join(KEY.file_name());
        store_matrix(folder.path(), KEY, &entries()).unwrap();
        let whole = fs::read(&path).unwrap();
        for position in (0..HEADER_LEN).chain((HEADER_LEN..whole.len()).step_by(97)) {
            let mut flipped = whole.clone();
            flipped[position] ^= 0x10;
            fs::write(&path, &flipped).unwrap();
            let error = MatrixFile::open(folder.path(), KEY, MatrixCheck::Full).unwrap_err();
            assert!(matches!(error, MatrixError::Damaged { .. }), "byte {position}: {error}");
        }
        for length in [0, 1, HEADER_LEN - 1, HEADER_LEN, whole.len() - 1] {
            fs::write(&path, &whole[..length]).unwrap();
            assert!(MatrixFile::open(folder.path(), KEY, MatrixCheck::Full).is_err(), "{length} bytes");
        }
        let other = MatrixKey { seed: 7, ..KEY };
        fs::write(folder.path().join(other.file_name()), &whole).unwrap();
        assert!(
            MatrixFile::open(folder.path(), other, MatrixCheck::Header).is_err(),
            "another matrix under this name"
        );
    }

    #[test]
    fn cut_while_mapped_is_told() {
        let folder = TempDir::new().unwrap();
        store_matrix(folder.path(), KEY, &entries()).unwrap();
        let matrix = MatrixFile::open(folder.path(), KEY, MatrixCheck::Full).unwrap();
        let path = folder.path().join(KEY.file_name());
        fs::OpenOptions::new().write(true).open(path).unwrap().set_len(100).unwrap();
        assert_eq!(matrix.as_ref().len(), 33 * 33, "still readable");
        assert_eq!(matrix.as_ref().last(), Some(&0.0));
        assert!(!matrix.intact());
    }

    #[test]
    fn a_failed_write_leaves_nothing() {
        let folder = TempDir::new().unwrap();
        let missing = folder.path().join("missing");
        assert!(store_matrix(&missing, KEY, &entries()).is_err());
        let leftover = folder.path().join(".matrix-1-2-3.99-0.tqtmp");
        fs::write(&leftover, "").unwrap();
        fs::write(folder.path().join("unrelated"), "").unwrap();
        assert!(list_matrices(folder.path()).unwrap().is_empty());
        assert!(list_matrices(&missing).unwrap().is_empty());

        store_matrix(folder.path(), KEY, &entries()).unwrap();
        assert!(!leftover.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "what isn't ours stays");
        let mode = fs::metadata(folder.path().join(KEY.file_name())).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "below the data directory nothing is for others");
    }
}
