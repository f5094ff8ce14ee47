//! The properties that hold for any input.

use std::{path::Path, sync::LazyLock};

use wecom_relay::{
    alertmanager, config,
    language::Language,
    render::{self, Limits, Markup, RenderTime, Rendered, Rest, Templates},
    secret::Secret,
    wecom::callback::{self, CallbackKeys, CallbackMessage, CallbackQuery, CallbackToken, EncodingAesKey},
};

static TEMPLATES: LazyLock<Templates> = LazyLock::new(|| Templates::compile(&[]).unwrap());

/// A body is either refused, or every built-in template renders it to parts within the limits, without control
/// characters.
pub(crate) fn payload(body: &[u8]) {
    let Ok(payload) = alertmanager::parse(body, jiff::Timestamp::UNIX_EPOCH) else { return };
    assert!(payload.alerts.iter().all(|alert| alert.is_firing() || alert.is_resolved()));
    let time = RenderTime {
        now: jiff::Timestamp::UNIX_EPOCH,
        zone: jiff::tz::TimeZone::UTC,
        language: Language::En,
    };
    let rendering = TEMPLATES.with(&payload, &time);
    for (name, _) in render::BUILTIN {
        let message = rendering.message(name).unwrap();
        assert!(!message.text().contains(|c: char| c.is_control() && !"\t\n\r".contains(c)), "{message:?}");
        for markup in [Markup::Plain, Markup::Markdown] {
            fit(&message, markup, Limits::default(), rendering.alerts_url());
        }
    }
}

/// A text is split into parts within the limits. The first two bytes choose the limits.
pub(crate) fn split(data: &[u8]) {
    let [bytes, parts, text @ ..] = data else { return };
    let limits = Limits { part_bytes: 256 + usize::from(*bytes) * 8, max_parts: usize::from(*parts % 16) };
    let message = Rendered::from(String::from_utf8_lossy(text).repeat(1 + usize::from(*parts / 16)));
    for markup in [Markup::Plain, Markup::Markdown] {
        fit(&message, markup, limits, "http://am/#/alerts?receiver=(x)");
    }
}

/// A configuration is accepted or refused without a panic.
pub(crate) fn config(source: &[u8]) {
    let Ok(source) = std::str::from_utf8(source) else { return };
    let _ = config::parse(source, Path::new("config.yml"), &|_| None);
}

/// A request of the callback is read or refused without a panic: its query, its body, an encrypted text and a message. A
/// text that is encrypted is decrypted to itself.
pub(crate) fn callback(data: &[u8]) {
    let token = CallbackToken::parse(Secret::new("QDG6eK")).unwrap();
    let key = Secret::new("jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C");
    let keys = CallbackKeys::new(token, EncodingAesKey::parse(&key).unwrap(), "wx5823bf96d3bd56c7");
    let text = String::from_utf8_lossy(data);
    if let Ok(query) = CallbackQuery::parse(&text) {
        let _ = keys.verify(&query, query.echostr.as_deref().unwrap_or_default());
    }
    if let Ok(encrypted) = callback::encrypted(data) {
        let _ = keys.decrypt(&encrypted);
    }
    if let Ok(message) = keys.decrypt(text.trim()) {
        let _ = CallbackMessage::parse(&message);
    }
    let _ = CallbackMessage::parse(data);
    let _ = CallbackMessage::echo(data.to_vec());
    assert_eq!(keys.decrypt(&keys.encrypt([7; 16], data)).as_deref(), Ok(data));
}

/// A Go template is refused, or renders a payload to a text or an error.
pub(crate) fn go_template(source: &[u8]) {
    let source = render::Source {
        name: render::receiver_template("r", "message").into(),
        origin: "fuzz".into(),
        text: String::from_utf8_lossy(source),
        language: render::TemplateLanguage::Go,
    };
    let name = source.name.clone();
    let Ok(templates) = Templates::compile(&[source]) else { return };
    let (_, sample) = render::samples::ALL[2];
    let payload = alertmanager::parse(sample.as_bytes(), jiff::Timestamp::UNIX_EPOCH).unwrap();
    let time = RenderTime {
        now: jiff::Timestamp::UNIX_EPOCH,
        zone: jiff::tz::TimeZone::UTC,
        language: Language::En,
    };
    if let Err(error) = templates.with(&payload, &time).message(&name) {
        assert!(!error.message.contains("panicked"), "{error}");
    }
}

fn fit(message: &Rendered, markup: Markup, limits: Limits, link: &str) {
    let parts = render::parts(message, markup, limits, Rest { link, language: Language::En });
    assert!(!parts.is_empty() && parts.len() <= limits.max_parts.max(1), "{} parts", parts.len());
    assert!(parts.iter().all(|part| part.len() <= limits.part_bytes), "{parts:?}");
    if let [whole] = parts.as_slice()
        && message.text().len() <= limits.part_bytes
    {
        assert_eq!(whole, message.text());
    }
}
