//! Renders a payload with templates, and splits long text into parts.
//!
//! All templates are compiled together at the start, because a broken template must stop the program then, and not
//! an alert at night. A template can still fail for one payload. Then [`Rendering::fallback`] always has a text.
//!
//! ```text
//! Source ─ Templates::compile ─▶ Templates ─ with(payload, time) ─▶ Rendering ─ message(name) ─▶ Rendered ─ parts ─▶ texts
//! ```
//!
//! | file | what it does |
//! |---|---|
//! | `sources` | has the built-in templates |
//! | `templates` | compiles templates, prepares a payload and renders it |
//! | `engine` | calls Tera, and makes its errors readable; `advice` says what would be right |
//! | `go` | is the engine for Go templates |
//! | `variables` | converts a payload into variables of Tera |
//! | `headline` | writes the first line of messages; `shared` finds what all alerts have in common |
//! | `functions` | adds filters and functions; `render_context` has what they need beside their arguments |
//! | `alert_marks` | finds the alerts in a rendered text |
//! | `split` | splits a rendered text between its alerts |
//! | `samples` | has payloads to try templates with |

mod advice;
mod alert_marks;
mod engine;
mod error;
mod functions;
mod go;
mod headline;
mod markdown;
mod render_context;
mod rendered;
pub mod samples;
mod shared;
mod sources;
mod split;
mod templates;
mod variables;

pub use error::{CompileError, MAX_OUTPUT_BYTES, Position, RenderError};
pub use render_context::RenderTime;
pub use rendered::Rendered;
pub use sources::{
    BUILTIN, DEFAULT_MESSAGE, DEFAULT_SUMMARY, MARKDOWN_MESSAGE, MARKDOWN_V2_MESSAGE, Source,
    TEMPLATE_CARD_SUB_TITLE, TEXTCARD_DESCRIPTION, TemplateLanguage, ZH_MESSAGE, default_message,
    receiver_template,
};
pub use split::{Limits, Markup, Rest, parts, shortened};
pub use templates::{RenderValues, Rendering, Templates};

#[cfg(test)]
mod tests;
