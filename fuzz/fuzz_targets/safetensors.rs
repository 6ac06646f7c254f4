//! libFuzzer's entrance to the target `safetensors`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tq_fuzz::run("safetensors", data));
