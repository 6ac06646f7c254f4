//! A random sample of bounded size from a stream of vectors, the same whatever the stream's order.
//!
//! Each vector gets a pseudo-random priority, a hash of the seed and its values, and those of least priority are kept:
//! bottom-*k* sampling (E. Cohen and H. Kaplan, *Summarizing data using bottom-k sketches*, 2007). Unlike a reservoir that
//! draws a random number for each arrival, samples of parts can be merged into the sample of the whole, so that it doesn't
//! matter which of several processes has seen which vector. Equal vectors share a priority: they are kept together, as far
//! as there is room, or left together.
//!
//! How large a sample grows is for a user to say. So memory is asked for as vectors come, never more than the capacity
//! takes, and its refusal is an error.

use std::collections::{BinaryHeap, TryReserveError};

/// What is noted of a vector: its priority and its place.
type Note = (u64, usize);

/// A sample of at most so many vectors of one dimension.
#[derive(Debug)]
pub struct VectorSample {
    seed: u64,
    capacity: usize,
    dimension: usize,
    /// Priorities of what is kept, the greatest on top, with the place of the vector.
    heap: BinaryHeap<Note>,
    /// Vectors, one after the other, in the order of their places.
    values: Vec<f32>,
    seen: u64,
}

impl VectorSample {
    /// An empty sample for vectors of length `dimension`, of which it keeps `capacity` at most.
    pub fn new(seed: u64, capacity: usize, dimension: usize) -> Self {
        Self { seed, capacity, dimension, heap: BinaryHeap::new(), values: Vec::new(), seen: 0 }
    }

    /// The largest capacity at which neither the vectors nor what is noted of them take more than so many bytes.
    pub fn most_vectors(dimension: usize, bytes: usize) -> usize {
        bytes / dimension.saturating_mul(size_of::<f32>()).max(size_of::<Note>())
    }

    /// A sample again from what [`VectorSample::seen`] and [`VectorSample::values`] said of one made alike. `poll` is called
    /// before each vector, and may unwind.
    ///
    /// # Errors
    /// Those of [`VectorSample::offer`].
    pub fn restore(
        seed: u64,
        capacity: usize,
        dimension: usize,
        seen: u64,
        mut values: impl Iterator<Item = f32>,
        poll: &mut dyn FnMut(),
    ) -> Result<Self, TryReserveError> {
        let mut sample = Self::new(seed, capacity, dimension);
        let mut vector = Vec::new();
        vector.try_reserve_exact(dimension)?;
        loop {
            poll();
            vector.clear();
            vector.extend(values.by_ref().take(dimension));
            if vector.is_empty() {
                break;
            }
            sample.offer(&vector)?;
        }
        sample.seen = seen;
        Ok(sample)
    }

    /// The length of the vectors, *d*.
    pub fn dimension(&self) -> usize {
        self.dimension
    }

    /// How many vectors are kept, *n*.
    pub fn kept(&self) -> usize {
        self.heap.len()
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
    ///
    /// # Errors
    /// Memory for one vector more can't be had; the sample is as it was.
    pub fn offer(&mut self, vector: &[f32]) -> Result<(), TryReserveError> {
        if vector.len() == self.dimension && !vector.is_empty() {
            self.keep(priority(self.seed, vector), vector)?;
            self.seen += 1;
        }
        Ok(())
    }

    /// Makes this the sample of what both have been offered. Both must have been made alike; a sample of other
    /// vectors is passed over. `poll` is called before each vector; when it unwinds, or memory is refused, this is a sample
    /// of a part of the other's vectors.
    ///
    /// # Errors
    /// Those of [`VectorSample::offer`].
    pub fn merge(&mut self, other: VectorSample, poll: &mut dyn FnMut()) -> Result<(), TryReserveError> {
        if other.dimension != self.dimension {
            return Ok(());
        }
        for &(priority, place) in &other.heap {
            poll();
            self.keep(priority, &other.values[place * self.dimension..][..self.dimension])?;
        }
        self.seen += other.seen;
        Ok(())
    }

    fn keep(&mut self, priority: u64, vector: &[f32]) -> Result<(), TryReserveError> {
        if self.heap.len() < self.capacity {
            self.make_room()?;
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
        Ok(())
    }

    /// Makes room for one vector more, in steps that double, the last one of which ends at the capacity.
    fn make_room(&mut self) -> Result<(), TryReserveError> {
        let kept = self.heap.len();
        if kept == self.heap.capacity() || self.values.capacity() - self.values.len() < self.dimension {
            let more = kept.max(1).min(self.capacity - kept);
            self.heap.try_reserve_exact(more)?;
            self.values.try_reserve_exact(more.saturating_mul(self.dimension))?;
        }
        Ok(())
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
        vectors.for_each(|vector| sample.offer(vector).unwrap());
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
        let mut polls = 0;
        merged.merge(sample_of(all[600..].iter(), 100), &mut || polls += 1).unwrap();
        merged.merge(sample_of(all[10..600].iter(), 100), &mut || polls += 1).unwrap();
        assert_eq!((merged.kept(), polls), (100, 200));
        assert_eq!((sorted(&merged), merged.seen()), (sorted(&whole), 1000));
        let values = whole.values().iter().copied();
        let restored = VectorSample::restore(5, 100, 3, whole.seen(), values, &mut || polls += 1).unwrap();
        assert!(polls >= 300);
        assert_eq!((sorted(&restored), restored.seen()), (sorted(&whole), 1000));
    }

    #[test]
    fn seeds_give_different_samples_and_all_fits_if_there_is_room() {
        let all = vectors(1000);
        let one = sample_of(all.iter(), 100);
        let mut other = VectorSample::new(6, 100, 3);
        all.iter().for_each(|vector| other.offer(vector).unwrap());
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
            all.iter().for_each(|vector| sample.offer(vector).unwrap());
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
        sample.offer(&[1.0]).unwrap();
        assert_eq!((sample.values().len(), sample.seen()), (30, 10));
    }
    #[test]
    fn memory_stays_within_what_the_capacity_takes() {
        let mut sample = VectorSample::new(5, 700, 3);
        for vector in &vectors(1000) {
            sample.offer(vector).unwrap();
            let (kept, room) = (sample.kept(), sample.values.capacity());
            assert!(room >= 3 * kept && room <= 3 * (2 * kept).min(700), "room for {room} of {kept} vectors");
            assert!(sample.heap.capacity() >= kept && sample.heap.capacity() <= 700);
        }
        assert_eq!(sample.kept(), 700);
    }

    #[test]
    fn the_largest_capacity_counts_vectors_and_notes() {
        assert_eq!(VectorSample::most_vectors(1000, 1 << 20), 262);
        assert_eq!(VectorSample::most_vectors(4, 1 << 20), 1 << 16);
        assert_eq!(VectorSample::most_vectors(1, 1 << 20), 1 << 16);
        assert_eq!(VectorSample::most_vectors(0, 1 << 20), 1 << 16);
        assert_eq!(VectorSample::most_vectors(usize::MAX, 1 << 20), 0);
    }

    /// What asks for more memory than there can be is refused, and the sample goes on as it was.
    #[test]
    fn refused_memory_is_an_error() {
        let mut sample = VectorSample::new(5, usize::MAX, 3);
        sample.offer(&[1.0, 2.0, 3.0]).unwrap();
        sample.dimension = usize::MAX;
        assert!(sample.make_room().is_err());
        sample.dimension = 3;
        assert_eq!((sample.kept(), sample.seen(), sample.values()), (1, 1, &[1.0f32, 2.0, 3.0][..]));
        sample.offer(&[1.0, 2.0, 4.0]).unwrap();
        assert_eq!((sample.kept(), sample.seen()), (2, 2));
        let nothing = std::iter::empty();
        assert!(VectorSample::restore(5, 10, usize::MAX, 0, nothing, &mut || ()).is_err());
    }
}
