//! What a level has to have: the one list of kernels, and the table of them that each level fills in.

use crate::layout::{Layout, Order};
use crate::slots::{SignLayout, Slots};
use crate::terms::{BoundOf, BoundTerms};
use crate::width::Width;

/// Hands the list of kernels to a macro: their documentation, names, arguments and results.
macro_rules! every_kernel {
    ($macro:ident) => {
        $macro! {
            /// Decodes one row: see [`crate::dequantize`].
            dequantize(width: Width, codes: &[u8], residual: Option<&[u8]>, codebook: &[f32], out: &mut [f32]);
            /// See [`crate::rotate`]; `x` is not empty.
            rotate(matrix: &[f64], x: &[f32], out: &mut [f32]);
            /// See [`crate::rotate_query_polling`]; `x` is not empty.
            rotate_query(matrix: &[f32], x: &[f32], out: &mut [f32]);
            /// `sums[j] += Σ_i matrix[i][j] · y[i]`; `sums` is not empty.
            add_rows(matrix: &[f64], y: &[f32], sums: &mut [f64]);
            /// See [`crate::dot_f32`].
            dot(a: &[f32], b: &[f32]) -> f64;
            /// See [`crate::squared_l2_f32`].
            squared_l2(a: &[f32], b: &[f32]) -> f64;
            /// See [`crate::dot_and_norms_f32`].
            dot_and_norms(a: &[f32], b: &[f32]) -> (f64, f64, f64);
            /// See [`crate::l1_f32`].
            l1(a: &[f32], b: &[f32]) -> f64;
            /// See [`crate::rotate_f32_polling`]; `x` is not empty.
            rotate_f32(matrix: &[f32], x: &[f32], out: &mut [f32]);
            /// See [`crate::quantize`].
            quantize(thresholds: &[f32], values: &[f32], codes: &mut [u8]);
            /// See [`crate::quantize_within`].
            quantize_within(thresholds: &[f32], values: &[f32], margin: f32, low: &mut [u8], high: &mut [u8]);
            /// See [`crate::scalar::trellis::round`].
            trellis_round(inverse: f32, shift: f32, largest: f32, values: &[f32], grid: &mut [i16]);
            /// See [`crate::lanes::trellis::rows`].
            trellis_rows(
                bits: u32, table: &[f32; 256], dimension: usize, grid: &[i16], survivors: &mut [[u32; 16]],
                codes: &mut [u8]
            );
            /// See [`crate::lanes::trellis::row`].
            trellis_row(
                bits: u32, table: &[f32; 256], grid: &[i16], survivors: &mut [u8], codes: &mut [u8]
            );
            /// See [`hadamard`](fn@crate::hadamard); `x` is not empty.
            hadamard(signs: &[u32], x: &mut [f32]);
            /// See [`crate::hadamard_inverse`]; `x` is not empty.
            hadamard_inverse(signs: &[u32], x: &mut [f32]);
            /// See [`crate::SignQuery::sums`]; the slots hold `out.len()` rows of the query's length.
            sign_sums(query: &SignLayout, slots: Slots<'_>, out: &mut [i32]);
            /// See [`crate::sign_bounds`]; the slices have one length.
            sign_bounds(
                of: BoundOf, terms: &BoundTerms, norms: &[f32], ratios: &[u32], sums: &[i32], out: &mut [f32]
            );
        }
    };
}

macro_rules! table {
    ($(
        $(#[$documentation:meta])*
        $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;
    )*) => {
        /// The kernels of one level: safe functions but for the features that they need.
        pub(crate) struct Kernels {
            /// The kernels of rows of a width; the scalar definition has none of its own.
            pub(crate) rows: fn(Width) -> Option<RowKernels>,
            $(
                $(#[$documentation])*
                pub(crate) $name: unsafe fn($($type),*) $(-> $result)?,
            )*
        }
    };
}

every_kernel!(table);

/// Sums one row: `(layout, codes, residual)`, the residual empty for kernels without.
pub(crate) type RowKernel = unsafe fn(&Layout, &[u8], &[u8]) -> (f64, f64);

/// The kernels of one level and width, in the order of [`crate::measure`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowKernels {
    /// What the kernels expect of a layout.
    pub(crate) order: Order,
    /// For rows without a residual.
    pub(crate) plain: [RowKernel; 4],
    /// For rows with one.
    pub(crate) with_residual: [RowKernel; 4],
}

/// The `row` kernel of a module for each measure of a row, between its other constant parameters.
#[allow(unused_macros)]
macro_rules! each_measure {
    ($module:ident, [$($before:expr),*] [$($after:expr),*]) => {
        [
            $module::row::<$({ $before },)* { $crate::measure::DOT } $(, { $after })*>,
            $module::row::<$({ $before },)* { $crate::measure::DOT_AND_NORM } $(, { $after })*>,
            $module::row::<$({ $before },)* { $crate::measure::SQUARED_L2 } $(, { $after })*>,
            $module::row::<$({ $before },)* { $crate::measure::DOT_AND_CENTRED_NORM } $(, { $after })*>,
        ]
    };
}
/// The kernels of a module that come without and with a residual, between their other constant parameters, in that order of a layout.
#[allow(unused_macros)]
macro_rules! with_and_without_residual {
    ($order:expr, $module:ident, [$($before:expr),*]) => {
        $crate::kernels::RowKernels {
            order: $order,
            plain: $crate::kernels::each_measure!($module, [$($before),*] [false]),
            with_residual: $crate::kernels::each_measure!($module, [$($before),*] [true]),
        }
    };
}
pub(crate) use every_kernel;
#[allow(unused_imports)]
pub(crate) use {each_measure, with_and_without_residual};
