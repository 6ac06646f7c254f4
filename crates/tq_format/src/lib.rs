//! The byte layouts of TinyQuant, and nothing but bytes: Level-1 records, TQCV corpora and TQCB codebooks; and the QVEC
//! indexes of quantvec. Beside them, the texts and binary forms in which clients write a vector.
//!
//! A record is at once the datum, the binary wire form and the entry of a corpus file, so this crate is the one
//! place that says what its bytes mean. It opens no file, knows no codec and allocates only for what it writes.
//! Readers are strict: whatever TinyQuant refuses is refused here, and so is what it lets pass unread (trailing
//! bytes, non-zero padding, records that disagree with their file). A view, once made, can't be invalid.
#![forbid(unsafe_code)]

mod binary;
mod builder;
mod corpus;
mod error;
mod pack;
pub mod qvec;
mod record;
mod shape;
mod text;
pub mod tqcb;
mod width;

pub use binary::{BinaryError, VectorBinary};
pub use builder::{RecordBuilder, hash_field};
pub use corpus::{
    BODY_ALIGN, COUNT_OFFSET, CorpusBuilder, CorpusError, CorpusHeader, CorpusView, HEADER_FIXED_LEN,
    MAGIC_OFFSET, MAX_CONFIG_HASH_LEN, MAX_METADATA_LEN, Magic, Records,
};
pub use error::RecordError;
pub use pack::{pack_indices, unpack_indices};
pub use record::{RecordHeader, RecordView};
pub use shape::{RecordShape, ShapeDifference};
pub use text::{TextError, VectorText, record_text};
pub use width::{BitWidth, record_len};

/// The greatest number of dimensions of a vector, in every format of this crate.
pub const MAX_DIMENSION: u32 = 16_384;

/// Bytes of a record's configuration hash field: 64 lower-case hex digits in practice, padded with NUL.
pub const HASH_LEN: usize = 64;

/// Bytes of a record before its packed codes: version, hash, dimension, bit width.
pub const RECORD_HEADER_LEN: usize = 70;

/// The only record version there is.
pub const RECORD_VERSION: u8 = 1;
