//! The two addresses of the configuration: WeCom's API and the proxy. Both are checked when they are parsed.

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
