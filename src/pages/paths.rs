//! Relative links, so that pages work below a prefix that a proxy keeps or removes.

use axum::{
    http::{HeaderValue, StatusCode, header::LOCATION},
    response::{IntoResponse, Response},
};

/// The relative path from `path` to the root of all pages: `./`, `../`, `../../`.
pub fn root_of(path: &str) -> String {
    match path.matches('/').count().saturating_sub(1) {
        0 => "./".to_owned(),
        depth => "../".repeat(depth),
    }
}

/// True for a path below the root that leads to no other site, such as `messages/42?state=dead`.
pub fn is_page_path(path: &str) -> bool {
    let (before_query, _) = path.split_once('?').unwrap_or((path, ""));
    let is_plain = |c: char| c.is_ascii_graphic() && !matches!(c, '\\' | '"' | '<' | '>' | '#');
    !path.starts_with('/')
        && path.chars().all(is_plain)
        && !before_query.contains(':')
        && !before_query.contains("//")
        && before_query.split('/').all(|segment| !matches!(segment, "." | ".."))
}

/// Leads the browser to `path` below `root`, by GET. An unsafe path leads to the root.
pub fn redirect(root: &str, path: &str) -> Response {
    let target = if is_page_path(path) { format!("{root}{path}") } else { root.to_owned() };
    match HeaderValue::try_from(target) {
        Ok(target) => (StatusCode::SEE_OTHER, [(LOCATION, target)]).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_depend_on_the_depth_of_a_page() {
        let roots = ["/", "/messages", "/messages/42", "/messages/42/confirm"].map(root_of);
        assert_eq!(roots, ["./", "./", "../", "../../"]);
    }

    #[test]
    fn paths_to_other_sites_are_no_page_paths() {
        for good in ["", "messages", "messages/42?state=dead&q=a:b//c", "api/v1/overview"] {
            assert!(is_page_path(good), "{good}");
        }
        for bad in [
            "/messages",
            "//evil.example",
            "https://evil.example",
            "javascript:alert(1)",
            "a//evil",
            "..//x",
            "../messages",
            "\\\\evil.example",
            "messages\r\nSet-Cookie: a=b",
            "messages 2",
            "消息",
        ] {
            assert!(!is_page_path(bad), "{bad}");
        }
    }
}
