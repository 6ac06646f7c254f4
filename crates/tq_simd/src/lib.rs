//! Distances between a full-precision query and rows of packed scalar-quantisation codes.
//!
//! A row is `d` codes of 2, 4 or 8 bits, packed LSB-first, so that code `i` occupies the bits `[i·B, (i+1)·B)` of the byte stream, optionally
//! followed elsewhere by `d` little-endian binary16 residuals. Coordinate `i` of the row is `codebook[code_i]`, plus the residual widened
//! to `f32` and added in `f32`. A [`ScanQuery`] holds one query against one codebook and turns each row into a distance
//! without decoding it to memory and without allocating.
//!
//! ```text
//! query, codebook ──ScanQuery::new──▶ layout + kernels        (once per scan)
//! codes, residual ──ScanQuery::dot──▶ f64                     (once per row)
//! ```
//!
//! A [`SignQuery`] is the same for rows of one bit a dimension, many in a call, in integers:
//!
//! ```text
//! query ──SignQuery::new──▶ small integers        (once per scan)
//! slots ──SignQuery::sums──▶ i32 a row            (once per page)
//! ```
//!
//! Codes that are an entry's number come from [`quantize`], those of a trellis from [`Trellis`]; [`Width`] says how a row is read.
//!
//! The scalar code is the definition, in `f64`; the kernels of the other [`Level`]s are held to it within 1e-5 by one
//! test. The level is chosen at run time and never required at compile time. This is the only crate of the workspace with intrinsics,
//! and everything it exports is safe: lengths are asserted once per call, and a level that the processor lacks means scalar code.

// Layouts and measures have no users where there are no kernels.
#![cfg_attr(
    not(any(target_arch = "x86_64", all(target_arch = "aarch64", target_endian = "little"))),
    allow(dead_code, unused_imports, unused_variables)
)]

#[cfg(all(target_arch = "aarch64", target_endian = "little"))]
mod aarch64;
mod bounds;
mod dense;
mod dispatch;
mod encode;
mod hadamard;
mod kernels;
mod lanes;
mod layout;
mod level;
mod measure;
mod prefetch;
mod query;
mod scalar;
mod signs;
mod slots;
mod terms;
mod trellis;
mod width;
#[cfg(target_arch = "x86_64")]
mod x86_64;

pub use bounds::sign_bounds;
pub use dense::{
    dot_and_norms_f32, dot_f32, l1_f32, rotate, rotate_polling, rotate_query_polling,
    rotate_transposed_polling, squared_l2_f32,
};
pub use encode::{quantize, quantize_within, rotate_f32_polling};
pub use hadamard::{hadamard, hadamard_inverse, hadamard_signs};
pub use level::Level;
pub use prefetch::prefetch_below;
pub use query::{ScanQuery, dequantize, unpack};
pub use signs::SignQuery;
pub use terms::{BoundOf, BoundTerms};
pub use trellis::{Trellis, TrellisRoom};
pub use width::Width;
