//! Plain arrays as lanes, for the scalar level and for those whose features are the target's own: the compiler keeps them in registers.
#![allow(unsafe_code)]

use super::{Floats, LANES};

impl Floats for [f32; LANES] {
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
    unsafe fn splat(value: f32) -> Self {
        [value; LANES]
    }

    #[inline(always)]
    unsafe fn mul(mut self, other: Self) -> Self {
        for (a, b) in self.iter_mut().zip(other) {
            *a *= b;
        }
        self
    }

    #[inline(always)]
    unsafe fn least(mut self, other: Self) -> Self {
        for (a, b) in self.iter_mut().zip(other) {
            *a = if b < *a { b } else { *a };
        }
        self
    }

    #[inline(always)]
    unsafe fn with_tag(self, mask: u32, tag: u32) -> Self {
        self.map(|value| f32::from_bits(value.to_bits() & !mask | tag))
    }

    #[inline(always)]
    unsafe fn shift_in<const BITS: u32>(mut self, tags: Self) -> Self {
        for (value, tag) in self.iter_mut().zip(tags) {
            *value = f32::from_bits(value.to_bits() >> BITS | tag.to_bits() << (32 - BITS));
        }
        self
    }

    #[inline(always)]
    unsafe fn store_bits(self, to: &mut [u32; LANES]) {
        *to = self.map(f32::to_bits);
    }

    #[inline(always)]
    unsafe fn store_tags(self, mask: u32, to: &mut [u8; LANES]) {
        *to = self.map(|value| (value.to_bits() & mask) as u8);
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
