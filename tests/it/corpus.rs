//! The seeds of the fuzz targets in `tests/fuzz`, run as ordinary tests.

#![cfg(test)]

use std::{fs, path::Path};

#[path = "../fuzz/src/checks.rs"]
mod checks;

fn seeds(target: &str, check: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    assert!(!files.is_empty(), "{target}");
    for file in files {
        check(&fs::read(file).unwrap());
    }
}

#[test]
fn seeds_of_payloads_pass() {
    seeds("payload", checks::payload);
}

#[test]
fn seeds_of_texts_pass() {
    seeds("split", checks::split);
}

#[test]
fn seeds_of_go_templates_pass() {
    seeds("go_template", checks::go_template);
}

#[test]
fn seeds_of_configurations_pass() {
    seeds("config", checks::config);
}

#[test]
fn seeds_of_callbacks_pass() {
    seeds("callback", checks::callback);
}
