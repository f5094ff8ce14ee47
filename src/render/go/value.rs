//! Values of templates, with the types that Go gives them. Types are visible: they decide about methods, arguments and
//! comparisons, and errors name them.

use std::{collections::BTreeMap, sync::Arc};

use super::{
    runes::Bytes,
    time::{Time, Zone},
};

/// The deepest nesting of lists and dictionaries. Dropping and printing them is recursive.
const MAX_NESTING: usize = 50;

#[derive(Debug, Clone)]
pub(super) enum Value {
    /// `nil`, or something that does not exist.
    Nil,
    Bool(bool),
    Int(i64, IntType),
    Float(f64),
    Str(Bytes, StrType),
    List(Arc<List>),
    /// Labels or annotations.
    Kv(Arc<Kv>),
    /// The pair of a name and a value with this index.
    Pair(Arc<Kv>, usize),
    Dict(Arc<Dict>),
    Data(Arc<Data>),
    Alert(Arc<Alert>),
    Time(Arc<Time>),
    /// Go's `*time.Location`.
    Zone(Arc<Zone>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntType {
    Int,
    Int64,
    Byte,
    Duration,
    Month,
    Weekday,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StrType {
    Plain,
    Html,
    Url,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ListType {
    /// `[]string`
    Strings,
    /// Alertmanager's `Strings`, which has `Join`.
    NamedStrings,
    /// Alertmanager's `Alerts`, which has `Firing` and `Resolved`.
    Alerts,
    /// `[]Alert`
    AlertSlice,
    Pairs,
    /// `[]any`
    Any,
}

#[derive(Debug)]
pub(super) struct List {
    pub(super) items: Box<[Value]>,
    pub(super) kind: ListType,
    nesting: usize,
}

#[derive(Debug)]
pub(super) struct Dict {
    pub(super) entries: BTreeMap<Bytes, Value>,
    nesting: usize,
}

/// Alertmanager's `KV`: pairs in the bytewise order of their names.
#[derive(Debug, Default)]
pub(super) struct Kv(pub(super) Box<[Pair]>);

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Pair {
    pub(super) name: Bytes,
    pub(super) value: Bytes,
}

/// Alertmanager's `template.Data`. In the notifier the dot is a pointer to it.
#[derive(Debug)]
pub(super) struct Data {
    pub(super) receiver: Bytes,
    pub(super) status: Bytes,
    pub(super) alerts: Arc<List>,
    pub(super) firing: Arc<List>,
    pub(super) resolved: Arc<List>,
    pub(super) notification_reason: Bytes,
    pub(super) group_labels: Arc<Kv>,
    pub(super) common_labels: Arc<Kv>,
    pub(super) common_annotations: Arc<Kv>,
    pub(super) route_labels: Arc<Kv>,
    pub(super) external_url: Bytes,
    pub(super) extra: GrafanaFields,
}

#[derive(Debug)]
pub(super) struct Alert {
    pub(super) status: Bytes,
    pub(super) labels: Arc<Kv>,
    pub(super) annotations: Arc<Kv>,
    pub(super) starts_at: Arc<Time>,
    pub(super) ends_at: Arc<Time>,
    pub(super) generator_url: Bytes,
    pub(super) fingerprint: Bytes,
    pub(super) extra: GrafanaFields,
}

/// The fields that only Grafana has, by their names in JSON. Empty for payloads of Alertmanager.
pub(super) type GrafanaFields = BTreeMap<String, Value>;

/// A field of a struct: its name in Go, its name in JSON, and its value.
pub(super) struct Field {
    pub(super) name: &'static str,
    pub(super) json: &'static str,
    pub(super) value: Value,
}

impl Value {
    pub(super) fn str(text: impl Into<Bytes>) -> Self {
        Self::Str(text.into(), StrType::Plain)
    }

    pub(super) fn text(text: String) -> Self {
        Self::str(text.into_bytes())
    }

    pub(super) fn int(number: i64) -> Self {
        Self::Int(number, IntType::Int)
    }

    /// A length or an index.
    pub(super) fn count(count: usize) -> Self {
        Self::int(i64::try_from(count).unwrap_or(i64::MAX))
    }

    pub(super) fn duration(nanoseconds: i64) -> Self {
        Self::Int(nanoseconds, IntType::Duration)
    }

    pub(super) fn time(time: Time) -> Self {
        Self::Time(Arc::new(time))
    }

    /// # Errors
    /// The lists are nested too deeply.
    pub(super) fn list(items: Vec<Self>, kind: ListType) -> Result<Self, String> {
        let nesting = nesting(items.iter())?;
        Ok(Self::List(Arc::new(List { items: items.into(), kind, nesting })))
    }

    /// # Errors
    /// The dictionaries are nested too deeply.
    pub(super) fn dict(entries: BTreeMap<Bytes, Self>) -> Result<Self, String> {
        let nesting = nesting(entries.values())?;
        Ok(Self::Dict(Arc::new(Dict { entries, nesting })))
    }

    /// The name of the type in Go.
    pub(super) fn type_name(&self) -> &'static str {
        match self {
            Self::Nil => "nil",
            Self::Bool(_) => "bool",
            Self::Int(_, kind) => kind.name(),
            Self::Float(_) => "float64",
            Self::Str(_, StrType::Plain) => "string",
            Self::Str(_, StrType::Html) => "template.HTML",
            Self::Str(_, StrType::Url) => "template.URL",
            Self::List(list) => list.kind.name(),
            Self::Kv(_) => "template.KV",
            Self::Pair(..) => "template.Pair",
            Self::Dict(_) => "map[string]interface {}",
            Self::Data(_) => "template.Data",
            Self::Alert(_) => "template.Alert",
            Self::Time(_) => "time.Time",
            Self::Zone(_) => "*time.Location",
        }
    }

    /// Go's `IsTrue`: false for zero and for what is empty.
    pub(super) fn is_true(&self) -> bool {
        match self {
            Self::Nil => false,
            Self::Bool(value) => *value,
            Self::Int(number, _) => *number != 0,
            Self::Float(number) => *number != 0.0,
            Self::Str(text, _) => !text.is_empty(),
            Self::List(list) => !list.items.is_empty(),
            Self::Kv(kv) => !kv.0.is_empty(),
            Self::Dict(dict) => !dict.entries.is_empty(),
            Self::Pair(..) | Self::Data(_) | Self::Alert(_) | Self::Time(_) | Self::Zone(_) => true,
        }
    }

    /// The fields of a struct in their order. `None` for other values.
    pub(super) fn fields(&self) -> Option<Vec<Field>> {
        let str = |text: &Bytes| Self::str(Arc::clone(text));
        let kv = |kv: &Arc<Kv>| Self::Kv(Arc::clone(kv));
        let field = |name, json, value| Field { name, json, value };
        Some(match self {
            Self::Data(data) => vec![
                field("Receiver", "receiver", str(&data.receiver)),
                field("Status", "status", str(&data.status)),
                field("Alerts", "alerts", Self::List(Arc::clone(&data.alerts))),
                field("NotificationReason", "notification_reason", str(&data.notification_reason)),
                field("GroupLabels", "groupLabels", kv(&data.group_labels)),
                field("CommonLabels", "commonLabels", kv(&data.common_labels)),
                field("CommonAnnotations", "commonAnnotations", kv(&data.common_annotations)),
                field("RouteLabels", "routeLabels", kv(&data.route_labels)),
                field("ExternalURL", "externalURL", str(&data.external_url)),
            ],
            Self::Alert(alert) => vec![
                field("Status", "status", str(&alert.status)),
                field("Labels", "labels", kv(&alert.labels)),
                field("Annotations", "annotations", kv(&alert.annotations)),
                field("StartsAt", "startsAt", Self::Time(Arc::clone(&alert.starts_at))),
                field("EndsAt", "endsAt", Self::Time(Arc::clone(&alert.ends_at))),
                field("GeneratorURL", "generatorURL", str(&alert.generator_url)),
                field("Fingerprint", "fingerprint", str(&alert.fingerprint)),
            ],
            Self::Pair(kv, index) => {
                let pair = kv.0.get(*index)?;
                vec![field("Name", "Name", str(&pair.name)), field("Value", "Value", str(&pair.value))]
            }
            _ => return None,
        })
    }

    /// A field of a struct, without the others.
    pub(super) fn field(&self, name: &str) -> Option<Self> {
        let str = |text: &Bytes| Self::str(Arc::clone(text));
        let kv = |kv: &Arc<Kv>| Self::Kv(Arc::clone(kv));
        Some(match (self, name) {
            (Self::Data(data), "Receiver") => str(&data.receiver),
            (Self::Data(data), "Status") => str(&data.status),
            (Self::Data(data), "Alerts") => Self::List(Arc::clone(&data.alerts)),
            (Self::Data(data), "NotificationReason") => str(&data.notification_reason),
            (Self::Data(data), "GroupLabels") => kv(&data.group_labels),
            (Self::Data(data), "CommonLabels") => kv(&data.common_labels),
            (Self::Data(data), "CommonAnnotations") => kv(&data.common_annotations),
            (Self::Data(data), "RouteLabels") => kv(&data.route_labels),
            (Self::Data(data), "ExternalURL") => str(&data.external_url),
            (Self::Alert(alert), "Status") => str(&alert.status),
            (Self::Alert(alert), "Labels") => kv(&alert.labels),
            (Self::Alert(alert), "Annotations") => kv(&alert.annotations),
            (Self::Alert(alert), "StartsAt") => Self::Time(Arc::clone(&alert.starts_at)),
            (Self::Alert(alert), "EndsAt") => Self::Time(Arc::clone(&alert.ends_at)),
            (Self::Alert(alert), "GeneratorURL") => str(&alert.generator_url),
            (Self::Alert(alert), "Fingerprint") => str(&alert.fingerprint),
            (Self::Pair(kv, index), "Name") => str(&kv.0.get(*index)?.name),
            (Self::Pair(kv, index), "Value") => str(&kv.0.get(*index)?.value),
            (Self::Data(data), _) => return grafana_field(&data.extra, name),
            (Self::Alert(alert), _) => return grafana_field(&alert.extra, name),
            _ => return None,
        })
    }
}

/// The field that JSON has with a small first letter: `ValueString` is `valueString`.
fn grafana_field(fields: &GrafanaFields, name: &str) -> Option<Value> {
    let mut chars = name.chars();
    let first = chars.next()?.to_ascii_lowercase();
    fields.get(&format!("{first}{}", chars.as_str())).cloned()
}

fn nesting<'v>(items: impl Iterator<Item = &'v Value>) -> Result<usize, String> {
    let nesting = items.map(|item| match item {
        Value::List(list) => list.nesting,
        Value::Dict(dict) => dict.nesting,
        _ => 0,
    });
    match nesting.max().unwrap_or_default() + 1 {
        nesting if nesting > MAX_NESTING => {
            Err(format!("lists are nested more than {MAX_NESTING} levels deep"))
        }
        nesting => Ok(nesting),
    }
}

impl List {
    /// A list of values that contain no other lists.
    pub(super) fn flat(items: Vec<Value>, kind: ListType) -> Self {
        Self { items: items.into(), kind, nesting: 1 }
    }
}

impl IntType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Int => "int",
            Self::Int64 => "int64",
            Self::Byte => "uint8",
            Self::Duration => "time.Duration",
            Self::Month => "time.Month",
            Self::Weekday => "time.Weekday",
        }
    }
}

impl ListType {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Strings => "[]string",
            Self::NamedStrings => "template.Strings",
            Self::Alerts => "template.Alerts",
            Self::AlertSlice => "[]template.Alert",
            Self::Pairs => "template.Pairs",
            Self::Any => "[]interface {}",
        }
    }
}

impl Kv {
    pub(super) fn get(&self, name: &[u8]) -> Option<&Bytes> {
        let index = self.0.binary_search_by(|pair| pair.name.as_ref().cmp(name)).ok()?;
        self.0.get(index).map(|pair| &pair.value)
    }

    /// The indices of the pairs in the order of `SortedPairs`: `alertname` first, then bytewise.
    pub(super) fn sorted(&self) -> impl Iterator<Item = usize> + '_ {
        let is_first = |pair: &Pair| pair.name.as_ref() == b"alertname";
        let first = self.0.iter().position(is_first);
        let others = (0..self.0.len()).filter(move |index| Some(*index) != first);
        first.into_iter().chain(others)
    }

    /// The pairs in the order of `SortedPairs`.
    pub(super) fn sorted_pairs(&self) -> impl Iterator<Item = &Pair> {
        self.sorted().filter_map(|index| self.0.get(index))
    }
}
