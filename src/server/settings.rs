//! The extension's settings (`tinyquant.*`) and what follows from them.

#![allow(unsafe_code)]

use pgrx::guc::{GucContext, GucFlags, GucRegistry, GucSetting, PostgresGucEnum};
use pgrx::pg_sys;
use tq_codec::Workers;
use tq_simd::Level;

use crate::server::pg_compat::is_set_by_session;

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

/// `tinyquant.output`: what the text of a value is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PostgresGucEnum)]
#[allow(non_camel_case_types)]
enum Output {
    record,
    floats,
}

/// `tinyquant.iterative_scan`: what becomes of rows that a search finds late.
#[derive(Clone, Copy, PartialEq, Eq, Debug, PostgresGucEnum)]
#[allow(non_camel_case_types)]
pub(crate) enum IterativeScan {
    off,
    strict_order,
    relaxed_order,
}

static PROBES: GucSetting<i32> = GucSetting::<i32>::new(0);
static TARGET_RECALL: GucSetting<f64> = GucSetting::<f64>::new(0.95);
static ITERATIVE_SCAN: GucSetting<IterativeScan> =
    GucSetting::<IterativeScan>::new(IterativeScan::strict_order);
static MAX_SCAN_TUPLES: GucSetting<i32> = GucSetting::<i32>::new(0);
static OUTPUT: GucSetting<Output> = GucSetting::<Output>::new(Output::record);
static SIMD: GucSetting<Simd> = GucSetting::<Simd>::new(Simd::auto);
/// 0 stands for the default: the number of CPUs, at most [`MOST_DEFAULT_THREADS`].
static THREADS: GucSetting<i32> = GucSetting::<i32>::new(0);
const MOST_DEFAULT_THREADS: usize = 8;
static EPSILON: GucSetting<f64> = GucSetting::<f64>::new(3.0);
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
    GucRegistry::define_enum_guc(
        c"tinyquant.output",
        c"What a vector's text is.",
        c"\"record\" prints its bytes, which is exact; \"floats\" what they stand for, as pgvector does. Dumps always have records.",
        &OUTPUT,
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
    GucRegistry::define_float_guc(
        c"tinyquant.epsilon",
        c"Standard deviations that a search of an index allows for.",
        c"Fewer look at fewer rows, and miss some: at 1.9 a few in a thousand of the nearest, at 3 hardly any.",
        &EPSILON,
        0.0,
        10.0,
        GucContext::Userset,
        GucFlags::default(),
    );
    init_lists();
    // A misspelt setting is an error from here on.
    // SAFETY: the prefix is a C string, which core copies.
    unsafe { pg_sys::MarkGUCPrefixReserved(c"tinyquant".as_ptr()) }
}

/// Those of indexes with lists.
fn init_lists() {
    GucRegistry::define_int_guc(
        c"tinyquant.probes",
        c"Lists of an index that a search looks at first.",
        c"0 takes as many as tinyquant.target_recall needs.",
        &PROBES,
        0,
        32_768,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_float_guc(
        c"tinyquant.target_recall",
        c"Share of the nearest rows that a search of an index with lists is to find.",
        c"How many lists that takes was measured when the index was built. 1 looks at all.",
        &TARGET_RECALL,
        0.5,
        1.0,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_enum_guc(
        c"tinyquant.iterative_scan",
        c"What becomes of rows that a search of an index with lists finds late.",
        c"\"strict_order\" gives them when there are no others, \"relaxed_order\" at once; \"off\" looks at the first lists alone.",
        &ITERATIVE_SCAN,
        GucContext::Userset,
        GucFlags::default(),
    );
    GucRegistry::define_int_guc(
        c"tinyquant.max_scan_tuples",
        c"Rows that a search of an index with lists looks at before it looks at no more lists.",
        c"0 sets no limit: in the end all rows are found.",
        &MAX_SCAN_TUPLES,
        0,
        i32::MAX,
        GucContext::Userset,
        GucFlags::default(),
    );
}

/// `tinyquant.probes`, 0 for as many as the target needs.
pub(crate) fn probes() -> u32 {
    u32::try_from(PROBES.get()).unwrap_or(0)
}

/// `tinyquant.target_recall`.
pub(crate) fn target_recall() -> f64 {
    TARGET_RECALL.get()
}

/// `tinyquant.iterative_scan`.
pub(crate) fn iterative_scan() -> IterativeScan {
    ITERATIVE_SCAN.get()
}

/// `tinyquant.max_scan_tuples`, 0 for no limit.
pub(crate) fn max_scan_tuples() -> u64 {
    u64::try_from(MAX_SCAN_TUPLES.get()).unwrap_or(0)
}

/// Bytes of `maintenance_work_mem`.
pub(crate) fn maintenance_memory() -> usize {
    // SAFETY: a plain variable of the backend's.
    usize::try_from(unsafe { pg_sys::maintenance_work_mem }).unwrap_or(0).saturating_mul(1024)
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

/// Whether a vector's text is to be floats. Never so for those who copy values exactly, whatever a role or a database was set to: a
/// walsender, which replicates; and a session that has itself asked for exact numbers, as `pg_dump` and `postgres_fdw` do (both SET
/// extra_float_digits = 3), or for an order that doesn't depend on others' scans, as `pg_dump` does in any case (synchronize_seqscans =
/// off). What drivers say when they connect (pgjdbc asks for digits then) is no such wish.
pub(crate) fn prints_floats() -> bool {
    // SAFETY: plain variables of the backend's.
    let (walsender, digits, synchronized) =
        unsafe { (pg_sys::am_walsender, pg_sys::extra_float_digits, pg_sys::synchronize_seqscans) };
    let copies = || {
        walsender
            || digits >= EXACT_DIGITS && is_set_by_session(c"extra_float_digits")
            || !synchronized && is_set_by_session(c"synchronize_seqscans")
    };
    OUTPUT.get() == Output::floats && !copies()
}

/// `extra_float_digits` of those who need every bit.
const EXACT_DIGITS: i32 = 3;

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

/// Standard deviations that a search of an index allows for.
pub(crate) fn epsilon() -> f64 {
    EPSILON.get()
}

/// Bytes of `work_mem`.
pub(crate) fn work_memory() -> usize {
    // SAFETY: a plain variable of the backend's.
    usize::try_from(unsafe { pg_sys::work_mem }).unwrap_or(0).saturating_mul(1024)
}
