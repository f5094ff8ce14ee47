//! No command, log level or failure reveals a secret, plain or encoded.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    process::{Command, Stdio},
    sync::Arc,
};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use reqwest::Method;
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
};
use wecom_relay::{
    app::{PrepareOptions, Prepared},
    config,
    sandbox::{Api, Fault, Settings},
};

use crate::support::{CORP, Process, SECRET, Wecom, payload, soon};

// Each secret has characters that an encoding changes.
const WRONG_SECRET: &str = "wr0ng/S3cret+of=ops~7f3a9c";
const PROXY_PASSWORD: &str = "pr0xy/p@ss+w?rd&51d0";
const PROXY_PASSWORD_IN_URL: &str = "pr0xy%2Fp%40ss%2Bw%3Frd%2651d0";
const TOKEN: &str = "b3arer/t0ken+of=the.relay~c0de";
const PASSWORD: &str = "b4sic/p@ss+w0rd=of&am~1234";
const USER: &str = "alertmanager";

/// The secrets in every encoding in which they could appear.
struct Secrets(Vec<String>);

impl Secrets {
    fn new(more: &[String]) -> Self {
        let known = [SECRET, WRONG_SECRET, PROXY_PASSWORD, PROXY_PASSWORD_IN_URL, TOKEN, PASSWORD];
        let plain: Vec<String> = known.map(str::to_owned).iter().chain(more).cloned().collect();
        let users = [format!("{USER}:{PASSWORD}"), format!("proxyuser:{PROXY_PASSWORD}")];
        let mut forms: Vec<String> = Vec::new();
        for text in plain.iter().chain(&users) {
            let upper = percent(text);
            let json = serde_json::to_string(text).unwrap();
            forms.extend([text.clone(), upper.to_lowercase(), upper, json.trim_matches('"').to_owned()]);
            for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
                forms.push(engine.encode(text));
            }
            forms.push(format!("{:?}", text.as_bytes()).trim_matches(['[', ']']).to_owned());
        }
        Self(forms)
    }

    #[track_caller]
    fn are_not_in(&self, what: &str, text: &str) {
        for form in &self.0 {
            assert!(!text.contains(form.as_str()), "{form} is in {what}: {text}");
        }
    }
}

fn percent(text: &str) -> String {
    let encoded = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(encoded).collect()
}

/// A folder with a configuration that uses all three ways to give a secret.
struct Site {
    folder: Arc<TempDir>,
    api_url: String,
    secret: &'static str,
    app: String,
    server: String,
}

impl Site {
    fn new(wecom: &str) -> Self {
        let folder = Arc::new(TempDir::new().unwrap());
        for (name, text) in [("token", TOKEN), ("payload.json", &payload("Down", &[("a", true)]).to_string())]
        {
            let path = folder.path().join(name);
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        }
        Self {
            folder,
            api_url: format!("{wecom}/cgi-bin/"),
            secret: "api_secret_env: OPS_SECRET",
            app: String::new(),
            server: format!(
                "  auth:\n    bearer_token_file: token\n    basic_auth: {{ username: {USER}, password: '{PASSWORD}' }}\n"
            ),
        }
    }

    fn yaml(&self) -> String {
        let Self { folder, api_url, secret, app, server } = self;
        format!(
            "server:\n  listen: 127.0.0.1:0\n{server}outbox: {{ path: {}/outbox.db }}\napps:\n  - name: ops\n    \
             corp_id: {CORP}\n    agent_id: 1000002\n    {secret}\n    api_url: {api_url}\n{app}receivers:\n  \
             - {{ name: wechat, to_user: zhangsan }}\n",
            folder.path().display()
        )
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
        command
            .env_clear()
            .current_dir(self.folder.path())
            .env("OPS_SECRET", SECRET)
            .env("RUST_BACKTRACE", "1");
        command.args(args).stdin(Stdio::null());
        command
    }

    /// The output of a command to stdout and stderr.
    async fn run(&self, yaml: &str, args: &[&str]) -> String {
        fs::write(self.folder.path().join("config.yml"), yaml).unwrap();
        let mut command = self.command(&["--log-level", "trace"]);
        command.args(args);
        let ended = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let out = String::from_utf8(ended.stdout).unwrap() + &String::from_utf8(ended.stderr).unwrap();
        assert!(!out.contains("panicked"), "{args:?}: {out}");
        out
    }
}

const COMMANDS: [&[&str]; 12] = [
    &["check"],
    &["render", "--receiver", "wechat", "payload.json"],
    &["render", "--receiver", "wechat", "--json", "payload.json"],
    &["send", "--receiver", "wechat", "Hello"],
    &["outbox", "list"],
    &["outbox", "list", "--json"],
    &["outbox", "show", "1"],
    &["outbox", "show", "1", "--json"],
    &["outbox", "requeue", "--all-dead"],
    &["outbox", "discard", "1"],
    &["doctor", "--timeout", "2s"],
    &["doctor", "--timeout", "2s", "--json"],
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_reveals_a_secret_after_a_failure() {
    let wecom = Wecom::live(Settings::default()).await;
    let secrets = Secrets::new(&[wecom.token().await]);
    let mut tasks = JoinSet::new();
    let refusing = refusing_proxy(&mut tasks).await;
    let proxy =
        |address: &str| format!("    proxy_url: 'http://proxyuser:{PROXY_PASSWORD_IN_URL}@{address}'\n");
    let good = || Site::new(&wecom.url);
    let wrong = "api_secret: 'wr0ng/S3cret+of=ops~7f3a9c'";
    assert!(wrong.contains(WRONG_SECRET));
    let sites = [
        ("all is well", good()),
        ("40001", Site { secret: wrong, ..good() }),
        ("connection refused", Site::new("http://127.0.0.1:9")),
        ("no TLS at WeCom", Site::new(&wecom.url.replace("http:", "https:"))),
        ("proxy out of reach", Site { app: proxy("127.0.0.1:9"), ..good() }),
        ("proxy refuses", Site { app: proxy(&refusing), ..Site::new("https://wecom.invalid") }),
        ("proxy answers anything", Site { app: proxy(&refusing), ..good() }),
    ];
    for (fault, site) in &sites {
        let yaml = site.yaml();
        for args in COMMANDS {
            secrets.are_not_in(&format!("{args:?}, {fault}"), &site.run(&yaml, args).await);
        }
    }
    // `sandbox --print-directory` is not checked, because its purpose is to print the sandbox's secrets.
    for args in [&["help"][..], &["demo", "--once"]] {
        let site = good();
        secrets.are_not_in(&format!("{args:?}"), &site.run(&site.yaml(), args).await);
    }
}

/// A proxy that refuses the credentials.
async fn refusing_proxy(tasks: &mut JoinSet<()>) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            _ = stream.read(&mut [0; 4096]).await;
            let answer = "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
            _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

#[tokio::test]
async fn no_configuration_error_reveals_a_secret() {
    let secrets = Secrets::new(&[]);
    let site = Site::new("http://127.0.0.1:9");
    let good = Site { secret: "api_secret: 'wr0ng/S3cret+of=ops~7f3a9c'", ..Site::new("http://127.0.0.1:9") }
        .yaml()
        + "#";
    let token = format!("bearer_token: '{TOKEN}'");
    let inline = good.replace("bearer_token_file: token", &token);
    assert!(inline.contains(&token));
    let mut broken = vec![
        inline.replace(&token, &format!("bearer_token: {TOKEN}\n    bearer_token_env: {TOKEN}")),
        inline.replace(&token, &format!("bearer_token_file: '{TOKEN}'")),
        inline.replace(&token, &format!("bearer_token: ['{TOKEN}']")),
        inline.replace(&token, &format!("bearer_token: \"{TOKEN}\\q\"")),
        inline.replace(&token, &format!("bearer_token: *{TOKEN}")),
        inline.replace(&token, &format!("bearer_token:'{TOKEN}'")),
        inline.replace("password:", "pasword:"),
        inline.replace("{ username", "{{ username"),
        inline.replace("basic_auth: {", "basic_auth: ["),
        inline.replace("api_secret:", "api_secret_file:"),
        inline.replace("api_secret:", "api_secret_env:"),
        inline.replace("api_secret:", "agent_id:"),
        inline.replace(
            "agent_id: 1000002",
            &format!("proxy_url: 'ftp://proxyuser:{PROXY_PASSWORD_IN_URL}@proxy'"),
        ),
        inline
            .replace("agent_id: 1000002", &format!("proxy_url: 'http://proxyuser:{PROXY_PASSWORD}@proxy:x'")),
        inline.replace(
            "agent_id: 1000002",
            &format!("api_url: 'https://proxyuser:{PROXY_PASSWORD_IN_URL}@wecom'"),
        ),
    ];
    // The file is also cut in the middle of each secret.
    broken.extend(inline.match_indices('~').filter_map(|(at, _)| inline.get(..at)).map(str::to_owned));
    for yaml in broken {
        for args in [&["check"][..], &["serve"]] {
            let out = site.run(&yaml, args).await;
            assert!(out.contains("config.yml"), "{out}");
            secrets.are_not_in(&format!("{args:?} of {yaml}"), &out);
        }
    }
}

#[tokio::test]
async fn logs_metrics_and_responses_reveal_no_secret() {
    let wecom = Wecom::live(Settings::default()).await;
    let secrets = Secrets::new(&[wecom.token().await]);
    let site = Site::new(&wecom.url);
    let config = site.folder.path().join("config.yml");
    let mut answers = String::new();
    // Each round has another state: the sender works, then WeCom refuses the secret, then the token.
    for (round, secret) in
        [site.secret, "api_secret: 'wr0ng/S3cret+of=ops~7f3a9c'", site.secret].iter().enumerate()
    {
        fs::write(&config, Site { secret, folder: site.folder.clone(), ..Site::new(&wecom.url) }.yaml())
            .unwrap();
        let mut command =
            site.command(&["--log-format", "json", "--log-level", "trace", "serve", "--config"]);
        command.arg(&config);
        let mut relay = Process::launch(command);
        soon(relay.ready()).await;
        if round == 2 {
            for errcode in [42001, 60020] {
                wecom.sandbox.inject(Fault::errcode(errcode).on(Api::MessageSend).times(1));
            }
        }
        let body = payload(&format!("Group{round}"), &[("a", true)]).to_string();
        let basic = format!("Basic {}", STANDARD.encode(format!("{USER}:{PASSWORD}")));
        let almost = format!("Basic {}", STANDARD.encode(format!("{USER}2:{PASSWORD}")));
        for (path, authorization) in [
            ("/webhook", Some(format!("Bearer {TOKEN}"))),
            ("/webhook/wechat", Some(basic.clone())),
            ("/metrics", Some(basic)),
            ("/webhook", Some(almost)),
            ("/webhook", Some(format!("Token {TOKEN}"))),
            ("/webhook", Some(TOKEN.to_owned())),
            ("/webhook?token=b3arer%2Ft0ken%2Bof%3Dthe.relay~c0de", None),
            ("/-/ready?token=b3arer%2Ft0ken%2Bof%3Dthe.relay~c0de", None),
            ("/nowhere?token=b3arer%2Ft0ken%2Bof%3Dthe.relay~c0de", Some(format!("Bearer {TOKEN}"))),
        ] {
            for method in [Method::POST, Method::GET] {
                let mut request =
                    relay.client.request(method, format!("{}{path}", relay.url)).body(body.clone());
                if let Some(authorization) = &authorization {
                    request = request.header("Authorization", authorization);
                }
                let answer = request.send().await.unwrap();
                answers += &format!("{:?}\n", answer.headers());
                answers += &answer.text().await.unwrap();
            }
        }
        // Wait until the delivery or its failure is logged.
        if round == 0 {
            soon(wecom.sandbox.wait_for_delivered("zhangsan", 1)).await;
        } else {
            soon(wecom.sandbox.wait_until(|sandbox| match round {
                1 => sandbox.gettoken_calls() > 2,
                _ => sandbox.send_calls() > 1,
            }))
            .await;
        }
        relay.signal("TERM");
        assert!(relay.ended().await.success());
        let log = relay.log.join("\n");
        assert!(log.contains("\"TRACE\"") && log.contains("request rejected"), "{log}");
        secrets.are_not_in(&format!("the log of round {round}"), &log);
        let yaml = fs::read_to_string(&config).unwrap();
        for args in COMMANDS.iter().filter(|args| args[0] == "outbox" && args[1] != "discard") {
            let out = site.run(&yaml, args).await;
            assert!(!out.contains("there is no outbox"), "{out}");
            secrets.are_not_in(&format!("{args:?} after round {round}"), &out);
        }
    }
    assert!(
        answers.contains("wecom_relay_unauthorized_requests_total") && answers.contains("www-authenticate")
    );
    secrets.are_not_in("the answers", &answers);
    let files = fs::read_dir(site.folder.path()).unwrap().map(|entry| entry.unwrap().path());
    for path in files.filter(|path| path.to_string_lossy().contains("outbox")) {
        secrets.are_not_in("the outbox", &String::from_utf8_lossy(&fs::read(path).unwrap()));
    }
}

#[test]
fn debug_output_reveals_no_secret() {
    let mut site = Site::new("http://127.0.0.1:9");
    let pair = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = pair.signing_key.serialize_pem();
    fs::write(site.folder.path().join("tls.crt"), pair.cert.pem()).unwrap();
    fs::write(site.folder.path().join("tls.key"), &key).unwrap();
    site.server += "  tls: { cert_file: tls.crt, key_file: tls.key }\n";
    let lines: Vec<String> = key.lines().filter(|line| !line.starts_with('-')).map(str::to_owned).collect();
    let mut secrets = Secrets::new(&lines);
    let bytes = format!("{:?}", pair.signing_key.serialized_der());
    secrets.0.push(bytes.trim_matches(['[', ']']).to_owned());
    site.app = format!("    proxy_url: 'http://proxyuser:{PROXY_PASSWORD_IN_URL}@proxy.example:3128'\n");
    let env = |name: &str| (name != "SSL_CERT_FILE").then(|| SECRET.to_owned());
    let loaded = config::parse(&site.yaml(), &site.folder.path().join("config.yml"), &env).unwrap();
    secrets.are_not_in("the configuration", &format!("{loaded:?} {loaded:#?}"));
    let prepared = Prepared::new(loaded.config, PrepareOptions::default()).unwrap();
    secrets.are_not_in("the prepared configuration", &format!("{prepared:?} {prepared:#?}"));
}
