//! The addresses of the configuration: WeCom's API, the webhook URL of a robot, and the proxy. All are checked when they
//! are parsed.

use std::fmt;

use reqwest::Url;

use crate::secret::Secret;

/// An address cannot be used. The text says what would be right, and quotes nothing of the address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AddressError(String);

/// The address of WeCom's API. It ends with `/cgi-bin/`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ApiUrl(Url);

const WECOM_HOST: &str = "qyapi.weixin.qq.com";
const API_EXAMPLE: &str = "write it like https://qyapi.weixin.qq.com/cgi-bin/";
const PROXY_EXAMPLE: &str = "write it like http://user:password@proxy.example.com:3128";

impl ApiUrl {
    /// Parses an address with or without `/cgi-bin/` at its end. A path before that is allowed, for reverse proxies.
    ///
    /// # Errors
    /// [`AddressError`] if this cannot be the address of WeCom's API.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let mut url = parse(text, &["https", "http"], API_EXAMPLE)?;
        let wrong = |what: &str| Err(AddressError(format!("{what}: {API_EXAMPLE}")));
        if !url.username().is_empty() || url.password().is_some() {
            return wrong("it must not contain a user or password");
        }
        if url.query().is_some() || url.fragment().is_some() {
            return wrong("it must not contain a ? or #");
        }
        if url.scheme() == "http" && url.host_str() == Some(WECOM_HOST) {
            return wrong("WeCom accepts https only");
        }
        let path = url.path().trim_end_matches('/');
        let prefix = path.strip_suffix("/cgi-bin").unwrap_or(path);
        if prefix.split('/').any(|part| part == "cgi-bin") {
            return wrong("nothing may follow /cgi-bin/");
        }
        let path = format!("{prefix}/cgi-bin/");
        url.set_path(&path);
        Ok(Self(url))
    }

    /// The URL of the call `name`.
    pub fn call(&self, name: &str) -> Url {
        let mut url = self.0.clone();
        let path = format!("{}{name}", url.path());
        url.set_path(&path);
        url
    }

    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The webhook URL of a robot.
#[derive(Debug, Clone)]
pub struct WebhookUrl {
    pub key: Secret,
    /// `None` if only the key is written.
    pub api_url: Option<ApiUrl>,
}

impl WebhookUrl {
    /// Parses a webhook URL, or the key alone.
    ///
    /// # Errors
    /// [`AddressError`] if this cannot be a webhook URL or a key.
    pub fn parse(text: &Secret) -> Result<Self, AddressError> {
        let wrong = |what: &str| AddressError(format!("{what}: {WEBHOOK_EXAMPLE}"));
        let text = text.expose().trim();
        if !text.contains(['/', '?', '=']) {
            return Ok(Self { key: checked_key(text).ok_or_else(|| wrong(NOT_A_KEY))?, api_url: None });
        }
        let mut url = parse(text, &["https", "http"], WEBHOOK_EXAMPLE)?;
        let key = url.query_pairs().find(|(name, _)| name == "key").map(|(_, key)| key.into_owned());
        let key = key.filter(|key| !key.is_empty()).ok_or_else(|| wrong("the URL has no key= in it"))?;
        let key = checked_key(&key).ok_or_else(|| wrong(NOT_A_KEY))?;
        let prefix = url.path().trim_end_matches('/').strip_suffix("/webhook/send");
        let prefix = prefix.ok_or_else(|| wrong("this is not the webhook URL of a robot"))?.to_owned();
        url.set_path(&prefix);
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self { key, api_url: Some(ApiUrl::parse(url.as_str())?) })
    }
}

const WEBHOOK_EXAMPLE: &str = "write the webhook URL as the group shows it, \
                               https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=…, or the part after key= alone";
const NOT_A_KEY: &str = "a key has only letters, digits, - and _";

fn checked_key(key: &str) -> Option<Secret> {
    let is_valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    (!key.is_empty() && key.chars().all(is_valid)).then(|| Secret::new(key))
}

/// The address of a proxy, with user and password if the proxy requires them. `Display` and `Debug` leave them out.
#[derive(Debug, Clone)]
pub struct ProxyUrl {
    url: Secret,
    shown: String,
}

impl ProxyUrl {
    /// Parses the address of an HTTP or SOCKS5 proxy. With `socks5h` the proxy resolves host names.
    ///
    /// # Errors
    /// [`AddressError`] if this cannot be the address of a proxy.
    pub fn parse(text: &Secret) -> Result<Self, AddressError> {
        let url = parse(text.expose(), &["http", "https", "socks5", "socks5h"], PROXY_EXAMPLE)?;
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(AddressError(format!("nothing may follow its host and port: {PROXY_EXAMPLE}")));
        }
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let shown = format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default());
        Ok(Self { url: Secret::new(url.as_str()), shown })
    }

    /// The address with user and password.
    pub fn expose(&self) -> &str {
        self.url.expose()
    }

    /// A digest that changes with the address and does not reveal it.
    pub fn fingerprint(&self) -> String {
        self.url.fingerprint()
    }

    /// The password as the address contains it, for redaction.
    pub(super) fn password(&self) -> Option<Secret> {
        let url = Url::parse(self.expose()).ok()?;
        url.password().map(Secret::new)
    }
}

impl fmt::Display for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn parse(text: &str, schemes: &[&str], example: &str) -> Result<Url, AddressError> {
    let text = text.trim();
    if !text.contains("://") {
        return Err(AddressError(format!("it must start with {}: {example}", or(schemes, "://"))));
    }
    let url = Url::parse(text).map_err(|error| AddressError(format!("not a URL ({error}): {example}")))?;
    if !schemes.contains(&url.scheme()) {
        return Err(AddressError(format!("it must start with {}: {example}", or(schemes, "://"))));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(AddressError(format!("the host is missing: {example}")));
    }
    Ok(url)
}

fn or(words: &[&str], after: &str) -> String {
    words.iter().map(|word| format!("{word}{after}")).collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(text: &str) -> Result<ProxyUrl, AddressError> {
        ProxyUrl::parse(&Secret::new(text))
    }

    #[test]
    fn an_api_url_may_omit_cgi_bin() {
        for (written, whole) in [
            ("https://qyapi.weixin.qq.com", "https://qyapi.weixin.qq.com/cgi-bin/"),
            (" https://qyapi.weixin.qq.com/ ", "https://qyapi.weixin.qq.com/cgi-bin/"),
            ("https://qyapi.weixin.qq.com/cgi-bin", "https://qyapi.weixin.qq.com/cgi-bin/"),
            ("https://qyapi.weixin.qq.com/cgi-bin/", "https://qyapi.weixin.qq.com/cgi-bin/"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/cgi-bin/"),
            ("https://gate.example.com/wecom/", "https://gate.example.com/wecom/cgi-bin/"),
            ("https://gate.example.com/wecom/cgi-bin/", "https://gate.example.com/wecom/cgi-bin/"),
        ] {
            assert_eq!(ApiUrl::parse(written).unwrap().as_str(), whole);
        }
        let url = ApiUrl::parse("https://qyapi.weixin.qq.com").unwrap();
        assert_eq!(url.call("message/send").as_str(), "https://qyapi.weixin.qq.com/cgi-bin/message/send");
    }

    #[test]
    fn a_wrong_api_url_is_explained() {
        for (written, what) in [
            ("qyapi.weixin.qq.com", "must start with https:// or http://"),
            ("ftp://qyapi.weixin.qq.com", "must start with https:// or http://"),
            ("http://qyapi.weixin.qq.com", "WeCom accepts https only"),
            ("https://", "not a URL"),
            ("https://qyapi.weixin.qq.com/cgi-bin/message/send", "nothing may follow /cgi-bin/"),
            ("https://qyapi.weixin.qq.com/cgi-bin/?corpsecret=s3cr3t", "? or #"),
            ("https://me:s3cr3t@qyapi.weixin.qq.com", "user or password"),
        ] {
            let error = ApiUrl::parse(written).unwrap_err().to_string();
            assert!(error.contains(what) && error.contains(API_EXAMPLE), "{error}");
            assert!(!error.contains("s3cr3t"), "{error}");
        }
    }

    #[test]
    fn a_robot_has_a_key_or_a_whole_webhook_url() {
        let key = "693a91f6-7xxx-4bc4-97a0-0ec2sifa5aaa";
        for (written, api_url) in [
            (key.to_owned(), None),
            (
                format!(" https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={key} "),
                Some("https://qyapi.weixin.qq.com/cgi-bin/"),
            ),
            (
                format!("https://gate.example.com/wecom/cgi-bin/webhook/send/?debug=1&key={key}#x"),
                Some("https://gate.example.com/wecom/cgi-bin/"),
            ),
        ] {
            let webhook = WebhookUrl::parse(&Secret::new(written)).unwrap();
            assert_eq!(webhook.key.expose(), key);
            assert_eq!(webhook.api_url.as_ref().map(ApiUrl::as_str), api_url);
        }
    }

    #[test]
    fn a_wrong_webhook_url_is_explained_without_its_key() {
        for (written, what) in [
            ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?k=s3cr3t", "no key="),
            ("https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=", "no key="),
            ("https://qyapi.weixin.qq.com/cgi-bin/message/send?key=s3cr3t", "not the webhook URL"),
            ("https://oapi.dingtalk.com/robot/send?access_token=s3cr3t", "no key="),
            ("http://qyapi.weixin.qq.com/cgi-bin/webhook/send?key=s3cr3t", "WeCom accepts https only"),
            ("key=s3cr3t", "must start with https:// or http://"),
            ("s3cr3t…", "a key has only letters"),
        ] {
            let error = WebhookUrl::parse(&Secret::new(written)).unwrap_err().to_string();
            assert!(error.contains(what) && !error.contains("s3cr3t"), "{error}");
        }
    }

    #[test]
    fn a_proxy_is_shown_without_its_password() {
        for text in ["http://me:s3cr3t@proxy:3128", "https://proxy/", "socks5://me:s3cr3t@10.0.0.1:1080"] {
            let proxy = proxy(text).unwrap();
            assert!(!format!("{proxy:?} {proxy}").contains("s3cr3t"), "{proxy:?}");
        }
        assert_eq!(proxy("socks5h://me:s3cr3t@[::1]:1080").unwrap().to_string(), "socks5h://[::1]:1080");
    }

    #[test]
    fn a_wrong_proxy_is_explained_without_its_password() {
        for text in [
            "me:s3cr3t@proxy:3128",
            "ftp://me:s3cr3t@proxy",
            "http://me:s3cr3t@proxy/path",
            "http://me:s3cr3t@:x",
        ] {
            let error = proxy(text).unwrap_err().to_string();
            assert!(error.contains(PROXY_EXAMPLE) && !error.contains("s3cr3t"), "{error}");
        }
    }
}
