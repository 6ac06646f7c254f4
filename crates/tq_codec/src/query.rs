//! A full-precision query made ready for a scan over the records of one codec.
//!
//! The rotation keeps inner products and Euclidean lengths, so the query is rotated instead of every record
//! rotated back: once here, and then each record costs one pass over its codes. Sums of absolute differences
//! aren't kept; for [`Metric::L1`] every record does have to be rotated back.

use crate::distance::cosine_distance;
use crate::scratch::SCRATCH;
use crate::vector::divided;
use crate::{Codec, CodecError, Metric, Rotation, check_vector, scale_for_norm};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use tq_format::RecordView;
use tq_memory::Grow;
use tq_simd::{Level, ScanQuery};

/// A query vector prepared for the records of one codec.
#[derive(Debug)]
pub struct PreparedQuery {
    codec: Arc<Codec>,
    /// As it was given, not rotated; rotated back when it is first asked for, if it was given rotated. With the power of two that
    /// it has to be multiplied by.
    query: OnceLock<(Vec<f32>, f64)>,
    /// Only if it was given so, divided by the scale that follows.
    rotated: Vec<f32>,
    rotated_scale: f64,
    /// Where it is rotated back to.
    room: Mutex<Vec<f32>>,
    square: f64,
    scan: ScanQuery,
    /// Only if the codec has a centre.
    centred: Option<Box<Centred>>,
    level: Level,
}

/// What a codec's centre *m* makes of a query *q*, both rotated: a record's vector is *z* + *m*, and the kernels see *z*.
#[derive(Debug)]
struct Centred {
    /// ⟨q, m⟩.
    dot: f64,
    /// q - m, since |q - (z + m)| = |(q - m) - z|.
    shifted: ScanQuery,
}

impl Centred {
    /// For `scale` times `rotated`, a query for the codec's records; `scan`, which is prepared for that, gets the centre.
    fn new(
        codec: &Codec,
        rotated: &[f32],
        scale: f64,
        scan: ScanQuery,
        level: Level,
    ) -> Result<(ScanQuery, Option<Box<Self>>), CodecError> {
        let Some(centre) = codec.rotated_centre() else { return Ok((scan, None)) };
        let scan = scan.with_centre(centre.rotated())?;
        let pairs = || rotated.iter().zip(centre.rotated());
        let differences = || pairs().map(|(q, m)| scale * f64::from(*q) - f64::from(*m));
        let shifted_scale = scale_for_norm(differences().map(|x| x * x).sum::<f64>().sqrt());
        let shifted = tq_memory::collected(differences().map(|x| (x / shifted_scale) as f32))?;
        let (width, entries) = (codec.kernel_width(), codec.codebook().entries());
        let centred = Box::new(Self {
            dot: scale * tq_simd::dot_f32(level, rotated, centre.rotated()),
            shifted: ScanQuery::scaled(level, width, &shifted, shifted_scale, entries)?,
        });
        Ok((scan, Some(centred)))
    }

    fn memory_bytes(&self) -> usize {
        size_of::<Self>() + self.shifted.memory_bytes()
    }
}

impl PreparedQuery {
    /// Prepares `query` (length *d*, not rotated), to be used with the kernels of `level`.
    ///
    /// The query may be zero and of any length; the built-in codec's rules are for what is stored.
    ///
    /// # Errors
    /// [`CodecError::DimensionMismatch`], [`CodecError::NotFinite`] and [`CodecError::Memory`].
    pub fn new(codec: Arc<Codec>, query: &[f32], level: Level) -> Result<Self, CodecError> {
        Self::new_polling(codec, query, level, &mut || {})
    }

    /// [`PreparedQuery::new`] with `poll` called every few milliseconds where a large matrix is read; it may unwind.
    ///
    /// # Errors
    /// Those of [`PreparedQuery::new`].
    pub fn new_polling(
        codec: Arc<Codec>,
        query: &[f32],
        level: Level,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, CodecError> {
        let expected = codec.config().dimension() as usize;
        if query.len() != expected {
            return Err(CodecError::DimensionMismatch { expected, got: query.len() });
        }
        let norm = check_vector(query)?;
        let mut rotated = tq_memory::filled(expected, 0.0)?;
        let scale = scale_for_norm(norm);
        if scale == 1.0 {
            codec.rotation().apply_to_query(level, query, &mut rotated, poll)?;
        } else {
            codec.rotation().apply_to_query(level, &divided(query, scale)?, &mut rotated, poll)?;
        }
        let width = codec.kernel_width();
        let scan = ScanQuery::scaled(level, width, &rotated, scale, codec.codebook().entries())?;
        let (scan, centred) = Centred::new(&codec, &rotated, scale, scan, level)?;
        let query = OnceLock::from((tq_memory::copied(query)?, 1.0));
        let (rotated, room) = Default::default();
        Ok(Self {
            query,
            rotated,
            rotated_scale: 1.0,
            room,
            square: norm * norm,
            scan,
            centred,
            level,
            codec,
        })
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
        let width = codec.kernel_width();
        let scan = ScanQuery::new(level, width, rotated, codec.codebook().entries())?;
        let (scan, centred) = Centred::new(&codec, rotated, 1.0, scan, level)?;
        let rotated_scale = scale_for_norm(norm);
        let rotated = divided(rotated, rotated_scale)?;
        let room = Mutex::new(tq_memory::filled(expected, 0.0)?);
        let query = OnceLock::new();
        Ok(Self { query, rotated, rotated_scale, room, square: norm * norm, scan, centred, level, codec })
    }

    /// The codec whose records the query is for.
    pub fn codec(&self) -> &Arc<Codec> {
        &self.codec
    }

    /// The query as it was given, not rotated, and what to multiply it by: 1, unless it was given rotated and is near
    /// the ends of `f32`'s range.
    pub fn query(&self) -> (&[f32], f64) {
        let (query, scale) = self.query.get_or_init(|| {
            let mut query = std::mem::take(&mut *self.room.lock().unwrap_or_else(PoisonError::into_inner));
            self.codec.rotation().apply_inverse(&self.rotated, &mut query);
            (query, self.rotated_scale)
        });
        (query, *scale)
    }

    /// The query rotated, as the kernels have it: the floats (length *d*), and the power of two that they are multiplied by.
    pub fn rotated(&self) -> (&[f32], f64) {
        self.scan.query()
    }

    /// The squared Euclidean norm of the query.
    pub fn square(&self) -> f64 {
        self.square
    }

    /// The memory it occupies, for a cache with a budget; the codec, which it shares, isn't counted.
    pub fn memory_bytes(&self) -> usize {
        let floats = self.scan.dimension() + 2 * self.rotated.capacity();
        let centred = self.centred.as_ref().map_or(0, |centred| centred.memory_bytes());
        size_of::<Self>() + floats * size_of::<f32>() + self.scan.memory_bytes() + centred
    }

    /// Whether the record is one of the query's codec: same hash, and the shape that goes with it.
    #[inline]
    pub fn matches(&self, record: &RecordView<'_>) -> bool {
        self.codec.matches(record)
    }

    /// The distance between the query and a record for which [`PreparedQuery::matches`] holds. For
    /// [`Metric::InnerProduct`] the inner product.
    ///
    /// Allocates nothing, except that the first L1 distance on a thread makes room for vectors, if there is memory for them. A record of
    /// another shape gives NaN.
    #[inline]
    pub fn distance(&self, metric: Metric, record: &RecordView<'_>) -> f64 {
        if !self.codec.fits(record) {
            return f64::NAN;
        }
        self.distance_of_parts(metric, record.codes(), record.residual())
    }

    /// [`PreparedQuery::distance`] of a record of the query's codec whose payload is kept without its header: `codes`, and `residual`
    /// if the codec has one. The same kernels, and so the same distance to the bit.
    ///
    /// # Panics
    /// If the lengths aren't the codec's.
    #[inline]
    pub fn distance_of_parts(&self, metric: Metric, codes: &[u8], residual: Option<&[u8]>) -> f64 {
        if let Some(centred) = &self.centred {
            return self.centred_distance(centred, metric, codes, residual);
        }
        match metric {
            Metric::L2 => self.scan.squared_l2(codes, residual).sqrt(),
            Metric::InnerProduct => self.scan.dot(codes, residual),
            Metric::Cosine => {
                let (dot, square) = self.scan.dot_and_norm(codes, residual);
                cosine_distance(dot, self.square, square)
            }
            Metric::L1 => self.l1(codes, residual),
        }
    }

    fn centred_distance(
        &self,
        centred: &Centred,
        metric: Metric,
        codes: &[u8],
        residual: Option<&[u8]>,
    ) -> f64 {
        match metric {
            Metric::L2 => centred.shifted.squared_l2(codes, residual).sqrt(),
            Metric::InnerProduct => self.scan.dot(codes, residual) + centred.dot,
            Metric::Cosine => {
                let (dot, square) = self.scan.dot_and_centred_norm(codes, residual);
                cosine_distance(dot + centred.dot, self.square, square)
            }
            Metric::L1 => self.l1(codes, residual),
        }
    }

    fn l1(&self, codes: &[u8], residual: Option<&[u8]>) -> f64 {
        let dimension = self.scan.dimension();
        SCRATCH.with_borrow_mut(|(rotated, vector)| {
            let room = rotated.try_resize(dimension, 0.0).and_then(|()| vector.try_resize(dimension, 0.0));
            match room {
                Ok(()) => self.l1_in(rotated, vector, codes, residual),
                Err(_) => self.l1_on_the_stack(dimension, codes, residual),
            }
        })
    }

    /// Without memory for the buffers.
    #[cold]
    #[inline(never)]
    fn l1_on_the_stack(&self, dimension: usize, codes: &[u8], residual: Option<&[u8]>) -> f64 {
        const MOST: usize = tq_format::MAX_DIMENSION as usize;
        let (mut rotated, mut vector) = ([0.0; MOST], [0.0; MOST]);
        self.l1_in(&mut rotated[..dimension], &mut vector[..dimension], codes, residual)
    }

    fn l1_in(&self, rotated: &mut [f32], vector: &mut [f32], codes: &[u8], residual: Option<&[u8]>) -> f64 {
        let (query, scale) = self.query();
        self.codec.dequantize_parts(codes, residual, rotated);
        let vector_scale = rotate_back(self.codec.rotation(), rotated, vector);
        if scale == 1.0 && vector_scale == 1.0 {
            return tq_simd::l1_f32(self.level, query, vector);
        }
        let pairs = query.iter().zip(vector.iter());
        pairs.map(|(&q, &x)| (scale * f64::from(q) - vector_scale * f64::from(x)).abs()).sum()
    }
}

/// Rotates `rotated` back into `vector`, and returns what that has to be multiplied by: a power of two, 1 for most, by which
/// `rotated` is divided.
fn rotate_back(rotation: &Rotation, rotated: &mut [f32], vector: &mut [f32]) -> f64 {
    let scale = check_vector(rotated).map_or(1.0, scale_for_norm);
    if scale != 1.0 {
        rotated.iter_mut().for_each(|x| *x = (f64::from(*x) / scale) as f32);
    }
    rotation.apply_inverse(rotated, vector);
    scale
}
