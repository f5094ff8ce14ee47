//! The request of the Templates page: a receiver, one of its templates, a text for it, and a payload.

use serde_json::Value;

use super::port::{KeptPayload, TemplateDesk};
use crate::{
    console::fields::Fields,
    intake::{Draft, DraftSource},
    render::samples,
};

/// The data of a preview.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Data {
    Sample(&'static str),
    Received(u64),
    Pasted,
}

/// A draft with the template that is edited.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) draft: Draft,
    /// The name of the template that is edited.
    pub(super) template: String,
    pub(super) data: Data,
    pub(super) payloads: Vec<KeptPayload>,
    /// The text of the template in use.
    pub(super) in_use: String,
}

impl Asked {
    /// `None` if the configuration has no such receiver. Other fields that are unknown have their defaults.
    pub(super) fn read(fields: &Fields, receiver: &str, desk: &dyn TemplateDesk) -> Option<Self> {
        let mut draft = desk.draft(receiver)?;
        let known = draft.receiver.templates();
        let named = fields.get("field").and_then(|name| known.iter().find(|known| field_name(known) == name));
        let template = (*named.or(known.first())?).to_owned();
        let payloads = desk.payloads();
        let data = data(fields, &payloads);
        draft.payload = match &data {
            Data::Sample(name) => sample(name).to_owned(),
            Data::Received(id) => {
                let kept = payloads.iter().find(|kept| kept.id == *id);
                kept.map(|kept| kept.body.clone()).unwrap_or_default()
            }
            Data::Pasted => fields.raw("payload").unwrap_or_default().to_owned(),
        };
        let mut asked = Self { draft, template, data, payloads, in_use: String::new() };
        let source = asked.source_mut()?;
        let in_use = source.text.clone();
        if let Some(text) = fields.raw("template") {
            // Forms have line breaks of two characters.
            source.text = text.replace("\r\n", "\n");
        }
        if let Some(engine) = fields.get("engine") {
            source.is_go = engine == "go";
        }
        asked.in_use = in_use;
        Some(asked)
    }

    pub(super) fn source(&self) -> Option<&DraftSource> {
        self.draft.sources.iter().find(|source| source.name == self.template)
    }

    fn source_mut(&mut self) -> Option<&mut DraftSource> {
        self.draft.sources.iter_mut().find(|source| source.name == self.template)
    }

    /// The payload as JSON; `null` if it is none.
    pub(super) fn payload(&self) -> Value {
        serde_json::from_str(&self.draft.payload).unwrap_or_default()
    }
}

fn data(fields: &Fields, payloads: &[KeptPayload]) -> Data {
    let first = samples::ALL.first().map_or("", |(name, _)| *name);
    match fields.get("data") {
        Some("paste") => Data::Pasted,
        Some(named) => {
            let received = named.strip_prefix("received-").and_then(|id| id.parse().ok());
            if let Some(id) = received.filter(|id| payloads.iter().any(|kept| kept.id == *id)) {
                return Data::Received(id);
            }
            let found = samples::ALL.iter().find(|(name, _)| *name == named);
            Data::Sample(found.map_or(first, |(name, _)| *name))
        }
        None => Data::Sample(first),
    }
}

/// The key of the configuration at the end of a name of a template.
pub(super) fn field_name(template: &str) -> &str {
    template.rsplit_once('/').map_or(template, |(_, field)| field)
}

fn sample(name: &str) -> &'static str {
    samples::ALL.iter().find(|(known, _)| *known == name).map_or("", |(_, payload)| *payload)
}
