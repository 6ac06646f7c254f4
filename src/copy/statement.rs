//! What a COPY statement says: whether it is ours, its options, its file.

#![allow(unsafe_code)]

use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::rc::Rc;

use pgrx::{PgList, pg_sys};
use tq_files::Format;
use tq_memory::Hold;

use crate::datum::arguments::HELD_FOR_A_BYTE;
use crate::error::{CopyError, Error};
use crate::formats::{Direction, Kind, Options, all_options, has_option, kind_of};
use crate::server::encoding;
use crate::server::file_access;

/// The format of a COPY, if it is one of ours. Only the `format` option decides, never the file's name.
///
/// # Safety
/// `copy` must be a valid statement from the parser.
pub(crate) unsafe fn copy_format(copy: *const pg_sys::CopyStmt) -> Option<Format> {
    // SAFETY: the statement's options are a list of DefElems.
    unsafe {
        let options = PgList::<pg_sys::DefElem>::from_pg((*copy).options);
        options.iter_ptr().find_map(|option| {
            if option_name(option) != c"format" {
                return None;
            }
            let given = string_value(option)?;
            given.to_str().ok().and_then(Format::by_name)
        })
    }
}

/// Where the file is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Endpoint {
    /// A file of the server, by its absolute path.
    File(PathBuf),
    /// STDIN or STDOUT: the client sends or gets the file's bytes.
    Client,
}

/// A COPY of ours, as far as the parse tree says.
#[derive(Clone, Debug)]
pub(crate) struct Statement {
    pub(crate) format: Format,
    pub(crate) endpoint: Endpoint,
    pub(crate) options: Options,
    /// Memory for the values of the options, and for what is made of them until the COPY is over.
    _hold: Rc<Hold>,
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
    pub(crate) unsafe fn parse(format: Format, copy: *const pg_sys::CopyStmt) -> Result<Statement, Error> {
        // SAFETY: the parser filled the statement; its filename, where there is one, is a C string.
        unsafe {
            let direction = if (*copy).is_from { Direction::From } else { Direction::To };
            if direction == Direction::To && !format.is_written() {
                return Err(Error::Copy(CopyError::NotWritten(format.name())));
            }
            if (*copy).is_program {
                return Err(Error::Copy(CopyError::Unsupported {
                    format: format.name(),
                    what: "PROGRAM".into(),
                    hint: Some(match direction {
                        Direction::From => "Let the program write a file and COPY FROM that.",
                        Direction::To => "COPY TO a file and let the program read that.",
                    }),
                }));
            }
            let endpoint = if (*copy).filename.is_null() {
                Endpoint::Client
            } else {
                let path = CStr::from_ptr((*copy).filename);
                let path = PathBuf::from(OsStr::from_bytes(path.to_bytes()));
                Endpoint::File(file_access::absolute(path, &format!("COPY FORMAT {}", format.name()))?)
            };
            let hold = Rc::new(tq_memory::hold(HELD_FOR_A_BYTE * text_bytes((*copy).options) + (64 << 10))?);
            let options = read_options(format, direction, (*copy).options)?;
            Ok(Statement { format, endpoint, options, _hold: hold })
        }
    }
}

/// Bytes of the options' texts.
///
/// # Safety
/// `options` must be the option list of a statement from the parser.
unsafe fn text_bytes(options: *mut pg_sys::List) -> usize {
    // SAFETY: the statement's options are a list of DefElems.
    unsafe {
        let options = PgList::<pg_sys::DefElem>::from_pg(options);
        options.iter_ptr().filter_map(|option| string_value(option)).map(CStr::count_bytes).sum()
    }
}

/// # Safety
/// `options` must be the option list of a statement from the parser.
unsafe fn read_options(
    format: Format,
    direction: Direction,
    options: *mut pg_sys::List,
) -> Result<Options, Error> {
    let mut read: Vec<(String, String)> = Vec::new();
    // SAFETY: the statement's options are a list of DefElems; core reads their values, and raises its own errors.
    unsafe {
        for option in PgList::<pg_sys::DefElem>::from_pg(options).iter_ptr() {
            let name = option_name(option).to_string_lossy().into_owned();
            let known = name == "format" || has_option(format, direction, &name);
            if !known {
                let hint = all_options(format);
                if has_option(format, direction.other(), &name) {
                    let option = name.to_uppercase();
                    return Err(Error::Copy(CopyError::OptionMisplaced {
                        option,
                        direction: direction.name(),
                        hint,
                    }));
                }
                let hint = match name.as_str() {
                    "encoding" => format!(
                        "Text in files of FORMAT {} is UTF-8, whatever the client's is.",
                        format.name()
                    ),
                    _ => hint,
                };
                return Err(Error::Copy(CopyError::OptionUnknown { option: name, hint }));
            }
            if read.iter().any(|(before, _)| *before == name) {
                return Err(Error::Copy(CopyError::OptionTwice(name)));
            }
            let value = match kind_of(&name) {
                Kind::Boolean => pg_sys::defGetBoolean(option).to_string(),
                Kind::Number | Kind::Text | Kind::Json => text_of(option)?,
            };
            read.push((name, value));
        }
    }
    Ok(Options::new(read))
}

/// The value of an option as text, whatever node holds it; PostgreSQL's own error if there is none.
///
/// # Safety
/// `option` must be a valid DefElem.
unsafe fn text_of(option: *mut pg_sys::DefElem) -> Result<String, Error> {
    // SAFETY: defGetString gives a C string in the database's encoding, or raises an error.
    let value = unsafe { CStr::from_ptr(pg_sys::defGetString(option)) };
    Ok(encoding::from_server(value.to_bytes())?.to_owned())
}

/// # Safety
/// `option` must be a valid DefElem.
unsafe fn option_name<'a>(option: *const pg_sys::DefElem) -> &'a CStr {
    // SAFETY: the parser names every option.
    unsafe { CStr::from_ptr((*option).defname) }
}

/// The value of an option that is a string or a bare word.
///
/// # Safety
/// `option` must be a valid DefElem.
unsafe fn string_value<'a>(option: *const pg_sys::DefElem) -> Option<&'a CStr> {
    // SAFETY: the argument is null or a node, whose tag says what it is; a String node's sval is a C string.
    unsafe {
        let argument = (*option).arg;
        if argument.is_null() || (*argument).type_ != pg_sys::NodeTag::T_String {
            return None;
        }
        Some(CStr::from_ptr((*argument.cast::<pg_sys::String>()).sval))
    }
}
