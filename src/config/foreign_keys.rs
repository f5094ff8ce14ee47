//! Keys of other programs, and of wishes that the relay does not fulfil, with what to write instead.

const ROUTES: &str = "routes stay in alertmanager.yml; the relay needs only the receivers";
const APP: &str = "write corp_id, agent_id and the secret as an app below apps";
const DATABASE: &str = "write the URL of a PostgreSQL database into a file, and name it in outbox.url_file";
const ROBOT: &str = "write the webhook URL as key of a robot below robots, and robot: NAME in the receiver";
const TEMPLATE: &str =
    "list the file below templates, and write message: '{% include \"name\" %}' with its name without .tera";

const HELP: [(&str, &str); 23] = [
    ("global", APP),
    ("route", ROUTES),
    ("routes", ROUTES),
    ("inhibit_rules", ROUTES),
    ("mute_time_intervals", ROUTES),
    ("time_intervals", ROUTES),
    (
        "wechat_configs",
        "write corp_id, agent_id and the secret as an app below apps, and to_user, to_party, to_tag and message here",
    ),
    ("webhook_configs", "this belongs to alertmanager.yml, which sends to the relay"),
    ("webhook_url", ROBOT),
    ("webhook", ROBOT),
    ("robot", "a receiver names its robot; robots are listed below robots"),
    ("webhook_key", ROBOT),
    ("mentioned_list", "write it below a receiver: mentioned_list: [zhangsan]"),
    ("chatid", "did you mean chat_id?"),
    ("secret", "did you mean api_secret?"),
    ("corpsecret", "did you mean api_secret?"),
    ("users", "did you mean to_user?"),
    ("dsn", DATABASE),
    ("database", DATABASE),
    ("database_url", DATABASE),
    ("message_file", TEMPLATE),
    ("template_file", TEMPLATE),
    ("template", TEMPLATE),
];

/// The help for a key that the relay does not have, if it is known from elsewhere.
pub(super) fn help(key: &str) -> Option<&'static str> {
    HELP.iter().find(|(foreign, _)| *foreign == key).map(|(_, help)| *help)
}
