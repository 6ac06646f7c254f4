//! Distances where both arguments vary: nothing is prepared.

use std::sync::Arc;

use tq_codec::{Metric, distance_f32};

use super::operand::Operand;
use crate::error::{Error, VectorError};
use crate::registry;

/// Whether two records are in the same rotated space; two of different dimensions are for the caller to refuse.
pub(super) fn share_rotation(operands: &[Operand; 2]) -> Result<bool, Error> {
    operands[0].with_record(|left| {
        operands[1].with_record(|right| {
            let codecs = [registry::for_record(left)?, registry::for_record(right)?];
            Ok(left.dimension() != right.dimension()
                || Arc::ptr_eq(codecs[0].rotation(), codecs[1].rotation()))
        })
    })
}

/// Both arguments vary, and are records: the distance in the rotated space, if it is the same for both.
pub(super) fn between_records(metric: Metric, operands: &[Operand; 2]) -> Result<Option<f64>, Error> {
    operands[0].with_record(|left| {
        operands[1].with_record(|right| {
            if left.dimension() != right.dimension() {
                return Err(Error::Vector(VectorError::DimensionsDiffer(
                    left.dimension(),
                    right.dimension(),
                )));
            }
            let codecs = [registry::for_record(left)?, registry::for_record(right)?];
            if !Arc::ptr_eq(codecs[0].rotation(), codecs[1].rotation()) {
                return Ok(None);
            }
            let vector = || tq_memory::filled(left.dimension() as usize, 0.0);
            let mut vectors = [vector()?, vector()?];
            codecs[0].decode_rotated(left, &mut vectors[0])?;
            codecs[1].decode_rotated(right, &mut vectors[1])?;
            Ok(Some(distance_f32(metric, &vectors[0], &vectors[1])))
        })
    })
}

/// Both arguments vary: the distance in the original space.
pub(super) fn between_floats(metric: Metric, operands: &[Operand; 2]) -> Result<f64, Error> {
    let left = operands[0].to_floats()?;
    let right = operands[1].to_floats()?;
    if left.len() != right.len() {
        return Err(dimensions_differ(0, left.len(), right.len()));
    }
    Ok(distance_f32(metric, &left, &right))
}

/// Names the dimensions in the order of the arguments.
pub(super) fn dimensions_differ(query_side: usize, query: usize, row: usize) -> Error {
    let (left, right) = if query_side == 0 { (query, row) } else { (row, query) };
    Error::Vector(VectorError::DimensionsDiffer(left as u32, right as u32))
}
