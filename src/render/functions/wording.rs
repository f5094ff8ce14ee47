//! Words in the language of the receiver.

use tera::{Error, Kwargs, State, TeraResult};

use crate::{language::Language, render::render_context};

/// The argument `lang`, else the language of the receiver.
pub(super) fn language(kwargs: &Kwargs) -> TeraResult<Language> {
    match kwargs.get::<&str>("lang")? {
        None => render_context::with(|context| context.time.language),
        Some(code) => Language::parse(code)
            .ok_or_else(|| Error::message(format!("`lang` must be \"en\" or \"zh\", not {code:?}"))),
    }
}

/// The first line of a message.
pub(super) fn headline(kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let language = language(&kwargs)?;
    render_context::with(|context| context.headline.text(language))
}

/// The argument of the language.
pub(super) fn words(kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    let (en, zh) = (kwargs.must_get::<&str>("en")?, kwargs.must_get::<&str>("zh")?);
    Ok(language(&kwargs)?.choose(en, zh).to_owned())
}

/// A severity as members read it.
pub(super) fn severity_name(severity: &str, kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    Ok(language(&kwargs)?.severity(severity).to_owned())
}

/// The name of a label as members read it.
pub(super) fn label_name(name: &str, kwargs: Kwargs, _: &State<'_>) -> TeraResult<String> {
    Ok(language(&kwargs)?.name(name).to_owned())
}
