//! Feeds [`checks::callback`].
#![no_main]

#[path = "../src/checks.rs"]
#[expect(dead_code, reason = "the other targets' checks")]
mod checks;

libfuzzer_sys::fuzz_target!(|data: &[u8]| checks::callback(data));
