//! A query of a call site: decoded, rotated and laid out for the kernels once for each codec that it meets.

use std::sync::Arc;

use tq_codec::{Codec, Metric, PreparedQuery, distance_f32};
use tq_format::RecordView;

use super::operand::{Operand, OperandKind};
use super::pair::dimensions_differ;
use crate::error::Error;
use crate::registry;
use crate::registry::Query;
use crate::server::settings;

/// Codecs of one column for which a query is kept prepared. A column rarely mixes more than two.
const PREPARED_LIMIT: usize = 32;

/// A query, and what was prepared of it.
#[derive(Default)]
pub(super) struct SiteQuery {
    /// Which argument it was.
    pub(super) side: usize,
    query: Query,
    prepared: Vec<PreparedQuery>,
}

impl SiteQuery {
    pub(super) fn new(side: usize, operand: &Operand) -> Result<SiteQuery, Error> {
        let query = match operand.kind {
            OperandKind::Floats => Query::Floats(operand.to_floats()?),
            OperandKind::Record => operand.with_record(Query::from_record)?,
        };
        Ok(SiteQuery { side, query, prepared: Vec::new() })
    }

    /// The distance of the other argument; `None` if that takes a rotation of the query, which `may_rotate` doesn't allow.
    #[inline]
    pub(super) fn distance(
        &mut self,
        metric: Metric,
        row: &Operand,
        may_rotate: bool,
    ) -> Result<Option<f64>, Error> {
        let dimension = self.query.dimension();
        match row.kind {
            OperandKind::Record => row.with_record(|record| {
                if record.dimension() as usize != dimension {
                    return Err(dimensions_differ(self.side, dimension, record.dimension() as usize));
                }
                let Some(prepared) = self.prepared_for(record, may_rotate)? else { return Ok(None) };
                // While the kernel runs on this row, the next one comes into the cache.
                tq_simd::prefetch_below(record.as_bytes());
                registry::distance(prepared, metric, record).map(Some)
            }),
            OperandKind::Floats if !may_rotate && self.query.is_rotated() => Ok(None),
            OperandKind::Floats => row.with_floats(|floats| {
                if floats.len() != dimension {
                    return Err(dimensions_differ(self.side, dimension, floats.len()));
                }
                Ok(Some(distance_f32(metric, self.query.floats()?, floats)))
            }),
        }
    }

    /// The query, prepared for the record's codec. Codecs changed since the query was taken are no concern here:
    /// the call site forgets its queries then.
    #[inline]
    fn prepared_for(
        &mut self,
        record: &RecordView<'_>,
        may_rotate: bool,
    ) -> Result<Option<&PreparedQuery>, Error> {
        let position = match self.prepared.iter().position(|prepared| prepared.matches(record)) {
            Some(position) => position,
            None => {
                let codec: Arc<Codec> = registry::for_record(record)?;
                if !may_rotate && !self.query.shares_rotation(&codec) {
                    return Ok(None);
                }
                if self.prepared.len() == PREPARED_LIMIT {
                    self.prepared.clear();
                }
                self.prepared.push(self.query.prepare(codec, settings::simd_level())?);
                self.prepared.len() - 1
            }
        };
        Ok(self.prepared.get(position))
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let prepared: usize = self.prepared.iter().map(PreparedQuery::memory_bytes).sum();
        size_of_val(self.prepared.as_slice()) + 4 * self.query.dimension() + prepared
    }
}
