//! libFuzzer's entrance to the target `torch`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tq_fuzz::run("torch", data));
