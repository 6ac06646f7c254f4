//! An index of compressed embeddings: first the signs of all rows, then the codes of a few.
//!
//! ```text
//! slots    of every row a bit a dimension and three numbers: how near it may be      read by every search
//! codes    of every row the record without its header: how near it is                read of some hundred
//!          (or none: then they are read from the table)
//! others   NULLs, records of another codec, vectors without a direction: whole       measured by every search
//! ```
//!
//! [`Build`] makes an index of many rows, [`create`] an empty one; a [`Session`] inserts; a [`Scan`] gives rows in the order of their
//! distance, which it measures with the kernels of the sequential scan; [`vacuum()`] frees; [`check()`] looks at everything. All of them work on [`Pages`], which the
//! server's buffers implement, and [`MemoryPages`] for tests. Where everything lies on the pages is `layout`'s, and each kind of page
//! is drawn in the module that owns it: `meta`, `centre`, `slot`, `codes`, `others`.
//!
//! Rows of an index that is built may be divided into lists, by the nearest of centroids that a sample has taught ([`Means`]): a search
//! looks at lists that are near the query first, and at more of them the more rows are asked for ([`ListOptions`]).
//!
//! Nothing here knows PostgreSQL or is unsafe, and threads are the caller's. Pages may hold anything: damage is an error with the block's number.
#![forbid(unsafe_code)]

mod assign;
mod build;
mod build_lists;
mod calibrate;
mod candidates;
mod centre;
mod centroids;
mod check;
mod check_lists;
mod codes;
mod error;
mod estimate;
mod fit;
mod hit;
mod insert;
mod insert_lists;
mod layout;
mod list_pages;
mod lists;
mod measured;
mod memory;
mod meta;
mod others;
mod pages;
mod probes;
mod probing;
mod recentre;
mod scan;
mod session;
mod slot;
mod train;
mod vacuum;
mod value;
mod walk;

pub use build::{Build, Sample, create, create_unlogged};
pub use build_lists::Means;
pub use check::{Checker, Contents, Kept, check, contents};
pub use error::IndexError;
pub use fit::{Bounds, Fit, Range};
pub use hit::{Hit, Others, ScanCounts, ScanOptions};
pub use layout::{Refine, Tid, VERSION};
pub use lists::Lists;
pub use memory::{MemoryChange, MemoryPage, MemoryPages};
pub use meta::{Definition, Meta};
pub use pages::{Change, Lent, MOST_EDITED, PageMut, PageView, Pages, SPECIAL_BYTES};
pub use probes::{ListOptions, MOST_LISTS, Order, TARGETS};
pub use recentre::{SAMPLE_ROWS, sample_rows};
pub use scan::Scan;
pub use session::Session;
pub use vacuum::{Vacuumed, vacuum};
pub use value::Value;
pub use walk::Walk;
