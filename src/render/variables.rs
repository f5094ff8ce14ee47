//! Converts a payload into variables of Tera: Alertmanager's names, and some that are computed.
//!
//! The values are built by hand, because serde can neither put `alertname` first nor share an alert between `alerts`
//! and `firing`. A map keeps the order in which it is filled (Tera's feature `preserve_order`). Labels and
//! annotations are filled in Alertmanager's order, so that a plain loop shows them in this order.

use std::sync::Arc;

use serde_json::Value as Json;
use tera::{Context, Map, Value, value::Key};

use super::shared::shared_annotations;
use crate::{
    alertmanager::{Alert, Extra, Pairs, Payload},
    language::Language,
};

/// The variables that every payload has.
pub(super) const VARIABLES: [&str; 12] = [
    "alerts",
    "commonAnnotations",
    "commonLabels",
    "externalURL",
    "firing",
    "groupKey",
    "groupLabels",
    "receiver",
    "resolved",
    "status",
    "truncatedAlerts",
    "version",
];

/// The variables for `payload`.
pub(super) fn variables(payload: &Payload, shared_labels: &Pairs, language: Language) -> Context {
    let shared_annotations = shared_annotations(payload);
    let mut names = Names::default();
    let alerts: Vec<Value> = payload.alerts.iter().map(|each| alert(each, &mut names)).collect();
    let alerts_where = |is_wanted: fn(&Alert) -> bool| -> Value {
        let pairs = payload.alerts.iter().zip(&alerts).filter(|(alert, _)| is_wanted(alert));
        pairs.map(|(_, value)| value.clone()).collect::<Vec<Value>>().into()
    };
    let mut context = Context::new();
    for (name, value) in &payload.extra {
        context.insert_value(name.clone(), json(value));
    }
    context.insert_value("firing", alerts_where(Alert::is_firing));
    context.insert_value("resolved", alerts_where(Alert::is_resolved));
    context.insert_value("alerts", alerts.into());
    context.insert_value("receiver", payload.receiver.as_str().into());
    context.insert_value("status", payload.status.as_str().into());
    context.insert_value("groupLabels", pairs(&payload.group_labels, &mut names));
    context.insert_value("commonLabels", pairs(&payload.common_labels, &mut names));
    context.insert_value("commonAnnotations", pairs(&payload.common_annotations, &mut names));
    context.insert_value("externalURL", payload.external_url.as_str().into());
    context.insert_value("version", payload.version.as_str().into());
    context.insert_value("groupKey", payload.group_key.as_str().into());
    context.insert_value("truncatedAlerts", payload.truncated_alerts.into());
    context.insert_value("sharedLabels", pairs(shared_labels, &mut names));
    context.insert_value("sharedAnnotations", pairs(&shared_annotations, &mut names));
    context.insert_value("language", language.code().into());
    context
}

fn alert<'a>(alert: &'a Alert, names: &mut Names<'a>) -> Value {
    let mut map = Map::with_capacity(7 + alert.extra.len());
    map.insert(Key::Str("status"), alert.status.as_str().into());
    map.insert(Key::Str("labels"), pairs(&alert.labels, names));
    map.insert(Key::Str("annotations"), pairs(&alert.annotations, names));
    map.insert(Key::Str("startsAt"), alert.starts_at.as_str().into());
    map.insert(Key::Str("endsAt"), alert.ends_at.as_str().into());
    map.insert(Key::Str("generatorURL"), alert.generator_url.as_str().into());
    map.insert(Key::Str("fingerprint"), alert.fingerprint.as_str().into());
    extend(&mut map, &alert.extra);
    map.into()
}

fn pairs<'a>(pairs: &'a Pairs, names: &mut Names<'a>) -> Value {
    const FIRST: &str = "alertname";
    let mut map = Map::with_capacity(pairs.len());
    if let Some(value) = pairs.get(FIRST) {
        map.insert(Key::Str(FIRST), value.as_str().into());
    }
    for (name, value) in pairs.iter().filter(|(name, _)| *name != FIRST) {
        map.insert(names.key(name), value.as_str().into());
    }
    map.into()
}

/// Names of labels and annotations. They repeat from alert to alert, so each is allocated once.
#[derive(Default)]
struct Names<'a>(Vec<(&'a str, Arc<str>)>);

impl<'a> Names<'a> {
    fn key(&mut self, name: &'a str) -> Key<'static> {
        // A search finds a few names faster than a hash map does.
        const MAX_NAMES: usize = 32;
        if let Some((_, key)) = self.0.iter().find(|(other, _)| *other == name) {
            return Key::String(Arc::clone(key));
        }
        let key: Arc<str> = name.into();
        if self.0.len() < MAX_NAMES {
            self.0.push((name, Arc::clone(&key)));
        }
        Key::String(key)
    }
}

fn extend(map: &mut Map, extra: &Extra) {
    for (name, value) in extra {
        map.insert(Key::String(name.as_str().into()), json(value));
    }
}

fn json(value: &Json) -> Value {
    match value {
        Json::Null => Value::none(),
        Json::Bool(value) => (*value).into(),
        Json::Number(number) => match (number.as_u64(), number.as_i64(), number.as_f64()) {
            (Some(number), ..) => number.into(),
            (_, Some(number), _) => number.into(),
            (.., number) => number.unwrap_or_default().into(),
        },
        Json::String(text) => text.as_str().into(),
        Json::Array(values) => values.iter().map(json).collect::<Vec<Value>>().into(),
        Json::Object(fields) => {
            let pairs = fields.iter().map(|(name, value)| (Key::String(name.as_str().into()), json(value)));
            pairs.collect::<Map>().into()
        }
    }
}
