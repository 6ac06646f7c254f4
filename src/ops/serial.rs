//! Numbers of the results that `tq_once` has kept, by which distance functions know one again without comparing it.

use std::cell::{Cell, RefCell};

use pgrx::pg_sys;

thread_local! {
    /// The kept result that each call in running queries has given last, by its address, with its serial number.
    static GIVEN: RefCell<Vec<(usize, u64)>> = const { RefCell::new(Vec::new()) };
    static LAST_SERIAL: Cell<u64> = const { Cell::new(0) };
}

/// Takes the thread's place for them while there is memory for it.
pub(super) fn prepare() {
    GIVEN.with_borrow(|_| ());
}

/// The number of the kept result that this datum is, if it is one.
#[inline]
pub(crate) fn serial_of(datum: pg_sys::Datum) -> Option<u64> {
    GIVEN.with_borrow(|given| {
        given.iter().find(|(address, _)| *address == datum.value()).map(|(_, serial)| *serial)
    })
}

/// A number that no result had before.
pub(super) fn next() -> u64 {
    let serial = LAST_SERIAL.get() + 1;
    LAST_SERIAL.set(serial);
    serial
}

/// A call gives out the result at this address, which has that number, and no more the one before.
pub(super) fn give(before: usize, address: usize, serial: u64) {
    GIVEN.with_borrow_mut(|given| {
        given.retain(|(other, _)| *other != before);
        given.push((address, serial));
    });
}

/// A call is over, and its last result with it.
pub(super) fn withdraw(address: usize) {
    // The list is gone when a thread ends, which a backend's only thread does together with its memory contexts.
    let _ = GIVEN.try_with(|given| given.borrow_mut().retain(|(other, _)| *other != address));
}
