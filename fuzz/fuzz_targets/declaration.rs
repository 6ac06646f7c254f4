//! libFuzzer's entrance to the target `declaration`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tq_fuzz::run("declaration", data));
