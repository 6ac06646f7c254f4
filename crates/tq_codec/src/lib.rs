//! From floats to records and back, and distances from a query to records, with TinyQuant's codec.
//!
//! ```text
//! encode    floats ─rotate─▶ y ─nearest codebook entry─▶ codes (+ FP16 of y - entry) ─▶ record
//! decode    record ─▶ entry (+ residual) ─rotate back─▶ floats
//! distance  query ─rotate once─▶ prepared query;  each record: one pass over its codes
//! ```
//!
//! A [`CodecConfig`] says what a codec is and has the hash that records carry; a [`Codec`] adds the
//! [`Codebook`] and the [`Rotation`] and can encode and decode; a [`PreparedQuery`] measures distances in the
//! rotated space. Everything is bit-compatible with TinyQuant given the same codebook, except where a rotated
//! value lies within rounding of a decision boundary. The built-in codec needs no codebook from outside: see
//! [`lloyd_max`].
//!
//! [`Quantvec`] is the codec of quantvec's indexes, which works alike and is another.
//!
//! Nothing here knows PostgreSQL or is unsafe. Work for several threads runs on [`Workers`] that the caller makes; nothing
//! else starts any.
#![forbid(unsafe_code)]

mod batch;
pub mod builtin;
mod centre;
mod codebook;
mod codec;
mod config;
pub mod declaration;
mod definition;
mod distance;
mod encode;
mod error;
pub mod evaluate;
mod haar;
mod hadamard;
mod inner;
pub mod lloyd_max;
mod paths;
mod product;
mod quantvec;
mod query;
mod room;
mod rotation;
mod sample;
mod scratch;
pub mod sidecar;
mod tolerance;
pub mod train;
pub mod trellis;
mod vector;
mod workers;

pub use centre::check_centre;
pub use codebook::Codebook;
pub use codec::Codec;
pub use config::{BUILTIN_SEED, CentreHash, CodeKind, CodecConfig, ConfigHash, RotationKind};
pub use definition::CodecDefinition;
pub use distance::{Metric, distance_f32};
pub use error::{BatchError, CodecError};
pub use inner::inner_products;
pub use product::SharedRounded;
pub use quantvec::{Quantvec, QuantvecDecoding, QuantvecQuery, QuantvecRows};
pub use query::PreparedQuery;
pub use rotation::{Rotation, SharedMatrix, build_rotation, build_rotation_polling};
pub use sample::VectorSample;
pub use scratch::prepare_thread;
pub use vector::{LARGEST_NORM, check_rotatable, check_vector, normalize, scale_for_norm};
pub use workers::Workers;

/// The kernels that a [`PreparedQuery`] is made for.
pub use tq_simd::Level;

use tq_format::BitWidth;
use tq_simd::Width;

/// The kernels' name for a record's width and the kind of its codes. There are no trellis codes of eight bits.
pub(crate) fn kernel_width(width: BitWidth, codes: CodeKind) -> Width {
    match (codes, width) {
        (CodeKind::Trellis, BitWidth::Two) => Width::TrellisTwo,
        (CodeKind::Trellis, BitWidth::Four) => Width::TrellisFour,
        (_, BitWidth::Two) => Width::Two,
        (_, BitWidth::Four) => Width::Four,
        (_, BitWidth::Eight) => Width::Eight,
    }
}
