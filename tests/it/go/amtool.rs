//! Compares the engine with `amtool template render`.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
};

use tempfile::TempDir;
use wecom_relay::{render::Rendered, text};

use super::{PAYLOAD, errors, message, payload, rows::ROWS};
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
            .args(["template", "render"])
            .arg(format!("--template.text={text}"))
            .arg("--template.glob")
            .arg(files)
            .arg("--template.data")
            .arg(self.folder.path().join("payload.json"))
            .env("TZ", self.zone)
            .output()
            .unwrap();
        if output.status.success() {
            let text = lossy(&output.stdout);
            // The relay sends no control characters.
            Ok(text::without_controls(&text).unwrap_or(text))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    /// For each of `templates` the difference between `amtool` and the engine.
    pub(super) fn differences(&self, templates: &[String]) -> Vec<Option<Difference>> {
        let payload = payload();
        let results: Vec<_> = templates
            .iter()
            .map(|template| message(template, &payload, self.zone).map(Rendered::into_text))
            .collect();
        // A definition would be visible in the other templates.
        let is_shared = |index: &usize| {
            let template = &templates[*index];
            results[*index].is_ok() && !template.contains("define") && !template.contains("block")
        };
        let (shared, alone): (Vec<usize>, Vec<usize>) = (0..templates.len()).partition(is_shared);
        let of = |indices: &[usize]| -> Vec<&str> {
            indices.iter().map(|index| templates[*index].as_str()).collect()
        };
        let rendered = match self.render_all(&of(&shared)) {
            Ok(texts) => texts.into_iter().map(Ok).collect(),
            // One fails; find it.
            Err(_) => self.render_each(&of(&shared)),
        };
        let rendered = rendered.into_iter().chain(self.render_each(&of(&alone)));
        let mut expected: Vec<_> = shared.into_iter().chain(alone).zip(rendered).collect();
        expected.sort_by_key(|(index, _)| *index);
        let results = templates.iter().zip(results).zip(expected);
        results.map(|((template, relay), (_, amtool))| Difference::find(template, relay, amtool)).collect()
    }

    pub(super) fn difference(&self, template: &str) -> Option<Difference> {
        self.differences(&[template.to_owned()]).pop().flatten()
    }

    /// Fails if one of `templates` has a difference.
    pub(super) fn compare(&self, templates: &[String]) {
        let differences: Vec<String> =
            self.differences(templates).iter().flatten().map(ToString::to_string).collect();
        assert!(differences.is_empty(), "{}", differences.join("\n"));
    }
}

/// A template for which `amtool` and the engine write different texts, or different errors, or a text and an error.
pub(super) struct Difference {
    template: String,
    relay: Result<String, String>,
    amtool: Result<String, String>,
}

impl Difference {
    fn find(template: &str, relay: Result<String, String>, amtool: Result<String, String>) -> Option<Self> {
        let is_equal = match (&relay, &amtool) {
            // A type of later releases.
            (Ok(relay), Ok(amtool)) => relay.replace("template.Strings", "[]string") == *amtool,
            (Ok(_), Err(amtool)) => is_newer(amtool),
            (Err(relay), Ok(_)) => relay.contains("this is a Tera template"),
            (Err(relay), Err(amtool)) => errors::is_same(template, relay, amtool),
        };
        (!is_equal).then(|| Self { template: template.to_owned(), relay, amtool })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { template, relay, amtool } = self;
        writeln!(f, "template: {template}\n          {template:?}\n   relay: {relay:?}\n  amtool: {amtool:?}")
    }
}

/// True if a later release of Alertmanager than 0.25 renders a template with this error.
fn is_newer(error: &str) -> bool {
    let iterated = error.rsplit_once("range can't iterate over ");
    iterated.is_some_and(|(_, value)| value.trim().parse::<i64>().is_ok())
        || error.contains("unsupported Perl syntax: `(?<`")
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
        amtool.compare(&ROWS.map(str::to_owned));
    }
}
