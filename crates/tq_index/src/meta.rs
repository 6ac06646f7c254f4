//! Page 0: what the index is of, how far it has grown, and which centre it is at.
//!
//! ```text
//!   0  magic "TQIX"                          80  extents: how many there are
//!   4  version (u32)                         84  slot pages: how many there are in all
//!   8  metric: 0 cosine, 1 L2,               88  tail: the slot page that rows go to (0: none)
//!      2 inner product                       92  others' tail: the page that other values go to (0: none)
//!   9  bit width (0: no codec yet)           96  centre: the number of the newest
//!  10  residual: 0, 1                       100  base: the first extent's first block (0: not decided)
//!  11  codes: 0 in the index, 1 in the        104  blocks of an extent
//!      table, 2 in the index, of floats
//!  12  dimension (u32)                      108  remade: the extent before which all slots are of the newest centre
//!  16  the codec's hash, as records have it 112  slot pages at which the next centre is due
//!                                          116  others' free: the first of a list of empty pages (0: none)
//!                                          120  others' end: the last page of theirs that was handed out (0: none)
//!                                          124  end of a flat index's
//! 124  lists                               128  what the centroids' bytes add up to
//! 132  rows that it was built of (u64)
//! 140  for each of `TARGETS`: gaps for the nearest 10, then for 100 (f32), and probes (u32)
//!                                          200  end of that of an index with lists
//! ```

use tq_codec::Metric;
use tq_format::{BitWidth, HASH_LEN, MAX_DIMENSION, RecordBuilder, RecordShape};

use crate::error::{IndexError, damaged};
use crate::layout::{
    self, Extents, FLAT_VERSION, Kind, LISTS_VERSION, MOST_EXTENT_BLOCKS, Refine, RowLayout, VERSION,
};
use crate::list_pages;
use crate::pages::{Change, Pages, SPECIAL_BYTES};
use crate::probes::{Calibration, MOST_LISTS};

const MAGIC: &[u8; 4] = b"TQIX";
const META_BYTES: usize = 124;
/// Of an index with lists.
const LISTS_META_BYTES: usize = META_BYTES + 16 + 4 * Calibration::NUMBERS;

/// [`Meta::remade`] when there is nothing to remake.
pub(crate) const ALL_REMADE: u32 = u32::MAX;

/// What an index is made to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Definition {
    /// What it orders by; never [`Metric::L1`].
    pub metric: Metric,
    /// Where its codes are.
    pub refine: Refine,
}

/// The content of page 0.
#[derive(Clone, PartialEq, Debug)]
pub struct Meta {
    /// What the index was made to be.
    pub definition: Definition,
    /// Of the records that have slots; other records are kept whole. `None` until the first comes.
    pub shape: Option<RecordShape>,
    pub(crate) extents: u32,
    pub(crate) slot_pages: u32,
    pub(crate) tail: u32,
    pub(crate) others_tail: u32,
    pub(crate) centre: u32,
    /// `None` until the first extent is made or the codec known.
    pub(crate) place: Option<Extents>,
    pub(crate) remade: u32,
    pub(crate) next_centre_at: u32,
    pub(crate) others_free: u32,
    pub(crate) others_end: u32,
    /// `None` if the index is flat.
    pub(crate) lists: Option<ListsMeta>,
}

/// What page 0 says of lists.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) struct ListsMeta {
    pub(crate) count: u32,
    /// What the centroids' bytes add up to: who has read them knows them again.
    pub(crate) sum: u32,
    /// Rows that the index was built of.
    pub(crate) built_of: u64,
    pub(crate) calibration: Calibration,
}

impl Meta {
    /// Of an empty index.
    pub(crate) fn empty(definition: Definition) -> Self {
        Self {
            definition,
            shape: None,
            extents: 0,
            slot_pages: 0,
            tail: 0,
            others_tail: 0,
            centre: 0,
            place: None,
            remade: ALL_REMADE,
            next_centre_at: 1,
            others_free: 0,
            others_end: 0,
            lists: None,
        }
    }

    fn version(&self) -> u8 {
        match self.definition.refine {
            Refine::Floats => VERSION,
            _ if self.lists.is_some() => LISTS_VERSION,
            _ => FLAT_VERSION,
        }
    }

    /// The special space of page 0.
    pub(crate) fn special(&self) -> [u8; SPECIAL_BYTES] {
        let mut special = layout::special(Kind::Meta, 0);
        special[3] = self.version();
        special
    }

    /// The content of page 0.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![0; if self.lists.is_some() { LISTS_META_BYTES } else { META_BYTES }];
        bytes[..4].copy_from_slice(MAGIC);
        bytes[4..8].copy_from_slice(&u32::from(self.version()).to_le_bytes());
        bytes[8] = match self.definition.metric {
            Metric::Cosine => 0,
            Metric::L2 => 1,
            Metric::InnerProduct => 2,
            Metric::L1 => unreachable!("no index is made for it"),
        };
        bytes[11] = match self.definition.refine {
            Refine::Index => 0,
            Refine::Table => 1,
            Refine::Floats => 2,
        };
        if let Some(shape) = &self.shape {
            bytes[9] = shape.bit_width.bits();
            bytes[10] = shape.residual.into();
            bytes[12..16].copy_from_slice(&shape.dimension.to_le_bytes());
            bytes[16..80].copy_from_slice(&shape.hash_field);
        }
        let (base, blocks) = self.place.map_or((0, 0), |place| (place.base, place.blocks));
        let numbers = [
            self.extents,
            self.slot_pages,
            self.tail,
            self.others_tail,
            self.centre,
            base,
            blocks,
            self.remade,
            self.next_centre_at,
            self.others_free,
            self.others_end,
        ];
        let of_lists = self.lists.iter().flat_map(|lists| {
            let ListsMeta { count, sum, built_of, calibration } = *lists;
            [count, sum, built_of as u32, (built_of >> 32) as u32].into_iter().chain(calibration.to_numbers())
        });
        let all = numbers.into_iter().chain(of_lists);
        for (to, number) in bytes[80..].as_chunks_mut::<4>().0.iter_mut().zip(all) {
            *to = number.to_le_bytes();
        }
        bytes
    }

    /// Reads page 0's content; `room` is that of the pages.
    fn parse(bytes: &[u8], room: usize) -> Result<Self, IndexError> {
        if bytes.len() < META_BYTES {
            return Err(damaged(0, "the meta page is too short"));
        }
        let number = |at: usize| u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        if &bytes[..4] != MAGIC {
            return Err(damaged(0, "the meta page has another magic"));
        }
        if number(4) > VERSION.into() {
            return Err(IndexError::Version { got: number(4) });
        }
        let metric = match bytes[8] {
            0 => Metric::Cosine,
            1 => Metric::L2,
            2 => Metric::InnerProduct,
            _ => return Err(damaged(0, "an unknown metric")),
        };
        let refine = match bytes[11] {
            0 => Refine::Index,
            1 => Refine::Table,
            2 => Refine::Floats,
            _ => return Err(damaged(0, "codes in an unknown place")),
        };
        let shape = match bytes[9] {
            0 => None,
            bits => {
                let bit_width = BitWidth::from_bits(bits.into()).ok_or(damaged(0, "an unknown bit width"))?;
                let mut hash_field = [0; HASH_LEN];
                hash_field.copy_from_slice(&bytes[16..80]);
                let (dimension, residual) = (number(12), bytes[10] != 0);
                if dimension == 0 || dimension > MAX_DIMENSION {
                    return Err(damaged(0, "a dimension out of range"));
                }
                // Or it would be looked for among the codecs.
                RecordBuilder::new(&hash_field, dimension, bit_width, residual)
                    .map_err(|_| damaged(0, "a codec's hash that no record can have"))?;
                Some(RecordShape { hash_field, dimension, bit_width, residual })
            }
        };
        let has_lists = match number(4) {
            version if version == u32::from(LISTS_VERSION) => true,
            version => version > u32::from(LISTS_VERSION) && bytes.len() > META_BYTES,
        };
        let lists = if has_lists {
            if bytes.len() < LISTS_META_BYTES {
                return Err(damaged(0, "the meta page is too short"));
            }
            let calibration = Calibration::from_numbers(|at| number(META_BYTES + 16 + 4 * at));
            let built_of = u64::from(number(132)) | u64::from(number(136)) << 32;
            Some(ListsMeta { count: number(124), sum: number(128), built_of, calibration })
        } else {
            None
        };
        let place = match (number(100), number(104)) {
            (0, 0) => None,
            (0, _) | (_, 0) => return Err(damaged(0, "extents without a place")),
            (base, blocks) => {
                let group = if lists.is_some() { list_pages::group(room) } else { 0 };
                Some(Extents { base, blocks, group })
            }
        };
        let meta = Self {
            definition: Definition { metric, refine },
            shape,
            extents: number(80),
            slot_pages: number(84),
            tail: number(88),
            others_tail: number(92),
            centre: number(96),
            place,
            remade: number(108),
            next_centre_at: number(112),
            others_free: number(116),
            others_end: number(120),
            lists,
        };
        meta.check(room)?;
        Ok(meta)
    }

    fn check(&self, room: usize) -> Result<(), IndexError> {
        let Some(place) = self.place else {
            let nothing = self.extents == 0
                && self.tail == 0
                && self.others_tail == 0
                && self.centre == 0
                && self.lists.is_none();
            return if nothing { Ok(()) } else { Err(damaged(0, "rows without extents")) };
        };
        if place.blocks > MOST_EXTENT_BLOCKS {
            return Err(damaged(0, "extents of more blocks than any have"));
        }
        let within = |block: u32| block == 0 || place.place(block).is_some_and(|(at, _)| at < self.extents);
        let blocks = [self.tail, self.others_tail, self.others_free, self.others_end];
        if !blocks.into_iter().all(within) {
            return Err(damaged(0, "a tail outside of the extents"));
        }
        if self.extents > 0 && place.start(self.extents - 1).is_none() {
            return Err(damaged(0, "more extents than blocks"));
        }
        if let Some(shape) = &self.shape {
            let centres = 2 * layout::centre_blocks(shape.dimension as usize, room);
            if RowLayout::new(shape, self.definition.refine, room, place.blocks).is_none()
                || place.base <= centres
            {
                return Err(damaged(0, "extents that the rows don't fit"));
            }
        }
        if let Some(ListsMeta { count, .. }) = self.lists {
            let shape = self.shape.ok_or(damaged(0, "lists without a codec"))?;
            if !(1..=MOST_LISTS).contains(&count)
                || place.base != list_pages::base(shape.dimension as usize, room, count)
            {
                return Err(damaged(0, "lists that have no place"));
            }
        }
        Ok(())
    }

    /// How many lists rows are divided into; 0 if the index is flat.
    pub fn lists(&self) -> u32 {
        self.lists.map_or(0, |lists| lists.count)
    }

    /// How many rows lists were made of; `None` if the index is flat.
    pub fn built_of(&self) -> Option<u64> {
        self.lists.map(|lists| lists.built_of)
    }

    /// About how many lists a search for the nearest 10 looks at for a recall of `target`; `None` if the index is flat.
    pub fn probes(&self, target: f64) -> Option<u32> {
        self.lists.map(|lists| lists.calibration.probes(target, lists.count))
    }

    /// The number of the newest centre: how many have been taken.
    pub fn centre(&self) -> u32 {
        self.centre
    }

    /// Where rows are; `None` without a codec.
    pub(crate) fn rows(&self, room: usize) -> Option<RowLayout> {
        RowLayout::new(self.shape.as_ref()?, self.definition.refine, room, self.place?.blocks)
    }

    /// Where that extent begins.
    pub(crate) fn extent_start(&self, extent: u32) -> Result<u32, IndexError> {
        self.place.and_then(|place| place.start(extent)).ok_or(IndexError::Full)
    }

    /// Reads page 0.
    ///
    /// # Errors
    /// [`IndexError::Damaged`], [`IndexError::Version`].
    pub fn read<P: Pages>(pages: &P) -> Result<Self, IndexError> {
        let meta = pages.read(0, |page| {
            layout::expect(0, page, Kind::Meta)?;
            Self::parse(page.content, pages.room())
        })?;
        meta.check_extents(pages)?;
        Ok(meta)
    }

    /// That the last extent has begun: its first page is written together with page 0.
    fn check_extents<P: Pages>(&self, pages: &P) -> Result<(), IndexError> {
        match self.extents.checked_sub(1) {
            Some(last) if !pages.has(self.extent_start(last)?) => {
                Err(damaged(0, "more extents than there are pages"))
            }
            _ => Ok(()),
        }
    }

    /// Locks page 0 for a change; returns what it is called there, and what it says.
    pub(crate) fn lock<P: Pages>(pages: &P, change: &mut P::Change<'_>) -> Result<(usize, Self), IndexError> {
        let page = change.lock(0);
        let view = change.view(page);
        layout::expect(0, view, Kind::Meta)?;
        let meta = Self::parse(view.content, pages.room())?;
        meta.check_extents(pages)?;
        Ok((page, meta))
    }

    /// Writes page 0 in a change that has it locked.
    pub(crate) fn write<C: Change>(&self, change: &mut C, page: usize) {
        change.edit(page, |page| {
            *page.special = self.special();
            page.write(0, &self.to_bytes());
        });
    }

    /// Decides what the index is of, before it has rows of it: their shape, and where they go. `false` if that isn't possible.
    pub(crate) fn adopt(&mut self, shape: &RecordShape, room: usize) -> bool {
        let refine = self.definition.refine;
        let place = self.place.or_else(|| Extents::new(Some(shape), refine, room));
        let fits = place.is_some_and(|place| RowLayout::new(shape, refine, room, place.blocks).is_some());
        if fits {
            self.place = place;
            self.shape = Some(*shape);
        }
        fits
    }

    /// Adds an extent, and returns its first block.
    pub(crate) fn add_extent(&mut self, room: usize) -> Result<u32, IndexError> {
        if self.place.is_none() {
            self.place = Extents::new(self.shape.as_ref(), self.definition.refine, room);
        }
        let start = self.extent_start(self.extents)?;
        self.extents += 1;
        Ok(start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut meta = Meta::empty(Definition { metric: Metric::L2, refine: Refine::Table });
        assert_eq!(Meta::parse(&meta.to_bytes(), 8160), Ok(meta.clone()));
        let shape =
            RecordShape { hash_field: [b'e'; 64], dimension: 1536, bit_width: BitWidth::Two, residual: true };
        assert!(meta.adopt(&shape, 8160));
        let first = meta.add_extent(8160).unwrap();
        meta = Meta { slot_pages: 3, tail: first + 2, centre: 7, remade: 1, next_centre_at: 6, ..meta };
        assert_eq!(Meta::parse(&meta.to_bytes(), 8160), Ok(meta.clone()));
        meta.tail = meta.extent_start(1).unwrap();
        let error = Meta::parse(&meta.to_bytes(), 8160).unwrap_err();
        assert_eq!(error, damaged(0, "a tail outside of the extents"));
        let mut bytes = meta.to_bytes();
        bytes[16] = 0xFF;
        let error = Meta::parse(&bytes, 8160).unwrap_err();
        assert_eq!(error, damaged(0, "a codec's hash that no record can have"));
    }
}
