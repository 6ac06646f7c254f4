//! Search over the floats themselves, a block of rows at a time: what codecs are compared with.

use super::prepare::in_rounds;
use super::tally::NearestRows;
use crate::distance::cosine_distance;
use crate::{CodecError, Workers};
use tq_memory::OutOfMemory;
use tq_simd::Level;

/// Coordinates of all pairs in a block of rows: some milliseconds.
const BLOCK_VALUES: usize = 10_000_000;

/// A few rows in turn, with the exact similarity of each to each query (queries × rows).
pub(super) struct Block {
    pub(super) first: usize,
    pub(super) rows: usize,
    pub(super) exact: Vec<f32>,
}

/// The search that codecs are compared with.
pub(super) struct Exact<'a> {
    pub(super) rows: &'a [f32],
    pub(super) dimension: usize,
    pub(super) squares: &'a [f64],
    pub(super) queries: &'a [usize],
    pub(super) k: usize,
    pub(super) level: Level,
}

impl Exact<'_> {
    /// The blocks, and each query's nearest rows.
    pub(super) fn blocks(
        &self,
        workers: &Workers,
        poll: &mut dyn FnMut(),
    ) -> Result<(Vec<Block>, Vec<Vec<usize>>), CodecError> {
        let n = self.squares.len();
        let size = (BLOCK_VALUES / (self.queries.len() * self.dimension)).clamp(1, 512);
        let mut blocks = tq_memory::with_capacity(n.div_ceil(size))?;
        let mut nearest = NearestRows::of(self.queries.len())?;
        let job = |first| self.block(first, size.min(n - first));
        in_rounds(workers, (0..n).step_by(size), 2, job, poll, |result| {
            let (block, found) = result?;
            blocks.push(block);
            for (nearest, found) in nearest.iter_mut().zip(found) {
                nearest.merge(&found, self.k)?;
            }
            Ok(())
        })?;
        let mut rows = tq_memory::with_capacity(nearest.len())?;
        for nearest in &nearest {
            rows.push(nearest.rows()?);
        }
        Ok((blocks, rows))
    }

    fn block(&self, first: usize, rows: usize) -> Result<(Block, Vec<NearestRows>), OutOfMemory> {
        let vector = |row: usize| &self.rows[row * self.dimension..][..self.dimension];
        let mut exact = tq_memory::with_capacity(self.queries.len() * rows)?;
        let mut all = NearestRows::of(self.queries.len())?;
        for (&query, nearest) in self.queries.iter().zip(&mut all) {
            nearest.room(rows)?;
            for row in first..first + rows {
                let dot = tq_simd::dot_f32(self.level, vector(query), vector(row));
                let distance = cosine_distance(dot, self.squares[query], self.squares[row]);
                exact.push((1.0 - distance) as f32);
                if row != query {
                    nearest.offer(distance, row);
                }
            }
            nearest.keep(self.k);
        }
        Ok((Block { first, rows, exact }, all))
    }
}
