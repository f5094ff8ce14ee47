//! Converts a payload into Alertmanager's `template.Data`.

use std::sync::Arc;

use jiff::tz::TimeZone;
use serde_json::Value as Json;

use super::{
    runes::Bytes,
    time::{Time, parse_rfc3339},
    value::{Alert, Data, GrafanaFields, Kv, List, ListType, Pair, Value},
};
use crate::alertmanager::{self, Extra, Pairs, Payload};

/// The version of Grafana's payloads.
const GRAFANA_VERSION: &str = "1";

/// The values of `payload`. Times with the offset of `zone` are in it, as Go reads them.
pub(super) fn data(payload: &Payload, zone: &TimeZone) -> Arc<Data> {
    let mut builder = Builder {
        zone,
        is_grafana: payload.version == GRAFANA_VERSION,
        names: Vec::new(),
        zero: Arc::new(Time::zero()),
    };
    let alerts: Vec<Value> =
        payload.alerts.iter().map(|alert| Value::Alert(Arc::new(builder.alert(alert)))).collect();
    let alerts_where = |is_wanted: fn(&alertmanager::Alert) -> bool| {
        let wanted = payload.alerts.iter().zip(&alerts).filter(|(alert, _)| is_wanted(alert));
        Arc::new(List::flat(wanted.map(|(_, value)| value.clone()).collect(), ListType::AlertSlice))
    };
    let (firing, resolved) =
        (alerts_where(alertmanager::Alert::is_firing), alerts_where(alertmanager::Alert::is_resolved));
    Arc::new(Data {
        receiver: bytes(&payload.receiver),
        status: bytes(&payload.status),
        alerts: Arc::new(List::flat(alerts, ListType::Alerts)),
        firing,
        resolved,
        notification_reason: bytes(text(&payload.extra, "notification_reason")),
        group_labels: builder.kv(&payload.group_labels),
        common_labels: builder.kv(&payload.common_labels),
        common_annotations: builder.kv(&payload.common_annotations),
        route_labels: Arc::new(route_labels(&payload.extra)),
        external_url: bytes(&payload.external_url),
        extra: builder.extra(&payload.extra),
    })
}

struct Builder<'p> {
    zone: &'p TimeZone,
    is_grafana: bool,
    /// Names of labels. They repeat from alert to alert, so each is allocated once.
    names: Vec<(&'p str, Bytes)>,
    zero: Arc<Time>,
}

impl<'p> Builder<'p> {
    fn alert(&mut self, alert: &'p alertmanager::Alert) -> Alert {
        Alert {
            status: bytes(&alert.status),
            labels: self.kv(&alert.labels),
            annotations: self.kv(&alert.annotations),
            starts_at: self.time(&alert.starts_at),
            ends_at: self.time(&alert.ends_at),
            generator_url: bytes(&alert.generator_url),
            fingerprint: bytes(&alert.fingerprint),
            extra: self.extra(&alert.extra),
        }
    }

    fn kv(&mut self, pairs: &'p Pairs) -> Arc<Kv> {
        let pairs = pairs.iter().map(|(name, value)| Pair { name: self.name(name), value: bytes(value) });
        Arc::new(Kv(pairs.collect()))
    }

    fn name(&mut self, name: &'p str) -> Bytes {
        // A search finds a few names faster than a hash map does.
        const MAX_NAMES: usize = 32;
        if let Some((_, known)) = self.names.iter().find(|(known, _)| *known == name) {
            return Arc::clone(known);
        }
        let new = bytes(name);
        if self.names.len() < MAX_NAMES {
            self.names.push((name, Arc::clone(&new)));
        }
        new
    }

    fn time(&self, text: &str) -> Arc<Time> {
        if text == "0001-01-01T00:00:00Z" {
            return Arc::clone(&self.zero);
        }
        Arc::new(parse_rfc3339(text, self.zone))
    }

    /// The fields that Alertmanager does not have. Templates for Grafana use them, and Alertmanager knows none.
    fn extra(&self, extra: &Extra) -> GrafanaFields {
        if !self.is_grafana {
            return GrafanaFields::new();
        }
        extra.iter().map(|(name, value)| (name.clone(), json(value))).collect()
    }
}

fn bytes(text: &str) -> Bytes {
    text.as_bytes().into()
}

fn text<'e>(extra: &'e Extra, name: &str) -> &'e str {
    extra.get(name).and_then(Json::as_str).unwrap_or_default()
}

/// The labels of the route, which Alertmanager sends since 0.34.
fn route_labels(extra: &Extra) -> Kv {
    let Some(Json::Object(labels)) = extra.get("routeLabels") else { return Kv::default() };
    let mut pairs: Vec<Pair> = labels
        .iter()
        .filter_map(|(name, value)| Some(Pair { name: bytes(name), value: bytes(value.as_str()?) }))
        .collect();
    pairs.sort_by(|first, second| first.name.cmp(&second.name));
    Kv(pairs.into())
}

/// JSON as Go reads it into an `any`. A value that is nested too deeply is left out.
fn json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Nil,
        Json::Bool(boolean) => Value::Bool(*boolean),
        Json::Number(number) => Value::Float(number.as_f64().unwrap_or_default()),
        Json::String(text) => Value::str(text.as_bytes()),
        Json::Array(items) => {
            Value::list(items.iter().map(json).collect(), ListType::Any).unwrap_or(Value::Nil)
        }
        Json::Object(fields) => {
            let entries = fields.iter().map(|(name, value)| (bytes(name), json(value)));
            Value::dict(entries.collect()).unwrap_or(Value::Nil)
        }
    }
}
