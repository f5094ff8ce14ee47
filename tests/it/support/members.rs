//! Many members, so that the default limits per member do not slow a test down.

use serde_json::Value;
use wecom_relay::sandbox::{BUILTIN_YAML, Directory, MemberOutcome, Sandbox, Settings};

use super::{Wecom, payload};

/// A receiver `wechat` that sends a notification to the member in its label `member`.
pub(crate) const BY_MEMBER: &str = "  - { name: wechat, to_user: '{{ commonLabels.member }}' }\n";

/// The id of a member of [`Wecom::with_members`].
pub(crate) fn member(number: usize) -> String {
    format!("member{number}")
}

/// A notification of [`payload`] for `member`.
pub(crate) fn payload_for(member: &str, group: &str, alerts: &[(&str, bool)]) -> Value {
    let mut payload = payload(group, alerts);
    payload["commonLabels"]["member"] = member.into();
    for alert in payload["alerts"].as_array_mut().unwrap() {
        alert["labels"]["member"] = member.into();
    }
    payload
}

/// The built-in directory with `member0`, `member1` and so on.
pub(crate) fn directory(members: usize) -> Directory {
    let line = |number| format!("      - {{ userid: {}, name: 成员, departments: [2] }}\n", member(number));
    let further: String = (0..members).map(line).collect();
    let yaml = BUILTIN_YAML.replacen("    apps:\n", &format!("{further}    apps:\n"), 1);
    Directory::from_yaml(&yaml).unwrap()
}

/// The texts that members were shown, in the order in which they arrived.
pub(crate) fn shown(sandbox: &Sandbox) -> Vec<String> {
    let messages = sandbox.messages();
    let text = |request: &str| {
        let body: Value = serde_json::from_str(request).unwrap();
        body["text"]["content"].as_str().unwrap().to_owned()
    };
    let is_shown = |outcome: MemberOutcome| outcome == MemberOutcome::Shown;
    let seen =
        messages.iter().filter(|message| message.members.iter().any(|(_, outcome)| is_shown(*outcome)));
    seen.map(|message| text(&message.request)).collect()
}

/// The number of messages to a member that had this outcome.
pub(crate) fn count(sandbox: &Sandbox, wanted: MemberOutcome) -> usize {
    let messages = sandbox.messages();
    let outcomes = messages.iter().flat_map(|message| &message.members);
    outcomes.filter(|(_, outcome)| *outcome == wanted).count()
}

impl Wecom {
    /// A sandbox with further members, WeCom's limits and a clock that runs.
    pub(crate) async fn with_members(members: usize) -> Self {
        let wecom = Self::live(Settings::default()).await;
        wecom.sandbox.replace_directory(directory(members));
        wecom
    }
}
