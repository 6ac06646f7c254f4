//! What can be wrong with a file before its format comes into it. Each variant names the file.

use std::io;
use std::path::{Path, PathBuf};

/// Why a file could not be mapped, read or written.
#[derive(thiserror::Error, Debug)]
#[non_exhaustive]
pub enum FileError {
    /// A system call failed.
    #[error("could not {op} file \"{}\": {}", path.display(), system_words(source))]
    Io {
        /// The file.
        path: PathBuf,
        /// What was attempted: "open", "stat", "map", "write".
        op: &'static str,
        /// The operating system's reason.
        source: io::Error,
    },
    /// The path is a directory.
    #[error("\"{}\" is a directory", path.display())]
    IsDirectory {
        /// The path.
        path: PathBuf,
    },
    /// The path is a pipe, a socket or a device.
    #[error("\"{}\" is not a regular file", path.display())]
    NotRegular {
        /// The path.
        path: PathBuf,
    },
    /// The file doesn't fit into the address space.
    #[error("file \"{}\" has {size} bytes: too many to map", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// Its size.
        size: u64,
    },
    /// The file is longer than one of its kind can be.
    #[error("file \"{}\" is too long: it has {size} bytes, at most {limit} are expected", path.display())]
    TooLong {
        /// The file.
        path: PathBuf,
        /// Bytes found, at least.
        size: u64,
        /// Bytes allowed.
        limit: u64,
    },
    /// The file shrank while it was being read; whatever was read since the last check is worthless.
    #[error(
        "file \"{}\" was truncated while it was being read: it had {expected} bytes and now has {got}",
        path.display()
    )]
    Truncated {
        /// The file.
        path: PathBuf,
        /// Bytes when it was mapped.
        expected: u64,
        /// Bytes now.
        got: u64,
    },
    /// The file was written to while it was being read; whatever was read since the last check may be a mixture.
    #[error("file \"{}\" was modified while it was being read", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
    /// A page of the file could not be brought into memory although the file is as it was: a failing disk or a
    /// lost network mount.
    #[error("could not read file \"{}\": a page of it could not be loaded", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
    },
    /// As many files are mapped as the process has places for.
    #[error("could not map file \"{}\": {limit} files are mapped already", path.display())]
    TooManyMapped {
        /// The file.
        path: PathBuf,
        /// The number of places.
        limit: usize,
    },
}

impl FileError {
    /// The file at fault.
    pub fn path(&self) -> &Path {
        match self {
            FileError::Io { path, .. }
            | FileError::IsDirectory { path }
            | FileError::NotRegular { path }
            | FileError::TooLarge { path, .. }
            | FileError::TooLong { path, .. }
            | FileError::Truncated { path, .. }
            | FileError::Changed { path }
            | FileError::Unreadable { path }
            | FileError::TooManyMapped { path, .. } => path,
        }
    }
}

/// What the system calls an error, without the number that Rust puts behind it.
fn system_words(error: &io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error").next().unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_of_the_system_are_told_in_its_words() {
        for (code, words) in
            [(28, "No space left on device"), (13, "Permission denied"), (122, "quota exceeded")]
        {
            let source = io::Error::from_raw_os_error(code);
            assert!(source.to_string().ends_with(&format!("(os error {code})")), "{source}");
            let error = FileError::Io { path: "/a".into(), op: "write", source }.to_string();
            assert!(error.to_lowercase().ends_with(&words.to_lowercase()), "{error}");
            let rows = crate::RowsError::from(FileError::Io {
                path: "/a".into(),
                op: "write",
                source: io::Error::from_raw_os_error(code),
            });
            assert_eq!(rows.to_string(), error);
        }
        let own = FileError::Io { path: "/a".into(), op: "read", source: io::Error::other("as it is") };
        assert_eq!(own.to_string(), "could not read file \"/a\": as it is");
    }
}
