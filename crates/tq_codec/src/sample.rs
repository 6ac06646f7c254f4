//! A random sample of bounded size from a stream of vectors, the same whatever the stream's order.
//!
//! Each vector gets a pseudo-random priority, a hash of the seed and its values, and those of least priority are kept:
//! bottom-*k* sampling (E. Cohen and H. Kaplan, *Summarizing data using bottom-k sketches*, 2007). Unlike a reservoir that
//! draws a random number for each arrival, samples of parts can be merged into the sample of the whole, so that it doesn't
//! matter which of several processes has seen which vector. Equal vectors share a priority: they are kept together, as far
//! as there is room, or left together.

use std::collections::BinaryHeap;

/// A sample of at most so many vectors of one dimension.
#[derive(Debug, Clone)]
pub struct VectorSample {
    seed: u64,
    capacity: usize,
    dimension: usize,
    /// Priorities of what is kept, the greatest on top, with the place of the vector.
    heap: BinaryHeap<(u64, usize)>,
    /// Vectors, one after the other, in the order of their places.
    values: Vec<f32>,
    seen: u64,
}

impl VectorSample {
    /// An empty sample for vectors of length `dimension`, of which it keeps `capacity` at most.
    pub fn new(seed: u64, capacity: usize, dimension: usize) -> Self {
        Self { seed, capacity, dimension, heap: BinaryHeap::new(), values: Vec::new(), seen: 0 }
    }

    /// A sample again from what [`VectorSample::seen`] and [`VectorSample::values`] said of one made alike.
    pub fn restore(seed: u64, capacity: usize, dimension: usize, seen: u64, values: &[f32]) -> Self {
        let mut sample = Self::new(seed, capacity, dimension);
        values.chunks_exact(dimension.max(1)).for_each(|vector| sample.offer(vector));
        sample.seen = seen;
        sample
    }

    /// The length of the vectors, *d*.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How many vectors have been offered.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The vectors kept, `n × d` row-major, in no particular order.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Offers a vector; one of another length than *d* is passed over.
    pub fn offer(&mut self, vector: &[f32]) {
        if vector.len() == self.dimension && !vector.is_empty() {
            self.seen += 1;
            self.keep(priority(self.seed, vector), vector);
        }
    }

    /// Makes this the sample of what both have been offered. Both must have been made alike; a sample of other
    /// vectors is passed over.
    pub fn merge(&mut self, other: &VectorSample) {
        if other.dimension != self.dimension {
            return;
        }
        self.seen += other.seen;
        for &(priority, place) in &other.heap {
            self.keep(priority, &other.values[place * self.dimension..][..self.dimension]);
        }
    }

    fn keep(&mut self, priority: u64, vector: &[f32]) {
        if self.heap.len() < self.capacity {
            self.heap.push((priority, self.heap.len()));
            self.values.extend_from_slice(vector);
        } else if let Some(mut top) = self.heap.peek_mut()
            && priority < top.0
        {
            let place = top.1;
            top.0 = priority;
            drop(top);
            self.values[place * self.dimension..][..self.dimension].copy_from_slice(vector);
        }
    }
}

/// A hash of the vector's bits, well mixed: the multiply-and-rotate of one word at a time, then SplitMix64's finish
/// (G. Steele, D. Lea and C. Flood, *Fast splittable pseudorandom number generators*, 2014).
fn priority(seed: u64, vector: &[f32]) -> u64 {
    const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = finish(seed.wrapping_add(GOLDEN));
    for value in vector {
        hash = (hash ^ u64::from(value.to_bits())).wrapping_mul(GOLDEN).rotate_left(29);
    }
    finish(hash)
}

fn finish(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vectors(count: usize) -> Vec<[f32; 3]> {
        (0..count).map(|i| [i as f32, (i * i % 97) as f32, -1.0]).collect()
    }

    fn sample_of<'a>(vectors: impl Iterator<Item = &'a [f32; 3]>, capacity: usize) -> VectorSample {
        let mut sample = VectorSample::new(5, capacity, 3);
        vectors.for_each(|vector| sample.offer(vector));
        sample
    }

    fn sorted(sample: &VectorSample) -> Vec<Vec<u32>> {
        let rows = sample.values().chunks_exact(3);
        let mut rows: Vec<Vec<u32>> = rows.map(|row| row.iter().map(|x| x.to_bits()).collect()).collect();
        rows.sort_unstable();
        rows
    }

    #[test]
    fn order_and_partition_do_not_matter() {
        let all = vectors(1000);
        let whole = sample_of(all.iter(), 100);
        assert_eq!((whole.values().len(), whole.seen()), (300, 1000));
        let backwards = sample_of(all.iter().rev(), 100);
        assert_eq!(sorted(&whole), sorted(&backwards));
        let mut merged = sample_of(all[..10].iter(), 100);
        merged.merge(&sample_of(all[600..].iter(), 100));
        merged.merge(&sample_of(all[10..600].iter(), 100));
        assert_eq!((sorted(&merged), merged.seen()), (sorted(&whole), 1000));
        let restored = VectorSample::restore(5, 100, 3, whole.seen(), whole.values());
        assert_eq!((sorted(&restored), restored.seen()), (sorted(&whole), 1000));
    }

    #[test]
    fn seeds_give_different_samples_and_all_fits_if_there_is_room() {
        let all = vectors(1000);
        let one = sample_of(all.iter(), 100);
        let mut other = VectorSample::new(6, 100, 3);
        all.iter().for_each(|vector| other.offer(vector));
        assert_ne!(sorted(&one), sorted(&other));
        assert_eq!(sample_of(all.iter(), 1000).values().len(), 3000);
        assert_eq!(sample_of(all.iter(), 5000).values().len(), 3000);
        assert!(sample_of(all.iter(), 0).values().is_empty());
    }

    #[test]
    fn every_vector_is_as_likely() {
        let all = vectors(400);
        let mut kept = [0u32; 400];
        for seed in 0..500 {
            let mut sample = VectorSample::new(seed, 40, 3);
            all.iter().for_each(|vector| sample.offer(vector));
            sample.values().chunks_exact(3).for_each(|row| kept[row[0] as usize] += 1);
        }
        // 500 draws of probability 0.1: 50 each, with a standard deviation of 6.7.
        assert!(kept.iter().all(|&count| (15..=90).contains(&count)), "{kept:?}");
        let spread: f64 = kept.iter().map(|&count| (f64::from(count) - 50.0).powi(2)).sum::<f64>() / 400.0;
        assert!((30.0..65.0).contains(&spread), "variance {spread}");
    }

    #[test]
    fn equal_vectors_count_as_often_as_they_come() {
        let all = [[1.0f32, 2.0, 3.0]; 10];
        assert_eq!(sample_of(all.iter(), 4).values().len(), 12);
        let mut sample = sample_of(all.iter(), 20);
        sample.offer(&[1.0]);
        assert_eq!((sample.values().len(), sample.seen()), (30, 10));
    }
}
