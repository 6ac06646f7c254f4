//! The way to trellis codes: values of many rows are put on the grid, and then the paths of all are found at once.
//!
//! A path depends on every value of its row, so values that are only near won't do as they are; but on the grid nearly all are what the exact
//! ones are, and the few that could fall on either of two steps are computed again in `f64`, as near thresholds.

use std::sync::Arc;

use tq_memory::{Grow, OutOfMemory};
use tq_simd::{Level, Trellis, TrellisRoom};

use crate::Codec;

/// Rows on the grid, and room to find their paths.
pub(crate) struct Paths {
    trellis: Arc<Trellis>,
    dimension: usize,
    /// `n × d`, row-major.
    grid: Vec<i16>,
    others: Vec<i16>,
    /// Coordinates, and their rows, that could fall on either of two steps.
    doubtful: Vec<(u32, u32)>,
    codes: Vec<u8>,
    room: TrellisRoom,
}

impl Paths {
    pub(crate) fn new(trellis: &Arc<Trellis>, dimension: usize) -> Result<Self, OutOfMemory> {
        Ok(Self {
            trellis: Arc::clone(trellis),
            dimension,
            grid: tq_memory::with_capacity(dimension)?,
            others: tq_memory::filled(dimension, 0)?,
            doubtful: Vec::new(),
            codes: Vec::new(),
            room: TrellisRoom::default(),
        })
    }

    /// Forgets all rows.
    pub(crate) fn clear(&mut self) {
        self.grid.clear();
        self.doubtful.clear();
    }

    /// Adds a row of rotated values, from which the centre is taken.
    pub(crate) fn add(&mut self, codec: &Codec, rotated: &mut [f32]) -> Result<(), OutOfMemory> {
        if let Some(centre) = codec.rotated_centre() {
            centre.subtract(rotated);
        }
        let start = self.grid.len();
        self.grid.try_resize(start + self.dimension, 0)?;
        self.trellis.round(codec.level(), rotated, &mut self.grid[start..]);
        Ok(())
    }

    /// Adds a row of values that are within `margin` of a vector's rotated ones, from which the centre has been taken;
    /// [`Paths::settle`] makes it exact.
    pub(crate) fn add_near(&mut self, codec: &Codec, near: &[f32], margin: f32) -> Result<(), OutOfMemory> {
        let start = self.grid.len();
        self.grid.try_resize(start + self.dimension, 0)?;
        let (grid, others) = (&mut self.grid[start..], &mut self.others);
        self.trellis.round_within(codec.level(), near, margin, grid, others);
        let row = (start / self.dimension) as u32;
        for (index, (step, other)) in grid.iter().zip(others.iter()).enumerate() {
            if step != other {
                self.doubtful.try_push((index as u32, row))?;
            }
        }
        Ok(())
    }

    /// Computes again, for rows that were added as near, what their values left in doubt; `vectors` (`n × d`) are all rows. Coordinate by
    /// coordinate: a row of the rotation's matrix is read once for all rows that want it.
    pub(crate) fn settle(&mut self, codec: &Codec, vectors: &[f32]) {
        let d = self.dimension;
        self.doubtful.sort_unstable();
        let centre = codec.rotated_centre();
        for (index, row) in self.doubtful.drain(..) {
            let (index, row) = (index as usize, row as usize);
            if let Some(value) = codec.rotation().coordinate(index, &vectors[row * d..(row + 1) * d]) {
                let off = centre.map_or(0.0, |centre| centre.rotated()[index]);
                let step = &mut self.grid[row * d + index..][..1];
                self.trellis.round(codec.level(), &[value - off], step);
            }
        }
    }

    /// The codes of all rows, a byte each.
    pub(crate) fn find(&mut self, level: Level) -> Result<&[u8], OutOfMemory> {
        self.codes.try_resize(self.grid.len(), 0)?;
        let codes = &mut self.codes[..self.grid.len()];
        self.trellis.encode(level, self.dimension, &self.grid, codes, &mut self.room)?;
        Ok(codes)
    }
}
