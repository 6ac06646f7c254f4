//! Files of the server that SQL names: who may read and write them, and which paths are taken.
//!
//! The rules are those of COPY: membership in `pg_read_server_files` or `pg_write_server_files`, and absolute paths, so
//! that nobody depends on the server's working directory.

#![allow(unsafe_code)]

use std::cell::Cell;
use std::ffi::c_int;
use std::path::{Path, PathBuf};

use pgrx::pg_sys;
use tq_files::{AtomicFile, FileError};

pgrx::extension_sql_file!("file_access.sql", name = "files", requires = ["registry", "corpus", "formats"]);

/// Why a file of the server can't be named by this user, or so.
#[derive(thiserror::Error, Debug)]
pub(crate) enum AccessError {
    /// `whom` completes "relative path not allowed for".
    #[error("relative path not allowed for {whom}: \"{path}\"")]
    RelativePath { whom: String, path: String },
    /// The user lacks the role; `action` completes "permission denied to".
    #[error("permission denied to {action}")]
    Role { access: FileAccess, action: &'static str },
}

/// What is done with a file of the server.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum FileAccess {
    Read,
    Write,
}

impl FileAccess {
    /// The role whose members may.
    pub(crate) const fn role(self) -> &'static str {
        match self {
            FileAccess::Read => "pg_read_server_files",
            FileAccess::Write => "pg_write_server_files",
        }
    }

    fn oid(self) -> pg_sys::Oid {
        pg_sys::Oid::from(match self {
            FileAccess::Read => pg_sys::ROLE_PG_READ_SERVER_FILES,
            FileAccess::Write => pg_sys::ROLE_PG_WRITE_SERVER_FILES,
        })
    }
}

/// Refuses users without the role; `action` completes "permission denied to …".
pub(crate) fn require(access: FileAccess, action: &'static str) -> Result<(), AccessError> {
    // SAFETY: looks up roles in the system caches, as core's COPY does; runs in a backend's transaction.
    match unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), access.oid()) } {
        true => Ok(()),
        false => Err(AccessError::Role { access, action }),
    }
}

/// Refuses a relative path; `whom` completes "relative path not allowed for …".
pub(crate) fn absolute(path: impl AsRef<Path>, whom: &str) -> Result<PathBuf, AccessError> {
    let path = path.as_ref();
    match path.is_absolute() {
        true => Ok(path.to_owned()),
        false => Err(AccessError::RelativePath { whom: whom.to_string(), path: path.display().to_string() }),
    }
}

/// Begins a file that appears whole or not at all. Should the session be ended in its midst (pg_terminate_backend, a fast shutdown, a
/// client that is gone), which drops nothing, it is removed all the same.
pub(crate) fn create(target: &Path) -> Result<AtomicFile, FileError> {
    thread_local! {
        static WATCHED: Cell<bool> = const { Cell::new(false) };
    }
    if !WATCHED.replace(true) {
        // SAFETY: the callback is a plain function that lives as long as the process.
        unsafe { pg_sys::on_proc_exit(Some(remove_unfinished), pg_sys::Datum::null()) }
    }
    AtomicFile::create(target)
}

/// Runs at the end of the process.
unsafe extern "C-unwind" fn remove_unfinished(_: c_int, _: pg_sys::Datum) {
    tq_files::remove_unfinished();
}
