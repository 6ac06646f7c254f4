//! A full-precision query made ready for a scan over the records of one codec.
//!
//! The rotation keeps inner products and Euclidean lengths, so the query is rotated instead of every record
//! rotated back: once here, and then each record costs one pass over its codes. Sums of absolute differences
//! aren't kept; for [`Metric::L1`] every record does have to be rotated back.

use crate::distance::cosine_distance;
use crate::vector::divided;
use crate::{Codec, CodecError, Metric, Rotation, check_vector, kernel_width, scale_for_norm};
use std::cell::RefCell;
use std::sync::{Arc, OnceLock};
use tq_format::RecordView;
use tq_simd::{Level, ScanQuery};

thread_local! {
    /// Where L1 distances decode to: rotated, then rotated back. It belongs to the thread and not to the query,
    /// so that threads can share a query, and holds 128 KiB at most.
    static SCRATCH: RefCell<(Vec<f32>, Vec<f32>)> = const { RefCell::new((Vec::new(), Vec::new())) };
}

/// A query vector prepared for the records of one codec.
#[derive(Debug)]
pub struct PreparedQuery {
    codec: Arc<Codec>,
    /// As it was given, not rotated; rotated back when it is first asked for, if it was given rotated. With the power of two that
    /// it has to be multiplied by.
    query: OnceLock<(Vec<f32>, f64)>,
    /// Only if it was given so.
    rotated: Vec<f32>,
    square: f64,
    scan: ScanQuery,
    level: Level,
}

impl PreparedQuery {
    /// Prepares `query` (length *d*, not rotated), to be used with the kernels of `level`.
    ///
    /// The query may be zero and of any length; the built-in codec's rules are for what is stored.
    ///
    /// # Errors
    /// [`CodecError::DimensionMismatch`] and [`CodecError::NotFinite`].
    pub fn new(codec: Arc<Codec>, query: &[f32], level: Level) -> Result<Self, CodecError> {
        let expected = codec.config().dimension() as usize;
        if query.len() != expected {
            return Err(CodecError::DimensionMismatch { expected, got: query.len() });
        }
        let norm = check_vector(query)?;
        let mut rotated = vec![0.0; expected];
        let scale = scale_for_norm(norm);
        if scale == 1.0 {
            codec.rotation().apply_at(level, query, &mut rotated);
        } else {
            codec.rotation().apply_at(level, &divided(query, scale), &mut rotated);
        }
        let width = kernel_width(codec.config().bit_width());
        let scan = ScanQuery::scaled(level, width, &rotated, scale, codec.codebook().entries());
        let query = OnceLock::from((query.to_vec(), 1.0));
        Ok(Self { query, rotated: Vec::new(), square: norm * norm, scan, level, codec })
    }

    /// As [`PreparedQuery::new`], for a query that `codec`'s rotation has been applied to already, like one that was
    /// decoded from a record of the same rotation: the rotation isn't touched, but for L1 distances.
    ///
    /// # Errors
    /// As [`PreparedQuery::new`].
    pub fn from_rotated(codec: Arc<Codec>, rotated: &[f32], level: Level) -> Result<Self, CodecError> {
        let expected = codec.config().dimension() as usize;
        if rotated.len() != expected {
            return Err(CodecError::DimensionMismatch { expected, got: rotated.len() });
        }
        let norm = check_vector(rotated)?;
        let width = kernel_width(codec.config().bit_width());
        let scan = ScanQuery::new(level, width, rotated, codec.codebook().entries());
        let query = OnceLock::new();
        Ok(Self { query, rotated: rotated.to_vec(), square: norm * norm, scan, level, codec })
    }

    /// The codec whose records the query is for.
    pub fn codec(&self) -> &Arc<Codec> {
        &self.codec
    }

    /// The query as it was given, not rotated, and what to multiply it by: 1, unless it was given rotated and is near
    /// the ends of `f32`'s range.
    pub fn query(&self) -> (&[f32], f64) {
        let (query, scale) = self.query.get_or_init(|| {
            let mut query = vec![0.0; self.rotated.len()];
            let scale = rotate_back(self.codec.rotation(), &self.rotated, &mut query);
            (query, scale)
        });
        (query, *scale)
    }

    /// The memory it occupies, for a cache with a budget; the codec, which it shares, isn't counted.
    pub fn memory_bytes(&self) -> usize {
        let floats = self.query.get().map_or(0, |(query, _)| query.capacity()) + self.rotated.capacity();
        size_of::<Self>() + floats * size_of::<f32>() + self.scan.memory_bytes()
    }

    /// Whether the record is one of the query's codec: same hash, and the shape that goes with it.
    #[inline]
    pub fn matches(&self, record: &RecordView<'_>) -> bool {
        self.codec.matches(record)
    }

    /// The distance between the query and a record for which [`PreparedQuery::matches`] holds. For
    /// [`Metric::InnerProduct`] the inner product.
    ///
    /// Allocates nothing, except that the first L1 distance on a thread, and of a query, makes room for vectors. A record of
    /// another shape gives NaN.
    #[inline]
    pub fn distance(&self, metric: Metric, record: &RecordView<'_>) -> f64 {
        if !self.codec.fits(record) {
            return f64::NAN;
        }
        let (codes, residual) = (record.codes(), record.residual());
        match metric {
            Metric::L2 => self.scan.squared_l2(codes, residual).sqrt(),
            Metric::InnerProduct => self.scan.dot(codes, residual),
            Metric::Cosine => {
                let (dot, square) = self.scan.dot_and_norm(codes, residual);
                cosine_distance(dot, self.square, square)
            }
            Metric::L1 => self.l1(record),
        }
    }

    fn l1(&self, record: &RecordView<'_>) -> f64 {
        let (query, scale) = self.query();
        let dimension = query.len();
        SCRATCH.with_borrow_mut(|(rotated, vector)| {
            rotated.resize(dimension, 0.0);
            vector.resize(dimension, 0.0);
            self.codec.dequantize(record, rotated);
            let vector_scale = rotate_back(self.codec.rotation(), rotated, vector);
            if scale == 1.0 && vector_scale == 1.0 {
                return tq_simd::l1_f32(self.level, query, vector);
            }
            let pairs = query.iter().zip(vector.iter());
            pairs.map(|(&q, &x)| (scale * f64::from(q) - vector_scale * f64::from(x)).abs()).sum()
        })
    }
}

/// Rotates `rotated` back into `vector`, and returns what that has to be multiplied by: a power of two, 1 for most.
fn rotate_back(rotation: &Rotation, rotated: &[f32], vector: &mut [f32]) -> f64 {
    let scale = check_vector(rotated).map_or(1.0, scale_for_norm);
    if scale == 1.0 {
        rotation.apply_inverse(rotated, vector);
    } else {
        rotation.apply_inverse(&divided(rotated, scale), vector);
    }
    scale
}
