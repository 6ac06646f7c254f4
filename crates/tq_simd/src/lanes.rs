//! Registers of a level with the operations that loops over floats need: the loops below are written once, over these traits,
//! and compiled for each level that implements them (`lanes.rs` of its folder, or `array.rs` here).
//!
//! ```text
//! Floats, FusedFloats   sixteen f32, however many registers they take    hadamard, trellis; encode
//! Doubles<N>            one register of N f64                            dense
//! plain loops           what the compiler vectorises by itself           scalar::encode::quantize, scalar::bounds
//! ```
//!
//! Whoever calls an `unsafe` function here vouches for the features of the registers' level; that is all there is to vouch for.
#![allow(unsafe_code)]

mod array;
pub(crate) mod dense;
pub(crate) mod encode;
pub(crate) mod hadamard;
pub(crate) mod query;
pub(crate) mod trellis;

/// The `f32` of a [`Floats`].
pub(crate) const LANES: usize = 16;

/// Sixteen neighbouring `f32`. Every operation rounds each lane once, as the scalar ones do.
pub(crate) trait Floats: Copy {
    /// # Safety
    /// The processor has the features of the implementation; so for the other functions.
    unsafe fn load(from: &[f32; LANES]) -> Self;
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn store(self, to: &mut [f32; LANES]);
    /// Flips the sign bits set in `signs`, then multiplies by `scale`.
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn flip_and_scale(self, signs: &[u32; LANES], scale: f32) -> Self;
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn add(self, other: Self) -> Self;
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn sub(self, other: Self) -> Self;
    /// The stages of strides 1, 2, 4 and 8 of a Walsh-Hadamard transform.
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn stages(self) -> Self;
    /// The value in every lane.
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn splat(value: f32) -> Self;
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn mul(self, other: Self) -> Self;
    /// The lesser of each lane, of numbers that aren't NaN or zeros of different signs.
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn least(self, other: Self) -> Self;
    /// The bits of the mask, which are some low ones, replaced by the tag.
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn with_tag(self, mask: u32, tag: u32) -> Self;
    /// Each lane's bits moved down by `BITS`, which are 2 or 4, and the low ones of `tags` above them.
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn shift_in<const BITS: u32>(self, tags: Self) -> Self;
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn store_bits(self, to: &mut [u32; LANES]);
    /// The low bits of each lane, at most eight of them.
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn store_tags(self, mask: u32, to: &mut [u8; LANES]);
    /// Of 64 values those whose number is 0 modulo 4, 1 modulo 4 and so on.
    /// # Safety
    /// As for [`Floats::load`].
    #[inline(always)]
    unsafe fn every_fourth(of: &[[f32; LANES]; 4]) -> [Self; 4] {
        let mut apart = [[0.0; LANES]; 4];
        for (k, value) in of.as_flattened().iter().enumerate() {
            apart[k % 4][k / 4] = *value;
        }
        // SAFETY: the caller vouches for the features.
        unsafe {
            [Self::load(&apart[0]), Self::load(&apart[1]), Self::load(&apart[2]), Self::load(&apart[3])]
        }
    }
}

/// Sixteen `f32` that are multiplied and added in one rounding.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
pub(crate) trait FusedFloats: Floats {
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn zero() -> Self;
    /// `self · factor + sum`, rounded once.
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self;
    /// The sum of all lanes: of the two halves, of the halves of that, and so on.
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn total(self) -> f32;

    /// Eight sums in `f64`.
    type Wide: Copy;
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn wide_zero() -> Self::Wide;
    /// Adds the upper eight lanes to the lower, and what that gives to the sums.
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn add_to_wide(self, sums: Self::Wide) -> Self::Wide;
    /// The sum of the sums.
    /// # Safety
    /// As for [`Floats::load`].
    unsafe fn wide_total(sums: Self::Wide) -> f64;
}

/// A register of `N` neighbouring `f64`.
pub(crate) trait Doubles<const N: usize>: Copy {
    /// The value in every lane.
    /// # Safety
    /// The processor has the features of the implementation; so for the other functions.
    unsafe fn splat(value: f64) -> Self;
    /// # Safety
    /// As for [`Doubles::splat`].
    unsafe fn load(from: &[f64; N]) -> Self;
    /// # Safety
    /// As for [`Doubles::splat`].
    unsafe fn store(self, to: &mut [f64; N]);
    /// # Safety
    /// As for [`Doubles::splat`].
    unsafe fn widen(from: &[f32; N]) -> Self;
    /// # Safety
    /// As for [`Doubles::splat`].
    unsafe fn add(self, other: Self) -> Self;
    /// # Safety
    /// As for [`Doubles::splat`].
    unsafe fn sub(self, other: Self) -> Self;
    /// # Safety
    /// As for [`Doubles::splat`].
    unsafe fn abs(self) -> Self;
    /// `self · factor + sum`, rounded once.
    /// # Safety
    /// As for [`Doubles::splat`].
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self;
    /// The sum of all lanes.
    /// # Safety
    /// As for [`Doubles::splat`].
    unsafe fn total(self) -> f64;

    /// Up to `N` values, zeros after them.
    /// # Safety
    /// As for [`Doubles::splat`].
    #[inline(always)]
    unsafe fn widen_tail(from: &[f32]) -> Self {
        let mut padded = [0.0; N];
        padded[..from.len()].copy_from_slice(from);
        // SAFETY: the caller vouches for the features.
        unsafe { Self::widen(&padded) }
    }

    /// As [`Doubles::widen_tail`].
    /// # Safety
    /// As for [`Doubles::splat`].
    #[inline(always)]
    unsafe fn load_tail(from: &[f64]) -> Self {
        let mut padded = [0.0; N];
        padded[..from.len()].copy_from_slice(from);
        // SAFETY: the caller vouches for the features.
        unsafe { Self::load(&padded) }
    }
}

/// The static `KERNELS` of a level: the loops over lanes, compiled for its features with its registers, beside the kernels of rows
/// and of signs and the rotations by matrices in `f32`, which it names itself.
macro_rules! kernels_over_lanes {
    (
        features: $features:literal, floats: $floats:ty, doubles: $doubles:ty,
        rows: $rows:path, dequantize: $dequantize:path, rotate_f32: $rotate_f32:path,
        rotate_query: $rotate_query:path,
        sign_sums: $sign_sums:path $(,)?
    ) => {
        /// The kernels of this level.
        pub(crate) static KERNELS: $crate::kernels::Kernels = $crate::kernels::Kernels {
            rows: $rows,
            dequantize: $dequantize,
            rotate,
            rotate_query: $rotate_query,
            add_rows,
            dot,
            squared_l2,
            dot_and_norms,
            l1,
            rotate_f32: $rotate_f32,
            quantize,
            quantize_within,
            trellis_round,
            trellis_rows,
            trellis_row,
            hadamard,
            hadamard_inverse,
            sign_sums: $sign_sums,
            sign_bounds,
        };

        $crate::lanes::compiled_loops! { $features;
            rotate(matrix: &[f64], x: &[f32], out: &mut [f32]) = lanes::dense::rotate::<$doubles, f64, _>;
            add_rows(matrix: &[f64], y: &[f32], sums: &mut [f64]) = lanes::dense::add_rows::<$doubles, _>;
            dot(a: &[f32], b: &[f32]) -> f64 = lanes::dense::dot::<$doubles, _>;
            squared_l2(a: &[f32], b: &[f32]) -> f64 = lanes::dense::squared_l2::<$doubles, _>;
            dot_and_norms(a: &[f32], b: &[f32]) -> (f64, f64, f64) = lanes::dense::dot_and_norms::<$doubles, _>;
            l1(a: &[f32], b: &[f32]) -> f64 = lanes::dense::l1::<$doubles, _>;
            quantize(thresholds: &[f32], values: &[f32], codes: &mut [u8]) = scalar::encode::quantize;
            quantize_within(
                thresholds: &[f32], values: &[f32], margin: f32, low: &mut [u8], high: &mut [u8]
            ) = scalar::encode::quantize_within;
            trellis_round(inverse: f32, shift: f32, largest: f32, values: &[f32], grid: &mut [i16]) =
                scalar::trellis::round;
            trellis_rows(
                bits: u32, table: &[f32; 256], dimension: usize, grid: &[i16], survivors: &mut [[u32; 16]],
                codes: &mut [u8]
            ) = lanes::trellis::rows::<$floats>;
            trellis_row(
                bits: u32, table: &[f32; 256], grid: &[i16], survivors: &mut [u8], codes: &mut [u8]
            ) = lanes::trellis::row::<$floats>;
            sign_bounds(
                of: $crate::terms::BoundOf, terms: &$crate::terms::BoundTerms, norms: &[f32], ratios: &[u32], sums: &[i32],
                out: &mut [f32]
            ) = scalar::bounds::sign_bounds;
            hadamard(signs: &[u32], x: &mut [f32]) = lanes::hadamard::hadamard::<$floats>;
            hadamard_inverse(signs: &[u32], x: &mut [f32]) = lanes::hadamard::hadamard_inverse::<$floats>;
        }
    };
}

/// Functions of a level, each an inlined loop compiled for its features.
macro_rules! compiled_loops {
    ($features:literal; $(
        $name:ident($($argument:ident: $type:ty),*) $(-> $result:ty)? =
            $module:ident::$file:ident::$loop:ident $(::<$($parameter:ty),*>)?;
    )*) => { $(
        #[target_feature(enable = $features)]
        fn $name($($argument: $type),*) $(-> $result)? {
            // SAFETY: this function has the features of the level, and so those of its registers; plain loops need none.
            #[allow(unused_unsafe)]
            unsafe { $crate::$module::$file::$loop$(::<$($parameter),*>)?($($argument),*) }
        }
    )* };
}

pub(crate) use {compiled_loops, kernels_over_lanes};
