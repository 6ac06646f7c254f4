//! What a COPY statement says: whether it is ours, its options, its file.

#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use pgrx::{PgList, pg_sys};

use crate::error::Error;
use crate::files;

/// A file format that this extension copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Format {
    Tqcv,
}

impl Format {
    /// The name after FORMAT.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Format::Tqcv => "tqcv",
        }
    }

    /// The format of a COPY, if it is one of ours. Only the `format` option decides, never the file's name.
    ///
    /// # Safety
    /// `copy` must be a valid statement from the parser.
    pub(super) unsafe fn of(copy: *const pg_sys::CopyStmt) -> Option<Format> {
        // SAFETY: the statement's options are a list of DefElems.
        unsafe {
            let options = PgList::<pg_sys::DefElem>::from_pg((*copy).options);
            options.iter_ptr().find_map(|option| {
                if name_of(option) != c"format" {
                    return None;
                }
                match string_of(option) {
                    Some(format) if format == c"tqcv" => Some(Format::Tqcv),
                    _ => None,
                }
            })
        }
    }
}

/// A COPY FROM of ours, as far as the parse tree says.
pub(super) struct Statement {
    pub(super) path: PathBuf,
    pub(super) freeze: bool,
}

impl Statement {
    /// Reads the statement's options and refuses what the format has not.
    ///
    /// # Errors
    /// COPY TO, PROGRAM, STDIN, options that are unknown or given twice, a relative path.
    ///
    /// # Safety
    /// `copy` must be a valid statement from the parser.
    pub(super) unsafe fn parse(format: Format, copy: *const pg_sys::CopyStmt) -> Result<Statement, Error> {
        let unsupported = |what: &str, hint| {
            Err(Error::CopyUnsupported { format: format.name(), what: what.to_string(), hint })
        };
        // SAFETY: the parser filled the statement; its filename, where there is one, is a C string.
        unsafe {
            if !(*copy).is_from {
                return unsupported("COPY TO", Some("It reads files, with COPY FROM."));
            }
            if (*copy).is_program {
                return unsupported("PROGRAM", Some("Let the program write a file and COPY FROM that."));
            }
            if (*copy).filename.is_null() {
                return unsupported(
                    "STDIN",
                    Some("Name a file of the server: COPY … FROM '/path/file.tqcv'."),
                );
            }
            let freeze = parse_options((*copy).options)?;
            let name = CStr::from_ptr((*copy).filename);
            let path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
            let path = files::absolute(path, &format!("COPY FORMAT {}", format.name()))?;
            Ok(Statement { path, freeze })
        }
    }
}

/// The options; today FREEZE alone beside FORMAT.
///
/// # Safety
/// `options` must be the option list of a statement from the parser.
unsafe fn parse_options(options: *mut pg_sys::List) -> Result<bool, Error> {
    let mut freeze = None;
    let mut formats = 0;
    // SAFETY: the statement's options are a list of DefElems.
    unsafe {
        for option in PgList::<pg_sys::DefElem>::from_pg(options).iter_ptr() {
            let name = name_of(option).to_string_lossy().into_owned();
            match name.as_str() {
                "format" if formats == 0 => formats = 1,
                // Core checks the value, and raises its own error.
                "freeze" if freeze.is_none() => freeze = Some(pg_sys::defGetBoolean(option)),
                "format" | "freeze" => return Err(Error::OptionTwice(name)),
                _ => return Err(Error::OptionUnknown(name)),
            }
        }
    }
    Ok(freeze.unwrap_or(false))
}

/// # Safety
/// `option` must be a valid DefElem.
unsafe fn name_of<'a>(option: *const pg_sys::DefElem) -> &'a CStr {
    // SAFETY: the parser names every option.
    unsafe { CStr::from_ptr((*option).defname) }
}

/// The value of an option that is a string or a bare word.
///
/// # Safety
/// `option` must be a valid DefElem.
unsafe fn string_of<'a>(option: *const pg_sys::DefElem) -> Option<&'a CStr> {
    // SAFETY: the argument is null or a node, whose tag says what it is; a String node's sval is a C string.
    unsafe {
        let argument = (*option).arg;
        if argument.is_null() || (*argument).type_ != pg_sys::NodeTag::T_String {
            return None;
        }
        Some(CStr::from_ptr((*argument.cast::<pg_sys::String>()).sval))
    }
}
