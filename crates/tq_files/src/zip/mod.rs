//! Archives of ZIP, as far as NumPy and the like write them: entries that are stored or deflated, of any size (ZIP64).
//!
//! ```text
//! each entry:  "PK\3\4", 26 bytes, lengths of name and extra field at 26 and 28, the name, the extra field, its bytes
//! directory:   for each entry "PK\1\2", 42 bytes, name, extra field, comment
//! [ZIP64:      "PK\6\6", 52 bytes; "PK\6\7", 16 bytes]
//! the end:     "PK\5\6", 18 bytes, a comment
//! ```
//! Read by our own code: the crate `zip` reads from a stream that can seek, allocates for as many entries as the end of the file
//! claims, keeps names twice, and brings a dozen ways of compression along. Here the directory alone is read, from its copy,
//! and no byte of the file belongs to two entries, which rules out bombs of overlapping ones; `flate2` inflates.

mod directory;
mod inflate;
mod verify;

pub(crate) use self::directory::{Entry, Method, entries};
pub(crate) use self::inflate::Inflate;
pub(crate) use self::verify::verify;
