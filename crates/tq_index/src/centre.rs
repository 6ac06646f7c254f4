//! Centres: what is subtracted from rows before their signs are taken.
//!
//! Where all vectors resemble one another, signs of the vectors themselves say little; signs of what remains when their mean is
//! subtracted say as much as those of any others. An index that is built takes the mean of a sample. One that grows by inserts
//! takes a new one whenever the number of its slot pages has grown by a quarter, and remakes the older pages' slots a few at a time; each page
//! says by which centre its slots were made, so that both kinds are right meanwhile. There are never more than two.
//!
//! Centre 0 is the origin, and kept nowhere. The content of a centre's pages is its coordinates, f32.

use crate::error::{IndexError, damaged};
use crate::layout::{self, Kind};
use crate::pages::{Change, Pages};
use std::sync::Arc;

/// A point of the rotated space.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Centre {
    number: u32,
    vector: Vec<f32>,
    square: f64,
}

impl Centre {
    /// The centre of that number.
    pub(crate) fn new(number: u32, vector: Vec<f32>) -> Self {
        let square = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum();
        Self { number, vector, square }
    }

    /// Centre 0, of *d* dimensions.
    pub(crate) fn origin(dimension: usize) -> Result<Self, IndexError> {
        Ok(Self::new(0, tq_memory::filled(dimension, 0.0)?))
    }

    pub(crate) fn number(&self) -> u32 {
        self.number
    }

    pub(crate) fn vector(&self) -> &[f32] {
        &self.vector
    }

    pub(crate) fn square(&self) -> f64 {
        self.square
    }

    pub(crate) fn norm(&self) -> f64 {
        self.square.sqrt()
    }

    /// Reads a centre; `None` if its area holds another one by now, or none.
    pub(crate) fn read<P: Pages>(
        pages: &P,
        number: u32,
        dimension: usize,
    ) -> Result<Option<Self>, IndexError> {
        if number == 0 {
            return Self::origin(dimension).map(Some);
        }
        let (room, bytes) = (pages.room(), 4 * dimension);
        let start = layout::centre_start(number, dimension, room);
        let mut vector = tq_memory::with_capacity(dimension)?;
        for piece in 0..layout::centre_blocks(dimension, room) {
            let block = start + piece;
            let expected = room.min(bytes - piece as usize * room);
            let same = pages.read(block, |page| {
                match layout::kind_of(block, page)? {
                    Some((Kind::Centre, found)) if found == number => (),
                    Some((Kind::Centre, _)) | None => return Ok(false),
                    Some(_) => return Err(damaged(block, "a page of another kind in a centre's place")),
                }
                if page.content.len() != expected {
                    return Err(damaged(block, "a piece of a centre has another length"));
                }
                // Rooms are multiples of four.
                vector.extend(page.content.as_chunks::<4>().0.iter().map(|x| f32::from_le_bytes(*x)));
                Ok(true)
            })?;
            if !same {
                return Ok(None);
            }
        }
        if vector.len() != dimension || vector.iter().any(|x| !x.is_finite()) {
            return Err(damaged(start, "a centre with impossible coordinates"));
        }
        Ok(Some(Self::new(number, vector)))
    }

    /// Contents of the pages of its area, and their blocks.
    pub(crate) fn pieces(&self, room: usize) -> impl Iterator<Item = (u32, &[f32])> {
        let start = layout::centre_start(self.number, self.vector.len(), room);
        (start..).zip(self.vector.chunks(room / 4))
    }

    /// Writes it into its area, a change a page. Nothing may need the centre that was there.
    pub(crate) fn write<P: Pages>(&self, pages: &P) -> Result<(), IndexError> {
        for (block, piece) in self.pieces(pages.room()) {
            let mut change = pages.change();
            let page = change.lock(block);
            change.edit(page, |page| {
                *page.special = layout::special(Kind::Centre, self.number);
                page.len = 0;
                write_floats(piece, |at, bytes| page.write(at, bytes));
            });
            change.commit()?;
        }
        Ok(())
    }
}

/// Hands the little-endian bytes of each number to `write`, with their place.
pub(crate) fn write_floats(floats: &[f32], mut write: impl FnMut(usize, &[u8])) {
    for (i, x) in floats.iter().enumerate() {
        write(4 * i, &x.to_le_bytes());
    }
}

/// The centres that a session has read: at most four, the newest last.
#[derive(Clone, Default, Debug)]
pub(crate) struct Centres(Vec<Arc<Centre>>);

impl Centres {
    /// The centre of that number, if it has been read.
    pub(crate) fn get(&self, number: u32) -> Option<&Arc<Centre>> {
        self.0.iter().find(|centre| centre.number == number)
    }

    /// Reads what is missing of the newest, `newest`, and the one before. One that is being replaced is left out.
    pub(crate) fn refresh<P: Pages>(
        &mut self,
        pages: &P,
        newest: u32,
        dimension: usize,
    ) -> Result<(), IndexError> {
        for number in newest.saturating_sub(1)..=newest {
            if self.get(number).is_none()
                && let Some(centre) = Centre::read(pages, number, dimension)?
            {
                if self.0.len() == 4 {
                    self.0.remove(0);
                }
                self.0.push(Arc::new(centre));
            }
        }
        Ok(())
    }

    /// Adds one that was just made.
    pub(crate) fn add(&mut self, centre: Centre) {
        if self.0.len() == 4 {
            self.0.remove(0);
        }
        self.0.push(Arc::new(centre));
    }
}

/// The mean of vectors.
#[derive(Clone, Default, Debug)]
pub(crate) struct MeanSum {
    sum: Vec<f64>,
    count: u64,
}

impl MeanSum {
    /// Adds a vector; all must have one length.
    pub(crate) fn add(&mut self, vector: &[f32]) -> Result<(), IndexError> {
        if self.sum.is_empty() {
            self.sum = tq_memory::filled(vector.len(), 0.0)?;
        }
        self.sum.iter_mut().zip(vector).for_each(|(sum, x)| *sum += f64::from(*x));
        self.count += 1;
        Ok(())
    }

    /// How many were added.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Their mean as the centre of that number; `None` without any, or if `f32` can't hold it.
    pub(crate) fn centre(&self, number: u32) -> Result<Option<Centre>, IndexError> {
        let count = self.count as f64;
        let mean = tq_memory::collected(self.sum.iter().map(|sum| (sum / count) as f32))?;
        let usable = self.count > 0 && mean.iter().all(|x| x.abs() < 1e15);
        Ok(usable.then(|| Centre::new(number, mean)))
    }
}
