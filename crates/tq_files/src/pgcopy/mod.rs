//! PostgreSQL's binary COPY data: what a file begins and ends with, and its fields.
//!
//! ```text
//! "PGCOPY\n\377\r\n\0"  i32 flags = 0  i32 extension length = 0
//! per row:  i16 columns   per column:  i32 length   that many bytes
//! i16 -1
//! ```
//!
//! All is big-endian.

mod numeric;
mod vector;

pub use numeric::numeric;
pub use vector::{VectorField, VectorFieldError};

/// What the data begins with.
pub const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";

/// What the data ends with.
pub const TRAILER: [u8; 2] = (-1i16).to_be_bytes();

/// Appends a field of these bytes, at most 2 GiB.
pub fn field(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(&(bytes.len() as i32).to_be_bytes());
    out.extend_from_slice(bytes);
}
