//! Dense float work, as the rest of the workspace sees it: rotations, and distances between two decoded vectors.

use crate::dispatch;
use crate::level::Level;

/// Values of a matrix that are read between two polls: 8 or 16 MB, a few milliseconds.
const VALUES_BETWEEN_POLLS: usize = 1 << 21;

/// Rows of so many columns between two polls: a multiple of the rows that a kernel takes together, so that sums are as they are in one piece.
fn rows_between_polls(columns: usize) -> usize {
    (VALUES_BETWEEN_POLLS / columns / 64).max(1) * 64
}

/// A dense matrix times a vector: `out[i] = f32(Σ_j matrix[i][j] · x[j])`, with `matrix` row-major, `out.len()` rows of `x.len()`
/// columns. Sums are in `f64` and rounded once; their order depends on the level.
///
/// # Panics
/// When `matrix.len() != out.len() · x.len()`.
pub fn rotate(level: Level, matrix: &[f64], x: &[f32], out: &mut [f32]) {
    assert_eq!(Some(matrix.len()), out.len().checked_mul(x.len()), "the matrix does not match the vectors");
    if x.is_empty() {
        out.fill(0.0);
        return;
    }
    dispatch::rotate(level, matrix, x, out);
}

/// [`rotate`] with `poll` called every few milliseconds; it may unwind.
///
/// # Panics
/// As [`rotate`].
pub fn rotate_polling(level: Level, matrix: &[f64], x: &[f32], out: &mut [f32], poll: &mut dyn FnMut()) {
    in_pieces(matrix, x, out, poll, |matrix, out| rotate(level, matrix, x, out));
}

/// A dense matrix in `f32` times a query: `out[i] ≈ Σ_j matrix[i][j] · x[j]`, of which at most four products are added in `f32`, and
/// what that gives in `f64`. Half as many bytes are read as for [`rotate`], and no product is widened by itself; at most six
/// roundings to `f32` lie between a product and the result, whatever the dimension, where one is the result's own. Norms must be
/// such that products keep clear of the ends of `f32`'s range. `poll` is called every few milliseconds; it may unwind.
///
/// # Panics
/// As [`rotate`].
pub fn rotate_query_polling(
    level: Level,
    matrix: &[f32],
    x: &[f32],
    out: &mut [f32],
    poll: &mut dyn FnMut(),
) {
    assert_eq!(Some(matrix.len()), out.len().checked_mul(x.len()), "the matrix does not match the vectors");
    if x.is_empty() {
        out.fill(0.0);
        return;
    }
    in_pieces(matrix, x, out, poll, |matrix, out| dispatch::rotate_query(level, matrix, x, out));
}

/// A matrix times `x` by `multiply`, some rows at a time, with `poll` between them.
pub(crate) fn in_pieces<T>(
    matrix: &[T],
    x: &[f32],
    out: &mut [f32],
    poll: &mut dyn FnMut(),
    multiply: impl Fn(&[T], &mut [f32]),
) {
    let rows = rows_between_polls(x.len().max(1));
    if out.len() <= rows {
        return multiply(matrix, out);
    }
    assert_eq!(Some(matrix.len()), out.len().checked_mul(x.len()), "the matrix does not match the vectors");
    for (number, (matrix, out)) in
        matrix.chunks((rows * x.len()).max(1)).zip(out.chunks_mut(rows)).enumerate()
    {
        if number > 0 {
            poll();
        }
        multiply(matrix, out);
    }
}

/// The transpose of a dense matrix times a vector: `out[j] = f32(Σ_i matrix[i][j] · y[i])`, with `matrix` row-major,
/// `y.len()` rows of `out.len()` columns. The matrix is read once, row by row, into `f64` sums that are rounded once. `poll` is
/// called every few milliseconds; it may unwind.
///
/// # Panics
/// When `matrix.len() != y.len() · out.len()`.
pub fn rotate_transposed_polling(
    level: Level,
    matrix: &[f64],
    y: &[f32],
    out: &mut [f32],
    poll: &mut dyn FnMut(),
) {
    assert_eq!(Some(matrix.len()), y.len().checked_mul(out.len()), "the matrix does not match the vectors");
    if out.is_empty() {
        return;
    }
    // The sums are on the stack, so that there is nothing that can fail.
    match out.len() {
        ..=2048 => rotate_transposed_in::<2048>(level, matrix, y, out, poll),
        _ => rotate_transposed_in::<16384>(level, matrix, y, out, poll),
    }
}

/// With room for so many sums.
#[inline(never)]
fn rotate_transposed_in<const ROOM: usize>(
    level: Level,
    matrix: &[f64],
    y: &[f32],
    out: &mut [f32],
    poll: &mut dyn FnMut(),
) {
    let columns = out.len();
    let mut room = [0.0; ROOM];
    for (number, out) in out.chunks_mut(ROOM).enumerate() {
        let sums = &mut room[..out.len()];
        sums.fill(0.0);
        if sums.len() == columns {
            let rows = rows_between_polls(columns);
            for (number, (matrix, y)) in matrix.chunks(rows * columns).zip(y.chunks(rows)).enumerate() {
                if number > 0 {
                    poll();
                }
                dispatch::add_rows(level, matrix, y, sums);
            }
        } else {
            // Longer than any vector of ours: a part of one row after the other.
            for (row, y) in matrix.chunks_exact(columns).zip(y.chunks_exact(1)) {
                dispatch::add_rows(level, &row[number * ROOM..][..sums.len()], y, sums);
            }
        }
        for (out, sum) in out.iter_mut().zip(sums) {
            *out = *sum as f32;
        }
    }
}

/// `Σ a_i b_i` in `f64`.
///
/// # Panics
/// When the lengths differ; so do the other functions of two vectors.
pub fn dot_f32(level: Level, a: &[f32], b: &[f32]) -> f64 {
    check_pair(a, b);
    dispatch::dot(level, a, b)
}

/// `Σ (a_i - b_i)²` in `f64`.
///
/// # Panics
/// When the lengths differ.
pub fn squared_l2_f32(level: Level, a: &[f32], b: &[f32]) -> f64 {
    check_pair(a, b);
    dispatch::squared_l2(level, a, b)
}

/// `(Σ a_i b_i, Σ a_i², Σ b_i²)` in `f64`, in one pass.
///
/// # Panics
/// When the lengths differ.
pub fn dot_and_norms_f32(level: Level, a: &[f32], b: &[f32]) -> (f64, f64, f64) {
    check_pair(a, b);
    dispatch::dot_and_norms(level, a, b)
}

/// `Σ |a_i - b_i|` in `f64`.
///
/// # Panics
/// When the lengths differ.
pub fn l1_f32(level: Level, a: &[f32], b: &[f32]) -> f64 {
    check_pair(a, b);
    dispatch::l1(level, a, b)
}

fn check_pair(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len(), "the vectors differ in length");
}
