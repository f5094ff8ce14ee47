//! `server`: where webhooks come in, who may send them, and how connections are encrypted.

use std::net::SocketAddr;

use super::{Surroundings, secrets};
use crate::{
    config::{
        file,
        model::Server,
        problem::{Report, Reported},
        raw::{self, Field},
    },
    http::{AccessControl, ServerSecurity, TlsConfig, TlsError},
    secret::Secret,
};

const LONGEST_PEM_BYTES: u64 = 1 << 20;

pub(super) fn read(
    field: &Field<'_>,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<Server, Reported> {
    let raw = raw::Server::read(field, report)?;
    let right = "write an IP address and a port, such as 0.0.0.0:8061 or [::1]:8061";
    let listen = raw.listen.parsed(|text| text.parse().ok(), "an address to listen on", right, report);
    let access = access(&raw.auth, around, report);
    let tls = tls(&raw.tls, around, report);
    let listen: SocketAddr = listen?.unwrap_or_else(|| ([0, 0, 0, 0], 8061).into());
    let security = ServerSecurity { access: access?, tls: tls? };
    if security.is_open() && !listen.ip().to_canonical().is_loopback() {
        let wrong = format!("everybody who reaches {listen} can send messages in the name of the apps");
        report.warn(&raw.listen.place, wrong, "set server.auth, or listen on 127.0.0.1:8061 only");
    }
    Ok(Server { listen, security })
}

fn access(
    field: &Field<'_>,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<AccessControl, Reported> {
    let raw = raw::Auth::read(field, report)?;
    let token = secrets::Forms::of_bearer_token(&raw).read(around, report);
    let basic = match raw.basic_auth.is_written() {
        true => user(&raw.basic_auth, around, report).map(Some),
        false => Ok(None),
    };
    let (token, basic) = (token?, basic?);
    if field.is_written() && token.is_none() && basic.is_none() {
        // Not taken for no key at all: whoever wrote it does not expect an open port.
        let right =
            "give a bearer_token, bearer_token_file or bearer_token_env, or basic_auth, or leave auth out";
        return Err(report.problem(&field.place, "auth has no credentials", right));
    }
    let basic = basic.as_ref().map(|(username, password)| (*username, password));
    Ok(AccessControl::new(token.as_ref(), basic))
}

fn user<'y>(
    field: &Field<'y>,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<(&'y str, Secret), Reported> {
    let raw = raw::BasicAuth::read(field, report)?;
    let username = raw.username.required_text("write the user name that Alertmanager sends", report);
    let username = username.and_then(|name| match name.chars().any(|c| c == ':' || c.is_control()) {
        true => {
            let wrong = "a user name has no colon and no control characters";
            Err(report.problem(&raw.username.place, wrong, "choose another one"))
        }
        false => Ok(name),
    });
    let password = secrets::Forms::of_password(&raw).required(around, report);
    Ok((username?, password?))
}

fn tls(
    field: &Field<'_>,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<Option<TlsConfig>, Reported> {
    if !field.is_written() {
        return Ok(None);
    }
    let raw = raw::Tls::read(field, report)?;
    let right = "name a PEM file with the certificate of the relay, and the intermediate ones after it";
    let certificates = pem(&raw.cert_file, right, around, report);
    let right = "name a PEM file with the private key of the certificate";
    let key = secrets::private_file(&raw.key_file, right, LONGEST_PEM_BYTES, around, report);
    let client_ca = match raw.client_ca_file.is_written() {
        true => {
            let right =
                "name a PEM file with the CA from which clients have their certificates, or leave it out";
            pem(&raw.client_ca_file, right, around, report).map(Some)
        }
        false => Ok(None),
    };
    let (certificates, key, client_ca) = (certificates?, Secret::new(key?), client_ca?);
    let tls = TlsConfig::new(certificates.as_bytes(), &key, client_ca.as_deref().map(str::as_bytes));
    tls.map(Some).map_err(|error| {
        let (place, right) = match &error {
            TlsError::Certificate(_) => (
                &raw.cert_file.place,
                "it must begin with -----BEGIN CERTIFICATE-----, the certificate of the relay first",
            ),
            TlsError::Key(_) => (
                &raw.key_file.place,
                "name the key that the certificate was made with, in PEM and without a passphrase",
            ),
            TlsError::ClientCa(_) => (
                &raw.client_ca_file.place,
                "it must hold the CA from which clients have their certificates, in PEM",
            ),
        };
        report.problem(place, format!("this file cannot be used: {error}"), right)
    })
}

fn pem(
    field: &Field<'_>,
    right: &str,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<String, Reported> {
    let path = around.path(field.required_text(right, report)?);
    file::text(&path, LONGEST_PEM_BYTES).map_err(|error| {
        report.problem(&field.place, format!("{} cannot be read: {error}", path.display()), right)
    })
}
