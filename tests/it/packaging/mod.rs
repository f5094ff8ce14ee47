//! The files in `packaging/` match the program.

mod kubernetes;
mod manifests;
pub(crate) mod monitoring;

use std::{fs, path::PathBuf};

use serde_json::Value;

/// The text of a file in `packaging/`.
pub(crate) fn text(name: &str) -> String {
    fs::read_to_string(path(name)).unwrap()
}

pub(crate) fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("packaging").join(name)
}

/// The documents of a YAML file in `packaging/`.
fn documents(name: &str) -> Vec<Value> {
    parse(&text(name))
}

fn parse(yaml: &str) -> Vec<Value> {
    yaml.split("\n---\n").map(|document| serde_yaml::from_str(document).unwrap()).collect()
}

fn of_kind<'a>(documents: &'a [Value], kind: &str) -> &'a Value {
    documents.iter().find(|document| document["kind"] == kind).unwrap()
}
