//! Where everything is: the kinds of pages, and which block and byte holds which row.
//!
//! ```text
//! block 0        meta
//! block 1 …      two areas for a centre, of ⌈4·d / room⌉ pages each: the newest one and the one before
//!                with lists: pages of centroids, and a directory of the lists
//! from `base`    extents of `extent_blocks` pages each; the first page says which kind it is
//!
//! extent of rows    slot page 0 … slot page S-1 │ code pages: the codes of slot page 0's rows, of slot page 1's, …
//! extent of others  pages of whole records and NULLs
//! ```
//! With lists, each extent of rows has rows of one list, and before each group of room / 4 extents stands a page of the map, which
//! says which: it is where it can be computed to be, so that nothing is a chain that could tear.
//!
//! A search reads the slots of all rows, and the codes of few. So slots lie together; and which code belongs to which slot follows
//! from their places, without a pointer. Row `r` of an extent, the slot `r % slots` of its page `r / slots`, has its codes at
//!
//! ```text
//! code page r / codes, byte (r % codes) · code_bytes     if whole rows leave at most a 32nd of a page empty
//! byte r · code_bytes of all code pages in a row         otherwise: a row may begin in one page and end in another
//! ```
//! An index that leaves the codes in the table has extents of slot pages alone.
//!
//! Every page has a special space:
//!
//! ```text
//! 0  magic 0x71 0x54   2  kind   3  version   4  number (u32): of the centre that the page's slots or pieces are made with
//! ```

use tq_codec::Codec;
use tq_format::{MAX_DIMENSION, RecordShape};

use crate::error::{IndexError, damaged};
use crate::fit::{self, FIT_BYTES, Fit};
use crate::pages::{PageView, SPECIAL_BYTES};

/// The latest version of the page format: page 0 of an index over floats says so, all other pages are of `FLAT_VERSION`.
pub const VERSION: u8 = 3;

/// The version of page 0 of an index with lists.
pub(crate) const LISTS_VERSION: u8 = 2;

/// The version of an index without lists.
pub(crate) const FLAT_VERSION: u8 = 1;

const MAGIC: [u8; 2] = [0x71, 0x54];

/// Where the codes are that rows are measured by.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub enum Refine {
    /// In pages of the index.
    #[default]
    Index,
    /// In the table's rows alone, which [`Pages::record`](crate::Pages::record) lends.
    Table,
    /// In pages of the index, each with how the row's floats lie to them. They say how far the row is at the least; how far it is
    /// is for the table's floats to say.
    Floats,
}

/// What a page is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    Meta = 1,
    Centre = 2,
    Slots = 3,
    Codes = 4,
    Others = 5,
    /// The continuation of a record that is larger than a page.
    OthersRest = 6,
    Centroids = 7,
    Directory = 8,
    Map = 9,
}

/// Every kind.
const KINDS: [Kind; 9] = [
    Kind::Meta,
    Kind::Centre,
    Kind::Slots,
    Kind::Codes,
    Kind::Others,
    Kind::OthersRest,
    Kind::Centroids,
    Kind::Directory,
    Kind::Map,
];

/// The special space of a page of that kind.
pub(crate) fn special(kind: Kind, number: u32) -> [u8; SPECIAL_BYTES] {
    let mut special = [MAGIC[0], MAGIC[1], kind as u8, FLAT_VERSION, 0, 0, 0, 0];
    special[4..].copy_from_slice(&number.to_le_bytes());
    special
}

/// Kind and number of a page; `None` if it is new.
pub(crate) fn kind_of(block: u32, page: PageView<'_>) -> Result<Option<(Kind, u32)>, IndexError> {
    if page.is_new() {
        return Ok(None);
    }
    let &[a, b, kind, version, ref number @ ..] = page.special else {
        return Err(damaged(block, "the special space has another size"));
    };
    let Some(&number) = number.first_chunk().filter(|_| number.len() == 4 && [a, b] == MAGIC) else {
        return Err(damaged(block, "this is no page of an index of compressed vectors"));
    };
    if version > VERSION {
        return Err(IndexError::Version { got: version.into() });
    }
    let kind = KINDS.into_iter().find(|known| *known as u8 == kind);
    let kind = kind.ok_or(damaged(block, "a page of an unknown kind"))?;
    Ok(Some((kind, u32::from_le_bytes(number))))
}

/// That the page is of that kind, and its number.
pub(crate) fn expect(block: u32, page: PageView<'_>, kind: Kind) -> Result<u32, IndexError> {
    match kind_of(block, page)? {
        Some((found, number)) if found == kind => Ok(number),
        Some(_) => Err(damaged(block, "a page of another kind than its place has")),
        None => Err(damaged(block, "a page that should be there is empty")),
    }
}

/// Bytes of a slot before its bits.
pub(crate) const SLOT_HEAD: usize = 16;

/// Bytes of a row of codes before the codes: whose they are.
pub(crate) const CODE_HEAD: usize = 6;

/// Blocks of an extent, at most, unless one slot page and its codes take more.
const EXTENT_BLOCKS: u32 = 32;

/// Blocks of an extent that any rows need, and more.
pub(crate) const MOST_EXTENT_BLOCKS: u32 = 1024;

/// Blocks of an extent when it isn't known what rows will come: enough for one slot page of any.
const ANY_EXTENT_BLOCKS: u32 = 32;

/// Places of rows whose codec is known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct RowLayout {
    pub(crate) shape: RecordShape,
    pub(crate) dimension: usize,
    /// Bytes of a slot.
    pub(crate) slot_bytes: usize,
    /// Slots of a page.
    pub(crate) slots: usize,
    /// Slot pages of an extent.
    pub(crate) slot_pages: u32,
    /// Bytes of a row of codes; 0 if they are left in the table.
    pub(crate) code_bytes: usize,
    /// Whether each row says how its floats lie to its codes.
    pub(crate) has_fit: bool,
    /// Rows of codes in a page; 0 if rows run on from one page to the next.
    codes: usize,
    room: usize,
}

impl RowLayout {
    /// For records of that shape in pages of that room, with as many slot pages as fit extents of `extent_blocks`. `None` if none fits.
    pub(crate) fn new(shape: &RecordShape, refine: Refine, room: usize, extent_blocks: u32) -> Option<Self> {
        let dimension = shape.dimension as usize;
        if dimension == 0 || shape.dimension > MAX_DIMENSION {
            return None;
        }
        let payload =
            shape.bit_width.packed_len(shape.dimension) + if shape.residual { 2 * dimension } else { 0 };
        let slot_bytes = SLOT_HEAD + dimension.div_ceil(8);
        let code_bytes = match refine {
            Refine::Index => CODE_HEAD + payload,
            Refine::Floats => CODE_HEAD + payload + FIT_BYTES,
            Refine::Table => 0,
        };
        let whole = room.checked_rem(code_bytes).is_some_and(|waste| waste <= room / 32);
        let codes = if whole { room / code_bytes } else { 0 };
        let mut layout = Self {
            shape: *shape,
            dimension,
            slot_bytes,
            slots: room / slot_bytes,
            slot_pages: 0,
            code_bytes,
            has_fit: refine == Refine::Floats,
            codes,
            room,
        };
        if layout.slots == 0 {
            return None;
        }
        let fits = |slot_pages: &u32| Self { slot_pages: *slot_pages, ..layout }.blocks() <= extent_blocks;
        layout.slot_pages = (1..=extent_blocks).take_while(fits).last()?;
        Some(layout)
    }

    /// For records of that shape where extents may have any size.
    pub(crate) fn preferred(shape: &RecordShape, refine: Refine, room: usize) -> Option<Self> {
        (EXTENT_BLOCKS..=MOST_EXTENT_BLOCKS).find_map(|blocks| Self::new(shape, refine, room, blocks))
    }

    /// Rows of an extent.
    pub(crate) fn rows(&self) -> usize {
        self.slot_pages as usize * self.slots
    }

    /// Blocks of an extent that are used.
    pub(crate) fn blocks(&self) -> u32 {
        let rows = self.rows();
        let code_pages = match self.codes {
            0 => (rows * self.code_bytes).div_ceil(self.room),
            codes => rows.div_ceil(codes),
        };
        self.slot_pages.saturating_add(u32::try_from(code_pages).unwrap_or(u32::MAX))
    }

    /// Where in an extent the codes of slot `slot` of its slot page `page` are: in order, the block, counted from the extent's first,
    /// the byte in it, and which bytes of the row.
    pub(crate) fn code_pieces(&self, page: u32, slot: usize) -> impl Iterator<Item = Piece> + use<> {
        let row = page as usize * self.slots + slot;
        let (block, at) = match self.codes {
            0 => (row * self.code_bytes / self.room, row * self.code_bytes % self.room),
            codes => (row / codes, row % codes * self.code_bytes),
        };
        let Self { slot_pages, code_bytes, room, .. } = *self;
        let mut next = Piece { block: slot_pages + block as u32, at, bytes: 0..code_bytes.min(room - at) };
        std::iter::from_fn(move || {
            let piece = next.clone();
            let end = code_bytes.min(piece.bytes.end + room);
            next = Piece { block: piece.block + 1, at: 0, bytes: piece.bytes.end..end };
            (!piece.bytes.is_empty()).then_some(piece)
        })
    }

    /// Codes and residual of a row of codes.
    pub(crate) fn payload<'a>(&self, row: &'a [u8]) -> (&'a [u8], Option<&'a [u8]>) {
        let (codes, residual) =
            row[CODE_HEAD..].split_at(self.shape.bit_width.packed_len(self.shape.dimension));
        let residual = &residual[..residual.len() - self.fit_bytes()];
        (codes, self.shape.residual.then_some(residual))
    }

    /// How the floats of a row of codes lie to them.
    pub(crate) fn fit(&self, row: &[u8]) -> Option<Fit> {
        self.has_fit.then(|| Fit::from_bytes(&row[row.len() - FIT_BYTES..]))
    }

    /// Bytes of that.
    pub(crate) fn fit_bytes(&self) -> usize {
        if self.has_fit { FIT_BYTES } else { 0 }
    }

    /// Decodes a row of codes, in rotated space.
    pub(crate) fn decode(&self, codec: &Codec, row: &[u8], out: &mut [f32]) {
        fit::decode(codec, self.payload(row), self.fit(row), out);
    }
}

/// A part of a row of codes that is in one page.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Piece {
    pub(crate) block: u32,
    pub(crate) at: usize,
    pub(crate) bytes: std::ops::Range<usize>,
}

/// Where extents are.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Extents {
    /// The first one's first block.
    pub(crate) base: u32,
    /// Blocks of each.
    pub(crate) blocks: u32,
    /// Extents behind each page of the map; 0 if there is no map.
    pub(crate) group: u32,
}

impl Extents {
    /// For rows of that shape, or, when it isn't known yet, so that any will do.
    pub(crate) fn new(shape: Option<&RecordShape>, refine: Refine, room: usize) -> Option<Self> {
        let dimension = shape.map_or(MAX_DIMENSION, |shape| shape.dimension);
        let base = 1 + 2 * centre_blocks(dimension as usize, room);
        let blocks = match shape {
            Some(shape) => RowLayout::preferred(shape, refine, room)?.blocks(),
            None => ANY_EXTENT_BLOCKS,
        };
        Some(Self { base, blocks, group: 0 })
    }

    /// The first block of an extent; `None` beyond the last number.
    pub(crate) fn start(&self, extent: u32) -> Option<u32> {
        let maps = extent.checked_div(self.group).map_or(0, |before| before + 1);
        let start = extent.checked_mul(self.blocks)?.checked_add(self.base)?.checked_add(maps)?;
        start.checked_add(self.blocks).map(|_| start)
    }

    /// The extent of a block, and the block's number in it; `None` of a page of the map.
    pub(crate) fn place(&self, block: u32) -> Option<(u32, u32)> {
        let offset = block.checked_sub(self.base)?;
        if self.group == 0 {
            return Some((offset / self.blocks, offset % self.blocks));
        }
        let stride = self.group.checked_mul(self.blocks)?.checked_add(1)?;
        let in_group = (offset % stride).checked_sub(1)?;
        Some((offset / stride * self.group + in_group / self.blocks, in_group % self.blocks))
    }

    /// The page of the map that an extent is in, and its number there.
    pub(crate) fn map_place(&self, extent: u32) -> Option<(u32, usize)> {
        let at = extent.checked_rem(self.group)?;
        Some((self.start(extent - at)? - 1, at as usize))
    }
}

/// Pages of a centre of that dimension.
pub(crate) fn centre_blocks(dimension: usize, room: usize) -> u32 {
    (4 * dimension).div_ceil(room) as u32
}

/// The first block of the area of the centre of that number: even and odd ones take turns.
pub(crate) fn centre_start(number: u32, dimension: usize, room: usize) -> u32 {
    1 + number % 2 * centre_blocks(dimension, room)
}

/// The heap's name of a row.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Tid {
    /// The block.
    pub block: u32,
    /// The line in it, from 1.
    pub offset: u16,
}

impl Tid {
    /// Block and line, little-endian.
    pub(crate) fn to_bytes(self) -> [u8; 6] {
        let ([a, b, c, d], [e, f]) = (self.block.to_le_bytes(), self.offset.to_le_bytes());
        [a, b, c, d, e, f]
    }

    /// Reads the first six bytes.
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            block: u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]),
            offset: u16::from_le_bytes([bytes[4], bytes[5]]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tq_format::BitWidth;

    const ROOM: usize = 8160;

    fn shape(dimension: u32, bit_width: BitWidth, residual: bool) -> RecordShape {
        RecordShape { hash_field: [b'0'; 64], dimension, bit_width, residual }
    }

    #[test]
    fn sizes_that_the_contract_names() {
        let layout = |dimension, width, residual, refine| {
            RowLayout::preferred(&shape(dimension, width, residual), refine, ROOM).unwrap()
        };
        let of = layout(384, BitWidth::Four, false, Refine::Index);
        assert_eq!((of.slot_bytes, of.slots, of.codes), (64, 127, 41));
        let of = layout(1536, BitWidth::Eight, false, Refine::Index);
        assert_eq!((of.slot_bytes, of.slots, of.codes), (208, 39, 0));
        let of = layout(16_384, BitWidth::Eight, true, Refine::Index);
        assert_eq!((of.slots, of.codes), (3, 0));
        let of = layout(384, BitWidth::Four, false, Refine::Table);
        assert_eq!((of.slots, of.slot_pages, of.blocks()), (127, EXTENT_BLOCKS, EXTENT_BLOCKS));
        assert_eq!(of.code_pieces(1, 1).count(), 0);
    }

    /// Every row's codes are in its extent, and overlap no other's.
    #[test]
    fn codes_of_an_extent_lie_side_by_side() {
        for (dimension, room) in [(1, 8160), (3, 200), (100, 500), (384, 8160), (1000, 300), (16_384, 8160)] {
            for (width, residual) in
                BitWidth::ALL.into_iter().flat_map(|width| [(width, false), (width, true)])
            {
                let Some(layout) =
                    RowLayout::preferred(&shape(dimension, width, residual), Refine::Index, room)
                else {
                    assert_eq!(dimension, 16_384, "{dimension} {room}");
                    continue;
                };
                let mut end = (layout.slot_pages, 0);
                for row in 0..layout.slot_pages as usize * layout.slots {
                    let mut bytes = 0;
                    for piece in layout.code_pieces((row / layout.slots) as u32, row % layout.slots) {
                        assert!((piece.block, piece.at) >= end, "{dimension} {width:?} {residual} {row}");
                        assert_eq!(piece.bytes.start, bytes);
                        bytes = piece.bytes.end;
                        end = (piece.block, piece.at + piece.bytes.len());
                        assert!(end.1 <= room);
                    }
                    assert_eq!(bytes, layout.code_bytes);
                }
                assert_eq!(end.0 + 1, layout.blocks());
            }
        }
    }

    /// An index whose first rows are NULLs doesn't know what will come.
    #[test]
    fn extents_for_any_shape_hold_every_shape() {
        for refine in [Refine::Index, Refine::Table] {
            let any = Extents::new(None, refine, ROOM).unwrap();
            for dimension in [1, 2, 100, 384, 1536, 3072, 8000, MAX_DIMENSION] {
                for residual in [false, true] {
                    let shape = shape(dimension, BitWidth::Eight, residual);
                    assert!(RowLayout::new(&shape, refine, ROOM, any.blocks).is_some(), "{dimension}");
                    assert!(Extents::new(Some(&shape), refine, ROOM).unwrap().base <= any.base);
                }
            }
        }
    }
}
