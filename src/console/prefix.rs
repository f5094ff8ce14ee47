//! The prefix of `server.console.external_url`, which a proxy keeps or removes.

use axum::{
    extract::Request,
    http::{HeaderValue, StatusCode, Uri, header::LOCATION, uri::PathAndQuery},
    response::{IntoResponse, Response},
};

/// Removes `prefix` from the path of `request`, if it is there. The prefix alone has no slash at its end, so its links would
/// lead to the wrong place; then the answer is a redirect.
pub(super) fn remove(request: &mut Request, prefix: &str) -> Option<Response> {
    if prefix.is_empty() {
        return None;
    }
    let rest = request.uri().path().strip_prefix(prefix)?;
    if rest.is_empty() {
        let name = prefix.rsplit('/').next().unwrap_or_default();
        let location = HeaderValue::try_from(format!("./{name}/")).ok()?;
        return Some((StatusCode::PERMANENT_REDIRECT, [(LOCATION, location)]).into_response());
    }
    if !rest.starts_with('/') {
        return None;
    }
    let query = request.uri().query().map(|query| format!("?{query}")).unwrap_or_default();
    let mut parts = request.uri().clone().into_parts();
    parts.path_and_query = PathAndQuery::try_from(format!("{rest}{query}")).ok();
    if let Ok(uri) = Uri::from_parts(parts) {
        *request.uri_mut() = uri;
    }
    None
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn path(path: &str) -> Result<String, String> {
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        match remove(&mut request, "/a/wecom") {
            Some(redirect) => Err(redirect.headers()[LOCATION].to_str().unwrap().to_owned()),
            None => Ok(request.uri().to_string()),
        }
    }

    #[test]
    fn a_kept_prefix_is_removed_and_other_paths_stay() {
        assert_eq!(path("/a/wecom/messages?q=1"), Ok("/messages?q=1".to_owned()));
        assert_eq!(path("/a/wecom/"), Ok("/".to_owned()));
        assert_eq!(path("/messages"), Ok("/messages".to_owned()));
        assert_eq!(path("/a/wecomx"), Ok("/a/wecomx".to_owned()));
        assert_eq!(path("/a/wecom"), Err("./wecom/".to_owned()));
    }
}
