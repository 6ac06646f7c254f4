//! Which centroid is nearest to each of many rows: for training, and for a build.

use std::ops::Range;

use tq_codec::{Codec, Metric, Workers, inner_products};
use tq_format::RecordShape;
use tq_memory::Grow;

use crate::centroids::{Centroids, unit_scale};
use crate::error::IndexError;
use crate::fit::{self, FIT_BYTES, Fit};

/// Multiplications of a round of all threads: some 20 ms of each, between two polls.
const ROUND: usize = 1 << 30;

/// Numbers that one job's products take at most, if it has more than a few rows.
const MOST_PRODUCTS: usize = 1 << 20;

/// Rows of a job.
const JOB_ROWS: usize = 128;

/// Centroids that are compared at once.
const LANES: usize = 16;

/// Payloads of records of one codec, without their headers, one after another; of floats, each with its fit behind.
#[derive(Debug)]
pub(crate) struct Payloads<'a> {
    pub(crate) codec: &'a Codec,
    pub(crate) shape: RecordShape,
    pub(crate) has_fit: bool,
    pub(crate) bytes: &'a [u8],
}

impl Payloads<'_> {
    /// Bytes of each.
    pub(crate) fn len_of(shape: &RecordShape, has_fit: bool) -> usize {
        let residual = if shape.residual { 2 * shape.dimension as usize } else { 0 };
        shape.bit_width.packed_len(shape.dimension) + residual + if has_fit { FIT_BYTES } else { 0 }
    }

    /// How many there are.
    pub(crate) fn count(&self) -> usize {
        self.bytes.len() / Self::len_of(&self.shape, self.has_fit)
    }

    /// Decodes one, into rotated space.
    pub(crate) fn decode(&self, row: usize, out: &mut [f32]) {
        let bytes = Self::len_of(&self.shape, self.has_fit);
        let payload = &self.bytes[row * bytes..(row + 1) * bytes];
        let (payload, fit) = payload.split_at(bytes - if self.has_fit { FIT_BYTES } else { 0 });
        let (codes, residual) = payload.split_at(self.shape.bit_width.packed_len(self.shape.dimension));
        let parts = (codes, self.shape.residual.then_some(residual));
        fit::decode(self.codec, parts, self.has_fit.then(|| Fit::from_bytes(fit)), out);
    }
}

/// Scales a row as its metric has it compared with centroids.
pub(crate) fn scale_for(metric: Metric, row: &mut [f32]) {
    let scale = unit_scale(metric, row) as f32;
    if scale != 1.0 {
        row.iter_mut().for_each(|x| *x *= scale);
    }
}

/// The centroids, ready for products.
#[derive(Debug)]
pub(crate) struct Assigner {
    points: Vec<f32>,
    halves: Vec<f32>,
    metric: Metric,
    dimension: usize,
}

/// What a thread needs.
#[derive(Default, Debug)]
pub(crate) struct AssignRoom {
    pub(crate) rows: Vec<f32>,
    products: Vec<f32>,
}

impl Assigner {
    pub(crate) fn new(centroids: &Centroids, metric: Metric, dimension: usize) -> Result<Self, IndexError> {
        let (points, halves) = centroids.points()?;
        Ok(Self { points, halves, metric, dimension })
    }

    /// Rows that a thread takes at a time, and those of a round of all threads.
    pub(crate) fn job_rows(&self, workers: &Workers) -> (usize, usize) {
        let (count, dimension) = (self.halves.len().max(1), self.dimension.max(1));
        let job = (MOST_PRODUCTS / count).clamp(1, JOB_ROWS);
        let jobs = (ROUND / (job * count * dimension)).clamp(1, 64);
        (job, job * jobs * workers.threads())
    }

    /// The nearest centroid of each of the rows in `room.rows`, which are scaled meanwhile.
    pub(crate) fn nearest(&self, room: &mut AssignRoom, out: &mut Vec<u32>) -> Result<(), IndexError> {
        let (n, m) = (room.rows.len() / self.dimension, self.halves.len());
        room.rows.chunks_exact_mut(self.dimension).for_each(|row| scale_for(self.metric, row));
        room.products.try_resize(n * m, 0.0)?;
        inner_products(&room.rows, &self.points, self.dimension, &mut room.products[..n * m])?;
        out.try_room(n)?;
        out.extend(room.products[..n * m].chunks_exact(m).map(|products| self.least(products)));
        Ok(())
    }

    /// The nearest centroid, by the inner products with all.
    fn least(&self, products: &[f32]) -> u32 {
        let distance = |(half, product): (&f32, &f32)| half - product;
        let mut lanes = [f32::INFINITY; LANES];
        let (halves, halves_rest) = self.halves.as_chunks::<LANES>();
        let (parts, parts_rest) = products.as_chunks::<LANES>();
        for (halves, products) in halves.iter().zip(parts) {
            for lane in 0..LANES {
                let distance = halves[lane] - products[lane];
                lanes[lane] = if distance < lanes[lane] { distance } else { lanes[lane] };
            }
        }
        let rest = halves_rest.iter().zip(parts_rest).map(distance);
        let least = rest.chain(lanes).fold(f32::INFINITY, f32::min);
        let nearest = self.halves.iter().zip(products).map(distance).position(|distance| distance == least);
        nearest.unwrap_or(0) as u32
    }

    /// The nearest centroid of each of the rows of a range, on threads.
    pub(crate) fn nearest_of(
        &self,
        rows: &Payloads<'_>,
        range: Range<usize>,
        workers: &Workers,
    ) -> Result<Vec<u32>, IndexError> {
        let (job, _) = self.job_rows(workers);
        let jobs = tq_memory::collected(range.clone().step_by(job))?;
        let done = workers.map(jobs, |first| {
            let (mut room, mut out) = (AssignRoom::default(), Vec::new());
            let count = job.min(range.end - first);
            room.rows.try_resize(count * self.dimension, 0.0)?;
            for (row, to) in (first..).zip(room.rows.chunks_exact_mut(self.dimension)) {
                rows.decode(row, to);
            }
            self.nearest(&mut room, &mut out)?;
            Ok::<_, IndexError>(out)
        })?;
        let mut all = tq_memory::with_capacity(range.len())?;
        for part in done {
            all.extend(part?);
        }
        Ok(all)
    }
}
