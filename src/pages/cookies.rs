//! Cookies of a request.

use axum::http::{HeaderMap, header::COOKIE};

/// The value of the first cookie with this name that `is_valid` accepts.
pub fn cookie<'h>(headers: &'h HeaderMap, name: &str, is_valid: impl Fn(&str) -> bool) -> Option<&'h str> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let values = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value);
    values.into_iter().find(|value| is_valid(value))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn the_first_valid_cookie_of_a_name_is_found() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("a=1; b=2;c=3"));
        headers.append(COOKIE, HeaderValue::from_static("b=4"));
        assert_eq!(cookie(&headers, "b", |_| true), Some("2"));
        assert_eq!(cookie(&headers, "b", |value| value == "4"), Some("4"));
        assert_eq!(cookie(&headers, "d", |_| true), None);
    }
}
