//! A query against rows of sign bits: the face that the rest of the workspace sees.

use crate::dispatch;
use crate::level::Level;
use crate::scalar;
use crate::slots::{DIMENSIONS_A_LINE, SignLayout, Slots};
use tq_memory::OutOfMemory;

/// A query, quantised once to eight bits, against many rows of one bit a dimension.
///
/// The first look at a row costs as little as can be: only the signs of its (rotated, centred) coordinates are read,
/// and the query's inner product with them estimates the one with the row, with a known error. This is the idea of
/// RaBitQ (J. Gao, C. Long: *RaBitQ: Quantizing High-Dimensional Vectors with a Theoretical Error Bound for
/// Approximate Nearest Neighbor Search*, SIGMOD 2024).
///
/// ```text
/// query: d × f32 ──new──▶ scale, k: d × i8         q_i ≈ scale · k_i,  scale = max |q_i| / 127
/// slots: n × ⌈d/8⌉ bytes of bits ──sums──▶ n × i32     Σ_i (bit_i ? k_i : -k_i) = 2 · Σ_{bit_i set} k_i - Σ_i k_i
/// ```
///
/// All of it is integers, so every level gives the very same sums.
///
/// Why eight bits and not four bit planes of the query, whose set bits are counted: at 384 and 1536 dimensions of a
/// normal query, quantising leaves an error of 0.007 and 0.008 of its norm with eight bits, 0.11 and 0.13 with four.
/// Beside the estimate's own error (0.76 times as large as the two norms' product over √d) the former is nothing, the
/// latter makes the bound 2 % wider, and with it the number of rows that pass larger. And it costs no time: with
/// AVX-512, in nanoseconds a row from the second-level cache,
///
/// ```text
/// dimensions   read   8 bits (no prefetch)   4 planes (VPOPCNTDQ, no prefetch)   8 bits without VNNI   AVX2   scalar
///        384    0.9      3.8 (3.3)              3.2                                 5.6                   6.4     160
///       1536    3.5     10.9 (9.9)              9.5                                19.3                  22.3     630
/// ```
#[derive(Clone, Debug)]
pub struct SignQuery {
    level: Level,
    layout: SignLayout,
    scale: f32,
    squared_error: f64,
}

/// Dimensions up to which no sum of any kernel leaves an `i32`.
const MOST_DIMENSIONS: usize = 1 << 20;

impl SignQuery {
    /// Prepares `query` (length d, rotated as the rows are). A level that isn't available falls back to
    /// [`Level::Scalar`].
    ///
    /// A query is expected to be finite: NaN counts as 0, and next to an infinite value all are 0.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    ///
    /// # Panics
    /// When `query` is empty or longer than 2²⁰.
    pub fn new(level: Level, query: &[f32]) -> Result<SignQuery, OutOfMemory> {
        assert!(!query.is_empty(), "the query is empty");
        assert!(query.len() <= MOST_DIMENSIONS, "the query is too long");
        let mut codes = tq_memory::filled(query.len().next_multiple_of(DIMENSIONS_A_LINE), 0)?;
        let scale = scalar::signs::quantize(query, &mut codes[..query.len()]);
        let error = |(value, code): (&f32, &i8)| f64::from(*value) - f64::from(scale) * f64::from(*code);
        let squared_error = query.iter().zip(&codes).map(error).map(|error| error * error).sum();
        let layout = SignLayout::new(query.len(), codes)?;
        Ok(SignQuery { level: level.or_scalar(), layout, scale, squared_error })
    }

    /// Length of the query, and the number of bits in a row.
    pub fn dimension(&self) -> usize {
        self.layout.dimension
    }

    /// Bytes of bits in a row: ⌈d/8⌉.
    pub fn row_bytes(&self) -> usize {
        self.dimension().div_ceil(8)
    }

    /// The level whose kernel runs, after the fallback of [`SignQuery::new`].
    pub fn level(&self) -> Level {
        self.level
    }

    /// What a sum is multiplied by to become an inner product: `Σ_i ±q_i ≈ scale · Σ_i ±k_i`.
    pub fn scale(&self) -> f32 {
        self.scale
    }

    /// What quantising lost, `Σ_i (q_i - scale · k_i)²`. By Cauchy-Schwarz, its root times √d bounds the error of
    /// `scale · sum`; signs that know nothing of it make an error whose standard deviation is the root itself.
    pub fn squared_error(&self) -> f64 {
        self.squared_error
    }

    /// Bytes of memory beside its own.
    pub fn memory_bytes(&self) -> usize {
        self.layout.memory_bytes()
    }

    /// `out[row] = Σ_i (bit_i ? k_i : -k_i)` for the first `out.len()` rows of `slots`.
    ///
    /// Row `r` has its bits, LSB first, in the [`SignQuery::row_bytes`] bytes from `slots[r · stride + offset]`. Bits
    /// of the last byte beyond the dimension are ignored, nothing needs any alignment, and nothing beyond the last
    /// row's bits is read. Many rows in one call cost less than one after another: the kernels work on several at
    /// once.
    ///
    /// # Panics
    /// When `slots` ends before the bits of the last row.
    pub fn sums(&self, slots: &[u8], stride: usize, offset: usize, out: &mut [i32]) {
        let slots = Slots { bytes: slots, stride, offset, len: self.row_bytes() };
        assert!(slots.hold(out.len()), "the slots end before the last row");
        dispatch::sign_sums(self.level, &self.layout, slots, out);
    }
}
