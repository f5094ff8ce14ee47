//! The look of a message: as WeCom shows it, or as the WeChat plugin (微信插件) does.
//!
//! This is an approximation, and every page and command that shows it says so. WeCom does not publish how its clients draw
//! a message, so the rules come from its documentation and from the reports of users.
//!
//! ```text
//! content ─▶ Appearance (typed tree) ─┬─ html        escaped, links only to http and https
//!                                     ├─ rows        for a terminal
//!                                     ├─ text        the visible text
//!                                     └─ serde       JSON
//! ```
//!
//! No text is lost: everything that is not markup is shown. Text that WeCom does not understand as markup is shown as it was
//! written.

mod appearance;
mod card;
mod html;
mod link;
mod markdown;
mod pairs;
mod plain_text;
mod rows;
mod textcard;
mod tokens;
mod tree;
mod visible;
mod wechat;
mod words;

pub use appearance::Audience;
pub use html::{STYLES, figure, html, html_of_form};
pub use rows::rows;
pub use tree::{
    Appearance, Bubble, ButtonStyle, CardButton, CardFace, CardRow, LinkTarget, Run, RunStyle, TextBlock,
    TextColour, Viewer,
};
pub use words::approximate;

#[cfg(test)]
mod tests;
