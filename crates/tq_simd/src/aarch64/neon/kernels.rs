//! The kernels of Advanced SIMD, by name.

use super::{natural, signs, strided};
use crate::kernels::{RowKernels, each_measure, with_and_without_residual};
use crate::lanes::{LANES, compiled_loops, kernels_over_lanes};
use crate::layout::{Line, Order, fill_table};
use crate::scalar;
use crate::width::Width;
use std::arch::aarch64::float64x2_t;

kernels_over_lanes! {
    features: "neon",
    floats: [f32; LANES],
    doubles: float64x2_t,
    rows: row_kernels,
    dequantize: dequantize,
    // Products and sums are rounded apart here, as everywhere that plain loops run.
    rotate_f32: scalar::encode::rotate,
    rotate_query: rotate_query,
    sign_sums: signs::sums,
}

compiled_loops! { "neon";
    rotate_query(matrix: &[f32], x: &[f32], out: &mut [f32]) = lanes::dense::rotate::<float64x2_t, f32, _>;
}

/// The kernels of rows of a width.
fn row_kernels(width: Width) -> Option<RowKernels> {
    let strided = Order { strided_lanes: Some(strided::LANES), byte_planes: false };
    let natural = Order { strided_lanes: None, byte_planes: false };
    Some(match width {
        Width::Two => RowKernels {
            order: strided,
            plain: each_measure!(strided, [2] []),
            with_residual: each_measure!(natural, [2, false][true]),
        },
        Width::Four => RowKernels {
            order: strided,
            plain: each_measure!(strided, [4] []),
            with_residual: each_measure!(natural, [4, false][true]),
        },
        Width::Eight => with_and_without_residual!(natural, natural, [8, false]),
        Width::TrellisTwo => with_and_without_residual!(natural, natural, [2, true]),
        Width::TrellisFour => with_and_without_residual!(natural, natural, [4, true]),
    })
}

/// Decodes one row.
#[target_feature(enable = "neon")]
fn dequantize(width: Width, codes: &[u8], residual: Option<&[u8]>, codebook: &[f32], out: &mut [f32]) {
    if width.is_trellis() {
        return scalar::rows::dequantize(width, codes, residual, codebook, out);
    }
    let mut lines = [Line([0.0; 16]); 16];
    let table = fill_table(&mut lines, codebook);
    match (width, residual) {
        (Width::Two, None) => natural::dequantize::<2, false>(table, codes, &[], out),
        (Width::Two, Some(residual)) => natural::dequantize::<2, true>(table, codes, residual, out),
        (Width::Four, None) => natural::dequantize::<4, false>(table, codes, &[], out),
        (Width::Four, Some(residual)) => natural::dequantize::<4, true>(table, codes, residual, out),
        (_, None) => natural::dequantize::<8, false>(table, codes, &[], out),
        (_, Some(residual)) => natural::dequantize::<8, true>(table, codes, residual, out),
    }
}
