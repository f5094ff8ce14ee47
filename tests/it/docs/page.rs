//! A page of the documentation, in sections and fenced blocks.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// A page, by its path in the repository.
pub(crate) struct Page {
    pub(crate) name: String,
    pub(crate) sections: Vec<Section>,
}

pub(crate) struct Section {
    pub(crate) level: usize,
    pub(crate) title: String,
    /// The text outside of fenced blocks.
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
}

/// A fenced block.
pub(crate) struct Block {
    /// Everything after the backticks: the language, then a word of the convention in `CONTRIBUTING.md`.
    pub(crate) info: String,
    /// The number of its first line.
    pub(crate) line: usize,
    pub(crate) text: String,
}

pub(super) fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(name)
}

impl Page {
    pub(crate) fn read(name: &str) -> Self {
        let text = fs::read_to_string(path(name)).unwrap_or_else(|error| panic!("{name}: {error}"));
        let mut sections: Vec<Section> = Vec::new();
        let mut open: Option<Block> = None;
        for (at, line) in text.lines().enumerate() {
            let heading = line.trim_start_matches('#');
            if open.is_none() && heading.len() < line.len() && heading.starts_with(' ') {
                let (level, title) = (line.len() - heading.len(), heading.trim().to_owned());
                sections.push(Section { level, title, text: String::new(), blocks: Vec::new() });
            }
            let section = sections.last_mut().unwrap_or_else(|| panic!("{name} begins without a heading"));
            match (open.take(), line.strip_prefix("```")) {
                (None, Some(info)) => {
                    open = Some(Block { info: info.to_owned(), line: at + 2, text: String::new() });
                }
                (Some(block), Some(_)) => section.blocks.push(block),
                (Some(mut block), None) => {
                    block.text.extend([line, "\n"]);
                    open = Some(block);
                }
                (None, None) => section.text.extend([line, "\n"]),
            }
        }
        assert!(open.is_none(), "{name} ends inside a block");
        Self { name: name.to_owned(), sections }
    }

    /// Every page of the documentation.
    pub(super) fn all() -> Vec<Self> {
        let mut names = vec!["tests/fuzz/README.md".to_owned()];
        for folder in ["", "docs", "docs/zh-CN"] {
            for entry in fs::read_dir(path(folder)).unwrap() {
                let name = entry.unwrap().file_name().into_string().unwrap();
                if name.ends_with(".md") {
                    names.push(Path::new(folder).join(name).to_str().unwrap().to_owned());
                }
            }
        }
        names.sort();
        names.iter().map(|name| Self::read(name)).collect()
    }

    pub(crate) fn section(&self, title: &str) -> &Section {
        let found = self.sections.iter().find(|section| section.title == title);
        found.unwrap_or_else(|| panic!("{} has no section {title}", self.name))
    }

    pub(super) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.sections.iter().flat_map(|section| &section.blocks)
    }
}

impl Section {
    /// The first cell of each row, without backticks.
    pub(crate) fn first_column(&self) -> Vec<&str> {
        let rows = self.text.lines().filter_map(|line| line.strip_prefix("| `"));
        rows.map(|row| row.split('`').next().unwrap()).collect()
    }

    /// The words in backticks, with single spaces.
    pub(super) fn names(&self) -> impl Iterator<Item = String> + '_ {
        let names = self.text.split('`').skip(1).step_by(2);
        names.map(|name| name.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    /// The relative links.
    pub(super) fn links(&self) -> Vec<String> {
        let prose: String = self.text.split('`').step_by(2).collect();
        let links = prose.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let images = prose.split("src=\"").skip(1).filter_map(|rest| rest.split('"').next());
        links.chain(images).filter(|link| !link.contains("://")).map(str::to_owned).collect()
    }
}

impl Block {
    pub(crate) fn language(&self) -> &str {
        self.info.split(' ').next().unwrap_or_default()
    }

    /// What the info string says after the language.
    pub(super) fn mark(&self) -> &str {
        self.info.split_once(' ').map_or("", |(_, mark)| mark)
    }

    /// The lines without comments. In a block without a language (a drawing), five spaces precede a comment.
    pub(super) fn code(&self) -> Vec<&str> {
        let code = self.text.lines().map(|line| match self.language() {
            "" => line.trim_start().split("     ").next().unwrap_or_default(),
            _ if line.trim_start().starts_with("# ") => "",
            _ => line.split(" # ").next().unwrap_or_default(),
        });
        code.map(str::trim_end).filter(|line| !line.is_empty()).collect()
    }
}
