//! Tera 2 as the template engine.
//!
//! Tera bounds recursion itself: an include that leads back to itself does not compile, components stop at a
//! depth of 20, and expressions at 40 levels. What it does not bound is the output, so that is capped here. Loops
//! that write nothing and texts that are doubled in a variable are not bounded: templates are the operator's own.

use std::{
    collections::HashSet,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
};

use tera::{Error, ErrorKind, ReportError};

use crate::{
    alertmanager::Payload,
    text::{one_line, shorten},
};

use super::{
    CompileError, Engine, Position, RenderError, Source,
    context::context,
    functions,
    scope::{self, Scope},
};

/// A payload's variables, and what filters know beside them.
#[derive(Debug)]
pub(super) struct Prepared {
    variables: tera::Context,
    scope: Arc<Scope>,
}

/// Compiled Tera templates.
#[derive(Debug)]
pub(super) struct Tera(tera::Tera);

impl Engine for Tera {
    type Context = Prepared;

    fn compile(sources: &[Source<'_>]) -> Result<Self, Vec<CompileError>> {
        let mut tera = tera::Tera::new();
        tera.autoescape_on(Vec::<&str>::new());
        functions::register(&mut tera);
        let mut found = Vec::new();
        let mut broken: HashSet<&str> = HashSet::new();
        // Tera stops at the first template that it cannot parse or place. That one is noted and stands empty in
        // the next round, so that the rest is looked at as well.
        loop {
            let texts = sources.iter().map(|source| {
                let name = source.name.as_ref();
                (name, if broken.contains(name) { "" } else { source.text.as_ref() })
            });
            let Err(error) = tera.add_raw_templates(texts) else { break };
            match stopped_at(&error, sources) {
                Some((source, at, message)) if broken.insert(source.name.as_ref()) => {
                    found.push(CompileError { origin: source.origin.to_string(), at, message });
                }
                _ => {
                    found.extend(unknown_references(&error.to_string(), sources, !broken.is_empty()));
                    break;
                }
            }
        }
        if found.is_empty() {
            return Ok(Self(tera));
        }
        found.sort_by_key(|error| sources.iter().position(|source| source.origin == error.origin));
        Err(found)
    }

    fn context(payload: &Payload, scope: Arc<Scope>) -> Prepared {
        Prepared { variables: context(payload), scope }
    }

    fn render(
        &self,
        template: &str,
        context: &Prepared,
        max_bytes: usize,
        out: &mut String,
    ) -> Result<(), RenderError> {
        let mut capped = Capped { bytes: std::mem::take(out).into_bytes(), max_bytes, full: false };
        let _scope = scope::enter(&context.scope);
        // A defect of the engine must cost a template, not the alert.
        let result =
            catch_unwind(AssertUnwindSafe(|| self.0.render_to(template, &context.variables, &mut capped)));
        let failed =
            |at, message: &str| RenderError { template: template.to_owned(), at, message: brief(message) };
        let result = match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) if capped.full => {
                Err(failed(None, &format!("the text is longer than {max_bytes} bytes")))
            }
            Ok(Err(error)) => Err(match error.kind() {
                ErrorKind::RenderingError(report) => RenderError {
                    template: report.filename().to_owned(),
                    at: Some(position(report)),
                    message: brief(clear(report.message())),
                },
                _ => failed(None, &error.to_string()),
            }),
            Err(_) => Err(failed(None, "the template engine panicked")),
        };
        *out = match String::from_utf8(capped.bytes) {
            Ok(text) => text,
            Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
        };
        result
    }
}

/// Tera's message, with what to do about the one that missing labels cause.
fn clear(message: &str) -> &str {
    if message == "Tried to render a variable that is undefined" {
        return "what is written here is not there; `{{ … or \"\" }}` writes nothing then";
    }
    message
}

/// The most bytes of a [`RenderError`]'s message.
const MAX_REASON_BYTES: usize = 200;

/// One short line: an engine's message may repeat the payload, and it becomes the first line of what is sent.
fn brief(message: &str) -> String {
    shorten(&one_line(message), MAX_REASON_BYTES).into_owned()
}

/// The template at which compiling stopped, where, and why; none for an error that lists references.
fn stopped_at<'s, 't>(
    error: &Error,
    sources: &'s [Source<'t>],
) -> Option<(&'s Source<'t>, Option<Position>, String)> {
    let named = |name: &str| sources.iter().find(|source| source.name == name);
    match error.kind() {
        ErrorKind::SyntaxError(report) => {
            Some((named(report.filename())?, Some(position(report)), report.message().to_owned()))
        }
        ErrorKind::CircularInclude { tpl, include_chain } => {
            Some((named(tpl)?, None, format!("the template includes itself: {}", include_chain.join(" → "))))
        }
        ErrorKind::CircularExtend { tpl, inheritance_chain } => Some((
            named(tpl)?,
            None,
            format!("the template extends itself: {}", inheritance_chain.join(" → ")),
        )),
        ErrorKind::MissingParent { current, parent } => {
            Some((named(current)?, None, format!("the template extends `{parent}`, which is not there")))
        }
        _ => None,
    }
}

/// The references to what does not exist, which Tera hands out as the text of one report each:
///
/// ```text
/// error: Unknown filter `x`
///  --> name:1:3
/// ```
///
/// With `broken` templates, what is missing may be defined in one of those and is not counted.
fn unknown_references(reports: &str, sources: &[Source<'_>], broken: bool) -> Vec<CompileError> {
    let mut found = Vec::new();
    let mut lines = reports.lines().peekable();
    while let Some(line) = lines.next() {
        let Some(message) = line.strip_prefix("error: ") else { continue };
        let place = lines.peek().and_then(|line| line.trim_start().strip_prefix("--> "));
        let Some((name, at)) = place.and_then(place_in) else { continue };
        let origin = sources.iter().find(|source| source.name == name).map_or(name, |source| &source.origin);
        if broken && (message.starts_with("Unknown component") || message.starts_with("Block")) {
            continue;
        }
        found.push(CompileError { origin: origin.to_owned(), at: Some(at), message: message.to_owned() });
    }
    if found.is_empty() && !broken {
        found.push(CompileError { origin: "templates".to_owned(), at: None, message: reports.to_owned() });
    }
    found
}

/// Reads `name:line:column`.
fn place_in(text: &str) -> Option<(&str, Position)> {
    let (rest, column) = text.rsplit_once(':')?;
    let (name, line) = rest.rsplit_once(':')?;
    Some((name, Position { line: line.parse().ok()?, column: column.parse().ok()? }))
}

fn position(report: &ReportError) -> Position {
    let span = report.span();
    Position { line: span.start_line, column: span.start_col + 1 }
}

/// Takes bytes until there are too many.
struct Capped {
    bytes: Vec<u8>,
    max_bytes: usize,
    full: bool,
}

impl io::Write for Capped {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.max_bytes {
            self.full = true;
            return Err(io::Error::other("too long"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
