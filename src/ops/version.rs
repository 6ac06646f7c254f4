//! `tq_version`: what is running.

use pgrx::prelude::*;

use crate::guc;

/// The extension's version and the kernels in use.
#[pg_extern(sql = false)]
fn tq_version() -> String {
    format!("tinyquant {}, simd {}", env!("CARGO_PKG_VERSION"), guc::simd_level().name())
}
