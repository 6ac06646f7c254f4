//! The extension's settings (`tinyquant.*`) and what follows from them.

#![allow(unsafe_code)]

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};
use pgrx::pg_sys;
use tq_codec::Workers;
use tq_simd::Level;

/// `tinyquant.simd`: which kernels compute distances.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PostgresGucEnum)]
#[allow(non_camel_case_types)]
pub(crate) enum Simd {
    auto,
    avx512,
    avx2,
    neon,
    scalar,
}

static SIMD: GucSetting<Simd> = GucSetting::<Simd>::new(Simd::auto);
/// 0 stands for the default: the number of CPUs, at most [`MOST_DEFAULT_THREADS`].
static THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);
const MOST_DEFAULT_THREADS: usize = 8;
static CODEC_CACHE_KB: GucSetting<i32> = GucSetting::<i32>::new(262_144);

/// Registers the settings; called from `_PG_init`.
pub(crate) fn init() {
    GucRegistry::define_enum_guc(
        c"tinyquant.simd",
        c"Instruction set of the distance kernels.",
        c"\"auto\" takes the best that the CPU offers; a set that the CPU lacks falls back to \"scalar\".",
        &SIMD,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"tinyquant.threads",
        c"Threads for bulk work in a backend.",
        c"0 takes the number of CPUs, at most 8; 1 starts none.",
        &THREADS,
        0,
        256,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"tinyquant.codec_cache",
        c"Memory for prepared codecs in a backend.",
        c"The codec in use is kept even if it is larger; the least recently used go first.",
        &CODEC_CACHE_KB,
        1024,
        i32::MAX,
        GucContext::Userset,
        GucFlags::UNIT_KB,
    );
    // A misspelt setting is an error from here on.
    // SAFETY: the prefix is a C string, which core copies.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"tinyquant".as_ptr()) }
}

/// The kernels in use: what `tinyquant.simd` asks for, as far as the CPU has it.
pub(crate) fn simd_level() -> Level {
    let wanted = match SIMD.get() {
        Simd::auto => return Level::detect(),
        Simd::avx512 => Level::Avx512,
        Simd::avx2 => Level::Avx2,
        Simd::neon => Level::Neon,
        Simd::scalar => Level::Scalar,
    };
    if wanted.is_available() { wanted } else { Level::Scalar }
}

/// Bytes that prepared rotations may take in this backend.
pub(crate) fn codec_cache_bytes() -> usize {
    CODEC_CACHE_KB.get() as usize * 1024
}

/// How many threads bulk work may use.
pub(crate) fn threads() -> usize {
    match THREADS.get() as usize {
        0 => Workers::available().min(MOST_DEFAULT_THREADS),
        threads => threads,
    }
}
