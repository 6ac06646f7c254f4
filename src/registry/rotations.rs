//! Rotations of this database directory: built once, kept in files, mapped by every backend that needs them.
//!
//! A Haar rotation takes O(d³) to build (0.2 s at 1536 dimensions), which parallel workers and short connections must
//! not pay again and again. Its matrix therefore stays in `pg_tinyquant/` below the data directory, in a file that is
//! checked when it is mapped and built anew when it is missing or damaged. Where the folder can't be written, all goes
//! on with a matrix in the backend's own memory, and one WARNING. Other rotations cost nothing to build.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;

use pgrx::pg_sys;
use tq_codec::{Rotation, RotationKind, build_rotation_polling};
use tq_corpus::{FileError, MatrixCheck, MatrixFile, MatrixKey, list_matrices, remove_matrix, store_matrix};

use crate::error::{self, Error};
use crate::interrupts::poll;

/// Below this dimension building is faster than opening a file.
const SMALLEST: u32 = 129;
/// Most bytes that the folder holds; the files written longest ago make room.
const FOLDER_BYTES: u64 = 4 << 30;
/// What the files call the kind of rotation.
const HAAR: u32 = 1;

thread_local! {
    static WARNED: Cell<bool> = const { Cell::new(false) };
}

/// A rotation, and the file behind it if it has one.
pub(super) type Obtained = (Arc<Rotation>, Option<Arc<MatrixFile>>);

/// Where the files are.
pub(super) fn folder() -> PathBuf {
    // SAFETY: DataDir is set before any backend runs, and never changes.
    let data = unsafe { CStr::from_ptr(pg_sys::DataDir) };
    PathBuf::from(OsStr::from_bytes(data.to_bytes())).join("pg_tinyquant")
}

/// The rotation of this kind, seed and dimension, from its file or built.
pub(super) fn obtain(kind: RotationKind, seed: u64, dimension: u32) -> Result<Obtained, Error> {
    if kind != RotationKind::Haar || dimension < SMALLEST || cfg!(target_endian = "big") {
        return Ok((Arc::new(build(kind, seed, dimension)?), None));
    }
    let key = MatrixKey { kind: HAAR, seed, dimension };
    // SAFETY: a plain variable of the backend's. A parallel worker's leader has just used the codec, and so checked it.
    let check =
        if unsafe { pg_sys::ParallelWorkerNumber } >= 0 { MatrixCheck::Header } else { MatrixCheck::Full };
    match MatrixFile::open(&folder(), key, check) {
        Ok(file) => return shared(seed, dimension, file),
        Err(failure) if failure.is_missing() => {}
        Err(failure) => error::log(failure.to_string(), "The matrix is built anew."),
    }
    let rotation = build(kind, seed, dimension)?;
    let stored = rotation.matrix().map_or(Ok(()), |matrix| store(key, matrix));
    match stored.and_then(|()| MatrixFile::open(&folder(), key, MatrixCheck::Full).map_err(Error::from)) {
        Ok(file) => shared(seed, dimension, file),
        Err(failure) => {
            if !WARNED.replace(true) {
                error::warning(
                    format!("rotations cannot be kept in \"pg_tinyquant\": {failure}"),
                    "Each session builds the ones that it needs.",
                );
            }
            Ok((Arc::new(rotation), None))
        }
    }
}

/// The rotations that are kept, as (kind, seed, dimension, bytes of the file).
pub(super) fn list() -> Result<Vec<(RotationKind, u64, u32, u64)>, Error> {
    let kept = list_matrices(&folder())?.into_iter().filter(|entry| entry.key.kind == HAAR);
    Ok(kept.map(|entry| (RotationKind::Haar, entry.key.seed, entry.key.dimension, entry.bytes)).collect())
}

/// Removes all of them; returns how many there were. Backends that have one mapped keep it.
pub(super) fn clear() -> Result<usize, Error> {
    let kept = list_matrices(&folder())?;
    for entry in &kept {
        remove_matrix(&folder(), entry.key)?;
    }
    Ok(kept.len())
}

/// Builds a rotation, and ends early if the statement is to be cancelled.
fn build(kind: RotationKind, seed: u64, dimension: u32) -> Result<Rotation, Error> {
    Ok(build_rotation_polling(kind, seed, dimension, &mut poll)?)
}

fn shared(seed: u64, dimension: u32, file: MatrixFile) -> Result<Obtained, Error> {
    let file = Arc::new(file);
    Ok((Arc::new(Rotation::haar_from(seed, dimension, file.clone())?), Some(file)))
}

fn store(key: MatrixKey, matrix: &[f64]) -> Result<(), Error> {
    let folder = folder();
    if key.file_len() > FOLDER_BYTES {
        return Err(Error::RotationTooLarge(key.dimension));
    }
    match std::fs::DirBuilder::new().mode(0o700).create(&folder) {
        Err(source) if source.kind() != std::io::ErrorKind::AlreadyExists => {
            return Err(Error::RotationFile(FileError::Io { path: folder, op: "create", source }.into()));
        }
        _ => {}
    }
    let present = list_matrices(&folder)?;
    let mut total: u64 = present.iter().map(|entry| entry.bytes).sum();
    for entry in present {
        if total + key.file_len() <= FOLDER_BYTES {
            break;
        }
        remove_matrix(&folder, entry.key)?;
        total -= entry.bytes;
    }
    Ok(store_matrix(&folder, key, matrix)?)
}
