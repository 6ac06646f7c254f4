//! What a row kernel sums, as a constant parameter, so that each kernel is written once.

/// `Σ q_i x_i`.
pub(crate) const DOT: u8 = 0;
/// `Σ q_i x_i` and `Σ x_i²`.
pub(crate) const DOT_AND_NORM: u8 = 1;
/// `Σ (q_i - x_i)²`.
pub(crate) const SQUARED_L2: u8 = 2;
/// `Σ q_i x_i` and `Σ (x_i + m_i)²`, for a centre *m*.
pub(crate) const DOT_AND_CENTRED_NORM: u8 = 3;
/// `Σ |a_i - b_i|`, of two decoded vectors only.
pub(crate) const L1: u8 = 4;

/// Whether a kernel of that measure sums squares beside products.
pub(crate) const fn has_squares(measure: u8) -> bool {
    measure == DOT_AND_NORM || measure == DOT_AND_CENTRED_NORM
}
