//! The kernels of AVX2, by name.

use super::{natural, planes, signs, strided};
use crate::kernels::{RowKernels, each_measure, with_and_without_residual};
use crate::lanes::{compiled_loops, kernels_over_lanes};
use crate::layout::{Line, Order, fill_table};
use crate::scalar;
use crate::width::Width;
use std::arch::x86_64::{__m256, __m256d};

kernels_over_lanes! {
    features: "avx2,fma,f16c",
    floats: [__m256; 2],
    doubles: __m256d,
    rows: row_kernels,
    dequantize: dequantize,
    rotate_f32: rotate_f32,
    rotate_query: rotate_query,
    sign_sums: signs::sums,
}

compiled_loops! { "avx2,fma,f16c";
    rotate_f32(matrix: &[f32], x: &[f32], out: &mut [f32]) = lanes::encode::rotate::<[__m256; 2]>;
    rotate_query(matrix: &[f32], x: &[f32], out: &mut [f32]) = lanes::query::rotate_by_4::<[__m256; 2]>;
}

/// The kernels of rows of a width.
fn row_kernels(width: Width) -> Option<RowKernels> {
    let natural = Order { strided_lanes: None, byte_planes: false };
    Some(match width {
        Width::Two => RowKernels {
            order: Order { strided_lanes: Some(strided::LANES), byte_planes: false },
            plain: each_measure!(strided, [][]),
            with_residual: each_measure!(natural, [2, false][true]),
        },
        Width::Four => RowKernels {
            order: Order { strided_lanes: Some(planes::LANES), byte_planes: true },
            plain: each_measure!(planes, [][]),
            with_residual: each_measure!(natural, [4, false][true]),
        },
        Width::Eight => with_and_without_residual!(natural, natural, [8, false]),
        Width::TrellisTwo => with_and_without_residual!(natural, natural, [2, true]),
        Width::TrellisFour => with_and_without_residual!(natural, natural, [4, true]),
    })
}

/// Decodes one row.
#[target_feature(enable = "avx2,fma,f16c")]
fn dequantize(width: Width, codes: &[u8], residual: Option<&[u8]>, codebook: &[f32], out: &mut [f32]) {
    if width == Width::Eight || width.is_trellis() {
        // Gathers beside stores are slower than one plain look-up after another.
        scalar::rows::dequantize(width, codes, None, codebook, out);
        if let Some(residual) = residual {
            natural::add_residual(residual, out);
        }
        return;
    }
    let mut line = [Line([0.0; 16])];
    let table = fill_table(&mut line, codebook);
    match (width, residual) {
        (Width::Two, None) => natural::dequantize::<2, false>(table, codes, &[], out),
        (Width::Two, Some(residual)) => natural::dequantize::<2, true>(table, codes, residual, out),
        (_, None) => natural::dequantize::<4, false>(table, codes, &[], out),
        (_, Some(residual)) => natural::dequantize::<4, true>(table, codes, residual, out),
    }
}
