//! An argument of a distance function.

#![allow(unsafe_code)]

use pgrx::pg_sys;
use tq_format::RecordView;

use crate::datum::float_array::FloatArray;
use crate::datum::record::Varlena;
use crate::error::Error;
use crate::ops::datum_key;
use crate::ops::datum_key::DatumKey;
use crate::ops::value_cache::ValueCache;
use crate::registry;

/// What a function argument is declared as.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum OperandKind {
    Record,
    Floats,
}

/// An argument of the call, undecoded.
pub(super) struct Operand {
    pub(super) kind: OperandKind,
    pub(super) datum: pg_sys::Datum,
}

impl Operand {
    /// Whether it is that value.
    #[inline]
    pub(super) fn is(&self, key: &DatumKey) -> bool {
        // SAFETY: the argument is a non-null varlena.
        unsafe { key.holds(self.datum) }
    }

    /// Whether what is kept there is for this value.
    #[inline]
    pub(super) fn is_in<T>(&self, kept: &ValueCache<T>, place: usize) -> bool {
        // SAFETY: the argument is a non-null varlena.
        unsafe { kept.holds(place, self.datum) }
    }

    /// Where what is kept for this value is.
    pub(super) fn find_in<T>(&self, kept: &ValueCache<T>, hash: u64) -> Option<usize> {
        // SAFETY: the argument is a non-null varlena.
        unsafe { kept.find(hash, self.datum) }
    }

    pub(super) fn keep_in(&self, key: &mut DatumKey) -> Result<(), Error> {
        // SAFETY: the argument is a non-null varlena.
        Ok(unsafe { key.store(self.datum) }?)
    }

    /// A hash of the value as the first or the second argument.
    pub(super) fn hash(&self, side: usize) -> u64 {
        // SAFETY: the argument is a non-null varlena.
        unsafe { datum_key::hash(self.datum) }.wrapping_add(side as u64)
    }

    /// A hash of a few of the value's bytes.
    pub(super) fn tag(&self) -> u64 {
        // SAFETY: the argument is a non-null varlena.
        unsafe { datum_key::tag(self.datum) }
    }

    /// The vector itself, decoded if it is a record.
    pub(super) fn to_floats(&self) -> Result<Vec<f32>, Error> {
        match self.kind {
            OperandKind::Floats => self.with_floats(|floats| Ok(tq_memory::copied(floats)?)),
            OperandKind::Record => self.with_record(registry::decode),
        }
    }

    /// Only for floats.
    pub(super) fn with_floats<R>(&self, f: impl FnOnce(&[f32]) -> Result<R, Error>) -> Result<R, Error> {
        // SAFETY: the SQL declaration says `real[]`, and the function is strict.
        let array = unsafe { FloatArray::from_datum(self.datum) };
        f(&array.floats()?)
    }

    /// Only for records.
    #[inline]
    pub(super) fn with_record<R>(
        &self,
        f: impl FnOnce(&RecordView<'_>) -> Result<R, Error>,
    ) -> Result<R, Error> {
        // SAFETY: the SQL declaration says `tqvec`, and the function is strict.
        let varlena = unsafe { Varlena::packed(self.datum) };
        let result = f(&RecordView::parse_stored(varlena.bytes())?);
        varlena.release();
        result
    }
}
