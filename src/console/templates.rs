//! The templates of the pages.

use crate::pages::{Assets, Pages};

const TEMPLATES: [(&str, &str); 6] = [
    ("overview.html", include_str!("html/overview.html")),
    ("messages.html", include_str!("html/messages.html")),
    ("message.html", include_str!("html/message.html")),
    ("confirm.html", include_str!("html/confirm.html")),
    ("login.html", include_str!("html/login.html")),
    ("refused.html", include_str!("html/refused.html")),
];

/// # Errors
/// A template is wrong.
pub(super) fn pages() -> Result<Pages, tera::Error> {
    Pages::new(&TEMPLATES, Assets::new(&[]))
}

#[cfg(test)]
mod tests {
    #[test]
    fn all_templates_compile() {
        super::pages().unwrap();
    }
}
