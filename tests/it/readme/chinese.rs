//! The Chinese README has the same sections, names and figures as the English one.
//!
//! Sections are paired by position. "For contributors" is in English only.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const ENGLISH: &str = "README.md";
const CHINESE: &str = "packaging/README.zh-CN.md";

struct Section {
    level: usize,
    title: String,
    /// The text outside of fenced blocks.
    text: String,
    /// The fenced blocks: the language, then the lines without comments.
    code: Vec<Vec<String>>,
}

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

fn sections(file: &Path) -> Vec<Section> {
    let readme = fs::read_to_string(file).unwrap();
    let mut sections: Vec<Section> = Vec::new();
    let mut block = None;
    for line in readme.lines() {
        if block.is_none() && line.starts_with('#') {
            let title = line.trim_start_matches('#');
            let (level, title) = (line.len() - title.len(), title.trim().to_owned());
            sections.push(Section { level, title, text: String::new(), code: Vec::new() });
        }
        let section = sections.last_mut().unwrap();
        match (block, line.strip_prefix("```")) {
            (None, Some(language)) => {
                block = Some(language);
                section.code.push(vec![language.to_owned()]);
            }
            (Some(_), Some(_)) => block = None,
            (Some(language), None) => {
                let code = without_comment(language, line);
                section.code.last_mut().unwrap().extend((!code.is_empty()).then(|| code.to_owned()));
            }
            (None, None) => section.text.extend([line, "\n"]),
        }
    }
    sections
}

/// In a block without a language (a drawing or an output), five spaces precede a comment.
fn without_comment<'a>(language: &str, line: &'a str) -> &'a str {
    let code = match language {
        "" => line.trim_start().split("     ").next(),
        _ if line.trim_start().starts_with("# ") => None,
        _ => line.split(" # ").next(),
    };
    code.unwrap_or_default().trim_end()
}

/// Each section of the English README with its counterpart.
fn pairs() -> Vec<(Section, Section)> {
    let (english, chinese) = (sections(&path(ENGLISH)), sections(&path(CHINESE)));
    assert_eq!(english.len(), chinese.len(), "{CHINESE} and {ENGLISH} have different sections");
    let pairs = english.into_iter().zip(chinese);
    pairs.filter(|(english, _)| english.title != "For contributors").collect()
}

/// The facts that do not depend on the language: names in backticks, and figures.
fn facts(text: &str) -> BTreeSet<String> {
    let names = text.split('`').skip(1).step_by(2);
    let names = names.map(|name| name.split_whitespace().collect::<Vec<_>>().join(" "));
    let figures = text.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',');
    let figures = figures.map(|figure| figure.trim_matches(['.', ',']).to_owned());
    names.chain(figures).filter(|fact| !fact.is_empty()).collect()
}

/// For each table row: the number of cells and the facts.
fn rows(text: &str) -> Vec<(usize, BTreeSet<String>)> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    rows.map(|row| (row.replace(r"\|", "").matches('|').count(), facts(row))).collect()
}

fn relative_links(text: &str) -> impl Iterator<Item = &str> {
    let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    links.filter(|link| !link.contains("://"))
}

/// The file and the heading that a link points to.
fn target<'a>(readme: &str, link: &'a str) -> (PathBuf, Option<&'a str>) {
    let (file, heading) = link.split_once('#').map_or((link, None), |(file, heading)| (file, Some(heading)));
    let file = if file.is_empty() { path(readme) } else { path(readme).parent().unwrap().join(file) };
    let file = file.canonicalize().unwrap_or_else(|error| panic!("{readme} links to {link}: {error}"));
    (file, heading)
}

/// The anchor of a heading.
fn anchor(title: &str) -> String {
    let title = title.to_lowercase().replace(' ', "-");
    title.chars().filter(|c| c.is_alphanumeric() || matches!(c, '-' | '_')).collect()
}

#[test]
fn the_sections_are_the_same_in_the_same_order() {
    for (english, chinese) in pairs() {
        assert_eq!(english.level, chinese.level, "{} is not {}", chinese.title, english.title);
    }
}

#[test]
fn fenced_blocks_differ_only_in_comments() {
    for (english, chinese) in pairs() {
        assert_eq!(english.code, chinese.code, "{} ({})", chinese.title, english.title);
    }
}

#[test]
fn table_rows_have_the_same_names_and_figures() {
    for (english, chinese) in pairs() {
        assert_eq!(rows(&english.text), rows(&chinese.text), "{} ({})", chinese.title, english.title);
    }
}

#[test]
fn sections_have_the_same_names_and_figures() {
    for (english, chinese) in pairs() {
        let (of_english, of_chinese) = (facts(&english.text), facts(&chinese.text));
        let missing: Vec<_> = of_english.difference(&of_chinese).collect();
        let extra: Vec<_> = of_chinese.difference(&of_english).collect();
        let title = format!("{} ({})", chinese.title, english.title);
        assert!(
            missing.is_empty() && extra.is_empty(),
            "{title} lacks {missing:?} and has the extra {extra:?}"
        );
    }
}

#[test]
fn every_section_links_to_the_same_files() {
    let readmes = [ENGLISH, CHINESE].map(|readme| path(readme).canonicalize().unwrap());
    let files = |readme, section: &Section| -> BTreeSet<PathBuf> {
        let files = relative_links(&section.text).map(|link| target(readme, link).0);
        files.filter(|file| !readmes.contains(file)).collect()
    };
    for (english, chinese) in pairs() {
        let title = format!("{} ({})", chinese.title, english.title);
        assert_eq!(files(ENGLISH, &english), files(CHINESE, &chinese), "{title}");
    }
}

#[test]
fn relative_links_lead_to_existing_headings() {
    for readme in [ENGLISH, CHINESE, "docs/architecture.md", "docs/design.md"] {
        for section in sections(&path(readme)) {
            for link in relative_links(&section.text) {
                let (file, heading) = target(readme, link);
                let found = heading.is_none_or(|heading| {
                    sections(&file).iter().any(|section| anchor(&section.title) == heading)
                });
                assert!(found, "{readme} links to {link}, and there is no such heading");
            }
        }
    }
}

#[test]
fn each_readme_begins_with_a_link_to_the_other() {
    for (readme, other) in [(ENGLISH, CHINESE), (CHINESE, ENGLISH)] {
        let text = fs::read_to_string(path(readme)).unwrap();
        let first = relative_links(&text).next().unwrap();
        assert_eq!(target(readme, first).0, path(other).canonicalize().unwrap(), "{readme}");
    }
}
