//! `receivers[].actions`: the buttons of a receiver's cards, and who may press them.

use std::time::Duration;

use jiff::{
    Timestamp,
    civil::Time,
    tz::{Offset, TimeZone},
};

use super::message::Audience;
use crate::{
    actions::Allowed,
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, Location, quoted},
        duration,
        model::{Located, Receiver, ReceiverActions, Sender, Template},
        raw::{self, Field},
    },
    intake::{Actions, Button, ButtonAction, ButtonEffect, JsonTemplate, MessageType, Repeats},
    render::TemplateLanguage,
    wecom::{check_ids, check_user_ids, is_separator},
};

const MAX_BUTTONS: usize = 6;
const JANUARY: Timestamp = Timestamp::constant(1_767_225_600, 0);
const JULY: Timestamp = Timestamp::constant(1_782_864_000, 0);
const TEXT_CHARS: usize = 10;
/// The link of the built-in buttons.
const OPEN: &str = "{{ alerts_url() }}";
const SHORTEST_SILENCE: Duration = Duration::from_secs(60);
const LONGEST_SILENCE: Duration = Duration::from_secs(30 * 24 * 60 * 60);
const EFFECTS: &str = "write exactly one of silence, silence_until, acknowledge and url";

/// The settings that actions depend on.
pub(super) struct Surroundings<'r> {
    /// `None` if the sender has errors.
    pub(super) sender: Option<&'r Sender>,
    /// `None` if the message has errors.
    pub(super) message_type: Option<&'r MessageType<Located<Template>>>,
    pub(super) language: TemplateLanguage,
    pub(super) has_alertmanager: bool,
}

/// `None` without the key.
pub(super) fn read(
    field: &Field<'_>,
    audience: Audience,
    surroundings: Surroundings<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<Option<ReceiverActions>, ErrorGuaranteed> {
    if !field.is_written() {
        return Ok(None);
    }
    let raw = raw::Actions::read(field, diagnostics)?;
    let possible = possible(field, audience, &surroundings, diagnostics);
    let buttons = buttons(&raw.buttons, surroundings.language, diagnostics);
    let allowed = allowed(&raw, diagnostics);
    let parse = |text: &str| match text {
        "new" => Some(Repeats::New),
        "update" => Some(Repeats::Update),
        _ => None,
    };
    let help = "write new to send a repeated alert as a new card, or update to change the card that is there";
    let repeats = raw.repeats.parsed(parse, "a way to repeat an alert", help, diagnostics);
    possible?;
    let buttons = buttons?;
    if !surroundings.has_alertmanager && buttons.iter().any(creates_silence) {
        let message = "a button that silences needs an Alertmanager";
        let help = "add alertmanager: { url: 'http://127.0.0.1:9093' } at the top level, or list buttons without silence";
        return Err(diagnostics.error(&raw.buttons.location, message, help));
    }
    let card = Actions { buttons, repeats: repeats?.unwrap_or_default() };
    Ok(Some(ReceiverActions { card, allowed: allowed? }))
}

/// Warns of a button with a time of day, because nobody has chosen its time zone, which is UTC.
pub(super) fn warn_of_utc(zone: &TimeZone, receivers: &[Receiver], diagnostics: &mut Diagnostics) {
    if !is_utc(zone) {
        return;
    }
    let is_until = |button: &ConfiguredButton| {
        matches!(button.effect, ButtonEffect::Action(ButtonAction::SilenceUntil(_)))
    };
    let has_until = |receiver: &&Receiver| {
        receiver.actions.as_ref().is_some_and(|actions| actions.card.buttons.iter().any(is_until))
    };
    if let Some(receiver) = receivers.iter().find(has_until) {
        let message =
            "a button silences until a time of day, and that time is in UTC, the zone of this machine";
        let help = "write the zone of the members at the top level, such as timezone: Asia/Shanghai, or timezone: UTC";
        diagnostics.warn(&receiver.location, message, help);
    }
}

/// True in winter and in summer.
fn is_utc(zone: &TimeZone) -> bool {
    [JANUARY, JULY].into_iter().all(|moment| zone.to_offset(moment) == Offset::UTC)
}

/// True if no template of the operator is in the buttons.
pub(super) fn has_default_buttons(actions: &ReceiverActions) -> bool {
    actions.card.buttons.iter().all(|button| match &button.effect {
        ButtonEffect::Action(_) => true,
        ButtonEffect::Link(url) => url.value.text == OPEN,
    })
}

fn creates_silence<T>(button: &Button<T>) -> bool {
    matches!(button.effect, ButtonEffect::Action(ButtonAction::Silence(_) | ButtonAction::SilenceUntil(_)))
}

/// Refuses actions on a receiver whose cards cannot have them.
fn possible(
    field: &Field<'_>,
    audience: Audience,
    surroundings: &Surroundings<'_>,
    diagnostics: &mut Diagnostics,
) -> Result<(), ErrorGuaranteed> {
    let refusal = match audience {
        Audience::Members => None,
        Audience::Robot => Some("a robot sends no cards with actions"),
        Audience::Chat => Some("an app sends no cards with actions to a group chat"),
    };
    if let Some(message) = refusal {
        let help = "remove actions, or use an app and to_user, to_party or to_tag";
        return Err(diagnostics.error(&field.location, message, help));
    }
    if let Some(Sender::App(app)) = surroundings.sender
        && app.callback.is_none()
    {
        let message =
            format!("WeCom reports presses only to an app with a callback, and {} has none", app.name);
        let help = "add callback with token and encoding_aes_key to the app; see docs/callback.md";
        return Err(diagnostics.error(&field.location, message, help));
    }
    match surroundings.message_type {
        Some(MessageType::TemplateCard(card)) => own_keys(card, diagnostics),
        Some(_) => {
            let message = "only a template_card has actions";
            Err(diagnostics.error(
                &field.location,
                message,
                "write message_type: template_card, or remove actions",
            ))
        }
        None => Ok(()),
    }
}

/// Refuses keys of `template_card` that the relay writes itself.
fn own_keys(
    card: &JsonTemplate<Located<Template>>,
    diagnostics: &mut Diagnostics,
) -> Result<(), ErrorGuaranteed> {
    let JsonTemplate::Map(entries) = card else { return Ok(()) };
    let mut checked = Ok(());
    for (key, value) in entries {
        let is_own = ["card_type", "task_id", "button_list", "replace_text"].contains(&key.as_str());
        if is_own && let Some(location) = location_of(value) {
            let message = format!("actions writes {key}");
            checked =
                Err(diagnostics.error(location, message, "remove the key; actions.buttons has the buttons"));
        }
    }
    checked
}

/// The location of the first text.
fn location_of(value: &JsonTemplate<Located<Template>>) -> Option<&Location> {
    match value {
        JsonTemplate::Text(text) => Some(&text.location),
        JsonTemplate::Fixed(_) => None,
        JsonTemplate::List(items) => items.iter().find_map(location_of),
        JsonTemplate::Map(entries) => entries.iter().find_map(|(_, value)| location_of(value)),
    }
}

type ConfiguredButton = Button<Located<Template>>;

fn buttons(
    field: &Field<'_>,
    language: TemplateLanguage,
    diagnostics: &mut Diagnostics,
) -> Result<Vec<ConfiguredButton>, ErrorGuaranteed> {
    let Some(items) = field.items(diagnostics)? else { return Ok(default_buttons(&field.location)) };
    let mut buttons: Vec<ConfiguredButton> = Vec::new();
    let mut checked = Ok(());
    if items.len() > MAX_BUTTONS {
        let message = format!("a card has at most {MAX_BUTTONS} buttons, and these are {}", items.len());
        checked = Err(diagnostics.error(&field.location, message, "remove some of them"));
    }
    for item in &items {
        match button(item, language, diagnostics) {
            Ok(button) if is_repeated(&button, &buttons) => {
                let message = "another button does the same";
                checked = Err(diagnostics.error(&item.location, message, "list it once"));
            }
            Ok(button) => buttons.push(button),
            Err(reported) => checked = Err(reported),
        }
    }
    checked?;
    if !buttons.iter().any(|button| matches!(button.effect, ButtonEffect::Action(_))) {
        let message = "no button silences or acknowledges";
        let help = "add a button such as { silence: 1h } or { acknowledge: true }, or remove actions";
        return Err(diagnostics.error(&field.location, message, help));
    }
    Ok(buttons)
}

fn is_repeated(button: &ConfiguredButton, buttons: &[ConfiguredButton]) -> bool {
    let ButtonEffect::Action(action) = &button.effect else { return false };
    buttons.iter().any(|other| matches!(&other.effect, ButtonEffect::Action(known) if known == action))
}

fn default_buttons(location: &Location) -> Vec<ConfiguredButton> {
    let url = Template { text: OPEN.to_owned(), language: TemplateLanguage::Tera };
    let effects = [
        ButtonEffect::Action(ButtonAction::Silence(Duration::from_secs(60 * 60))),
        ButtonEffect::Action(ButtonAction::Silence(Duration::from_secs(4 * 60 * 60))),
        ButtonEffect::Action(ButtonAction::SilenceUntil(Time::constant(9, 0, 0, 0))),
        ButtonEffect::Action(ButtonAction::Acknowledge),
        ButtonEffect::Link(Located { value: url, location: location.clone() }),
    ];
    effects.into_iter().map(|effect| Button { text: None, style: None, effect }).collect()
}

fn button(
    item: &Field<'_>,
    language: TemplateLanguage,
    diagnostics: &mut Diagnostics,
) -> Result<ConfiguredButton, ErrorGuaranteed> {
    let raw = raw::Button::read(item, diagnostics)?;
    let text = text(&raw.text, diagnostics);
    let style = raw.style.parsed(
        |text| text.parse().ok().filter(|style| (1..=4).contains(style)),
        "a style",
        "write 1 for emphasised, 2 for secondary, 3 for neutral, or 4 for negative",
        diagnostics,
    );
    let set: Vec<_> = [&raw.silence, &raw.silence_until, &raw.acknowledge, &raw.url]
        .into_iter()
        .filter(|field| field.is_set())
        .collect();
    if set.len() != 1 {
        let message = if set.is_empty() { "this button does nothing" } else { "a button does one thing" };
        return Err(diagnostics.error(&item.location, message, EFFECTS));
    }
    let effect = effect(&raw, language, diagnostics);
    let (text, style, effect) = (text?, style?, effect?);
    if matches!(effect, ButtonEffect::Link(_)) && text.is_none() {
        let message = "a button with a url needs a text";
        return Err(diagnostics.error(&item.location, message, "add text: Runbook"));
    }
    Ok(Button { text, style, effect })
}

fn effect(
    raw: &raw::Button<'_>,
    language: TemplateLanguage,
    diagnostics: &mut Diagnostics,
) -> Result<ButtonEffect<Located<Template>>, ErrorGuaranteed> {
    if raw.silence.is_set() {
        return silence(&raw.silence, diagnostics).map(ButtonEffect::Action);
    }
    if raw.silence_until.is_set() {
        let help = "write hours and minutes in quotes, such as '09:00'";
        let parse = |text: &str| Time::strptime("%H:%M", text.trim()).ok();
        let time = raw.silence_until.parsed(parse, "a time of day", help, diagnostics)?;
        return Ok(ButtonEffect::Action(ButtonAction::SilenceUntil(time.unwrap_or_default())));
    }
    if raw.acknowledge.is_set() {
        if raw.acknowledge.bool(diagnostics)? == Some(true) {
            return Ok(ButtonEffect::Action(ButtonAction::Acknowledge));
        }
        return Err(diagnostics.error(&raw.acknowledge.location, "this button does nothing", EFFECTS));
    }
    let url = raw.url.required_text("write a URL, which may be a template", diagnostics)?;
    let value = Template { text: url.to_owned(), language };
    Ok(ButtonEffect::Link(Located { value, location: raw.url.location.clone() }))
}

fn silence(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<ButtonAction, ErrorGuaranteed> {
    let help = "write it with a unit, such as 30m, 1h or 1d";
    let length = field.parsed(duration::parse, "a duration", help, diagnostics)?.unwrap_or_default();
    if !(SHORTEST_SILENCE..=LONGEST_SILENCE).contains(&length) {
        let message = "a silence lasts from 1m to 30d";
        return Err(diagnostics.error(&field.location, message, help));
    }
    Ok(ButtonAction::Silence(Duration::from_secs(length.as_secs())))
}

fn text(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<Option<String>, ErrorGuaranteed> {
    if !field.is_set() {
        return Ok(None);
    }
    let text = field.required_text("write the text of the button, or remove the key", diagnostics)?.trim();
    if text.chars().count() > TEXT_CHARS {
        let message = format!("{} is longer than {TEXT_CHARS} characters", quoted(text));
        return Err(diagnostics.error(&field.location, message, "write a shorter text"));
    }
    Ok(Some(text.to_owned()))
}

fn allowed(raw: &raw::Actions<'_>, diagnostics: &mut Diagnostics) -> Result<Allowed, ErrorGuaranteed> {
    let users = users(&raw.allow_user, diagnostics);
    let parties = ids(&raw.allow_party, diagnostics);
    let tags = ids(&raw.allow_tag, diagnostics);
    Ok(Allowed { users: users?, parties: parties?, tags: tags? })
}

fn users(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<Vec<String>, ErrorGuaranteed> {
    let written = field.joined("|", diagnostics)?.unwrap_or_default();
    let help = "list the user ids of those who may press, without templates";
    if let Err(problem) = check_user_ids(&written) {
        return Err(diagnostics.error(&field.location, format!("this has {problem}"), help));
    }
    let users: Vec<_> = split(&written).map(str::to_lowercase).collect();
    require_names(field, users.is_empty(), diagnostics)?;
    if users.iter().any(|user| user == "@all") {
        let message = "everybody who has the card may press if none of the three keys is set";
        return Err(diagnostics.error(
            &field.location,
            message,
            "remove allow_user, allow_party and allow_tag",
        ));
    }
    Ok(users)
}

fn ids(field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<Vec<u64>, ErrorGuaranteed> {
    let written = field.joined("|", diagnostics)?.unwrap_or_default();
    if let Err(problem) = check_ids(&written) {
        let help = "list the numbers of those who may press, without templates";
        return Err(diagnostics.error(&field.location, format!("this has {problem}"), help));
    }
    let ids: Vec<_> = split(&written).filter_map(|id| id.parse().ok()).collect();
    require_names(field, ids.is_empty(), diagnostics)?;
    Ok(ids)
}

/// An empty list must not let everybody press.
fn require_names(
    field: &Field<'_>,
    is_empty: bool,
    diagnostics: &mut Diagnostics,
) -> Result<(), ErrorGuaranteed> {
    if !field.is_written() || !is_empty {
        return Ok(());
    }
    let help = "name those who may press; without the three allow keys, everybody who has the card may";
    Err(diagnostics.error(&field.location, "this names nobody", help))
}

fn split(list: &str) -> impl Iterator<Item = &str> {
    list.split(is_separator).filter(|item| !item.is_empty())
}
