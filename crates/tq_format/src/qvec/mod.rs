//! The QVEC index file of quantvec: codes, scales and norms of rotated vectors, and what an index has beside them.
//!
//! ```text
//!   0      4   5      6        7      8           12    16     24
//!   +------+---+------+--------+------+-----------+-----+------+- -
//!   | QVEC | v | kind | metric | bits | dimension |  n  | seed | body
//!   |      |1,2| 0, 1 | 0, 1, 2|2,3,4 | u32       | u32 | f64  |
//!   +------+---+------+--------+------+-----------+-----+------+- -
//!   body: codes  n·dimension·bits/8 bytes, LSB first, 3-bit codes across bytes; a row starts at a byte
//!         scales n f32 | norms n f32
//!         [v1, v2] calibration: 0, or 1 | shifts dimension f32 | scales dimension f32
//!         [v2]     inverted file: 0, or 1 | nlist u32 | nprobe u32 | centroids nlist·dimension f32 | lists n u32
//!         [kind 1] n ids: 0 | f64, or 1 | length u32 | UTF-8, or 2 | length u32 | decimal integer
//! ```
//! All numbers are little-endian, and the file ends with its last field. Version 2 is what quantvec writes today, version 1 what
//! its first releases wrote; its first description of the format forgot the calibration byte, and files made after it
//! ([`Layout::Doc1`]) say version 1 too. They are told apart by trying: see [`View::parse`].
//!
//! Source: quantvec, `docs/serialization.md` and the serializer of each version. Its reader's checks come first and in its
//! order; what it lets pass and then fails on (numbers that aren't finite, dimensions without limit) is refused after them.

mod codes;
mod error;
mod header;
mod ids;
mod structure;
mod view;

pub use codes::{pack_codes, unpack_codes};
pub use error::Error;
pub use header::{Bits, Header, Layout, Metric};
pub use ids::{Id, IdKinds, is_canonical_integer};
pub use structure::Geometry;
pub use view::{Calibration, Ids, InvertedFile, Row, View};

/// Bytes of a header.
pub const HEADER_LEN: usize = 24;

/// Where the number of vectors, a little-endian u32, stands in the file.
pub const COUNT_OFFSET: u64 = 12;

/// The greatest number of dimensions that is read or written. quantvec has no limit and builds a matrix of the
/// dimension's square when it opens a file.
pub const MAX_DIMENSION: u32 = 16_000;

/// Most bytes of codes that quantvec reads: it computes places of bits in 32 bits, and reads the wrong ones beyond.
pub const MAX_CODE_BYTES: u64 = (1 << 28) - 1;
