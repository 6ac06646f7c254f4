//! Registers of AVX-512 for the loops over lanes.
#![allow(unsafe_code)]

use crate::lanes::{Doubles, Floats, FusedFloats, LANES};
use std::arch::x86_64::*;

impl Floats for __m512 {
    #[inline(always)]
    unsafe fn load(from: &[f32; LANES]) -> Self {
        // SAFETY: the array is 64 readable bytes, no alignment is asked; the caller vouches for the features.
        unsafe { _mm512_loadu_ps(from.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [f32; LANES]) {
        // SAFETY: the array is 64 writable bytes, no alignment is asked; the caller vouches for the features.
        unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self) }
    }

    #[inline(always)]
    unsafe fn flip_and_scale(self, signs: &[u32; LANES], scale: f32) -> Self {
        // SAFETY: the array is 64 readable bytes, no alignment is asked; the caller vouches for the features.
        unsafe {
            let signs = _mm512_castsi512_ps(_mm512_loadu_si512(signs.as_ptr().cast()));
            _mm512_mul_ps(_mm512_xor_ps(self, signs), _mm512_set1_ps(scale))
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_add_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_sub_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn splat(value: f32) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_set1_ps(value) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_mul_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn least(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_min_ps(self, other) }
    }

    #[inline(always)]
    unsafe fn with_tag(self, mask: u32, tag: u32) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let (mask, tag) = (_mm512_set1_epi32(mask as i32), _mm512_set1_epi32(tag as i32));
            _mm512_castsi512_ps(_mm512_or_si512(_mm512_andnot_si512(mask, _mm512_castps_si512(self)), tag))
        }
    }

    #[inline(always)]
    unsafe fn shift_in<const BITS: u32>(self, tags: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let (bits, tags) = (_mm512_castps_si512(self), _mm512_castps_si512(tags));
            _mm512_castsi512_ps(match BITS {
                2 => _mm512_or_si512(_mm512_srli_epi32::<2>(bits), _mm512_slli_epi32::<30>(tags)),
                _ => _mm512_or_si512(_mm512_srli_epi32::<4>(bits), _mm512_slli_epi32::<28>(tags)),
            })
        }
    }

    #[inline(always)]
    unsafe fn store_bits(self, to: &mut [u32; LANES]) {
        // SAFETY: the array is 64 writable bytes, no alignment is asked; the caller vouches for the features.
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), _mm512_castps_si512(self)) }
    }

    #[inline(always)]
    unsafe fn store_tags(self, mask: u32, to: &mut [u8; LANES]) {
        // SAFETY: the array is 16 writable bytes, no alignment is asked; the caller vouches for the features.
        unsafe {
            let tags = _mm512_and_si512(_mm512_castps_si512(self), _mm512_set1_epi32(mask as i32));
            _mm_storeu_si128(to.as_mut_ptr().cast(), _mm512_cvtepi32_epi8(tags));
        }
    }

    #[inline(always)]
    unsafe fn every_fourth(of: &[[f32; LANES]; 4]) -> [Self; 4] {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let [a, b, c, d] =
                [Self::load(&of[0]), Self::load(&of[1]), Self::load(&of[2]), Self::load(&of[3])];
            // Of two registers the values of number 0 and 1 modulo 4, then those of 2 and 3; then halves of these.
            let first = _mm512_set_epi32(29, 25, 21, 17, 13, 9, 5, 1, 28, 24, 20, 16, 12, 8, 4, 0);
            let last = _mm512_set_epi32(31, 27, 23, 19, 15, 11, 7, 3, 30, 26, 22, 18, 14, 10, 6, 2);
            let (ab, cd) = (_mm512_permutex2var_ps(a, first, b), _mm512_permutex2var_ps(c, first, d));
            let (ab_last, cd_last) = (_mm512_permutex2var_ps(a, last, b), _mm512_permutex2var_ps(c, last, d));
            [
                _mm512_shuffle_f32x4::<0b01_00_01_00>(ab, cd),
                _mm512_shuffle_f32x4::<0b11_10_11_10>(ab, cd),
                _mm512_shuffle_f32x4::<0b01_00_01_00>(ab_last, cd_last),
                _mm512_shuffle_f32x4::<0b11_10_11_10>(ab_last, cd_last),
            ]
        }
    }

    #[inline(always)]
    unsafe fn stages(self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let mut v = self;
            let partner = _mm512_permute_ps::<0b10_11_00_01>(v);
            v = _mm512_mask_sub_ps(_mm512_add_ps(v, partner), 0xaaaa, partner, v);
            let partner = _mm512_permute_ps::<0b01_00_11_10>(v);
            v = _mm512_mask_sub_ps(_mm512_add_ps(v, partner), 0xcccc, partner, v);
            let partner = _mm512_shuffle_f32x4::<0b10_11_00_01>(v, v);
            v = _mm512_mask_sub_ps(_mm512_add_ps(v, partner), 0xf0f0, partner, v);
            let partner = _mm512_shuffle_f32x4::<0b01_00_11_10>(v, v);
            _mm512_mask_sub_ps(_mm512_add_ps(v, partner), 0xff00, partner, v)
        }
    }
}

impl FusedFloats for __m512 {
    #[inline(always)]
    unsafe fn zero() -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_setzero_ps() }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_fmadd_ps(self, factor, sum) }
    }

    #[inline(always)]
    unsafe fn total(self) -> f32 {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_reduce_add_ps(self) }
    }

    type Wide = __m512d;

    #[inline(always)]
    unsafe fn wide_zero() -> __m512d {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_setzero_pd() }
    }

    #[inline(always)]
    unsafe fn add_to_wide(self, sums: __m512d) -> __m512d {
        // SAFETY: the caller vouches for the features.
        unsafe {
            let upper = _mm256_castpd_ps(_mm512_extractf64x4_pd::<1>(_mm512_castps_pd(self)));
            let both = _mm256_add_ps(_mm512_castps512_ps256(self), upper);
            _mm512_add_pd(sums, _mm512_cvtps_pd(both))
        }
    }

    #[inline(always)]
    unsafe fn wide_total(sums: __m512d) -> f64 {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_reduce_add_pd(sums) }
    }
}

impl Doubles<8> for __m512d {
    #[inline(always)]
    unsafe fn splat(value: f64) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_set1_pd(value) }
    }

    #[inline(always)]
    unsafe fn load(from: &[f64; 8]) -> Self {
        // SAFETY: the array is 64 readable bytes, no alignment is asked; the caller vouches for the features.
        unsafe { _mm512_loadu_pd(from.as_ptr()) }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [f64; 8]) {
        // SAFETY: the array is 64 writable bytes, no alignment is asked; the caller vouches for the features.
        unsafe { _mm512_storeu_pd(to.as_mut_ptr(), self) }
    }

    #[inline(always)]
    unsafe fn widen(from: &[f32; 8]) -> Self {
        // SAFETY: the array is 32 readable bytes, no alignment is asked; the caller vouches for the features.
        unsafe { _mm512_cvtps_pd(_mm256_loadu_ps(from.as_ptr())) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_add_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn sub(self, other: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_sub_pd(self, other) }
    }

    #[inline(always)]
    unsafe fn abs(self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_abs_pd(self) }
    }

    #[inline(always)]
    unsafe fn multiply_add(self, factor: Self, sum: Self) -> Self {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_fmadd_pd(self, factor, sum) }
    }

    #[inline(always)]
    unsafe fn total(self) -> f64 {
        // SAFETY: the caller vouches for the features.
        unsafe { _mm512_reduce_add_pd(self) }
    }

    #[inline(always)]
    unsafe fn widen_tail(from: &[f32]) -> Self {
        // SAFETY: the mask selects the first `min(8, from.len())` values, and masked-off ones are not touched; the caller
        // vouches for the features.
        unsafe { _mm512_cvtps_pd(_mm256_maskz_loadu_ps(first(from.len()), from.as_ptr())) }
    }

    #[inline(always)]
    unsafe fn load_tail(from: &[f64]) -> Self {
        // SAFETY: as in `widen_tail`.
        unsafe { _mm512_maskz_loadu_pd(first(from.len()), from.as_ptr()) }
    }
}

/// A mask of the first `count` of 8.
#[inline(always)]
fn first(count: usize) -> __mmask8 {
    if count >= 8 { u8::MAX } else { (1 << count) - 1 }
}
