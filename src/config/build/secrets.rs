//! Secrets from three sources: the configuration, a file, or the environment.
//!
//! No diagnostic contains a text that may be a secret. A file may be a link, as in Kubernetes' mounted secrets, and is
//! read again with every configuration.

use std::path::Path;

use super::context::LoadContext;
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, Location},
        raw::{self, Field},
    },
    secret::Secret,
    text::{is_invisible, named_char},
};

/// The three keys of a secret, exactly one of which may be set.
pub(super) struct SecretSource<'f, 'y> {
    inline: &'f Field<'y>,
    file: &'f Field<'y>,
    env: &'f Field<'y>,
    /// The owner of the secret in texts, such as "the app".
    owner: &'static str,
    /// The key of `inline`. The other keys have the suffixes `_file` and `_env`.
    key: &'static str,
}

impl<'f, 'y> SecretSource<'f, 'y> {
    pub(super) fn of_app(raw: &'f raw::App<'y>) -> Self {
        Self {
            inline: &raw.api_secret,
            file: &raw.api_secret_file,
            env: &raw.api_secret_env,
            owner: "the app",
            key: "api_secret",
        }
    }

    pub(super) fn of_robot(raw: &'f raw::Robot<'y>) -> Self {
        Self { inline: &raw.key, file: &raw.key_file, env: &raw.key_env, owner: "the robot", key: "key" }
    }

    /// The proxy of `owner`.
    pub(super) fn of_proxy([inline, file, env]: [&'f Field<'y>; 3], owner: &'static str) -> Self {
        Self { inline, file, env, owner, key: "proxy_url" }
    }

    pub(super) fn of_outbox(raw: &'f raw::Outbox<'y>) -> Self {
        Self { inline: &raw.url, file: &raw.url_file, env: &raw.url_env, owner: "the outbox", key: "url" }
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

    /// The operator's password of the console.
    pub(super) fn of_console(raw: &'f raw::Console<'y>) -> Self {
        Self {
            inline: &raw.password,
            file: &raw.password_file,
            env: &raw.password_env,
            owner: "the console",
            key: "password",
        }
    }

    pub(super) fn of_viewer(raw: &'f raw::Console<'y>) -> Self {
        Self {
            inline: &raw.viewer_password,
            file: &raw.viewer_password_file,
            env: &raw.viewer_password_env,
            owner: "the viewer",
            key: "viewer_password",
        }
    }

    pub(super) fn of_callback_token(raw: &'f raw::Callback<'y>) -> Self {
        Self {
            inline: &raw.token,
            file: &raw.token_file,
            env: &raw.token_env,
            owner: "the callback",
            key: "token",
        }
    }

    pub(super) fn of_callback_key(raw: &'f raw::Callback<'y>) -> Self {
        Self {
            inline: &raw.encoding_aes_key,
            file: &raw.encoding_aes_key_file,
            env: &raw.encoding_aes_key_env,
            owner: "the callback",
            key: "encoding_aes_key",
        }
    }

    pub(super) fn of_alertmanager_token(raw: &'f raw::Alertmanager<'y>) -> Self {
        Self {
            inline: &raw.bearer_token,
            file: &raw.bearer_token_file,
            env: &raw.bearer_token_env,
            owner: "this",
            key: "bearer_token",
        }
    }

    pub(super) fn of_alertmanager_password(raw: &'f raw::AlertmanagerUser<'y>) -> Self {
        Self {
            inline: &raw.password,
            file: &raw.password_file,
            env: &raw.password_env,
            owner: "the user",
            key: "password",
        }
    }

    pub(super) fn required(
        &self,
        context: &LoadContext<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Secret, ErrorGuaranteed> {
        let secret = self.read(context, diagnostics)?;
        secret.ok_or_else(|| {
            let message = format!("{} has no {}", self.owner, self.word());
            diagnostics.error(&self.inline.location, message, self.exactly_one())
        })
    }

    /// The location of the key that is set, else of the enclosing mapping.
    pub(super) fn location(&self) -> &Location {
        let set = [self.inline, self.file, self.env].into_iter().find(|field| field.is_set());
        set.map_or(&self.inline.location, |field| &field.location)
    }

    /// `None` if no key is set.
    pub(super) fn read(
        &self,
        context: &LoadContext<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Option<Secret>, ErrorGuaranteed> {
        let sources = [self.inline, self.file, self.env];
        let set: Vec<_> = sources.into_iter().filter(|source| source.is_set()).collect();
        let location = match set.as_slice() {
            [] => return Ok(None),
            [one] => &one.location,
            [_, second, ..] => {
                let message = format!("{} has more than one {}", self.owner, self.word());
                return Err(diagnostics.error(&second.location, message, self.exactly_one()));
            }
        };
        let secret = if self.inline.is_set() {
            let help = format!("write the {} here, or use {}_file", self.word(), self.key);
            Secret::new(self.inline.required_text(&help, diagnostics)?)
        } else if self.file.is_set() {
            let help = format!("name a file that holds the {} and nothing else", self.word());
            Secret::new(private_file(self.file, &help, LONGEST_BYTES, context, diagnostics)?)
        } else {
            self.in_environment(context, diagnostics)?
        };
        self.checked(secret, location, diagnostics).map(Some)
    }

    fn in_environment(
        &self,
        context: &LoadContext<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Secret, ErrorGuaranteed> {
        let help = format!("name the environment variable that holds the {}", self.word());
        let named = self.env.required_text(&help, diagnostics)?;
        // Any other text may be the secret itself, written under the wrong key.
        let is_name = named.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
        let shown = if is_name { named } else { "named here" };
        (context.env)(named).map(Secret::new).ok_or_else(|| {
            let help = format!("set it, or use {}_file", self.key);
            diagnostics.error(
                &self.env.location,
                format!("the environment variable {shown} is not set"),
                help,
            )
        })
    }

    fn checked(
        &self,
        secret: Secret,
        location: &Location,
        diagnostics: &mut Diagnostics,
    ) -> Result<Secret, ErrorGuaranteed> {
        let word = self.word();
        if secret.expose().trim().is_empty() {
            let help = match self.owner {
                "this" => format!("put the {word} there"),
                owner => format!("put the {word} of {owner} there"),
            };
            return Err(diagnostics.error(location, format!("the {word} is empty"), help));
        }
        if let Some(problem) = problem(secret.expose(), self.is_ascii()) {
            let message = format!("the {word} {problem}");
            return Err(diagnostics.error(
                location,
                message,
                format!("put the {word} there alone, in one line"),
            ));
        }
        Ok(secret)
    }

    /// WeCom and HTTP define secrets, tokens and addresses as ASCII. A password may have any letters.
    fn is_ascii(&self) -> bool {
        !self.key.ends_with("password")
    }

    fn word(&self) -> &'static str {
        match self.key {
            "bearer_token" | "token" => "token",
            "password" | "viewer_password" => "password",
            "proxy_url" => "proxy's address",
            "url" => "URL",
            "key" | "encoding_aes_key" => "key",
            _ => "secret",
        }
    }

    fn exactly_one(&self) -> String {
        format!("set exactly one of {0}, {0}_file and {0}_env", self.key)
    }
}

/// The reason why `secret` cannot be meant as it is. It shows no character that may be part of the secret.
fn problem(secret: &str, is_ascii: bool) -> Option<String> {
    if secret.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Some("has spaces, line breaks or control characters in it".to_owned());
    }
    if let Some(odd) = secret.chars().find(|c| is_invisible(*c) || is_ascii && !c.is_ascii()) {
        return Some(format!("has the character {} in it", named_char(odd)));
    }
    if secret.starts_with("${") && secret.ends_with('}') {
        return Some("is a placeholder that was not filled in".to_owned());
    }
    let is_quoted = |quote| secret.len() > 1 && secret.starts_with(quote) && secret.ends_with(quote);
    (is_ascii && (is_quoted('"') || is_quoted('\''))).then(|| "is in quotes".to_owned())
}

const LONGEST_BYTES: u64 = 4096;

/// Reads the file that a field names. Warns if every user can read it.
pub(super) fn private_file(
    field: &Field<'_>,
    help: &str,
    longest_bytes: u64,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<String, ErrorGuaranteed> {
    let named = field.required_text(help, diagnostics)?;
    let path = context.path(named);
    let shown = if is_path(named) { path.display().to_string() } else { "the file".to_owned() };
    let text = context.secret_file(&path, longest_bytes).map_err(|error| {
        let help =
            "name a file that this user can read; a relative path starts at the configuration's folder";
        diagnostics.error(&field.location, format!("{shown} cannot be read: {error}"), help)
    })?;
    if readable_by_all(&path) {
        let message = format!("{shown} can be read by every user");
        diagnostics.warn(&field.location, message, "remove that permission with chmod o-r");
    }
    Ok(text)
}

/// Guesses whether `named` is a path, and not a secret that was pasted under the wrong key. A secret has no slash and
/// no dot, or long pieces between them.
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
