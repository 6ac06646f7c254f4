//! Where the fields of a QVEC file are, found and checked once.
//!
//! Whatever quantvec's reader refuses is refused first and in its order, so that files get its codes. What is
//! wrong beyond that is noted meanwhile and refused at the end.

use std::sync::Arc;

use tq_memory::Grow;

use super::ids::{Id, IdHashes, IdKinds, read_id, skip_id};
use super::view::{View, f32_at, u32_at};
use super::{Error, HEADER_LEN, Header, Layout, MAX_DIMENSION};

/// The greatest number of lists of an inverted file.
const MOST_LISTS: u32 = 1 << 22;
/// One of so many ids has its place noted.
pub(super) const ID_STRIDE: usize = 64;
/// Numbers or ids that are checked between two polls.
const POLLED: usize = 1 << 16;

/// A header and the places of all fields, with which bytes can be looked at again without checking them anew.
#[derive(Clone, Debug)]
pub struct Geometry {
    pub(super) header: Header,
    /// Bytes of the file.
    pub(super) len: usize,
    pub(super) scales: usize,
    pub(super) norms: usize,
    /// Where the shifts start.
    pub(super) calibration: Option<usize>,
    pub(super) ivf: Option<Ivf>,
    /// The place of every [`ID_STRIDE`]th id; none without ids.
    pub(super) ids: Arc<Vec<u64>>,
    id_kinds: IdKinds,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Ivf {
    pub(super) lists: u32,
    pub(super) probes: u32,
    pub(super) centroids: usize,
    pub(super) slots: usize,
}

impl Geometry {
    /// What the header says.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// Which kinds of ids there are; none if the vectors have no ids.
    pub fn id_kinds(&self) -> IdKinds {
        self.id_kinds
    }

    /// Whether there is a calibration.
    pub fn is_calibrated(&self) -> bool {
        self.calibration.is_some()
    }

    /// The number of lists of the inverted file, if there is one.
    pub fn lists(&self) -> Option<u32> {
        self.ivf.map(|ivf| ivf.lists)
    }

    /// How many of them a search by quantvec looks into.
    pub fn probes(&self) -> Option<u32> {
        self.ivf.map(|ivf| ivf.probes)
    }

    /// The view of bytes that were parsed into this, or are thought to be still the same; `None` if not even their number
    /// is. Costs nothing: should they have changed, values are whatever the bytes say, or errors, and never panics.
    pub fn view<'a>(&self, bytes: &'a [u8]) -> Option<View<'a>> {
        (bytes.len() == self.len).then(|| View::new(self.clone(), bytes))
    }

    /// Checks everything in a file. Of a file of version 1 the layout is found out.
    pub(super) fn parse(bytes: &[u8], poll: &mut dyn FnMut()) -> Result<Self, Error> {
        let header = Header::parse(bytes)?;
        let read = |layout, poll: &mut dyn FnMut()| {
            Reader { bytes, header: Header { layout, ..header }, at: HEADER_LEN, gap: None }.read(poll)
        };
        let (geometry, gap) = match header.layout {
            Layout::V1 if !fills_v1(bytes, &header, poll) => {
                // If it is neither, it is called what quantvec calls it.
                read(Layout::Doc1, poll).or_else(|_| read(Layout::V1, poll))?
            }
            layout => read(layout, poll)?,
        };
        gap.map_or(Ok(geometry), Err)
    }
}

/// Whether the lengths and tags of a file are those of version 1 as quantvec writes it, up to the last byte.
fn fills_v1(bytes: &[u8], header: &Header, poll: &mut dyn FnMut()) -> bool {
    let mut reader = Reader { bytes, header: *header, at: HEADER_LEN, gap: None };
    let Ok(flag) = reader.codes().and_then(|_| reader.field("the calibration flag", 1)) else { return false };
    let numbers = match bytes[flag] {
        0 => 0,
        1 => 8 * u64::from(header.dimension),
        _ => return false,
    };
    if reader.field("the calibration", numbers).is_err() {
        return false;
    }
    for slot in 0..if header.keyed { header.count } else { 0 } {
        match skip_id(bytes, reader.at) {
            Some(next) => reader.at = next,
            None => return false,
        }
        if (slot as usize).is_multiple_of(POLLED) {
            poll();
        }
    }
    reader.at == bytes.len()
}

struct Reader<'a> {
    bytes: &'a [u8],
    header: Header,
    /// The end of what was read.
    at: usize,
    /// The first thing that is wrong and that quantvec doesn't look at.
    gap: Option<Error>,
}

impl Reader<'_> {
    fn read(mut self, poll: &mut dyn FnMut()) -> Result<(Geometry, Option<Error>), Error> {
        let Header { layout, keyed, dimension, count, .. } = self.header;
        let scales = self.codes()?;
        let norms = scales + 4 * count as usize;
        if dimension > MAX_DIMENSION {
            self.gap = Some(Error::DimensionTooLarge { got: dimension });
        }
        let calibration = if layout == Layout::Doc1 { None } else { self.calibration()? };
        let ivf = if layout == Layout::V2 { self.ivf(poll)? } else { None };
        let (ids, id_kinds) = if keyed { self.ids(poll)? } else { Default::default() };
        if self.at < self.bytes.len() {
            let surplus = (self.bytes.len() - self.at) as u64;
            return Err(Error::TrailingBytes { offset: self.at as u64, surplus });
        }
        self.scales_and_norms(scales, norms, poll);
        let geometry = Geometry {
            header: self.header,
            len: self.bytes.len(),
            scales,
            norms,
            calibration,
            ivf,
            ids: ids.into(),
            id_kinds,
        };
        Ok((geometry, self.gap))
    }

    /// Reads codes, scales and norms; returns where the scales start.
    fn codes(&mut self) -> Result<usize, Error> {
        let Header { bits, dimension, count, .. } = self.header;
        // At most 2⁶³, so nothing overflows in 64 bits.
        let codes = u64::from(count) * u64::from(dimension / 8) * u64::from(bits.bits());
        let start = self.field("codes, scales and norms", codes + 8 * u64::from(count))?;
        Ok(start + codes as usize)
    }

    /// Where the next `needed` bytes start, if they are there; they count as read.
    fn field(&mut self, field: &'static str, needed: u64) -> Result<usize, Error> {
        let start = self.at;
        let got = (self.bytes.len() - start) as u64;
        if needed > got {
            return Err(Error::Truncated { field, offset: start as u64, needed, got });
        }
        self.at += needed as usize;
        Ok(start)
    }

    /// [`Reader::field`] of an inverted file, which has a code of its own.
    fn ivf_field(&mut self, field: &'static str, needed: u64) -> Result<usize, Error> {
        self.field(field, needed).map_err(|error| match error {
            Error::Truncated { field, offset, needed, got } => {
                Error::IvfTruncated { field, offset, needed, got }
            }
            other => other,
        })
    }

    fn calibration(&mut self) -> Result<Option<usize>, Error> {
        let flag = self.field("the calibration flag", 1)?;
        match self.bytes[flag] {
            0 => return Ok(None),
            1 => {}
            got => return Err(Error::CalibrationFlag { offset: flag as u64, got }),
        }
        let dimension = self.header.dimension;
        let shifts = self.field("the calibration", 8 * u64::from(dimension))?;
        for coordinate in 0..2 * dimension {
            let offset = shifts + 4 * coordinate as usize;
            let got = f32_at(self.bytes, offset);
            let (field, coordinate) = match coordinate.checked_sub(dimension) {
                None => ("shift", coordinate),
                Some(coordinate) => ("scale", coordinate),
            };
            if !got.is_finite() || (field == "scale" && got == 0.0) {
                return Err(Error::Calibration { field, coordinate, offset: offset as u64, got });
            }
        }
        Ok(Some(shifts))
    }

    fn ivf(&mut self, poll: &mut dyn FnMut()) -> Result<Option<Ivf>, Error> {
        let flag = self.field("the ivf flag", 1)?;
        match self.bytes[flag] {
            0 => return Ok(None),
            1 => {}
            got => return Err(Error::IvfFlag { offset: flag as u64, got }),
        }
        let Header { dimension, count, .. } = self.header;
        let sizes = self.ivf_field("the sizes of the ivf", 8)?;
        let (lists, probes) = (u32_at(self.bytes, sizes), u32_at(self.bytes, sizes + 4));
        if !(2..=MOST_LISTS).contains(&lists) {
            return Err(Error::IvfLists { offset: sizes as u64, got: lists });
        }
        if !(1..=lists).contains(&probes) {
            return Err(Error::IvfProbes { offset: sizes as u64 + 4, got: probes, lists });
        }
        let numbers = u64::from(lists) * u64::from(dimension);
        let centroids = self.ivf_field("the ivf", 4 * (numbers + u64::from(count)))?;
        for number in 0..numbers as usize {
            let offset = centroids + 4 * number;
            let got = f32_at(self.bytes, offset);
            if !got.is_finite() {
                let (list, coordinate) = (number / dimension as usize, number % dimension as usize);
                let (list, coordinate) = (list as u32, coordinate as u32);
                return Err(Error::IvfCentroid { list, coordinate, offset: offset as u64, got });
            }
            if number.is_multiple_of(POLLED) {
                poll();
            }
        }
        let slots = centroids + 4 * numbers as usize;
        for slot in 0..count {
            let offset = slots + 4 * slot as usize;
            let got = u32_at(self.bytes, offset);
            if got >= lists {
                return Err(Error::IvfSlot { slot, offset: offset as u64, got, lists });
            }
        }
        Ok(Some(Ivf { lists, probes, centroids, slots }))
    }

    /// Checks the ids, and returns the places of some and the kinds of all.
    fn ids(&mut self, poll: &mut dyn FnMut()) -> Result<(Vec<u64>, IdKinds), Error> {
        let start = self.at;
        let count = self.header.count;
        // An id has at least 5 bytes and its vector 10 elsewhere; so a table for all that can be there is smaller than the file.
        let present = (self.bytes.len() - start) / 5 + 1;
        let mut seen = IdHashes::new(present.min(count as usize))?;
        let (mut places, mut kinds) = (Vec::new(), IdKinds::default());
        for slot in 0..count {
            let offset = self.at as u64;
            let (id, next) = read_id(self.bytes, self.at, slot)?;
            kinds.add(&id);
            if let Id::Number(got) = id
                && !got.is_finite()
            {
                self.gap.get_or_insert(Error::IdNotFinite { slot, offset, got });
            }
            if !seen.insert(&id)
                && let Some(first) = self.slot_of(start, slot, &id)
            {
                return Err(Error::IdDuplicate { slot, offset, first });
            }
            if (slot as usize).is_multiple_of(ID_STRIDE) {
                let bytes = (places.len() as u64 + 1) * size_of::<u64>() as u64;
                places.try_push(offset).map_err(|_| Error::OutOfMemory { bytes })?;
            }
            if (slot as usize).is_multiple_of(POLLED) {
                poll();
            }
            self.at = next;
        }
        Ok((places, kinds))
    }

    /// The slot below `end` whose id this is.
    fn slot_of(&self, start: usize, end: u32, id: &Id<'_>) -> Option<u32> {
        let mut at = start;
        (0..end).find(|slot| match read_id(self.bytes, at, *slot) {
            Ok((found, next)) => {
                at = next;
                found == *id
            }
            Err(_) => false,
        })
    }

    fn scales_and_norms(&mut self, scales: usize, norms: usize, poll: &mut dyn FnMut()) {
        let sound = |number: f32| number.is_finite() && number > 0.0;
        for slot in 0..self.header.count {
            let (scale, norm) = (scales + 4 * slot as usize, norms + 4 * slot as usize);
            let (scale_found, norm_found) = (f32_at(self.bytes, scale), f32_at(self.bytes, norm));
            if !sound(scale_found) {
                let error = Error::BadScale { slot, offset: scale as u64, got: scale_found };
                self.gap.get_or_insert(error);
            }
            if !sound(norm_found) {
                self.gap.get_or_insert(Error::BadNorm { slot, offset: norm as u64, got: norm_found });
            }
            if (slot as usize).is_multiple_of(POLLED) {
                poll();
            }
        }
    }
}
