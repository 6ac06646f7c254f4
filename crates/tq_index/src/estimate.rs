//! The first stage: how near each row of a page may be, from its slot.
//!
//! With *q* the rotated query, *c* the page's centre, *α* = ⟨*q*, *c*⟩/⟨*c*, *c*⟩ and *q'* = *q* - *αc*,
//!
//! ```text
//! <q, e> = <q, c> + α <c, r> + <q', r>        q' is orthogonal to c, and r's part along c is known
//! <q', r> ≈ f <q', sign r>                    f = |r|² / <r, sign r> = |r| / (κ sqrt d)
//! σ = |q'| |r| sqrt((1 - κ²)/κ²) / sqrt(d - 1)
//! ```
//!
//! The estimate is that of RaBitQ (J. Gao, C. Long, SIGMOD 2024), with the part along the centre taken out and kept exactly: a
//! common part of all vectors, and of the query, costs no precision then. Quantising the query for the kernel adds
//! `f² · squared error` to the variance. A row's *key* is the least value that its distance may have, ε standard deviations below the
//! estimate, in a form that is cheap:
//!
//! ```text
//! cosine           -(<q, e> + εσ) / |e|, of a query of unit length; plus 1, the distance
//! inner product    -(<q, e> + εσ), of a query of unit length; times |q|, the distance
//! L2               |q - c|² + |r|² - 2 (<q - c, r> + εσ); its root is the distance. No large numbers cancel
//! ```

use tq_codec::{Metric, PreparedQuery};
use tq_memory::Grow;
use tq_simd::{BoundOf, BoundTerms, Level, SignQuery};

use crate::centre::Centre;
use crate::error::IndexError;
use crate::layout::{RowLayout, SLOT_HEAD};
use crate::slot::{self, Unread};

/// What rounding in `f32` may take from a key, of the numbers that it is summed from.
const SLACK: f32 = 1e-6;

/// Half a unit of a slot's ρ.
const RHO_ERROR: f64 = 0.5 / 32_767.0;

/// A query's norm, beyond which L2 distances are too far from the rows to be summed in `f32`.
const MODERATE: std::ops::RangeInclusive<f64> = 1e-15..=1e15;

/// What a query's keys mean.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Keys {
    metric: Metric,
    /// The query's norm.
    norm: f64,
}

impl Keys {
    pub(crate) fn new(metric: Metric, query_square: f64) -> Self {
        Self { metric, norm: query_square.sqrt() }
    }

    /// The distance that a key stands for.
    pub(crate) fn distance(&self, key: f32) -> f64 {
        let key = f64::from(key);
        match self.metric {
            Metric::Cosine => 1.0 + key,
            Metric::InnerProduct => key * self.norm,
            Metric::L2 => key.max(0.0).sqrt(),
            Metric::L1 => f64::NEG_INFINITY,
        }
    }

    /// A key that stands for no more than that distance.
    pub(crate) fn key(&self, distance: f64) -> f32 {
        let key = match self.metric {
            _ if distance.is_nan() => return f32::MAX,
            // Nothing is certain of the row.
            _ if distance == f64::NEG_INFINITY => return f32::NEG_INFINITY,
            Metric::Cosine => distance - 1.0,
            Metric::InnerProduct if self.norm > 0.0 => distance / self.norm,
            Metric::L2 => distance * distance,
            _ => return f32::NEG_INFINITY,
        };
        // What leaves `f32` is far away, not beyond comparison.
        let near = (key as f32).min(f32::MAX);
        near - near.abs() * SLACK
    }
}

/// A query made ready for the pages of one centre.
#[derive(Debug)]
pub(crate) struct Estimator {
    number: u32,
    level: Level,
    signs: SignQuery,
    of: BoundOf,
    /// `None` if keys say nothing at all.
    terms: Option<BoundTerms>,
}

impl Estimator {
    /// Prepares a query for a centre.
    pub(crate) fn new(
        query: &PreparedQuery,
        metric: Metric,
        centre: &Centre,
        epsilon: f64,
        level: Level,
    ) -> Result<Self, IndexError> {
        let (rotated, scale) = query.rotated();
        let (norm, dimension) = (query.square().sqrt(), rotated.len() as f64);
        // Directions are enough but for L2.
        let usable = match metric {
            Metric::L2 => norm == 0.0 || MODERATE.contains(&norm),
            _ => norm > 0.0,
        };
        let factor = match metric {
            _ if !usable => 0.0,
            Metric::L2 => scale,
            _ => scale / norm,
        };
        let value = |x: &f32| factor * f64::from(*x);
        let pairs = || rotated.iter().map(value).zip(centre.vector().iter().map(|c| f64::from(*c)));
        let along = pairs().map(|(q, c)| q * c).sum::<f64>();
        let alpha = if centre.square() > 0.0 { along / centre.square() } else { 0.0 };
        let across = tq_memory::collected(pairs().map(|(q, c)| (q - alpha * c) as f32))?;
        let across_square = across.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>();
        let signs = SignQuery::new(level, &across)?;
        let spread_of_exact = across_square / (dimension - 1.0).max(1.0);
        let (constant, common) = match metric {
            Metric::L2 => (pairs().map(|(q, c)| (q - c) * (q - c)).sum(), alpha - 1.0),
            _ => (along, alpha),
        };
        let rounding = common * centre.norm() * RHO_ERROR;
        let terms = BoundTerms {
            constant: constant as f32,
            common: common as f32,
            centre_norm: centre.norm() as f32,
            centre_square: centre.square() as f32,
            sum_scale: (f64::from(signs.scale()) / dimension.sqrt()) as f32,
            spread: (spread_of_exact + signs.squared_error() / dimension) as f32,
            spread_of_exact: spread_of_exact as f32,
            rounding: (rounding * rounding) as f32,
            epsilon: epsilon as f32,
            slack: SLACK,
        };
        let of = match metric {
            Metric::Cosine => BoundOf::Cosine,
            Metric::InnerProduct => BoundOf::InnerProduct,
            Metric::L2 | Metric::L1 => BoundOf::SquaredL2,
        };
        Ok(Self { number: centre.number(), level, signs, of, terms: usable.then_some(terms) })
    }

    /// The number of the centre.
    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    /// The key of each slot of a page's content, free ones too, into `room.keys`.
    pub(crate) fn keys(
        &self,
        layout: &RowLayout,
        content: &[u8],
        room: &mut KeyRoom,
    ) -> Result<(), IndexError> {
        let count = content.len() / layout.slot_bytes;
        room.keys.clear();
        room.keys.try_resize(count, f32::NEG_INFINITY)?;
        let Some(terms) = &self.terms else { return Ok(()) };
        room.sums.clear();
        room.sums.try_resize(count, 0)?;
        self.signs.sums(content, layout.slot_bytes, SLOT_HEAD, &mut room.sums);
        room.norms.clear();
        room.norms.try_room(count)?;
        room.ratios.clear();
        room.ratios.try_room(count)?;
        let mut least_kappa = u16::MAX;
        for (norm, ratios) in content.chunks_exact(layout.slot_bytes).map(slot::numbers) {
            room.norms.push(norm);
            room.ratios.push(ratios);
            least_kappa = least_kappa.min(ratios as u16);
        }
        tq_simd::sign_bounds(
            self.level,
            self.of,
            terms,
            &room.norms,
            &room.ratios,
            &room.sums,
            &mut room.keys,
        );
        if least_kappa == 0 {
            for (key, ratios) in room.keys.iter_mut().zip(&room.ratios) {
                match slot::unread(*ratios) {
                    None => (),
                    Some(Unread::First) => *key = f32::NEG_INFINITY,
                    Some(Unread::Last) => *key = f32::MAX,
                }
            }
        }
        Ok(())
    }
}

/// Room for the numbers of a page's slots.
#[derive(Default, Debug)]
pub(crate) struct KeyRoom {
    pub(crate) keys: Vec<f32>,
    norms: Vec<f32>,
    ratios: Vec<u32>,
    sums: Vec<i32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A key that was made of a distance stands for no more than it, however large.
    #[test]
    fn keys_are_lower_bounds() {
        for metric in [Metric::Cosine, Metric::InnerProduct, Metric::L2] {
            let keys = Keys::new(metric, 4.0);
            for distance in [0.0, 1e-30, 0.3, 1.0, 2.0, 1e10, 1e30, 1e300, f64::INFINITY] {
                let key = keys.key(distance);
                assert!(!key.is_nan() && keys.distance(key) <= distance, "{metric:?} {distance}: {key}");
            }
            assert_eq!(keys.key(f64::NAN), f32::MAX);
            assert_eq!(keys.key(f64::NEG_INFINITY), f32::NEG_INFINITY);
        }
    }
}
