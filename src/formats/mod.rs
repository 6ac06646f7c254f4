//! The file formats, their options, and what reads and writes vectors in them; [`crate::copy`] and the functions on files share it.

mod convert;
pub(crate) mod corpus;
mod info;
mod keys;
mod make;
mod merge;
mod open;
mod options;
mod search;
mod shown;

use std::ffi::CStr;

pub(crate) use self::convert::folder_of;
pub(crate) use self::keys::{Key, KeySource};
pub(crate) use self::make::{FloatWriter, check_options, keeps_doubles};
pub(crate) use self::open::{Matrix, check_content, check_described, open_matrix, rows_error};
pub(crate) use self::options::{
    Options, bad_option, check_option, checked_metadata, format_of, option_value,
};
pub(crate) use self::search::search_index;

pgrx::extension_sql_file!("formats.sql", name = "formats", requires = ["copy"]);

/// A file format that this extension copies.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Format {
    Tqcv,
    Qvec,
    Ztensor,
    Burnpack,
}

impl Format {
    pub(crate) const ALL: [Format; 4] = [Format::Tqcv, Format::Qvec, Format::Ztensor, Format::Burnpack];

    /// The name after FORMAT.
    pub(crate) fn name(self) -> &'static str {
        self.c_name().to_str().unwrap_or_default()
    }

    /// The same, as the parser has it.
    pub(crate) const fn c_name(self) -> &'static CStr {
        match self {
            Format::Tqcv => c"tqcv",
            Format::Qvec => c"qvec",
            Format::Ztensor => c"ztensor",
            Format::Burnpack => c"burnpack",
        }
    }

    /// The format of that name, as `tq_import` and `tq_export` are given it.
    pub(crate) fn by_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }

    /// The options of a COPY in that direction, but FORMAT.
    pub(crate) const fn options(self, direction: Direction) -> &'static [&'static str] {
        match (self, direction) {
            (Format::Tqcv, Direction::From) => &["freeze", "ids", "codec", "recompress"],
            (Format::Tqcv, Direction::To) => &["metadata", "codec"],
            (Format::Qvec, Direction::From) => &["freeze", "ids", "codec"],
            (Format::Qvec, Direction::To) => &["version", "bits", "metric", "seed"],
            (Format::Ztensor | Format::Burnpack, Direction::From) => &["tensor", "freeze", "ids", "codec"],
            (Format::Ztensor, Direction::To) => {
                &["tensor", "dtype", "sparse", "compression", "version", "metadata"]
            }
            (Format::Burnpack, Direction::To) => &["tensor", "dtype", "metadata"],
        }
    }

    /// Whether its files have ids.
    pub(crate) const fn has_ids(self) -> bool {
        matches!(self, Format::Tqcv | Format::Qvec)
    }

    /// Both lists, for hints.
    pub(crate) fn all_options(self) -> String {
        let list = |direction| join(self.options(direction));
        format!(
            "Options of FORMAT {} are {} for COPY FROM, {} for COPY TO.",
            self.name(),
            list(Direction::From),
            list(Direction::To)
        )
    }
}

/// Option names as hints write them: "A, B and C".
fn join(names: &[&str]) -> String {
    let upper: Vec<String> = names.iter().map(|name| name.to_uppercase()).collect();
    match upper.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "none".into(),
    }
}

/// Which way a COPY goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Direction {
    From,
    To,
}

impl Direction {
    /// As messages say it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Direction::From => "COPY FROM",
            Direction::To => "COPY TO",
        }
    }

    pub(crate) const fn other(self) -> Direction {
        match self {
            Direction::From => Direction::To,
            Direction::To => Direction::From,
        }
    }
}
