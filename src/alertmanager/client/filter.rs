//! Matchers as Alertmanager writes them: `name="value"`.

use super::super::Matchers;

/// One parameter `filter` for each matcher.
pub(super) fn filters(matchers: &Matchers) -> Vec<String> {
    matchers.iter().map(|(name, value)| format!("{}={}", name_of(name), quoted(value))).collect()
}

/// Versions before 0.27 know no quoted names, and no other names either.
fn name_of(name: &str) -> String {
    let is_classic = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let is_plain = name.chars().all(is_classic) && !name.starts_with(|c: char| c.is_ascii_digit());
    if is_plain { name.to_owned() } else { quoted(name) }
}

/// The parser of matchers knows these three escapes only.
fn quoted(text: &str) -> String {
    let escaped = text.replace('\\', r"\\").replace('"', r#"\""#).replace('\n', r"\n");
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_escaped_and_odd_names_are_quoted() {
        let labels = [("alertname", "a\"b\\c\nd"), ("空 间", ""), ("1st", "{x=~\".*\"}")];
        let labels: Matchers =
            labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(
            filters(&labels),
            [r#""1st"="{x=~\".*\"}""#, r#"alertname="a\"b\\c\nd""#, r#""空 间"="""#]
        );
    }
}
