//! Styles, scripts and pictures, below a path that contains a hash of all of them.

use axum::{
    body::Body,
    http::{
        HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
};
use sha2::{Digest, Sha256};

/// A file that pages load.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asset {
    pub name: &'static str,
    pub text: &'static str,
}

/// The files of all pages.
const COMMON: [Asset; 6] = [
    Asset { name: "pages.css", text: include_str!("assets/pages.css") },
    Asset { name: "live.js", text: include_str!("assets/live.js") },
    Asset { name: "copy.js", text: include_str!("assets/copy.js") },
    Asset { name: "ok.svg", text: include_str!("assets/ok.svg") },
    Asset { name: "warn.svg", text: include_str!("assets/warn.svg") },
    Asset { name: "bad.svg", text: include_str!("assets/bad.svg") },
];

/// The files of one set of pages.
#[derive(Debug)]
pub struct Assets {
    all: Vec<Asset>,
    version: String,
}

impl Assets {
    /// The files of all pages and `more`.
    pub fn new(more: &[Asset]) -> Self {
        let all: Vec<_> = COMMON.iter().chain(more).copied().collect();
        let mut hash = Sha256::new();
        for asset in &all {
            hash.update(asset.name);
            hash.update(asset.text);
        }
        let version = hash.finalize().iter().take(6).map(|byte| format!("{byte:02x}")).collect();
        Self { all, version }
    }

    /// The segment of the path that changes with the files.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The file `name`. A page of an earlier version of the program gets the present file.
    pub fn answer(&self, version: &str, name: &str) -> Response {
        let Some(asset) = self.all.iter().find(|asset| asset.name == name) else {
            return StatusCode::NOT_FOUND.into_response();
        };
        let is_current = version == self.version;
        let cache = if is_current { "public, max-age=31536000, immutable" } else { "no-cache" };
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static(media_type(name))),
            (CACHE_CONTROL, HeaderValue::from_static(cache)),
        ];
        (headers, Body::from(asset.text)).into_response()
    }
}

fn media_type(name: &str) -> &'static str {
    match name.rsplit_once('.') {
        Some((_, "css")) => "text/css; charset=utf-8",
        Some((_, "js")) => "text/javascript; charset=utf-8",
        Some((_, "svg")) => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}
