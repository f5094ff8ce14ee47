//! `api_secret` in its three forms. No problem that is put down here holds what may be a secret.

use std::{fs::File, io::Read, path::Path};

use super::Surroundings;
use crate::{
    config::{
        problem::{Place, Report, Reported},
        raw::{self, Field},
    },
    secret::Secret,
};

const FORMS: &str = "give exactly one of api_secret, api_secret_file and api_secret_env";

pub(super) fn read(
    raw: &raw::App<'_>,
    around: &Surroundings<'_>,
    report: &mut Report,
) -> Result<Secret, Reported> {
    let forms = [&raw.api_secret, &raw.api_secret_file, &raw.api_secret_env];
    let set: Vec<_> = forms.into_iter().filter(|form| form.is_set()).collect();
    match set.as_slice() {
        [] => return Err(report.problem(&raw.api_secret.place, "the app has no secret", FORMS)),
        [_] => {}
        [_, second, ..] => {
            return Err(report.problem(&second.place, "the app has more than one secret", FORMS));
        }
    }
    let secret = if raw.api_secret.is_set() {
        Secret::new(raw.api_secret.required_text("write the secret here, or use api_secret_file", report)?)
    } else if raw.api_secret_file.is_set() {
        from_file(&raw.api_secret_file, around, report)?
    } else {
        from_env(&raw.api_secret_env, around, report)?
    };
    let place = set.first().map_or(&raw.api_secret.place, |form| &form.place);
    usable(secret, place, report)
}

fn from_file(field: &Field<'_>, around: &Surroundings<'_>, report: &mut Report) -> Result<Secret, Reported> {
    let named = field.required_text("name a file that holds the secret and nothing else", report)?;
    let path = around.path(named);
    // A secret that was pasted here by mistake has no slash and no dot.
    let shown = if named.contains(['/', '.']) { path.display().to_string() } else { "the file".to_owned() };
    let text = file_text(&path).map_err(|error| {
        let right =
            "name a file that this user can read; a relative path starts at the configuration's folder";
        report.problem(&field.place, format!("{shown} cannot be read: {error}"), right)
    })?;
    if readable_by_all(&path) {
        report.warn(
            &field.place,
            format!("{shown} can be read by every user"),
            "take that right away: chmod o-r",
        );
    }
    Ok(Secret::new(text))
}

fn file_text(path: &Path) -> std::io::Result<String> {
    const LONGEST_BYTES: u64 = 4096;
    let mut text = String::new();
    File::open(path)?.take(LONGEST_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > LONGEST_BYTES {
        return Err(std::io::Error::other("too long for a secret"));
    }
    Ok(text)
}

fn readable_by_all(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    const OTHERS_READ: u32 = 0o004;
    path.metadata().is_ok_and(|metadata| metadata.permissions().mode() & OTHERS_READ != 0)
}

fn from_env(field: &Field<'_>, around: &Surroundings<'_>, report: &mut Report) -> Result<Secret, Reported> {
    let named = field.required_text("name the environment variable that holds the secret", report)?;
    // What else is written here may be the secret itself.
    let is_name = named.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    let shown = if is_name { named } else { "that is named here" };
    (around.env)(named).map(Secret::new).ok_or_else(|| {
        let right = "set it, or use api_secret_file";
        report.problem(&field.place, format!("the environment variable {shown} is not set"), right)
    })
}

fn usable(secret: Secret, place: &Place, report: &mut Report) -> Result<Secret, Reported> {
    if secret.expose().trim().is_empty() {
        return Err(report.problem(place, "the secret is empty", "put the secret of the app there"));
    }
    if secret.expose().chars().any(|c| c.is_whitespace() || c.is_control()) {
        let wrong = "the secret has spaces, line breaks or control characters in it";
        return Err(report.problem(place, wrong, "put the secret there alone, in one line"));
    }
    Ok(secret)
}
