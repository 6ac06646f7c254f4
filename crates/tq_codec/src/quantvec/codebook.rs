//! The scalar quantiser of least squared error for a coordinate of a random unit vector.
//!
//! A coordinate of a uniformly distributed unit vector in *d* dimensions has density `∝ (1 - x²)^((d-3)/2)` on [-1, 1].
//! Lloyd and Max's conditions, every boundary half way between its centroids and every centroid the mean of its cell, have one
//! solution, since the density is log-concave (P. Fleischer, *Sufficient conditions for achieving minimum distortion in a quantizer*,
//! 1964). It is symmetric, so the positive half is found.
//!
//! With `x = sin t` the density becomes `cos^(d-2) t`, smooth up to the ends, and each cell is integrated by one
//! Gauss-Legendre rule about its middle, so that nothing cancels.

use std::f64::consts::{FRAC_PI_2, PI};

use tq_format::qvec;

/// Points of the rule. Also the outermost cell, eight standard deviations of which count, is integrated to 1e-15.
const POINTS: usize = 64;
/// The largest move of a centroid in the last step, far below `f32`.
const TOLERANCE: f64 = 1e-14;
/// Several times as many steps as are needed, from 8 dimensions to 16000.
const MOST_STEPS: usize = 100;
/// Where the density has fallen by this power of *e*, the tail ends.
const TAIL: f64 = 45.0;

/// Centroids and the boundaries between them, rounded to `f32` as quantvec has them.
pub(super) struct QuantvecCodebook {
    /// 16 places, so that no code is out of range.
    centroids: [f32; 16],
    boundaries: Vec<f32>,
}

impl QuantvecCodebook {
    pub(super) fn new(dimension: u32, bits: qvec::Bits) -> Self {
        let half = solve(f64::from(dimension), bits.levels() / 2);
        let all: Vec<f64> = half.iter().rev().map(|c| -c).chain(half.iter().copied()).collect();
        let mut centroids = [0.0; 16];
        centroids.iter_mut().zip(&all).for_each(|(centroid, &c)| *centroid = c as f32);
        let boundaries = all.windows(2).map(|pair| ((pair[0] + pair[1]) / 2.0) as f32).collect();
        Self { centroids, boundaries }
    }

    pub(super) fn centroids(&self) -> &[f32] {
        &self.centroids[..self.boundaries.len() + 1]
    }

    pub(super) fn centroid(&self, code: u8) -> f32 {
        self.centroids[usize::from(code & 15)]
    }

    /// The boundaries between the cells, ascending.
    pub(super) fn boundaries(&self) -> &[f32] {
        &self.boundaries
    }

    /// The code of a number: how many boundaries are at or below it.
    pub(super) fn quantize(&self, value: f64) -> u8 {
        self.boundaries.iter().filter(|boundary| value >= f64::from(**boundary)).count() as u8
    }
}

/// The positive centroids, ascending: by Newton's method on `mean of cell - centroid`, whose Jacobian is tridiagonal; a step
/// that would mix up the centroids is Lloyd's instead, who takes the means themselves.
fn solve(dimension: f64, count: usize) -> Vec<f64> {
    let rule = gauss_legendre();
    // Spread over two and a half standard deviations.
    let mut centroids: Vec<f64> =
        (0..count).map(|i| 2.5 * (i as f64 + 0.5) / count as f64 / dimension.sqrt()).collect();
    for _ in 0..MOST_STEPS {
        let cells = cells(dimension, &centroids, &rule);
        let moves = newton_step(&centroids, &cells);
        let mut moved: Vec<f64> = centroids.iter().zip(&moves).map(|(c, step)| c + step).collect();
        if !(moved[0] > 0.0 && moved[count - 1] < 1.0 && moved.is_sorted_by(|a, b| a < b)) {
            moved = cells.iter().map(|cell| cell.mean).collect();
        }
        let farthest = moved.iter().zip(&centroids).map(|(new, old)| (new - old).abs()).fold(0.0, f64::max);
        centroids = moved;
        if farthest < TOLERANCE {
            break;
        }
    }
    centroids
}

/// A cell's mean, and how much it moves with either end of the cell.
struct Cell {
    mean: f64,
    by_low: f64,
    by_high: f64,
}

/// The cells between 0, the middles of neighbouring centroids, and 1.
fn cells(dimension: f64, centroids: &[f64], rule: &[(f64, f64)]) -> Vec<Cell> {
    let mut low = 0.0;
    (0..centroids.len())
        .map(|i| {
            let high = centroids.get(i + 1).map(|next| (centroids[i] + next) / 2.0);
            let cell = cell(dimension, low, high, rule);
            low = high.unwrap_or(1.0);
            cell
        })
        .collect()
}

/// Solves `(I - J) steps = means - centroids`. In a log-concave density a mean moves less than its cell, so `I - J` is diagonally
/// dominant and needs no pivots.
fn newton_step(centroids: &[f64], cells: &[Cell]) -> Vec<f64> {
    let last = cells.len() - 1;
    // A boundary moves half as far as either of its centroids; the first cell's lower end stays at 0.
    let below = |i: usize| if i > 0 { cells[i].by_low / 2.0 } else { 0.0 };
    let above = |i: usize| if i < last { cells[i].by_high / 2.0 } else { 0.0 };
    let (mut factors, mut steps) = (vec![0.0; cells.len()], vec![0.0; cells.len()]);
    for i in 0..=last {
        let (factor, step) = if i > 0 { (factors[i - 1], steps[i - 1]) } else { (0.0, 0.0) };
        let pivot = 1.0 - below(i) - above(i) - below(i) * factor;
        factors[i] = above(i) / pivot;
        steps[i] = (cells[i].mean - centroids[i] + below(i) * step) / pivot;
    }
    for i in (0..last).rev() {
        steps[i] += factors[i] * steps[i + 1];
    }
    steps
}

/// The cell between `low` and `high`, or the end.
fn cell(dimension: f64, low: f64, high: Option<f64>, rule: &[(f64, f64)]) -> Cell {
    let power = dimension - 2.0;
    let start = libm::asin(low);
    let peak = libm::log(libm::cos(start));
    let end = high.map_or_else(|| libm::acos(libm::exp(peak - TAIL / power)), libm::asin).min(FRAC_PI_2);
    let (middle, half) = ((start + end) / 2.0, (end - start) / 2.0);
    let centre = libm::sin(middle);
    let (mut mass, mut moment) = (0.0, 0.0);
    for &(node, weight) in rule {
        let t = middle + half * node;
        let density = weight * libm::exp(power * (libm::log(libm::cos(t)) - peak));
        mass += density;
        moment += density * (libm::sin(t) - centre);
    }
    let mean = centre + moment / mass;
    // The density over x, which is that over t by dx = cos t dt, in proportion to the cell's mass.
    let at = |t: f64| libm::exp(power * (libm::log(libm::cos(t)) - peak)) / libm::cos(t) / (half * mass);
    let by_high = high.map_or(0.0, |high| at(end) * (high - mean));
    Cell { mean, by_low: at(start) * (mean - low), by_high }
}

/// Nodes in [-1, 1] and their weights, by Newton's method on the Legendre recurrence.
fn gauss_legendre() -> [(f64, f64); POINTS] {
    let n = POINTS as f64;
    std::array::from_fn(|i| {
        let mut x = libm::cos(PI * (i as f64 + 0.75) / (n + 0.5));
        let mut slope = 1.0;
        // Converges quadratically from a good start.
        for _ in 0..8 {
            let (mut before, mut value) = (1.0, x);
            for k in 2..=POINTS {
                let k = k as f64;
                (before, value) = (value, ((2.0 * k - 1.0) * x * value - (k - 1.0) * before) / k);
            }
            slope = n * (x * value - before) / (x * x - 1.0);
            x -= value / slope;
        }
        (x, 2.0 / ((1.0 - x * x) * slope * slope))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Published values for 8 dimensions at 2 bits and 64 at 3, which quantvec tests itself against.
    #[test]
    fn known_codebooks() {
        for (dimension, bits, expected) in [
            (8, qvec::Bits::Two, &[0.157_922_1, 0.504_824_65][..]),
            (64, qvec::Bits::Three, &[0.030_469_18, 0.093_832_26, 0.166_167_86, 0.263_913_93]),
        ] {
            let codebook = QuantvecCodebook::new(dimension, bits);
            let (low, high) = codebook.centroids().split_at(expected.len());
            for ((low, high), expected) in low.iter().rev().zip(high).zip(expected) {
                assert_eq!(low, &-high);
                assert!((high - expected).abs() < 2e-8, "{high} {expected}");
            }
        }
    }

    /// In many dimensions the density is the normal one, whose quantiser is known to many digits.
    #[test]
    fn many_dimensions_are_normal() {
        let codebook = QuantvecCodebook::new(16_000, qvec::Bits::Four);
        let normal = crate::lloyd_max::positive_half(tq_format::BitWidth::Four);
        for (got, normal) in codebook.centroids()[8..].iter().zip(normal) {
            let expected = normal / 16_000f64.sqrt();
            assert!((f64::from(*got) / expected - 1.0).abs() < 3e-4, "{got} {expected}");
        }
    }

    #[test]
    fn centroids_are_the_means_of_their_cells() {
        let rule = gauss_legendre();
        for dimension in [8.0, 16.0, 24.0, 384.0, 1536.0, 16_000.0] {
            for count in [2, 4, 8] {
                let centroids = solve(dimension, count);
                for (centroid, cell) in centroids.iter().zip(cells(dimension, &centroids, &rule)) {
                    let off = (centroid - cell.mean).abs();
                    assert!(off < 1e-13, "{off} at {centroid} in {dimension} dimensions");
                }
            }
        }
    }

    #[test]
    fn codes_count_boundaries() {
        let codebook = QuantvecCodebook::new(24, qvec::Bits::Three);
        for (code, boundary) in (0..).zip(codebook.boundaries()) {
            assert_eq!(codebook.quantize((*boundary).into()), code + 1);
            assert_eq!(codebook.quantize(boundary.next_down().into()), code);
        }
        assert_eq!((codebook.quantize(-2.0), codebook.quantize(2.0)), (0, 7));
    }
}
