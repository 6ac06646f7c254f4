//! CBOR in memory, where writing can't fail.

use std::convert::Infallible;

use minicbor::Encoder;
use minicbor::encode::Error;

/// What writing gives: nothing that could go wrong.
pub(crate) type Encoded = Result<(), Error<Infallible>>;

/// What `write` writes.
pub(crate) fn encoded(write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Encoded) -> Vec<u8> {
    let mut bytes = Vec::new();
    append(&mut bytes, write);
    bytes
}

/// Appends what `write` writes.
pub(crate) fn append(bytes: &mut Vec<u8>, write: impl FnOnce(&mut Encoder<&mut Vec<u8>>) -> Encoded) {
    // Memory takes whatever is written, and what is written has no encoder of its own that could fail.
    let Ok(()) = write(&mut Encoder::new(bytes)).map_err(|error| -> Infallible { unreachable!("{error}") });
}

/// A text.
pub(crate) fn text(text: &str) -> Vec<u8> {
    encoded(|out| out.str(text).map(drop))
}
