//! libFuzzer's entrance to the target `codebook`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tq_fuzz::run("codebook", data));
