//! The matrix of a Haar rotation, its own or one that someone else keeps, and what is made of it when it is first needed.

use crate::product::{SharedRounded, Single, apply_rows_f64, greatest_row_norm};
use std::sync::{Arc, OnceLock};
use tq_memory::OutOfMemory;
use tq_simd::Level;

/// A matrix that someone else keeps: a mapped file, say.
pub type SharedMatrix = Arc<dyn AsRef<[f64]> + Send + Sync>;

/// Rows of a matrix that are rounded at a time for a query: a multiple of what a kernel takes together.
const ROUNDED_ROWS: usize = 64;

/// The matrix, and what is made of it when it is first needed.
pub(super) struct HaarMatrix {
    values: Values,
    rounded: Option<SharedRounded>,
    dimension: usize,
    norm: OnceLock<f64>,
    /// Not there yet, or without memory for it.
    single: OnceLock<Single>,
}

enum Values {
    Owned(Vec<f64>),
    Shared(SharedMatrix),
}

impl HaarMatrix {
    /// A matrix of that many rows and columns, which belongs to the rotation.
    pub(super) fn owned(values: Vec<f64>, dimension: usize) -> Self {
        Self::new(Values::Owned(values), dimension)
    }

    /// A matrix of that many rows and columns, which others may hold as well.
    pub(super) fn shared(values: SharedMatrix, dimension: usize) -> Self {
        Self::new(Values::Shared(values), dimension)
    }

    fn new(values: Values, dimension: usize) -> Self {
        Self { values, rounded: None, dimension, norm: OnceLock::new(), single: OnceLock::new() }
    }

    /// Takes the same matrix, rounded, which others may hold as well, so that it need not be made.
    pub(super) fn keep_rounded(&mut self, rounded: SharedRounded) {
        self.rounded = Some(rounded);
    }

    /// Row-major.
    pub(super) fn values(&self) -> &[f64] {
        match &self.values {
            Values::Owned(values) => values,
            Values::Shared(values) => (**values).as_ref(),
        }
    }

    /// The greatest norm of a row. What unwinds out of `poll` leaves it to be found by the next who asks.
    pub(super) fn norm(&self, poll: &mut dyn FnMut()) -> f64 {
        *self.norm.get_or_init(|| greatest_row_norm(self.values(), self.dimension, poll))
    }

    /// The matrix in f32, made when first asked for; `None` if there is no memory.
    pub(super) fn single(&self, poll: &mut dyn FnMut()) -> Option<&Single> {
        if self.single.get().is_none() {
            let norm = self.norm(poll);
            let single = match &self.rounded {
                Some(rounded) => Single::shared(rounded.clone(), self.dimension, norm),
                None => Single::new(self.values(), self.dimension, norm, poll).ok()?,
            };
            // What another thread has made meanwhile stays.
            let _ = self.single.set(single);
        }
        self.single.get()
    }

    /// `y[i] ≈ Σ_j f32(Q[i,j])·x[j]`, by [`tq_simd::rotate_query_polling`]: from the rounded matrix if it is there, else by rounding, with the same bits. `poll`
    /// is called every few milliseconds, and may unwind.
    pub(super) fn apply_rounded(
        &self,
        level: Level,
        x: &[f32],
        y: &mut [f32],
        poll: &mut dyn FnMut(),
    ) -> Result<(), OutOfMemory> {
        let rounded = self.rounded.as_ref().map(|rounded| (**rounded).as_ref());
        if let Some(matrix) = rounded.or_else(|| self.single.get().map(Single::values)) {
            tq_simd::rotate_query_polling(level, matrix, x, y, poll);
            return Ok(());
        }
        let size = ROUNDED_ROWS * self.dimension;
        let mut rounded = tq_memory::with_capacity(size.min(self.values().len()))?;
        for (rows, y) in self.values().chunks(size).zip(y.chunks_mut(ROUNDED_ROWS)) {
            rounded.clear();
            // It has the room.
            rounded.extend(rows.iter().map(|&q| q as f32));
            tq_simd::rotate_query_polling(level, &rounded, x, y, &mut || {});
            poll();
        }
        Ok(())
    }

    /// See [`apply_rows_f64`].
    pub(super) fn apply_rows_f64(&self, x: &[f64], y: &mut [f64]) -> Result<f64, OutOfMemory> {
        apply_rows_f64(self.values(), self.dimension, self.norm(&mut || {}), x, y)
    }

    /// Bytes that go when this goes.
    pub(super) fn memory_bytes(&self) -> usize {
        let values = match &self.values {
            Values::Owned(values) => values.capacity() * size_of::<f64>(),
            Values::Shared(_) => 0,
        };
        values + self.single.get().map_or(0, Single::memory_bytes)
    }
}
