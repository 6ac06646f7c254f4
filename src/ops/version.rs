//! `tq_version`: what is running.

use pgrx::prelude::*;

use crate::server::settings;

/// The extension's version, the kernels in use and the threads for bulk work.
#[pg_extern(sql = false)]
fn tq_version() -> String {
    format!(
        "tinyquant {}, simd {}, threads {}",
        env!("CARGO_PKG_VERSION"),
        settings::simd_level().name(),
        settings::threads()
    )
}
