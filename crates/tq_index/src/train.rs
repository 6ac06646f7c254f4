//! Centroids of lists, by Lloyd's iteration on a sample (k-means).

use tq_codec::{Metric, Workers};

use crate::assign::{Assigner, Payloads, scale_for};
use crate::centroids::Centroids;
use crate::error::IndexError;

/// Rounds: those after them move few rows.
const ROUNDS: usize = 8;

/// Rows that are added up between two polls.
const POLLED: usize = 256;

/// A centroid with less than this part of an average list takes half of a large one.
const SMALL: f32 = 0.1;

/// Numbers that look random, the same each time.
struct Scattered(u64);

impl Scattered {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((u128::from(self.0) * end as u128) >> 64) as usize
    }
}

/// Centroids of so many lists, or of fewer if the sample has fewer rows.
pub(crate) fn train(
    sample: &Payloads<'_>,
    metric: Metric,
    lists: usize,
    workers: &Workers,
    poll: &dyn Fn(),
) -> Result<Centroids, IndexError> {
    let (rows, dimension) = (sample.count(), sample.shape.dimension as usize);
    let lists = lists.min(rows).max(1);
    let mut points = tq_memory::filled(lists * dimension, 0.0)?;
    let mut random = Scattered(20_260_101);
    for (at, point) in points.chunks_exact_mut(dimension).enumerate() {
        // One from each of as many parts of the sample.
        let (first, end) = (at * rows / lists, (at + 1) * rows / lists);
        sample.decode(first + random.below(end - first), point);
        scale_for(metric, point);
        if at % POLLED == 0 {
            poll();
        }
    }
    let mut centroids = Centroids::new(&points, dimension)?;
    let mut row = tq_memory::filled(dimension, 0.0)?;
    for _ in 0..ROUNDS {
        let assigner = Assigner::new(&centroids, metric, dimension)?;
        let (_, round) = assigner.job_rows(workers);
        points.fill(0.0);
        let mut counts = tq_memory::filled(lists, 0.0f32)?;
        for first in (0..rows).step_by(round) {
            poll();
            let range = first..rows.min(first + round);
            let nearest = assigner.nearest_of(sample, range.clone(), workers)?;
            for (at, list) in range.zip(nearest) {
                if at % POLLED == 0 {
                    poll();
                }
                sample.decode(at, &mut row);
                scale_for(metric, &mut row);
                let point = &mut points[list as usize * dimension..][..dimension];
                point.iter_mut().zip(&row).for_each(|(sum, x)| *sum += x);
                counts[list as usize] += 1.0;
            }
        }
        for (point, count) in points.chunks_exact_mut(dimension).zip(&counts) {
            point.iter_mut().for_each(|x| *x /= count.max(1.0));
        }
        split_large(&mut points, &counts, &mut random, sample, metric)?;
        centroids = Centroids::new(&points, dimension)?;
    }
    Ok(centroids)
}

/// Puts the centroids of the smallest lists beside those of the largest, on the way to one of the sample's rows: the next round
/// divides the rows.
fn split_large(
    points: &mut [f32],
    counts: &[f32],
    random: &mut Scattered,
    sample: &Payloads<'_>,
    metric: Metric,
) -> Result<(), IndexError> {
    let (average, dimension) =
        (counts.iter().sum::<f32>() / counts.len() as f32, points.len() / counts.len());
    let mut order = tq_memory::collected(0..counts.len())?;
    order.sort_unstable_by(|a, b| counts[*a].total_cmp(&counts[*b]));
    let mut row = tq_memory::filled(dimension, 0.0)?;
    for (small, large) in order.iter().zip(order.iter().rev()) {
        if counts[*small] >= SMALL * average || counts[*large] <= 2.0 * average {
            break;
        }
        sample.decode(random.below(sample.count()), &mut row);
        scale_for(metric, &mut row);
        for (at, x) in row.iter().enumerate() {
            points[small * dimension + at] = points[large * dimension + at] * 0.95 + x * 0.05;
        }
    }
    Ok(())
}
