//! The definition of every result, in plain code with `f64` sums; the kernels of the other levels are tested against it.

pub(crate) mod dense;
pub(crate) mod rows;
