//! How the fixed tables of trellis codes were found: what `tq_codec::trellis` has as constants.
#![allow(dead_code, unreachable_pub)]

use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore, SeedableRng};
use tq_codec::{CodeKind, Level};
use tq_format::BitWidth;
use tq_simd::{Trellis, TrellisRoom, Width};

/// Values of a row: so many that the zeros before its beginning don't matter.
const ROW: usize = 1024;

/// The seeds of the tables, of two bits and of four: the best of some thousand, as `examples/trellis_table.rs` tries them.
pub const SEEDS: [u64; 2] = [41, 976];

/// Rounds, and the values that they look at: many rounds with few values, then some with many.
pub fn schedule() -> [(usize, Vec<f32>); 2] {
    [(14, normals(1, 256)), (10, normals(2, 4096))]
}

/// Standard normal values, by Box and Muller's method, in rows of [`ROW`].
pub fn normals(seed: u64, rows: usize) -> Vec<f32> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut uniform = || ((rng.next_u64() >> 11) as f64 + 0.5) / (1u64 << 53) as f64;
    let pair = |_| {
        let (radius, angle) = (libm::sqrt(-2.0 * libm::log(uniform())), std::f64::consts::TAU * uniform());
        [(radius * libm::cos(angle)) as f32, (radius * libm::sin(angle)) as f32]
    };
    (0..rows * ROW / 2).flat_map(pair).collect()
}

/// The entries of states 0 to 127 that the iteration starts with. Each state's successors get values from all quarters of the
/// distribution (of two bits) or from anywhere (of four), the middles of 256 slices of equal probability.
fn start(width: BitWidth, seed: u64) -> Vec<f64> {
    let mut rng = ChaCha20Rng::seed_from_u64(seed);
    let mut shuffled = |count: usize| {
        let mut order: Vec<usize> = (0..count).collect();
        (1..count).rev().for_each(|i| order.swap(i, (rng.next_u64() % (i as u64 + 1)) as usize));
        order
    };
    let quantile = |slice: usize| normal_quantile((slice as f64 + 0.5) / 256.0);
    if width == BitWidth::Four {
        return shuffled(256)[..128].iter().map(|slice| quantile(*slice)).collect();
    }
    let quarters: [Vec<usize>; 4] = std::array::from_fn(|_| shuffled(64));
    let mut entries = vec![0.0; 256];
    for group in 0..64 {
        for (code, quarter) in shuffled(4).into_iter().enumerate() {
            entries[code << 6 | group] = quantile(64 * quarter + quarters[quarter][group]);
        }
    }
    entries.truncate(128);
    entries
}

/// The value below which a normal value is with probability `p`, by bisection.
fn normal_quantile(p: f64) -> f64 {
    let (mut low, mut high) = (-9.0, 9.0);
    for _ in 0..80 {
        let middle = 0.5 * (low + high);
        if 0.5 * libm::erfc(-middle / std::f64::consts::SQRT_2) < p { low = middle } else { high = middle }
    }
    0.5 * (low + high)
}

/// Both halves.
fn whole(half: &[f64]) -> Vec<f32> {
    half.iter().copied().chain(half.iter().rev().map(|entry| -entry)).map(|entry| entry as f32).collect()
}

/// The states of the best paths, and the mean squared error.
pub fn states(width: BitWidth, half: &[f64], values: &[f32], room: &mut TrellisRoom) -> (Vec<u8>, f64) {
    let (bits, table) = (width.bits(), whole(half));
    let kind = if width == BitWidth::Two { Width::TrellisTwo } else { Width::TrellisFour };
    let trellis = Trellis::new(kind, &table).unwrap();
    assert_eq!(table.len(), CodeKind::Trellis.entries(width));
    let mut grid = vec![0; values.len()];
    trellis.round(Level::detect(), values, &mut grid);
    let mut codes = vec![0; values.len()];
    trellis.encode(Level::detect(), ROW, &grid, &mut codes, room).unwrap();
    let mut sum = 0.0;
    for (codes, values) in codes.chunks_exact_mut(ROW).zip(values.chunks_exact(ROW)) {
        let mut state = 0u8;
        for (code, value) in codes.iter_mut().zip(values) {
            state = state >> bits | *code << (8 - bits);
            *code = state;
            sum += (f64::from(*value) - f64::from(table[usize::from(state)])).powi(2);
        }
    }
    (codes, sum / values.len() as f64)
}

/// The mean squared error of a table.
pub fn error_of(width: BitWidth, half: &[f64], values: &[f32]) -> f64 {
    states(width, half, values, &mut TrellisRoom::default()).1
}

/// One round: each entry becomes the mean of the values that its state, and the opposites of those that the complement's, stood for.
fn refine(width: BitWidth, half: &mut [f64], values: &[f32], room: &mut TrellisRoom) -> f64 {
    let (states, error) = states(width, half, values, room);
    let (mut sums, mut counts) = (vec![0.0f64; 256], vec![0u32; 256]);
    for (state, value) in states.iter().zip(values) {
        sums[usize::from(*state)] += f64::from(*value);
        counts[usize::from(*state)] += 1;
    }
    for (state, entry) in half.iter_mut().enumerate() {
        let count = counts[state] + counts[255 - state];
        if count > 0 {
            *entry = (sums[state] - sums[255 - state]) / f64::from(count);
        }
    }
    error
}

/// The table of a seed: the first rounds on a few values, the last on many. Returns the error of the last round as well.
pub fn derive(width: BitWidth, seed: u64, rounds: &[(usize, Vec<f32>)]) -> (Vec<f64>, f64) {
    let mut half = start(width, seed);
    let mut room = TrellisRoom::default();
    let mut error = f64::INFINITY;
    for (count, values) in rounds {
        for _ in 0..*count {
            error = refine(width, &mut half, values, &mut room);
        }
    }
    (half, error)
}
