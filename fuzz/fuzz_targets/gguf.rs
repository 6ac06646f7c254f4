//! libFuzzer's entrance to the target `gguf`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tq_fuzz::run("gguf", data));
