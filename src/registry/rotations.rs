//! Rotations of this database directory: built once, kept in files, mapped by every backend that needs them.
//!
//! A Haar rotation takes O(d³) to build (0.2 s at 1536 dimensions), which parallel workers and short connections must
//! not pay again and again. Its matrix therefore stays in `pg_tinyquant/` below the data directory, in a file that is
//! checked when it is mapped (or was, by another process of this server's, since it was last changed) and built anew when it
//! is missing or damaged. Where the folder can't be written, all goes on with a matrix in the backend's own memory, and one
//! WARNING. Other rotations cost nothing to build.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::Arc;

use pgrx::pg_sys;
use tq_codec::{Rotation, RotationKind, build_rotation_polling};
use tq_files::{MatrixFile, MatrixFolder, MatrixKey};

use crate::error;
use crate::error::interrupts::poll;
use crate::error::{Error, RegistryError};

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
pub(super) struct StoredRotation {
    pub(super) rotation: Arc<Rotation>,
    pub(super) file: Option<Arc<MatrixFile>>,
}

impl From<Rotation> for StoredRotation {
    fn from(rotation: Rotation) -> Self {
        StoredRotation { rotation: Arc::new(rotation), file: None }
    }
}

/// Where the files are.
fn folder() -> MatrixFolder {
    // SAFETY: plain variables, which are set before any backend runs and never change.
    let (data, mode, process, started) = unsafe {
        let data = CStr::from_ptr(pg_sys::DataDir);
        (data, pg_sys::data_directory_mode, pg_sys::PostmasterPid, pg_sys::PgStartTime)
    };
    // The server's processes since its start, which believe each other; it starts anew after whatever stops the machine.
    let mut run = [0; 16];
    run[..4].copy_from_slice(&process.to_le_bytes());
    run[8..].copy_from_slice(&started.to_le_bytes());
    // Where members of the data directory's group may read it, they may read all that is in it: to back it up.
    let group = mode & 0o050 == 0o050;
    MatrixFolder::new(Path::new(OsStr::from_bytes(data.to_bytes())).join("pg_tinyquant"), run, group)
}

/// The rotation of this kind, seed and dimension, from its file or built.
pub(super) fn open_or_build(kind: RotationKind, seed: u64, dimension: u32) -> Result<StoredRotation, Error> {
    if kind != RotationKind::Haar || dimension < SMALLEST || cfg!(target_endian = "big") {
        return Ok(build(kind, seed, dimension)?.into());
    }
    let key = MatrixKey { kind: HAAR, seed, dimension };
    let folder = folder();
    match folder.open(key, &mut poll) {
        Ok(file) => return mapped(seed, dimension, file),
        Err(failure) if failure.is_missing() => {}
        Err(failure) => error::log(failure.to_string(), "The matrix is built anew."),
    }
    let rotation = build(kind, seed, dimension)?;
    let stored = rotation.matrix().map_or(Ok(()), |matrix| store(&folder, key, matrix));
    match stored.and_then(|()| folder.open(key, &mut poll).map_err(Error::from)) {
        Ok(file) => return mapped(seed, dimension, file),
        // Another session has cleared the folder, or made room for its own: as it wanted, and nothing to warn of.
        Err(Error::RotationFile(failure)) if failure.is_missing() => {}
        Err(failure) => {
            if !WARNED.replace(true) {
                error::warning(
                    format!("rotations cannot be kept in \"pg_tinyquant\": {failure}"),
                    "Each session builds the ones that it needs.",
                );
            }
        }
    }
    Ok(rotation.into())
}

/// The rotations that are kept, as (kind, seed, dimension, bytes of the file).
pub(super) fn list() -> Result<Vec<(RotationKind, u64, u32, u64)>, Error> {
    let kept = folder().list()?.into_iter().filter(|entry| entry.key.kind == HAAR);
    Ok(kept.map(|entry| (RotationKind::Haar, entry.key.seed, entry.key.dimension, entry.bytes)).collect())
}

/// Removes all of them; returns how many there were. Backends that have one mapped keep it.
pub(super) fn clear() -> Result<usize, Error> {
    Ok(folder().clear()?)
}

/// Builds a rotation, and ends early if the statement is to be cancelled.
fn build(kind: RotationKind, seed: u64, dimension: u32) -> Result<Rotation, Error> {
    Ok(build_rotation_polling(kind, seed, dimension, &mut poll)?)
}

fn mapped(seed: u64, dimension: u32, file: MatrixFile) -> Result<StoredRotation, Error> {
    let file = Arc::new(file);
    let rotation = Arc::new(Rotation::haar_from(seed, dimension, file.clone())?.with_rounded(file.clone())?);
    Ok(StoredRotation { rotation, file: Some(file) })
}

fn store(folder: &MatrixFolder, key: MatrixKey, matrix: &[f64]) -> Result<(), Error> {
    if key.file_len() > FOLDER_BYTES {
        return Err(Error::Registry(RegistryError::RotationTooLarge(key.dimension)));
    }
    let present = folder.list()?;
    let mut total: u64 = present.iter().map(|entry| entry.bytes).sum();
    for entry in present {
        if total + key.file_len() <= FOLDER_BYTES {
            break;
        }
        folder.remove(entry.key)?;
        total -= entry.bytes;
    }
    Ok(folder.store(key, matrix, &mut poll)?)
}
