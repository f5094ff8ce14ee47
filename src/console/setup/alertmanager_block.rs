//! The lines of `alertmanager.yml` that connect a receiver. They name files for secrets and never contain one.

use crate::text::percent_encode;

/// The credentials that Alertmanager must send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    None,
    Bearer,
    Basic,
}

pub(super) fn alertmanager_block(
    receiver: &str,
    base_url: &str,
    send_resolved: bool,
    credentials: &Credentials,
) -> String {
    let url = format!("{}/webhook/{}", base_url.trim_end_matches('/'), percent_encode(receiver));
    let login = match credentials {
        Credentials::None => String::new(),
        Credentials::Bearer => "\n        http_config:\n          authorization:\n            credentials_file: /etc/alertmanager/wecom-relay-token".to_owned(),
        Credentials::Basic => "\n        http_config:\n          basic_auth:\n            username: USERNAME # as in server.auth\n            password_file: /etc/alertmanager/wecom-relay-password".to_owned(),
    };
    format!(
        "receivers:\n  - name: {}\n    webhook_configs:\n      - url: {}\n        send_resolved: {send_resolved}\n        \
         max_alerts: 0{login}\n",
        quoted(receiver),
        quoted(&url)
    )
}

/// A YAML text. JSON is YAML, and a plain word needs no quotes.
fn quoted(text: &str) -> String {
    const WORDS: [&str; 9] = ["true", "false", "yes", "no", "on", "off", "null", "y", "n"];
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:%".contains(c);
    let is_word = text.starts_with(|c: char| c.is_ascii_alphabetic())
        && !text.ends_with(':')
        && text.chars().all(is_plain)
        && !WORDS.contains(&text.to_ascii_lowercase().as_str());
    if is_word { text.to_owned() } else { serde_json::Value::from(text).to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_names_a_file_instead_of_a_secret() {
        let block =
            alertmanager_block("wechat", "https://ops.example.com/wecom/", true, &Credentials::Bearer);
        insta::assert_snapshot!(block, @"
        receivers:
          - name: wechat
            webhook_configs:
              - url: https://ops.example.com/wecom/webhook/wechat
                send_resolved: true
                max_alerts: 0
                http_config:
                  authorization:
                    credentials_file: /etc/alertmanager/wecom-relay-token
        ");
    }

    #[test]
    fn odd_names_are_quoted_and_encoded() {
        let block = alertmanager_block("值班 \"1\"", "http://[::1]:8061", false, &Credentials::Basic);
        insta::assert_snapshot!(block, @r#"
        receivers:
          - name: "值班 \"1\""
            webhook_configs:
              - url: "http://[::1]:8061/webhook/%E5%80%BC%E7%8F%AD%20%221%22"
                send_resolved: false
                max_alerts: 0
                http_config:
                  basic_auth:
                    username: USERNAME # as in server.auth
                    password_file: /etc/alertmanager/wecom-relay-password
        "#);
    }
}
