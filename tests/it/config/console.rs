//! `server.console`: accepted values and errors.

use std::time::Duration;

use super::MINIMAL;

/// [`MINIMAL`] with these keys below `server`.
fn with(server: &str) -> String {
    format!("server:\n  listen: 127.0.0.1:8061\n{server}{MINIMAL}")
}

fn problem(server: &str) -> String {
    super::parse(&with(server)).unwrap_err().to_string()
}

#[test]
fn the_console_is_on_without_any_key() {
    let console = super::parse(MINIMAL).unwrap().config.server.console;
    assert!(console.enabled && console.passwords.is_empty() && console.external_url.is_none());
    assert_eq!(console.session, Duration::from_secs(12 * 3600));
}

#[test]
fn passwords_come_from_the_file_or_the_environment() {
    for console in [
        "{ password: a-long-unreal-password }",
        "{ password_env: OPS_SECRET, viewer_password_env: OPS_SECRET, session: 30m }",
    ] {
        let parsed = super::parse(&with(&format!("  console: {console}\n"))).unwrap();
        assert!(!parsed.config.server.console.passwords.is_empty(), "{console}");
    }
}

#[test]
fn passwords_that_protect_nothing_are_refused() {
    for (console, expected) in [
        ("{ password: short }", "server.console.password: the password has fewer than 12 characters; "),
        ("{ viewer_password: short }", "server.console.viewer_password: the password has fewer than 12 "),
        ("{ password: '' }", "server.console.password: this is empty; "),
        (
            "{ password: a-long-unreal-password, password_env: OPS_SECRET }",
            "server.console.password_env: the console has more than one password; ",
        ),
        (
            "{ viewer_password: a-long-unreal-password }",
            "server.console.viewer_password: only a viewer can log in, because there is no password for operators; ",
        ),
    ] {
        let problem = problem(&format!("  console: {console}\n"));
        assert!(problem.contains(expected), "{console}: {problem}");
    }
}

#[test]
fn a_console_behind_a_proxy_needs_a_password() {
    let url = "external_url: 'https://ops.example.com/wecom'";
    let open = problem(&format!("  console: {{ {url} }}\n"));
    assert!(
        open.contains("server.console.external_url: a console behind a proxy needs a password; "),
        "{open}"
    );
    let closed = [
        format!("  console: {{ {url}, password: a-long-unreal-password }}\n"),
        format!("  auth: {{ bearer_token: not-a-real-token }}\n  console: {{ {url} }}\n"),
    ];
    for server in closed {
        let console = super::parse(&with(&server)).unwrap().config.server.console;
        assert_eq!(console.external_url.unwrap().prefix, "/wecom");
    }
    let wrong = problem("  console: { external_url: ops.example.com, password: a-long-unreal-password }\n");
    assert!(wrong.contains("is not an http or https URL; "), "{wrong}");
    let own = "external_url: 'https://ops.example.com/webhook/', password: a-long-unreal-password";
    let own = problem(&format!("  console: {{ {own} }}\n"));
    let expected = "server.console.external_url: the path begins with /webhook, which is a path of the relay itself; \
                    choose another path for the proxy, such as /wecom";
    assert!(own.contains(expected), "{own}");
}
