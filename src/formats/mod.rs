//! The file formats, their options, and what reads and writes vectors in them; [`crate::copy`] and the functions on files share it.

mod convert;
pub(crate) mod corpus;
mod ids;
mod info;
mod make;
mod merge;
mod open;
mod options;
mod search;
mod shown;
mod whole;

pub(crate) use self::convert::folder_of;
pub(crate) use self::ids::IdSource;
pub(crate) use self::make::{FloatWriter, check_options, keeps_doubles};
pub(crate) use self::open::{Matrix, check_content, check_described, open_ids, open_matrix, rows_error};
pub(crate) use self::options::{
    Direction, Kind, Options, all_options, bad_option, check_option, checked_metadata, has_option, kind_of,
    named_format, option_value,
};
pub(crate) use self::search::search_index;

pgrx::extension_sql_file!("formats.sql", name = "formats", requires = ["copy"]);
