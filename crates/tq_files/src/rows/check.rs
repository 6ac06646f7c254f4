//! Numbers that vectors can't have, and where they stand.

use super::error::RowsError;
use super::real::Real;

/// Refuses rows with a number that isn't finite; the first of them is row `first`, counted from 0, of the whole.
pub(crate) fn check_finite<N: Real>(rows: &[N], dimension: u32, first: u64) -> Result<(), RowsError> {
    let Some(index) = first_not_finite(rows) else { return Ok(()) };
    let problem = if rows[index].is_nan() { "not a number" } else { "infinite" };
    Err(value_error(index, dimension, first, problem))
}

/// [`check_finite`] of numbers that were read from `f64`, or from others, which can't become infinite.
pub(crate) fn check_read<N: Real>(
    from_doubles: bool,
    rows: &[N],
    dimension: u32,
    first: u64,
) -> Result<(), RowsError> {
    check_finite(rows, dimension, first).map_err(|error| match error {
        RowsError::Value { row, column, problem: "infinite" } if from_doubles && !N::DOUBLE => {
            RowsError::Value { row, column, problem: "infinite in single precision" }
        }
        other => other,
    })
}

/// What is wrong with the number at `index` of rows, the first of which is row `first`, counted from 0, of the whole.
pub(crate) fn value_error(index: usize, dimension: u32, first: u64, problem: &'static str) -> RowsError {
    let (row, column) = (index as u64 / u64::from(dimension), index as u64 % u64::from(dimension));
    // Both are smaller than what they are counted in.
    RowsError::Value { row: first.saturating_add(row).saturating_add(1), column: column as u32 + 1, problem }
}

/// Rows in single precision, for what holds no other.
///
/// # Errors
/// [`RowsError::Value`] for a number that isn't finite, or not any more.
pub(crate) fn to_singles(rows: &[f64], dimension: u32, first: u64) -> Result<Vec<f32>, RowsError> {
    check_finite(rows, dimension, first)?;
    let singles: Vec<f32> = rows.iter().map(|number| *number as f32).collect();
    match first_not_finite(&singles) {
        None => Ok(singles),
        Some(index) => Err(value_error(index, dimension, first, TOO_LARGE_FOR_SINGLE)),
    }
}

/// What is wrong with a number that single precision can't hold.
pub(crate) const TOO_LARGE_FOR_SINGLE: &str = "too large for single precision";

/// Where the first number stands that is infinite or none.
pub(crate) fn first_not_finite<N: Real>(numbers: &[N]) -> Option<usize> {
    let step = numbers.chunks(256).position(|step| !N::all_finite(step))?;
    numbers[step * 256..].iter().position(|number| !number.is_finite()).map(|index| step * 256 + index)
}
