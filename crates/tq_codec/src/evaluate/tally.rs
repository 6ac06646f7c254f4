//! Sums and nearest rows of a block, and of all blocks.

use std::cmp::Ordering;
use tq_memory::{Grow, OutOfMemory};

/// The rows nearest to a query among those offered.
#[derive(Debug, Clone, Default)]
pub(super) struct NearestRows(Vec<(f64, usize)>);

impl NearestRows {
    /// NaN, which has no place, comes last.
    fn order(a: &(f64, usize), b: &(f64, usize)) -> Ordering {
        a.0.total_cmp(&b.0).then(a.1.cmp(&b.1))
    }

    /// So many of them, without rows.
    pub(super) fn of(queries: usize) -> Result<Vec<Self>, OutOfMemory> {
        tq_memory::filled(queries, NearestRows::default())
    }

    /// Room for so many rows more, which may then be offered.
    pub(super) fn room(&mut self, rows: usize) -> Result<(), OutOfMemory> {
        self.0.try_room_exact(rows)
    }

    pub(super) fn offer(&mut self, distance: f64, row: usize) {
        self.0.push((distance, row));
    }

    /// Forgets all but the nearest `k`; of equally near rows the first stay.
    pub(super) fn keep(&mut self, k: usize) {
        if self.0.len() > k && k > 0 {
            self.0.select_nth_unstable_by(k - 1, Self::order);
            self.0.truncate(k);
        }
        // Blocks are many, and what they keep is little.
        self.0.shrink_to_fit();
    }

    pub(super) fn merge(&mut self, other: &Self, k: usize) -> Result<(), OutOfMemory> {
        self.0.try_extend(&other.0)?;
        self.keep(k);
        Ok(())
    }

    /// The rows' numbers, ascending.
    pub(super) fn rows(&self) -> Result<Vec<usize>, OutOfMemory> {
        let mut rows = tq_memory::collected(self.0.iter().map(|(_, row)| *row))?;
        rows.sort_unstable();
        Ok(rows)
    }
}

/// What is counted of a codec's records.
#[derive(Debug)]
pub(super) struct Tally {
    error: f64,
    square: f64,
    pairs: Pairs,
    /// For each query.
    pub(super) nearest: Vec<NearestRows>,
}

/// Sums over pairs of an exact similarity x and an approximate one y.
#[derive(Debug, Default)]
struct Pairs {
    count: f64,
    x: f64,
    y: f64,
    xx: f64,
    xy: f64,
    yy: f64,
}

impl Tally {
    pub(super) fn new(queries: usize) -> Result<Self, OutOfMemory> {
        Ok(Self { error: 0.0, square: 0.0, pairs: Pairs::default(), nearest: NearestRows::of(queries)? })
    }

    /// Counts a row by the squared norms of its error and of itself.
    pub(super) fn add_error(&mut self, error: f64, square: f64) {
        self.error += error;
        self.square += square;
    }

    /// Counts a pair of query and row. A record that decodes to zero has no direction, so it is like nothing.
    pub(super) fn add_pair(&mut self, query: usize, row: usize, x: f64, distance: f64) {
        let y = if distance.is_nan() { 0.0 } else { 1.0 - distance };
        let pairs = &mut self.pairs;
        pairs.count += 1.0;
        pairs.x += x;
        pairs.y += y;
        pairs.xx += x * x;
        pairs.xy += x * y;
        pairs.yy += y * y;
        self.nearest[query].offer(distance, row);
    }

    pub(super) fn merge(&mut self, other: Self, k: usize) -> Result<(), OutOfMemory> {
        self.error += other.error;
        self.square += other.square;
        let (to, from) = (&mut self.pairs, other.pairs);
        to.count += from.count;
        to.x += from.x;
        to.y += from.y;
        to.xx += from.xx;
        to.xy += from.xy;
        to.yy += from.yy;
        for (nearest, other) in self.nearest.iter_mut().zip(&other.nearest) {
            nearest.merge(other, k)?;
        }
        Ok(())
    }

    pub(super) fn relative_squared_error(&self) -> f64 {
        self.error / self.square
    }

    /// Pearson's, unless rounding is all that varies.
    pub(super) fn correlation(&self) -> Option<f64> {
        let Pairs { count, x, y, xx, xy, yy } = self.pairs;
        let (variance_x, variance_y) = (xx - x * x / count, yy - y * y / count);
        let varies = |variance: f64, square: f64| variance > 1e-13 * square;
        (varies(variance_x, xx) && varies(variance_y, yy))
            .then(|| ((xy - x * y / count) / (variance_x * variance_y).sqrt()).clamp(-1.0, 1.0))
    }

    /// `exact` has for each query the `k` exact nearest rows, ascending.
    pub(super) fn recall(&self, exact: &[Vec<usize>], k: usize) -> f64 {
        let found = |(nearest, exact): (&NearestRows, &Vec<usize>)| {
            nearest.0.iter().filter(|(_, row)| exact.binary_search(row).is_ok()).count()
        };
        let found: usize = self.nearest.iter().zip(exact).map(found).sum();
        found as f64 / (k * exact.len()) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ties_go_to_the_first_rows_and_nan_comes_last() {
        let mut nearest = NearestRows::default();
        for (row, distance) in [0.5, f64::NAN, 0.25, 0.5, 0.5, 0.25].into_iter().enumerate() {
            nearest.offer(distance, row);
        }
        nearest.keep(4);
        let mut other = NearestRows::default();
        other.offer(0.25, 9);
        nearest.merge(&other, 4).unwrap();
        assert_eq!(nearest.rows().unwrap(), [0, 2, 5, 9]);
    }

    #[test]
    fn correlation_and_recall_by_hand() {
        let mut tally = Tally::new(1).unwrap();
        for (row, (x, y)) in [(0.1, 0.2), (0.2, 0.1), (0.3, 0.4), (0.4, 0.3)].into_iter().enumerate() {
            tally.add_pair(0, row, x, 1.0 - y);
        }
        // Covariance 0.03 over variances 0.05: 0.6.
        assert!(tally.correlation().is_some_and(|r| (r - 0.6).abs() < 1e-12), "{tally:?}");
        tally.nearest[0].keep(2);
        assert_eq!(tally.recall(&[vec![0, 2]], 2), 0.5);
        tally.add_error(1.0, 3.0);
        tally.add_error(1.0, 5.0);
        assert_eq!(tally.relative_squared_error(), 0.25);

        let mut constant = Tally::new(1).unwrap();
        (0..10).for_each(|row| constant.add_pair(0, row, 0.7, 0.1 * row as f64));
        assert_eq!(constant.correlation(), None);
    }
}
