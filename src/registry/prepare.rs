//! Queries, prepared for the codecs of the records that they are compared with.

use std::sync::Arc;

use tq_codec::{Codec, CodecError, PreparedQuery};
use tq_format::RecordView;
use tq_simd::Level;

use super::cache;
use super::coding::count_rotation;
use super::lookup::for_record;
use crate::error::Error;
use crate::error::interrupts::poll;

/// A query: floats, or what a record holds, in its rotated space.
pub(crate) enum Query {
    Floats(Vec<f32>),
    Rotated(Arc<Codec>, Vec<f32>),
}

impl Default for Query {
    fn default() -> Self {
        Query::Floats(Vec::new())
    }
}

impl Query {
    /// The query that a record stands for.
    pub(crate) fn from_record(record: &RecordView<'_>) -> Result<Query, Error> {
        let codec = for_record(record)?;
        let mut rotated = tq_memory::filled(record.dimension() as usize, 0.0)?;
        codec.decode_rotated(record, &mut rotated)?;
        Ok(Query::Rotated(codec, rotated))
    }

    pub(crate) fn dimension(&self) -> usize {
        match self {
            Query::Floats(floats) | Query::Rotated(_, floats) => floats.len(),
        }
    }

    /// Whether it takes a rotation to get at its floats.
    pub(crate) fn is_rotated(&self) -> bool {
        matches!(self, Query::Rotated(..))
    }

    /// Whether it takes none to prepare it for this codec.
    pub(crate) fn shares_rotation(&self, codec: &Codec) -> bool {
        matches!(self, Query::Rotated(own, _) if Arc::ptr_eq(own.rotation(), codec.rotation()))
    }

    /// The query's floats; from a record they are rotated back once.
    pub(crate) fn floats(&mut self) -> Result<&[f32], Error> {
        if let Query::Rotated(codec, rotated) = self {
            let mut floats = tq_memory::filled(rotated.len(), 0.0)?;
            codec.rotation().apply_inverse_polling(rotated, &mut floats, &mut poll);
            if let Some(index) = floats.iter().position(|value| !value.is_finite()) {
                return Err(CodecError::DecodedOverflow { index }.into());
            }
            count_rotation();
            cache::confirm(codec)?;
            *self = Query::Floats(floats);
        }
        match self {
            Query::Floats(floats) | Query::Rotated(_, floats) => Ok(floats),
        }
    }

    /// Prepares the query for records of a codec. Nothing is rotated if the query came from a record whose codec has the
    /// same rotation, as a literal has in a column of the built-in codec.
    pub(crate) fn prepare(&mut self, codec: Arc<Codec>, level: Level) -> Result<PreparedQuery, Error> {
        if let Query::Rotated(own, rotated) = self
            && Arc::ptr_eq(own.rotation(), codec.rotation())
        {
            return Ok(PreparedQuery::from_rotated(codec, rotated, level)?);
        }
        let prepared = PreparedQuery::new_polling(codec, self.floats()?, level, &mut poll)?;
        count_rotation();
        cache::confirm(prepared.codec())?;
        Ok(prepared)
    }
}
