//! Tera 2 as the template engine.
//!
//! Tera bounds recursion: a template that includes itself does not compile, components end at a depth of 20, and
//! expressions at 40 levels. It does not bound the output, so this module does. Loops that write nothing are bounded
//! by the time limit of rendering.

use std::{
    collections::{HashMap, HashSet},
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tera::{Error, ErrorKind, ReportError, Tera};

use super::{
    advice,
    error::{CompileError, Position, RenderError, short_line},
    functions,
    render_context::{self, RenderContext},
    sources::Source,
    variables::VARIABLES,
};

/// Compiled Tera templates.
#[derive(Debug)]
pub(super) struct TeraEngine {
    tera: Tera,
    /// The texts of the templates by name, because an error names a variable by its place.
    texts: HashMap<String, String>,
}

impl TeraEngine {
    /// Compiles all of `sources`, whose names are unique.
    ///
    /// # Errors
    /// Every mistake in every template.
    pub(super) fn compile(sources: &[Source<'_>]) -> Result<Self, Vec<CompileError>> {
        let mut tera = Tera::new();
        tera.autoescape_on(Vec::<&str>::new());
        functions::register(&mut tera);
        let mut found = Vec::new();
        let mut broken: HashSet<&str> = HashSet::new();
        // Tera stops at the first template that it cannot parse. Note its error and make it empty in the next
        // round, so that the mistakes in all other templates are found as well.
        loop {
            let texts = sources.iter().map(|source| {
                let name = source.name.as_ref();
                (name, if broken.contains(name) { "" } else { source.text.as_ref() })
            });
            let Err(error) = tera.add_raw_templates(texts) else { break };
            match broken_template(&error, sources) {
                Some((source, compile_error)) if broken.insert(source.name.as_ref()) => {
                    found.push(compile_error);
                }
                _ => {
                    found.extend(unknown_references(&error.to_string(), sources, !broken.is_empty()));
                    break;
                }
            }
        }
        if found.is_empty() {
            let text = |source: &Source<'_>| (source.name.to_string(), source.text.to_string());
            return Ok(Self { tera, texts: sources.iter().map(text).collect() });
        }
        found.sort_by_key(|error| sources.iter().position(|source| source.origin == error.origin));
        Err(found)
    }

    /// Writes at most `max_bytes` bytes to `out`, which is empty.
    ///
    /// # Errors
    /// [`RenderError`]. The text before the error stays in `out`.
    pub(super) fn render(
        &self,
        template: &str,
        variables: &tera::Context,
        context: &Arc<RenderContext>,
        max_bytes: usize,
        out: &mut String,
    ) -> Result<(), RenderError> {
        let mut output = BoundedOutput { bytes: std::mem::take(out).into_bytes(), max_bytes, is_full: false };
        let guard = render_context::enter(context);
        // A bug in the engine must cost the template, not the alert.
        let result = catch_unwind(AssertUnwindSafe(|| self.tera.render_to(template, variables, &mut output)));
        drop(guard);
        let error = |at, message: &str| RenderError {
            template: template.to_owned(),
            at,
            message: short_line(message),
        };
        let result = match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) if output.is_full => {
                Err(error(None, &format!("the text is longer than {max_bytes} bytes")))
            }
            Ok(Err(failed)) => Err(match failed.kind() {
                ErrorKind::RenderingError(report) => RenderError {
                    template: report.filename().to_owned(),
                    ..error(Some(position(report)), &self.with_advice(report))
                },
                _ => error(None, &failed.to_string()),
            }),
            Err(_) => Err(error(None, "the template engine panicked")),
        };
        *out = match String::from_utf8(output.bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        result
    }

    /// Tera's message, or a clearer one for the most frequent error: a template writes a label that is missing.
    ///
    /// A test pins the text of Tera, because it is not an [`ErrorKind`] of its own.
    fn with_advice(&self, report: &ReportError) -> String {
        let message = report.message();
        let is_undefined = message == "Tried to render a variable that is undefined"
            || (message.starts_with("Field `") || message.starts_with("Variable `"))
                && message.contains("` is not defined");
        if !is_undefined {
            return message.to_owned();
        }
        let text = self.texts.get(report.filename()).map_or("", String::as_str);
        let before = text.get(..report.span().range.end).unwrap_or_default();
        advice::undefined_variable(advice::last_name(before), &VARIABLES)
    }
}

/// The template that Tera cannot parse or link, with the error. `None` if the error lists unknown references.
fn broken_template<'s, 't>(
    error: &Error,
    sources: &'s [Source<'t>],
) -> Option<(&'s Source<'t>, CompileError)> {
    let (name, at, message) = match error.kind() {
        ErrorKind::SyntaxError(report) => {
            (report.filename(), Some(position(report)), report.message().to_owned())
        }
        ErrorKind::CircularInclude { tpl, include_chain } => {
            (tpl.as_str(), None, format!("the template includes itself: {}", include_chain.join(" → ")))
        }
        ErrorKind::CircularExtend { tpl, inheritance_chain } => {
            (tpl.as_str(), None, format!("the template extends itself: {}", inheritance_chain.join(" → ")))
        }
        ErrorKind::MissingParent { current, parent } => {
            (current.as_str(), None, format!("the template extends `{parent}`, which does not exist"))
        }
        _ => return None,
    };
    let source = sources.iter().find(|source| source.name == name)?;
    let message = match error.kind() {
        ErrorKind::SyntaxError(report) => advice::syntax_error(&source.text, position(report), &message),
        _ => message,
    };
    Some((source, CompileError { origin: source.origin.to_string(), at, message }))
}

/// Reads the text in which Tera reports all references to something unknown:
///
/// ```text
/// error: Unknown filter `x`
///  --> name:1:3
/// ```
///
/// Tera has no structured form of it, so tests pin the texts. If it cannot be read, the whole text is the error.
///
/// With `has_broken` templates, unknown components and blocks are ignored, because a broken one may define them.
fn unknown_references(reports: &str, sources: &[Source<'_>], has_broken: bool) -> Vec<CompileError> {
    let mut found = Vec::new();
    let mut lines = reports.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(message) = line.strip_prefix("error: ") else { continue };
        let place = lines.peek().and_then(|line| line.trim_start().strip_prefix("--> "));
        let Some((name, at)) = place.and_then(read_place) else { continue };
        if has_broken && (message.starts_with("Unknown component") || message.starts_with("Block ")) {
            continue;
        }
        let origin = sources.iter().find(|source| source.name == name).map_or(name, |source| &source.origin);
        let names = sources.iter().map(|source| source.name.as_ref());
        let message = advice::unknown_reference(message, &functions::NAMES, names);
        found.push(CompileError { origin: origin.to_owned(), at: Some(at), message });
    }
    if found.is_empty() && !has_broken {
        found.push(CompileError { origin: "templates".to_owned(), at: None, message: reports.to_owned() });
    }
    found
}

/// Reads `name:line:column`.
fn read_place(text: &str) -> Option<(&str, Position)> {
    let (rest, column) = text.rsplit_once(':')?;
    let (name, line) = rest.rsplit_once(':')?;
    Some((name, Position { line: line.parse().ok()?, column: column.parse().ok()? }))
}

fn position(report: &ReportError) -> Position {
    let span = report.span();
    Position { line: span.start_line, column: span.start_col + 1 }
}

/// Takes bytes until there are too many.
struct BoundedOutput {
    bytes: Vec<u8>,
    max_bytes: usize,
    is_full: bool,
}

impl io::Write for BoundedOutput {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.max_bytes {
            self.is_full = true;
            return Err(io::Error::other("the text is too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
