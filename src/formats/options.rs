//! Options: of a COPY, and of the functions that take them as JSON.

use serde_json::value::RawValue;
use tq_corpus::check_json;

use crate::datum::arguments::json_value;
use crate::error::{CopyError, Error};

use super::{Direction, Format};

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
pub(crate) fn format_of(name: &str) -> Result<Format, Error> {
    Format::by_name(name)
        .ok_or_else(|| bad_option("format", "must be 'tqcv', 'qvec', 'ztensor' or 'burnpack'"))
}

/// A JSON value as an option of COPY: a string, a number or a Boolean as it is, metadata as JSON.
pub(crate) fn option_value(name: &str, json: &RawValue) -> Result<String, Error> {
    use serde_json::Value;
    if name == "metadata" {
        return match json.get().starts_with('{') {
            true => Ok(json.get().to_string()),
            false => Err(bad_option(name, "must be an object")),
        };
    }
    match (name, json_value(name, json)?) {
        ("freeze" | "recompress" | "sparse" | "residual", Value::Bool(flag)) => Ok(flag.to_string()),
        ("freeze" | "recompress" | "sparse" | "residual", _) => {
            Err(bad_option(name, "must be true or false"))
        }
        ("version" | "bits" | "seed" | "bit_width", Value::Number(number)) => Ok(number.to_string()),
        (_, Value::String(text)) => Ok(text),
        _ => Err(bad_option(name, "must be a string")),
    }
}

/// Refuses an option that a COPY of the format doesn't have; `own` are the function's.
pub(crate) fn check_option(
    function: &str,
    own: &[&str],
    format: Format,
    direction: Direction,
    name: &str,
) -> Result<(), Error> {
    let known = format.options(direction);
    if known.contains(&name) {
        return Ok(());
    }
    let names: Vec<String> = own.iter().chain(known).map(|name| format!("\"{name}\"")).collect();
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
