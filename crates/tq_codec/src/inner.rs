//! Inner products of many vectors with many others, in single precision.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use tq_memory::OutOfMemory;

use crate::room;

/// `out[i · m + j] = <rows[i], points[j]>`, of `m` points and any number of rows, all of `dimension` coordinates one after another. On the
/// caller's thread; sums are in `f32`, in any order.
///
/// # Errors
/// [`OutOfMemory`].
///
/// # Panics
/// If `out` doesn't have a number for each pair.
pub fn inner_products(
    rows: &[f32],
    points: &[f32],
    dimension: usize,
    out: &mut [f32],
) -> Result<(), OutOfMemory> {
    let (n, m) = (rows.len() / dimension.max(1), points.len() / dimension.max(1));
    assert_eq!(out.len(), n * m, "a number for each pair");
    let _room = room::for_products(m, n, dimension)?;
    let points = MatRef::from_row_major_slice(points, m, dimension);
    let rows = MatRef::from_column_major_slice(rows, dimension, n);
    matmul(MatMut::from_column_major_slice_mut(out, m, n), Accum::Replace, points, rows, 1.0, Par::Seq);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn products_by_hand() {
        let rows = [1.0, 2.0, 3.0, -1.0, 0.0, 0.5];
        let points = [1.0, 0.0, 0.0, 0.0, 1.0, 1.0, 2.0, 2.0, 2.0, 0.0, 0.0, 0.0];
        let mut out = [f32::NAN; 8];
        inner_products(&rows, &points, 3, &mut out).unwrap();
        assert_eq!(out, [1.0, 5.0, 12.0, 0.0, -1.0, 0.5, -1.0, 0.0]);
        inner_products(&[], &points, 3, &mut []).unwrap();
    }
}
