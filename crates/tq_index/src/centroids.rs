//! Centroids of lists: points of the rotated space, which rows and queries are compared with.
//!
//! Each is kept as a scale and a code of eight bits a dimension, `c_i = scale · (code_i - 128)`, and is that point from then on, for
//! the build, for inserts and for searches. For cosine, rows and queries are taken at unit length. Near is what is near by Euclidean
//! distance, for all metrics: `|x - c|² = |x|² - 2 (<x, c> - |c|² / 2)`.

use tq_codec::Metric;
use tq_simd::{Level, ScanQuery, Width};

use crate::error::{IndexError, damaged};
use crate::list_pages::{self, CENTROID_HEAD};

/// The centroids of all lists.
#[derive(Debug)]
pub(crate) struct Centroids {
    dimension: usize,
    bytes: Vec<u8>,
    sum: u32,
}

/// Bytes summed up, their places too.
fn sum_of(bytes: &[u8]) -> u32 {
    let sum = bytes.chunks(8).fold(0u64, |sum, bytes| {
        let mut word = [0; 8];
        word[..bytes.len()].copy_from_slice(bytes);
        (sum.rotate_left(5) ^ u64::from_le_bytes(word)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    });
    (sum >> 32) as u32
}

/// The values of codes, for the kernels.
fn entries() -> [f32; 256] {
    std::array::from_fn(|code| code as f32 - 128.0)
}

impl Centroids {
    /// Rounds points (count × d, row-major) to what is kept of them.
    pub(crate) fn new(points: &[f32], dimension: usize) -> Result<Self, IndexError> {
        let count = points.len() / dimension.max(1);
        let mut bytes = tq_memory::with_capacity(count * list_pages::centroid_bytes(dimension))?;
        for point in points.chunks_exact(dimension) {
            let largest = point.iter().fold(0f32, |largest, x| largest.max(x.abs()));
            let scale = if largest > 0.0 { largest / 127.0 } else { 1.0 };
            let code = |x: &f32| (x / scale).round().clamp(-127.0, 127.0) + 128.0;
            let value = |x: &f32| f64::from(scale) * f64::from(code(x) - 128.0);
            let square: f64 = point.iter().map(|x| value(x) * value(x)).sum();
            bytes.extend_from_slice(&scale.to_le_bytes());
            bytes.extend_from_slice(&(square as f32).to_le_bytes());
            bytes.extend(point.iter().map(|x| code(x) as u8));
        }
        let sum = sum_of(&bytes);
        Ok(Self { dimension, bytes, sum })
    }

    /// Those that were read, from pages that begin at `block`.
    pub(crate) fn of_bytes(
        bytes: Vec<u8>,
        dimension: usize,
        sum: u32,
        block: u32,
    ) -> Result<Self, IndexError> {
        let centroids = Self { dimension, sum: sum_of(&bytes), bytes };
        let numbers = centroids.each().all(|(scale, square, _)| scale.is_finite() && square.is_finite());
        if centroids.sum != sum || !numbers {
            return Err(damaged(block, "centroids that aren't those that were built"));
        }
        Ok(centroids)
    }

    /// What is kept.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the bytes add up to.
    pub(crate) fn sum(&self) -> u32 {
        self.sum
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.bytes.len() / list_pages::centroid_bytes(self.dimension)
    }

    /// Scale, squared norm and codes of each.
    fn each(&self) -> impl Iterator<Item = (f32, f32, &[u8])> {
        self.bytes.chunks_exact(list_pages::centroid_bytes(self.dimension)).map(|bytes| {
            let (head, codes) = bytes.split_at(CENTROID_HEAD);
            let numbers = head.as_chunks::<4>().0;
            (f32::from_le_bytes(numbers[0]), f32::from_le_bytes(numbers[1]), codes)
        })
    }

    /// The points, row-major, and of each half of its squared norm.
    pub(crate) fn points(&self) -> Result<(Vec<f32>, Vec<f32>), IndexError> {
        let mut points = tq_memory::with_capacity(self.count() * self.dimension)?;
        let mut halves = tq_memory::with_capacity(self.count())?;
        for (scale, square, codes) in self.each() {
            points.extend(codes.iter().map(|code| scale * (f32::from(*code) - 128.0)));
            halves.push(square / 2.0);
        }
        Ok((points, halves))
    }

    /// How far each is from a vector of the rotated space, in numbers that only compare: appended to `out`.
    pub(crate) fn distances(
        &self,
        metric: Metric,
        rotated: &[f32],
        level: Level,
        out: &mut Vec<f32>,
    ) -> Result<(), IndexError> {
        let unit = unit_scale(metric, rotated);
        let query = ScanQuery::new(level, Width::Eight, rotated, &entries())?;
        out.clear();
        out.extend(self.each().map(|(scale, square, codes)| {
            let along = unit * f64::from(scale) * query.dot(codes, None);
            (f64::from(square) / 2.0 - along) as f32
        }));
        Ok(())
    }
}

/// What a vector is multiplied by before it is compared with centroids.
pub(crate) fn unit_scale(metric: Metric, rotated: &[f32]) -> f64 {
    if metric != Metric::Cosine {
        return 1.0;
    }
    let norm = rotated.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if norm > 0.0 { 1.0 / norm } else { 1.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_near_and_is_found_again() {
        let points: Vec<f32> = (0..40 * 30).map(|i| ((i * i % 97) as f32 - 48.0) / 300.0).collect();
        let centroids = Centroids::new(&points, 30).unwrap();
        let (kept, halves) = centroids.points().unwrap();
        assert!(points.iter().zip(&kept).all(|(a, b)| (a - b).abs() <= 0.5 * 0.16 / 127.0 + 1e-6));
        for (point, half) in kept.chunks(30).zip(&halves) {
            assert!((point.iter().map(|x| x * x).sum::<f32>() / 2.0 - half).abs() < 1e-5);
        }
        let mut distances = Vec::with_capacity(40);
        for (at, point) in kept.chunks(30).enumerate() {
            centroids.distances(Metric::L2, point, Level::detect(), &mut distances).unwrap();
            let nearest = (0..40).min_by(|a, b| distances[*a].total_cmp(&distances[*b])).unwrap();
            assert_eq!(kept[nearest * 30..][..30], kept[at * 30..][..30]);
        }
        let again = Centroids::of_bytes(centroids.bytes().to_vec(), 30, centroids.sum(), 9).unwrap();
        assert_eq!((again.count(), again.sum()), (40, centroids.sum()));
        let mut damage = centroids.bytes().to_vec();
        damage[77] ^= 1;
        assert!(Centroids::of_bytes(damage, 30, centroids.sum(), 9).is_err());
    }
}
