//! Dense float work: a rotation matrix times a vector, and distances between two decoded vectors.

/// `out[i] = f32(Σ_j matrix[i][j] · x[j])`, with `matrix` row-major, `out.len()` rows of `x.len()`.
pub(crate) fn rotate<T: Copy + Into<f64>>(matrix: &[T], x: &[f32], out: &mut [f32]) {
    for (row, y) in matrix.chunks_exact(x.len()).zip(out) {
        *y = row.iter().zip(x).map(|(m, x)| (*m).into() * f64::from(*x)).sum::<f64>() as f32;
    }
}

/// `sums[j] += Σ_i matrix[i][j] · y[i]`, with `matrix` row-major, `y.len()` rows of `sums.len()`.
pub(crate) fn add_rows(matrix: &[f64], y: &[f32], sums: &mut [f64]) {
    for (row, y) in matrix.chunks_exact(sums.len()).zip(y) {
        for (sum, m) in sums.iter_mut().zip(row) {
            *sum += m * f64::from(*y);
        }
    }
}

/// `Σ a_i b_i`.
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
}

/// `Σ (a_i - b_i)²`.
pub(crate) fn squared_l2(a: &[f32], b: &[f32]) -> f64 {
    let square = |difference: f64| difference * difference;
    a.iter().zip(b).map(|(a, b)| square(f64::from(*a) - f64::from(*b))).sum()
}

/// `(Σ a_i b_i, Σ a_i², Σ b_i²)`.
pub(crate) fn dot_and_norms(a: &[f32], b: &[f32]) -> (f64, f64, f64) {
    (dot(a, b), dot(a, a), dot(b, b))
}

/// `Σ |a_i - b_i|`.
pub(crate) fn l1(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).abs()).sum()
}
