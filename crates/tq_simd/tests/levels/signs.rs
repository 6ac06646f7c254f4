//! Rows of sign bits: the very same integers at every level, whatever lies around and behind the bits.

use crate::support::{Rng, dimensions};
use tq_simd::{Level, SignQuery};

/// Where rows lie: how many, the bytes of a slot before the bits and after them.
const PLACES: [(usize, usize, usize); 8] =
    [(1, 0, 0), (2, 3, 1), (3, 0, 7), (4, 1, 0), (7, 0, 0), (8, 16, 0), (9, 5, 13), (21, 0, 1)];

/// The definition, bit by bit; the small integers are made here again.
fn by_the_book(query: &[f32], slots: &[u8], stride: usize, offset: usize, rows: usize) -> Vec<i32> {
    let scale = query.iter().fold(0.0, |largest: f32, q| largest.max(q.abs())) / 127.0;
    let code = |q: f32| if scale == 0.0 { 0 } else { (q / scale).round_ties_even() as i32 };
    let codes: Vec<i32> = query.iter().map(|q| code(*q).clamp(-127, 127)).collect();
    let sum = |row: usize| {
        let bit = |i: usize| slots[row * stride + offset + i / 8] >> (i % 8) & 1 == 1;
        codes.iter().enumerate().map(|(i, k)| if bit(i) { *k } else { -*k }).sum()
    };
    (0..rows).map(sum).collect()
}

/// Slots whose bits are random, all set or none; what lies around them is random.
fn slots(len: usize, stride: usize, offset: usize, rows: usize, rng: &mut Rng) -> Vec<u8> {
    let mut slots: Vec<u8> = (0..(rows - 1) * stride + offset + len).map(|_| rng.next() as u8).collect();
    for row in 0..rows {
        let bits = &mut slots[row * stride + offset..][..len];
        match row % 5 {
            3 => bits.fill(0xff),
            4 => bits.fill(0),
            _ => {}
        }
    }
    slots
}

pub(crate) fn sums_of_signs(level: Level) {
    let mut rng = Rng::new(41);
    for d in dimensions() {
        // All of one sign and size: the greatest sums there are.
        let queries = [rng.normals(d), vec![1.0; d], vec![-1.0; d]];
        let count = if d <= 300 { 3 } else { 1 };
        for (number, query) in queries.iter().enumerate() {
            let prepared = SignQuery::new(level, query).unwrap();
            assert_eq!((prepared.dimension(), prepared.level()), (d, level));
            let (len, places) = (prepared.row_bytes(), PLACES.iter().skip(number).step_by(count));
            for &(rows, before, after) in places {
                let stride = before + len + after;
                let slots = slots(len, stride, before, rows, &mut rng);
                let mut out = vec![i32::MIN; rows + 1];
                prepared.sums(&slots, stride, before, &mut out[..rows]);
                let expected = by_the_book(query, &slots, stride, before, rows);
                assert_eq!(out[..rows], expected, "{} d={d} {rows} rows", level.name());
                assert_eq!(out[rows], i32::MIN, "wrote past the end");
            }
        }
    }
}

/// Preparing a query is the same at every level.
pub(crate) fn queries_of_signs(level: Level) {
    let mut rng = Rng::new(43);
    for d in dimensions() {
        let query = rng.normals(d);
        let (prepared, scalar) =
            (SignQuery::new(level, &query).unwrap(), SignQuery::new(Level::Scalar, &query).unwrap());
        assert_eq!(prepared.scale().to_bits(), scalar.scale().to_bits());
        assert_eq!(prepared.squared_error().to_bits(), scalar.squared_error().to_bits());
        assert!(prepared.squared_error() <= d as f64 * (f64::from(prepared.scale()) * 0.5001).powi(2));
        prepared.sums(&[], 0, 0, &mut []);
    }
}

/// Slots that end where the next page can't be read.
#[cfg(unix)]
pub(crate) fn page_ends_of_signs(level: Level) {
    let mut rng = Rng::new(42);
    let mut fence = crate::support::fence::Fence::new(1);
    for d in (1..=300).chain([1000, 1536]) {
        let query = rng.normals(d);
        let prepared = SignQuery::new(level, &query).unwrap();
        for rows in [1, 4, 8, 11] {
            let (len, before) = (prepared.row_bytes(), d % 4);
            let stride = before + len + d % 3;
            let slots = slots(len, stride, before, rows, &mut rng);
            let mut out = vec![0; rows];
            prepared.sums(fence.put(&slots), stride, before, &mut out);
            assert_eq!(out, by_the_book(&query, &slots, stride, before, rows), "{} d={d}", level.name());
        }
    }
}

/// Eight bits lose so little that the estimate's own error hides it; four would not.
#[test]
fn eight_bits_are_enough() {
    let mut rng = Rng::new(44);
    for d in [100, 384, 1536, 3072] {
        let query = rng.normals(d);
        let norm: f64 = query.iter().map(|q| f64::from(*q).powi(2)).sum();
        let prepared = SignQuery::new(Level::detect(), &query).unwrap();
        assert!(prepared.squared_error() <= 1e-4 * norm, "d={d}: {}", prepared.squared_error() / norm);
    }
}

#[test]
#[should_panic(expected = "the slots end before the last row")]
fn slots_that_end_early_are_refused() {
    let prepared = SignQuery::new(Level::detect(), &[1.0; 65]).unwrap();
    prepared.sums(&[0; 9 + 10 + 8], 10, 0, &mut [0; 2]);
    prepared.sums(&[0; 10 + 8], 10, 0, &mut [0; 2]);
}

#[test]
#[should_panic(expected = "the slots end before the last row")]
fn strides_beyond_memory_are_refused() {
    let prepared = SignQuery::new(Level::detect(), &[1.0; 8]).unwrap();
    prepared.sums(&[0; 100], usize::MAX / 2, 7, &mut [0; 4]);
}
