//! What every format stands on: opening and mapping files, the guard of what is mapped, output that appears whole or not
//! at all, and what has to wait in a temporary file.

mod atomic;
mod error;
mod guard;
mod map;
mod output;
mod read;
mod spool;

pub use atomic::{AtomicFile, remove_unfinished};
pub use error::FileError;
pub(crate) use guard::HandlerGuard;
pub use map::{MapGuard, MappedFile};
pub(crate) use map::{at, copy};
pub use output::Output;
pub(crate) use output::append_zeros;
pub(crate) use read::open_regular;
pub use read::read_small;
pub(crate) use spool::Spool;
