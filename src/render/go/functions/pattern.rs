//! Translates regular expressions of Go, in the syntax of RE2, for the crate `regex`.
//!
//! The two differ: `\d`, `\w`, `\s` and `\b` mean ASCII in Go, names of groups and quantifiers have other rules, and
//! classes have no set operations. What Go refuses is refused here too.

use regex::escape;

/// The most that Go repeats something, also by nested repetitions.
const MAX_REPEAT: u64 = 1000;

/// A pattern that the crate `regex` understands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Translated {
    pub(super) pattern: String,
    /// The names of the groups, without the first one. The translation has no names, because Go allows more of them.
    pub(super) group_names: Vec<Option<String>>,
}

/// # Errors
/// Go does not accept `pattern`.
pub(super) fn translated(pattern: &str) -> Result<Translated, String> {
    let mut translator = Translator {
        rest: pattern,
        out: String::with_capacity(pattern.len() + 16),
        group_names: Vec::new(),
        groups: Vec::new(),
        last: Last::Nothing,
        repeats: 1,
    };
    translator.run().map_err(|reason| format!("error parsing regexp: {reason}"))?;
    Ok(Translated { pattern: translator.out, group_names: translator.group_names })
}

struct Translator<'p> {
    rest: &'p str,
    out: String,
    group_names: Vec<Option<String>>,
    /// For each open group the most repetitions in it so far.
    groups: Vec<u64>,
    last: Last,
    /// The most repetitions in the current group so far.
    repeats: u64,
}

/// What stands before the next quantifier.
#[derive(Clone, Copy)]
enum Last {
    /// Nothing that can be repeated.
    Nothing,
    Atom {
        /// How often the atom repeats a part of it.
        repeats: u64,
    },
    Quantifier,
}

const ATOM: Last = Last::Atom { repeats: 1 };

impl<'p> Translator<'p> {
    fn run(&mut self) -> Result<(), String> {
        while let Some(c) = self.next() {
            match c {
                '*' | '+' | '?' => self.quantifier(&c.to_string(), 1)?,
                '{' => self.counted()?,
                '(' => self.open_group()?,
                ')' => {
                    let outer = self.groups.pop().ok_or("unexpected )")?;
                    self.push(")", Last::Atom { repeats: self.repeats });
                    self.repeats = self.repeats.max(outer);
                }
                '|' => self.push("|", Last::Nothing),
                '.' | '^' | '$' => self.push(&c.to_string(), ATOM),
                '[' => {
                    let class = self.class()?;
                    self.push(&class, ATOM);
                }
                '\\' => self.escape()?,
                _ => self.literal(c),
            }
        }
        if self.groups.is_empty() { Ok(()) } else { Err("missing closing )".to_owned()) }
    }

    fn push(&mut self, text: &str, last: Last) {
        self.out.push_str(text);
        self.last = last;
    }

    fn literal(&mut self, c: char) {
        self.push(&escape(c.encode_utf8(&mut [0; 4])), ATOM);
    }

    fn quantifier(&mut self, text: &str, count: u64) -> Result<(), String> {
        let Last::Atom { repeats } = self.last else {
            let reason = match self.last {
                Last::Quantifier => "invalid nested repetition operator",
                _ => "missing argument to repetition operator",
            };
            return Err(format!("{reason}: `{text}`"));
        };
        // What is repeated zero times does not count.
        let repeats = if count == 0 { 1 } else { repeats.saturating_mul(count) };
        if repeats > MAX_REPEAT {
            return Err(format!("invalid repeat count: `{text}`"));
        }
        self.repeats = self.repeats.max(repeats);
        let lazy = if self.accept("?") { "?" } else { "" };
        self.push(&format!("{text}{lazy}"), Last::Quantifier);
        Ok(())
    }

    /// `{2}`, `{2,}` or `{2,3}`. Anything else is a brace.
    fn counted(&mut self) -> Result<(), String> {
        let count = |digits: &str| {
            let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
            (is_number && (digits == "0" || !digits.starts_with('0')))
                .then(|| digits.parse().unwrap_or(u64::MAX))
        };
        let found = self.rest.split_once('}').and_then(|(body, after)| {
            let (low, high) = match body.split_once(',') {
                None => (count(body)?, Some(count(body)?)),
                Some((low, "")) => (count(low)?, None),
                Some((low, high)) => (count(low)?, Some(count(high)?)),
            };
            Some((format!("{{{body}}}"), low, high, after))
        });
        let Some((text, low, high, after)) = found else {
            self.literal('{');
            return Ok(());
        };
        if low > MAX_REPEAT || high.is_some_and(|high| high > MAX_REPEAT || high < low) {
            return Err(format!("invalid repeat count: `{text}`"));
        }
        self.rest = after;
        self.quantifier(&text, high.unwrap_or(low))
    }

    fn open_group(&mut self) -> Result<(), String> {
        if !self.accept("?") {
            self.group_names.push(None);
            self.push_group("(");
            return Ok(());
        }
        if let Some(named) = self.rest.strip_prefix("P<").or_else(|| self.rest.strip_prefix('<')) {
            let (name, after) = named.split_once('>').ok_or("invalid named capture")?;
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(is_name) {
                return Err(format!("invalid named capture: `(?P<{name}>`"));
            }
            self.group_names.push(Some(name.to_owned()));
            self.rest = after;
            self.push_group("(");
            return Ok(());
        }
        let length = self.rest.find([':', ')']).ok_or("missing closing )")?;
        let (flags, after) = self.rest.split_at(length);
        let (on, off) = flags.split_once('-').unwrap_or((flags, ""));
        let is_flag = |c: char| "imsU".contains(c);
        if flags.ends_with('-') || !on.chars().chain(off.chars()).all(is_flag) {
            return Err(format!("invalid or unsupported Perl syntax: `(?{flags}`"));
        }
        self.rest = after;
        if self.accept(":") {
            self.push_group(&format!("(?{flags}:"));
        } else {
            self.next();
            let group = if flags.is_empty() { String::new() } else { format!("(?{flags})") };
            self.push(&group, Last::Nothing);
        }
        Ok(())
    }

    fn push_group(&mut self, text: &str) {
        self.groups.push(std::mem::replace(&mut self.repeats, 1));
        self.push(text, Last::Nothing);
    }

    /// An escape outside of a class. The backslash is consumed.
    fn escape(&mut self) -> Result<(), String> {
        if self.accept("Q") {
            let (literal, after) = self.rest.split_once("\\E").unwrap_or((self.rest, ""));
            self.rest = after;
            literal.chars().for_each(|c| self.literal(c));
            return Ok(());
        }
        for (name, translation) in [("A", "\\A"), ("z", "\\z"), ("b", "(?-u:\\b)"), ("B", "(?-u:\\B)")] {
            if self.accept(name) {
                self.push(translation, ATOM);
                return Ok(());
            }
        }
        if let Some(items) = self.perl_class()? {
            self.push(&items, ATOM);
            return Ok(());
        }
        let c = self.escaped_char()?;
        self.literal(c);
        Ok(())
    }

    /// `\d`, `\pL` and their relatives.
    fn perl_class(&mut self) -> Result<Option<String>, String> {
        let class = match self.rest.chars().next() {
            Some('d') => "[0-9]",
            Some('D') => "[^0-9]",
            Some('w') => "[0-9A-Za-z_]",
            Some('W') => "[^0-9A-Za-z_]",
            Some('s') => "[\\t\\n\\f\\r ]",
            Some('S') => "[^\\t\\n\\f\\r ]",
            Some('p' | 'P') => return self.unicode_class().map(Some),
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(class.to_owned()))
    }

    /// `\pL` or `\p{^Greek}`: a category or a script, exactly as Unicode writes it.
    fn unicode_class(&mut self) -> Result<String, String> {
        let mut is_negated = self.next() == Some('P');
        let invalid = || "invalid character class range".to_owned();
        let name = match self.rest.strip_prefix('{') {
            Some(braced) => {
                let (name, after) = braced.split_once('}').ok_or_else(invalid)?;
                self.rest = after;
                name
            }
            None => {
                let (name, after) = self.rest.split_at(self.rest.chars().next().map_or(0, char::len_utf8));
                self.rest = after;
                name
            }
        };
        let positive = name.strip_prefix('^').unwrap_or(name);
        is_negated ^= name.starts_with('^');
        let is_name = positive.starts_with(|c: char| c.is_ascii_uppercase())
            && positive.chars().all(|c| c.is_ascii_alphabetic() || c == '_');
        if !is_name {
            return Err(invalid());
        }
        let property = match positive {
            "Any" => "Any".to_owned(),
            _ if positive.len() <= 2 => format!("gc={positive}"),
            _ => format!("sc={positive}"),
        };
        Ok(format!("\\{}{{{property}}}", if is_negated { 'P' } else { 'p' }))
    }

    /// The character of an escape, whose backslash is consumed.
    fn escaped_char(&mut self) -> Result<char, String> {
        let start = self.rest;
        let invalid = || {
            let escape: String = start.chars().take(1).collect();
            format!("invalid escape sequence: `\\{escape}`")
        };
        let c = self.next().ok_or("trailing backslash at end of expression: ``")?;
        Ok(match c {
            'a' => '\u{7}',
            'f' => '\u{c}',
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'v' => '\u{b}',
            'x' => {
                let (digits, after) = match self.rest.strip_prefix('{') {
                    Some(braced) => braced.split_once('}').ok_or_else(invalid)?,
                    None => self.rest.split_at_checked(2).ok_or_else(invalid)?,
                };
                self.rest = after;
                let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
                let number = u32::from_str_radix(digits, 16).ok().filter(|_| is_number);
                number.and_then(char::from_u32).ok_or_else(invalid)?
            }
            '0'..='7' => {
                // A single digit other than zero would be a reference to a group.
                if c != '0' && !self.rest.starts_with(|c: char| c.is_digit(8)) {
                    return Err(invalid());
                }
                let mut number = c.to_digit(8).unwrap_or_default();
                for _ in 0..2 {
                    let Some(digit) = self.rest.chars().next().and_then(|c| c.to_digit(8)) else { break };
                    number = number * 8 + digit;
                    self.next();
                }
                char::from_u32(number).ok_or_else(invalid)?
            }
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() => c,
            _ => return Err(invalid()),
        })
    }

    /// A class whose `[` is consumed.
    fn class(&mut self) -> Result<String, String> {
        let mut class = String::from(if self.accept("^") { "[^" } else { "[" });
        let mut is_first = true;
        loop {
            if self.rest.is_empty() {
                return Err("missing closing ]: `[`".to_owned());
            }
            if !is_first && self.accept("]") {
                class.push(']');
                return Ok(class);
            }
            is_first = false;
            self.class_item(&mut class)?;
        }
    }

    fn class_item(&mut self, class: &mut String) -> Result<(), String> {
        if self.rest.starts_with("[:")
            && let Some((name, after)) = self.rest.split_once(":]")
        {
            self.rest = after;
            if !is_ascii_class(name.trim_start_matches("[:").trim_start_matches('^')) {
                return Err(format!("invalid character class range: `{name}:]`"));
            }
            class.push_str(name);
            class.push_str(":]");
            return Ok(());
        }
        if let Some(after) = self.rest.strip_prefix('\\') {
            let before = std::mem::replace(&mut self.rest, after);
            if let Some(items) = self.perl_class()? {
                class.push_str(&items);
                return Ok(());
            }
            self.rest = before;
        }
        let low = self.class_char()?;
        let mut high = low;
        if self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1 {
            self.next();
            high = self.class_char()?;
        }
        if high < low {
            return Err(format!("invalid character class range: `{low}-{high}`"));
        }
        class.push_str(&format!("\\x{{{:x}}}-\\x{{{:x}}}", u32::from(low), u32::from(high)));
        Ok(())
    }

    fn class_char(&mut self) -> Result<char, String> {
        match self.next() {
            Some('\\') => self.escaped_char(),
            Some(c) => Ok(c),
            None => Err("missing closing ]: `[`".to_owned()),
        }
    }

    fn next(&mut self) -> Option<char> {
        let mut chars = self.rest.chars();
        let c = chars.next();
        self.rest = chars.as_str();
        c
    }

    fn accept(&mut self, text: &str) -> bool {
        match self.rest.strip_prefix(text) {
            Some(after) => {
                self.rest = after;
                true
            }
            None => false,
        }
    }
}

fn is_ascii_class(name: &str) -> bool {
    const NAMES: [&str; 14] = [
        "alnum", "alpha", "ascii", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space",
        "upper", "word", "xdigit",
    ];
    NAMES.contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, text: &str) -> bool {
        let translated = translated(pattern).unwrap_or_else(|error| panic!("{pattern}: {error}"));
        regex::Regex::new(&translated.pattern).unwrap().is_match(text)
    }

    #[test]
    fn patterns_mean_the_same_as_in_go() {
        for (pattern, yes, no) in [
            (r"^\d$", "1", "٣"),
            (r"^\w+$", "ab_1", "中"),
            (r"^\s$", "\t", "\u{b}"),
            (r"^[\d-z]$", "-", "a"),
            (r"^[a&&b]$", "&", "c"),
            (r"^[[a]$", "[", "]"),
            (r"^[]a]$", "]", "b"),
            (r"^[^]a]$", "b", "]"),
            (r"^a{,3}$", "a{,3}", "aaa"),
            (r"^a{2}$", "aa", "a"),
            (r"^\Qa.b\E+$", "a.bbb", "axb"),
            (r"^\<b\>$", "<b>", "b"),
            (r"^\x41\101\x{4e2d}$", "AA中", "AA"),
            (r"^(?P<1>a)(?<x>b)$", "ab", "ba"),
            (r"^(?i:A)b$", "ab", "aB"),
            (r"^\p{^Greek}$", "a", "α"),
            (r"^\pL\p{Lu}$", "aB", "ab"),
            (r"^[[:alpha:][:^space:]]$", "a", " "),
            (r"\bé", "eé", "é"),
            (r"^[\pN]$", "²", "a"),
            (r"^[~-]$", "~", "a"),
            (r"^}]$", "}]", "]"),
            (r"^(?)(?P<n>a)(?P<n>b)$", "ab", "a"),
        ] {
            assert!(matches(pattern, yes), "{pattern} {yes}");
            assert!(!matches(pattern, no), "{pattern} {no}");
        }
    }

    #[test]
    fn what_go_refuses_is_refused() {
        for pattern in [
            "a**",
            "a+*",
            "a{2}{3}",
            "*",
            "(*)",
            "a|*",
            "a{1001}",
            "a{2,1}",
            "(a{100}){11}",
            "(",
            ")",
            "[",
            "[a",
            "[b-a]",
            r"\8",
            r"\1",
            r"\y",
            "\\",
            r"\Z",
            r"\u1234",
            "(?x)a",
            "(?P<a-b>c)",
            "(?",
            "(?-)",
            "(?i-)a",
            "[[:foo:]]",
            r"[a-\d]",
            r"\p{letter}",
            r"\p{}",
            r"\xg",
            r"\中",
            r"\E",
            "(?=a)",
            "(?<a",
        ] {
            assert!(translated(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn names_of_groups_are_noted() {
        let names = translated("(a)(?P<x>b)(?:c)(?<2y>d)").unwrap().group_names;
        assert_eq!(names, [None, Some("x".to_owned()), Some("2y".to_owned())]);
    }
}
