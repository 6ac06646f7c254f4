//! Reading: directories of each generation, checksums, and tensors as rows.

mod attributes;
mod cells;
mod coo;
mod csr;
mod dense;
mod fields;
mod frame;
mod ids;
mod rules;
mod seekable;
mod sparse;
mod stream;
mod v0_1;
mod v1;
mod v2;
mod verify;

pub(super) use attributes::attributes;
pub(super) use cells::cells;
pub(super) use coo::open as open_coo;
pub(super) use csr::CsrReader;
pub(super) use dense::DenseReader;
pub(super) use fields::need;
pub(super) use frame::Frame;
pub(super) use ids::TensorIds;
pub(super) use stream::Stream;
pub(super) use verify::verify;
