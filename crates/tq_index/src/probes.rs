//! Which lists a search looks at: those whose centroids aren't much farther from the query than the nearest one is.
//!
//! With *d₁* the query's distance from the nearest centroid and *d* that from another, the other's *gap* is `(d² - d₁²) / d₁`. A build
//! measures, with its own rows as queries, up to which gap the lists have a given share of a query's neighbours. A query for which many
//! centroids are about as near has many lists looked at, one that lies in the middle of a list has few. Of 20,000 rows of debian-minilm in 141 lists,
//! 19 % are looked at for 0.95 of the ten nearest, 25 % with as many lists for each query; of debian-e5 46 % and 53 %. And queries that aren't distributed as the
//! rows are, debian-e5's, find 0.967 where 0.95 is aimed at; by `d² - d₁²` alone they found 0.908, by `d² / d₁²` 0.989 at a third more cost.
//!
//! The gap for *n* rows is that for 10, and for each time that *n* is ten times as large by so much larger as that for 100.

/// The recalls that a build measures how many lists are needed for.
pub const TARGETS: [f64; 5] = [0.80, 0.90, 0.95, 0.98, 0.99];

/// The most lists of an index.
pub const MOST_LISTS: u32 = 32_768;

/// Rows that the first thresholds, and the second ones, are for.
pub(crate) const NEAREST: [usize; 2] = [10, 100];

/// In which order a search gives rows that it finds late, in a list that it looks at because more rows were asked for than before.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Order {
    /// Rows come in the order of their distance; those that would break it come when there are no others.
    #[default]
    Strict,
    /// They come as soon as they are found.
    Relaxed,
    /// No list is looked at but the first ones, and there are no such rows.
    Off,
}

/// How a search goes about lists.
#[derive(Clone, Copy, Debug)]
pub struct ListOptions {
    /// Lists that are looked at first; 0 goes by the target.
    pub probes: u32,
    /// The recall to aim at.
    pub target: f64,
    /// What becomes of rows that are found late.
    pub order: Order,
    /// Slots that are looked at before no more lists are; 0 sets no limit.
    pub most_slots: u64,
}

impl Default for ListOptions {
    fn default() -> Self {
        Self { probes: 0, target: 0.95, order: Order::Strict, most_slots: 0 }
    }
}

impl ListOptions {
    /// All lists at once, as if the index were flat.
    pub const ALL: Self = Self { probes: u32::MAX, target: 1.0, order: Order::Strict, most_slots: 0 };
}

/// What a build has measured, for each of [`TARGETS`].
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct Calibration {
    /// The gap of lists to look at, for the nearest 10, and 100.
    pub(crate) gaps: [[f32; TARGETS.len()]; 2],
    /// How many lists that was, on average, for the nearest 10.
    pub(crate) probes: [u32; TARGETS.len()],
}

impl Calibration {
    /// How many numbers it has.
    pub(crate) const NUMBERS: usize = 3 * TARGETS.len();

    /// Before anything is measured: all lists.
    pub(crate) fn unmeasured(count: u32) -> Self {
        Self { gaps: [[f32::MAX; TARGETS.len()]; 2], probes: [count; TARGETS.len()] }
    }

    pub(crate) fn to_numbers(self) -> impl Iterator<Item = u32> {
        self.gaps.into_iter().flatten().map(f32::to_bits).chain(self.probes)
    }

    pub(crate) fn from_numbers(number: impl Fn(usize) -> u32) -> Self {
        let gap = |at: usize| f32::from_bits(number(at));
        let gaps = [0, 1].map(|k| std::array::from_fn(|at| gap(k * TARGETS.len() + at)));
        Self { gaps, probes: std::array::from_fn(|at| number(2 * TARGETS.len() + at)) }
    }

    /// The gap of lists to look at for the nearest `rows` rows; infinite for all lists.
    pub(crate) fn gap(&self, target: f64, rows: f64) -> f32 {
        if target >= 1.0 {
            return f32::INFINITY;
        }
        let [ten, hundred] = self.gaps.map(|gaps| between(&gaps.map(f64::from), target));
        let tens = (rows / NEAREST[0] as f64).max(1.0).log10();
        let gap = ten + (hundred - ten).max(0.0) * tens;
        // What no measurement gives is a number all the same.
        if gap.is_nan() { f32::INFINITY } else { gap as f32 }
    }

    /// About how many of `count` lists a search for the nearest 10 looks at.
    pub(crate) fn probes(&self, target: f64, count: u32) -> u32 {
        let probes = between(&self.probes.map(f64::from), target.min(1.0));
        (probes.ceil() as u32).clamp(1, count.max(1))
    }
}

/// The value for a target, from those of the targets beside it: the share that is missed decides, on a logarithmic scale.
fn between(values: &[f64; TARGETS.len()], target: f64) -> f64 {
    let missed = |target: f64| (1.0 - target).max(1e-4).ln();
    let last = TARGETS.len() - 1;
    // Beyond the last, as steep as before it.
    let above = TARGETS.iter().position(|known| *known >= target).unwrap_or(last);
    if above == 0 {
        return values[0];
    }
    let (low, high) = (missed(TARGETS[above - 1]), missed(TARGETS[above]));
    let share = (missed(target) - low) / (high - low);
    values[above - 1] + (values[above] - values[above - 1]) * share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_for_more_rows_and_for_higher_targets() {
        let gaps = [[0.0, 0.1, 0.2, 0.4, 0.6], [0.1, 0.2, 0.35, 0.6, 0.8]];
        let calibration = Calibration { gaps, probes: [3, 5, 8, 14, 20] };
        assert_eq!(calibration.gap(0.95, 10.0), 0.2);
        assert_eq!(calibration.gap(0.95, 1.0), 0.2);
        assert_eq!(calibration.gap(0.99, 100.0), 0.8);
        assert_eq!(calibration.gap(0.1, 10.0), 0.0);
        assert_eq!(calibration.gap(1.0, 1.0), f32::INFINITY);
        assert_eq!((calibration.probes(0.95, 100), calibration.probes(0.999, 100)), (8, 40));
        let mut last = 0.0;
        for target in [0.5, 0.8, 0.85, 0.9, 0.93, 0.97, 0.985, 0.99, 0.995, 0.999] {
            let gap = calibration.gap(target, 10.0);
            assert!(gap >= last, "{target}: {gap}");
            last = gap;
            for rows in [10.0, 11.0, 100.0, 1e4, 1e9] {
                assert!(calibration.gap(target, rows) >= gap);
            }
        }
    }

    #[test]
    fn numbers_that_no_build_writes() {
        for number in [0, f32::NAN.to_bits(), f32::NEG_INFINITY.to_bits(), u32::MAX] {
            let calibration = Calibration::from_numbers(|_| number);
            assert!((1..=7).contains(&calibration.probes(0.97, 7)));
            assert!(!calibration.gap(0.97, 1e12).is_nan());
        }
    }
}
