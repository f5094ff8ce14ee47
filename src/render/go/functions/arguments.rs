//! Arguments whose types were checked against the signature of the function.

use std::{borrow::Cow, sync::Arc};

use crate::render::go::{
    runes::Bytes,
    time::{Time, Zone},
    value::{Kv, Value},
};

/// The arguments of a call. The receiver of a method is the first one.
#[derive(Clone, Copy)]
pub(in crate::render::go) struct Arguments<'a>(pub(in crate::render::go) &'a [Value]);

impl<'a> Arguments<'a> {
    pub(super) fn all(self) -> &'a [Value] {
        self.0
    }

    /// The arguments from `index` on.
    pub(super) fn from(self, index: usize) -> &'a [Value] {
        self.0.get(index..).unwrap_or_default()
    }

    pub(super) fn value(self, index: usize) -> &'a Value {
        self.0.get(index).unwrap_or(&Value::Nil)
    }

    /// The bytes of a string.
    pub(super) fn bytes(self, index: usize) -> &'a [u8] {
        match self.value(index) {
            Value::Str(text, _) => text,
            _ => &[],
        }
    }

    /// The bytes of a string, shared.
    pub(super) fn shared_bytes(self, index: usize) -> Bytes {
        match self.value(index) {
            Value::Str(text, _) => Arc::clone(text),
            _ => Arc::default(),
        }
    }

    /// The text of a string; U+FFFD stands for what is no UTF-8.
    pub(super) fn text(self, index: usize) -> Cow<'a, str> {
        String::from_utf8_lossy(self.bytes(index))
    }

    pub(super) fn int(self, index: usize) -> i64 {
        match self.value(index) {
            Value::Int(number, _) => *number,
            _ => 0,
        }
    }

    pub(super) fn time(self, index: usize) -> Cow<'a, Time> {
        match self.value(index) {
            Value::Time(time) => Cow::Borrowed(time),
            _ => Cow::Owned(Time::zero()),
        }
    }

    pub(super) fn zone(self, index: usize) -> Zone {
        match self.value(index) {
            Value::Zone(zone) => Zone::clone(zone),
            _ => Zone::Utc,
        }
    }

    pub(super) fn items(self, index: usize) -> &'a [Value] {
        match self.value(index) {
            Value::List(list) => &list.items,
            _ => &[],
        }
    }

    pub(super) fn kv(self, index: usize) -> Arc<Kv> {
        match self.value(index) {
            Value::Kv(kv) => Arc::clone(kv),
            _ => Arc::default(),
        }
    }
}
