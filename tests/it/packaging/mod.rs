//! The files in `packaging/` match the program.

mod manifests;
pub(crate) mod monitoring;

use std::{fs, path::PathBuf};

/// The text of a file in `packaging/`.
pub(crate) fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

/// The documents of a YAML file in `packaging/`.
fn documents(name: &str) -> Vec<serde_json::Value> {
    text(name).split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}
