//! The template files of an `alertmanager.yml`.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// The template files that the relay can use.
#[derive(Default)]
pub(super) struct Templates {
    /// Files and patterns.
    pub(super) patterns: Vec<PathBuf>,
    /// The keys of recipients whose default template a file defines, such as `to_user`.
    pub(super) default_recipients: Vec<&'static str>,
    pub(super) errors: Vec<String>,
    pub(super) warnings: Vec<String>,
}

const RECIPIENTS: [&str; 3] = ["to_user", "to_party", "to_tag"];

pub(super) fn read(patterns: &[PathBuf]) -> Templates {
    let mut templates = Templates::default();
    for pattern in patterns {
        templates.add(pattern);
    }
    templates
}

impl Templates {
    fn add(&mut self, pattern: &Path) {
        let shown = pattern.display();
        let files = match glob::glob(&pattern.to_string_lossy()) {
            Ok(matches) => matches.filter_map(Result::ok).filter(|path| path.is_file()).collect::<Vec<_>>(),
            Err(error) => {
                self.errors.push(format!("templates: {shown}: {error}; correct the pattern"));
                return;
            }
        };
        if files.is_empty() {
            // Alertmanager accepts this. The relay does not, because it is nearly always a wrong path.
            self.warnings.push(format!(
                "templates: no file matches {shown} here, so it is left out; add it to the new configuration on the \
                 machine that has the files"
            ));
            return;
        }
        for file in &files {
            self.note_definitions(file);
        }
        let foreign: Vec<_> = files.iter().filter(|file| !is_go(file)).collect();
        if foreign.is_empty() {
            self.patterns.push(pattern.to_owned());
            return;
        }
        for file in foreign {
            self.errors.push(format!(
                "templates: {} does not end in .tmpl, by which the relay knows a Go template; rename it, and add it to \
                 the new configuration",
                file.display()
            ));
        }
        self.patterns.extend(files.into_iter().filter(|file| is_go(file)));
    }

    /// Alertmanager's default recipients are empty, unless a file defines their templates.
    fn note_definitions(&mut self, file: &Path) {
        let text = fs::read_to_string(file).unwrap_or_default();
        for key in RECIPIENTS {
            let name = format!("\"wechat.default.{key}\"");
            let is_defined = text.split("define").skip(1).any(|rest| rest.trim_start().starts_with(&name));
            if is_defined && !self.default_recipients.contains(&key) {
                self.default_recipients.push(key);
            }
        }
    }
}

fn is_go(file: &Path) -> bool {
    file.extension().is_some_and(|extension| extension == "tmpl" || extension == "tpl")
}
