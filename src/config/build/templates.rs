//! `templates`: patterns to files, files to named texts.
//!
//! `*` and `?` in the file's name alone are enough for a folder of templates; the `glob` crate was rejected as a
//! dependency for that.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::Surroundings;
use crate::config::{
    file,
    model::TemplateFile,
    problem::{Place, Report, Reported, quoted},
    raw::Field,
};

const LONGEST_BYTES: u64 = 1 << 20;

pub(super) fn read(
    field: &Field<'_>,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<Vec<TemplateFile>, Reported> {
    let mut templates = Vec::new();
    let mut complete = Ok(());
    for item in field.items(report)?.unwrap_or_default() {
        if let Err(reported) = add(&item, around, &mut templates, report) {
            complete = Err(reported);
        }
    }
    complete.map(|()| templates)
}

/// Adds the files that one pattern matches.
fn add(
    field: &Field<'_>,
    around: &Surroundings<'_>,
    templates: &mut Vec<TemplateFile>,
    report: &mut Report,
) -> Result<(), Reported> {
    let pattern = field.required_text("write a file or a pattern such as templates/*.tera", report)?;
    let paths = matches(&around.path(pattern)).map_err(|error| {
        let right =
            "* and ? are known in the file's name only; a relative path starts at the configuration's folder";
        report.problem(&field.place, format!("{}: {error}", quoted(pattern)), right)
    })?;
    let mut complete = Ok(());
    for path in paths {
        if let Err(reported) = add_file(&path, &field.place, templates, report) {
            complete = Err(reported);
        }
    }
    complete
}

fn add_file(
    path: &Path,
    place: &Place,
    templates: &mut Vec<TemplateFile>,
    report: &mut Report,
) -> Result<(), Reported> {
    if templates.iter().any(|template| template.path == path) {
        return Ok(());
    }
    let Some(name) = path.file_stem().and_then(|stem| stem.to_str()) else {
        let wrong = format!("the name of {} is not UTF-8", path.display());
        return Err(report.problem(place, wrong, "rename the file"));
    };
    if let Some(other) = templates.iter().find(|template| template.name == name) {
        let both = format!("{} and {}", other.path.display(), path.display());
        let wrong = format!("{both} would both be the template {}", quoted(name));
        return Err(report.problem(place, wrong, "rename one of them"));
    }
    let text = file::text(path, LONGEST_BYTES).map_err(|error| {
        report.problem(
            place,
            format!("{} cannot be read: {error}", path.display()),
            "mend the file or its rights",
        )
    })?;
    templates.push(TemplateFile { name: name.to_owned(), path: path.to_owned(), text });
    Ok(())
}

/// The files that a pattern matches, at least one, sorted. What begins with a dot is not matched by a wildcard.
fn matches(pattern: &Path) -> io::Result<Vec<PathBuf>> {
    let name = pattern.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    if !name.contains(['*', '?']) {
        let is_file = pattern.metadata()?.is_file();
        return if is_file { Ok(vec![pattern.to_owned()]) } else { Err(io::Error::other("this is no file")) };
    }
    let mut paths = Vec::new();
    // A pattern without a folder has an empty one, which is no name of the working directory.
    let folder = pattern.parent().filter(|folder| !folder.as_os_str().is_empty());
    for entry in fs::read_dir(folder.unwrap_or(Path::new(".")))? {
        let entry = entry?;
        let file = entry.file_name();
        let Some(file) = file.to_str().filter(|file| !file.starts_with('.')) else { continue };
        // Not the entry's own type: files may be links, as in a mounted ConfigMap.
        if is_match(name, file) && entry.path().is_file() {
            paths.push(pattern.with_file_name(file));
        }
    }
    if paths.is_empty() {
        return Err(io::Error::other("no file matches"));
    }
    paths.sort();
    Ok(paths)
}

/// Whether `*` (any characters) and `?` (one) in `pattern` can stand for what is in `name`.
fn is_match(pattern: &str, name: &str) -> bool {
    let name: Vec<char> = name.chars().collect();
    // Which beginnings of `name` the pattern so far matches, by length.
    let mut reached: Vec<bool> = (0..=name.len()).map(|length| length == 0).collect();
    for wanted in pattern.chars() {
        let mut before = false;
        let mut any_before = false;
        for (length, reach) in reached.iter_mut().enumerate() {
            any_before |= *reach;
            let last = length.checked_sub(1).and_then(|i| name.get(i));
            let next = match wanted {
                '*' => any_before,
                '?' => before,
                c => before && last == Some(&c),
            };
            before = std::mem::replace(reach, next);
        }
    }
    reached.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars_and_question_marks_match_as_in_a_shell() {
        let cases = [
            ("*.tera", "a.message.tera", true),
            ("*.tera", ".tera", true),
            ("*.tera", "a.tera.bak", false),
            ("a?c", "abc", true),
            ("a?c", "ac", false),
            ("?", "值", true),
            ("a*b*c", "a--b--b-c", true),
            ("a*b*c", "a--c", false),
            ("*", "", true),
            ("**a", "a", true),
            ("a.tera", "a.tera", true),
            ("a.tera", "aXtera", false),
        ];
        for (pattern, name, expected) in cases {
            assert_eq!(is_match(pattern, name), expected, "{pattern} {name}");
        }
    }
}
