//! From a level to its kernels: the one place that calls code compiled for features beyond the target's own.
//!
//! A level given to these functions is available: the face has put [`Level::or_scalar`] in between. `ScanQuery` keeps the
//! kernels of its level as function pointers, so that a row costs an indirect call and no look at the processor.
#![allow(unsafe_code)]

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
use crate::aarch64::neon;
use crate::layout::{self, Layout, Order};
use crate::level::Level;
use crate::measure::{DOT, DOT_AND_NORM, L1, SQUARED_L2};
use crate::scalar;
use crate::width::Width;
#[cfg(target_arch = "x86_64")]
use crate::x86_64::{avx2, avx512};

/// Sums one row: `(layout, codes, residual)`, the residual empty for kernels without.
type RowKernel = unsafe fn(&Layout, &[u8], &[u8]) -> (f64, f64);

/// The kernels of one level and width, in the order of [`crate::measure`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct RowKernels {
    /// What the kernels expect of a layout.
    pub(crate) order: Order,
    plain: [RowKernel; 3],
    with_residual: [RowKernel; 3],
}

/// The `row` kernel of a module for each measure of a row, between its other constant parameters.
#[allow(unused_macros)]
macro_rules! each_measure {
    ($($module:ident)::+, [$($before:expr),*] [$($after:expr),*]) => {
        [
            $($module)::+::row::<$({ $before },)* DOT $(, { $after })*>,
            $($module)::+::row::<$({ $before },)* DOT_AND_NORM $(, { $after })*>,
            $($module)::+::row::<$({ $before },)* SQUARED_L2 $(, { $after })*>,
        ]
    };
}

impl RowKernels {
    /// The kernels of an available level; `None` for the scalar definition, which has none of its own.
    pub(crate) fn of(level: Level, width: Width) -> Option<RowKernels> {
        match level {
            Level::Scalar => None,
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Level::Neon => Some(RowKernels::neon(width)),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => Some(RowKernels::avx2(width)),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => Some(RowKernels::avx512(
                width,
                crate::level::has_byte_permutes(),
                crate::level::has_bit_counts(),
            )),
            #[allow(unreachable_patterns)]
            Level::Neon | Level::Avx2 | Level::Avx512 => None,
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn avx2(width: Width) -> RowKernels {
        let natural = Order { strided_lanes: None, byte_planes: false };
        match width {
            Width::Two => RowKernels {
                order: Order { strided_lanes: Some(avx2::strided::LANES), byte_planes: false },
                plain: each_measure!(avx2::strided, [][]),
                with_residual: each_measure!(avx2::natural, [2][true]),
            },
            Width::Four => RowKernels {
                order: Order { strided_lanes: Some(avx2::planes::LANES), byte_planes: true },
                plain: each_measure!(avx2::planes, [][]),
                with_residual: each_measure!(avx2::natural, [4][true]),
            },
            Width::Eight => RowKernels {
                order: natural,
                plain: each_measure!(avx2::natural, [8][false]),
                with_residual: each_measure!(avx2::natural, [8][true]),
            },
        }
    }

    #[cfg(target_arch = "x86_64")]
    fn avx512(width: Width, byte_permutes: bool, bit_counts: bool) -> RowKernels {
        let strided = Order { strided_lanes: Some(avx512::strided::LANES), byte_planes: false };
        match width {
            Width::Two => RowKernels {
                order: strided,
                plain: if bit_counts {
                    [
                        avx512::strided::row::<2, DOT>,
                        avx512::counts::dot_and_norm,
                        avx512::strided::row::<2, SQUARED_L2>,
                    ]
                } else {
                    each_measure!(avx512::strided, [2] [])
                },
                with_residual: each_measure!(avx512::natural, [2][true]),
            },
            Width::Four => RowKernels {
                order: strided,
                plain: each_measure!(avx512::strided, [4] []),
                with_residual: each_measure!(avx512::natural, [4][true]),
            },
            Width::Eight if byte_permutes => RowKernels {
                order: Order { strided_lanes: None, byte_planes: true },
                plain: each_measure!(avx512::planes, [][false]),
                with_residual: each_measure!(avx512::planes, [][true]),
            },
            Width::Eight => RowKernels {
                order: Order { strided_lanes: None, byte_planes: false },
                plain: each_measure!(avx512::natural, [8][false]),
                with_residual: each_measure!(avx512::natural, [8][true]),
            },
        }
    }

    #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
    fn neon(width: Width) -> RowKernels {
        let strided = Order { strided_lanes: Some(neon::strided::LANES), byte_planes: false };
        match width {
            Width::Two => RowKernels {
                order: strided,
                plain: each_measure!(neon::strided, [2] []),
                with_residual: each_measure!(neon::natural, [2][true]),
            },
            Width::Four => RowKernels {
                order: strided,
                plain: each_measure!(neon::strided, [4] []),
                with_residual: each_measure!(neon::natural, [4][true]),
            },
            Width::Eight => RowKernels {
                order: Order { strided_lanes: None, byte_planes: false },
                plain: each_measure!(neon::natural, [8][false]),
                with_residual: each_measure!(neon::natural, [8][true]),
            },
        }
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

/// Decodes one row at an available level.
pub(crate) fn dequantize(
    level: Level,
    width: Width,
    codes: &[u8],
    residual: Option<&[u8]>,
    codebook: &[f32],
    out: &mut [f32],
) {
    match (level, width) {
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2 | Level::Avx512, Width::Eight) => {
            // Gathers beside stores are slower than one plain look-up after another.
            scalar::rows::dequantize(width, codes, None, codebook, out);
            let add: unsafe fn(&[u8], &mut [f32]) = match level {
                Level::Avx512 => avx512::natural::add_residual,
                _ => avx2::natural::add_residual,
            };
            if let Some(residual) = residual {
                // SAFETY: the functions are safe but for their target features, and the level is available.
                unsafe { add(residual, out) };
            }
        }
        #[cfg(target_arch = "x86_64")]
        (Level::Avx2 | Level::Avx512, Width::Two | Width::Four) => {
            type Kernel = unsafe fn(&[layout::Line], &[u8], &[u8], &mut [f32]);
            let kernel: Kernel = match (level, width, residual.is_some()) {
                (Level::Avx512, Width::Two, false) => avx512::natural::dequantize::<2, false>,
                (Level::Avx512, Width::Two, true) => avx512::natural::dequantize::<2, true>,
                (Level::Avx512, _, false) => avx512::natural::dequantize::<4, false>,
                (Level::Avx512, _, true) => avx512::natural::dequantize::<4, true>,
                (_, Width::Two, false) => avx2::natural::dequantize::<2, false>,
                (_, Width::Two, true) => avx2::natural::dequantize::<2, true>,
                (_, _, false) => avx2::natural::dequantize::<4, false>,
                (_, _, true) => avx2::natural::dequantize::<4, true>,
            };
            let mut line = [layout::Line([0.0; 16])];
            let table = layout::fill_table(&mut line, codebook);
            // SAFETY: the kernels are safe functions but for their target features, and the level is available.
            unsafe { kernel(table, codes, residual.unwrap_or(&[]), out) }
        }
        #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
        (Level::Neon, _) => {
            type Kernel = unsafe fn(&[layout::Line], &[u8], &[u8], &mut [f32]);
            let kernel: Kernel = match (width, residual.is_some()) {
                (Width::Two, false) => neon::natural::dequantize::<2, false>,
                (Width::Two, true) => neon::natural::dequantize::<2, true>,
                (Width::Four, false) => neon::natural::dequantize::<4, false>,
                (Width::Four, true) => neon::natural::dequantize::<4, true>,
                (Width::Eight, false) => neon::natural::dequantize::<8, false>,
                (Width::Eight, true) => neon::natural::dequantize::<8, true>,
            };
            let mut lines = [layout::Line([0.0; 16]); 16];
            let table = layout::fill_table(&mut lines, codebook);
            // SAFETY: the kernels are safe functions but for their target features, and the level is available.
            unsafe { kernel(table, codes, residual.unwrap_or(&[]), out) }
        }
        _ => scalar::rows::dequantize(width, codes, residual, codebook, out),
    }
}

/// Calls the level's version of a dense function, which all levels have under one name.
macro_rules! dense {
    ($level:expr, $function:ident $(::<$measure:ident>)? ($($argument:expr),*), $scalar:expr) => {
        match $level {
            // SAFETY: the function is safe but for its target features, and the level is available.
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => unsafe { avx512::dense::$function$(::<$measure>)?($($argument),*) },
            // SAFETY: the function is safe but for its target features, and the level is available.
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => unsafe { avx2::dense::$function$(::<$measure>)?($($argument),*) },
            // SAFETY: the function is safe but for its target features, and the level is available.
            #[cfg(all(target_arch = "aarch64", target_endian = "little"))]
            Level::Neon => unsafe { neon::dense::$function$(::<$measure>)?($($argument),*) },
            _ => $scalar,
        }
    };
}

/// See [`crate::rotate`]; `x` is not empty.
pub(crate) fn rotate(level: Level, matrix: &[f64], x: &[f32], out: &mut [f32]) {
    dense!(level, rotate(matrix, x, out), scalar::dense::rotate(matrix, x, out))
}

/// `sums[j] += Σ_i matrix[i][j] · y[i]`; `sums` is not empty.
pub(crate) fn add_rows(level: Level, matrix: &[f64], y: &[f32], sums: &mut [f64]) {
    dense!(level, add_rows(matrix, y, sums), scalar::dense::add_rows(matrix, y, sums))
}

/// See [`crate::dot_f32`].
pub(crate) fn dot_f32(level: Level, a: &[f32], b: &[f32]) -> f64 {
    dense!(level, pair::<DOT>(a, b), (scalar::dense::dot(a, b), 0.0, 0.0)).0
}

/// See [`crate::squared_l2_f32`].
pub(crate) fn squared_l2_f32(level: Level, a: &[f32], b: &[f32]) -> f64 {
    dense!(level, pair::<SQUARED_L2>(a, b), (scalar::dense::squared_l2(a, b), 0.0, 0.0)).0
}

/// See [`crate::dot_and_norms_f32`].
pub(crate) fn dot_and_norms_f32(level: Level, a: &[f32], b: &[f32]) -> (f64, f64, f64) {
    dense!(level, pair::<DOT_AND_NORM>(a, b), scalar::dense::dot_and_norms(a, b))
}

/// See [`crate::l1_f32`].
pub(crate) fn l1_f32(level: Level, a: &[f32], b: &[f32]) -> f64 {
    dense!(level, pair::<L1>(a, b), (scalar::dense::l1(a, b), 0.0, 0.0)).0
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
        for width in [Width::Two, Width::Eight] {
            let kernels = RowKernels::avx512(width, false, false);
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
