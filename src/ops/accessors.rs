//! Accessors. Those that need the record's header alone fetch only that from TOAST.

use pgrx::prelude::*;

use crate::datum::record::{Record, StoredHeader};
use crate::error::{Error, SqlResult, VectorError};
use crate::registry;
use crate::server::encoding;

#[pg_extern(sql = false)]
fn tq_dimension(header: StoredHeader) -> SqlResult<i32> {
    Ok(header.parse()?.dimension as i32)
}

#[pg_extern(sql = false)]
fn tq_bit_width(header: StoredHeader) -> SqlResult<i32> {
    Ok(i32::from(header.parse()?.bit_width.bits()))
}

#[pg_extern(sql = false)]
fn tq_config_hash(header: StoredHeader) -> SqlResult<String> {
    let header = header.parse()?;
    let hash = header.hash_str();
    if hash.contains('\0') {
        Err(Error::Vector(VectorError::HashNotText))?;
    }
    Ok(encoding::to_server(hash.to_string())?)
}

/// A record with a residual is longer than one without; its length is known without reading it.
#[pg_extern(sql = false)]
fn tq_has_residual(header: StoredHeader) -> SqlResult<bool> {
    let parsed = header.parse()?;
    Ok(header.record_len() > tq_format::record_len(parsed.bit_width, parsed.dimension, false))
}

/// The Euclidean norm of the vector that the record stands for.
#[pg_extern(sql = false)]
fn tq_norm(record: Record<'_>) -> SqlResult<f64> {
    let view = record.view().map_err(Error::from)?;
    let codec = registry::for_record(&view)?;
    let mut rotated = tq_memory::filled(view.dimension() as usize, 0.0).map_err(Error::from)?;
    codec.decode_rotated(&view, &mut rotated).map_err(Error::from)?;
    Ok(tq_simd::dot_f32(crate::server::settings::simd_level(), &rotated, &rotated).sqrt())
}

/// The codes, one per rotated dimension.
#[pg_extern(sql = false)]
fn tq_indices(record: Record<'_>) -> SqlResult<Vec<i16>> {
    let indices = record.view().map_err(Error::from)?;
    Ok(tq_memory::collected(indices.indices().map(i16::from)).map_err(Error::from)?)
}
