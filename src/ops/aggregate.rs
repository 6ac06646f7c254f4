//! `sum(tqvec)` and `avg(tqvec)`: added up in the rotated space, in double precision, and rotated back once.
//!
//! A column may mix codecs. Those that share a rotation (kind, seed and dimension) share a sum; the sums meet after
//! each has been rotated back. The state travels between parallel workers as bytes:
//!
//! ```text
//! u64 count   then per rotation: u64 seed   u32 dimension   u32 kind   dimension × f64, in machine order
//! ```

#![allow(unsafe_code)]

use pgrx::prelude::*;
use pgrx::{Internal, pg_sys};
use tq_codec::{RotationKind, scale_for_norm};
use tq_memory::{Grow, OutOfMemory};

use crate::datum::record::Record;
use crate::error::{Error, SqlResult, VectorError};
use crate::registry;
use crate::server::aggregate_state::{keep, same, state};

/// What an aggregate has seen.
#[derive(Default)]
struct VectorSums {
    count: u64,
    rotated: Vec<RotatedSum>,
    /// One decoded record.
    scratch: Vec<f32>,
}

/// The sum of the records that share a rotation, in its space.
struct RotatedSum {
    kind: RotationKind,
    seed: u64,
    values: Vec<f64>,
}

impl VectorSums {
    /// The sum of this rotation, made if it isn't there.
    fn of(&mut self, kind: RotationKind, seed: u64, dimension: usize) -> Result<&mut RotatedSum, Error> {
        if let Some(first) = self.rotated.first()
            && first.values.len() != dimension
        {
            return Err(Error::Vector(VectorError::DimensionsDiffer(
                first.values.len() as u32,
                dimension as u32,
            )));
        }
        let position = match self.rotated.iter().position(|sum| sum.kind == kind && sum.seed == seed) {
            Some(position) => position,
            None => {
                let values = tq_memory::filled(dimension, 0.0)?;
                self.rotated.try_push(RotatedSum { kind, seed, values })?;
                self.rotated.len() - 1
            }
        };
        Ok(&mut self.rotated[position])
    }

    fn add_record(&mut self, record: &Record<'_>) -> Result<(), Error> {
        let view = record.view()?;
        let codec = registry::for_record(&view)?;
        let dimension = view.dimension() as usize;
        let mut scratch = std::mem::take(&mut self.scratch);
        scratch.try_resize(dimension, 0.0)?;
        codec.decode_rotated(&view, &mut scratch)?;
        let sum = self.of(codec.config().rotation(), codec.config().seed(), dimension)?;
        sum.values.iter_mut().zip(&scratch).for_each(|(sum, value)| *sum += f64::from(*value));
        self.scratch = scratch;
        self.count += 1;
        Ok(())
    }

    fn add_all(&mut self, other: &VectorSums) -> Result<(), Error> {
        for theirs in &other.rotated {
            let ours = self.of(theirs.kind, theirs.seed, theirs.values.len())?;
            ours.values.iter_mut().zip(&theirs.values).for_each(|(sum, value)| *sum += value);
        }
        self.count += other.count;
        Ok(())
    }

    /// The sum divided by `divisor`, rotated back; nothing if there was no record.
    fn finish(&self, divisor: f64) -> Result<Option<Vec<f32>>, Error> {
        let Some(dimension) = self.rotated.first().map(|sum| sum.values.len()) else {
            return Ok(None);
        };
        let mut total = tq_memory::filled(dimension, 0.0f64)?;
        let mut back = tq_memory::filled(dimension, 0.0f32)?;
        for sum in &self.rotated {
            // Near the ends of single precision's range it is rotated at another scale.
            let norm = sum.values.iter().map(|value| (value / divisor).powi(2)).sum::<f64>().sqrt();
            let scale = scale_for_norm(norm);
            let scaled =
                tq_memory::collected(sum.values.iter().map(|value| (value / divisor / scale) as f32))?;
            registry::rotate_back(sum.kind, sum.seed, &scaled, &mut back)?;
            total.iter_mut().zip(&back).for_each(|(total, value)| *total += scale * f64::from(*value));
        }
        let total = tq_memory::collected(total.into_iter().map(|value| value as f32))?;
        if total.iter().all(|value| value.is_finite()) {
            Ok(Some(total))
        } else {
            Err(Error::Vector(VectorError::SumOverflow))
        }
    }

    fn to_bytes(&self) -> Result<Vec<u8>, OutOfMemory> {
        let sums = self.rotated.iter().map(|sum| 16 + size_of_val(sum.values.as_slice())).sum::<usize>();
        let mut bytes = tq_memory::with_capacity(8 + sums)?;
        bytes.extend_from_slice(&self.count.to_ne_bytes());
        for sum in &self.rotated {
            bytes.extend_from_slice(&sum.seed.to_ne_bytes());
            bytes.extend_from_slice(&(sum.values.len() as u32).to_ne_bytes());
            bytes.extend_from_slice(&(sum.kind as u32).to_ne_bytes());
            bytes.extend_from_slice(bytemuck::cast_slice(&sum.values));
        }
        Ok(bytes)
    }

    /// What [`VectorSums::to_bytes`] made.
    ///
    /// # Errors
    /// [`VectorError::NotAggregate`] for anything else, [`Error::Memory`].
    fn from_bytes(bytes: &[u8]) -> Result<VectorSums, Error> {
        let (count, mut rest) =
            bytes.split_first_chunk::<8>().ok_or(Error::Vector(VectorError::NotAggregate))?;
        let mut sums = VectorSums { count: u64::from_ne_bytes(*count), ..VectorSums::default() };
        while !rest.is_empty() {
            let (kind, seed, values, tail) =
                Self::first_sum(rest).ok_or(Error::Vector(VectorError::NotAggregate))?;
            let values = tq_memory::collected(values.iter().map(|bytes| f64::from_ne_bytes(*bytes)))?;
            sums.rotated.try_push(RotatedSum { kind, seed, values })?;
            rest = tail;
        }
        Ok(sums)
    }

    /// The fields of the first sum, and what follows it.
    #[allow(clippy::type_complexity)] // taken apart where it is called
    fn first_sum(rest: &[u8]) -> Option<(RotationKind, u64, &[[u8; 8]], &[u8])> {
        let (seed, tail) = rest.split_first_chunk::<8>()?;
        let (dimension, tail) = tail.split_first_chunk::<4>()?;
        let (kind, tail) = tail.split_first_chunk::<4>()?;
        let dimension = u32::from_ne_bytes(*dimension) as usize;
        let (values, tail) = tail.split_at_checked(dimension.checked_mul(size_of::<f64>())?)?;
        let kind = u32::from_ne_bytes(*kind);
        let known = [RotationKind::Haar, RotationKind::Hadamard];
        let kind = known.into_iter().find(|known| *known as u32 == kind)?;
        Some((kind, u64::from_ne_bytes(*seed), values.as_chunks::<8>().0, tail))
    }
}

/// SFUNC: adds a record; NULLs don't count.
#[pg_extern(sql = false)]
fn tqvec_accumulate(
    sums: Internal,
    record: Option<Record<'_>>,
    fcinfo: pg_sys::FunctionCallInfo,
) -> SqlResult<Internal> {
    // SAFETY: ops.sql declares the function as the aggregates' transition function alone; `keep` checks that it
    // runs as one.
    unsafe {
        let sums: &mut VectorSums = match state(sums) {
            Some(sums) => sums,
            None => keep(fcinfo, VectorSums::default())?,
        };
        if let Some(record) = record {
            sums.add_record(&record)?;
        }
        Ok(same(sums))
    }
}

/// COMBINEFUNC: adds what another worker has seen.
#[pg_extern(sql = false)]
fn tqvec_combine(left: Internal, right: Internal, fcinfo: pg_sys::FunctionCallInfo) -> SqlResult<Internal> {
    // SAFETY: as in tqvec_accumulate; the two states are different ones.
    unsafe {
        let sums: &mut VectorSums = match state(left) {
            Some(left) => left,
            None => keep(fcinfo, VectorSums::default())?,
        };
        if let Some(right) = state(right) {
            sums.add_all(right)?;
        }
        Ok(same(sums))
    }
}

/// SERIALFUNC.
#[pg_extern(sql = false)]
fn tqvec_serialize(sums: Internal) -> SqlResult<Vec<u8>> {
    // SAFETY: PostgreSQL passes the state of the transition function.
    let bytes = unsafe { state(sums) }.map(|sums: &mut VectorSums| sums.to_bytes()).transpose();
    Ok(bytes.map_err(Error::from)?.unwrap_or_default())
}

/// DESERIALFUNC.
#[pg_extern(sql = false)]
fn tqvec_deserialize(
    bytes: &[u8],
    _unused: Internal,
    fcinfo: pg_sys::FunctionCallInfo,
) -> SqlResult<Internal> {
    let sums = VectorSums::from_bytes(bytes)?;
    // SAFETY: fcinfo is the running call's.
    Ok(same(unsafe { keep(fcinfo, sums) }?))
}

/// FINALFUNC of `sum`.
#[pg_extern(sql = false)]
fn tqvec_sum(sums: Internal) -> SqlResult<Option<Vec<f32>>> {
    // SAFETY: PostgreSQL passes the state of the transition function.
    Ok(unsafe { state(sums) }.map_or(Ok(None), |sums: &mut VectorSums| sums.finish(1.0))?)
}

/// FINALFUNC of `avg`.
#[pg_extern(sql = false)]
fn tqvec_avg(sums: Internal) -> SqlResult<Option<Vec<f32>>> {
    // SAFETY: PostgreSQL passes the state of the transition function.
    Ok(unsafe { state(sums) }.map_or(Ok(None), |sums: &mut VectorSums| sums.finish(sums.count as f64))?)
}
