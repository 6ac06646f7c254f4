//! Norms that the built-in codec takes.

use tq_format::BitWidth;

/// How far a norm may be from 1 of what records of other codecs decode to: TinyQuant's codebooks of two bits make 0.42 of 1.
pub(crate) const FOREIGN_TOLERANCE: f64 = 0.7;

/// How far a norm may be from 1 in the few dimensions in which records decode to any norm that two bits allow: their entries are
/// 0.45 and 1.51 / √*d*.
const WIDEST_TOLERANCE: f64 = 0.55;

/// How far the norm of a vector may be from 1 under the built-in codec without residual.
///
/// The rule is there for data of another length: a tenth is theirs. The rest is for vectors that were decoded from a record, which
/// are to be compressed again. Those of the coarsest records, of two bits, have norms about 0.94 with a standard deviation of
/// 0.27 / √*d*. At the edge, a fifth at 384 dimensions, the squared error is a fifth greater than at 1.
pub(crate) fn norm_tolerance(dimension: u32) -> f64 {
    (0.1 + 2.0 / f64::from(dimension).sqrt()).min(WIDEST_TOLERANCE)
}

/// The least norm under the built-in codec with residual. What half precision rounds off the distance to the entry nearest to zero,
/// 0.45, 0.13 or 0.01 / √*d* at 2, 4 or 8 bits, is then a tenth of the vector.
pub(crate) const fn least_norm(width: BitWidth) -> f64 {
    match width {
        BitWidth::Two => 1e-3,
        BitWidth::Four => 3e-4,
        BitWidth::Eight => 3e-5,
    }
}
