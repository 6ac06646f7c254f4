//! Rows, codebooks and the oracle that the kernels are held to.
#![allow(dead_code)]

pub(crate) mod fence;
pub(crate) mod path;

use half::f16;
use std::fmt;
use tq_simd::{Level, Width};

/// Says once per test which level runs, and whether it can.
pub(crate) fn announce(level: Level) -> bool {
    let available = level.is_available();
    let verb = if available { "testing" } else { "SKIPPED: not available here:" };
    eprintln!("{verb} level {}", level.name());
    available
}

/// Every tail length of every kernel, and the dimensions that people have.
pub(crate) fn dimensions() -> impl Iterator<Item = usize> {
    // Miri is a thousand times slower.
    let (all, some): (usize, &[usize]) =
        if cfg!(miri) { (9, &[33, 67]) } else { (300, &[384, 768, 1000, 1536, 3072, 4099, 16384]) };
    (1..=all).chain(some.iter().copied())
}

/// A small generator (splitmix64), so that failures repeat.
pub(crate) struct Rng(u64);

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Uniform in -1 to 1.
    pub(crate) fn uniform(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    }

    /// Bell-shaped enough, with variance 1.
    pub(crate) fn normals(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.uniform() + self.uniform() + self.uniform()).collect()
    }
}

/// A symmetric codebook for unit vectors; at small dimensions also one that is not symmetric and repeats an entry.
pub(crate) fn codebooks(width: Width, d: usize, rng: &mut Rng) -> Vec<Vec<f32>> {
    let levels = width.levels() as f32;
    let scale = 3.0 / (levels * (d as f32).sqrt());
    let symmetric = (0..width.levels()).map(|k| (k as f32 - (levels - 1.0) / 2.0) * scale).collect();
    let mut lopsided: Vec<f32> = (0..width.levels()).map(|_| 5.0 * rng.uniform() + 2.0).collect();
    lopsided.sort_by(f32::total_cmp);
    lopsided[1] = lopsided[2];
    let mut all = if d <= 300 { vec![symmetric, lopsided] } else { vec![symmetric] };
    if width.is_trellis() {
        all.push(short_and_symmetric(rng));
    }
    all
}

/// Entries as those of the fixed tables of trellis codes: their lower halves zero, complementary ones opposite.
fn short_and_symmetric(rng: &mut Rng) -> Vec<f32> {
    let half: Vec<f32> = rng.normals(128).iter().map(|x| f32::from_bits(x.to_bits() & 0xffff_0000)).collect();
    half.iter().copied().chain(half.iter().rev().map(|x| -x)).collect()
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Codes {
    Random,
    Constant(u8),
    /// Zero but for one code, at that dimension.
    OneHot(usize),
}

/// A row's bytes at some offset in a buffer.
pub(crate) struct Row {
    kind: Codes,
    offset: usize,
    codes: Vec<u8>,
    residual: Option<Vec<u8>>,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} offset {} residual {}", self.kind, self.offset, self.residual.is_some())
    }
}

impl Row {
    /// The high bits after the last code are set at random, as nothing below the record's validation may rely on them.
    pub(crate) fn new(width: Width, d: usize, kind: Codes, with_residual: bool, rng: &mut Rng) -> Row {
        let mut codes = vec![0u8; width.packed_len(d)];
        let levels = 1u64 << width.bits();
        let slots = codes.len() * 8 / width.bits() as usize;
        for i in 0..slots {
            let code = match kind {
                _ if i >= d => rng.next() % levels,
                Codes::Random => rng.next() % levels,
                Codes::Constant(code) => u64::from(code) % levels,
                Codes::OneHot(hot) => u64::from(i == hot) * (levels - 1),
            };
            let bit = i * width.bits() as usize;
            codes[bit / 8] |= (code as u8) << (bit % 8);
        }
        let residual = with_residual
            .then(|| (0..d).flat_map(|_| f16::from_f32(0.01 * rng.uniform()).to_le_bytes()).collect());
        Row { kind, offset: 0, codes, residual }
    }

    /// The same bytes, `offset` bytes into longer buffers whose other bytes are all ones.
    pub(crate) fn at_offset(&self, offset: usize) -> Row {
        let shift = |bytes: &[u8]| {
            let mut shifted = vec![0xff; offset];
            shifted.extend_from_slice(bytes);
            shifted
        };
        Row { kind: self.kind, offset, codes: shift(self.codes()), residual: self.residual().map(shift) }
    }

    pub(crate) fn codes(&self) -> &[u8] {
        &self.codes[self.offset..]
    }

    pub(crate) fn residual(&self) -> Option<&[u8]> {
        self.residual.as_deref().map(|residual| &residual[self.offset..])
    }
}

/// Rows of each kind, with and without residual.
pub(crate) fn rows(width: Width, d: usize, rng: &mut Rng) -> Vec<Row> {
    let kinds = [
        Codes::Random,
        Codes::Constant(0),
        Codes::Constant(0xff),
        Codes::OneHot(d - 1),
        Codes::OneHot(d / 2),
    ];
    let each = |kind| [false, true].map(|with_residual| (kind, with_residual));
    kinds
        .into_iter()
        .flat_map(each)
        .map(|(kind, with_residual)| Row::new(width, d, kind, with_residual, rng))
        .collect()
}

/// The definition, bit by bit.
pub(crate) mod oracle {
    use half::f16;
    use tq_simd::Width;

    pub(crate) fn code(width: Width, codes: &[u8], i: usize) -> usize {
        let bits = width.bits() as usize;
        let bit = |k| usize::from(codes[k / 8] >> (k % 8) & 1);
        (0..bits).map(|k| bit(i * bits + k) << k).sum()
    }

    pub(crate) fn values(
        width: Width,
        d: usize,
        codes: &[u8],
        residual: Option<&[u8]>,
        codebook: &[f32],
    ) -> Vec<f64> {
        (0..d)
            .map(|i| {
                // The state of a trellis: codes up to this one, the newest highest; those before the first are zero.
                let entry = if width.is_trellis() {
                    let newest_first = (0..=i).rev().map(|k| code(width, codes, k));
                    let state = newest_first.take(8 / width.bits() as usize).enumerate();
                    codebook[state
                        .map(|(age, code)| code << (8 - (age + 1) * width.bits() as usize))
                        .sum::<usize>()]
                } else {
                    codebook[code(width, codes, i)]
                };
                f64::from(match residual {
                    Some(bytes) => entry + f16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]).to_f32(),
                    None => entry,
                })
            })
            .collect()
    }

    pub(crate) fn dot<A: Copy + Into<f64>, B: Copy + Into<f64>>(a: &[A], b: &[B]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (*a).into() * (*b).into()).sum()
    }

    pub(crate) fn squared_l2(a: &[f32], b: &[f64]) -> f64 {
        a.iter().zip(b).map(|(a, b)| (f64::from(*a) - b).powi(2)).sum()
    }
}

#[track_caller]
pub(crate) fn assert_close(value: f64, expected: f64, tolerance: f64, what: &str) {
    let error = (value - expected).abs();
    // A few roundings of the `f64` oracle itself stay allowed when the tolerance is nought.
    let allowed = tolerance.max(1e-12 * expected.abs());
    assert!(error <= allowed, "{what}: {value:e} instead of {expected:e}, off by {error:e} > {allowed:e}");
}
