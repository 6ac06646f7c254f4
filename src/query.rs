//! Queries that functions are given as text.

#![allow(unsafe_code)]

use std::ffi::CString;

use pgrx::{PgList, pg_sys};

use crate::error::{Error, SampleError};

/// The text of the one SELECT that `query` is, without a semicolon.
///
/// # Errors
/// It is none, or more than that; PostgreSQL's own for what can't be parsed.
pub(crate) fn one_select(query: &str) -> Result<&str, Error> {
    let text = CString::new(query).map_err(|_| Error::Sample(SampleError::QueryNotSelect))?;
    // SAFETY: the parser raises its own errors, and gives a list of RawStmts that say where in the text they stand.
    let (start, length) = unsafe {
        let statements = PgList::<pg_sys::RawStmt>::from_pg(pg_sys::pg_parse_query(text.as_ptr()));
        match statements.get_ptr(0) {
            None => return Err(Error::Sample(SampleError::QueryEmpty)),
            Some(raw) if statements.len() == 1 && pgrx::is_a((*raw).stmt, pg_sys::NodeTag::T_SelectStmt) => {
                ((*raw).stmt_location, (*raw).stmt_len)
            }
            _ => return Err(Error::Sample(SampleError::QueryNotSelect)),
        }
    };
    let start = usize::try_from(start).unwrap_or(0);
    // A length of 0 is "to the end".
    let end = match usize::try_from(length) {
        Ok(0) | Err(_) => query.len(),
        Ok(length) => start + length,
    };
    query.get(start..end).ok_or(Error::Sample(SampleError::QueryNotSelect))
}
