//! `apps[].callback` and `server.callback_listen`: accepted values, errors and warnings.

use super::{MINIMAL, load_in_folder, parse, warnings};

const TOKEN: &str = "NotARealToken";
const KEY: &str = "NotARealKeyNotARealKeyNotARealKeyNotARealKe";

/// [`MINIMAL`] with these keys of the callback.
fn with(callback: &str) -> String {
    let secret = "    api_secret: not-a-real-secret\n";
    MINIMAL.replace(secret, &format!("{secret}    callback: {{ {callback} }}\n"))
}

fn good() -> String {
    with(&format!("token: {TOKEN}, encoding_aes_key: {KEY}"))
}

fn problems(callback: &str) -> String {
    let problems = parse(&with(callback)).unwrap_err().to_string();
    assert!(!problems.contains("S3cr3t"), "{problems}");
    problems
}

#[test]
fn token_and_key_come_from_the_file_or_from_secret_files() {
    assert!(parse(&good()).unwrap().config.apps[0].callback.is_some());
    assert!(parse(MINIMAL).unwrap().config.apps[0].callback.is_none());
    let yaml = with("token_file: token, encoding_aes_key_file: key");
    let key = format!("\u{feff}{KEY}\r\n");
    let (_folder, loaded) =
        load_in_folder(&[("config.yml", &yaml), ("token", "NotARealToken\n"), ("key", &key)]);
    assert!(loaded.unwrap().config.apps[0].callback.is_some());
}

#[test]
fn mistakes_say_what_would_be_right() {
    let both = format!("token: {TOKEN}, encoding_aes_key: {KEY}");
    let longer = both.replace(TOKEN, &"S3cr3t".repeat(6));
    let shorter = both.replace(KEY, "S3cr3tKey");
    let odd = both.replace(KEY, &format!("S3cr3t+/{}", "a".repeat(35)));
    for (callback, expected) in [
        (
            "",
            vec![
                "apps[0].callback.token: the callback has no token; set exactly one of token, token_file and token_env",
                "apps[0].callback.encoding_aes_key: the callback has no key; set exactly one of encoding_aes_key, ",
            ],
        ),
        (
            longer.as_str(),
            vec![
                "this is not a Token of a callback, because it has 36 characters; write 1 to 32 letters and digits",
            ],
        ),
        (
            &shorter,
            vec![
                "this is not an EncodingAESKey, because it has 9 characters; write the 43 letters and digits",
            ],
        ),
        (
            &odd,
            vec![
                "because it has characters that are neither letters nor digits; write the 43 letters and digits",
            ],
        ),
        (&both.replace("token:", "Token:"), vec!["unknown key; did you mean token?"]),
        (&format!("{both}, token_env: S3cr3t"), vec!["the callback has more than one token"]),
    ] {
        let problems = problems(callback);
        for text in expected {
            assert!(problems.contains(text), "{text} is not in {problems}");
        }
    }
}

#[test]
fn the_address_of_the_callback_is_another_one() {
    let server = |keys: &str| format!("server: {{ listen: '127.0.0.1:8061', {keys} }}\n{}", good());
    let config = parse(&server("callback_listen: '127.0.0.1:8063'")).unwrap().config;
    assert_eq!(config.server.callback_listen, Some("127.0.0.1:8063".parse().unwrap()));
    assert_eq!(parse(&good()).unwrap().config.server.callback_listen, None);
    // These only look like the path of a callback.
    for path in ["/callbacks", "/callback-ops", "/callback/ops/wecom"] {
        let config =
            parse(&server(&format!("callback_external_url: 'https://a.example{path}'"))).unwrap().config;
        assert_eq!(config.server.callback_external_url.unwrap().prefix, path);
    }
    for (keys, expected) in [
        (
            "callback_listen: '127.0.0.1:8061'",
            "server.callback_listen: server.listen is 127.0.0.1:8061 too; choose another port",
        ),
        ("callback_listen: 8063", "\"8063\" is not an address to listen on; write an IP address and a port"),
        (
            "callback_external_url: callback.example.com",
            "is not an http or https URL; write the beginning of the URL",
        ),
        (
            "callback_external_url: https://callback.example.com/wecom/callback/ops",
            "server.callback_external_url: this is the whole URL, and /callback/NAME would be added to it; write only its \
             beginning: https://callback.example.com/wecom",
        ),
        (
            "callback_external_url: https://callback.example.com/callback/",
            "only its beginning: https://callback.example.com",
        ),
    ] {
        let problems = parse(&server(keys)).unwrap_err().to_string();
        assert!(problems.contains(expected), "{problems}");
    }
}

#[test]
fn a_listener_without_a_callback_is_a_warning() {
    let server = "server: { listen: '127.0.0.1:8061', callback_listen: '127.0.0.1:8063' }\n";
    let warned = warnings(&format!("{server}{MINIMAL}"));
    assert!(warned.contains("there is a callback_listen, and no app has a callback"), "{warned}");
    assert_eq!(warnings(&format!("{server}{}", good())), "");
}

#[test]
fn a_callback_that_asks_for_certificates_is_a_warning() {
    let own = rcgen::generate_simple_self_signed(vec!["relay".to_owned()]).unwrap();
    let (certificate, key) = (own.cert.pem(), own.signing_key.serialize_pem());
    let tls = "tls: { cert_file: tls.crt, key_file: tls.key, client_ca_file: tls.crt }";
    let load = |more: &str| {
        let yaml = format!("server: {{ listen: '127.0.0.1:8061', {tls}{more} }}\n{}", good());
        let files = [("config.yml", yaml.as_str()), ("tls.crt", &certificate), ("tls.key", &key)];
        let (_folder, loaded) = load_in_folder(&files);
        let warnings: Vec<_> = loaded.unwrap().warnings.iter().map(ToString::to_string).collect();
        warnings.join("\n")
    };
    assert!(load("").contains("apps[0]: WeCom cannot reach the callback"), "{}", load(""));
    assert_eq!(load(", callback_listen: '127.0.0.1:8063'"), "");
}
