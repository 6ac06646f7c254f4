//! How a row's own floats lie to its codes, and what that makes certain of their distance from a query.
//!
//! An index over floats keeps, beside the codes, how long a row's vector *x* is along what they decode to and across it:
//! with *u* the decoded vector at unit length, `along` = ⟨*x*, *u*⟩ and `across` = |*x* - along *u*|. A query *q* at the angle θ
//! from *u* then has, by the triangle inequality of angles,
//!
//! ```text
//! <q, x> <= |q| (along cos θ + across sin θ)     or |q| |x|, where θ is less than the angle between x and u
//! ```
//!
//! which is the least distance that the row may have. To be certain, not probable, it gives way to all rounding: that of the rotations, of the
//! kernels that measure cos θ, and of pgvector's operators, which sum in `f32` in any order, for which n terms are off by n units in
//! the last place at worst (N. Higham, Accuracy and Stability of Numerical Algorithms, 2002, section 3.1).

use tq_codec::{Codec, Metric};

/// Bytes of it in a row of codes.
pub(crate) const FIT_BYTES: usize = 8;

/// What the kernels' cosine may be off by: inner products by 1e-5, norms by half of that, rotated queries by 1e-6.
const COSINE_ERROR: f64 = 4e-5;

/// What rotating in `f32`, and rounding to what is kept, may take from a vector, of its length.
const ROTATION_ERROR: f64 = 4e-6;

/// Half a unit in the last place of an `f32`, of one.
const UNIT: f64 = 1.0 / (1u64 << 24) as f64;

/// The norms of vectors that get slots: nothing that is summed of them leaves `f32`. Others are kept whole.
const MODERATE: std::ops::RangeInclusive<f64> = 1e-14..=1e14;

/// How a vector lies to what its codes decode to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Fit {
    /// Its length along the decoded vector.
    pub along: f32,
    /// And across it; rather more than less.
    pub across: f32,
}

impl Fit {
    /// Of a vector of that norm whose direction, at unit length and rotated, is `rotated`, to what its codes decode to, `decoded`.
    /// `None` if they point away from it.
    ///
    /// # Panics
    /// If the lengths differ.
    pub fn new(norm: f64, rotated: &[f32], decoded: &[f32]) -> Option<Self> {
        assert_eq!(rotated.len(), decoded.len());
        let pairs = || rotated.iter().zip(decoded).map(|(x, e)| (f64::from(*x), f64::from(*e)));
        let (dot, square) = pairs().fold((0.0, 0.0), |(dot, square), (x, e)| (dot + x * e, square + e * e));
        let along = dot / square.sqrt();
        let usable = MODERATE.contains(&norm) && MODERATE.contains(&(norm * along));
        let scale = dot / square;
        let across = pairs().map(|(x, e)| (x - scale * e) * (x - scale * e)).sum::<f64>().sqrt();
        let (along, across) = (norm * along, norm * (across + ROTATION_ERROR));
        usable.then_some(Self { along: along as f32, across: (across as f32).next_up() })
    }

    /// Whether vectors of that norm may have slots: nothing that is summed of them in `f32` leaves it.
    pub fn is_moderate(norm: f64) -> bool {
        MODERATE.contains(&norm)
    }

    /// Two numbers, little-endian.
    pub fn to_bytes(self) -> [u8; FIT_BYTES] {
        let ([a, b, c, d], [e, f, g, h]) = (self.along.to_le_bytes(), self.across.to_le_bytes());
        [a, b, c, d, e, f, g, h]
    }

    /// Reads the first eight bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let number = |at: usize| f32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        Self { along: number(0), across: number(4) }
    }

    /// Scales what was decoded of a row's codes to the part of the row's vector that they stand for.
    pub(crate) fn scale(self, decoded: &mut [f32]) {
        let square = decoded.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
        let scale = f64::from(self.along) / square.sqrt();
        let scale = if scale.is_finite() { scale } else { 0.0 };
        decoded.iter_mut().for_each(|x| *x = (scale * f64::from(*x)) as f32);
    }
}

/// Decodes a row's codes, in rotated space: as they are, or as the part of the row's floats that they stand for.
pub(crate) fn decode(
    codec: &Codec,
    (codes, residual): (&[u8], Option<&[u8]>),
    fit: Option<Fit>,
    out: &mut [f32],
) {
    codec.dequantize_parts(codes, residual, out);
    if let Some(fit) = fit {
        fit.scale(out);
    }
}

/// What a query says of distances that aren't known to the bit.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    metric: Metric,
    /// The query's norm.
    norm: f64,
    /// What a sum in `f32` may be off by, of the sum of its terms' sizes.
    sum_error: f64,
}

/// How far a row may be.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Range {
    /// No less than that, as pgvector measures it.
    pub least: f64,
    /// About that.
    pub likely: f64,
}

impl Bounds {
    /// For a query of that squared norm and so many dimensions.
    pub fn new(metric: Metric, query_square: f64, dimension: usize) -> Self {
        let sum_error = 1.01 * (dimension as f64 + 8.0) * UNIT;
        Self { metric, norm: query_square.sqrt(), sum_error }
    }

    /// Of a row, by the cosine distance between the query and what its codes decode to.
    pub fn of_codes(&self, cosine_distance: f64, fit: Fit) -> Range {
        let (along, across) = (f64::from(fit.along), f64::from(fit.across));
        let norm = along.hypot(across);
        // Without a direction, all directions are possible.
        let cosine = if cosine_distance.is_nan() { 1.0 } else { 1.0 - cosine_distance };
        let most = (cosine + COSINE_ERROR).min(1.0);
        let product =
            if most * norm >= along { norm } else { along * most + across * (1.0 - most * most).sqrt() };
        self.range(product, along * cosine, norm)
    }

    /// Of a vector that is known: of its inner product with the query and its norm, both exact but for what `f64` loses.
    pub fn of_vector(&self, product: f64, norm: f64) -> Range {
        let product = if self.norm > 0.0 { product / self.norm } else { 0.0 };
        let range = self.range(product, product, norm);
        // Beyond, what is summed in `f32` may be anything, infinity included.
        let moderate = |norm: f64| norm == 0.0 || MODERATE.contains(&norm);
        if moderate(norm) && moderate(self.norm) {
            range
        } else {
            Range { least: f64::NEG_INFINITY, ..range }
        }
    }

    /// Of a row of that norm whose inner product with the query's direction is `most` at the most, and `likely` about.
    fn range(&self, most: f64, likely: f64, norm: f64) -> Range {
        let (q, sum_error) = (self.norm, self.sum_error);
        if !(q == 0.0 || MODERATE.contains(&q)) {
            let distance = match self.metric {
                Metric::Cosine => 1.0 - likely / norm,
                Metric::InnerProduct => -q * likely,
                _ => q,
            };
            return Range { least: f64::NEG_INFINITY, likely: distance };
        }
        match self.metric {
            // Of a vector without a direction it is NaN, which is more than any number.
            Metric::Cosine if q == 0.0 || norm == 0.0 => Range { least: f64::NAN, likely: f64::NAN },
            // Each norm is a sum, too.
            Metric::Cosine => {
                let least = 1.0 - most / norm - (ROTATION_ERROR + 3.0 * sum_error);
                Range { least: least.max(0.0), likely: 1.0 - likely / norm }
            }
            Metric::InnerProduct => {
                Range { least: -q * (most + norm * (ROTATION_ERROR + sum_error)), likely: -q * likely }
            }
            Metric::L2 | Metric::L1 => {
                let squares = q * q + norm * norm;
                let least = squares * (1.0 - 3.0 * ROTATION_ERROR) - 2.0 * q * most;
                let least = least.max(0.0) * (1.0 - sum_error) - squares * f64::EPSILON;
                let likely = (squares - 2.0 * q * likely).max(0.0).sqrt();
                Range { least: least.max(0.0).sqrt(), likely }
            }
        }
    }
}
