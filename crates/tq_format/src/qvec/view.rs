//! A QVEC file, read in place.
//!
//! A view's fields were checked when it was made and are read where they stand. The bytes may belong to a mapped file that
//! others change meanwhile: then what is read is worthless, as the mapping's owner will find, but nothing here panics.

use std::ops::Range;

use super::ids::{Id, read_id};
use super::structure::ID_STRIDE;
use super::{Error, Geometry, HEADER_LEN, Header};

/// An index, borrowed from the bytes of its file.
#[derive(Clone, Debug)]
pub struct View<'a> {
    geometry: Geometry,
    bytes: &'a [u8],
}

/// A vector as it is stored.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Row<'a> {
    /// Its packed codes: `dimension · bits / 8` bytes.
    pub codes: &'a [u8],
    /// What estimates of inner products are multiplied by.
    pub scale: f32,
    /// Its Euclidean norm before it was compressed.
    pub norm: f32,
}

impl<'a> View<'a> {
    /// Checks a whole file. A file of version 1 is read as quantvec's releases write it if lengths and tags then end where
    /// the file ends, else in the layout of the first description; if it is sound in neither, the error is that of the former.
    ///
    /// Takes a hash of each id for a while, less than the file's bytes, and keeps the place of one in 64.
    ///
    /// # Errors
    /// The first that quantvec's reader finds, else the first of what it doesn't look for: a dimension above
    /// [`MAX_DIMENSION`](super::MAX_DIMENSION), a number id that isn't finite, and a scale or norm that isn't
    /// finite and positive.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        Self::parse_polling(bytes, &mut || {})
    }

    /// [`View::parse`] of files with many ids: `poll` is called every few milliseconds, and may unwind.
    ///
    /// # Errors
    /// As [`View::parse`].
    pub fn parse_polling(bytes: &'a [u8], poll: &mut dyn FnMut()) -> Result<Self, Error> {
        Ok(Self::new(Geometry::parse(bytes, poll)?, bytes))
    }

    pub(super) fn new(geometry: Geometry, bytes: &'a [u8]) -> Self {
        View { geometry, bytes }
    }

    /// What the header says, and the layout.
    pub fn header(&self) -> &Header {
        &self.geometry.header
    }

    /// The places of the fields.
    pub fn geometry(&self) -> &Geometry {
        &self.geometry
    }

    /// The vector at `slot`, if there is one.
    pub fn row(&self, slot: u32) -> Option<Row<'a>> {
        let Header { bits, dimension, count, .. } = self.geometry.header;
        if slot >= count {
            return None;
        }
        let (slot, len) = (slot as usize, bits.row_len(dimension));
        Some(Row {
            codes: self.bytes.get(HEADER_LEN + slot * len..)?.get(..len)?,
            scale: f32_at(self.bytes, self.geometry.scales + 4 * slot),
            norm: f32_at(self.bytes, self.geometry.norms + 4 * slot),
        })
    }

    /// The vectors at these slots, as far as there are any.
    pub fn rows(&self, slots: Range<u32>) -> impl Iterator<Item = Row<'a>> + use<'_, 'a> {
        slots.map_while(|slot| self.row(slot))
    }

    /// The calibration, if there is one.
    pub fn calibration(&self) -> Option<Calibration<'a>> {
        let start = self.geometry.calibration?;
        let numbers = self.bytes.get(start..)?.as_chunks().0;
        let dimension = self.geometry.header.dimension as usize;
        Some(Calibration {
            shifts: numbers.get(..dimension)?,
            scales: numbers.get(dimension..2 * dimension)?,
        })
    }

    /// The inverted file, if there is one.
    ///
    /// For tests and benchmarks: nothing else calls it.
    pub fn inverted_file(&self) -> Option<InvertedFile<'a>> {
        let ivf = self.geometry.ivf?;
        let Header { dimension, count, .. } = self.geometry.header;
        let centroids = self.bytes.get(ivf.centroids..ivf.slots)?.as_chunks().0;
        let slots = self.bytes.get(ivf.slots..)?.as_chunks().0.get(..count as usize)?;
        Some(InvertedFile {
            lists: ivf.lists,
            probes: ivf.probes,
            dimension: dimension as usize,
            centroids,
            slots,
        })
    }

    /// The id of the vector at `slot`; `None` if the vectors have none. Reads up to 63 ids before it.
    ///
    /// # Errors
    /// [`Error::NoSuchSlot`]; those of ids only if the bytes have changed.
    pub fn id(&self, slot: u32) -> Result<Option<Id<'a>>, Error> {
        let Header { keyed, count, .. } = self.geometry.header;
        if slot >= count {
            return Err(Error::NoSuchSlot { slot, count });
        }
        if !keyed {
            return Ok(None);
        }
        let first = slot - slot % ID_STRIDE as u32;
        let mut ids = Ids { view: self, next: first, at: self.place(first) };
        ids.nth((slot - first) as usize).transpose()
    }

    /// The ids of the vectors from slot `first` on, in order; none if the vectors have none.
    pub fn ids_from(&self, first: u32) -> Ids<'_, 'a> {
        let noted = first - first % ID_STRIDE as u32;
        let mut ids = Ids { view: self, next: noted, at: self.place(noted) };
        for _ in noted..first {
            ids.next();
        }
        ids
    }

    fn place(&self, slot: u32) -> Option<usize> {
        self.geometry.ids.get(slot as usize / ID_STRIDE).and_then(|place| usize::try_from(*place).ok())
    }
}

/// Shift and scale of each rotated coordinate *y*, of which `(y + shift) · scale` was quantised.
#[derive(Clone, Copy, Debug)]
pub struct Calibration<'a> {
    shifts: &'a [[u8; 4]],
    scales: &'a [[u8; 4]],
}

impl Calibration<'_> {
    /// The shifts, one a coordinate.
    pub fn shifts(&self) -> impl ExactSizeIterator<Item = f32> {
        self.shifts.iter().map(|bytes| f32::from_le_bytes(*bytes))
    }

    /// The scales, one a coordinate.
    pub fn scales(&self) -> impl ExactSizeIterator<Item = f32> {
        self.scales.iter().map(|bytes| f32::from_le_bytes(*bytes))
    }
}

/// Lists of vectors around centroids, by which quantvec searches a part of the index only.
#[derive(Clone, Copy, Debug)]
pub struct InvertedFile<'a> {
    lists: u32,
    probes: u32,
    dimension: usize,
    centroids: &'a [[u8; 4]],
    slots: &'a [[u8; 4]],
}

impl InvertedFile<'_> {
    /// The number of lists.
    pub fn lists(&self) -> u32 {
        self.lists
    }

    /// How many lists a search looks into.
    pub fn probes(&self) -> u32 {
        self.probes
    }

    /// The coordinates of a list's centroid; none if there is no such list.
    pub fn centroid(&self, list: u32) -> impl Iterator<Item = f32> {
        let centroids = self.centroids.chunks_exact(self.dimension.max(1));
        centroids.skip(list as usize).take(1).flatten().map(|bytes| f32::from_le_bytes(*bytes))
    }

    /// The list that the vector at `slot` is in.
    pub fn list(&self, slot: u32) -> Option<u32> {
        self.slots.get(slot as usize).map(|bytes| u32::from_le_bytes(*bytes))
    }
}

/// The ids of an index in the order of slots; ends after an error, which there is only if the bytes have changed.
#[derive(Clone, Debug)]
pub struct Ids<'v, 'a> {
    view: &'v View<'a>,
    next: u32,
    at: Option<usize>,
}

impl<'a> Iterator for Ids<'_, 'a> {
    type Item = Result<Id<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let at = self.at.take()?;
        if self.next >= self.view.geometry.header.count {
            return None;
        }
        let slot = self.next;
        self.next += 1;
        Some(read_id(self.view.bytes, at, slot).map(|(id, next)| {
            self.at = Some(next);
            id
        }))
    }
}

/// The number at a place that was found to be inside the file.
pub(super) fn f32_at(bytes: &[u8], offset: usize) -> f32 {
    f32::from_bits(u32_at(bytes, offset))
}

/// As [`f32_at`].
pub(super) fn u32_at(bytes: &[u8], offset: usize) -> u32 {
    bytes.get(offset..).and_then(|bytes| bytes.first_chunk()).map_or(0, |bytes| u32::from_le_bytes(*bytes))
}
