#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| turnstone_fuzz::run("wire_answer", data));
