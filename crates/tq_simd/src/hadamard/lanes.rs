//! Sixteen neighbouring numbers, in registers of the level, with the few operations that a transform needs.
#![allow(unsafe_code)]

/// How many.
pub(super) const LANES: usize = 16;

/// Sixteen `f32`. Every operation rounds each lane once, as the scalar ones do.
pub(super) trait Lanes: Copy {
    /// # Safety
    /// The processor has the features of the implementation; so for the other functions.
    unsafe fn load(from: &[f32; LANES]) -> Self;
    /// # Safety
    /// As for [`Lanes::load`].
    unsafe fn store(self, to: &mut [f32; LANES]);
    /// Flips the sign bits set in `signs`, then multiplies by `scale`.
    /// # Safety
    /// As for [`Lanes::load`].
    unsafe fn flip_and_scale(self, signs: &[u32; LANES], scale: f32) -> Self;
    /// # Safety
    /// As for [`Lanes::load`].
    unsafe fn add(self, other: Self) -> Self;
    /// # Safety
    /// As for [`Lanes::load`].
    unsafe fn sub(self, other: Self) -> Self;
    /// The stages of strides 1, 2, 4 and 8.
    /// # Safety
    /// As for [`Lanes::load`].
    unsafe fn stages(self) -> Self;
}

/// For any processor.
impl Lanes for [f32; LANES] {
    #[inline(always)]
    unsafe fn load(from: &[f32; LANES]) -> Self {
        *from
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [f32; LANES]) {
        *to = self;
    }

    #[inline(always)]
    unsafe fn flip_and_scale(mut self, signs: &[u32; LANES], scale: f32) -> Self {
        for (value, sign) in self.iter_mut().zip(signs) {
            *value = f32::from_bits(value.to_bits() ^ sign) * scale;
        }
        self
    }

    #[inline(always)]
    unsafe fn add(mut self, other: Self) -> Self {
        for (a, b) in self.iter_mut().zip(other) {
            *a += b;
        }
        self
    }

    #[inline(always)]
    unsafe fn sub(mut self, other: Self) -> Self {
        for (a, b) in self.iter_mut().zip(other) {
            *a -= b;
        }
        self
    }

    #[inline(always)]
    unsafe fn stages(mut self) -> Self {
        for stride in [1, 2, 4, 8] {
            for i in 0..LANES {
                if i & stride == 0 {
                    (self[i], self[i + stride]) = (self[i] + self[i + stride], self[i] - self[i + stride]);
                }
            }
        }
        self
    }
}

#[cfg(target_arch = "x86_64")]
pub(super) mod x86_64 {
    use super::{LANES, Lanes};
    use std::arch::x86_64::*;

    /// One register of AVX-512.
    impl Lanes for __m512 {
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

    /// Two registers of AVX.
    impl Lanes for [__m256; 2] {
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
}
