//! Registers of AVX2 for the loops over lanes: two of them for sixteen `f32`.
#![allow(unsafe_code)]

use crate::lanes::{Doubles, Floats, FusedFloats, LANES};
use std::arch::x86_64::*;

impl Floats for [__m256; 2] {
    #[inline(always)]
    unsafe fn load(from: &[f32; LANES]) -> Self {
        // SAFETY: the array is 64 readable bytes, no alignment is asked; the caller vouches for the features.
        unsafe { [_mm256_loadu_ps(from.as_ptr()), _mm256_loadu_ps(from.as_ptr().add(8))] }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [f32; LANES]) {
        // SAFETY: the array is 64 writable bytes, no alignment is asked; the caller vouches for the features.
        unsafe {
            _mm256_storeu_ps(to.as_mut_ptr(), self[0]);
            _mm256_storeu_ps(to.as_mut_ptr().add(8), self[1]);
        }
    }

    #[inline(always)]
    unsafe fn flip_and_scale(self, signs: &[u32; LANES], scale: f32) -> Self {
        // SAFETY: the array is 64 readable bytes, no alignment is asked; the caller vouches for the features.
        unsafe {
            let scale = _mm256_set1_ps(scale);
            let low = _mm256_loadu_ps(signs.as_ptr().cast());
            let high = _mm256_loadu_ps(signs.as_ptr().add(8).cast());
            [
                _mm256_mul_ps(_mm256_xor_ps(self[0], low), scale),
                _mm256_mul_ps(_mm256_xor_ps(self[1], high), scale),
            ]
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { [_mm256_add_ps(self[0], other[0]), _mm256_add_ps(self[1], other[1])] }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { [_mm256_sub_ps(self[0], other[0]), _mm256_sub_ps(self[1], other[1])] }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { [_mm256_set1_ps(value); 2] }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { [_mm256_mul_ps(self[0], other[0]), _mm256_mul_ps(self[1], other[1])] }
    }

    #[inline(always)]
    unsafe fn least(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { [_mm256_min_ps(self[0], other[0]), _mm256_min_ps(self[1], other[1])] }
    }

    #[inline(always)]
    unsafe fn with_tag(self, mask: u32, tag: u32) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let mask = _mm256_castsi256_ps(_mm256_set1_epi32(mask as i32));
            let tag = _mm256_castsi256_ps(_mm256_set1_epi32(tag as i32));
            [
                _mm256_or_ps(_mm256_andnot_ps(mask, self[0]), tag),
                _mm256_or_ps(_mm256_andnot_ps(mask, self[1]), tag),
            ]
        }
    }

    #[inline(always)]
    unsafe fn shift_in<const BITS: u32>(self, tags: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let mut both = self;
            for i in 0..2 {
                let (bits, tags) = (_mm256_castps_si256(self[i]), _mm256_castps_si256(tags[i]));
                both[i] = _mm256_castsi256_ps(match BITS {
                    2 => _mm256_or_si256(_mm256_srli_epi32::<2>(bits), _mm256_slli_epi32::<30>(tags)),
                    _ => _mm256_or_si256(_mm256_srli_epi32::<4>(bits), _mm256_slli_epi32::<28>(tags)),
                });
            }
            both
        }
    }

    #[inline(always)]
    unsafe fn store_bits(self, to: &mut [u32; LANES]) {
        // SAFETY: the array is 64 writable bytes, no alignment is asked; the caller vouches for the features.
        unsafe {
            _mm256_storeu_si256(to.as_mut_ptr().cast(), _mm256_castps_si256(self[0]));
            _mm256_storeu_si256(to.as_mut_ptr().add(8).cast(), _mm256_castps_si256(self[1]));
        }
    }

    #[inline(always)]
    unsafe fn store_tags(self, mask: u32, to: &mut [u8; LANES]) {
        // SAFETY: the array is 16 writable bytes, no alignment is asked; the caller vouches for the features.
        unsafe {
            let mask = _mm256_set1_epi32(mask as i32);
            let low = _mm256_and_si256(_mm256_castps_si256(self[0]), mask);
            let high = _mm256_and_si256(_mm256_castps_si256(self[1]), mask);
            // Packing works within halves, whose dwords come out as 0 to 3, 8 to 11, 4 to 7, 12 to 15.
            let words = _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_packus_epi32(low, high));
            let bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
            _mm_storeu_si128(to.as_mut_ptr().cast(), bytes);
        }
    }

    #[inline(always)]
    unsafe fn every_fourth(of: &[[f32; LANES]; 4]) -> [Self; 4] {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let mut apart = [[_mm256_setzero_ps(); 2]; 4];
            for half in 0..2 {
                // Within halves of registers, 4 x 4 transpositions; then the dwords 0, 4, 1, 5, 2, 6, 3, 7 are in order.
                let [a, b] = <[__m256; 2]>::load(&of[2 * half]);
                let [c, d] = <[__m256; 2]>::load(&of[2 * half + 1]);
                let (ab_low, ab_high) = (_mm256_unpacklo_ps(a, b), _mm256_unpackhi_ps(a, b));
                let (cd_low, cd_high) = (_mm256_unpacklo_ps(c, d), _mm256_unpackhi_ps(c, d));
                let order = _mm256_set_epi32(7, 3, 6, 2, 5, 1, 4, 0);
                apart[0][half] =
                    _mm256_permutevar8x32_ps(_mm256_shuffle_ps::<0b01_00_01_00>(ab_low, cd_low), order);
                apart[1][half] =
                    _mm256_permutevar8x32_ps(_mm256_shuffle_ps::<0b11_10_11_10>(ab_low, cd_low), order);
                apart[2][half] =
                    _mm256_permutevar8x32_ps(_mm256_shuffle_ps::<0b01_00_01_00>(ab_high, cd_high), order);
                apart[3][half] =
                    _mm256_permutevar8x32_ps(_mm256_shuffle_ps::<0b11_10_11_10>(ab_high, cd_high), order);
            }
            apart
        }
    }

    #[inline(always)]
    unsafe fn stages(self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let mut halves = self;
            for v in &mut halves {
                let partner = _mm256_permute_ps::<0b10_11_00_01>(*v);
                *v = _mm256_blend_ps::<0xaa>(_mm256_add_ps(*v, partner), _mm256_sub_ps(partner, *v));
                let partner = _mm256_permute_ps::<0b01_00_11_10>(*v);
                *v = _mm256_blend_ps::<0xcc>(_mm256_add_ps(*v, partner), _mm256_sub_ps(partner, *v));
                let partner = _mm256_permute2f128_ps::<1>(*v, *v);
                *v = _mm256_blend_ps::<0xf0>(_mm256_add_ps(*v, partner), _mm256_sub_ps(partner, *v));
            }
            let [a, b] = halves;
            [_mm256_add_ps(a, b), _mm256_sub_ps(a, b)]
        }
    }
}

impl FusedFloats for [__m256; 2] {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { [_mm256_setzero_ps(); 2] }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { [_mm256_fmadd_ps(self[0], factor[0], sum[0]), _mm256_fmadd_ps(self[1], factor[1], sum[1])] }
    }

    #[inline(always)]
    unsafe fn total(self) -> f32 {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let sum = _mm256_add_ps(self[0], self[1]);
            let sum = _mm_add_ps(_mm256_castps256_ps128(sum), _mm256_extractf128_ps::<1>(sum));
            let sum = _mm_add_ps(sum, _mm_movehl_ps(sum, sum));
            _mm_cvtss_f32(_mm_add_ss(sum, _mm_shuffle_ps::<1>(sum, sum)))
        }
    }

    type Wide = [__m256d; 2];

    #[inline(always)]
    unsafe fn wide_zero() -> [__m256d; 2] {
        // SAFETY: the caller vouches for the features.
        unsafe { [_mm256_setzero_pd(); 2] }
    }

    #[inline(always)]
    unsafe fn add_to_wide(self, sums: [__m256d; 2]) -> [__m256d; 2] {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let both = _mm256_add_ps(self[0], self[1]);
            let lower = _mm256_cvtps_pd(_mm256_castps256_ps128(both));
            let upper = _mm256_cvtps_pd(_mm256_extractf128_ps::<1>(both));
            [_mm256_add_pd(sums[0], lower), _mm256_add_pd(sums[1], upper)]
        }
    }

    #[inline(always)]
    unsafe fn wide_total(sums: [__m256d; 2]) -> f64 {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm256_add_pd(sums[0], sums[1]).total() }
    }
}

impl Doubles<4> for __m256d {
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm256_set1_pd(value) }
    }

    #[inline(always)]
    unsafe fn load(from: &[f64; 4]) -> Self {
        // SAFETY: the array is 32 readable bytes, no alignment is asked; the caller vouches for the features.
        unsafe { _mm256_loadu_pd(from.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [f64; 4]) {
        // SAFETY: the array is 32 writable bytes, no alignment is asked; the caller vouches for the features.
        unsafe { _mm256_storeu_pd(to.as_mut_ptr(), self) }
    }

    #[inline(always)]
    unsafe fn widen(from: &[f32; 4]) -> Self {
        // SAFETY: the array is 16 readable bytes, no alignment is asked; the caller vouches for the features.
        unsafe { _mm256_cvtps_pd(_mm_loadu_ps(from.as_ptr())) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm256_add_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm256_sub_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm256_andnot_pd(_mm256_set1_pd(-0.0), self) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm256_fmadd_pd(self, factor, sum) }
    }

    #[inline(always)]
    unsafe fn total(self) -> f64 {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let sum = _mm_add_pd(_mm256_castpd256_pd128(self), _mm256_extractf128_pd::<1>(self));
            _mm_cvtsd_f64(_mm_add_sd(sum, _mm_unpackhi_pd(sum, sum)))
        }
    }

    #[inline(always)]
    unsafe fn widen_tail(from: &[f32]) -> Self {
        // SAFETY: the mask selects the first `min(4, from.len())` values, and masked-off ones are not touched; the caller
        // vouches for the features.
        unsafe {
            let first = _mm_cmpgt_epi32(_mm_set1_epi32(from.len().min(4) as i32), _mm_set_epi32(3, 2, 1, 0));
            _mm256_cvtps_pd(_mm_maskload_ps(from.as_ptr(), first))
        }
    }
}
