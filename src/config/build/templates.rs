//! `templates`: patterns to files, files to named texts.

use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern};

use super::LoadContext;
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, Location, quoted},
        file,
        model::TemplateFile,
        raw::Field,
    },
    render::TemplateLanguage,
};

const LONGEST_BYTES: u64 = 1 << 20;

pub(super) fn read(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Vec<TemplateFile>, ErrorGuaranteed> {
    let mut templates = Vec::new();
    let mut complete = Ok(());
    for item in field.items(diagnostics)?.unwrap_or_default() {
        if let Err(reported) = add_pattern(&item, context, &mut templates, diagnostics) {
            complete = Err(reported);
        }
    }
    complete.map(|()| templates)
}

fn add_pattern(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    templates: &mut Vec<TemplateFile>,
    diagnostics: &mut Diagnostics,
) -> Result<(), ErrorGuaranteed> {
    let help = "write a file or a pattern such as templates/*.tera or templates/*.tmpl";
    let pattern = field.required_text(help, diagnostics)?;
    let paths = matching_files(context.folder(), pattern).map_err(|message| {
        let help = "*, ? and [a-z] are allowed; a relative path starts at the configuration's folder";
        diagnostics.error(&field.location, format!("{}: {message}", quoted(pattern)), help)
    })?;
    let mut complete = Ok(());
    for path in paths {
        if let Err(reported) = add_file(&path, &field.location, templates, diagnostics) {
            complete = Err(reported);
        }
    }
    complete
}

fn add_file(
    path: &Path,
    location: &Location,
    templates: &mut Vec<TemplateFile>,
    diagnostics: &mut Diagnostics,
) -> Result<(), ErrorGuaranteed> {
    if templates.iter().any(|template| template.path == path) {
        return Ok(());
    }
    let language = TemplateLanguage::of_file(path);
    let name = match language {
        TemplateLanguage::Tera => path.file_stem(),
        // As in Alertmanager, the whole name is the name of what the file writes outside of definitions.
        TemplateLanguage::Go => path.file_name(),
    };
    let Some(name) = name.and_then(|name| name.to_str()) else {
        let message = format!("the name of {} is not UTF-8", path.display());
        return Err(diagnostics.error(location, message, "rename the file"));
    };
    if let Some(other) = templates.iter().find(|template| template.name == name) {
        let both = format!("{} and {}", other.path.display(), path.display());
        let message = format!("{both} would both be the template {}", quoted(name));
        return Err(diagnostics.error(location, message, "rename one of them"));
    }
    let text = file::text(path, LONGEST_BYTES).map_err(|error| {
        let message = format!("{} cannot be read: {error}", path.display());
        diagnostics.error(location, message, "fix the file or its permissions")
    })?;
    templates.push(TemplateFile { name: name.to_owned(), path: path.to_owned(), text, language });
    Ok(())
}

/// The files that `pattern` matches: at least one, in alphabetical order.
fn matching_files(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    // Hidden files are not matched, because editors leave backups there and Kubernetes keeps old versions there.
    const OPTIONS: MatchOptions = MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        require_literal_leading_dot: true,
    };
    let literal = folder.join(pattern);
    if literal.is_file() {
        return Ok(vec![literal]);
    }
    if !pattern.contains(['*', '?', '[']) {
        let error = literal.metadata().err().map(|error| error.to_string());
        return Err(error.unwrap_or_else(|| "this is not a regular file".to_owned()));
    }
    let Some(folder) = folder.to_str() else {
        return Err("the path of the configuration's folder is not UTF-8".to_owned());
    };
    let pattern = Path::new(&Pattern::escape(folder)).join(pattern);
    let matches = glob::glob_with(&pattern.to_string_lossy(), OPTIONS).map_err(|error| error.to_string())?;
    let mut paths = Vec::new();
    for path in matches {
        let path = path.map_err(|error| error.to_string())?;
        if path.is_file() {
            paths.push(path);
        }
    }
    if paths.is_empty() { Err("no file matches".to_owned()) } else { Ok(paths) }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn patterns_match_as_in_a_shell() {
        let root = tempfile::tempdir().unwrap();
        // The folder's own name looks like a pattern.
        let folder = root.path().join("[a]");
        for name in ["one/a.tera", "one/b.tera", "one/.c.tera", "one/d.txt", "two/a.tera", "two/[x].tera"] {
            let path = folder.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "").unwrap();
        }
        let found = |pattern| {
            let paths = matching_files(&folder, pattern)?;
            Ok(paths.iter().map(|path| path.strip_prefix(&folder).unwrap().display().to_string()).collect())
        };
        let files = |names: &[&str]| Ok(names.iter().map(ToString::to_string).collect::<Vec<_>>());
        let none = |text: &str| Err(text.to_owned());
        assert_eq!(found("one/a.tera"), files(&["one/a.tera"]));
        assert_eq!(found("one/*.tera"), files(&["one/a.tera", "one/b.tera"]));
        assert_eq!(found("one/?.t*t"), files(&["one/d.txt"]));
        assert_eq!(found("*/[a].tera"), files(&["one/a.tera", "two/a.tera"]));
        assert_eq!(found("two/[x].tera"), files(&["two/[x].tera"]));
        assert_eq!(found("*.tera"), none("no file matches"));
        assert_eq!(found("three/*.tera"), none("no file matches"));
        assert_eq!(found("one"), none("this is not a regular file"));
        assert_eq!(found("none.tera"), none("No such file or directory (os error 2)"));
    }
}
