//! How the reserve is divided: blocks of four sizes, each size in a stretch of its own.

/// Sizes of blocks, and how many there are of each.
pub(crate) const CLASSES: [(usize, usize); 4] = [(256, 1024), (2 << 10, 128), (16 << 10, 16), (64 << 10, 8)];

/// The size of the reserve.
pub const RESERVE_BYTES: usize = offset_of_class(CLASSES.len());

/// Blocks begin at multiples of their size, so this is what they are aligned to, if they are no smaller.
pub(crate) const ALIGN: usize = 4096;

/// How many words of bits there are: one bit a block.
pub(crate) const WORDS: usize = first_word(CLASSES.len());

pub(crate) const fn offset_of_class(class: usize) -> usize {
    let (mut offset, mut i) = (0, 0);
    while i < class {
        offset += CLASSES[i].0 * CLASSES[i].1;
        i += 1;
    }
    offset
}

pub(crate) const fn first_word(class: usize) -> usize {
    let (mut word, mut i) = (0, 0);
    while i < class {
        word += CLASSES[i].1.div_ceil(64);
        i += 1;
    }
    word
}
