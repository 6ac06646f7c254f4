//! What bounds of rows are made with beside the rows' own numbers.

/// What a bound is of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BoundOf {
    /// Minus the cosine, of a query of unit length.
    Cosine,
    /// Minus the inner product.
    InnerProduct,
    /// The squared Euclidean distance.
    SquaredL2,
}

/// What all rows of one centre have in common in a bound.
///
/// With a row's rest *r* from the centre *c*, κ the cosine between *r* and its signs, ρ that between *r* and *c*, and `sum` the small
/// integers of [`crate::SignQuery::sums`],
///
/// ```text
/// in common   m = ρ · centre_norm · |r|                                          <c, r>
/// rest        e = |r| (sum_scale · sum / κ + epsilon · sqrt(spread/κ² - spread_of_exact + rounding))
/// best        b = common · m + e
/// Cosine          -(constant + b) / sqrt(centre_square + 2m + |r|²) - slack
/// InnerProduct    -(constant + b) - slack · (|constant| + |b|)
/// SquaredL2       constant + |r|² - 2b - slack · (constant + |r|²)
/// ```
///
/// The numbers come from the query and the centre; what they mean is for the caller to say.
#[derive(Clone, Copy, Debug)]
pub struct BoundTerms {
    /// What doesn't depend on the row.
    pub constant: f32,
    /// By what the part along the centre counts.
    pub common: f32,
    /// |c|.
    pub centre_norm: f32,
    /// |c|².
    pub centre_square: f32,
    /// By what the sums count.
    pub sum_scale: f32,
    /// The variance's part that grows with 1/κ².
    pub spread: f32,
    /// What is taken from it: a row whose signs say everything has no variance.
    pub spread_of_exact: f32,
    /// The variance that rounding ρ adds.
    pub rounding: f32,
    /// Standard deviations that a bound lies below the estimate.
    pub epsilon: f32,
    /// What rounding in `f32` may take, of the numbers that a bound is summed from.
    pub slack: f32,
}
