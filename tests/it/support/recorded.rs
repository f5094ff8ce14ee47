//! Recorded notifications of Alertmanager: the webhook, and the message that its own notifier sent for it.

use std::{fs, path::Path};

use jiff::Timestamp;
use wecom_relay::alertmanager::{self, Payload};

/// The recorded data of one notification.
pub(crate) struct Recorded {
    pub(crate) name: String,
    pub(crate) payload: Payload,
    pub(crate) native: String,
}

/// All recordings in a folder of the test data, at least one.
pub(crate) fn pairs(folder: &str) -> Vec<Recorded> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/alertmanager").join(folder);
    let read = |pair: &Path| Recorded {
        name: pair.display().to_string(),
        payload: alertmanager::parse(&fs::read(pair.join("webhook.json")).unwrap(), Timestamp::UNIX_EPOCH)
            .unwrap(),
        native: fs::read_to_string(pair.join("native.txt")).unwrap(),
    };
    let pairs: Vec<_> = fs::read_dir(folder).unwrap().map(|pair| read(&pair.unwrap().path())).collect();
    assert!(!pairs.is_empty());
    pairs
}
