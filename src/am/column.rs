//! What an index's column holds, and how its values are handed to the index.
//!
//! Records are taken as they are. Floats of pgvector's types are compressed to a record of their direction, by the built-in codec of
//! the Hadamard rotation, with how they lie to it: the index gives what a distance is at the least, and the executor measures the floats.

use std::sync::Arc;

use pgrx::pg_sys;
use tq_codec::{CodeKind, Codec, Metric, RotationKind};
use tq_format::{BitWidth, RECORD_HEADER_LEN, RecordShape, RecordView};
use tq_index::{Fit, Refine, Value};
use tq_memory::Grow;

use super::opclass::metric_of_index;
use super::options::{bits_of, refine_of};
use crate::datum::float_array::Elements;
use crate::datum::record::Varlena;
use crate::datum::vector_type::VectorType;
use crate::error::{Error, IndexUseError, RegistryError};
use crate::registry;

/// What a column of pgvector's types is compressed to.
#[derive(Clone, Copy, Debug)]
pub(super) struct FloatColumn {
    of: VectorType,
    metric: Metric,
    bits: BitWidth,
}

/// Bits a dimension where an index isn't told.
const BITS: BitWidth = BitWidth::Eight;

impl FloatColumn {
    /// An index's column, if it holds pgvector's types.
    ///
    /// # Errors
    /// Options that aren't for it, or are for nothing else.
    ///
    /// # Safety
    /// `index` must be an open index of ours.
    pub(super) unsafe fn of_new(index: pg_sys::Relation) -> Result<Option<Self>, Error> {
        // SAFETY: by the contract.
        unsafe {
            let column = Self::of(index)?;
            match (&column, bits_of(index)) {
                (None, Some(_)) => Err(IndexUseError::BitsOfRecords.into()),
                (Some(_), _) if refine_of(index) == Refine::Table => Err(IndexUseError::FloatsInTable.into()),
                _ => Ok(column),
            }
        }
    }

    /// An index's column, if it holds pgvector's types. Look-ups in the catalogs.
    ///
    /// # Errors
    /// Operators that no index is made of.
    ///
    /// # Safety
    /// `index` must be an open index of ours.
    pub(super) unsafe fn of(index: pg_sys::Relation) -> Result<Option<Self>, Error> {
        // SAFETY: by the contract: an index has a type for each column, and there is one.
        let (column, metric, bits) =
            unsafe { (*(*index).rd_opcintype, metric_of_index(index), bits_of(index)) };
        let Some(of @ (VectorType::Vector(_) | VectorType::Halfvec(_))) = VectorType::of(column, -1) else {
            return Ok(None);
        };
        let metric = metric.ok_or(IndexUseError::NoMetric)?;
        Ok(Some(Self { of, metric, bits: bits.unwrap_or(BITS) }))
    }

    /// As the index was built, whatever its options say by now: they hold for the next build. An index that has had no value has no shape.
    pub(super) fn as_built(self, shape: Option<RecordShape>) -> Self {
        Self { bits: shape.map_or(self.bits, |shape| shape.bit_width), ..self }
    }

    /// Hands over the floats of a value.
    ///
    /// # Safety
    /// The value must be one of the column.
    pub(super) unsafe fn floats<T>(
        self,
        value: pg_sys::Datum,
        take: impl FnOnce(&[f32]) -> Result<T, Error>,
    ) -> Result<T, Error> {
        // SAFETY: by the contract.
        unsafe {
            self.of.read(value, |elements| match elements {
                Elements::Real(floats) => take(floats),
                Elements::Double(_) | Elements::Converted(_) => Ok(take(&[])?),
            })
        }
    }
}

/// Reads the values of a column, and keeps what the next may need: the codec, and room.
#[derive(Default, Debug)]
pub(super) struct Reader {
    floats: Option<FloatColumn>,
    codec: Option<Arc<Codec>>,
    room: Room,
}

#[derive(Default, Debug)]
struct Room {
    unit: Vec<f32>,
    rotated: Vec<f32>,
    decoded: Vec<f32>,
    record: Vec<u8>,
    whole: Vec<u8>,
}

impl Reader {
    /// Of records, or of floats.
    pub(super) fn new(floats: Option<FloatColumn>) -> Self {
        Self { floats, ..Self::default() }
    }

    /// Lends a value as the index takes it, with the codec of its record where that is known.
    ///
    /// # Safety
    /// The value must be one of the column.
    pub(super) unsafe fn read<T>(
        &mut self,
        value: Option<pg_sys::Datum>,
        with: impl FnOnce(Option<Value<'_>>, Option<&Arc<Codec>>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Some(value) = value else { return with(None, None) };
        if let Some(column) = self.floats {
            // SAFETY: by the contract.
            return unsafe {
                column.floats(value, |floats| {
                    let value = self.room.value(column, floats, &mut self.codec)?;
                    with(Some(value), self.codec.as_ref())
                })
            };
        }
        // SAFETY: by the contract.
        let varlena = unsafe { Varlena::packed(value) };
        let record = RecordView::parse_stored(varlena.bytes())?;
        let codec = codec_of(&record, &mut self.codec)?;
        let result = with(Some(Value::record(record)), codec.as_ref());
        varlena.release();
        result
    }
}

impl Room {
    fn value(
        &mut self,
        column: FloatColumn,
        floats: &[f32],
        codec: &mut Option<Arc<Codec>>,
    ) -> Result<Value<'_>, Error> {
        whole_of(floats, &mut self.whole)?;
        let dimension = floats.len() as u32;
        let known = codec.take().filter(|codec| codec.config().dimension() == dimension);
        let known = match known {
            Some(known) => known,
            None => {
                registry::builtin(dimension, column.bits, false, (RotationKind::Hadamard, CodeKind::Scalar))?
            }
        };
        let known = codec.insert(known);
        let norm = norm_of(floats);
        for room in [&mut self.unit, &mut self.rotated, &mut self.decoded] {
            room.try_resize(floats.len(), 0.0)?;
        }
        self.unit.iter_mut().zip(floats).for_each(|(unit, x)| *unit = (f64::from(*x) / norm) as f32);
        if norm == 0.0 || known.check_encodable(&self.unit).is_err() {
            return Ok(Value::whole(&self.whole));
        }
        self.record.clear();
        registry::encode(known, &self.unit, &mut self.record)?;
        let record = RecordView::parse_stored(&self.record)?;
        known.rotation().apply(&self.unit, &mut self.rotated);
        known.decode_rotated(&record, &mut self.decoded)?;
        // A direction has no length.
        let length = if column.metric == Metric::Cosine { 1.0 } else { norm };
        let fit = Fit::new(length, &self.rotated, &self.decoded).filter(|_| Fit::is_moderate(norm));
        Ok(match fit {
            Some(fit) => Value::floats(record, fit, &self.whole),
            None => Value::whole(&self.whole),
        })
    }
}

/// The norm of a vector, which `f64` holds whatever the floats are.
pub(super) fn norm_of(floats: &[f32]) -> f64 {
    floats.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt()
}

/// What is kept of floats that get no slot: how many there are, and each, little-endian; at least as many bytes as a record has.
fn whole_of(floats: &[f32], out: &mut Vec<u8>) -> Result<(), Error> {
    out.clear();
    out.try_room((4 + 4 * floats.len()).max(RECORD_HEADER_LEN + 1))?;
    out.extend_from_slice(&(floats.len() as u32).to_le_bytes());
    floats.iter().for_each(|x| out.extend_from_slice(&x.to_le_bytes()));
    out.resize(out.len().max(RECORD_HEADER_LEN + 1), 0);
    Ok(())
}

/// Reads what [`whole_of`] has written; `None` if it can't have.
pub(super) fn floats_of_whole(whole: &[u8]) -> Option<impl ExactSizeIterator<Item = f32> + Clone + '_> {
    let (count, floats) = whole.split_first_chunk::<4>()?;
    let count = u32::from_le_bytes(*count) as usize;
    let floats = floats.as_chunks::<4>().0.get(..count)?;
    Some(floats.iter().map(|bytes| f32::from_le_bytes(*bytes)))
}

/// The codec of a record, if it is known here. `last` is that of the record before.
fn codec_of(record: &RecordView<'_>, last: &mut Option<Arc<Codec>>) -> Result<Option<Arc<Codec>>, Error> {
    if let Some(last) = last.as_ref().filter(|last| record.hash_field() == last.hash().as_bytes()) {
        return Ok(Some(Arc::clone(last)));
    }
    match registry::for_record(record) {
        Ok(codec) => {
            *last = Some(Arc::clone(&codec));
            Ok(Some(codec))
        }
        // Any record may be stored.
        Err(Error::Registry(RegistryError::UnknownCodec(_))) => Ok(None),
        Err(error) => Err(error),
    }
}
