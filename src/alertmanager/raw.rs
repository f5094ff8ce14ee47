//! JSON values as text: their kinds, fields and items.
//!
//! A value is read only when its meaning is known. So a value that nobody reads takes no memory, however it is nested,
//! and a number keeps all its digits.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Error, value::RawValue};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Null,
    Bool,
    Number,
    Text,
    Array,
    Object,
}

pub(super) fn kind(raw: &RawValue) -> Kind {
    match raw.get().bytes().next() {
        Some(b'{') => Kind::Object,
        Some(b'[') => Kind::Array,
        Some(b'"') => Kind::Text,
        Some(b't' | b'f') => Kind::Bool,
        Some(b'n') => Kind::Null,
        _ => Kind::Number,
    }
}

/// A field of an object.
pub(super) struct Field<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) value: &'a RawValue,
}

/// The maximum number of fields of an object that are read. No message can show so many labels.
pub const MAX_FIELDS: usize = 10_000;

/// The fields of an object, sorted by name. Fields with the same name stay in their order.
pub(super) struct Fields<'a> {
    pub(super) list: Vec<Field<'a>>,
    /// True if the object has more than [`MAX_FIELDS`] fields. The others are not in the list.
    pub(super) has_more: bool,
}

impl<'a> Fields<'a> {
    pub(super) fn of(object: &'a str) -> Result<Self, Error> {
        serde_json::from_str(object)
    }

    pub(super) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.list.iter().find(|field| field.name == name).map(|field| field.value)
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    pub(super) fn has_repeated(&self) -> bool {
        self.list.iter().zip(self.list.iter().skip(1)).any(|(field, next)| field.name == next.name)
    }
}

/// The items of an array.
pub(super) struct Items<'a> {
    pub(super) list: Vec<&'a RawValue>,
    /// The number of items over [`Items::MAX`], which are not in the list.
    pub(super) more: u64,
}

impl<'a> Items<'a> {
    const MAX: usize = 500_000;

    pub(super) fn of(array: &'a str) -> Result<Self, Error> {
        serde_json::from_str(array)
    }
}

/// A name that is borrowed if it has no escapes.
#[derive(Deserialize)]
struct Name<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields<'de>, A::Error> {
        let mut fields = Fields { list: Vec::new(), has_more: false };
        while fields.list.len() < MAX_FIELDS {
            let Some((Name(name), value)) = map.next_entry()? else { break };
            fields.list.push(Field { name, value });
        }
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {
            fields.has_more = true;
        }
        fields.list.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(fields)
    }
}

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(ItemsVisitor)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Items<'de>, A::Error> {
        let mut items = Items { list: Vec::new(), more: 0 };
        while items.list.len() < Items::MAX {
            let Some(item) = seq.next_element()? else { break };
            items.list.push(item);
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            items.more += 1;
        }
        Ok(items)
    }
}

/// The memory of an object without its fields. This and the next sizes count a value twice, because it is in the payload
/// and again among the values for templates.
pub const OBJECT_BYTES: usize = 1100;
/// The memory of an array without its items.
pub const ARRAY_BYTES: usize = 350;
/// The memory of any other value without its text.
pub const VALUE_BYTES: usize = 120;

/// The nesting of `json`, and roughly the memory for it beside its texts.
pub(super) fn extent(json: &str) -> Extent {
    let mut extent = Extent { depth: 0, bytes: VALUE_BYTES };
    let (mut depth, mut quoted, mut escaped) = (0, false, false);
    for byte in json.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            _ if quoted => {}
            b'[' | b'{' => {
                depth += 1;
                extent.depth = extent.depth.max(depth);
                extent.bytes += if byte == b'{' { OBJECT_BYTES } else { ARRAY_BYTES };
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b',' => extent.bytes += VALUE_BYTES,
            _ => {}
        }
    }
    extent
}

pub(super) struct Extent {
    pub(super) depth: usize,
    pub(super) bytes: usize,
}
