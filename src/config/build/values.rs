//! Values that several sections have: durations and unique names.

use std::time::Duration;

use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, Location, quoted},
        duration,
        raw::Field,
    },
    language::Language,
    render::TemplateLanguage,
};

pub(super) const MINUTE: Duration = Duration::from_secs(60);
pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
pub(super) const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A duration of at least `shortest`, which is zero, a minute or an hour.
pub(super) fn duration(
    field: &Field<'_>,
    shortest: Duration,
    default: Duration,
    diagnostics: &mut Diagnostics,
) -> Result<Duration, ErrorGuaranteed> {
    let help = "write it with a unit, such as 90s, 2m, 1h30m or 7d";
    let given = field.parsed(duration::parse, "a duration", help, diagnostics)?.unwrap_or(default);
    if given < shortest {
        let shortest = if shortest < HOUR { "1m" } else { "1h" };
        let help = format!("write at least {shortest}");
        return Err(diagnostics.error(&field.location, "this is too short", help));
    }
    Ok(given)
}

pub(super) fn language(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<Language>, ErrorGuaranteed> {
    field.parsed(Language::parse, "a language", "write en, or zh for Chinese", diagnostics)
}

pub(super) fn template_language(
    field: &Field<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<TemplateLanguage, ErrorGuaranteed> {
    let help = "write tera, or go for templates of Alertmanager";
    let language = field.parsed(TemplateLanguage::parse, "a language of templates", help, diagnostics)?;
    Ok(language.unwrap_or_default())
}

/// A name that is in use, with the location of its first use.
pub(super) struct UsedName<'y> {
    pub(super) name: &'y str,
    location: Location,
}

/// The slashes that a name may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slashes {
    None,
    /// Single ones between other characters, because a path ignores all others.
    Inner,
}

impl Slashes {
    fn allow(self, name: &str) -> bool {
        match self {
            Self::None => !name.contains('/'),
            Self::Inner => !name.split('/').any(str::is_empty),
        }
    }
}

/// A valid name that is not in `used` yet. It is added to `used`.
pub(super) fn unique_name<'y>(
    field: &Field<'y>,
    slashes: Slashes,
    used: &mut Vec<UsedName<'y>>,
    diagnostics: &mut Diagnostics,
) -> Result<&'y str, ErrorGuaranteed> {
    const LONGEST_BYTES: usize = 200;
    let name = field.required_text("write a name", diagnostics)?;
    if let Some(first) = used.iter().find(|other| other.name == name) {
        let line = first.location.position.map(|at| format!(" in line {}", at.line)).unwrap_or_default();
        let message = format!("the name {} is already used by {}{line}", quoted(name), first.location.key);
        return Err(diagnostics.error(&field.location, message, "use another name"));
    }
    used.push(UsedName { name, location: field.location.clone() });
    if name.len() > LONGEST_BYTES {
        return Err(diagnostics.error(&field.location, "this name is too long", "use at most 200 bytes"));
    }
    if name.contains(char::is_control) {
        let message = format!("the name {} has a control character in it", quoted(name));
        return Err(diagnostics.error(&field.location, message, "use other characters"));
    }
    if !slashes.allow(name) {
        let message = format!("the name {} has a slash at a wrong place", quoted(name));
        let help = match slashes {
            Slashes::None => "use other characters",
            Slashes::Inner => "use single slashes between other characters, as in namespace/name/receiver",
        };
        return Err(diagnostics.error(&field.location, message, help));
    }
    Ok(name)
}
