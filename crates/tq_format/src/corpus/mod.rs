//! The TQCV corpus file: a header and the records of one configuration, each behind its length.
//!
//! ```text
//!   0      4   5        8       16          20     21        22          24       24+H     28+H     ↑8
//!   +------+---+--------+-------+-----------+------+---------+-----------+--------+--------+--------+--------+- -
//!   | magic| v | 3 zeros| count | dimension | bits | residual| H = hash's| hash   | M = u32| meta-  | zeros  | records
//!   |      | 1 |        | u64   | u32       |      | 0, 1    | length u16| UTF-8  |        | data   | to 8   |
//!   +------+---+--------+-------+-----------+------+---------+-----------+--------+--------+--------+--------+- -
//! ```
//! `TQCV` marks a finished file, `TQCX` one whose writer hasn't come to its end and whose count means nothing.
//! A body entry is a u32 length and that many bytes of record. Since the header fixes the length of a record, every
//! entry has the same stride and the whole geometry is checked when a file is opened.

mod builder;
mod error;
mod header;
mod view;

pub use builder::CorpusBuilder;
pub use error::CorpusError;
pub use header::{CorpusHeader, Magic};
pub use view::{CorpusView, Records};

/// Where the four bytes of magic stand in a corpus file.
pub const MAGIC_OFFSET: u64 = 0;

/// Where the number of records, a little-endian u64, stands in a corpus file.
pub const COUNT_OFFSET: u64 = 8;

/// Bytes of a corpus header before its configuration hash.
pub const HEADER_FIXED_LEN: usize = 24;

/// The body of a corpus starts at a multiple of this many bytes.
pub const BODY_ALIGN: usize = 8;

/// Most bytes of the configuration hash in a corpus header.
pub const MAX_CONFIG_HASH_LEN: usize = 256;

/// Most bytes of metadata in a corpus: 16 MiB.
pub const MAX_METADATA_LEN: usize = 16 << 20;

/// Bytes of the length in front of each record.
const LENGTH_PREFIX: usize = 4;
