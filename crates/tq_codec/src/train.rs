//! Codebooks from a sample of the values that they are to stand for.
//!
//! The built-in codebook fits unit vectors. Vectors of another length, or of many lengths, want one of their own:
//! [`lloyd`], which finds the codebook of least squared error on the sample, or [`quantile`], TinyQuant's recipe,
//! for codecs that have to be the same there. Both take plain values. For a good codebook they are the
//! coordinates of vectors *after* the rotation, since those are what is quantised.
//!
//! Both sort the values in their place, which a caller that needs them later gives a [`copy`] of. Both call `poll` many
//! times a second, for whatever else the caller has to attend to; it may unwind, which leaves the values in some other order.

use self::centred::Centred;
use self::sort::{ROUND, sort};
use crate::centre::Centre;
use crate::{Codebook, CodecError, Rotation, lloyd_max};
use tq_format::BitWidth;

mod centred;
mod sort;

/// Rounds of Lloyd's iteration at most; few samples need a tenth of them.
const ROUNDS: usize = 3000;

/// The iteration ends when no entry moves by more than this part of the standard deviation.
const TOLERANCE: f64 = 1e-6;

/// TinyQuant's codebook: entry *k* of *n* is the quantile `k/(n-1)` of the values, interpolated linearly in f64
/// between neighbours and rounded to f32. Equal to the bit to what TinyQuant trains. Needs no memory beside the values.
///
/// # Errors
/// [`CodecError::NotFinite`], and [`CodecError::TooFewDistinct`] unless all entries differ.
pub fn quantile(values: &mut [f32], width: BitWidth, poll: &mut dyn FnMut()) -> Result<Codebook, CodecError> {
    let sorted = sorted(values, poll)?;
    let levels = width.levels();
    let Some(last) = sorted.len().checked_sub(1) else {
        return Err(CodecError::TooFewDistinct { needed: levels, got: 0 });
    };
    let entry = |k: usize| {
        let position = k as f64 / (levels - 1) as f64 * last as f64;
        let below = libm::floor(position);
        let index = below as usize;
        let (low, high) = (f64::from(sorted[index]), f64::from(sorted[(index + 1).min(last)]));
        (low + (position - below) * (high - low)) as f32
    };
    let mut entries: Vec<f32> = (0..levels).map(entry).collect();
    entries.sort_unstable_by(f32::total_cmp);
    let got = 1 + entries.windows(2).filter(|pair| pair[0] < pair[1]).count();
    if got < levels {
        return Err(CodecError::TooFewDistinct { needed: levels, got });
    }
    Codebook::new(width, entries)
}

/// The codebook of least squared error on the values, as far as Lloyd's iteration finds it: each entry is the mean of
/// the values nearest to it (S. Lloyd, *Least squares quantization in PCM*, 1957/1982).
///
/// Values may be of any scale and distribution. It starts once from the quantiser of the normal distribution and once
/// from a companding by the cube root of the density (which is optimal for many levels: P. Panter and W. Dite,
/// *Quantization distortion in pulse-count modulation*, 1951), and keeps the better result. Deterministic, and
/// independent of the order of the values. Needs half a byte a value beside them.
///
/// # Errors
/// [`CodecError::NotFinite`], [`CodecError::TooFewDistinct`] with fewer different values than entries, and
/// [`CodecError::TrainingMemory`].
pub fn lloyd(values: &mut [f32], width: BitWidth, poll: &mut dyn FnMut()) -> Result<Codebook, CodecError> {
    let sorted = sorted(values, poll)?;
    let levels = width.levels();
    let got = distinct(sorted, poll);
    if got < levels {
        return Err(CodecError::TooFewDistinct { needed: levels, got });
    }
    let sample = Centred::new(sorted, poll)?;
    let starts = [sample.normal_start(width), sample.companded_start(levels)];
    let [first, second] = starts.map(|start| sample.iterate(start, poll));
    let (entries, _) = if first.1 <= second.1 { first } else { second };
    let mut rounded: Vec<f32> = entries.iter().map(|entry| (entry + sample.mean) as f32).collect();
    // Entries that f32 can't tell apart, among values that lie next to each other.
    for k in 1..rounded.len() {
        if rounded[k] <= rounded[k - 1] {
            rounded[k] = rounded[k - 1].next_up();
        }
    }
    Codebook::new(width, rounded)
}

/// The fixed table of a trellis, scaled to the values: by the root of their mean square, since a codec's centre has been taken off.
///
/// # Errors
/// [`CodecError::NotFinite`], [`CodecError::TrellisOfEightBits`], [`CodecError::TooFewDistinct`] if all values are zero, and
/// [`CodecError::TrellisRange`].
pub fn scaled_trellis(
    values: &[f32],
    width: BitWidth,
    poll: &mut dyn FnMut(),
) -> Result<Codebook, CodecError> {
    let mut squares = 0.0;
    for (round, part) in values.chunks(ROUND).enumerate() {
        poll();
        if let Some(index) = part.iter().position(|value| !value.is_finite()) {
            return Err(CodecError::NotFinite { index: round * ROUND + index, value: part[index] });
        }
        squares += part.iter().map(|value| f64::from(*value) * f64::from(*value)).sum::<f64>();
    }
    if squares == 0.0 {
        let got = usize::from(!values.is_empty());
        return Err(CodecError::TooFewDistinct { needed: width.levels(), got });
    }
    Codebook::fixed_trellis(width, (squares / values.len() as f64).sqrt())
}

/// The mean of vectors (`n × d`, row-major): the centre of a codec that is made for them. Zeros if there are none. Sums are in `f64`.
///
/// # Errors
/// [`CodecError::Memory`].
pub fn mean(vectors: &[f32], dimension: usize, poll: &mut dyn FnMut()) -> Result<Vec<f32>, CodecError> {
    let mut sums = tq_memory::filled(dimension, 0.0f64)?;
    for round in vectors.chunks(ROUND.div_ceil(dimension.max(1)) * dimension.max(1)) {
        poll();
        for vector in round.chunks_exact(dimension.max(1)) {
            sums.iter_mut().zip(vector).for_each(|(sum, x)| *sum += f64::from(*x));
        }
    }
    let count = (vectors.len() / dimension.max(1)).max(1) as f64;
    Ok(tq_memory::collected(sums.iter().map(|sum| (sum / count) as f32))?)
}

/// Takes a centre, which isn't rotated yet, off coordinates of rotated vectors (`n × d`, row-major), as a codec that has it does.
///
/// # Errors
/// Those of [`Codec::with_centre`](crate::Codec::with_centre), but for the length.
///
/// # Panics
/// If the centre isn't of the rotation's dimension.
pub fn subtract_centre(
    rotation: &Rotation,
    centre: &[f32],
    rotated: &mut [f32],
    poll: &mut dyn FnMut(),
) -> Result<(), CodecError> {
    let centre = Centre::new(centre, rotation, poll)?;
    for round in rotated.chunks_mut(ROUND.div_ceil(centre.vector().len()) * centre.vector().len()) {
        poll();
        round.chunks_mut(centre.vector().len()).for_each(|row| centre.subtract(row));
    }
    Ok(())
}

/// The values again, to be trained on where the caller has to keep its own.
///
/// # Errors
/// [`CodecError::TrainingMemory`].
pub fn copy(values: &[f32], poll: &mut dyn FnMut()) -> Result<Vec<f32>, CodecError> {
    let mut copy = Vec::new();
    let out_of_memory = |_| CodecError::TrainingMemory { bytes: size_of_val(values) };
    copy.try_reserve_exact(values.len()).map_err(out_of_memory)?;
    for values in values.chunks(ROUND) {
        poll();
        copy.extend_from_slice(values);
    }
    Ok(copy)
}

/// The values in ascending order.
fn sorted<'a>(values: &'a mut [f32], poll: &mut dyn FnMut()) -> Result<&'a [f32], CodecError> {
    for (round, part) in values.chunks(ROUND).enumerate() {
        poll();
        if let Some(index) = part.iter().position(|value| !value.is_finite()) {
            return Err(CodecError::NotFinite { index: round * ROUND + index, value: part[index] });
        }
    }
    sort(values, poll);
    Ok(values)
}

/// How many different values there are; zeros of both signs are one.
fn distinct(sorted: &[f32], poll: &mut dyn FnMut()) -> usize {
    let mut distinct = usize::from(!sorted.is_empty());
    for start in (0..sorted.len()).step_by(ROUND) {
        poll();
        // With the first value of the next round, for the pair that the rounds share.
        let round = &sorted[start..sorted.len().min(start + ROUND + 1)];
        distinct += round.windows(2).filter(|pair| pair[0] < pair[1]).count();
    }
    distinct
}

/// What is nearest to one entry: `from..to` of the sorted values.
struct Cell {
    entry: f64,
    from: usize,
    to: usize,
}

impl Centred<'_> {
    fn normal_start(&self, width: BitWidth) -> Vec<f64> {
        let half = lloyd_max::positive_half(width);
        let negative = half.iter().rev().map(|entry| -entry * self.deviation);
        negative.chain(half.iter().map(|entry| entry * self.deviation)).collect()
    }

    /// Between quantiles that are δ apart the density is in inverse proportion to δ, and its cube root, integrated over δ,
    /// in proportion to δ^⅔: entries are put at equal steps of the sum of that.
    fn companded_start(&self, levels: usize) -> Vec<f64> {
        let last = self.len() - 1;
        let steps = (self.len() / 16).clamp(levels, 64 * levels);
        let point = |step: usize| self.value((step as f64 / steps as f64 * last as f64) as usize);
        let weight = |step: usize| libm::cbrt(libm::pow(point(step + 1) - point(step), 2.0));
        let total: f64 = (0..steps).map(weight).sum();
        let mut entries = Vec::with_capacity(levels);
        let mut reached = 0.0;
        for step in 0..steps {
            let here = weight(step);
            while entries.len() < levels
                && (entries.len() as f64 + 0.5) / levels as f64 * total <= reached + here
            {
                let target = (entries.len() as f64 + 0.5) / levels as f64 * total;
                let part = if here > 0.0 { (target - reached) / here } else { 0.0 };
                entries.push(point(step) + part * (point(step + 1) - point(step)));
            }
            reached += here;
        }
        entries.resize(levels, self.value(last));
        entries
    }

    /// Lloyd's iteration from ascending entries; returns what it ends with and the squared error that entries save.
    /// A round is a few searches for each entry, however many values there are, so that one poll a round is enough.
    fn iterate(&self, mut entries: Vec<f64>, poll: &mut dyn FnMut()) -> (Vec<f64>, f64) {
        for _ in 0..ROUNDS {
            poll();
            let mut cells = self.cells(&entries);
            let full = cells.len() == entries.len();
            self.refill(&mut cells, entries.len());
            let moved = entries.iter().zip(&cells).map(|(entry, cell)| (entry - cell.entry).abs());
            let moved = moved.fold(0.0, f64::max);
            for (entry, cell) in entries.iter_mut().zip(&cells) {
                *entry = cell.entry;
            }
            if full && moved <= TOLERANCE * self.deviation {
                break;
            }
        }
        let error = self.squares - self.saved(&entries);
        (entries, error)
    }

    /// The cells of ascending entries that aren't empty, with the means of their values for entries.
    fn cells(&self, entries: &[f64]) -> Vec<Cell> {
        let mut cells = Vec::with_capacity(entries.len());
        let mut from = 0;
        for k in 0..entries.len() {
            let to = match entries.get(k + 1) {
                Some(next) => {
                    let boundary = 0.5 * (entries[k] + next);
                    self.first_from(from, self.len(), boundary)
                }
                None => self.len(),
            };
            if from < to {
                cells.push(Cell { entry: self.mean_of(from, to), from, to });
            }
            from = to;
        }
        cells
    }

    /// Cuts the cells that hold most into two until there are enough of them. There are at least as many different values.
    fn refill(&self, cells: &mut Vec<Cell>, levels: usize) {
        while cells.len() < levels {
            let spread = |cell: &Cell| {
                let width = self.value(cell.to - 1) - self.value(cell.from);
                (cell.to - cell.from) as f64 * width * width
            };
            let mut widest = 0;
            for k in 1..cells.len() {
                if spread(&cells[k]) > spread(&cells[widest]) {
                    widest = k;
                }
            }
            let Cell { entry, from, to } = cells[widest];
            // The mean of different values lies between them, unless rounding has put it on one.
            let cut = self.first_from(from, to, entry).max(self.first_above(from, to));
            if cut >= to {
                return;
            }
            cells[widest] = Cell { entry: self.mean_of(from, cut), from, to: cut };
            cells.insert(widest + 1, Cell { entry: self.mean_of(cut, to), from: cut, to });
        }
    }

    /// By how much the squared error is less than that of the mean alone: `Σ n·mean²` over cells, corrected for entries that
    /// aren't their cells' means yet.
    fn saved(&self, entries: &[f64]) -> f64 {
        let mut saved = 0.0;
        let mut from = 0;
        for (k, entry) in entries.iter().enumerate() {
            let to = match entries.get(k + 1) {
                Some(next) => self.first_from(from, self.len(), 0.5 * (entry + next)),
                None => self.len(),
            };
            let (count, sum) = ((to - from) as f64, self.sum(to) - self.sum(from));
            saved += 2.0 * entry * sum - count * entry * entry;
            from = to;
        }
        saved
    }
}
