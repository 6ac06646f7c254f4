//! Values to be recognised when they come again: an argument that stays the same from call to call.

#![allow(unsafe_code)]

use pgrx::pg_sys;
use tq_memory::{Grow, OutOfMemory};
use xxhash_rust::xxh3::xxh3_64;

use super::serial;

/// A copy of a datum's bytes as they stand in the tuple, to tell whether the next call brings the same value.
///
/// For a value in TOAST these are the bytes of its pointer, which names one stored value and no other. In-memory
/// representations (expanded arrays of PL/pgSQL) may change behind their pointer and are compared by content.
#[derive(Default)]
pub(crate) struct DatumKey {
    present: bool,
    /// The number of the result of `tq_once` that the value was, which saves a comparison of bytes.
    serial: Option<u64>,
    bytes: Vec<u8>,
}

impl DatumKey {
    /// Whether it is that value.
    ///
    /// # Safety
    /// `datum` must be a valid, non-null varlena datum.
    #[inline]
    pub(crate) unsafe fn holds(&self, datum: pg_sys::Datum) -> bool {
        if !self.present {
            return false;
        }
        if self.serial.is_some() && self.serial == serial::serial_of(datum) {
            return true;
        }
        // SAFETY: by the contract.
        unsafe { with_bytes(datum, |bytes| bytes == self.bytes) }
    }

    /// Keeps a value.
    ///
    /// # Errors
    /// [`OutOfMemory`]; then it holds nothing.
    ///
    /// # Safety
    /// That of [`DatumKey::holds`].
    pub(crate) unsafe fn store(&mut self, datum: pg_sys::Datum) -> Result<(), OutOfMemory> {
        self.present = false;
        self.serial = serial::serial_of(datum);
        // SAFETY: by the contract.
        unsafe {
            with_bytes(datum, |bytes| {
                self.bytes.clear();
                self.bytes.try_extend(bytes)
            })?;
        }
        self.present = true;
        Ok(())
    }

    /// Holds nothing any more.
    pub(crate) fn clear(&mut self) {
        self.present = false;
    }

    /// Bytes of memory.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.capacity()
    }
}

/// A hash of the bytes that [`DatumKey`] keeps, or of the serial number.
///
/// # Safety
/// That of [`DatumKey::holds`].
pub(crate) unsafe fn hash(datum: pg_sys::Datum) -> u64 {
    if let Some(serial) = serial::serial_of(datum) {
        return xxh3_64(&serial.to_ne_bytes());
    }
    // SAFETY: by the contract.
    unsafe { with_bytes(datum, xxh3_64) }
}

/// A hash of a few of the bytes: cheap however long the value is, and often different where values are.
///
/// # Safety
/// That of [`DatumKey::holds`].
pub(crate) unsafe fn tag(datum: pg_sys::Datum) -> u64 {
    // SAFETY: by the contract.
    unsafe {
        with_bytes(datum, |bytes| {
            // Behind what all records of a codec have in common, and the header of an array.
            let middle = bytes.len() / 2;
            let part = &bytes[middle..bytes.len().min(middle + 64)];
            xxh3_64(part) ^ bytes.len() as u64
        })
    }
}

/// Calls `f` with the bytes that [`DatumKey`] keeps.
///
/// # Safety
/// That of [`DatumKey::holds`].
#[inline]
unsafe fn with_bytes<R>(datum: pg_sys::Datum, f: impl FnOnce(&[u8]) -> R) -> R {
    let pointer = datum.cast_mut_ptr::<pg_sys::varlena>();
    // SAFETY: the datum is a varlena; its own header says how long it is as it stands. An in-memory representation is
    // flattened first; a pointer to TOAST on disk is not followed.
    unsafe {
        let in_memory = pgrx::varatt_is_1b_e(pointer)
            && pgrx::vartag_1b_e(pointer) != pg_sys::vartag_external::VARTAG_ONDISK as u8;
        if in_memory {
            let flat = pg_sys::pg_detoast_datum(pointer);
            let result = f(std::slice::from_raw_parts(flat.cast::<u8>(), pgrx::varsize_any(flat)));
            pg_sys::pfree(flat.cast());
            result
        } else {
            f(std::slice::from_raw_parts(pointer.cast::<u8>(), pgrx::varsize_any(pointer)))
        }
    }
}
