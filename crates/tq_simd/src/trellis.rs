//! Codes by the path of a trellis, as the rest of the workspace sees it: `docs/trellis.md`.
//!
//! ```text
//! values ──round──▶ grid ──encode──▶ codes, a byte each
//! ```
//!
//! Values are rounded to a grid first, so that two that differ by the rounding of a matrix product mostly have the same path: where they
//! don't, [`Trellis::round_within`] tells.

use crate::dispatch;
use crate::lanes::LANES;
use crate::lanes::trellis::{STATES, for_one_row, survivor_words};
use crate::level::Level;
use crate::width::Width;
use tq_memory::{Grow, OutOfMemory};

/// A table of 256 entries, made ready for the search.
#[derive(Clone, PartialEq, Debug)]
pub struct Trellis {
    bits: u32,
    inverse_step: f32,
    /// In steps of the grid, by state.
    entries: [f32; STATES],
    /// The same in the order in which a single row is searched.
    for_one_row: [f32; STATES],
}

/// Buffers for [`Trellis::encode`].
#[derive(Debug, Default)]
pub struct TrellisRoom {
    words: Vec<[u32; LANES]>,
    bytes: Vec<u8>,
}

/// The largest value of a grid, in steps: eight times the largest entry, or more.
const LARGEST: f32 = 4095.0;

/// Rows from which on sixteen at a time are faster than one at a time.
const MANY: usize = 4;

impl Trellis {
    /// For codes of two or four bits and a table by state; `None` for others, and unless all entries are finite and the largest is between
    /// 2⁻¹⁰⁰ and 2¹⁰⁰.
    pub fn new(width: Width, table: &[f32]) -> Option<Trellis> {
        let entries: &[f32; STATES] = table.try_into().ok().filter(|_| width.is_trellis())?;
        let largest = entries.iter().fold(0f32, |largest, entry| largest.max(entry.abs()));
        let range = 2f32.powi(-100)..=2f32.powi(100);
        if !entries.iter().all(|entry| entry.is_finite()) || !range.contains(&largest) {
            return None;
        }
        let bits = width.bits();
        // The largest entry is between 128 and 256 steps of two bits, between 256 and 512 of four.
        let exponent = (largest.to_bits() >> 23) as i32 - 127;
        let inverse_step = 2f32.powi(6 + bits as i32 / 2 - exponent);
        let entries = entries.map(|entry| entry * inverse_step);
        Some(Trellis { bits, inverse_step, entries, for_one_row: for_one_row(bits, &entries) })
    }

    /// The distance of neighbouring values of the grid, a power of two.
    pub fn step(&self) -> f32 {
        1.0 / self.inverse_step
    }

    /// The grid's values, in steps, nearest to `values`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn round(&self, level: Level, values: &[f32], grid: &mut [i16]) {
        assert_eq!(values.len(), grid.len(), "the grid does not match the values");
        dispatch::trellis_round(level, self.inverse_step, 0.0, LARGEST, values, grid);
    }

    /// [`Trellis::round`] of `value - margin` into `low` and of `value + margin` into `high`, computed in `f32`.
    ///
    /// # Panics
    /// When the lengths differ.
    pub fn round_within(&self, level: Level, values: &[f32], margin: f32, low: &mut [i16], high: &mut [i16]) {
        assert!(
            values.len() == low.len() && values.len() == high.len(),
            "the grid does not match the values"
        );
        dispatch::trellis_round(level, self.inverse_step, -margin, LARGEST, values, low);
        dispatch::trellis_round(level, self.inverse_step, margin, LARGEST, values, high);
    }

    /// The codes, a byte each, of rows of `dimension` grid values: those of the path from the state zero whose sum of squared errors is least.
    ///
    /// # Errors
    /// [`OutOfMemory`].
    ///
    /// # Panics
    /// When the lengths differ, or aren't multiples of `dimension`.
    pub fn encode(
        &self,
        level: Level,
        dimension: usize,
        grid: &[i16],
        codes: &mut [u8],
        room: &mut TrellisRoom,
    ) -> Result<(), OutOfMemory> {
        assert_eq!(grid.len(), codes.len(), "the codes do not match the grid");
        assert!(dimension > 0 && grid.len().is_multiple_of(dimension), "the grid is not of whole rows");
        let together = LANES * dimension;
        for (grid, codes) in grid.chunks(together).zip(codes.chunks_mut(together)) {
            if grid.len() / dimension >= MANY {
                room.words.try_resize(dimension * survivor_words(self.bits), [0; LANES])?;
                dispatch::trellis_rows(
                    level,
                    self.bits,
                    &self.entries,
                    dimension,
                    grid,
                    &mut room.words,
                    codes,
                );
                continue;
            }
            room.bytes.try_resize(dimension * (STATES >> self.bits), 0)?;
            for (grid, codes) in grid.chunks_exact(dimension).zip(codes.chunks_exact_mut(dimension)) {
                dispatch::trellis_row(level, self.bits, &self.for_one_row, grid, &mut room.bytes, codes);
            }
        }
        Ok(())
    }
}
