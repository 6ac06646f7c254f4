//! The options of COPY, and of the functions that take them as JSON: one table of all of them.

use serde_json::Value;
use serde_json::value::RawValue;
use tq_files::{Format, check_json};

use crate::datum::arguments::json_value;
use crate::error::{CopyError, Error};

/// What the value of an option is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// True or false.
    Boolean,
    /// A number, which JSON may have as a string, too.
    Number,
    /// A name, or one of some words.
    Text,
    /// JSON.
    Json,
}

/// An option: its name, what its value is, and the formats of the COPYs that have it, by their direction.
struct CopyOption {
    name: &'static str,
    kind: Kind,
    from: &'static [Format],
    to: &'static [Format],
}

const fn option(
    name: &'static str,
    kind: Kind,
    from: &'static [Format],
    to: &'static [Format],
) -> CopyOption {
    CopyOption { name, kind, from, to }
}

const NONE: &[Format] = &[];
const ALL: &[Format] = &Format::ALL;
const WRITTEN: &[Format] = &Format::WRITTEN;
/// What holds numbers, or becomes numbers.
const FLOATS: &[Format] = &[
    Format::Qvec,
    Format::Ztensor,
    Format::Burnpack,
    Format::Npy,
    Format::Npz,
    Format::Safetensors,
    Format::Gguf,
    Format::Torch,
    Format::Fvecs,
    Format::Bvecs,
    Format::Ivecs,
    Format::Fbin,
    Format::U8bin,
    Format::I8bin,
];
/// What has no ids of its own.
const ARRAYS: &[Format] = &[
    Format::Ztensor,
    Format::Burnpack,
    Format::Npy,
    Format::Npz,
    Format::Safetensors,
    Format::Gguf,
    Format::Torch,
    Format::Fvecs,
    Format::Bvecs,
    Format::Ivecs,
    Format::Fbin,
    Format::U8bin,
    Format::I8bin,
];
/// What has tensors with names.
const TENSORS: &[Format] =
    &[Format::Ztensor, Format::Burnpack, Format::Npz, Format::Safetensors, Format::Gguf, Format::Torch];
/// Of these, what is written.
const NAMING: &[Format] = &[Format::Ztensor, Format::Burnpack, Format::Safetensors];
/// What is written in a type of floats that can be chosen.
const TYPED: &[Format] = &[Format::Ztensor, Format::Burnpack, Format::Npy, Format::Safetensors];
/// What has ids beside its vectors, and what takes them from another file.
const WITH_IDS: &[Format] = &[Format::Tqcv, Format::Qvec];
const TAKING_IDS: &[Format] =
    &[Format::Tqcv, Format::Qvec, Format::Ztensor, Format::Burnpack, Format::Safetensors];

/// What has room for what its user says of it.
const METADATA: &[Format] = &[Format::Tqcv, Format::Ztensor, Format::Burnpack, Format::Safetensors];

/// All options of COPY but FORMAT, in the order in which hints list them. docs/files.md says what they mean.
const COPY_OPTIONS: &[CopyOption] = &[
    option("tensor", Kind::Text, TENSORS, NAMING),
    option("freeze", Kind::Boolean, ALL, NONE),
    option("ids", Kind::Text, ALL, NONE),
    option("ids_tensor", Kind::Text, ARRAYS, NAMING),
    option("ids_file", Kind::Text, ARRAYS, NONE),
    option("on_error", Kind::Text, ALL, NONE),
    option("reject_limit", Kind::Number, ALL, NONE),
    option("log_verbosity", Kind::Text, ALL, NONE),
    option("dtype", Kind::Text, NONE, TYPED),
    option("sparse", Kind::Boolean, NONE, &[Format::Ztensor]),
    option("compression", Kind::Text, NONE, &[Format::Ztensor]),
    option("version", Kind::Number, NONE, &[Format::Qvec, Format::Ztensor]),
    option("bits", Kind::Number, NONE, &[Format::Qvec]),
    option("metric", Kind::Text, NONE, &[Format::Qvec]),
    option("seed", Kind::Number, NONE, &[Format::Qvec]),
    option("metadata", Kind::Json, NONE, METADATA),
    option("codec", Kind::Text, ALL, &[Format::Tqcv]),
    option("recompress", Kind::Boolean, &[Format::Tqcv], NONE),
    option("normalize", Kind::Boolean, FLOATS, NONE),
];

/// Options that a conversion has beside those of COPY TO.
const CONVERT_OPTIONS: &[CopyOption] = &[
    option("format", Kind::Text, NONE, WRITTEN),
    option("source_tensor", Kind::Text, NONE, WRITTEN),
    option("tensors", Kind::Text, NONE, NAMING),
    option("ids_tensor", Kind::Text, NONE, WITH_IDS),
    option("ids_file", Kind::Text, NONE, TAKING_IDS),
    option("bit_width", Kind::Number, NONE, &[Format::Tqcv]),
    option("residual", Kind::Boolean, NONE, &[Format::Tqcv]),
    option("rotation", Kind::Text, NONE, &[Format::Tqcv]),
    option("codes", Kind::Text, NONE, &[Format::Tqcv]),
];

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

impl CopyOption {
    fn is_of(&self, format: Format, direction: Direction) -> bool {
        let formats = match direction {
            Direction::From => self.from,
            Direction::To => self.to,
        };
        formats.contains(&format)
    }
}

fn names(
    table: &'static [CopyOption],
    format: Format,
    direction: Direction,
) -> impl Iterator<Item = &'static str> {
    table.iter().filter(move |option| option.is_of(format, direction)).map(|option| option.name)
}

/// Whether a COPY of that format and direction has an option of that name, FORMAT aside.
pub(crate) fn has_option(format: Format, direction: Direction, name: &str) -> bool {
    names(COPY_OPTIONS, format, direction).any(|known| known == name)
}

/// What the value of that option is.
pub(crate) fn kind_of(name: &str) -> Kind {
    let mut all = COPY_OPTIONS.iter().chain(CONVERT_OPTIONS);
    all.find(|option| option.name == name).map_or(Kind::Text, |option| option.kind)
}

/// The options of a format for both directions, for hints.
pub(crate) fn all_options(format: Format) -> String {
    let list = |direction| join(names(COPY_OPTIONS, format, direction));
    format!(
        "Options of FORMAT {} are {} for COPY FROM, {} for COPY TO.",
        format.name(),
        list(Direction::From),
        list(Direction::To)
    )
}

/// Option names as hints write them: "A, B and C".
fn join(names: impl Iterator<Item = &'static str>) -> String {
    let upper: Vec<String> = names.map(str::to_uppercase).collect();
    match upper.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} and {last}", rest.join(", ")),
        Some((last, _)) => last.clone(),
        None => "none".into(),
    }
}

/// The options that describe a built-in codec.
pub(super) const CORPUS_OPTIONS: [&str; 4] = ["bit_width", "residual", "rotation", "codes"];

/// The options of `tq_convert` into that format that COPY doesn't have.
pub(super) fn convert_options(format: Format) -> Vec<&'static str> {
    names(CONVERT_OPTIONS, format, Direction::To).collect()
}

/// Options that were given, but FORMAT, as text.
#[derive(Clone, Debug, Default)]
pub(crate) struct Options(Vec<(String, String)>);

impl Options {
    /// Those of a function, which has checked that the format has them.
    pub(crate) fn new(given: Vec<(String, String)>) -> Options {
        Options(given)
    }

    /// The value of an option.
    pub(crate) fn text(&self, option: &str) -> Option<&str> {
        self.0.iter().find(|(name, _)| name == option).map(|(_, value)| value.as_str())
    }

    /// Whether an option is there and true.
    pub(crate) fn flag(&self, option: &str) -> bool {
        self.text(option) == Some("true")
    }

    /// The value of an option as a number; `range` says which ones are right.
    ///
    /// # Errors
    /// It is none, or none of those.
    pub(crate) fn number<T: std::str::FromStr>(
        &self,
        option: &str,
        range: &str,
        right: impl Fn(&T) -> bool,
    ) -> Result<Option<T>, Error> {
        let Some(text) = self.text(option) else { return Ok(None) };
        match text.parse().ok().filter(right) {
            Some(number) => Ok(Some(number)),
            None => Err(Error::Copy(CopyError::OptionValue {
                option: option.into(),
                problem: format!("must be {range}"),
            })),
        }
    }
}

/// An option whose value is wrong.
pub(crate) fn bad_option(option: &str, problem: &str) -> Error {
    Error::Copy(CopyError::OptionValue { option: option.into(), problem: problem.into() })
}

/// A format by the name that the option "format" gives it.
pub(crate) fn named_format(name: &str) -> Result<Format, Error> {
    Format::by_name(name).ok_or_else(|| bad_option("format", &format!("must be {}", one_of(&Format::ALL))))
}

/// Formats as messages write them: "'a', 'b' or 'c'".
pub(crate) fn one_of(formats: &[Format]) -> String {
    let names: Vec<String> = formats.iter().map(|format| format!("'{}'", format.name())).collect();
    match names.split_last() {
        Some((last, rest)) if !rest.is_empty() => format!("{} or {last}", rest.join(", ")),
        _ => names.concat(),
    }
}

/// A JSON value as an option of COPY: a string, a number or a Boolean as it is, metadata as JSON.
pub(crate) fn option_value(name: &str, json: &RawValue) -> Result<String, Error> {
    let kind = kind_of(name);
    if kind == Kind::Json {
        return match json.get().starts_with('{') {
            true => Ok(json.get().to_string()),
            false => Err(bad_option(name, "must be an object")),
        };
    }
    match (kind, json_value(name, json)?) {
        (Kind::Boolean, Value::Bool(flag)) => Ok(flag.to_string()),
        (Kind::Boolean, _) => Err(bad_option(name, "must be true or false")),
        (Kind::Number, Value::Number(number)) => Ok(number.to_string()),
        (_, Value::String(text)) => Ok(text),
        _ => Err(bad_option(name, "must be a string")),
    }
}

/// Refuses an option that a COPY of the format doesn't have; `own` are the function's.
pub(crate) fn check_option(
    function: &str,
    own: &[&'static str],
    format: Format,
    direction: Direction,
    name: &str,
) -> Result<(), Error> {
    if has_option(format, direction, name) {
        return Ok(());
    }
    let known = names(COPY_OPTIONS, format, direction);
    let names: Vec<String> = own.iter().copied().chain(known).map(|name| format!("\"{name}\"")).collect();
    let (last, rest) = names.split_last().map_or(("", &[][..]), |(last, rest)| (last.as_str(), rest));
    let hint =
        format!("Options of {function} for format {} are {} and {last}.", format.name(), rest.join(", "));
    Err(Error::Copy(CopyError::FunctionOptionUnknown { option: name.into(), hint }))
}

/// The value of the option METADATA, as it is.
///
/// # Errors
/// It is no JSON.
pub(crate) fn checked_metadata(json: &str) -> Result<String, Error> {
    check_json(json).map(|()| json.to_string()).map_err(invalid_json)
}

/// What is wrong with the option METADATA.
pub(super) fn invalid_json(error: serde_json::Error) -> Error {
    Error::Copy(CopyError::OptionValue {
        option: "metadata".into(),
        problem: format!("invalid JSON: {error}"),
    })
}
