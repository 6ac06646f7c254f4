//! Sorted values less their mean, with the sums that Lloyd's iteration asks for, in little memory.
//!
//! A cell of the iteration is a range of the sorted values, and its mean takes the sums up to its ends. One sum of eight
//! bytes for each value would be twice the size of the values. So only every sixteenth is kept, and one in between is
//! the last one kept and a few additions: the same ones in the same order, and hence the same sum to the bit.

use super::sort::ROUND;
use crate::CodecError;

/// Values from one sum that is kept to the next.
const STEP: usize = 16;

pub(super) struct Centred<'a> {
    sorted: &'a [f32],
    pub(super) mean: f64,
    pub(super) deviation: f64,
    /// The sum of all values' squares.
    pub(super) squares: f64,
    /// `sums[i]` is the sum of the first `STEP · i` values.
    sums: Vec<f64>,
}

impl<'a> Centred<'a> {
    /// `sorted` is ascending and not empty. Polls at least every million values.
    ///
    /// # Errors
    /// [`CodecError::TrainingMemory`].
    pub(super) fn new(sorted: &'a [f32], poll: &mut dyn FnMut()) -> Result<Self, CodecError> {
        let count = sorted.len() as f64;
        let mut total = 0.0;
        for values in sorted.chunks(ROUND) {
            poll();
            total = values.iter().fold(total, |total, &value| total + f64::from(value));
        }
        let mean = total / count;
        let places = sorted.len() / STEP + 1;
        let mut sums = Vec::new();
        let out_of_memory = |_| CodecError::TrainingMemory { bytes: places * size_of::<f64>() };
        sums.try_reserve_exact(places).map_err(out_of_memory)?;
        let (mut sum, mut squares) = (0.0, 0.0);
        for values in sorted.chunks(ROUND) {
            poll();
            for values in values.chunks(STEP) {
                sums.push(sum);
                for &value in values {
                    let value = f64::from(value) - mean;
                    sum += value;
                    squares += value * value;
                }
            }
        }
        if sorted.len().is_multiple_of(STEP) {
            sums.push(sum);
        }
        Ok(Self { sorted, mean, deviation: (squares / count).sqrt(), squares, sums })
    }

    pub(super) fn len(&self) -> usize {
        self.sorted.len()
    }

    pub(super) fn value(&self, index: usize) -> f64 {
        f64::from(self.sorted[index]) - self.mean
    }

    /// The first place in `from..to` whose value isn't below the boundary, or `to`.
    pub(super) fn first_from(&self, from: usize, to: usize, boundary: f64) -> usize {
        from + self.sorted[from..to].partition_point(|&value| f64::from(value) - self.mean < boundary)
    }

    /// The first place in `from..to` whose value is above the one at `from`, or `to`.
    pub(super) fn first_above(&self, from: usize, to: usize) -> usize {
        let least = self.value(from);
        from + self.sorted[from..to].partition_point(|&value| f64::from(value) - self.mean <= least)
    }

    /// The sum of the first `count` values.
    pub(super) fn sum(&self, count: usize) -> f64 {
        let kept = count / STEP;
        let rest = &self.sorted[kept * STEP..count];
        rest.iter().fold(self.sums[kept], |sum, &value| sum + (f64::from(value) - self.mean))
    }

    pub(super) fn mean_of(&self, from: usize, to: usize) -> f64 {
        (self.sum(to) - self.sum(from)) / (to - from) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definitions, without rounds and without gaps between the sums.
    fn check(sorted: &[f32]) {
        let mut polls = 0;
        let ours = Centred::new(sorted, &mut || polls += 1).unwrap();
        assert_eq!(polls, 2 * sorted.len().div_ceil(ROUND));
        let count = sorted.len() as f64;
        let mean = sorted.iter().map(|&value| f64::from(value)).sum::<f64>() / count;
        let values: Vec<f64> = sorted.iter().map(|&value| f64::from(value) - mean).collect();
        let squares = values.iter().map(|value| value * value).sum::<f64>();
        let bits = |numbers: [f64; 3]| numbers.map(f64::to_bits);
        let expected = [mean, squares, (squares / count).sqrt()];
        assert_eq!(bits([ours.mean, ours.squares, ours.deviation]), bits(expected));
        let mut sum = 0.0f64;
        for (index, value) in values.iter().enumerate() {
            assert_eq!(ours.value(index).to_bits(), value.to_bits());
            assert_eq!(ours.sum(index).to_bits(), sum.to_bits(), "sum of {index} of {count} values");
            sum += value;
        }
        assert_eq!(ours.sum(values.len()).to_bits(), sum.to_bits(), "sum of all {count} values");
    }

    #[test]
    fn sums_are_those_of_plain_addition() {
        let ramp = |count: usize| (0..count).map(|i| 0.1 * i as f32 - 7.3).collect::<Vec<f32>>();
        for count in (1..=4 * STEP + 1).chain([ROUND - 1, ROUND, ROUND + 1, 2 * ROUND + STEP]) {
            check(&ramp(count));
        }
        check(&[-1e30, -1.0, 1e-30, 1.0, 3e38]);
    }

    #[test]
    fn places_are_found() {
        let sorted = [-2.0, -2.0, 0.0, 0.5, 1.0, 2.5];
        let ours = Centred::new(&sorted, &mut || ()).unwrap();
        assert_eq!(ours.mean, 0.0);
        assert_eq!([-3.0, -2.0, 0.2, 2.5, 9.0].map(|x| ours.first_from(0, 6, x)), [0, 0, 3, 5, 6]);
        assert_eq!([ours.first_from(1, 3, 5.0), ours.first_from(3, 5, -5.0)], [3, 3]);
        assert_eq!([ours.first_above(0, 6), ours.first_above(0, 2), ours.first_above(2, 6)], [2, 2, 3]);
        assert_eq!([ours.mean_of(0, 2), ours.mean_of(3, 5)], [-2.0, 0.75]);
    }
}
