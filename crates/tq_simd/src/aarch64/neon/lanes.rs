//! Registers of Advanced SIMD for the loops over lanes; sixteen `f32` are a plain array (see [`crate::lanes`]).
#![allow(unsafe_code)]

use crate::lanes::Doubles;
use std::arch::aarch64::*;

impl Doubles<2> for float64x2_t {
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { vdupq_n_f64(value) }
    }

    #[inline(always)]
    unsafe fn load(from: &[f64; 2]) -> Self {
        // SAFETY: the array is 16 readable bytes, no more alignment is asked than a float has; the caller vouches for the features.
        unsafe { vld1q_f64(from.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [f64; 2]) {
        // SAFETY: the array is 16 writable bytes, no more alignment is asked than a float has; the caller vouches for the features.
        unsafe { vst1q_f64(to.as_mut_ptr(), self) }
    }

    #[inline(always)]
    unsafe fn widen(from: &[f32; 2]) -> Self {
        // SAFETY: the array is 8 readable bytes, no more alignment is asked than a float has; the caller vouches for the features.
        unsafe { vcvt_f64_f32(vld1_f32(from.as_ptr())) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { vaddq_f64(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { vsubq_f64(self, other) }
    }

    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { vabsq_f64(self) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { vfmaq_f64(sum, self, factor) }
    }

    #[inline(always)]
    unsafe fn total(self) -> f64 {
        // SAFETY: the caller vouches for the features.
        unsafe { vaddvq_f64(self) }
    }
}
