//! States of aggregates: kept in the aggregate's memory context, dropped with it, handed from call to call as `internal`, and
//! sent between parallel workers as bytes.

#![allow(unsafe_code)]

use pgrx::callconv::{BoxRet, FcInfo};
use pgrx::datum::Datum;
use pgrx::{Internal, PgMemoryContexts, impl_sql_translatable, pg_sys};

/// A function of an aggregate's was called as something else.
#[derive(Debug)]
pub(crate) struct NotAggregate;

/// The state behind an aggregate's `internal` argument, if it has one yet.
///
/// # Safety
/// The argument must be null or come from [`keep`] or [`same`] with the same type, and nobody else may hold the state.
pub(crate) unsafe fn state<'a, T>(argument: Internal) -> Option<&'a mut T> {
    // SAFETY: by the contract the datum is null or a pointer from `keep`, whose memory lives as long as the aggregate.
    unsafe { argument.unwrap().and_then(|datum| datum.cast_mut_ptr::<T>().as_mut()) }
}

/// Keeps a new state in the aggregate's memory context, with which it is dropped.
///
/// # Errors
/// The call isn't an aggregate's.
///
/// # Safety
/// `fcinfo` must be the running call's.
pub(crate) unsafe fn keep<'a, T>(
    fcinfo: pg_sys::FunctionCallInfo,
    state: T,
) -> Result<&'a mut T, NotAggregate> {
    // SAFETY: AggCheckCallContext writes a context that outlives the aggregate's transition calls.
    unsafe {
        let mut context: pg_sys::MemoryContext = std::ptr::null_mut();
        if pg_sys::AggCheckCallContext(fcinfo, &mut context) == 0 {
            return Err(NotAggregate);
        }
        Ok(&mut *PgMemoryContexts::For(context).leak_and_drop_on_delete(state))
    }
}

/// A kept state as what a transition function returns.
pub(crate) fn same<T>(state: &mut T) -> Internal {
    Internal::from(Some(pg_sys::Datum::from(std::ptr::from_mut(state))))
}

/// A state's bytes, a `bytea`.
pub(crate) struct SerializedState(pg_sys::Datum);

impl_sql_translatable!(SerializedState, "bytea");

// SAFETY: the datum is a fresh varlena in the current memory context.
unsafe impl BoxRet for SerializedState {
    unsafe fn box_into<'fcx>(self, fcinfo: &mut FcInfo<'fcx>) -> Datum<'fcx> {
        // SAFETY: a `bytea` is such a varlena.
        unsafe { fcinfo.return_raw_datum(self.0) }
    }
}

impl SerializedState {
    /// Bytes that are copied between two calls of `between`.
    const ROUND_BYTES: usize = 4 << 20;

    /// A header and what follows it, written into the current memory context without a copy in between. The server refuses what it
    /// has no memory for.
    pub(crate) fn of(header: &[u8], rest: &[u8], mut between: impl FnMut()) -> SerializedState {
        let size = pg_sys::VARHDRSZ + header.len() + rest.len();
        // SAFETY: the varlena is `size` bytes long, as its header says and as its parts are together.
        unsafe {
            let varlena = pg_sys::palloc(size).cast::<pg_sys::varlena>();
            pgrx::set_varsize_4b(varlena, size as i32);
            let mut end = pgrx::vardata_4b(varlena).cast_mut().cast::<u8>();
            for part in std::iter::once(header).chain(rest.chunks(Self::ROUND_BYTES)) {
                between();
                end.copy_from_nonoverlapping(part.as_ptr(), part.len());
                end = end.add(part.len());
            }
            SerializedState(pg_sys::Datum::from(varlena))
        }
    }
}
