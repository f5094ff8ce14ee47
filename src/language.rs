//! The language of what the relay writes itself: messages, digests, notices, notes about failures.

/// A language for members.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Language {
    #[default]
    En,
    Zh,
}

/// A text in each language.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Bilingual<T> {
    pub en: T,
    pub zh: T,
}

impl<T> Bilingual<T> {
    pub const fn new(en: T, zh: T) -> Self {
        Self { en, zh }
    }

    /// The text in `language`.
    pub fn get(&self, language: Language) -> &T {
        match language {
            Language::En => &self.en,
            Language::Zh => &self.zh,
        }
    }

    /// Applies `change` to each text.
    pub fn map<U>(self, change: impl Fn(T) -> U) -> Bilingual<U> {
        Bilingual { en: change(self.en), zh: change(self.zh) }
    }
}

impl Bilingual<String> {
    /// A text that is the same in each language.
    pub fn same(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { en: text.clone(), zh: text }
    }

    pub fn is_empty(&self) -> bool {
        self.en.is_empty() && self.zh.is_empty()
    }
}

/// A sentence with gaps, which are written `{}`. Both languages have the same gaps in the same order.
///
/// The outbox stores the English text alone. The same constant writes that text, and reads it again to show it in Chinese.
impl Bilingual<&'static str> {
    /// The sentence with these values in its gaps.
    pub fn fill(&self, values: &[&str]) -> Bilingual<String> {
        self.map(|sentence| fill(sentence, values))
    }

    /// The Chinese text of an English one that [`Self::fill`] wrote. `change` translates the values of the gaps.
    pub fn chinese_of(&self, english: &str, change: impl Fn(&str) -> String) -> Option<String> {
        let values: Vec<String> = values(self.en, english)?.into_iter().map(change).collect();
        let values: Vec<&str> = values.iter().map(String::as_str).collect();
        Some(fill(self.zh, &values))
    }
}

const GAP: &str = "{}";

fn fill(sentence: &str, values: &[&str]) -> String {
    let mut values = values.iter();
    let mut text = String::new();
    for (number, part) in sentence.split(GAP).enumerate() {
        if number > 0 {
            text.push_str(values.next().copied().unwrap_or(GAP));
        }
        text.push_str(part);
    }
    debug_assert!(values.next().is_none(), "{sentence} has too few gaps");
    text
}

/// The values in the gaps of `sentence`, if `text` is that sentence.
fn values<'t>(sentence: &str, text: &'t str) -> Option<Vec<&'t str>> {
    let mut parts = sentence.split(GAP);
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut parts = parts.peekable();
    let mut values = Vec::new();
    while let Some(part) = parts.next() {
        let (value, after) = match parts.peek() {
            Some(_) => rest.split_once(part)?,
            None => (rest.strip_suffix(part)?, ""),
        };
        values.push(value);
        rest = after;
    }
    rest.is_empty().then_some(values)
}

impl From<Bilingual<&str>> for Bilingual<String> {
    fn from(text: Bilingual<&str>) -> Self {
        text.map(str::to_owned)
    }
}

/// English words for severities, with the Chinese ones.
///
/// Codes such as `P1` are not in the list, because a team that uses them does not translate them.
const SEVERITIES: [(&str, &str); 18] = [
    ("emergency", "紧急"),
    ("disaster", "灾难"),
    ("fatal", "致命"),
    ("critical", "严重"),
    ("crit", "严重"),
    ("page", "严重"),
    ("error", "错误"),
    ("high", "高"),
    ("major", "重要"),
    ("warning", "警告"),
    ("warn", "警告"),
    ("average", "一般"),
    ("medium", "中"),
    ("minor", "次要"),
    ("low", "低"),
    ("notice", "注意"),
    ("info", "提示"),
    ("information", "提示"),
];

/// Frequent names of labels and annotations, with the Chinese ones.
const NAMES: [(&str, &str); 59] = [
    ("alertname", "告警名称"),
    ("app", "应用"),
    ("application", "应用"),
    ("az", "可用区"),
    ("biz", "业务"),
    ("cluster", "集群"),
    ("code", "状态码"),
    ("container", "容器"),
    ("current_value", "当前值"),
    ("database", "数据库"),
    ("datacenter", "机房"),
    ("db", "数据库"),
    ("dc", "机房"),
    ("department", "部门"),
    ("description", "详情"),
    ("device", "设备"),
    ("disk", "磁盘"),
    ("endpoint", "端点"),
    ("env", "环境"),
    ("environment", "环境"),
    ("grafana_folder", "文件夹"),
    ("group", "分组"),
    ("host", "主机"),
    ("hostname", "主机"),
    ("idc", "机房"),
    ("image", "镜像"),
    ("impact", "影响"),
    ("instance", "实例"),
    ("interface", "网卡"),
    ("ip", "IP"),
    ("job", "任务"),
    ("message", "详情"),
    ("mountpoint", "挂载点"),
    ("name", "名称"),
    ("namespace", "命名空间"),
    ("node", "节点"),
    ("owner", "负责人"),
    ("partition", "分区"),
    ("path", "路径"),
    ("pod", "Pod"),
    ("pod_name", "Pod"),
    ("port", "端口"),
    ("project", "项目"),
    ("queue", "队列"),
    ("reason", "原因"),
    ("region", "地域"),
    ("service", "服务"),
    ("severity", "级别"),
    ("solution", "处理建议"),
    ("status", "状态"),
    ("summary", "摘要"),
    ("system", "系统"),
    ("target", "目标"),
    ("team", "团队"),
    ("threshold", "阈值"),
    ("title", "标题"),
    ("topic", "主题"),
    ("value", "当前值"),
    ("zone", "可用区"),
];

impl Language {
    /// Reads `en` or `zh`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "en" => Some(Self::En),
            "zh" => Some(Self::Zh),
            _ => None,
        }
    }

    /// `en` or `zh`.
    pub fn code(self) -> &'static str {
        self.choose("en", "zh")
    }

    /// The text in this language.
    pub fn choose<T>(self, en: T, zh: T) -> T {
        match self {
            Self::En => en,
            Self::Zh => zh,
        }
    }

    /// A severity as members read it. Unknown severities are unchanged.
    pub fn severity(self, severity: &str) -> &str {
        match self {
            Self::En => severity,
            Self::Zh => translated(severity, &SEVERITIES),
        }
    }

    /// The name of a label or annotation as members read it. Unknown names are unchanged.
    pub fn name(self, name: &str) -> &str {
        match self {
            Self::En => name,
            Self::Zh => translated(name, &NAMES),
        }
    }
}

fn translated<'a>(word: &'a str, words: &[(&'static str, &'static str)]) -> &'a str {
    words.iter().find(|(en, _)| en.eq_ignore_ascii_case(word)).map_or(word, |(_, zh)| zh)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filled_sentence_is_read_again() {
        let sentence = Bilingual::new("{} answered {}: {}", "{}：{} 返回 {}");
        let filled = sentence.fill(&["user/get", "400", "no: such {}"]);
        assert_eq!(
            filled,
            Bilingual::new("user/get answered 400: no: such {}", "user/get：400 返回 no: such {}")
                .map(str::to_owned)
        );
        assert_eq!(sentence.chinese_of(&filled.en, str::to_owned), Some(filled.zh));
        assert_eq!(sentence.chinese_of("user/get asked 400", str::to_owned), None);
        let plain = Bilingual::new("too late", "太晚");
        assert_eq!(plain.chinese_of("too late", str::to_owned).as_deref(), Some("太晚"));
        assert_eq!(plain.chinese_of("too late now", str::to_owned), None);
        let closed = Bilingual::new("failed ({})", "失败（{}）");
        assert_eq!(
            closed.chinese_of("failed (a)", |value| value.to_uppercase()).as_deref(),
            Some("失败（A）")
        );
        assert_eq!(closed.chinese_of("failed (a", str::to_owned), None);
    }

    #[test]
    fn known_words_are_translated_and_others_kept() {
        assert_eq!(
            ["critical", "Warning", "P1", "none", "严重"].map(|s| Language::Zh.severity(s)),
            ["严重", "警告", "P1", "none", "严重"]
        );
        assert_eq!(
            ["instance", "pod", "order_id"].map(|name| Language::Zh.name(name)),
            ["实例", "Pod", "order_id"]
        );
        assert_eq!(Language::En.severity("critical"), "critical");
        assert_eq!(["en", "zh", "cn"].map(Language::parse), [Some(Language::En), Some(Language::Zh), None]);
    }
}
