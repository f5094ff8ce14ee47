//! `server.auth`: the credentials of clients.

use super::{context::LoadContext, secrets::SecretSource};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed},
        raw::{self, Field},
    },
    http::AccessControl,
    secret::Secret,
};

/// `auth`: the credentials of clients.
pub(super) struct Credentials {
    token: Option<Secret>,
    user: Option<User>,
}

struct User {
    name: String,
    password: Secret,
}

impl Credentials {
    pub(super) fn access(&self) -> AccessControl {
        let user = self.user.as_ref().map(|user| (user.name.as_str(), &user.password));
        AccessControl::new(self.token.as_ref(), user)
    }

    /// The token and the password.
    pub(super) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.token.iter().chain(self.user.iter().map(|user| &user.password))
    }
}

pub(super) fn read(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Credentials, ErrorGuaranteed> {
    let raw = raw::Auth::read(field, diagnostics)?;
    let token = SecretSource::of_bearer_token(&raw).read(context, diagnostics);
    let user = match raw.basic_auth.is_written() {
        true => user(&raw.basic_auth, context, diagnostics).map(Some),
        false => Ok(None),
    };
    let (token, user) = (token?, user?);
    if field.is_written() && token.is_none() && user.is_none() {
        // This is an error, because whoever wrote `auth` does not expect an open port.
        let help = "set bearer_token, bearer_token_file, bearer_token_env or basic_auth, or remove auth";
        return Err(diagnostics.error(&field.location, "auth has no credentials", help));
    }
    Ok(Credentials { token, user })
}

fn user(
    field: &Field<'_>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<User, ErrorGuaranteed> {
    let raw = raw::BasicAuth::read(field, diagnostics)?;
    let username = user_name(&raw.username, "write the user name that Alertmanager sends", diagnostics);
    let password = SecretSource::of_password(&raw).required(context, diagnostics);
    Ok(User { name: username?.to_owned(), password: password? })
}

/// A user name for HTTP's basic authentication.
pub(super) fn user_name<'y>(
    field: &Field<'y>,
    help: &str,
    diagnostics: &mut Diagnostics,
) -> Result<&'y str, ErrorGuaranteed> {
    let name = field.required_text(help, diagnostics)?;
    if name.chars().any(|c| c == ':' || c.is_control()) {
        let message = "a user name cannot have colons or control characters";
        return Err(diagnostics.error(&field.location, message, "use another name"));
    }
    Ok(name)
}
