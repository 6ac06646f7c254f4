//! An index over floats: what it says a row is away at the least never is more than what pgvector's operators say, summed in `f32` in any order.
#![allow(missing_docs)]

mod common;

use std::sync::Arc;

use common::{Column, Set, data::Random, options, row_of, search, tid};
use tq_codec::{Codec, Level, Metric, PreparedQuery};
use tq_format::{BitWidth, RecordView};
use tq_index::{
    Bounds, Build, Definition, Fit, ListOptions, Means, MemoryPages, Order, Refine, Sample, Session, Value,
};

const METRICS: [Metric; 3] = [Metric::Cosine, Metric::L2, Metric::InnerProduct];

/// Floats, with records of their directions.
struct Floats {
    rows: Vec<Vec<f32>>,
    column: Column,
    metric: Metric,
    fits: Vec<Fit>,
}

fn norm(x: &[f32]) -> f64 {
    x.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt()
}

impl Floats {
    fn new(rows: Vec<Vec<f32>>, width: BitWidth, metric: Metric) -> Self {
        let dimension = rows[0].len();
        let units: Vec<f32> = rows.iter().flat_map(|row| tq_codec::normalize(row).unwrap()).collect();
        let column = Column::new(&units, dimension, width, false);
        let fit = |(at, row): (usize, &Vec<f32>)| {
            let (mut rotated, mut decoded) = (vec![0.0; dimension], vec![0.0; dimension]);
            column.codec.rotation().apply(&units[at * dimension..(at + 1) * dimension], &mut rotated);
            column.codec.decode_rotated(&column.view(at), &mut decoded).unwrap();
            Fit::new(if metric == Metric::Cosine { 1.0 } else { norm(row) }, &rotated, &decoded).unwrap()
        };
        let fits = rows.iter().enumerate().map(fit).collect();
        Self { rows, column, metric, fits }
    }

    fn codec(&self) -> &Arc<Codec> {
        &self.column.codec
    }

    fn value(&self, row: usize) -> Value<'_> {
        let record: RecordView<'_> = self.column.view(row);
        Value::floats(record, self.fits[row], record.as_bytes())
    }

    fn build(&self, lists: u32) -> MemoryPages {
        let pages = MemoryPages::new(common::ROOM);
        let mut sample = Sample::keeping(64 << 20);
        (0..self.rows.len()).step_by(3).for_each(|row| sample.add(self.value(row), self.codec()).unwrap());
        let workers = tq_codec::Workers::new(2).unwrap();
        let means = Means { lists, rows: self.rows.len() as u64, memory: 64 << 20, workers: &workers };
        let definition = Definition { metric: self.metric, refine: Refine::Floats };
        let mut build = Build::with_lists(&pages, definition, sample, means).unwrap();
        for row in 0..self.rows.len() / 2 {
            build.add(tid(row), Some(self.value(row))).unwrap();
        }
        build.finish().unwrap();
        let mut session = Session::new(&pages).unwrap();
        for row in self.rows.len() / 2..self.rows.len() {
            session.insert(&pages, tid(row), Some(self.value(row)), Some(self.codec())).unwrap();
        }
        pages
    }

    /// The nearest rows, as an executor makes them of a search's: a row is given when no row to come can be nearer. With them, how many rows
    /// it took.
    fn nearest(
        &self,
        pages: &MemoryPages,
        query: &[f32],
        k: usize,
        lists: ListOptions,
    ) -> (Vec<usize>, usize) {
        let prepared = PreparedQuery::new(Arc::clone(self.codec()), query, Level::detect()).unwrap();
        let options = tq_index::ScanOptions { lists, ..options() };
        let (hits, _) = search(pages, prepared, self.rows.len(), options);
        let (mut waiting, mut given, mut taken) = (Vec::<(f64, usize)>::new(), Vec::new(), 0);
        for hit in hits {
            let (row, least) = (row_of(hit.tid), hit.distance.unwrap());
            waiting.sort_by(|a, b| b.0.total_cmp(&a.0));
            while given.len() < k
                && let Some(nearest) = waiting.pop_if(|nearest| nearest.0 <= least)
            {
                given.push(nearest.1);
            }
            if given.len() == k {
                return (given, taken);
            }
            waiting.push((in_f32(self.metric, query, &self.rows[row]), row));
            taken += 1;
        }
        waiting.sort_by(|a, b| b.0.total_cmp(&a.0));
        given.extend(std::iter::from_fn(|| waiting.pop()).map(|row| row.1).take(k - given.len()));
        (given, taken)
    }
}

/// Terms summed in `f32`, in so many lanes, as compilers may choose them.
fn sum<const LANES: usize>(q: &[f32], x: &[f32], term: impl Fn(f32, f32) -> (f32, f32)) -> f32 {
    let mut sums = [0f32; LANES];
    let (q_lines, q_rest) = q.as_chunks::<LANES>();
    let (x_lines, x_rest) = x.as_chunks::<LANES>();
    for (q, x) in q_lines.iter().zip(x_lines) {
        for lane in 0..LANES {
            let (a, b) = term(q[lane], x[lane]);
            sums[lane] = if LANES == 8 { a.mul_add(b, sums[lane]) } else { sums[lane] + a * b };
        }
    }
    let rest = q_rest.iter().zip(x_rest).map(|(q, x)| term(*q, *x));
    rest.fold(sums.into_iter().sum(), |sum, (a, b)| sum + a * b)
}

fn distance<const LANES: usize>(metric: Metric, q: &[f32], x: &[f32]) -> f64 {
    match metric {
        Metric::L2 => f64::from(sum::<LANES>(q, x, |q, x| (q - x, q - x))).sqrt(),
        Metric::InnerProduct => f64::from(-sum::<LANES>(q, x, |q, x| (q, x))),
        _ => {
            let dot = f64::from(sum::<LANES>(q, x, |q, x| (q, x)));
            let square = |x: &[f32]| f64::from(sum::<LANES>(x, x, |x, _| (x, x)));
            1.0 - (dot / (square(q) * square(x)).sqrt()).clamp(-1.0, 1.0)
        }
    }
}

/// The least that comes out, whatever the order.
fn in_f32(metric: Metric, q: &[f32], x: &[f32]) -> f64 {
    let all = [distance::<1>(metric, q, x), distance::<8>(metric, q, x), distance::<16>(metric, q, x)];
    all.into_iter().fold(f64::NAN, f64::min)
}

/// Vectors that lie badly: near a query and opposite, at its codes, one value of many, signs that take turns, norms far apart.
fn adversarial(dimension: usize, random: &mut Random) -> Vec<Vec<f32>> {
    let base = random.vector(dimension);
    let mut rows = vec![base.clone(), base.iter().map(|x| -x).collect()];
    rows.push((0..dimension).map(|i| if i == 0 { 1.0 } else { 0.0 }).collect());
    rows.push((0..dimension).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect());
    rows.push((0..dimension).map(|i| if i % 2 == 0 { 1e4 } else { 1e-4 }).collect());
    rows.push((0..dimension).map(|i| 10f32.powi(-(i as i32 % 20))).collect());
    rows.push(vec![1.0; dimension]);
    for size in [1e-7f32, 1e-3, 0.1, 0.5] {
        let noise = random.vector(dimension);
        rows.push(base.iter().zip(&noise).map(|(x, n)| x + size * n).collect());
        rows.push(noise.iter().map(|x| x * 1e6).collect());
        rows.push(noise.iter().map(|x| x * 1e-9).collect());
    }
    rows
}

/// That no row is nearer than the bound says, and the bound is not so loose as to be of no use. Returns how many pairs were looked at.
fn check_pairs(floats: &Floats, queries: &[Vec<f32>], rows: usize) -> usize {
    let mut pairs = 0;
    for query in queries {
        let prepared = PreparedQuery::new(Arc::clone(floats.codec()), query, Level::detect()).unwrap();
        let bounds = Bounds::new(floats.metric, prepared.square(), query.len());
        for row in 0..rows.min(floats.rows.len()) {
            let cosine = prepared.distance(Metric::Cosine, &floats.column.view(row));
            let range = bounds.of_codes(cosine, floats.fits[row]);
            let least = in_f32(floats.metric, query, &floats.rows[row]);
            // In the end also of what a search keeps whole.
            let product =
                query.iter().zip(&floats.rows[row]).map(|(q, x)| f64::from(*q) * f64::from(*x)).sum();
            let whole = bounds.of_vector(product, norm(&floats.rows[row]));
            for range in [range, whole] {
                assert!(
                    range.least <= least || least.is_nan(),
                    "{:?}: {range:?} of {least} at {} dimensions, row {row}",
                    floats.metric,
                    query.len()
                );
            }
            pairs += 1;
        }
    }
    pairs
}

#[test]
fn no_row_is_nearer_than_its_bound() {
    let mut random = Random(11);
    let mut pairs = 0;
    for dimension in [1, 2, 3, 17, 100, 384, 1000, 1536] {
        let mut rows = adversarial(dimension, &mut random);
        rows.extend((0..60).map(|_| random.vector(dimension)));
        for metric in METRICS {
            for width in [BitWidth::Two, BitWidth::Four, BitWidth::Eight] {
                let floats = Floats::new(rows.clone(), width, metric);
                // Queries that are rows, and what the rows' codes decode to: where the bound is hit.
                let mut queries = rows.clone();
                for row in 0..rows.len().min(20) {
                    queries.push(floats.codec().decode(&floats.column.view(row)).unwrap());
                }
                queries.push(vec![0.0; dimension]);
                pairs += check_pairs(&floats, &queries, rows.len());
            }
        }
    }
    println!("{pairs} pairs");
    // The worst case is where the query lies in the direction of the error.
    let dimension = 64;
    let rows: Vec<Vec<f32>> = (0..200).map(|_| random.vector(dimension)).collect();
    for metric in METRICS {
        let floats = Floats::new(rows.clone(), BitWidth::Four, metric);
        for (at, row) in rows.iter().enumerate() {
            let decoded = floats.codec().decode(&floats.column.view(at)).unwrap();
            let unit = tq_codec::normalize(row).unwrap();
            let own = Floats {
                rows: vec![row.clone()],
                column: Column::new(&unit, dimension, BitWidth::Four, false),
                metric,
                fits: vec![floats.fits[at]],
            };
            for share in [0.5, 1.0, 3.0, 30.0, -1.0] {
                let towards = |(e, x): (&f32, &f32)| (1.0 - share) * e + share * x;
                check_pairs(&own, &[decoded.iter().zip(&unit).map(towards).collect()], 1);
            }
        }
    }
}

#[test]
fn real_embeddings_keep_their_bounds() {
    for set in Set::all(20_000, 50) {
        let rows: Vec<Vec<f32>> = set.rows.chunks(set.dimension).map(<[f32]>::to_vec).collect();
        for metric in METRICS {
            let floats = Floats::new(rows.clone(), BitWidth::Eight, metric);
            let pairs = check_pairs(&floats, &set.queries, 4000);
            println!("{}, {metric:?}: {pairs} pairs", set.name);
        }
    }
}

/// The floats' own neighbours come out in their order, flat and with all lists; of some lists as many as are aimed at.
#[test]
fn searches_find_the_floats_neighbours() {
    for set in Set::all(4_000, 20) {
        // Lengths differ, but for the cosine it's all the same.
        let rows: Vec<Vec<f32>> = set.rows.chunks(set.dimension).map(<[f32]>::to_vec).collect();
        for (metric, width) in METRICS.into_iter().zip([BitWidth::Eight, BitWidth::Four, BitWidth::Eight]) {
            let floats = Floats::new(rows.clone(), width, metric);
            for lists in [0, 40] {
                let pages = floats.build(lists);
                let (mut found, mut took) = (0, 0);
                for query in &set.queries {
                    let mut exact: Vec<(f64, usize)> =
                        (0..rows.len()).map(|row| (in_f32(metric, query, &rows[row]), row)).collect();
                    exact.sort_by(|a, b| a.0.total_cmp(&b.0));
                    let options =
                        ListOptions { target: 0.95, order: Order::Strict, ..ListOptions::default() };
                    let (nearest, taken) = floats.nearest(&pages, query, 10, options);
                    found +=
                        nearest.iter().filter(|row| exact[..10].iter().any(|(_, near)| near == *row)).count();
                    took += taken;
                }
                let recall = found as f64 / (10 * set.queries.len()) as f64;
                let took = took / set.queries.len();
                println!("{}, {metric:?}, {width:?}, {lists} lists: {recall:.3}, {took} rows", set.name);
                assert!(recall >= if lists == 0 { 0.999 } else { 0.85 }, "{recall}");
            }
        }
    }
}
