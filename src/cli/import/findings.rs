//! Errors and warnings of an import.

use std::path::Path;

use super::{new_urls::NewUrl, rewrite::ByHand, templates::Templates};
use crate::config::{Diagnostic, Location};

/// Each finding names its line in `alertmanager.yml`, if it has one.
#[derive(Default)]
pub(super) struct Findings {
    /// Parts that could not be carried over.
    pub(super) errors: Vec<Diagnostic>,
    pub(super) warnings: Vec<Diagnostic>,
}

impl Findings {
    pub(super) fn add(&mut self, templates: &Templates) {
        let of_file = |text: &String| Diagnostic::new(Location::default(), text, "");
        self.errors.extend(templates.errors.iter().map(of_file));
        self.warnings.extend(templates.warnings.iter().map(of_file));
    }

    pub(super) fn add_url_by_hand(&mut self, url: &NewUrl, file: &Path) {
        let location = Location { position: Some(url.at), ..Location::file(file) };
        let message = "this URL is written in an unusual form, so it was not edited";
        self.errors.push(Diagnostic::new(location, message, format!("replace it by {}", url.url)));
    }

    pub(super) fn add_by_hand(&mut self, by_hand: &ByHand, file: &Path) {
        let location = Location { position: Some(by_hand.at), ..Location::file(file) };
        let message = "this receiver is written in one line or in another unusual form, so it was not edited";
        let help = format!("replace its wechat_configs by webhook_configs: {}", by_hand.text);
        self.errors.push(Diagnostic::new(location, message, help));
    }
}
