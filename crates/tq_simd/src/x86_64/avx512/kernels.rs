//! The kernels of AVX-512, by name.

use super::{counts, natural, planes, signs, strided};
use crate::kernels::{RowKernels, each_measure, with_and_without_residual};
use crate::lanes::{compiled_loops, kernels_over_lanes};
use crate::layout::{Line, Order, fill_table};
use crate::level::{has_bit_counts, has_byte_permutes};
use crate::scalar;
use crate::width::Width;
use std::arch::x86_64::{__m512, __m512d};

kernels_over_lanes! {
    features: "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c",
    floats: __m512,
    doubles: __m512d,
    rows: row_kernels,
    dequantize: dequantize,
    rotate_f32: rotate_f32,
    rotate_query: rotate_query,
    sign_sums: signs::sums,
}

compiled_loops! { "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c";
    rotate_f32(matrix: &[f32], x: &[f32], out: &mut [f32]) = lanes::encode::rotate::<__m512>;
    rotate_query(matrix: &[f32], x: &[f32], out: &mut [f32]) = lanes::query::rotate_by_8::<__m512>;
}

/// The kernels of rows of a width, as this processor can run them.
fn row_kernels(width: Width) -> Option<RowKernels> {
    Some(rows(width, has_byte_permutes(), has_bit_counts()))
}

/// The kernels of rows of a width, with or without the parts of AVX-512 that came later.
pub(crate) fn rows(width: Width, byte_permutes: bool, bit_counts: bool) -> RowKernels {
    let strided = Order { strided_lanes: Some(strided::LANES), byte_planes: false };
    let natural = Order { strided_lanes: None, byte_planes: false };
    let look_up = Order { strided_lanes: None, byte_planes: true };
    match width {
        Width::Two => RowKernels {
            order: strided,
            plain: if bit_counts {
                let [dot, _, squared_l2, centred] = each_measure!(strided, [2] []);
                [dot, counts::dot_and_norm, squared_l2, centred]
            } else {
                each_measure!(strided, [2] [])
            },
            with_residual: each_measure!(natural, [2, false][true]),
        },
        Width::Four => RowKernels {
            order: strided,
            plain: each_measure!(strided, [4] []),
            with_residual: each_measure!(natural, [4, false][true]),
        },
        Width::Eight if byte_permutes => with_and_without_residual!(look_up, planes, [8]),
        Width::TrellisTwo if byte_permutes => with_and_without_residual!(look_up, planes, [2]),
        Width::TrellisFour if byte_permutes => with_and_without_residual!(look_up, planes, [4]),
        Width::Eight => with_and_without_residual!(natural, natural, [8, false]),
        Width::TrellisTwo => with_and_without_residual!(natural, natural, [2, true]),
        Width::TrellisFour => with_and_without_residual!(natural, natural, [4, true]),
    }
}

/// Decodes one row.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c")]
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
