//! Plain arrays as lanes, for levels whose features are the target's own: the compiler keeps them in registers.
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
