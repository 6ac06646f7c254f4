//! The order in which a prepared query is stored: the order in which a kernel's lanes meet the codes.
//!
//! In *natural* order, sixteen lanes are sixteen consecutive dimensions. In *strided* order a kernel spreads a block of `L` bytes
//! of codes over `L` lanes and shifts all of them at once: with `n` codes a byte (2 of four bits, 4 of two), step `s` of a block
//! puts dimension `n·lane + s` in each lane, so the query keeps those `L` values side by side:
//!
//! ```text
//! 2 bit, L = 16   step 0: q0  q4  q8 … q60     step 1: q1  q5  q9 … q61     …     step 3: q3  q7 … q63
//! ```
//!
//! Both are padded with zeros to whole blocks. The codebook is kept in the form in which kernels look it up: four entries
//! repeated over a register, sixteen entries as they are, and 16 or 256 also as four planes of bytes, one for each byte of the `f32`.

use crate::measure::DOT_AND_CENTRED_NORM;
use crate::width::Width;
use tq_memory::OutOfMemory;

/// One cache line of floats; the alignment keeps register loads from straddling lines.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line(pub(crate) [f32; 16]);

/// One cache line of bytes.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByteLine(pub(crate) [u8; 64]);

/// What a kernel wants prepared.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Order {
    /// Lanes of a register when the kernel without residuals reads codes in strided order.
    pub(crate) strided_lanes: Option<usize>,
    /// Whether the codebook is looked up byte by byte.
    pub(crate) byte_planes: bool,
}

/// A query and its codebook, in the plain form of the scalar definition and in the forms that a kernel asked for.
#[derive(Clone, Debug)]
pub(crate) struct Layout {
    /// The query as given.
    pub(crate) query: Vec<f32>,
    /// The codebook as given.
    pub(crate) codebook: Vec<f32>,
    /// The query in natural order, padded to a multiple of 64.
    pub(crate) natural: Vec<Line>,
    /// The query in strided order, padded to a multiple of 64; empty unless asked for.
    pub(crate) strided: Vec<Line>,
    /// The centre in natural and in strided order, as the query; empty unless there is one.
    pub(crate) centre_natural: Vec<Line>,
    pub(crate) centre_strided: Vec<Line>,
    /// The codebook over whole lines: at least one line, four entries repeated.
    pub(crate) table: Vec<Line>,
    /// The bytes of `table`: first byte 0 (little-endian) of all its entries, then byte 1, 2 and 3; empty unless asked for.
    pub(crate) planes: Vec<ByteLine>,
    /// Whether the codebook is one of 256 that [`is_short_and_symmetric`], and there are planes.
    pub(crate) short_planes: bool,
}

/// Dimensions to whose multiples queries are padded: whole blocks of any order.
const PADDING: usize = 64;

impl Layout {
    /// The plain form alone.
    pub(crate) fn plain(query: &[f32], codebook: &[f32]) -> Result<Layout, OutOfMemory> {
        Ok(Layout {
            query: tq_memory::copied(query)?,
            codebook: tq_memory::copied(codebook)?,
            natural: Vec::new(),
            strided: Vec::new(),
            centre_natural: Vec::new(),
            centre_strided: Vec::new(),
            table: Vec::new(),
            planes: Vec::new(),
            short_planes: false,
        })
    }

    /// All forms of `order`.
    pub(crate) fn new(
        order: Order,
        width: Width,
        query: &[f32],
        codebook: &[f32],
    ) -> Result<Layout, OutOfMemory> {
        let mut layout = Layout::plain(query, codebook)?;
        layout.natural = lines(query.len().next_multiple_of(PADDING), |i| value_or_zero(query, i))?;
        if let Some(lanes) = order.strided_lanes {
            layout.strided = strided(width, lanes, query)?;
        }
        layout.table = table(codebook)?;
        if order.byte_planes {
            layout.planes = planes(&layout.table)?;
            layout.short_planes = is_short_and_symmetric(codebook);
        }
        Ok(layout)
    }

    /// Takes a centre, as long as the query, in the same order.
    pub(crate) fn add_centre(
        &mut self,
        order: Order,
        width: Width,
        centre: &[f32],
    ) -> Result<(), OutOfMemory> {
        self.centre_natural = lines(centre.len().next_multiple_of(PADDING), |i| value_or_zero(centre, i))?;
        if let Some(lanes) = order.strided_lanes {
            self.centre_strided = strided(width, lanes, centre)?;
        }
        Ok(())
    }

    /// The centre in natural order for a kernel of that measure; for one that doesn't look at it, as many lines.
    #[inline(always)]
    pub(crate) fn centre_natural(&self, measure: u8) -> &[Line] {
        if measure == DOT_AND_CENTRED_NORM { &self.centre_natural } else { &self.natural }
    }

    /// The same in strided order.
    #[inline(always)]
    pub(crate) fn centre_strided(&self, measure: u8) -> &[Line] {
        if measure == DOT_AND_CENTRED_NORM { &self.centre_strided } else { &self.strided }
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        let floats = size_of_val(self.query.as_slice()) + size_of_val(self.codebook.as_slice());
        let ordered = size_of_val(self.natural.as_slice())
            + size_of_val(self.strided.as_slice())
            + size_of_val(self.centre_natural.as_slice())
            + size_of_val(self.centre_strided.as_slice());
        floats + ordered + size_of_val(self.table.as_slice()) + size_of_val(self.planes.as_slice())
    }
}

/// The codebook over whole lines, repeated when shorter than one.
fn table(codebook: &[f32]) -> Result<Vec<Line>, OutOfMemory> {
    tq_memory::copied(fill_table(&mut [Line([0.0; 16]); 16], codebook))
}

/// Writes the codebook of 4, 16 or 256 entries over whole lines, repeated when shorter than one, and returns those lines.
pub(crate) fn fill_table<'a>(lines: &'a mut [Line], codebook: &[f32]) -> &'a [Line] {
    let count = codebook.len().div_ceil(16);
    for (line, entries) in lines.iter_mut().zip(codebook.chunks(16)) {
        line.0 = std::array::from_fn(|k| entries[k % entries.len()]);
    }
    &lines[..count]
}

fn strided(width: Width, lanes: usize, query: &[f32]) -> Result<Vec<Line>, OutOfMemory> {
    let steps = 8 / width.bits() as usize;
    let block = lanes * steps;
    lines(query.len().next_multiple_of(PADDING), |slot| {
        let (first, step, lane) = (slot / block * block, slot % block / lanes, slot % lanes);
        value_or_zero(query, first + lane * steps + step)
    })
}

fn planes(table: &[Line]) -> Result<Vec<ByteLine>, OutOfMemory> {
    let entries = 16 * table.len();
    let byte = |plane: usize, entry: usize| table[entry / 16].0[entry % 16].to_le_bytes()[plane];
    tq_memory::collected((0..table.len()).map(|line| {
        ByteLine(std::array::from_fn(|k| byte((64 * line + k) / entries, (64 * line + k) % entries)))
    }))
}

/// Whether 256 entries need two planes of 128 bytes: their lower halves are zero, and those of complementary numbers are opposite. The
/// fixed tables of trellis codes are so.
fn is_short_and_symmetric(codebook: &[f32]) -> bool {
    let opposite = |(a, b): (&f32, &f32)| a.to_bits() ^ b.to_bits() == 1 << 31;
    codebook.len() == 256
        && codebook.iter().all(|entry| entry.to_bits() & 0xffff == 0)
        && codebook[..128].iter().zip(codebook.iter().rev()).all(opposite)
}

fn value_or_zero(values: &[f32], i: usize) -> f32 {
    values.get(i).copied().unwrap_or(0.0)
}

/// `count` floats, a multiple of 16, as lines.
fn lines(count: usize, value: impl Fn(usize) -> f32) -> Result<Vec<Line>, OutOfMemory> {
    tq_memory::collected((0..count / 16).map(|line| Line(std::array::from_fn(|k| value(16 * line + k)))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strided_order_follows_the_bytes_of_a_block() {
        let query: Vec<f32> = (0..66).map(|i| i as f32 + 1.0).collect();
        let strided = strided(Width::Two, 16, &query).unwrap();
        assert_eq!(strided.len(), 8);
        assert_eq!(strided[0].0[..3], [1.0, 5.0, 9.0]);
        assert_eq!(strided[3].0[15], 64.0);
        assert_eq!(strided[4].0[..2], [65.0, 0.0]);
        assert_eq!(strided[5].0[..2], [66.0, 0.0]);
    }

    #[test]
    fn planes_hold_the_bytes_of_every_entry() {
        for entries in [16, 256] {
            let codebook: Vec<f32> = (0..entries).map(|i| (i as f32 - 100.5) * 0.37).collect();
            let planes = planes(&table(&codebook).unwrap()).unwrap();
            for (entry, value) in codebook.iter().enumerate() {
                let at = |plane| entries * plane + entry;
                let bytes = std::array::from_fn(|plane| planes[at(plane) / 64].0[at(plane) % 64]);
                assert_eq!(f32::from_le_bytes(bytes), *value);
            }
        }
    }

    #[test]
    fn a_table_of_four_repeats() {
        let table = table(&[1.0, 2.0, 3.0, 4.0]).unwrap();
        assert_eq!(table.len(), 1);
        assert_eq!(table[0].0[4..8], [1.0, 2.0, 3.0, 4.0]);
    }
}
