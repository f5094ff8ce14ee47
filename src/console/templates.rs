//! The templates of the pages.

use crate::{
    pages::{Asset, Assets, Pages},
    wecom::look,
};

const TEMPLATES: [(&str, &str); 8] = [
    ("overview.html", include_str!("html/overview.html")),
    ("messages.html", include_str!("html/messages.html")),
    ("message.html", include_str!("html/message.html")),
    ("confirm.html", include_str!("html/confirm.html")),
    ("playground.html", include_str!("html/playground.html")),
    ("setup.html", include_str!("html/setup.html")),
    ("login.html", include_str!("html/login.html")),
    ("refused.html", include_str!("html/refused.html")),
];

/// The files of single pages.
const ASSETS: [Asset; 4] = [
    Asset { name: "look.css", text: look::STYLES },
    Asset { name: "playground.css", text: include_str!("html/playground.css") },
    Asset { name: "editor.js", text: include_str!("html/editor.js") },
    Asset { name: "playground.js", text: include_str!("html/playground.js") },
];

/// # Errors
/// A template is wrong.
pub(super) fn pages() -> Result<Pages, tera::Error> {
    Pages::new(&TEMPLATES, Assets::new(&ASSETS))
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_templates_compile() {
        super::pages().unwrap();
    }
}
