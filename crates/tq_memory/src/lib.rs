//! Memory that runs out is an error, not the end of the process.
//!
//! Rust's collections abort when an allocation fails, and a server's process that aborts takes every session with it. Two
//! things keep that from happening:
//!
//! ```text
//! what grows with data      Grow, filled, collected, …   Err(OutOfMemory)
//! what is small and can't   the reserve, Reserved        served from 1.3 MB that the process has from the start;
//!   fail (a boxed error,                                 check() tells of it before it is used up
//!   a message, a thread)
//! what a library allocates  hold(bytes)                  Err(OutOfMemory), or a promise: while it lives, what the
//!   of itself                                            system refuses is served from those bytes
//! ```
//!
//! The reserve and the promise need [`Reserved`] for the program's global allocator; without it they do no harm and no good.
//! It works with every thread and after a fork, and takes no lock.

mod classes;
mod error;
mod grow;
mod reserve;

pub use classes::RESERVE_BYTES;
pub use error::OutOfMemory;
pub use grow::{Grow, collected, copied, filled, text, with_capacity};
pub use reserve::{Hold, Reserved, check, hold, lent_bytes};
