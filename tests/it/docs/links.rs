//! Links and names of keys lead somewhere.

use std::path::PathBuf;

use wecom_relay::config::accepted_keys;

use super::page::{Page, path};

/// The file and the heading that a link points to.
pub(super) fn target<'a>(page: &str, link: &'a str) -> (PathBuf, Option<&'a str>) {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let file = if file.is_empty() { path(page) } else { path(page).parent().unwrap().join(file) };
    let file = file.canonicalize().unwrap_or_else(|error| panic!("{page} links to {link}: {error}"));
    (file, heading)
}

/// The anchor of a heading.
fn anchor(title: &str) -> String {
    let title = title.to_lowercase().replace(' ', "-");
    title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn relative_links_lead_to_existing_headings() {
    for page in Page::all() {
        for link in page.sections.iter().flat_map(|section| section.links()) {
            let (file, Some(heading)) = target(&page.name, &link) else { continue };
            let linked = Page::read(file.to_str().unwrap());
            let found = linked.sections.iter().any(|section| anchor(&section.title) == heading);
            assert!(found, "{} links to {link}, and there is no such heading", page.name);
        }
    }
}

#[test]
fn keys_of_the_configuration_exist() {
    let accepted = accepted_keys();
    let groups = ["server.", "outbox.", "apps[].", "receivers[]."];
    for page in Page::all() {
        for name in page.sections.iter().flat_map(|section| section.names()) {
            let key = name.split(':').next().unwrap();
            let is_key = groups.iter().any(|group| key.starts_with(group)) && !key.contains([' ', '/']);
            let is_file = ["db", "db-wal", "db-shm", "rs"].contains(&key.rsplit('.').next().unwrap());
            assert!(!is_key || is_file || accepted.iter().any(|known| known == key), "{}: {key}", page.name);
        }
    }
}
