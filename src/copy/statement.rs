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

/// Where the file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Endpoint {
    /// A file of the server, by its absolute path.
    File(PathBuf),
    /// STDIN or STDOUT: the client sends or gets the file's bytes.
    Client,
}

/// Which way a COPY goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Direction {
    From,
    To,
}

impl Direction {
    /// As messages say it.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Direction::From => "COPY FROM",
            Direction::To => "COPY TO",
        }
    }
}

/// A COPY of ours, as far as the parse tree says. An option that was not given is `None`.
#[derive(Clone, Debug)]
pub(super) struct Statement {
    pub(super) direction: Direction,
    pub(super) endpoint: Endpoint,
    /// FROM: FREEZE.
    pub(super) freeze: Option<bool>,
    /// FROM: where the ids come from, instead of the metadata.
    pub(super) ids: Option<String>,
    /// FROM: RECOMPRESS.
    pub(super) recompress: Option<bool>,
    /// TO: what the user adds to the metadata, as JSON.
    pub(super) metadata: Option<String>,
    /// Both: a codec's name or hash.
    pub(super) codec: Option<String>,
}

impl Statement {
    /// Reads the statement's options and refuses what the format has not.
    ///
    /// # Errors
    /// PROGRAM, options that are unknown, given twice or of the other direction, a relative path; PostgreSQL's own for
    /// values that are no strings or Booleans.
    ///
    /// # Safety
    /// `copy` must be a valid statement from the parser.
    pub(super) unsafe fn parse(format: Format, copy: *const pg_sys::CopyStmt) -> Result<Statement, Error> {
        // SAFETY: the parser filled the statement; its filename, where there is one, is a C string.
        unsafe {
            let direction = if (*copy).is_from { Direction::From } else { Direction::To };
            if (*copy).is_program {
                return Err(Error::CopyUnsupported {
                    format: format.name(),
                    what: "PROGRAM".into(),
                    hint: Some(match direction {
                        Direction::From => "Let the program write a file and COPY FROM that.",
                        Direction::To => "COPY TO a file and let the program read that.",
                    }),
                });
            }
            let endpoint = if (*copy).filename.is_null() {
                Endpoint::Client
            } else {
                let path = CStr::from_ptr((*copy).filename);
                let path = PathBuf::from(OsStr::from_bytes(path.to_bytes()));
                Endpoint::File(files::absolute(path, &format!("COPY FORMAT {}", format.name()))?)
            };
            let mut statement = Statement {
                direction,
                endpoint,
                freeze: None,
                ids: None,
                recompress: None,
                metadata: None,
                codec: None,
            };
            statement.read_options((*copy).options)?;
            Ok(statement)
        }
    }

    /// # Safety
    /// `options` must be the option list of a statement from the parser.
    unsafe fn read_options(&mut self, options: *mut pg_sys::List) -> Result<(), Error> {
        let mut seen: Vec<String> = Vec::new();
        // SAFETY: the statement's options are a list of DefElems; core reads their values, and raises its own errors.
        unsafe {
            for option in PgList::<pg_sys::DefElem>::from_pg(options).iter_ptr() {
                let name = name_of(option).to_string_lossy().into_owned();
                let only = match name.as_str() {
                    "format" | "codec" => None,
                    "freeze" | "ids" | "recompress" => Some(Direction::From),
                    "metadata" => Some(Direction::To),
                    _ => return Err(Error::OptionUnknown(name)),
                };
                if seen.contains(&name) {
                    return Err(Error::OptionTwice(name));
                }
                if only.is_some_and(|only| only != self.direction) {
                    return Err(Error::OptionMisplaced {
                        option: name.to_uppercase(),
                        direction: self.direction.name(),
                    });
                }
                match name.as_str() {
                    "freeze" => self.freeze = Some(pg_sys::defGetBoolean(option)),
                    "recompress" => self.recompress = Some(pg_sys::defGetBoolean(option)),
                    "ids" => self.ids = Some(value_of(option)),
                    "metadata" => self.metadata = Some(value_of(option)),
                    "codec" => self.codec = Some(value_of(option)),
                    _ => {}
                }
                seen.push(name);
            }
        }
        Ok(())
    }
}

/// The value of an option as text, whatever node holds it; PostgreSQL's own error if there is none.
///
/// # Safety
/// `option` must be a valid DefElem.
unsafe fn value_of(option: *mut pg_sys::DefElem) -> String {
    // SAFETY: defGetString gives a C string in the database's encoding, or raises an error.
    unsafe { CStr::from_ptr(pg_sys::defGetString(option)).to_string_lossy().into_owned() }
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
