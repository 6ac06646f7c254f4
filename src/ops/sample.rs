//! Vectors of a query that is given as text: it runs with the caller's rights, read-only, through a cursor.

#![allow(unsafe_code)]

use pgrx::pg_sys;
use pgrx::spi::SpiErrorCodes;

use crate::datum::float_array::FloatArray;
use crate::error::interrupts::poll;
use crate::error::{Error, SampleError};
use crate::query::one_select;
use crate::server::memory::cushion;
use crate::server::spi;
use crate::server::spi::FetchedRows;

/// Rows that the cursor is asked for at a time: a few megabytes at most dimensions.
const FETCH: usize = 256;

/// Takes the vectors of a query.
pub(super) trait TakeVectors {
    /// A vector.
    fn add(&mut self, vector: &[f32]) -> Result<(), Error>;

    /// A NULL in a vector's place.
    fn add_null(&mut self);
}

/// Runs the query, and hands over what its first column holds; `function` asks for it.
pub(super) fn read_vectors(query: &str, function: &str, rows: &mut impl TakeVectors) -> Result<(), Error> {
    cushion()?;
    // The cast in the target list makes a real[] of whatever has a cast to it; the line break ends a comment. The first column's
    // new name is none that another column has.
    let query = one_select(query)?;
    let query = format!(
        "SELECT (q.\"{function}: vector\")::pg_catalog.float4[] FROM ({query}\n) AS q(\"{function}: vector\")"
    );
    let query = spi::statement(&query)?;
    let mut number = 0;
    // SAFETY: everything happens on the connection that is opened first; an error closes it with the transaction, and takes the
    // variable back. The cursor has no arguments. It runs read-only, that is in the calling statement's snapshot, and one query
    // alone; functions in it run as in a read-only transaction, which can't be made another from within. Only the variable says
    // so: the setting behind it can't be changed for a while.
    unsafe {
        let read_only = pg_sys::XactReadOnly;
        pg_sys::XactReadOnly = true;
        if pg_sys::SPI_connect() != pg_sys::SPI_OK_CONNECT as i32 {
            return Err(spi::failed(SpiErrorCodes::Connect).into());
        }
        let cursor = pg_sys::SPI_cursor_open_with_args(
            std::ptr::null(),
            query.as_ptr(),
            0,
            std::ptr::null_mut(),
            std::ptr::null_mut(),
            std::ptr::null(),
            true,
            0,
        );
        if cursor.is_null() {
            return Err(spi::failed(SpiErrorCodes::Cursor).into());
        }
        loop {
            poll();
            pg_sys::SPI_cursor_fetch(cursor, true, FETCH as std::ffi::c_long);
            if pg_sys::SPI_processed == 0 {
                break;
            }
            add_fetched(rows, &mut number)?;
        }
        pg_sys::SPI_cursor_close(cursor);
        pg_sys::SPI_finish();
        pg_sys::XactReadOnly = read_only;
    }
    Ok(())
}

/// Adds what the cursor has just fetched.
///
/// # Safety
/// SPI's variables must hold the result of a query with one column of type `real[]`.
unsafe fn add_fetched(rows: &mut impl TakeVectors, number: &mut u64) -> Result<(), Error> {
    // SAFETY: by the contract; values live as long as the table of them, which is freed when all are copied.
    unsafe {
        let fetched = FetchedRows::current();
        for row in 0..fetched.count() {
            *number += 1;
            let Some(array) = fetched.value(row, 1) else {
                rows.add_null();
                continue;
            };
            FloatArray::with(array, |array| rows.add(&array.floats()?)).map_err(|source| match source {
                Error::Sample(SampleError::TooLarge { .. }) | Error::Sample(SampleError::Memory(_)) => source,
                source => Error::Sample(SampleError::Row { row: *number, source: Box::new(source) }),
            })?;
        }
        fetched.free();
    }
    Ok(())
}
