//! Finds the beginnings and ends of styles. A mark without a partner is text, as it is in WeCom.

use super::tokens::{Mark, MarkKind, MarkdownToken};

/// Styles that are nested deeper than this are shown as they are written.
const MAX_OPEN: usize = 8;

struct OpenMark {
    index: usize,
    kind: MarkKind,
}

/// The index of a mark, and the token that replaces it.
struct Resolved<'t> {
    index: usize,
    token: MarkdownToken<'t>,
}

/// Replaces every [`MarkdownToken::Mark`] by a beginning, an end or text.
pub(super) fn pair(tokens: &mut [MarkdownToken<'_>]) {
    let mut open: Vec<OpenMark> = Vec::new();
    let mut resolved = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        match token {
            // Bold text ends with its paragraph, and a colour does not.
            MarkdownToken::LineEnd { is_empty: true } => open.retain(|mark| is_font(mark.kind)),
            MarkdownToken::Mark(mark) => {
                let partner = open.iter().rposition(|one| mark.may_close && is_same(one.kind, mark.kind));
                if let Some(partner) = partner {
                    // Marks that were opened inside and not closed are text.
                    if let Some(OpenMark { index: opening, kind }) = open.drain(partner..).next() {
                        resolved.push(Resolved { index: opening, token: MarkdownToken::Begin(kind) });
                        resolved.push(Resolved { index, token: MarkdownToken::End(kind) });
                    }
                } else if mark.may_open && open.len() < MAX_OPEN {
                    open.push(OpenMark { index, kind: mark.kind });
                }
            }
            _ => {}
        }
    }
    for Resolved { index, token } in resolved {
        if let Some(mark) = tokens.get_mut(index) {
            *mark = token;
        }
    }
    for token in tokens {
        if let MarkdownToken::Mark(Mark { source, .. }) = *token {
            *token = MarkdownToken::Text(source);
        }
    }
}

fn is_font(kind: MarkKind) -> bool {
    matches!(kind, MarkKind::Font(_))
}

fn is_same(one: MarkKind, other: MarkKind) -> bool {
    one == other || is_font(one) && is_font(other)
}
