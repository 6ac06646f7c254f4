//! From a level to its kernels.

use crate::layout::{Layout, Order};
use crate::level::Level;
use crate::scalar;
use crate::width::Width;

/// The kernels of one level and width.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowKernels {
    pub(crate) order: Order,
}

impl RowKernels {
    /// The kernels of a level; `None` for the scalar definition, which has none of its own.
    pub(crate) fn of(_level: Level, _width: Width) -> Option<RowKernels> {
        None
    }

    pub(crate) fn dot(&self, _layout: &Layout, _codes: &[u8], _residual: Option<&[u8]>) -> (f64, f64) {
        (0.0, 0.0)
    }

    pub(crate) fn dot_and_norm(
        &self,
        _layout: &Layout,
        _codes: &[u8],
        _residual: Option<&[u8]>,
    ) -> (f64, f64) {
        (0.0, 0.0)
    }

    pub(crate) fn squared_l2(&self, _layout: &Layout, _codes: &[u8], _residual: Option<&[u8]>) -> (f64, f64) {
        (0.0, 0.0)
    }
}

pub(crate) fn dequantize(
    _level: Level,
    width: Width,
    codes: &[u8],
    residual: Option<&[u8]>,
    codebook: &[f32],
    out: &mut [f32],
) {
    scalar::rows::dequantize(width, codes, residual, codebook, out);
}

pub(crate) fn rotate(_level: Level, matrix: &[f64], x: &[f32], out: &mut [f32]) {
    scalar::dense::rotate(matrix, x, out);
}

pub(crate) fn add_rows(_level: Level, matrix: &[f64], y: &[f32], sums: &mut [f64]) {
    scalar::dense::add_rows(matrix, y, sums);
}

pub(crate) fn dot_f32(_level: Level, a: &[f32], b: &[f32]) -> f64 {
    scalar::dense::dot(a, b)
}

pub(crate) fn squared_l2_f32(_level: Level, a: &[f32], b: &[f32]) -> f64 {
    scalar::dense::squared_l2(a, b)
}

pub(crate) fn dot_and_norms_f32(_level: Level, a: &[f32], b: &[f32]) -> (f64, f64, f64) {
    scalar::dense::dot_and_norms(a, b)
}

pub(crate) fn l1_f32(_level: Level, a: &[f32], b: &[f32]) -> f64 {
    scalar::dense::l1(a, b)
}
