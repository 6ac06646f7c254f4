//! From a level to its kernels: the one place that calls code compiled for features beyond the target's own.
//!
//! Each level has one static table of its kernels, `KERNELS` in its folder; the scalar one holds the definitions. A function of
//! this module looks the table of the level up, or the scalar one where the processor lacks the level, and calls. `ScanQuery`
//! keeps the row kernels of its level and width, so that a row costs an indirect call and no look at the processor.
#![allow(unsafe_code)]

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
use crate::aarch64::neon;
use crate::kernels::{Kernels, RowKernels, every_kernel};
use crate::layout::Layout;
use crate::level::Level;
use crate::measure::{DOT, DOT_AND_CENTRED_NORM, DOT_AND_NORM, SQUARED_L2};
use crate::scalar;
use crate::slots::{SignLayout, Slots};
use crate::terms::{BoundOf, BoundTerms};
use crate::width::Width;
#[cfg(target_arch = "x86_64")]
use crate::x86_64::{avx2, avx512};

/// The kernels of an available level.
fn of(level: Level) -> &'static Kernels {
    match level.or_scalar() {
        Level::Scalar => &scalar::KERNELS,
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        Level::Neon => &neon::KERNELS,
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => &avx2::KERNELS,
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => &avx512::KERNELS,
        #[allow(unreachable_patterns)]
        Level::Neon | Level::Avx2 | Level::Avx512 => &scalar::KERNELS,
    }
}

/// For each kernel a safe function that calls the one of a level.
macro_rules! functions {
    ($(
        $(#[$documentation:meta])*
        $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;
    )*) => { $(
        $(#[$documentation])*
        pub(crate) fn $name(level: Level, $($argument: $type),*) $(-> $result)? {
            // SAFETY: the kernels are safe functions but for their target features, and `of` returns those of a level that
            // is available.
            unsafe { (of(level).$name)($($argument),*) }
        }
    )* };
}

every_kernel!(functions);

impl RowKernels {
    /// The kernels of a level, if it is available and has its own.
    pub(crate) fn of(level: Level, width: Width) -> Option<RowKernels> {
        (of(level).rows)(width)
    }

    /// `(Σ q_i x_i, _)`.
    pub(crate) fn dot(&self, layout: &Layout, codes: &[u8], residual: Option<&[u8]>) -> (f64, f64) {
        self.run(DOT, layout, codes, residual)
    }

    /// `(Σ q_i x_i, Σ x_i²)`.
    pub(crate) fn dot_and_norm(&self, layout: &Layout, codes: &[u8], residual: Option<&[u8]>) -> (f64, f64) {
        self.run(DOT_AND_NORM, layout, codes, residual)
    }

    /// `(Σ (q_i - x_i)², _)`.
    pub(crate) fn squared_l2(&self, layout: &Layout, codes: &[u8], residual: Option<&[u8]>) -> (f64, f64) {
        self.run(SQUARED_L2, layout, codes, residual)
    }

    /// `(Σ q_i x_i, Σ (x_i + m_i)²)`; the layout has a centre.
    pub(crate) fn dot_and_centred_norm(
        &self,
        layout: &Layout,
        codes: &[u8],
        residual: Option<&[u8]>,
    ) -> (f64, f64) {
        self.run(DOT_AND_CENTRED_NORM, layout, codes, residual)
    }

    #[inline]
    fn run(&self, measure: u8, layout: &Layout, codes: &[u8], residual: Option<&[u8]>) -> (f64, f64) {
        let (kernels, residual) = match residual {
            Some(residual) => (&self.with_residual, residual),
            None => (&self.plain, &[][..]),
        };
        // SAFETY: the kernels are safe functions but for their target features, and `of` was given an available level.
        unsafe { kernels[usize::from(measure)](layout, codes, residual) }
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// Rows as on processors with AVX-512 but neither byte permutes nor bit counts.
    #[test]
    fn avx512_without_its_later_parts() {
        if !Level::Avx512.is_available() {
            eprintln!("SKIPPED: not available here: level avx512");
            return;
        }
        for width in [Width::Two, Width::Eight, Width::TrellisTwo, Width::TrellisFour] {
            let kernels = avx512::kernels::rows(width, false, false);
            let levels = width.levels() as f32;
            let codebook: Vec<f32> =
                (0..width.levels()).map(|k| (k as f32 - 0.49 * levels) / levels).collect();
            for d in (1..=300).chain([1536, 9001]) {
                let query: Vec<f32> = (0..d).map(|i| (i as f32 * 0.7).sin()).collect();
                let codes: Vec<u8> = (0..width.packed_len(d)).map(|i| (i * i + 7 * i) as u8).collect();
                let residual: Vec<u8> = (0..2 * d).map(|i| if i % 2 == 0 { i as u8 } else { 0x2c }).collect();
                let layout = Layout::new(kernels.order, width, &query, &codebook).unwrap();
                for residual in [None, Some(&residual[..])] {
                    let (dot, norm) = kernels.dot_and_norm(&layout, &codes, residual);
                    let expected = scalar::rows::dot_and_norm(width, &query, &codebook, &codes, residual);
                    assert!((norm - expected.1).abs() <= 1e-5 * expected.1, "{width:?} d={d}");
                    let scale = (scalar::dense::dot(&query, &query) * expected.1).sqrt();
                    assert!((dot - expected.0).abs() <= 1e-5 * scale, "{width:?} d={d}");
                }
            }
        }
    }
}
