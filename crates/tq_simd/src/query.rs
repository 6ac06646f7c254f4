//! The query of a scan, and the decoding of single rows: the face that the rest of the workspace sees.

use crate::dispatch;
use crate::kernels::RowKernels;
use crate::layout::Layout;
use crate::level::Level;
use crate::scalar;
use crate::width::Width;
use tq_memory::OutOfMemory;

/// A query against rows of one codec, laid out once in the order in which the level's kernel eats codes.
///
/// Each method takes one row: `codes` of exactly `width.packed_len(d)` bytes and, when the codec keeps residuals, `2·d`
/// bytes of little-endian binary16; neither needs any alignment, and the unused high bits of the last code byte are
/// ignored. They allocate nothing, and panic when a length is wrong, which a validated record excludes.
///
/// The kernels sum in `f32`, and agree with the scalar definition within 1e-5 of `|q||x|` for inner products, of `Σ x²`
/// for norms, and of the distance itself for L2. Results that `f32` can't carry (below 2⁻⁹⁰ or not
/// finite) are computed again by the definition, in `f64`.
#[derive(Clone, Debug)]
pub struct ScanQuery {
    level: Level,
    width: Width,
    layout: Layout,
    kernels: Option<RowKernels>,
    /// A power of two; the query is that many times what is laid out.
    scale: f64,
    /// What is added to rows for their norms; empty unless there is one.
    centre: Vec<f32>,
    /// Whether its squares stay within `f32`.
    centre_is_moderate: bool,
}

/// Values beyond which sums of squares leave what `f32` holds comfortably: 2⁴⁰ and its inverse.
const LARGEST: f32 = (1u64 << 40) as f32;
const SMALLEST: f32 = 1.0 / LARGEST;

/// The range of results in which nothing of note was lost to underflow or overflow: 2⁻⁹⁰ to 2¹²⁰.
const RESULTS: std::ops::RangeInclusive<f64> = 1.0 / (1u128 << 90) as f64..=(1u128 << 120) as f64;

impl ScanQuery {
    /// Prepares `query` (length d, already rotated) for rows of codes into `codebook` (`width.levels()` entries).
    ///
    /// A level that isn't available falls back to [`Level::Scalar`], as do queries and codebooks whose values are not
    /// finite or so large or small that their squares leave `f32`.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    ///
    /// # Panics
    /// When `query` is empty or `codebook.len() != width.levels()`.
    pub fn new(
        level: Level,
        width: Width,
        query: &[f32],
        codebook: &[f32],
    ) -> Result<ScanQuery, OutOfMemory> {
        Self::scaled(level, width, query, 1.0, codebook)
    }

    /// Prepares `scale` times `query`, for what `f32` can't hold with all its digits; `scale` is a power of two.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    ///
    /// # Panics
    /// As [`ScanQuery::new`].
    pub fn scaled(
        level: Level,
        width: Width,
        query: &[f32],
        scale: f64,
        codebook: &[f32],
    ) -> Result<ScanQuery, OutOfMemory> {
        assert!(!query.is_empty(), "the query is empty");
        assert_eq!(codebook.len(), width.levels(), "the codebook does not match the code width");
        let level =
            if is_moderate(query) && is_moderate(codebook) { level.or_scalar() } else { Level::Scalar };
        let kernels = RowKernels::of(level, width);
        let layout = match &kernels {
            Some(kernels) => Layout::new(kernels.order, width, query, codebook)?,
            None => Layout::plain(query, codebook)?,
        };
        Ok(ScanQuery { level, width, layout, kernels, scale, centre: Vec::new(), centre_is_moderate: false })
    }

    /// With a centre, as long as the query, for [`ScanQuery::dot_and_centred_norm`].
    ///
    /// # Errors
    /// [`OutOfMemory`].
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn with_centre(mut self, centre: &[f32]) -> Result<ScanQuery, OutOfMemory> {
        assert_eq!(centre.len(), self.dimension(), "the centre does not match the query");
        self.centre = tq_memory::copied(centre)?;
        self.centre_is_moderate = is_moderate(centre);
        if let Some(kernels) = &self.kernels {
            self.layout.add_centre(kernels.order, self.width, centre)?;
        }
        Ok(self)
    }

    /// The inner product and the squared norm of the row plus the centre, `(Σ q_i x_i, Σ (x_i + m_i)²)`, in one pass.
    ///
    /// # Panics
    /// Without a centre.
    pub fn dot_and_centred_norm(&self, codes: &[u8], residual: Option<&[u8]>) -> (f64, f64) {
        self.check(codes, residual);
        assert_eq!(self.centre.len(), self.dimension(), "there is no centre");
        if let Some(kernels) = self.kernels.as_ref().filter(|_| self.centre_is_moderate) {
            let (dot, norm) = kernels.dot_and_centred_norm(&self.layout, codes, residual);
            if RESULTS.contains(&dot.abs()) && RESULTS.contains(&norm) {
                return (self.scale * dot, norm);
            }
        }
        let Layout { query, codebook, .. } = &self.layout;
        let (dot, norm) =
            scalar::rows::dot_and_centred_norm(self.width, query, &self.centre, codebook, codes, residual);
        (self.scale * dot, norm)
    }

    /// Length of the query, and the number of codes in a row.
    pub fn dimension(&self) -> usize {
        self.layout.query.len()
    }

    /// The query as it was given to [`ScanQuery::scaled`]: the floats, and the power of two that they are multiplied by.
    pub fn query(&self) -> (&[f32], f64) {
        (&self.layout.query, self.scale)
    }

    /// The level whose kernels run, after the fallbacks of [`ScanQuery::new`].
    pub fn level(&self) -> Level {
        self.level
    }

    /// The code width of the rows.
    pub fn width(&self) -> Width {
        self.width
    }

    /// Bytes of memory beside its own.
    pub fn memory_bytes(&self) -> usize {
        self.layout.memory_bytes() + size_of_val(self.centre.as_slice())
    }

    /// The inner product `Σ q_i x_i`.
    pub fn dot(&self, codes: &[u8], residual: Option<&[u8]>) -> f64 {
        self.check(codes, residual);
        if let Some(kernels) = &self.kernels {
            let (dot, _) = kernels.dot(&self.layout, codes, residual);
            if RESULTS.contains(&dot.abs()) {
                return self.scale * dot;
            }
        }
        let Layout { query, codebook, .. } = &self.layout;
        self.scale * scalar::rows::dot(self.width, query, codebook, codes, residual)
    }

    /// The inner product and the squared norm of the row, `(Σ q_i x_i, Σ x_i²)`, in one pass.
    pub fn dot_and_norm(&self, codes: &[u8], residual: Option<&[u8]>) -> (f64, f64) {
        self.check(codes, residual);
        if let Some(kernels) = &self.kernels {
            let (dot, norm) = kernels.dot_and_norm(&self.layout, codes, residual);
            if RESULTS.contains(&dot.abs()) && RESULTS.contains(&norm) {
                return (self.scale * dot, norm);
            }
        }
        let Layout { query, codebook, .. } = &self.layout;
        let (dot, norm) = scalar::rows::dot_and_norm(self.width, query, codebook, codes, residual);
        (self.scale * dot, norm)
    }

    /// The squared Euclidean distance `Σ (q_i - x_i)²`, from the differences themselves and so without cancellation.
    pub fn squared_l2(&self, codes: &[u8], residual: Option<&[u8]>) -> f64 {
        self.check(codes, residual);
        // The kernels subtract from the query as it is laid out.
        if let Some(kernels) = self.kernels.as_ref().filter(|_| self.scale == 1.0) {
            let (sum, _) = kernels.squared_l2(&self.layout, codes, residual);
            if RESULTS.contains(&sum) {
                return sum;
            }
        }
        let Layout { query, codebook, .. } = &self.layout;
        scalar::rows::squared_l2(self.width, query, self.scale, codebook, codes, residual)
    }

    /// The lengths that the kernels rely on.
    fn check(&self, codes: &[u8], residual: Option<&[u8]>) {
        check_row(self.width, self.dimension(), codes, residual);
    }
}

fn check_row(width: Width, dimension: usize, codes: &[u8], residual: Option<&[u8]>) {
    assert_eq!(codes.len(), width.packed_len(dimension), "the codes do not match the dimension");
    if let Some(residual) = residual {
        assert_eq!(residual.len(), 2 * dimension, "the residual does not match the dimension");
    }
}

/// Whether products of these values stay clear of the ends of `f32`'s range.
fn is_moderate(values: &[f32]) -> bool {
    let bounded = values.iter().all(|value| value.abs() <= LARGEST);
    bounded
        && (values.iter().any(|value| value.abs() >= SMALLEST) || values.iter().all(|value| *value == 0.0))
}

/// Decodes one row: `out[i] = codebook[code_i]`, plus the residual when there is one. Exact at every level.
///
/// # Panics
/// When `codes.len() != width.packed_len(out.len())`, `residual.len() != 2 · out.len()`, or
/// `codebook.len() != width.levels()`.
pub fn dequantize(
    level: Level,
    width: Width,
    codes: &[u8],
    residual: Option<&[u8]>,
    codebook: &[f32],
    out: &mut [f32],
) {
    check_row(width, out.len(), codes, residual);
    assert_eq!(codebook.len(), width.levels(), "the codebook does not match the code width");
    dispatch::dequantize(level, width, codes, residual, codebook, out);
}

/// Unpacks the codes of one row to a byte each.
///
/// # Panics
/// When `codes.len() != width.packed_len(out.len())`.
pub fn unpack(width: Width, codes: &[u8], out: &mut [u8]) {
    check_row(width, out.len(), codes, None);
    scalar::rows::unpack(width, codes, out);
}
