//! The page Templates: an editor with the place of a mistake, and the messages that members would get.

use std::{fs, path::Path, pin::pin, process::Command, time::Duration};

use serde_json::json;
use wecom_relay::{app::Tuning, config, outbox::State};

use super::{Browser, Look, PHONE, desk::Desk};
use crate::support::{Options, eventually, payload, soon};

/// Runs longer than any test.
const ENDLESS: &str = "{% for a in range(end=1000) %}{% for b in range(end=1000) %}{% for c in range(end=1000) %}\
                       {% endfor %}{% endfor %}{% endfor %}";

/// Replaces the text of the editor, as pasting does.
async fn write(browser: &Browser, text: &str) {
    let body = "const editor = document.getElementById('template'); editor.focus(); editor.select();
        document.execCommand('insertText', false, arguments[0])";
    browser.script(body, &[json!(text)]).await;
}

/// The sources of all messages of the preview.
async fn sources(browser: &Browser) -> Vec<String> {
    let body = "return [...document.querySelectorAll('#result .part details pre')].map(source => source.textContent)";
    let found = browser.script(body, &[]).await;
    found.as_array().unwrap().iter().map(|source| source.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_phone_shows_the_preview_on_its_first_screen() {
    let Some(desk) = Desk::open(Options::default(), &Look { size: PHONE, ..Look::default() }).await else {
        return;
    };
    let browser = &desk.browser;
    desk.goto("templates").await;
    let place = "const part = document.querySelector('#result .part').getBoundingClientRect();
        const tabs = document.querySelector('.tabs').getBoundingClientRect();
        return [part.top, tabs.top]";
    let place = browser.script(place, &[]).await;
    assert!(place[0].as_f64() < place[1].as_f64(), "{place}");
    // The editor grows with its text, up to a bound.
    let rows = "return document.getElementById('template').rows";
    for (lines, expected) in [(1, 3), (9, 10), (40, 18)] {
        write(browser, &vec!["x"; lines].join("\n")).await;
        assert_eq!(browser.script(rows, &[]).await, expected);
    }
    desk.finish().await;
}

#[tokio::test]
async fn a_meter_shows_the_used_bytes_of_a_message() {
    let Some(desk) = Desk::open(Options::default(), &Look { language: "zh-CN", ..Look::default() }).await
    else {
        return;
    };
    let browser = &desk.browser;
    desk.goto("templates").await;
    write(browser, &"一".repeat(500)).await;
    browser.see("#result h2", "1500 / 2048 字节").await;
    let meter = "const meter = document.querySelector('#result meter'); return [meter.value, meter.max]";
    assert_eq!(browser.script(meter, &[]).await, json!([1500, 2048]));
    desk.finish().await;
}

#[tokio::test]
async fn a_mistake_is_underlined_at_its_character() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("templates").await;
    let text = "第一行 😀😀 x\n【告警】😀 {{ no_such.thing }} 之后";
    write(browser, text).await;
    browser.see("#result", "line 2, column 10").await;
    let marked =
        "const marks = document.getElementById('template-marks'), mark = marks.querySelector('mark');
        return mark && [marks.firstChild.data, mark.textContent]";
    let (before, _) = text.split_once("no_such").unwrap();
    let expected = json!([before, "no_such.thing"]);
    eventually(async || browser.script(marked, &[]).await, |marked| *marked == expected).await;
    let lines = "return document.getElementById('template-lines').textContent";
    assert_eq!(browser.script(lines, &[]).await, "1\n2");
    // The marks have the letters and lines of the field, so they are under the same characters.
    let differences = "const names = ['fontFamily', 'fontSize', 'lineHeight', 'letterSpacing', 'tabSize', 'whiteSpace',
            'paddingTop', 'paddingLeft'];
        const [left, right] = ['template', 'template-marks'].map(id => getComputedStyle(document.getElementById(id)));
        const [a, b] = ['template', 'template-marks'].map(id => document.getElementById(id).getBoundingClientRect());
        return names.filter(name => left[name] !== right[name])
            .concat(Math.abs(a.left - b.left) > 0.5 || Math.abs(a.top - b.top) > 0.5 ? ['place'] : []);";
    assert_eq!(browser.script(differences, &[]).await, json!([]));
    browser.click("#result a.place").await;
    let selected = "const editor = document.getElementById('template');
        return editor.value.slice(editor.selectionStart, editor.selectionEnd)";
    assert_eq!(browser.script(selected, &[]).await, "no_such.thing");
    write(browser, "{{ status }}").await;
    eventually(async || browser.script(marked, &[]).await, |marked| marked.is_null()).await;
    desk.finish().await;
}

#[tokio::test]
async fn an_input_method_composes_undisturbed() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("templates").await;
    write(browser, "a").await;
    let value = "return document.getElementById('template').value";
    for text in ["n", "ni", "nih"] {
        let composed = json!({ "text": text, "selectionStart": text.len(), "selectionEnd": text.len() });
        browser.session.devtools("Input.imeSetComposition", composed).await;
        assert_eq!(browser.script(value, &[]).await, format!("a{text}"));
    }
    browser.session.devtools("Input.insertText", json!({ "text": "你好" })).await;
    assert_eq!(browser.script(value, &[]).await, "a你好");
    eventually(async || sources(browser).await, |sources| sources == &["a你好"]).await;
    desk.finish().await;
}

#[tokio::test]
async fn the_preview_is_what_render_prints_and_members_get() {
    let template = "{% for alert in alerts %}【{{ alert.status }}】{{ alert.labels.instance }}：{{ commonLabels.alertname }} <b> & “x”\n{% endfor %}";
    let receivers = format!(
        "  - name: wechat\n    to_user: zhangsan\n    message: {}\n",
        serde_json::Value::from(template)
    );
    let Some(desk) = Desk::open(Options { receivers, ..Options::default() }, &Look::default()).await else {
        return;
    };
    let browser = &desk.browser;
    // 60 alerts need more than one part.
    let names: Vec<String> = (0..60).map(|number| format!("数据库节点-{number}")).collect();
    let alerts: Vec<(&str, bool)> = names.iter().map(|name| (name.as_str(), true)).collect();
    let payload = payload("磁盘已满", &alerts);
    desk.relay.post(&payload).await;
    let delivered = desk.relay.settled(2).await;
    assert!(delivered.iter().all(|one| one.state == State::Delivered), "{delivered:?}");
    let received = desk.phone(delivered.len()).await;
    desk.goto(&format!("messages/{}", delivered[0].id.0)).await;
    browser.click("a[href*='templates?receiver=wechat&data=received-0']").await;
    browser.see("h1", "Templates").await;
    assert_eq!(sources(browser).await, received);
    let file = desk.relay.folder.path().join("payload.json");
    fs::write(&file, payload.to_string()).unwrap();
    assert_eq!(
        render(&desk.relay.folder.path().join("config.yml"), &file).await,
        received.join("\n\n") + "\n"
    );
    // A draft of the same text is the same.
    desk.goto("templates?data=received-0").await;
    write(browser, "another draft").await;
    eventually(async || sources(browser).await, |sources| *sources == ["another draft"]).await;
    write(browser, template).await;
    eventually(async || sources(browser).await, |sources| *sources == received).await;
    desk.finish().await;
}

/// The messages that the command prints.
async fn render(config: &Path, payload: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_wecom-relay"));
    command.arg("--config").arg(config).args(["render", "--receiver", "wechat"]).arg(payload);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The processes of this test that render drafts.
fn drafts() -> usize {
    let own = format!("PPid:\t{}\n", std::process::id());
    let is_draft = |folder: &Path| {
        fs::read_to_string(folder.join("status")).is_ok_and(|status| status.contains(&own))
            && fs::read_to_string(folder.join("cmdline")).is_ok_and(|line| line.contains("render-draft"))
    };
    let processes = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    processes.filter(|process| is_draft(&process.path())).count()
}

#[tokio::test]
async fn endless_drafts_end_and_disturb_nobody() {
    let tuning = Tuning { draft_limit: Duration::from_secs(2), ..Options::default().tuning };
    let Some(desk) = Desk::open(Options { tuning, ..Options::default() }, &Look::default()).await else {
        return;
    };
    let browser = &desk.browser;
    desk.goto("templates").await;
    let post = "const [template, done] = arguments, form = new FormData(document.getElementById('draft'));
        form.set('template', template);
        const send = () => fetch('templates', { method: 'POST', body: new URLSearchParams(form) })
            .then(async answer => [answer.status, await answer.text()]);
        Promise.all(Array.from({ length: 6 }, send)).then(done, error => done(String(error)));";
    let arguments = [json!(ENDLESS)];
    let alerts = async {
        eventually(async || drafts(), |drafts| *drafts > 0).await;
        for number in 1..=10 {
            desk.relay.post(&payload(&format!("DiskFull{number}"), &[("node-7", true)])).await;
            desk.phone(number).await;
        }
    };
    let answers = {
        let mut answers = pin!(browser.script_with_callback(post, &arguments));
        tokio::select! {
            () = alerts => {}
            _ = &mut answers => panic!("the drafts ended before the alerts were delivered"),
        }
        answers.await
    };
    let answers = answers.as_array().unwrap();
    assert_eq!(answers.len(), 6);
    for answer in answers {
        let text = answer[1].as_str().unwrap();
        let is_ended = answer[0] == 200 && text.contains("did not end within 2 s");
        let is_busy = answer[0] == 429 && text.contains("too many drafts are rendered at once");
        assert!(is_ended || is_busy, "{answer}");
    }
    eventually(async || drafts(), |drafts| *drafts == 0).await;
    write(browser, ENDLESS).await;
    browser.see("#result", "did not end within 2 s").await;
    browser.assert_only_status(429).await;
    browser.reload().await;
    let value = async || browser.script("return document.getElementById('template').value", &[]).await;
    eventually(value, |value| *value == ENDLESS).await;
    desk.finish().await;
}

/// Clicks a button that copies, and waits until it has copied.
async fn copy(browser: &Browser, selector: &str) {
    // The button says so for two seconds only, which a slow machine may miss.
    let watch = "const button = document.querySelector(arguments[0]);
        window.hasCopied = false;
        new MutationObserver(() => { window.hasCopied ||= button.textContent === 'Copied'; })
            .observe(button, { childList: true });";
    browser.script(watch, &[json!(selector)]).await;
    browser.click(selector).await;
    eventually(async || browser.script("return window.hasCopied", &[]).await, |copied| *copied == true).await;
}

#[tokio::test]
async fn the_copied_yaml_has_the_same_template() {
    let Some(desk) = Desk::open(Options::default(), &Look::default()).await else { return };
    let browser = &desk.browser;
    desk.goto("templates").await;
    for template in
        ["{{ status }} 'a' \"b\": #c\n\t- d  \n\n磁盘 \\n 😀  ", "  - {{ status }}\n", "'{{ status }}'"]
    {
        write(browser, template).await;
        let of = "return document.querySelectorAll('#result button.copy')[1].dataset.copy";
        eventually(async || browser.script(of, &[]).await, |of| *of == template).await;
        copy(browser, "#result button.copy").await;
        // The clipboard is pasted into another field.
        browser.script("document.getElementById('payload-json').open = true", &[]).await;
        browser.script("document.getElementById('payload').value = ''", &[]).await;
        browser.type_into("#payload", "\u{e009}v").await;
        let copied = "return document.getElementById('payload').value";
        let copied = eventually(async || browser.script(copied, &[]).await, |copied| *copied != "").await;
        assert_eq!(read_back(copied.as_str().unwrap()), template);
        desk.goto("templates").await;
    }
    desk.finish().await;
}

/// The template of a receiver with these lines in its configuration.
fn read_back(lines: &str) -> String {
    let yaml = format!(
        "apps:\n  - name: ops\n    corp_id: ww1234567890abcdef\n    agent_id: 1000002\n    api_secret: not-a-real-secret\n\
         receivers:\n  - name: wechat\n    to_user: zhangsan\n{lines}"
    );
    let loaded = config::parse(&yaml, Path::new("config.yml"), &|_| None)
        .unwrap_or_else(|error| panic!("{error}\n{yaml}"));
    loaded.config.receivers[0].message.value.text.clone()
}

#[tokio::test]
async fn a_draft_is_sent_to_a_member_who_is_named() {
    let look = Look { size: PHONE, has_scripts: false, ..Look::default() };
    let Some(desk) = Desk::open(Options::default(), &look).await else { return };
    let browser = &desk.browser;
    desk.goto("templates").await;
    browser.clear("#template").await;
    browser.type_into("#template", "draft of {{ commonLabels.alertname }}").await;
    browser.click("#send-draft").await;
    browser.see("main", "Name the user ids of the members").await;
    browser.assert_only_status(400).await;
    desk.goto("templates").await;
    browser.clear("#template").await;
    browser.type_into("#template", "draft of {{ commonLabels.alertname }}").await;
    browser.type_into("[name=to]", "lisi").await;
    browser.click("#send-draft").await;
    browser.see("main", "user lisi").await;
    assert_eq!(desk.wecom.sandbox.send_calls(), 0);
    browser.click("form[action$='templates/send'] button.main").await;
    browser.see("main", "draft of a template for receiver wechat").await;
    let shown = soon(desk.wecom.sandbox.wait_for_delivered("lisi", 1)).await;
    assert!(shown[0].text.starts_with("draft of "), "{shown:?}");
    desk.finish().await;
}
