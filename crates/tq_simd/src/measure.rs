//! What a row kernel sums, as a constant parameter, so that each kernel is written once.

/// `Σ q_i x_i`.
pub(crate) const DOT: u8 = 0;
/// `Σ q_i x_i` and `Σ x_i²`.
pub(crate) const DOT_AND_NORM: u8 = 1;
/// `Σ (q_i - x_i)²`.
pub(crate) const SQUARED_L2: u8 = 2;
/// `Σ |a_i - b_i|`, of two decoded vectors only.
pub(crate) const L1: u8 = 3;
