//! Drawing the Haar matrix from a seed: random stream, normal variables, orthogonalisation, signs.
//!
//! ```text
//! seed ─ChaCha20─▶ u64 ─▶ uniform ─Box-Muller─▶ A (row by row) ─QR─▶ Q·sign(diag R)
//! ```
//!
//! The QR decomposition with a positive diagonal of R is unique, so Q is a function of the seed alone, up to
//! rounding, whoever computes it. The stream is not forgiving: the generator, the order of the draws and the
//! functions of `libm` (the platform's differ in the last bit) are part of the definition.

use faer::dyn_stack::{MemBuffer, MemStack, StackReq};
use faer::linalg::{householder, qr::no_pivoting::factor};
use faer::{Conj, MatMut, MatRef, Par};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use std::f64::consts::PI;
use tq_memory::OutOfMemory;

use crate::room;

/// Columns of a panel, and of one that has so many rows that another number would take too long between two polls.
const PANEL: usize = 256;
const HIGH_PANEL: usize = 128;
const HIGH: usize = 4096;
/// The floating-point operations of a step between two polls: a few ten milliseconds.
const STEP: usize = 1_000_000_000;
/// Values that are drawn, or only written, between two polls.
const POLLED_DRAWS: usize = 1 << 17;
const POLLED_WRITES: usize = 1 << 20;

/// Standard normal variables from a seed.
struct Normals {
    stream: ChaCha20Rng,
    second: Option<f64>,
}

impl Normals {
    fn new(seed: u64) -> Self {
        Self { stream: ChaCha20Rng::seed_from_u64(seed), second: None }
    }

    /// Uniform in [0, 1), with 53 bits.
    fn uniform(&mut self) -> f64 {
        const ULP: f64 = 1.0 / (1u64 << 53) as f64;
        (self.stream.next_u64() >> 11) as f64 * ULP
    }

    /// The next variable. Box-Muller makes two at a time; the second waits for the next call.
    fn next(&mut self) -> f64 {
        if let Some(value) = self.second.take() {
            return value;
        }
        let (mut u1, mut u2) = (self.uniform(), self.uniform());
        while u1 <= 0.0 {
            (u1, u2) = (self.uniform(), self.uniform());
        }
        let radius = libm::sqrt(-2.0 * libm::log(u1));
        let angle = 2.0 * PI * u2;
        self.second = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }
}

/// The `d` × `d` Haar matrix of `seed`, row-major; see [`orthogonal`].
pub(crate) fn matrix(seed: u64, d: usize, poll: &mut dyn FnMut()) -> Result<Vec<f64>, OutOfMemory> {
    let mut normals = Normals::new(seed);
    orthogonal(d, &mut || normals.next(), poll)
}

/// The orthogonal factor of a matrix of `d` × `d` normal variables, drawn row by row, with the signs of R's diagonal in it.
/// Two matrices are alive at the worst moment.
///
/// `poll` is called between steps of some ten milliseconds, and may unwind.
pub(crate) fn orthogonal(
    d: usize,
    normal: &mut dyn FnMut() -> f64,
    poll: &mut dyn FnMut(),
) -> Result<Vec<f64>, OutOfMemory> {
    if d == 0 {
        return Ok(Vec::new());
    }
    let _room = room::for_products(d, d, d)?;
    // The factorisation wants columns together; the stream fills rows.
    let mut factors = zeros(d, poll)?;
    for i in 0..d {
        for j in 0..d {
            factors[j * d + i] = normal();
        }
        if i % (POLLED_DRAWS / d).max(1) == 0 {
            poll();
        }
    }
    let mut a = MatMut::from_column_major_slice_mut(&mut factors, d, d);

    // Afterwards the upper triangle is R, and what is below defines the reflections whose product is Q. They are made
    // a panel of columns at a time, and each panel's are applied to the columns on its right.
    let panel_width = if d > HIGH { HIGH_PANEL } else { PANEL };
    let panels = || (0..d).step_by(panel_width);
    let mut reflections = tq_memory::with_capacity(panels().len())?;
    for start in panels() {
        let width = panel_width.min(d - start);
        let below = a.as_mut().submatrix_mut(start, start, d - start, d - start);
        let (mut panel, mut right) = below.split_at_col_mut(width);
        let block = factor::recommended_block_size::<f64>(d - start, width);
        let mut coefficients = tq_memory::filled(block * width, 0.0)?;
        let scratch =
            factor::qr_in_place_scratch::<f64>(d - start, width, block, Par::Seq, Default::default());
        factor::qr_in_place(
            panel.as_mut(),
            MatMut::from_column_major_slice_mut(&mut coefficients, block, width),
            Par::Seq,
            MemStack::new(&mut buffer(scratch)?),
            Default::default(),
        );
        poll();
        let of_panel = MatRef::from_column_major_slice(&coefficients, block, width);
        reflect(panel.as_ref(), of_panel, right.as_mut(), poll)?;
        reflections.push(coefficients);
    }

    // Columns of Qᵀ are rows of Q: applying the transposed product to the identity, stored by columns, leaves
    // Q in row-major order without another copy.
    let mut q = zeros(d, poll)?;
    for i in 0..d {
        q[i * d + i] = 1.0;
    }
    for (start, coefficients) in panels().zip(&reflections) {
        let width = panel_width.min(d - start);
        let panel = a.as_ref().submatrix(start, start, d - start, width);
        let rows = MatMut::from_column_major_slice_mut(&mut q, d, d).subrows_mut(start, d - start);
        let coefficients = MatRef::from_column_major_slice(coefficients, coefficients.len() / width, width);
        reflect(panel, coefficients, rows, poll)?;
    }

    let signs = tq_memory::collected((0..d).map(|j| if a[(j, j)] >= 0.0 { 1.0 } else { -1.0 }))?;
    drop(factors);
    for rows in q.chunks_mut(POLLED_WRITES.div_ceil(d) * d) {
        poll();
        for row in rows.chunks_exact_mut(d) {
            for (value, sign) in row.iter_mut().zip(&signs) {
                *value *= sign;
            }
        }
    }
    Ok(q)
}

/// Applies a panel's reflections, transposed, to `to`: some columns at a time, so that `poll` gets its turn.
fn reflect(
    panel: MatRef<'_, f64>,
    coefficients: MatRef<'_, f64>,
    mut to: MatMut<'_, f64>,
    poll: &mut dyn FnMut(),
) -> Result<(), OutOfMemory> {
    let (rows, reflections, block) = (panel.nrows(), panel.ncols(), coefficients.nrows());
    let columns = (STEP / (4 * rows * reflections)).max(32);
    for start in (0..to.ncols()).step_by(columns) {
        let width = columns.min(to.ncols() - start);
        let scratch = householder::apply_block_householder_sequence_transpose_on_the_left_in_place_scratch::<
            f64,
        >(rows, block, width);
        householder::apply_block_householder_sequence_transpose_on_the_left_in_place_with_conj(
            panel,
            coefficients,
            Conj::No,
            to.as_mut().subcols_mut(start, width),
            Par::Seq,
            MemStack::new(&mut buffer(scratch)?),
        );
        poll();
    }
    Ok(())
}

fn zeros(d: usize, poll: &mut dyn FnMut()) -> Result<Vec<f64>, OutOfMemory> {
    let mut values = tq_memory::with_capacity(d.saturating_mul(d))?;
    while values.len() < d * d {
        poll();
        values.resize((d * d).min(values.len() + POLLED_WRITES), 0.0);
    }
    Ok(values)
}

/// What the library works in.
fn buffer(size: StackReq) -> Result<MemBuffer, OutOfMemory> {
    MemBuffer::try_new(size).map_err(|_| OutOfMemory { bytes: size.size_bytes() })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The words that the reference draws first from seed 42.
    #[test]
    fn stream_of_seed_42() {
        let mut stream = ChaCha20Rng::seed_from_u64(42);
        let words: [u64; 4] = std::array::from_fn(|_| stream.next_u64());
        assert_eq!(
            words,
            [0x8398_bc11_d7b5_4878, 0x6902_c9f9_a317_6399, 0x190a_545d_0071_67d5, 0x2adb_d0e8_c939_4918]
        );
    }

    #[test]
    fn normals_have_the_right_moments() {
        let mut normals = Normals::new(1);
        let n = 200_000;
        let (mut mean, mut square) = (0.0, 0.0);
        for _ in 0..n {
            let x = normals.next();
            mean += x / n as f64;
            square += x * x / n as f64;
        }
        assert!(mean.abs() < 0.01, "mean {mean}");
        assert!((square - 1.0).abs() < 0.02, "variance {square}");
    }
}
