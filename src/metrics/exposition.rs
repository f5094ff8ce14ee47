//! The two text formats in which Prometheus and other programs read metrics.

use std::collections::HashMap;

/// A format of `/metrics`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposition {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus's older text format, for programs that do not ask for OpenMetrics.
    Text,
}

impl Exposition {
    /// The format that an `Accept` header prefers.
    pub fn accepted(accept: &str) -> Self {
        let mut open_metrics = 0.0;
        let mut text: f32 = 0.0;
        for range in accept.split(',') {
            let mut parameters = range.split(';').map(str::trim);
            let kind = parameters.next().unwrap_or_default();
            let quality = parameters.find_map(|parameter| parameter.strip_prefix("q=")).unwrap_or("1");
            let quality = quality.trim().parse().unwrap_or(0.0);
            match kind {
                "application/openmetrics-text" => open_metrics = quality,
                "text/plain" | "text/*" | "*/*" => text = text.max(quality),
                _ => {}
            }
        }
        if open_metrics > 0.0 && open_metrics >= text { Self::OpenMetrics } else { Self::Text }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// `open_metrics` in this format.
    pub fn convert(self, open_metrics: String) -> String {
        match self {
            Self::OpenMetrics => open_metrics,
            Self::Text => to_text(&open_metrics),
        }
    }
}

/// Samples have the same names in both formats. The names in `HELP` and `TYPE` differ for counters and infos, and the
/// older format has neither units nor an end.
fn to_text(open_metrics: &str) -> String {
    let types: HashMap<&str, &str> = open_metrics.lines().filter_map(type_of).collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let mut words = line.splitn(4, ' ');
        let (mark, keyword, name) = (words.next(), words.next(), words.next().unwrap_or_default());
        let rest = words.next().unwrap_or_default();
        let (suffix, kind) = match types.get(name) {
            Some(&"counter") => ("_total", "counter"),
            Some(&"info") => ("_info", "gauge"),
            Some(&"unknown") => ("", "untyped"),
            other => ("", other.copied().unwrap_or_default()),
        };
        match (mark, keyword) {
            (Some("#"), Some("HELP")) => text.push_str(&format!("# HELP {name}{suffix} {rest}\n")),
            (Some("#"), Some("TYPE")) => text.push_str(&format!("# TYPE {name}{suffix} {kind}\n")),
            (Some("#"), _) => {}
            _ => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    text
}

/// The name and the type of a `TYPE` line.
fn type_of(line: &str) -> Option<(&str, &str)> {
    line.strip_prefix("# TYPE ")?.split_once(' ')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_chooses_the_format() {
        let prometheus =
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.2,*/*;q=0.1";
        assert_eq!(Exposition::accepted(prometheus), Exposition::OpenMetrics);
        assert_eq!(Exposition::accepted("application/openmetrics-text"), Exposition::OpenMetrics);
        let text_first = "text/plain;version=0.0.4;q=0.6,application/openmetrics-text;q=0.5";
        assert_eq!(Exposition::accepted(text_first), Exposition::Text);
        for accept in
            ["", "*/*", "text/plain", "text/html,*/*;q=0.8", "application/openmetrics-text;q=0", "x;q=y"]
        {
            assert_eq!(Exposition::accepted(accept), Exposition::Text, "{accept}");
        }
    }

    #[test]
    fn counters_and_infos_have_their_older_names() {
        let open_metrics = "# HELP a Sent.\n# TYPE a counter\n# UNIT a seconds\na_total{x=\"# y\"} 1\n# HELP b Build.\n# TYPE b \
                            info\nb_info{v=\"1\"} 1\n# HELP c Size.\n# TYPE c gauge\nc 2\n# EOF\n";
        let text = "# HELP a_total Sent.\n# TYPE a_total counter\na_total{x=\"# y\"} 1\n# HELP b_info Build.\n# TYPE b_info \
                    gauge\nb_info{v=\"1\"} 1\n# HELP c Size.\n# TYPE c gauge\nc 2\n";
        assert_eq!(Exposition::Text.convert(open_metrics.to_owned()), text);
        assert_eq!(Exposition::OpenMetrics.convert(open_metrics.to_owned()), open_metrics);
    }
}
