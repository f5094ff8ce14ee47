//! Webhook URLs of programs that pass alerts on to group robots, such as a2w and PrometheusAlert, and WeCom's own.

use reqwest::Url;

use crate::secret::Secret;

/// The destination of a webhook URL.
pub(super) enum Destination {
    Robots(Robots),
    /// The URL does not say which robot or app sends.
    Unnamed {
        message: &'static str,
        help: &'static str,
    },
}

/// The robots that a webhook URL names.
pub(super) struct Robots {
    /// Keys or webhook URLs; not empty.
    pub(super) keys: Vec<Secret>,
    /// The members that its messages mention.
    pub(super) mentioned: Vec<String>,
    /// Parameters that the relay has no equivalent for.
    pub(super) left_out: Vec<LeftOut>,
}

/// A parameter that is not carried over, and what to do instead.
pub(super) struct LeftOut {
    pub(super) parameter: &'static str,
    pub(super) help: &'static str,
}

const PARAMETERS: [LeftOut; 2] = [
    LeftOut {
        parameter: "tpl",
        help: "its template sees one alert, and a message of the relay has all alerts of a group; write message if the built-in \
               one does not suit",
    },
    LeftOut {
        parameter: "split",
        help: "20 messages a minute are soon used up; group in Alertmanager instead",
    },
];

/// The destination of `text`, if that is the URL of such a program.
pub(super) fn destination(text: &str) -> Option<Destination> {
    let url = Url::parse(text).ok()?;
    let path = url.path().trim_end_matches('/');
    if path.ends_with("/prometheusalert") {
        return prometheus_alert(&url);
    }
    let key = value(&url, "key")?;
    let robot = match path.ends_with("/cgi-bin/webhook/send") {
        true => robot(text),
        false if is_robot_key(&key) => Secret::new(key.as_str()),
        false => return None,
    };
    let keys = vec![robot];
    Some(Destination::Robots(Robots { keys, mentioned: Vec::new(), left_out: Vec::new() }))
}

fn prometheus_alert(url: &Url) -> Option<Destination> {
    match value(url, "type")?.as_str() {
        "wx" => {}
        "workwechat" => {
            return Some(Destination::Unnamed {
                message: "this webhook goes to an app that only the configuration of PrometheusAlert names",
                help: "write the app, a receiver with to_user, to_party and to_tag, and its URL here",
            });
        }
        _ => return None,
    }
    let Some(robots) = value(url, "wxurl") else {
        return Some(Destination::Unnamed {
            message: "this webhook goes to a robot that only the configuration of PrometheusAlert names",
            help: "write the robot, a receiver with it, and its URL here",
        });
    };
    let keys = items(&robots).map(robot).collect();
    let mentioned = value(url, "at").map(|at| items(&at).map(str::to_owned).collect());
    let left_out = PARAMETERS.into_iter().filter(|one| value(url, one.parameter).is_some());
    Some(Destination::Robots(Robots {
        keys,
        mentioned: mentioned.unwrap_or_default(),
        left_out: left_out.collect(),
    }))
}

/// The key of a webhook URL of WeCom. A URL of a mirror stays whole.
fn robot(url: &str) -> Secret {
    let parsed = Url::parse(url).ok().filter(|url| url.host_str() == Some("qyapi.weixin.qq.com"));
    let key = parsed.and_then(|url| value(&url, "key"));
    Secret::new(key.as_deref().unwrap_or(url))
}

/// The value of a parameter, if it is not empty.
fn value(url: &Url, name: &str) -> Option<String> {
    let found = url.query_pairs().find(|(key, value)| key == name && !value.trim().is_empty());
    found.map(|(_, value)| value.into_owned())
}

fn items(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|item| !item.is_empty())
}

/// True if `key` looks like the keys that WeCom gives robots, which are UUIDs.
fn is_robot_key(key: &str) -> bool {
    let groups: Vec<usize> = key.split('-').map(str::len).collect();
    groups == [8, 4, 4, 4, 12] && key.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa";
    const UUID: &str = "00000000-1111-2222-3333-444444444444";

    fn keys(url: &str) -> Option<Vec<String>> {
        match destination(url)? {
            Destination::Robots(robots) => {
                Some(robots.keys.iter().map(|key| key.expose().to_owned()).collect())
            }
            Destination::Unnamed { .. } => Some(Vec::new()),
        }
    }

    #[test]
    fn the_keys_of_relays_for_robots_are_found() {
        let wecom = |key: &str| format!("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={key}");
        let found = |url: &str| keys(url).unwrap();
        assert_eq!(found(&format!("http://a2w:5001/send?key={UUID}")), [UUID]);
        assert_eq!(found(&wecom(KEY)), [KEY]);
        let relay =
            format!("http://p:8080/prometheusalert?type=wx&tpl=t&wxurl={},{}", wecom(KEY), wecom("b"));
        assert_eq!(found(&relay), [KEY, "b"]);
        let encoded = "http://p/x/prometheusalert?type=wx&wxurl=https%3A%2F%2Fmirror.example%2Fcgi-bin%2Fwebhook%2Fsend%3Fkey%3Da";
        assert_eq!(found(encoded), ["https://mirror.example/cgi-bin/webhook/send?key=a"]);
        for unnamed in ["type=wx&tpl=t", "type=wx&alertgroup=ops", "type=workwechat&wxuser=zhangsan"] {
            assert_eq!(found(&format!("http://p/prometheusalert?{unnamed}")), [""; 0]);
        }
    }

    #[test]
    fn other_webhooks_are_left_alone() {
        for url in [
            "http://chat.example/?token=x",
            "http://chat.example/send?key=secret",
            "http://p/prometheusalert?type=dd&ddurl=https://oapi.dingtalk.com/robot/send?access_token=x",
            "http://p/prometheusalert",
            "http://relay:8061/webhook/ops",
            "no url",
        ] {
            assert!(destination(url).is_none(), "{url}");
        }
    }
}
