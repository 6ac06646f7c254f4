//! quantvec's random stream: xoshiro256** seeded by SplitMix64 (D. Blackman and S. Vigna, *Scrambled linear pseudorandom number
//! generators*, 2021), and normal variables by Box and Muller's method.
//!
//! Which functions of the platform compute logarithm and sine is left open by JavaScript; `libm`'s give the matrices of
//! the golden files to the bit.

use std::f64::consts::PI;

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// Uniform and normal numbers from a seed.
pub(super) struct Random {
    state: [u64; 4],
    second: Option<f64>,
}

impl Random {
    /// The stream of any finite seed, of which the integral part counts, modulo 2⁶⁴.
    pub(super) fn new(seed: f64) -> Self {
        let mut counter = integral_part(seed);
        let mut state = [0; 4].map(|_: u64| {
            counter = counter.wrapping_add(GOLDEN_GAMMA);
            let mut z = counter;
            z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            z ^ (z >> 31)
        });
        if state == [0; 4] {
            state[0] = GOLDEN_GAMMA;
        }
        Self { state, second: None }
    }

    fn next(&mut self) -> u64 {
        let s = &mut self.state;
        let result = s[1].wrapping_mul(5).rotate_left(7).wrapping_mul(9);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// Uniform in [0, 1), with 53 bits.
    pub(super) fn uniform(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// The next normal variable. Two are made at a time; the second waits for the next call.
    pub(super) fn normal(&mut self) -> f64 {
        if let Some(value) = self.second.take() {
            return value;
        }
        let u1 = self.uniform().max(f64::EPSILON);
        let u2 = self.uniform();
        let radius = libm::sqrt(-2.0 * libm::log(u1));
        let angle = 2.0 * PI * u2;
        self.second = Some(radius * libm::sin(angle));
        radius * libm::cos(angle)
    }
}

/// The number truncated toward zero, modulo 2⁶⁴.
fn integral_part(number: f64) -> u64 {
    let bits = number.to_bits();
    let exponent = (bits >> 52 & 0x7ff) as i32 - 1075;
    let mantissa = bits & ((1 << 52) - 1) | 1 << 52;
    let magnitude = match exponent {
        64.. => 0,
        0..64 => mantissa << exponent,
        -63..0 => mantissa >> -exponent,
        _ => 0,
    };
    if number.is_sign_negative() { magnitude.wrapping_neg() } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integral_parts_wrap() {
        for (number, expected) in [
            (0.0, 0),
            (-0.0, 0),
            (0.99, 0),
            (f64::MIN_POSITIVE, 0),
            (3.7, 3),
            (-3.7, 3u64.wrapping_neg()),
            (42.0, 42),
            (2f64.powi(53) + 2.0, (1 << 53) + 2),
            (2f64.powi(63), 1 << 63),
            (2f64.powi(64), 0),
            (2f64.powi(64) + 4096.0, 4096),
            (-2f64.powi(63), 1 << 63),
            (f64::MAX, 0),
        ] {
            assert_eq!(integral_part(number), expected, "{number}");
        }
    }

    #[test]
    fn normals_have_the_right_moments() {
        let mut random = Random::new(1.0);
        let n = 200_000;
        let (mut mean, mut square) = (0.0, 0.0);
        for _ in 0..n {
            let x = random.normal();
            mean += x / f64::from(n);
            square += x * x / f64::from(n);
        }
        assert!(mean.abs() < 0.01, "mean {mean}");
        assert!((square - 1.0).abs() < 0.02, "variance {square}");
    }

    /// The upper halves of the words that the golden files list.
    #[test]
    fn first_words() {
        for (seed, words) in [
            (1.0, [3019026285u64, 2235258262, 2465765206, 1680743547]),
            (7.0, [3008953079, 1197227414, 3606172489, 4213782643]),
            (-3.0, [2201668609, 3102046829, 1098219146, 619924341]),
        ] {
            let mut random = Random::new(seed);
            assert_eq!(words.map(|_| random.next() >> 32), words, "{seed}");
        }
    }
}
