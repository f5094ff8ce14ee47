//! What is in `packaging/` fits the program.

mod manifests;
mod monitoring;

use std::{fs, path::PathBuf};

/// The text of a file in `packaging/`.
fn text(name: &str) -> String {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name);
    fs::read_to_string(path).unwrap()
}

/// The documents of a YAML file in `packaging/`.
fn documents(name: &str) -> Vec<serde_json::Value> {
    text(name).split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}
