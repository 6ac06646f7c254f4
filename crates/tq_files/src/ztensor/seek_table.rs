//! The seek table behind zstd frames: the format of zstd's `contrib/seekable_format`, as generation 2 uses it.
//!
//! ```text
//! frames … │ 0x184D2A5E │ bytes of what follows │ for each frame: stored, content[, checksum] │ frames │ flags │ 0x8F92EAB1
//!          │    u32     │         u32           │      u32      u32       u32               │  u32   │  u8   │    u32
//! ```
//!
//! The frames' own checksums are compared by zstd; those of the table, where flag 0x80 says that it has them, are of the
//! same bytes and are passed over.

pub(super) const SKIPPABLE: u32 = 0x184D_2A5E;
pub(super) const MAGIC: u32 = 0x8F92_EAB1;
/// Bytes around the entries.
pub(super) const HEAD: u64 = 8;
pub(super) const TAIL: u64 = 9;

/// What a table with entries of that size begins with.
pub(super) fn head_of(size: u64) -> [u8; HEAD as usize] {
    let mut head = [0; HEAD as usize];
    head[..4].copy_from_slice(&SKIPPABLE.to_le_bytes());
    head[4..].copy_from_slice(&((size + TAIL) as u32).to_le_bytes());
    head
}
