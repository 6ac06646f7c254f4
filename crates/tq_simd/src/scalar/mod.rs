//! The definition of every result, in plain code with `f64` sums where sums are long; the kernels of the other levels are tested
//! against it.

pub(crate) mod bounds;
pub(crate) mod dense;
pub(crate) mod encode;
pub(crate) mod hadamard;
pub(crate) mod rows;
pub(crate) mod signs;
pub(crate) mod trellis;

use crate::kernels::{Kernels, RowKernels};
use crate::lanes::trellis::{plain_row, plain_rows};
use crate::width::Width;

/// The kernels of this level.
pub(crate) static KERNELS: Kernels = Kernels {
    rows: row_kernels,
    dequantize: rows::dequantize,
    rotate: dense::rotate,
    rotate_query: dense::rotate,
    add_rows: dense::add_rows,
    dot: dense::dot,
    squared_l2: dense::squared_l2,
    dot_and_norms: dense::dot_and_norms,
    l1: dense::l1,
    rotate_f32: encode::rotate,
    quantize: encode::quantize,
    quantize_within: encode::quantize_within,
    trellis_round: trellis::round,
    trellis_rows: plain_rows,
    trellis_row: plain_row,
    hadamard: hadamard::hadamard,
    hadamard_inverse: hadamard::hadamard_inverse,
    sign_sums: signs::sums,
    sign_bounds: bounds::sign_bounds,
};

/// None: a scan falls back to [`rows`] by itself, whatever its level.
fn row_kernels(_: Width) -> Option<RowKernels> {
    None
}
