//! Compares the engine with `amtool template render`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use tempfile::TempDir;

use super::{PAYLOAD, message, payload, rows::ROWS};
use crate::support::tools::{self, AMTOOL};

/// Between the results of several templates.
const SEPARATOR: &str = "\n=====\u{2063}=====\n";

/// `amtool`, which renders templates as Alertmanager does.
pub(super) struct Amtool {
    program: PathBuf,
    folder: TempDir,
    zone: &'static str,
}

impl Amtool {
    /// `None` skips the test.
    pub(super) fn find(zone: &'static str) -> Option<Self> {
        let amtool = Self { program: tools::find(&AMTOOL)?, folder: tempfile::tempdir().unwrap(), zone };
        fs::write(amtool.folder.path().join("payload.json"), PAYLOAD).unwrap();
        Some(amtool)
    }

    /// Renders each of `templates` alone.
    pub(super) fn render_each(&self, templates: &[&str]) -> Vec<Result<String, String>> {
        const THREADS: usize = 4;
        let mut results: Vec<Result<String, String>> = vec![Ok(String::new()); templates.len()];
        let share = templates.len().div_ceil(THREADS).max(1);
        thread::scope(|scope| {
            for (templates, results) in templates.chunks(share).zip(results.chunks_mut(share)) {
                scope.spawn(move || {
                    for (template, result) in templates.iter().zip(results) {
                        *result = self.render(template, Path::new("/nowhere"));
                    }
                });
            }
        });
        results
    }

    /// Renders all of `templates` in one run, which is much faster. The first one that fails is an error.
    pub(super) fn render_all(&self, templates: &[&str]) -> Result<Vec<String>, String> {
        let folder = tempfile::tempdir_in(self.folder.path()).unwrap();
        let mut text = String::new();
        for (index, template) in templates.iter().enumerate() {
            fs::write(folder.path().join(format!("t{index}.tmpl")), template).unwrap();
            text += &format!("{{{{ template \"t{index}.tmpl\" . }}}}{SEPARATOR}");
        }
        let results = self.render(&text, &folder.path().join("*.tmpl"))?;
        Ok(results.split(SEPARATOR).take(templates.len()).map(str::to_owned).collect())
    }

    fn render(&self, text: &str, files: &Path) -> Result<String, String> {
        let output = Command::new(&self.program)
            .args(["template", "render", "--template.text", text, "--template.glob"])
            .arg(files)
            .arg("--template.data")
            .arg(self.folder.path().join("payload.json"))
            .env("TZ", self.zone)
            .output()
            .unwrap();
        if output.status.success() {
            Ok(lossy(&output.stdout))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// Fails if `amtool` writes another text for one of `templates` than the engine, or refuses what the engine accepts,
    /// or the reverse.
    pub(super) fn compare(&self, templates: &[String]) {
        let payload = payload();
        let (mut accepted, mut texts, mut refused) = (Vec::new(), Vec::new(), Vec::new());
        for template in templates {
            match message(template, &payload, self.zone) {
                Ok(text) => {
                    accepted.push(template.as_str());
                    texts.push(text.into_text());
                }
                Err(error) => refused.push((template.as_str(), error)),
            }
        }
        let expected = self.render_all(&accepted).unwrap_or_else(|_| {
            // One fails; find it.
            let results = self.render_each(&accepted);
            let results = accepted.iter().zip(results);
            results
                .map(|(template, result)| result.unwrap_or_else(|error| panic!("{template}\n{error}")))
                .collect()
        });
        for ((template, text), expected) in accepted.iter().zip(&texts).zip(&expected) {
            assert_eq!(text, expected, "{template}");
        }
        let refusals = self.render_each(&refused.iter().map(|(template, _)| *template).collect::<Vec<_>>());
        for ((template, error), result) in refused.iter().zip(refusals) {
            assert!(result.is_err(), "{template}\nonly the engine refuses it: {error}");
        }
    }
}

/// The text of `bytes`, with U+FFFD for each byte that is no UTF-8, as Go's JSON writes it.
fn lossy(bytes: &[u8]) -> String {
    let chunks = bytes.utf8_chunks();
    chunks.map(|chunk| chunk.valid().to_owned() + &"\u{fffd}".repeat(chunk.invalid().len())).collect()
}

#[test]
fn every_row_equals_amtool_in_each_zone() {
    for zone in ["UTC", "Asia/Shanghai"] {
        let Some(amtool) = Amtool::find(zone) else { return };
        // A definition would be visible in the other templates.
        let (alone, together): (Vec<&str>, Vec<&str>) =
            ROWS.into_iter().partition(|row| row.contains("define") || row.contains("block"));
        amtool.compare(&together.iter().map(ToString::to_string).collect::<Vec<_>>());
        for row in alone {
            amtool.compare(&[row.to_owned()]);
        }
    }
}
