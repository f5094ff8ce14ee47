//! Secrets in their three forms: written out, in a file, in the environment. No problem that is put down here holds
//! what may be a secret.
//!
//! A file may be a link, as in a secret that Kubernetes mounts; it is read anew with every configuration.

use std::path::Path;

use super::Surroundings;
use crate::{
    config::{
        file,
        problem::{Place, Report, Reported},
        raw::{self, Field},
    },
    secret::Secret,
};

/// The three keys of which one holds a secret.
pub(super) struct Forms<'f, 'y> {
    inline: &'f Field<'y>,
    file: &'f Field<'y>,
    env: &'f Field<'y>,
    /// What has the secret, in words.
    owner: &'static str,
    /// The key of the first; the others end in `_file` and `_env`.
    key: &'static str,
}

impl<'f, 'y> Forms<'f, 'y> {
    pub(super) fn of_app(raw: &'f raw::App<'y>) -> Self {
        Self {
            inline: &raw.api_secret,
            file: &raw.api_secret_file,
            env: &raw.api_secret_env,
            owner: "the app",
            key: "api_secret",
        }
    }

    pub(super) fn of_proxy(raw: &'f raw::App<'y>) -> Self {
        Self {
            inline: &raw.proxy_url,
            file: &raw.proxy_url_file,
            env: &raw.proxy_url_env,
            owner: "the app",
            key: "proxy_url",
        }
    }

    pub(super) fn of_bearer_token(raw: &'f raw::Auth<'y>) -> Self {
        Self {
            inline: &raw.bearer_token,
            file: &raw.bearer_token_file,
            env: &raw.bearer_token_env,
            owner: "this",
            key: "bearer_token",
        }
    }

    pub(super) fn of_password(raw: &'f raw::BasicAuth<'y>) -> Self {
        Self {
            inline: &raw.password,
            file: &raw.password_file,
            env: &raw.password_env,
            owner: "the user",
            key: "password",
        }
    }

    /// The secret, which must be there.
    pub(super) fn required(
        &self,
        around: &Surroundings<'_>,
        report: &mut Report,
    ) -> Result<Secret, Reported> {
        let secret = self.read(around, report)?;
        secret.ok_or_else(|| {
            let wrong = format!("{} has no {}", self.owner, self.word());
            report.problem(&self.inline.place, wrong, self.exactly_one())
        })
    }

    /// The secret, if one of the keys is set.
    pub(super) fn read(
        &self,
        around: &Surroundings<'_>,
        report: &mut Report,
    ) -> Result<Option<Secret>, Reported> {
        let forms = [self.inline, self.file, self.env];
        let set: Vec<_> = forms.into_iter().filter(|form| form.is_set()).collect();
        let place = match set.as_slice() {
            [] => return Ok(None),
            [one] => &one.place,
            [_, second, ..] => {
                let wrong = format!("{} has more than one {}", self.owner, self.word());
                return Err(report.problem(&second.place, wrong, self.exactly_one()));
            }
        };
        let secret = if self.inline.is_set() {
            let right = format!("write the {} here, or use {}_file", self.word(), self.key);
            Secret::new(self.inline.required_text(&right, report)?)
        } else if self.file.is_set() {
            let right = format!("name a file that holds the {} and nothing else", self.word());
            Secret::new(private_file(self.file, &right, LONGEST_BYTES, around, report)?)
        } else {
            self.in_environment(around, report)?
        };
        self.usable(secret, place, report).map(Some)
    }

    fn in_environment(&self, around: &Surroundings<'_>, report: &mut Report) -> Result<Secret, Reported> {
        let right = format!("name the environment variable that holds the {}", self.word());
        let named = self.env.required_text(&right, report)?;
        // What else is written here may be the secret itself.
        let is_name = named.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        let shown = if is_name { named } else { "that is named here" };
        (around.env)(named).map(Secret::new).ok_or_else(|| {
            let right = format!("set it, or use {}_file", self.key);
            report.problem(&self.env.place, format!("the environment variable {shown} is not set"), right)
        })
    }

    fn usable(&self, secret: Secret, place: &Place, report: &mut Report) -> Result<Secret, Reported> {
        let word = self.word();
        if secret.expose().trim().is_empty() {
            let right = match self.owner {
                "this" => format!("put the {word} there"),
                owner => format!("put the {word} of {owner} there"),
            };
            return Err(report.problem(place, format!("the {word} is empty"), right));
        }
        if secret.expose().chars().any(|c| c.is_whitespace() || c.is_control()) {
            let wrong = format!("the {word} has spaces, line breaks or control characters in it");
            return Err(report.problem(place, wrong, format!("put the {word} there alone, in one line")));
        }
        Ok(secret)
    }

    fn word(&self) -> &'static str {
        match self.key {
            "bearer_token" => "token",
            "password" => "password",
            "proxy_url" => "proxy's address",
            _ => "secret",
        }
    }

    fn exactly_one(&self) -> String {
        format!("give exactly one of {0}, {0}_file and {0}_env", self.key)
    }
}

const LONGEST_BYTES: u64 = 4096;

/// What is in the file that a field names, with a warning if everybody may read it.
pub(super) fn private_file(
    field: &Field<'_>,
    right: &str,
    longest_bytes: u64,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<String, Reported> {
    let named = field.required_text(right, report)?;
    let path = around.path(named);
    let shown = if is_path(named) { path.display().to_string() } else { "the file".to_owned() };
    let text = file::text(&path, longest_bytes).map_err(|error| {
        let right =
            "name a file that this user can read; a relative path starts at the configuration's folder";
        report.problem(&field.place, format!("{shown} cannot be read: {error}"), right)
    })?;
    if readable_by_all(&path) {
        let wrong = format!("{shown} can be read by every user");
        report.warn(&field.place, wrong, "take that right away: chmod o-r");
    }
    Ok(text)
}

/// Whether this is rather the name of a file than a secret that was pasted here by mistake: one has no slash and no
/// dot, or long pieces between them.
fn is_path(named: &str) -> bool {
    const LONGEST_PIECE: usize = 20;
    let short = |piece: &str| piece.chars().count() <= LONGEST_PIECE;
    named.contains(['/', '.']) && !named.contains(['+', '=']) && named.split(['/', '.', '-', '_']).all(short)
}

fn readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS_READ: u32 = 0o004;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & OTHERS_READ != 0)
}
