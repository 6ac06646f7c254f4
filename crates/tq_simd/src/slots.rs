//! Rows of sign bits in slots, and the query that is summed over them.
//!
//! A slot is a fixed number of bytes that holds one row's bits among other things; bit `i` of a row is bit `i % 8` of
//! its byte `i / 8`:
//!
//! ```text
//!        offset                             stride
//! ├───────┼──────────────────────┬────────────┼───────┼──────────────────────┬─────
//! │ other │ b0…b7 b8…b15 … b(d-1)│ other      │ other │ b0…b7 b8…b15 …       │
//! └───────┴──────────────────────┴────────────┴───────┴──────────────────────┴─────
//!           ⌈d/8⌉ bytes
//! ```
//!
//! Kernels take the bits eight bytes at a time and copy them over all eight-byte lanes of a register; lane `l` keeps
//! bit `l` of each byte by one AND, so that nothing is shuffled. The query lies in that order, 64 dimensions a line:
//!
//! ```text
//! line   k0 k8 k16 … k56 │ k1 k9 k17 … k57 │ … │ k7 k15 … k63
//! lane   0: bit 0        │ 1: bit 1        │   │ 7: bit 7
//! ```

use tq_memory::OutOfMemory;

/// Dimensions of a line, eight bytes of bits.
pub(crate) const DIMENSIONS_A_LINE: usize = 64;

/// Rows of bits at equal distances.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slots<'a> {
    /// All slots; the last may end with its bits.
    pub(crate) bytes: &'a [u8],
    /// Bytes from one slot to the next.
    pub(crate) stride: usize,
    /// Where in a slot its bits begin.
    pub(crate) offset: usize,
    /// Bytes of bits in a slot.
    pub(crate) len: usize,
}

impl<'a> Slots<'a> {
    /// The bits of one row.
    #[inline(always)]
    pub(crate) fn bits(&self, row: usize) -> &'a [u8] {
        &self.bytes[row * self.stride + self.offset..][..self.len]
    }

    /// Where a row's slot starts.
    #[cfg(target_arch = "x86_64")]
    #[inline(always)]
    pub(crate) fn start(&self, row: usize) -> *const u8 {
        self.bytes.as_ptr().wrapping_add(row * self.stride)
    }

    /// Whether there are so many rows, so that [`Slots::bits`] of each is within the bytes.
    pub(crate) fn hold(&self, rows: usize) -> bool {
        let Some(last) = rows.checked_sub(1) else {
            return true;
        };
        let end = last
            .checked_mul(self.stride)
            .and_then(|start| start.checked_add(self.offset))
            .and_then(|start| start.checked_add(self.len));
        end.is_some_and(|end| end <= self.bytes.len())
    }
}

/// What follows the last whole eight bytes of a row, with zeros above; the row isn't a multiple of eight bytes long.
///
/// The last eight bytes of a longer row are loaded and shifted, since copying a few bytes calls a function.
#[inline(always)]
pub(crate) fn last_bits(bits: &[u8]) -> u64 {
    match bits.last_chunk::<8>() {
        Some(last) => u64::from_le_bytes(*last) >> (64 - 8 * (bits.len() % 8)),
        None => bits.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    }
}

/// One line of a query; the alignment keeps register loads from straddling lines.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignLine(pub(crate) [i8; DIMENSIONS_A_LINE]);

/// A query of small integers, none of them -128, in the order of the kernels and in that of the definition.
#[derive(Clone, Debug)]
pub(crate) struct SignLayout {
    /// Numbers in the query.
    pub(crate) dimension: usize,
    /// The numbers, and zeros up to whole lines.
    pub(crate) natural: Vec<i8>,
    /// The same in the order of the kernels.
    pub(crate) lines: Vec<SignLine>,
    /// The sum of the numbers.
    pub(crate) total: i32,
}

impl SignLayout {
    /// Lays out a query of `dimension` numbers, zeros after them up to a whole line.
    pub(crate) fn new(dimension: usize, natural: Vec<i8>) -> Result<SignLayout, OutOfMemory> {
        debug_assert_eq!(natural.len(), dimension.next_multiple_of(DIMENSIONS_A_LINE));
        let lines = natural.as_chunks::<DIMENSIONS_A_LINE>().0;
        let lines = tq_memory::collected(
            lines.iter().map(|line| SignLine(std::array::from_fn(|i| line[i % 8 * 8 + i / 8]))),
        )?;
        let total = natural.iter().map(|k| i32::from(*k)).sum();
        Ok(SignLayout { dimension, natural, lines, total })
    }

    pub(crate) fn memory_bytes(&self) -> usize {
        size_of_val(self.natural.as_slice()) + size_of_val(self.lines.as_slice())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_follow_the_bits_of_eight_bytes() {
        let mut natural: Vec<i8> = (0..70).collect();
        natural.resize(128, 0);
        let layout = SignLayout::new(70, natural).unwrap();
        assert_eq!(layout.lines.len(), 2);
        assert_eq!(layout.lines[0].0[..9], [0, 8, 16, 24, 32, 40, 48, 56, 1]);
        assert_eq!(layout.lines[0].0[63], 63);
        assert_eq!(layout.lines[1].0[..9], [64, 0, 0, 0, 0, 0, 0, 0, 65]);
        assert_eq!(layout.total, 69 * 70 / 2);
    }

    #[test]
    fn last_bits_of_every_length() {
        for len in (1..40).filter(|len| len % 8 != 0) {
            let bits: Vec<u8> = (0..len).map(|i| i as u8 + 200).collect();
            let mut padded = [0; 8];
            padded[..len % 8].copy_from_slice(&bits[len / 8 * 8..]);
            assert_eq!(last_bits(&bits), u64::from_le_bytes(padded), "{len}");
        }
    }

    #[test]
    fn slots_end_with_the_bits_of_the_last() {
        let slots = Slots { bytes: &[0; 100], stride: 30, offset: 7, len: 3 };
        assert!(slots.hold(0) && slots.hold(4) && !slots.hold(5));
        let endless = Slots { stride: usize::MAX / 2, ..slots };
        assert!(endless.hold(1) && !endless.hold(2) && !endless.hold(3) && !endless.hold(usize::MAX));
    }
}
