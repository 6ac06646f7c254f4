//! What becomes of rows whose vector can't be stored: an error at the first, or they are counted and left out, as core's COPY
//! does with `ON_ERROR`.

use crate::error::{Error, RejectError};

/// What becomes of a row whose vector can't be stored.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OnError {
    /// It ends the statement.
    Stop,
    /// It is left out.
    Ignore,
    /// It has NULL instead of the vector.
    Null,
}

/// How messages write what was asked for: COPY's options, or arguments of a procedure.
#[derive(Clone, Copy)]
pub(crate) struct RejectNames {
    pub(crate) on_error: &'static str,
    pub(crate) limit: &'static str,
    /// What is said of a limit for nothing.
    pub(crate) limit_alone: &'static str,
    /// What is said below the first of too many rows.
    pub(crate) aftermath: &'static str,
}

impl OnError {
    /// What the word stands for, in any case. `set_null` is core's word, which needs no quotes in COPY.
    ///
    /// # Errors
    /// [`RejectError::Choice`].
    pub(crate) fn parse(names: RejectNames, word: &str) -> Result<OnError, Error> {
        Ok(match word.to_ascii_lowercase().as_str() {
            "stop" => OnError::Stop,
            "ignore" => OnError::Ignore,
            "null" | "set_null" => OnError::Null,
            _ => {
                return Err(Error::Reject(RejectError::Choice {
                    what: names.on_error,
                    value: crate::error::cut(word),
                    known: "'stop', 'ignore' or 'null'",
                }));
            }
        })
    }
}

/// The first of the rejected rows.
#[derive(Clone)]
struct FirstReject {
    key: u64,
    text: String,
    hint: Option<String>,
}

/// Counts rows that are rejected, and ends it when there are too many.
#[derive(Clone)]
pub(crate) struct Rejects {
    names: RejectNames,
    limit: Option<u64>,
    /// The column that becomes NULL, if rows are kept.
    nulled: Option<String>,
    /// Those that count for the limit, and were counted elsewhere.
    before: u64,
    count: u64,
    first: Option<FirstReject>,
}

impl Rejects {
    /// `None` if the first one ends the statement anyway.
    ///
    /// # Errors
    /// A limit that is none, or that has nothing to limit.
    pub(crate) fn new(
        names: RejectNames,
        on_error: OnError,
        limit: Option<i64>,
        column: &str,
    ) -> Result<Option<Rejects>, Error> {
        let limit = match limit {
            None => None,
            Some(limit) => match u64::try_from(limit) {
                Ok(rows) if rows > 0 => Some(rows),
                _ => return Err(Error::Reject(RejectError::LimitRange { what: names.limit, limit })),
            },
        };
        let nulled = match (on_error, limit) {
            (OnError::Stop, Some(_)) => {
                return Err(Error::Reject(RejectError::LimitAlone(names.limit_alone)));
            }
            (OnError::Stop, None) => return Ok(None),
            (OnError::Ignore, _) => None,
            (OnError::Null, _) => Some(column.to_string()),
        };
        Ok(Some(Rejects { names, limit, nulled, before: 0, count: 0, first: None }))
    }

    /// Counts a row; `place` says where it is ("row 3"), and `key` which of two comes first.
    ///
    /// # Errors
    /// There are more than the limit.
    pub(crate) fn add(
        &mut self,
        key: u64,
        place: impl FnOnce() -> String,
        reason: &Error,
    ) -> Result<(), Error> {
        self.count += 1;
        if self.first.as_ref().is_none_or(|first| key < first.key) {
            let text = format!("The first is {}: {reason}.", place());
            self.first = Some(FirstReject { key, text, hint: reason.advice() });
        }
        let Some(limit) = self.limit.filter(|limit| self.before + self.count > *limit) else { return Ok(()) };
        let first = self.first().unwrap_or_default() + self.names.aftermath;
        let (what, hint) = (self.names.limit, self.hint());
        Err(Error::Reject(match &self.nulled {
            None => RejectError::TooMany { what, limit, first, hint },
            Some(column) => RejectError::TooManyNulls { what, column: column.clone(), limit, first, hint },
        }))
    }

    /// None yet of others, for which the limit is that of all together.
    pub(crate) fn behind(&self) -> Rejects {
        Rejects { before: self.before + self.count, count: 0, first: None, ..self.clone() }
    }

    /// Adds those that came [behind](Self::behind) these.
    pub(crate) fn absorb(&mut self, behind: Rejects) {
        self.count += behind.count;
        self.first = self.first.take().or(behind.first);
    }

    /// How many there are.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many there are with those that came before.
    pub(crate) fn count_all(&self) -> u64 {
        self.before + self.count
    }

    /// Whether the rows are kept, with NULL instead of the vector.
    pub(crate) fn keep_rows(&self) -> bool {
        self.nulled.is_some()
    }

    /// Which is the first, and what is wrong with it, as a sentence.
    pub(crate) fn first(&self) -> Option<String> {
        self.first.as_ref().map(|first| first.text.clone())
    }

    /// The way out of what is wrong with the first.
    pub(crate) fn hint(&self) -> Option<String> {
        self.first.as_ref().and_then(|first| first.hint.clone())
    }

    /// What is said of them at the end, in core's words.
    pub(crate) fn summary(&self) -> String {
        let rows = self.count;
        match (&self.nulled, rows) {
            (None, 1) => "1 row was skipped due to data type incompatibility".into(),
            (None, _) => format!("{rows} rows were skipped due to data type incompatibility"),
            (Some(column), _) => {
                let rows = if rows == 1 { "1 row".into() } else { format!("{rows} rows") };
                format!("in {rows}, column \"{column}\" was set to null due to data type incompatibility")
            }
        }
    }
}
