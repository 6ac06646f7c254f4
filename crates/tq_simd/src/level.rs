//! Which instruction set the kernels use, found at run time.

use std::sync::OnceLock;

/// An instruction set for which there are kernels, or the scalar definition.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum Level {
    /// Portable code; always available, and the definition of every result.
    Scalar,
    /// x86-64 with AVX2, FMA and F16C.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ and VL, and all that [`Level::Avx2`] asks. VBMI, VNNI and VPOPCNTDQ
    /// are used where present.
    Avx512,
    /// AArch64 Advanced SIMD, little-endian.
    Neon,
}

/// What the processor offers, asked once.
#[cfg_attr(not(target_arch = "x86_64"), allow(dead_code))]
#[derive(Clone, Copy)]
struct Features {
    avx2: bool,
    avx512: bool,
    byte_permutes: bool,
    bit_counts: bool,
    byte_products: bool,
}

#[cfg(target_arch = "x86_64")]
fn ask_processor() -> Features {
    use std::arch::is_x86_feature_detected as has;
    let avx2 = has!("avx2") && has!("fma") && has!("f16c");
    let avx512 = avx2 && has!("avx512f") && has!("avx512bw") && has!("avx512dq") && has!("avx512vl");
    Features {
        avx2,
        avx512,
        byte_permutes: avx512 && has!("avx512vbmi"),
        bit_counts: avx512 && has!("avx512vpopcntdq"),
        byte_products: avx512 && has!("avx512vnni"),
    }
}

#[cfg(not(target_arch = "x86_64"))]
fn ask_processor() -> Features {
    Features { avx2: false, avx512: false, byte_permutes: false, bit_counts: false, byte_products: false }
}

fn features() -> Features {
    static FEATURES: OnceLock<Features> = OnceLock::new();
    *FEATURES.get_or_init(ask_processor)
}

/// Whether AVX-512 VBMI (byte permutes through two registers) accompanies [`Level::Avx512`].
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_byte_permutes() -> bool {
    features().byte_permutes
}

/// Whether AVX-512 VPOPCNTDQ (counts of bits in each lane) accompanies [`Level::Avx512`].
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_bit_counts() -> bool {
    features().bit_counts
}

/// Whether AVX-512 VNNI (sums of products of bytes) accompanies [`Level::Avx512`].
#[cfg(target_arch = "x86_64")]
pub(crate) fn has_byte_products() -> bool {
    features().byte_products
}

impl Level {
    /// Every level, weakest first.
    pub const ALL: [Level; 4] = [Level::Scalar, Level::Neon, Level::Avx2, Level::Avx512];

    /// The best level that this processor offers; the answer is cached.
    pub fn detect() -> Level {
        match features() {
            Features { avx512: true, .. } => Level::Avx512,
            Features { avx2: true, .. } => Level::Avx2,
            _ if Level::Neon.is_available() => Level::Neon,
            _ => Level::Scalar,
        }
    }

    /// Whether this processor, and this build, can run the level's kernels.
    pub fn is_available(self) -> bool {
        match self {
            Level::Scalar => true,
            Level::Avx2 => features().avx2,
            Level::Avx512 => features().avx512,
            // A part of the architecture as Rust's targets have it.
            Level::Neon => cfg!(all(target_arch = "aarch64", target_endian = "little")),
        }
    }

    /// The levels that [`Level::is_available`] accepts, weakest first.
    pub fn available() -> Vec<Level> {
        Level::ALL.into_iter().filter(|level| level.is_available()).collect()
    }

    /// The lower-case name, as settings spell it.
    pub fn name(self) -> &'static str {
        match self {
            Level::Scalar => "scalar",
            Level::Avx2 => "avx2",
            Level::Avx512 => "avx512",
            Level::Neon => "neon",
        }
    }

    /// The level with that exact [`Level::name`], available or not.
    pub fn from_name(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.name() == name)
    }

    /// The level itself when it is available, else scalar.
    pub(crate) fn or_scalar(self) -> Level {
        if self.is_available() { self } else { Level::Scalar }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for level in Level::ALL {
            assert_eq!(Level::from_name(level.name()), Some(level));
        }
        assert_eq!(Level::from_name("AVX2"), None);
        assert_eq!(Level::from_name(""), None);
    }

    #[test]
    fn the_detected_level_is_the_best_available() {
        let available = Level::available();
        assert_eq!(available[0], Level::Scalar);
        assert_eq!(available.last(), Some(&Level::detect()));
    }
}
