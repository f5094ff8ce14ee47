//! The configuration: accepted values, warnings, and the protection of secrets.

mod actions;
mod callback;
mod certificates;
mod console;
mod example;
mod outbox;
mod refused;
mod robots;
mod server;
mod slips;

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt,
    path::Path,
    time::Duration,
};

use jiff::tz::TimeZone;
use proptest::prelude::*;
use wecom_relay::config::{self, Loaded, Template};
use wecom_relay::intake::{Address, JsonTemplate, MessageType};
use wecom_relay::render::TemplateLanguage;

const MINIMAL: &str = "
apps:
  - name: ops
    corp_id: ww1234567890abcdef
    agent_id: 1000030
    api_secret: not-a-real-secret
receivers:
  - name: wechat
    to_user: zhangsan
";

fn env(name: &str) -> Option<String> {
    match name {
        "OPS_SECRET" => Some("not-a-real-secret\n".to_owned()),
        "EMPTY_SECRET" => Some("\n".to_owned()),
        _ => None,
    }
}

fn parse(source: &str) -> Result<Loaded, config::ConfigError> {
    config::parse(source, Path::new("config.yml"), &env)
}

fn warnings(source: &str) -> String {
    let warnings: Vec<_> = parse(source).unwrap().warnings.iter().map(ToString::to_string).collect();
    warnings.join("\n")
}

/// Loads `config.yml` in a folder with these files. The path of the folder is removed from errors.
fn load_in_folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Loaded, String>) {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    }
    let loaded = config::load(&folder.path().join("config.yml"), &env)
        .map_err(|problems| problems.to_string().replace(&format!("{}/", folder.path().display()), ""));
    (folder, loaded)
}

#[test]
fn a_minimal_configuration_gets_the_defaults() {
    let Loaded { config, warnings } = parse(MINIMAL).unwrap();
    let warnings: Vec<_> = warnings.iter().map(ToString::to_string).collect();
    let open = "config.yml:2:1: server.listen: anyone who can reach 0.0.0.0:8061 can send messages through the \
                apps; set server.auth, or listen on 127.0.0.1:8061 only";
    assert_eq!(warnings, [open]);
    let receiver = config.receiver("wechat").unwrap();
    assert_eq!(config.server.listen.to_string(), "0.0.0.0:8061");
    assert_eq!(config.outbox.dedupe_window, Some(Duration::from_secs(120)));
    assert_eq!(receiver.sender.name().as_str(), "ops");
    assert_eq!(receiver.message_type, MessageType::Text);
    assert_eq!((receiver.plain_copy, receiver.max_parts), (false, 5));
    assert_eq!(config.timezone, TimeZone::try_system().unwrap_or(TimeZone::UTC));
    assert_eq!(receiver.message.value.text, r#"{% include "wechat.default.message" %}"#);
    assert!(receiver.send_resolved);
    assert_eq!(receiver.fallback, None);
    assert_eq!(receiver.message.location.to_string(), "config.yml:8:5: receivers[0].message");
}

#[test]
fn ids_may_be_numbers_or_texts() {
    let source =
        MINIMAL.replace("1000030", "'1000030'").replace("to_user: zhangsan", "to_user: 007\n    to_party: 3");
    let config = parse(&source).unwrap().config;
    assert_eq!(config.apps[0].agent_id.to_string(), "1000030");
    assert_eq!(config.receiver("wechat").unwrap().recipients.to_string(), "user 007, party 3");
}

#[test]
fn recipients_are_fixed_or_templates() {
    let with = |to: &str| {
        let config = parse(&MINIMAL.replace("to_user: zhangsan", to)).unwrap().config;
        config.receiver("wechat").unwrap().recipients.clone()
    };
    let Address::Template { to_user, to_party, to_tag } =
        with("to_user: '{{ commonLabels.owner }}'\n    to_party: 3")
    else {
        panic!("no template");
    };
    assert_eq!([to_user, to_party, to_tag].map(|to| to.value.text), ["{{ commonLabels.owner }}", "3", ""]);
    let all = Address::Literal(wecom_relay::wecom::Recipients::All);
    assert_eq!(with("to_user: '@all'\n    to_party: '{{ commonLabels.owner }}'"), all);
}

#[test]
fn a_receiver_may_have_go_templates() {
    let keys = "    template_language: go\n    message_type: textcard\n    url: '{{ .ExternalURL }}'\n";
    let config = parse(&(MINIMAL.to_owned() + keys)).unwrap().config;
    let receiver = config.receiver("wechat").unwrap();
    let go = |text: &str| Template { text: text.to_owned(), language: TemplateLanguage::Go };
    assert_eq!(receiver.message.value, go(r#"{{ template "wechat.default.message" . }}"#));
    assert!(!receiver.default_templates);
    let MessageType::TextCard { title, url, .. } = &receiver.message_type else { panic!("no card") };
    assert_eq!(url.value, go("{{ .ExternalURL }}"));
    assert_eq!(title.value.language, TemplateLanguage::Tera, "defaults of cards stay Tera's");
}

#[test]
fn a_card_is_a_tree_of_templates_with_locations() {
    let card = "    message_type: template_card\n    template_card:\n      main_title: { title: 't', empty: }\n      \
                n: [1, 007, true, x]\n";
    let config = parse(&(MINIMAL.to_owned() + card)).unwrap().config;
    let MessageType::TemplateCard(tree) = &config.receiver("wechat").unwrap().message_type else {
        panic!("no card");
    };
    let paths = tree.map("template_card", &mut |path, text| {
        assert!(text.location.to_string().ends_with(&format!("receivers[0].{path}")), "{}", text.location);
        format!("{path}={}", text.value.text)
    });
    let text = |text: &str| JsonTemplate::Text(text.to_owned());
    let fixed = |json: serde_json::Value| JsonTemplate::Fixed(json);
    let list = vec![fixed(1.into()), fixed("007".into()), fixed(true.into()), text("template_card.n[3]=x")];
    let title = JsonTemplate::Map(vec![("title".to_owned(), text("template_card.main_title.title=t"))]);
    let expected =
        JsonTemplate::Map(vec![("main_title".to_owned(), title), ("n".to_owned(), JsonTemplate::List(list))]);
    assert_eq!(paths, expected);
}

#[test]
fn aliases_and_merges_work() {
    let source = MINIMAL.replace("  - name: wechat", "  - &common\n    name: wechat")
        + "  - <<: *common\n    name: second\n    send_resolved: false\n";
    let config = parse(&source).unwrap().config;
    let second = config.receiver("second").unwrap();
    assert_eq!(second.recipients.to_string(), "user zhangsan");
    assert!(!second.send_resolved);
}

#[test]
fn relative_paths_start_at_the_configurations_folder() {
    let source = MINIMAL.replace("api_secret: not-a-real-secret", "api_secret_file: keys/ops")
        + "templates: ['templates/*.tera', 'templates/a.message.tera']\n";
    let files = [
        ("config.yml", source.as_str()),
        ("keys/ops", "not-a-real-secret\r\n"),
        ("templates/b.tera", "B"),
        ("templates/a.message.tera", "A"),
        ("templates/.hidden.tera", "H"),
        ("templates/README", "R"),
    ];
    let (folder, loaded) = load_in_folder(&files);
    let Loaded { config, warnings } = loaded.unwrap();
    assert!(warnings.iter().all(|warning| warning.to_string().contains("server.listen")), "{warnings:?}");
    assert_eq!(config.apps[0].api_secret.expose(), "not-a-real-secret");
    let templates: Vec<_> = config.templates.iter().map(|t| (t.name.as_str(), t.text.as_str())).collect();
    assert_eq!(templates, [("a.message", "A"), ("b", "B")]);
    assert_eq!(config.templates.first().unwrap().path, folder.path().join("templates/a.message.tera"));
}

#[test]
fn a_world_readable_secret_file_is_a_warning() {
    let source = MINIMAL.replace("api_secret: not-a-real-secret", "api_secret_file: ops.key");
    let (folder, _) = load_in_folder(&[("config.yml", &source), ("ops.key", "not-a-real-secret")]);
    fs::set_permissions(folder.path().join("ops.key"), Permissions::from_mode(0o644)).unwrap();
    let loaded = config::load(&folder.path().join("config.yml"), &env).unwrap();
    let warning = loaded.warnings.last().unwrap().to_string();
    insta::assert_snapshot!(warning.replace(folder.path().to_str().unwrap(), "…"), @"…/config.yml:6:22: apps[0].api_secret_file: …/ops.key can be read by every user; remove that permission with chmod o-r");
}

#[test]
fn probable_mistakes_are_warnings() {
    let source = "server: { listen: '127.0.0.1:8061' }
apps:
  - name: ops
    corp_id: ww1234567890abcdef
    agent_id: 1000030
    api_secret: not-a-real-secret
    api_url: http://wecom.example
    limits: { per_minute: 60, per_hour: 0 }
  - { name: twin, corp_id: ww1234567890abcdef, agent_id: 1000030, api_secret: not-a-real-secret }
receivers:
  - { name: wechat, app: ops, to_user: zhangsan, fallback: oncall }
  - { name: oncall, app: ops, to_user: lisi, fallback_after: 1m }
";
    insta::assert_snapshot!(warnings(source), @r"
        config.yml:7:14: apps[0].api_url: the secret goes over the network unencrypted; use https
        config.yml:8:27: apps[0].limits.per_minute: WeCom silently drops more than 30 messages per minute to one member, and answers errcode 0; write at most 30
        config.yml:8:41: apps[0].limits.per_hour: 0 is no limit; WeCom silently drops more than 1000 messages per hour to one member, and answers errcode 0; write 1000, or remove the key
        config.yml:9:5: apps[1]: this is the same WeCom app as apps[0], and each of them counts its own limits; use one of them for both
        config.yml:11:5: receivers[0]: the fallback oncall sends with the same app, ops; use a fallback on another app, which still works when this app fails
        config.yml:12:62: receivers[1].fallback_after: this has no effect without fallback; add fallback
        ");
}

#[test]
fn a_limit_of_zero_is_a_warning() {
    let source = MINIMAL.replace("receivers:", "    limits: { per_minute: 0, per_hour: 1000 }\nreceivers:");
    let shown = warnings(&format!("server: {{ listen: '127.0.0.1:8061' }}\n{source}"));
    insta::assert_snapshot!(shown, @"config.yml:8:27: apps[0].limits.per_minute: 0 is no limit; WeCom silently drops more than 30 messages per minute to one member, and answers errcode 0; write 30, or remove the key");
}

#[test]
fn no_secret_appears_in_errors_or_debug_output() {
    const SECRET: &str = "s3cr3tS3cr3t-S3cr3t_s3cr3t";
    let forms = [
        "api_secret: SECRET",
        "api_secret: [SECRET]",
        "api_secret: {SECRET: SECRET}",
        "api_secret: 'SECRET two'",
        "api_secret: *SECRET",
        "api_secret: !SECRET x",
        "api_secret: '\\SECRET",
        "api_secret: \"SECRET\\q\"",
        "api_secret:SECRET",
        "{api_secret:SECRET}",
        "api_secret: SECRET: SECRET",
        "api_secrets: SECRET",
        "api_secret_env: SECRET",
        "api_secret_file: SECRET",
        "api_secret: x\n    proxy_url: 'ftp://u:SECRET@proxy'",
        "api_secret: x\n    proxy_url: 'http://u:SECRET@proxy:999999'",
        "api_secret: x\n    proxy_url: 'http://u:SECRET@proxy:3128'",
        "api_secret: x\n    api_url: 'https://u:SECRET@wecom.example'",
        "api_secret: x\n    limits: SECRET",
        "api_secret: x\nserver: { auth: SECRET }",
        "api_secret: x\nserver: { auth: { bearer_token: [SECRET] } }",
        "api_secret: x\nserver: { auth: { bearer_token: SECRET, bearer_token_env: SECRET } }",
        "api_secret: x\nserver: { auth: { bearer_token: SECRET } }",
        "api_secret: x\nserver: { auth: { bearer_token_file: SECRET } }",
        "api_secret: x\nserver: { auth: { bearer_token_file: /SECRET+SECRET= } }",
        "api_secret: x\nserver: { auth: { bearer_token_env: SECRET } }",
        "api_secret: x\nserver: { auth: { basic_auth: { username: 'SECRET:SECRET', password: SECRET } } }",
        "api_secret: x\nserver: { auth: { basic_auth: { username: SECRET } } }",
        "api_secret: x\nserver: { auth: { basic_auth: { username: u, password: SECRET } } }",
    ];
    for form in forms {
        let source = MINIMAL.replace("api_secret: not-a-real-secret", form).replace("SECRET", SECRET);
        let shown = match parse(&source) {
            Ok(loaded) => format!("{loaded:?}"),
            Err(problems) => format!("{problems} {problems:?}"),
        };
        assert!(!shown.contains("s3cr3t"), "{form}: {shown}");
    }
}

/// Texts that are nearly a configuration: a mix of its lines with pieces of YAML.
fn nearly_yaml() -> impl Strategy<Value = String> {
    const PIECES: &str = "apps:¦receivers:¦  - name: ¦  - ¦    ¦to_user: ¦agent_id: ¦limits: ¦templates: ¦server: ¦\
        outbox: ¦max_size: ¦&a ¦*a¦<<: ¦[¦]¦{¦}¦,¦'¦\"¦|¦>¦~¦!!int ¦!x ¦? ¦: ¦# ¦---\n¦...¦\t¦\n¦值¦1e999¦0x1F¦-1¦\
        true¦ops¦\u{feff}¦\0¦%";
    let pieces = prop::sample::select(PIECES.split('¦').collect::<Vec<_>>());
    prop::collection::vec(pieces, 0..40).prop_map(|pieces| pieces.concat())
}

#[test]
fn a_proxy_url_may_come_from_a_file_or_the_environment() {
    const ADDRESS: &str = "http://user:not-a-real-password@proxy.example:3128/";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ops_proxy");
    std::fs::write(&file, format!("{ADDRESS}\n")).unwrap();
    let env = |name: &str| (name == "OPS_PROXY").then(|| ADDRESS.to_owned());
    let with = |keys: &str| {
        let source = MINIMAL.replace("api_secret: not-a-real-secret", &format!("api_secret: x\n    {keys}"));
        config::parse(&source, &folder.path().join("config.yml"), &env)
    };
    for key in ["proxy_url_env: OPS_PROXY".to_owned(), format!("proxy_url_file: {}", file.display())] {
        let config = with(&key).unwrap_or_else(|problems| panic!("{problems}")).config;
        assert_eq!(config.apps[0].connection.proxy_url.as_ref().unwrap().expose(), ADDRESS, "{key}");
    }
    let both = with(&format!("proxy_url: {ADDRESS}\n    proxy_url_env: OPS_PROXY")).unwrap_err().to_string();
    assert!(both.contains("set exactly one of proxy_url, proxy_url_file and proxy_url_env"), "{both}");
}

proptest! {
    #[test]
    fn no_text_panics(source in ".*") {
        let _ = parse(&source);
    }

    #[test]
    fn no_nearly_valid_configuration_panics(source in nearly_yaml()) {
        let _ = parse(&source);
        let _ = parse(&format!("{MINIMAL}{source}"));
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.yml");
        fs::write(&path, bytes).unwrap();
        let _ = config::load(&path, &env);
    }
}

#[test]
fn environment_variables_fill_in_any_value() {
    let source = "
server: { listen: '127.0.0.1:${PORT:-8061}' }
apps:
  - name: ops
    corp_id: ${CORP_ID}
    agent_id: ${AGENT_ID}
    api_secret: ${OPS_SECRET}
receivers:
  - name: wechat
    to_user: ${ONCALL}
    send_resolved: ${RESOLVED}
    message: '{{ title }} costs $${x}'
";
    let env = |name: &str| {
        let value = match name {
            "CORP_ID" => "ww1234567890abcdef",
            "AGENT_ID" => "1000030",
            "OPS_SECRET" => "not-a-real-secret\n",
            "ONCALL" => "zhangsan|lisi",
            "RESOLVED" => "false",
            _ => return None,
        };
        Some(value.to_owned())
    };
    let Loaded { config, warnings } = config::parse(source, Path::new("config.yml"), &env).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let (app, receiver) = (&config.apps[0], config.receiver("wechat").unwrap());
    assert_eq!(
        (app.corp_id.as_str(), app.agent_id.to_string()),
        ("ww1234567890abcdef", "1000030".to_owned())
    );
    assert_eq!(app.api_secret.expose(), "not-a-real-secret");
    assert_eq!(receiver.recipients.to_string(), "user zhangsan|lisi");
    assert!(!receiver.send_resolved);
    assert_eq!(receiver.message.value.text, "{{ title }} costs ${x}");
    assert_eq!(config.server.listen.to_string(), "127.0.0.1:8061");
}

#[test]
fn recipients_may_be_lists() {
    let with = |to: &str| {
        let config = parse(&MINIMAL.replace("to_user: zhangsan", to)).unwrap().config;
        config.receiver("wechat").unwrap().recipients.to_string()
    };
    assert_eq!(
        with("to_user: [zhangsan, lisi]\n    to_party: [2, 03]\n    to_tag:\n      - 7"),
        "user zhangsan|lisi, party 2|3, tag 7"
    );
    assert_eq!(with("to_user: ['{{ commonLabels.owner }}', lisi]"), "recipients from templates");
}

#[test]
fn commas_between_recipients_are_read_as_meant() {
    let source = MINIMAL.replace("to_user: zhangsan", "to_user: 'zhangsan,lisi'\n    to_party: 2、3");
    let source = format!("server: {{ listen: '127.0.0.1:8061' }}\n{source}");
    insta::assert_snapshot!(warnings(&source), @"
    config.yml:10:14: receivers[0].to_user: the character , (U+002C) separates ids here; write | between ids, as Alertmanager and WeCom do
    config.yml:11:15: receivers[0].to_party: the character 、 (U+3001) separates ids here; write | between ids, as Alertmanager and WeCom do
    ");
    let receiver = parse(&source).unwrap().config.receiver("wechat").unwrap().clone();
    assert_eq!(receiver.recipients.to_string(), "user zhangsan|lisi, party 2|3");
}

#[test]
fn a_secret_file_from_windows_is_read_as_meant() {
    let source = MINIMAL.replace("api_secret: not-a-real-secret", "api_secret_file: secret");
    let (_folder, loaded) =
        load_in_folder(&[("config.yml", &source), ("secret", "\u{feff}not-a-real-secret\r\n")]);
    assert_eq!(loaded.unwrap().config.apps[0].api_secret.expose(), "not-a-real-secret");
}
