//! Sorting many floats in their place, by a caller that has to look up many times a second.
//!
//! The standard library's sort isn't to be interrupted, and takes seconds for what a large sample holds. So values are
//! first parted as quicksort does (C. Hoare, *Quicksort*, 1962), which can stop after any of them, until what is left is a
//! part that the library sorts in some ten milliseconds.

/// Values that are looked at, copied or sorted between two polls: some ten milliseconds' work at most.
pub(super) const ROUND: usize = 1 << 20;

/// Values of which the median is what others are compared with: its rank is within some percent of the middle.
const SAMPLE: usize = 511;

/// Sorts by [`f32::total_cmp`], and needs no memory.
///
/// `poll` may unwind, which leaves the values in some other order.
pub(super) fn sort(values: &mut [f32], poll: &mut dyn FnMut()) {
    sort_parts(values, ROUND, poll);
}

/// `part` is how many values are sorted or compared between polls.
fn sort_parts(mut values: &mut [f32], part: usize, poll: &mut dyn FnMut()) {
    while values.len() > part {
        let pivot = median(values);
        let least = split(values, |value| value < pivot, part, poll);
        let (below, rest) = values.split_at_mut(least);
        // The pivot itself is among the equal, so that something goes each time.
        let equal = split(rest, |value| value == pivot, part, poll);
        let above = &mut rest[equal..];
        // The call goes to the smaller side, so that there are never many of them at once.
        let (smaller, larger) = if below.len() < above.len() { (below, above) } else { (above, below) };
        sort_parts(smaller, part, poll);
        values = larger;
    }
    if values.len() > 1 {
        poll();
        values.sort_unstable_by(f32::total_cmp);
    }
}

/// Moves the values that are meant to the front; returns how many they are.
///
/// Only ever swaps, so that whenever `poll` unwinds all values are there; and always does, which is faster than to guess.
fn split(values: &mut [f32], is_meant: impl Fn(u32) -> bool, part: usize, poll: &mut dyn FnMut()) -> usize {
    let mut meant = 0;
    for start in (0..values.len()).step_by(part) {
        poll();
        for place in start..values.len().min(start + part) {
            let value = values[place];
            values.swap(place, meant);
            meant += usize::from(is_meant(key(value)));
        }
    }
    meant
}

/// Of evenly spaced values the one in the middle, as its key.
fn median(values: &[f32]) -> u32 {
    let mut keys = [0; SAMPLE];
    for (number, sampled) in keys.iter_mut().enumerate() {
        *sampled = key(values[(number * 2 + 1) * values.len() / (2 * SAMPLE)]);
    }
    keys.sort_unstable();
    keys[SAMPLE / 2]
}

/// What orders as an unsigned number as the value does by [`f32::total_cmp`].
fn key(value: f32) -> u32 {
    let bits = value.to_bits();
    // All bits of a negative value are flipped, else the sign's alone.
    bits ^ (((bits as i32) >> 31) as u32 | 1 << 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    /// Numbers that look random, the same each time.
    fn noise(count: usize) -> impl Iterator<Item = u32> {
        (0..count as u64).map(|i| ((i + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 29) as u32)
    }

    fn finite(value: u32) -> f32 {
        Some(f32::from_bits(value)).filter(|value| value.is_finite()).unwrap_or(-0.0)
    }

    /// Of all magnitudes, of one, of few different values (both zeros among them), and of one value; ascending, descending.
    fn samples(count: usize) -> Vec<Vec<f32>> {
        let ramp = || (0..count).map(|i| i as f32 - count as f32 / 3.0);
        vec![
            noise(count).map(finite).collect(),
            noise(count).map(|bits| bits as f32 / 4e9 - 0.5).collect(),
            noise(count).map(|bits| [-0.0, 0.0, 1.5, -1.5, 1.5f32.next_up()][bits as usize % 5]).collect(),
            vec![0.25; count],
            ramp().collect(),
            ramp().rev().collect(),
        ]
    }

    fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|value| value.to_bits()).collect()
    }

    fn check(values: &[f32], part: usize) {
        let (mut ours, mut expected) = (values.to_vec(), values.to_vec());
        let mut polls = 0;
        sort_parts(&mut ours, part, &mut || polls += 1);
        expected.sort_unstable_by(f32::total_cmp);
        assert!(bits(&ours) == bits(&expected), "{} values in parts of {part}", values.len());
        let rounds = if values.len() > part { values.len() / part } else { usize::from(values.len() > 1) };
        assert!(polls >= rounds, "{polls} polls for {} values in parts of {part}", values.len());
    }

    #[test]
    fn sorts_as_the_standard_library_does() {
        for part in [1, 2, 64, 1000] {
            for count in [0, 1, 2, part - 1, part, part + 1, 2 * part, 2 * part + 1, 5000] {
                samples(count).iter().for_each(|values| check(values, part));
            }
        }
    }

    #[test]
    fn sorts_around_the_size_of_a_round() {
        for count in [ROUND - 1, ROUND, ROUND + 1, 2 * ROUND + 1] {
            samples(count).iter().for_each(|values| check(values, ROUND));
        }
    }

    /// However far it has come, no value is lost and none is there twice.
    #[test]
    fn an_interruption_leaves_all_values() {
        for values in samples(3000) {
            let mut polls = 0;
            sort_parts(&mut values.clone(), 100, &mut || polls += 1);
            for stop in (0..polls).step_by(7) {
                let mut ours = values.clone();
                let mut left = stop;
                let mut poll = || {
                    assert!(left > 0, "interrupted");
                    left -= 1;
                };
                let sorting = || sort_parts(&mut ours, 100, &mut poll);
                assert!(catch_unwind(AssertUnwindSafe(sorting)).is_err());
                let (mut ours, mut expected) = (bits(&ours), bits(&values));
                ours.sort_unstable();
                expected.sort_unstable();
                assert!(ours == expected, "interrupted after {stop} polls");
            }
        }
    }
}
