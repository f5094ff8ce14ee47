//! A browser as far as the console depends on it: cookies, `Origin`, relative links and forms.

use std::{collections::BTreeMap, time::Duration};

use reqwest::{Client, Method, Url, header};

use crate::support::{Relay, eventually};

/// The pause between two looks at a page.
pub(super) const PAUSE: Duration = Duration::from_millis(100);

pub(super) struct Browser {
    client: Client,
    root: Url,
    cookies: BTreeMap<String, String>,
    pub(super) language: &'static str,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: u16,
    pub(super) url: Url,
    pub(super) headers: header::HeaderMap,
    pub(super) text: String,
}

pub(super) struct Form {
    pub(super) path: String,
    pub(super) fields: Vec<(String, String)>,
}

impl Browser {
    /// A browser in front of `relay`, without cookies.
    pub(super) fn new(relay: &Relay) -> Self {
        Self::at(&relay.url)
    }

    /// A browser in front of the relay at `url`, without cookies.
    #[expect(clippy::disallowed_methods, reason = "the client of the tests; the relay has its own")]
    pub(super) fn at(url: &str) -> Self {
        let none = reqwest::redirect::Policy::none();
        let client = Client::builder().no_proxy().redirect(none).build().unwrap();
        Self { client, root: url.parse().unwrap(), cookies: BTreeMap::new(), language: "en" }
    }

    pub(super) fn cookies(&self) -> &BTreeMap<String, String> {
        &self.cookies
    }

    pub(super) async fn get(&mut self, path: &str) -> Page {
        self.send(Method::GET, path, &[], &[]).await
    }

    /// Loads the page until it is as `is_reached` says. It pauses, because the console limits the requests of a reader.
    pub(super) async fn wait_for(&mut self, path: &str, is_reached: impl Fn(&Page) -> bool) -> Page {
        let page = async || {
            tokio::time::sleep(PAUSE).await;
            self.get(path).await
        };
        eventually(page, is_reached).await
    }

    /// Loads a page, and waits before if the console says so.
    pub(super) async fn get_patiently(&mut self, path: &str) -> Page {
        loop {
            let page = self.get(path).await;
            let Some(seconds) = page.headers.get(header::RETRY_AFTER) else { return page };
            let seconds = seconds.to_str().unwrap().parse().unwrap();
            tokio::time::sleep(Duration::from_secs(seconds)).await;
        }
    }

    /// Sends a request as a page of the console does. `headers` replace or add headers; an empty value removes one.
    pub(super) async fn send(
        &mut self,
        method: Method,
        path: &str,
        fields: &[(String, String)],
        headers: &[(&str, &str)],
    ) -> Page {
        let url = self.root.join(path).unwrap();
        let mut all: BTreeMap<String, String> = BTreeMap::new();
        all.insert("accept-language".to_owned(), self.language.to_owned());
        let cookies: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            all.insert("cookie".to_owned(), cookies.join("; "));
        }
        if method == Method::POST {
            all.insert("origin".to_owned(), self.root.as_str().trim_end_matches('/').to_owned());
            all.insert("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
        }
        for (name, value) in headers {
            all.insert((*name).to_owned(), (*value).to_owned());
        }
        let mut request = self.client.request(method, url.clone());
        for (name, value) in all.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(name, value);
        }
        let pairs = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value)));
        let answer = request.body(pairs.collect::<Vec<_>>().join("&")).send().await.unwrap();
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        for cookie in headers.get_all(header::SET_COOKIE) {
            let cookie = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = cookie.split_once('=').unwrap();
            match value {
                "" => drop(self.cookies.remove(name)),
                value => drop(self.cookies.insert(name.to_owned(), value.to_owned())),
            }
        }
        Page { status, url, headers, text: answer.text().await.unwrap() }
    }

    /// Follows a redirect, which must be relative.
    pub(super) async fn follow(&mut self, page: &Page) -> Page {
        let target = page.location();
        let url = page.url.join(target).unwrap();
        assert!(!target.contains("://") && !target.starts_with('/'), "{target} is not relative");
        self.get(url.as_str()).await
    }

    pub(super) async fn log_in(&mut self, password: &str) -> Page {
        let fields = [("password".to_owned(), password.to_owned())];
        self.send(Method::POST, "/login", &fields, &[]).await
    }
}

fn encoded(text: &str) -> String {
    wecom_relay::text::percent_encode(text)
}

impl Page {
    pub(super) fn location(&self) -> &str {
        assert!(matches!(self.status, 303 | 308), "{}: {}", self.status, self.text);
        self.headers[header::LOCATION].to_str().unwrap()
    }

    /// The values of an attribute, in the order of the page.
    pub(super) fn attributes(&self, name: &str) -> Vec<String> {
        let begin = format!(" {name}=\"");
        let pieces = self.text.split(&begin).skip(1);
        pieces.map(|piece| unescaped(piece.split('"').next().unwrap())).collect()
    }

    /// The form whose action ends with `action`.
    pub(super) fn form(&self, action: &str) -> Option<Form> {
        let forms = self.text.split("<form ").skip(1).map(|form| form.split("</form>").next().unwrap());
        let mut forms = forms.filter(|form| attribute(form, "action").is_some_and(|to| to.ends_with(action)));
        let form = forms.next()?;
        let path = self.url.join(&attribute(form, "action")?).unwrap().to_string();
        let inputs = form.split("<input ").skip(1);
        let fields = inputs.filter_map(|input| Some((attribute(input, "name")?, attribute(input, "value")?)));
        Some(Form { path, fields: fields.collect() })
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let tag = tag.split('>').next().unwrap();
    let (_, rest) = tag.split_once(&format!("{name}=\""))?;
    Some(unescaped(rest.split('"').next().unwrap()))
}

fn unescaped(text: &str) -> String {
    let pairs =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&amp;", "&")];
    pairs.iter().fold(text.to_owned(), |text, (escaped, plain)| text.replace(escaped, plain))
}
