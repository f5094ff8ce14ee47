//! The labels, each with values from a list that ends: names of the configuration, or words of this program.

use prometheus_client::encoding::EncodeLabelSet;

macro_rules! labels {
    ($($name:ident { $($label:ident: $of:ty),+ })+) => {
        $(
            #[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
            pub(super) struct $name {
                $(pub(super) $label: $of),+
            }
        )+
    };
}

labels! {
    ByReceiver { receiver: String }
    ByApp { app: String }
    Received { receiver: String, result: &'static str }
    Settled { receiver: String, state: &'static str, reason: &'static str }
    Attempted { app: String, errcode: String }
    Held { app: String, reason: &'static str }
    Refreshed { app: String, result: &'static str }
    Invalid { app: String, kind: &'static str }
}

impl ByReceiver {
    pub(super) fn of(receiver: &str) -> Self {
        Self { receiver: receiver.to_owned() }
    }
}

impl ByApp {
    pub(super) fn of(app: &str) -> Self {
        Self { app: app.to_owned() }
    }
}

impl Settled {
    pub(super) fn delivered(receiver: &str) -> Self {
        Self { receiver: receiver.to_owned(), state: "delivered", reason: "" }
    }

    pub(super) fn dead(receiver: &str, reason: &'static str) -> Self {
        Self { receiver: receiver.to_owned(), state: "dead", reason }
    }
}
