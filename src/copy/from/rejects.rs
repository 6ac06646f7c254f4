//! `ON_ERROR`, `REJECT_LIMIT` and `LOG_VERBOSITY` of a COPY FROM, which mean what they do in core's.
//!
//! Core knows them for its text formats alone, and the older ones not at all, so they never get there: rows that can't be made are
//! left out of what core reads, or come with a NULL.

#![allow(unsafe_code)]

use pgrx::pg_sys;

use crate::copy::statement::Statement;
use crate::datum::rejects::{OnError, RejectNames, Rejects};
use crate::error::{Error, RejectError, notice};

const NAMES: RejectNames = RejectNames {
    on_error: "COPY ON_ERROR",
    limit: "REJECT_LIMIT",
    limit_alone: "COPY REJECT_LIMIT requires ON_ERROR to be set to IGNORE",
    aftermath: "",
};

/// `PROGRESS_COPY_TUPLES_SKIPPED`, which servers before 17 have a place for as well, and don't show.
const TUPLES_SKIPPED: i32 = 6;

/// How much is said of rejected rows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verbosity {
    /// Nothing.
    Silent,
    /// How many there are, at the end.
    Default,
    /// Each of them as well.
    Verbose,
}

/// Rows of a file that can't be made, and what is said of them.
pub(crate) struct FileRejects {
    rejects: Rejects,
    verbosity: Verbosity,
    /// What takes the vectors.
    column: String,
}

impl FileRejects {
    /// What the options say; `None` if a row that can't be made is an error. `column` takes the vectors.
    ///
    /// # Errors
    /// Values that are none of theirs.
    pub(crate) fn parse(statement: &Statement, column: &str) -> Result<Option<FileRejects>, Error> {
        let options = &statement.options;
        let on_error =
            options.text("on_error").map_or(Ok(OnError::Stop), |word| OnError::parse(NAMES, word))?;
        let limit =
            options.number("reject_limit", "a whole number up to 9223372036854775807", |_: &i64| true)?;
        let verbosity = match options.text("log_verbosity") {
            None => Verbosity::Default,
            Some(word) => match word.to_ascii_lowercase().as_str() {
                "silent" => Verbosity::Silent,
                "default" => Verbosity::Default,
                "verbose" => Verbosity::Verbose,
                _ => {
                    return Err(Error::Reject(RejectError::Choice {
                        what: "COPY LOG_VERBOSITY",
                        value: crate::error::cut(word),
                        known: "'default', 'verbose' or 'silent'",
                    }));
                }
            },
        };
        let rejects = Rejects::new(NAMES, on_error, limit, column)?;
        Ok(rejects.map(|rejects| FileRejects { rejects, verbosity, column: column.into() }))
    }

    /// Whether such rows are kept, with NULL instead of the vector.
    pub(crate) fn keep_rows(&self) -> bool {
        self.rejects.keep_rows()
    }

    /// Notes a row of the file, counted from 0.
    ///
    /// # Errors
    /// There are more of them than REJECT_LIMIT.
    pub(crate) fn add(&mut self, row: u64, reason: &Error) -> Result<(), Error> {
        let number = row.saturating_add(1);
        if self.verbosity == Verbosity::Verbose {
            let what = if self.keep_rows() { "setting to null" } else { "skipping row" };
            let column = &self.column;
            notice(
                format!(
                    "{what} due to data type incompatibility at row {number} for column \"{column}\": {reason}"
                ),
                None,
                None,
            );
        }
        self.rejects.add(row, || format!("row {number}"), reason)?;
        // SAFETY: a COPY is running, whose progress core shows.
        unsafe { pg_sys::pgstat_progress_update_param(TUPLES_SKIPPED, self.rejects.count() as i64) };
        Ok(())
    }

    /// Whether core has counted fewer rows than the file has before the one at hand.
    pub(crate) fn skipped_any(&self) -> bool {
        !self.keep_rows() && self.rejects.count() > 0
    }

    /// Says how many there are.
    pub(crate) fn tell(&self) {
        if self.rejects.count() > 0 && self.verbosity != Verbosity::Silent {
            notice(self.rejects.summary(), self.rejects.first(), self.rejects.hint());
        }
    }
}
