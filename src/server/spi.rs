//! Statements by SPI's own functions, where those of pgrx don't do: with settings or a snapshot of their own, with commits
//! in between, or with values that aren't copied.

#![allow(unsafe_code)]

use std::ffi::{CString, c_int, c_long};

use pgrx::datum::DatumWithOid;
use pgrx::spi::{SpiError, SpiErrorCodes};
use pgrx::{FromDatum, Spi, pg_sys};

/// A parameter of a statement: its type and value.
pub(crate) type Parameter = (pg_sys::Oid, Option<pg_sys::Datum>);

/// Whether a statement may write. One that may sees the database as of now; one that may not, as of the current snapshot.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    ReadOnly,
    Write,
}

/// The error that stands for one of SPI's codes.
pub(crate) fn failed(code: SpiErrorCodes) -> SpiError {
    SpiError::SpiError(code)
}

/// Text of a statement as SPI takes it.
///
/// # Errors
/// There is a NUL in it.
pub(crate) fn statement(text: &str) -> Result<CString, SpiError> {
    CString::new(text).map_err(|_| failed(SpiErrorCodes::Argument))
}

/// Runs a statement on the open connection, of whose rows at most so many are fetched; 0 stands for all.
///
/// # Errors
/// SPI's code for a statement that it doesn't run; the server raises its own errors.
///
/// # Safety
/// An SPI connection must be open, in a transaction; each value is of its type.
pub(crate) unsafe fn execute(
    query: &str,
    parameters: &[Parameter],
    access: Access,
    most: c_long,
) -> Result<FetchedRows, SpiError> {
    let query = statement(query)?;
    let mut types: Vec<pg_sys::Oid> = parameters.iter().map(|(oid, _)| *oid).collect();
    let mut values: Vec<pg_sys::Datum> =
        parameters.iter().map(|(_, datum)| datum.unwrap_or(pg_sys::Datum::null())).collect();
    // SAFETY: by the contract; as many types as values, none null. The statement leaves its result in SPI's variables.
    unsafe {
        let result = pg_sys::SPI_execute_with_args(
            query.as_ptr(),
            parameters.len() as c_int,
            types.as_mut_ptr(),
            values.as_mut_ptr(),
            std::ptr::null(),
            access == Access::ReadOnly,
            most,
        );
        if result < 0 {
            return Err(failed(SpiErrorCodes::try_from(result).unwrap_or(SpiErrorCodes::Argument)));
        }
        Ok(FetchedRows::current())
    }
}

/// The first row of a look-up.
pub(crate) struct FirstRow<'a>(&'a FetchedRows);

impl FirstRow<'_> {
    /// A column's value, from 1, copied; `None` for NULL.
    pub(crate) fn get<T: FromDatum>(&self, column: c_int) -> Option<T> {
        // SAFETY: the row is there, and the connection open, as long as this is; the value is of the column's type.
        unsafe { T::from_datum(self.0.value(0, column)?, false) }
    }
}

/// Reads the first row of a SELECT, if it has one: of the database as of now where the transaction has written, for it may have written
/// what is looked for; as of the current snapshot otherwise, and in parallel mode, where no command may begin.
///
/// # Errors
/// SPI's code for a statement that it doesn't run; the server raises its own errors.
pub(crate) fn first_row<T>(
    query: &str,
    arguments: &[DatumWithOid<'_>],
    read: impl FnOnce(&FirstRow<'_>) -> T,
) -> Result<Option<T>, SpiError> {
    let parameters: Vec<Parameter> = arguments
        .iter()
        .map(|argument| (argument.oid(), argument.datum().map(|datum| datum.sans_lifetime())))
        .collect();
    Spi::connect(|_| {
        // SAFETY: a connection is open; each value is of its type.
        unsafe {
            let has_written = pg_sys::GetTopTransactionIdIfAny() != pg_sys::InvalidTransactionId;
            let access = match has_written && !pg_sys::IsInParallelMode() {
                true => Access::Write,
                false => Access::ReadOnly,
            };
            let rows = execute(query, &parameters, access, 1)?;
            Ok((rows.count() > 0).then(|| read(&FirstRow(&rows))))
        }
    })
}

/// The rows that a statement or a cursor has left in SPI's variables. If they aren't freed, they go with the connection.
pub(crate) struct FetchedRows {
    table: *mut pg_sys::SPITupleTable,
    count: usize,
}

impl FetchedRows {
    /// # Safety
    /// A statement or a fetch must have run on the open connection just before.
    pub(crate) unsafe fn current() -> FetchedRows {
        // SAFETY: plain variables of the backend's, which it has one thread for.
        unsafe { FetchedRows { table: pg_sys::SPI_tuptable, count: pg_sys::SPI_processed as usize } }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// What a column, from 1, of a row, from 0, holds; `None` for NULL. It lives until the rows are freed.
    ///
    /// # Safety
    /// The statement must be one that returns rows, the row one of them, and the connection still open.
    pub(crate) unsafe fn value(&self, row: usize, column: c_int) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: by the contract; the table has as many rows as were counted when it was taken.
        let value = unsafe {
            pg_sys::SPI_getbinval(*(*self.table).vals.add(row), (*self.table).tupdesc, column, &mut is_null)
        };
        (!is_null).then_some(value)
    }

    /// The type of a column, from 1.
    ///
    /// # Safety
    /// The statement must be one that returns rows with such a column, and the connection still open.
    pub(crate) unsafe fn type_of(&self, column: c_int) -> pg_sys::Oid {
        // SAFETY: by the contract.
        unsafe { pg_sys::SPI_gettypeid((*self.table).tupdesc, column) }
    }

    /// Frees the rows and all values in them.
    ///
    /// # Safety
    /// The connection must still be open.
    pub(crate) unsafe fn free(self) {
        // SAFETY: by the contract; null is taken for nothing.
        unsafe { pg_sys::SPI_freetuptable(self.table) }
    }
}
