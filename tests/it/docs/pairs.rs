//! The Chinese pages have the same sections, names and figures as the English ones.
//!
//! Sections are paired by position. The READMEs are written separately, and share blocks, tables and links only.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    links::target,
    page::{Page, Section, path},
};

const READMES: [&str; 2] = ["README.md", "README.zh-CN.md"];

/// The English name of each page that has a Chinese version, with the Chinese name.
fn translated() -> Vec<[String; 2]> {
    let chinese = Page::all().into_iter().filter(|page| page.name.starts_with("docs/zh-CN/"));
    chinese.map(|page| [page.name.replace("zh-CN/", ""), page.name]).collect()
}

/// Each section of an English page with its counterpart.
fn pairs() -> Vec<(Section, Section)> {
    let of_pages = translated().into_iter().flat_map(|[english, chinese]| {
        let (english, chinese) = (Page::read(&english), Page::read(&chinese));
        let titles = |page: &Page| page.sections.iter().map(|s| s.title.clone()).collect::<Vec<_>>();
        let (left, right) = (titles(&english), titles(&chinese));
        assert_eq!(left.len(), right.len(), "{} has {left:?}, {} has {right:?}", english.name, chinese.name);
        english.sections.into_iter().zip(chinese.sections)
    });
    of_pages.collect()
}

/// The facts that do not depend on the language: names in backticks, and figures.
fn facts(section: &Section) -> BTreeSet<String> {
    section.names().chain(figures(&section.text)).filter(|fact| !fact.is_empty()).collect()
}

fn figures(text: &str) -> impl Iterator<Item = String> + '_ {
    let figures = text.split(|c: char| !c.is_ascii_digit() && c != '.' && c != ',');
    figures.map(|figure| figure.trim_matches(['.', ',']).to_owned()).filter(|figure| !figure.is_empty())
}

/// For each table row: the number of cells and the figures.
fn rows(section: &Section) -> Vec<(usize, BTreeSet<String>)> {
    let rows = section.text.lines().filter(|line| line.starts_with('|'));
    rows.map(|row| (row.replace(r"\|", "").matches('|').count(), figures(row).collect())).collect()
}

/// The blocks with their info strings, without comments.
fn code(section: &Section) -> Vec<(&str, Vec<&str>)> {
    section.blocks.iter().map(|block| (block.info.as_str(), block.code())).collect()
}

/// The files that a section links to, with the English name of each page.
fn files(page: &str, section: &Section) -> BTreeSet<PathBuf> {
    let english = |file: PathBuf| {
        let name =
            file.to_str().unwrap().replace("docs/zh-CN/", "docs/").replace("README.zh-CN.md", "README.md");
        PathBuf::from(name)
    };
    section.links().iter().map(|link| english(target(page, link).0)).collect()
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
        assert_eq!(code(&english), code(&chinese), "{} ({})", chinese.title, english.title);
    }
}

#[test]
fn table_rows_have_the_same_figures() {
    for (english, chinese) in pairs() {
        assert_eq!(rows(&english), rows(&chinese), "{} ({})", chinese.title, english.title);
    }
}

#[test]
fn sections_have_the_same_names_and_figures() {
    for (english, chinese) in pairs() {
        let (of_english, of_chinese) = (facts(&english), facts(&chinese));
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
fn chinese_pages_link_to_the_same_files() {
    for [english, chinese] in translated() {
        let (left, right) = (Page::read(&english), Page::read(&chinese));
        for (of_left, of_right) in left.sections.iter().zip(&right.sections).skip(1) {
            let title = format!("{chinese}: {} ({})", of_right.title, of_left.title);
            assert_eq!(files(&english, of_left), files(&chinese, of_right), "{title}");
        }
    }
}

#[test]
fn each_page_begins_with_a_link_to_the_other() {
    let readmes = [READMES.map(str::to_owned)];
    for [english, chinese] in translated().into_iter().chain(readmes) {
        for (page, other) in [(&english, &chinese), (&chinese, &english)] {
            let read = Page::read(page);
            let first = read.sections[0].links().swap_remove(0);
            assert_eq!(target(page, &first).0, path(other).canonicalize().unwrap(), "{page}");
        }
    }
}

#[test]
fn the_readmes_share_blocks_tables_and_links() {
    let [english, chinese] = READMES.map(Page::read);
    assert_eq!(english.sections.len(), chinese.sections.len());
    for (left, right) in english.sections.iter().zip(&chinese.sections) {
        assert_eq!(code(left), code(right), "{} ({})", right.title, left.title);
        assert_eq!(rows(left), rows(right), "{} ({})", right.title, left.title);
        let links = |page: &Page, section| {
            let mut files = files(&page.name, section);
            files.retain(|file| !file.ends_with("README.md"));
            // A picture may have a Chinese twin.
            let english = |file: PathBuf| PathBuf::from(file.to_string_lossy().replace(".zh-CN.png", ".png"));
            files.into_iter().map(english).collect::<BTreeSet<_>>()
        };
        assert_eq!(links(&english, left), links(&chinese, right), "{} ({})", right.title, left.title);
    }
}

#[test]
fn a_readme_has_at_most_200_lines() {
    for name in READMES {
        let lines = std::fs::read_to_string(path(name)).unwrap().lines().count();
        assert!(lines <= 200, "{name} has {lines} lines; move something to docs/");
    }
}
