//! Translates regular expressions of Go, in the syntax of RE2, for the crate `regex`.
//!
//! The two differ: `\d`, `\w`, `\s` and `\b` mean ASCII in Go, names of groups and quantifiers have other rules, and
//! classes have no set operations. What Go refuses is refused here too.

use regex::{Regex, escape};

use crate::text::slice;

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
        whole: pattern,
        rest: pattern,
        out: String::with_capacity(pattern.len() + 16),
        group_names: Vec::new(),
        groups: Vec::new(),
        last: Last::Nothing,
        last_start: 0,
        flags: String::new(),
        repeats: 1,
        is_ungreedy: false,
        known_classes: Vec::new(),
    };
    translator.run().map_err(|reason| format!("error parsing regexp: {reason}"))?;
    Ok(Translated { pattern: translator.out, group_names: translator.group_names })
}

struct Translator<'p> {
    whole: &'p str,
    rest: &'p str,
    out: String,
    group_names: Vec<Option<String>>,
    groups: Vec<OpenGroup>,
    last: Last<'p>,
    /// The place of the last atom in the translation, with its quantifier.
    last_start: usize,
    /// A change of flags that is not in the translation yet, because Go lets a quantifier after it repeat the atom before it.
    flags: String,
    /// The most repetitions in the current group so far.
    repeats: u64,
    /// Quantifiers without `?` are lazy. The translation says so with each of them.
    is_ungreedy: bool,
    /// The classes of Unicode so far, because a look-up takes time.
    known_classes: Vec<String>,
}

struct OpenGroup {
    /// Its place in the translation.
    start: usize,
    /// The most repetitions around it so far.
    repeats: u64,
    is_ungreedy: bool,
}

/// The item before the next quantifier.
#[derive(Clone, Copy)]
enum Last<'p> {
    /// Nothing that can be repeated.
    Nothing,
    Atom {
        /// How often the atom repeats a part of it.
        repeats: u64,
    },
    /// An atom with a quantifier. `pattern` begins with the quantifier.
    Quantifier { pattern: &'p str, repeats: u64 },
    /// An atom with a quantifier and a change of flags, which may be repeated once more.
    Repeated { repeats: u64 },
}

const ATOM: Last<'_> = Last::Atom { repeats: 1 };

impl<'p> Translator<'p> {
    fn run(&mut self) -> Result<(), String> {
        loop {
            let start = self.rest;
            let Some(c) = self.next() else { break };
            match c {
                '*' | '+' | '?' => self.quantifier(start, 1)?,
                '{' => self.counted(start)?,
                '(' => self.open_group(start)?,
                ')' => {
                    let group = self.groups.pop().ok_or_else(|| format!("unexpected ): `{}`", self.whole))?;
                    self.push(")", Last::Atom { repeats: self.repeats });
                    self.last_start = group.start;
                    self.repeats = self.repeats.max(group.repeats);
                    self.is_ungreedy = group.is_ungreedy;
                }
                '|' => self.push("|", Last::Nothing),
                '.' | '^' | '$' => self.push(&c.to_string(), ATOM),
                '[' => {
                    let class = self.class(start)?;
                    self.push(&class, ATOM);
                }
                '\\' => self.escape(start)?,
                _ => self.literal(c),
            }
        }
        if self.groups.is_empty() { Ok(()) } else { Err(self.missing_paren()) }
    }

    fn missing_paren(&self) -> String {
        format!("missing closing ): `{}`", self.whole)
    }

    fn push(&mut self, text: &str, last: Last<'p>) {
        self.out.push_str(&std::mem::take(&mut self.flags));
        self.last_start = self.out.len();
        self.out.push_str(text);
        self.last = last;
    }

    fn literal(&mut self, c: char) {
        self.push(&escape(c.encode_utf8(&mut [0; 4])), ATOM);
    }

    /// A quantifier at `start`, which is read up to its `?`.
    fn quantifier(&mut self, start: &'p str, count: u64) -> Result<(), String> {
        let bare = self.read_since(start);
        let is_lazy = self.accept("?") ^ self.is_ungreedy;
        let text = self.read_since(start);
        let repeats = match self.last {
            Last::Atom { repeats } => repeats,
            Last::Repeated { repeats } => {
                self.out.insert_str(self.last_start, "(?:");
                self.out.push(')');
                repeats
            }
            Last::Nothing => return Err(format!("missing argument to repetition operator: `{text}`")),
            Last::Quantifier { pattern, .. } => {
                return Err(format!("invalid nested repetition operator: `{}`", self.read_since(pattern)));
            }
        };
        // An item that is repeated zero times does not count.
        let repeats = if count == 0 { 1 } else { repeats.saturating_mul(count) };
        if repeats > MAX_REPEAT {
            return Err(format!("invalid repeat count: `{text}`"));
        }
        self.repeats = self.repeats.max(repeats);
        self.out.push_str(bare);
        self.out.push_str(if is_lazy { "?" } else { "" });
        self.last = Last::Quantifier { pattern: start, repeats };
        Ok(())
    }

    /// The part of the pattern from `start` to what is not read yet.
    fn read_since(&self, start: &'p str) -> &'p str {
        slice(start, 0..start.len() - self.rest.len())
    }

    /// `{2}`, `{2,}` or `{2,3}`. Anything else is a brace.
    fn counted(&mut self, start: &'p str) -> Result<(), String> {
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
            Some((low, high, after))
        });
        let Some((low, high, after)) = found else {
            self.literal('{');
            return Ok(());
        };
        self.rest = after;
        if low > MAX_REPEAT || high.is_some_and(|high| high > MAX_REPEAT || high < low) {
            return Err(format!("invalid repeat count: `{}`", self.read_since(start)));
        }
        self.quantifier(start, high.unwrap_or(low))
    }

    fn open_group(&mut self, start: &'p str) -> Result<(), String> {
        if !self.accept("?") {
            self.group_names.push(None);
            self.push_group("(");
            return Ok(());
        }
        let named = self.rest.strip_prefix("P<").or_else(|| self.rest.strip_prefix('<'));
        if let Some(named) = named.filter(|named| !named.is_empty()) {
            let invalid = |capture: &str| format!("invalid named capture: `{capture}`");
            let (name, after) = named.split_once('>').ok_or_else(|| invalid(start))?;
            self.rest = after;
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
            if name.is_empty() || !name.bytes().all(is_name) {
                return Err(invalid(self.read_since(start)));
            }
            self.group_names.push(Some(name.to_owned()));
            self.push_group("(");
            return Ok(());
        }
        self.flag_group(start)
    }

    /// `(?i)` or `(?i-s:`. The mark is consumed.
    fn flag_group(&mut self, start: &'p str) -> Result<(), String> {
        let (mut on, mut off) = (String::new(), String::new());
        let mut is_off = false;
        let is_group = loop {
            match self.next() {
                Some(flag @ ('i' | 'm' | 's' | 'U')) if is_off => off.push(flag),
                Some(flag @ ('i' | 'm' | 's' | 'U')) => on.push(flag),
                Some('-') if !is_off => is_off = true,
                Some(end @ (':' | ')')) if !is_off || !off.is_empty() => break end == ':',
                _ => {
                    return Err(format!("invalid or unsupported Perl syntax: `{}`", self.read_since(start)));
                }
            }
        };
        let is_ungreedy = (self.is_ungreedy || on.contains('U')) && !off.contains('U');
        let (on, off) = (on.replace('U', ""), off.replace('U', ""));
        let flags = if off.is_empty() { on } else { format!("{on}-{off}") };
        if is_group {
            self.push_group(&format!("(?{flags}:"));
        } else {
            if !flags.is_empty() {
                self.flags.push_str(&format!("(?{flags})"));
            }
            if let Last::Quantifier { repeats, .. } = self.last {
                self.last = Last::Repeated { repeats };
            }
        }
        self.is_ungreedy = is_ungreedy;
        Ok(())
    }

    fn push_group(&mut self, text: &str) {
        self.push(text, Last::Nothing);
        let repeats = std::mem::replace(&mut self.repeats, 1);
        self.groups.push(OpenGroup { start: self.last_start, repeats, is_ungreedy: self.is_ungreedy });
    }

    /// An escape outside of a class. The backslash is consumed.
    fn escape(&mut self, start: &'p str) -> Result<(), String> {
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
        if let Some(items) = self.perl_class(start)? {
            self.push(&items, ATOM);
            return Ok(());
        }
        let c = self.escaped_char(start)?;
        self.literal(c);
        Ok(())
    }

    /// `\d`, `\pL` and their relatives. The backslash at `start` is consumed.
    fn perl_class(&mut self, start: &'p str) -> Result<Option<String>, String> {
        let class = match self.rest.chars().next() {
            Some('d') => "[0-9]",
            Some('D') => "[^0-9]",
            Some('w') => "[0-9A-Za-z_]",
            Some('W') => "[^0-9A-Za-z_]",
            Some('s') => "[\\t\\n\\f\\r ]",
            Some('S') => "[^\\t\\n\\f\\r ]",
            Some('p' | 'P') => return self.unicode_class(start).map(Some),
            _ => return Ok(None),
        };
        self.next();
        Ok(Some(class.to_owned()))
    }

    /// `\pL` or `\p{^Greek}`: a category or a script, exactly as Unicode writes it.
    fn unicode_class(&mut self, start: &'p str) -> Result<String, String> {
        let mut is_negated = self.next() == Some('P');
        let invalid = |text: &str| format!("invalid character class range: `{text}`");
        let name = match self.rest.strip_prefix('{') {
            Some(braced) => {
                let (name, after) = braced.split_once('}').ok_or_else(|| invalid(start))?;
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
        let property = match positive {
            "Any" => "Any".to_owned(),
            _ if positive.len() <= 2 => format!("gc={positive}"),
            _ => format!("sc={positive}"),
        };
        let class = format!("\\{}{{{property}}}", if is_negated { 'P' } else { 'p' });
        if !self.known_classes.contains(&property) {
            if !is_name || Regex::new(&class).is_err() {
                return Err(invalid(self.read_since(start)));
            }
            self.known_classes.push(property);
        }
        Ok(class)
    }

    /// The character of an escape, whose backslash is consumed.
    fn escaped_char(&mut self, start: &'p str) -> Result<char, String> {
        let c = self.next().ok_or("trailing backslash at end of expression: ``")?;
        let known = match c {
            'a' => Some('\u{7}'),
            'f' => Some('\u{c}'),
            'n' => Some('\n'),
            'r' => Some('\r'),
            't' => Some('\t'),
            'v' => Some('\u{b}'),
            'x' => self.hexadecimal(),
            '0'..='7' => self.octal(c),
            _ if c.is_ascii() && !c.is_ascii_alphanumeric() => Some(c),
            _ => None,
        };
        known.ok_or_else(|| format!("invalid escape sequence: `{}`", self.read_since(start)))
    }

    /// `41` or `{4e2d}`.
    fn hexadecimal(&mut self) -> Option<char> {
        if !self.accept("{") {
            let (high, low) = (self.next()?.to_digit(16), self.next()?.to_digit(16));
            return char::from_u32(high? * 16 + low?);
        }
        let mut number: Option<u32> = None;
        loop {
            match self.next()? {
                '}' => return char::from_u32(number?),
                c => number = Some(number.unwrap_or_default() * 16 + c.to_digit(16)?),
            }
            if number > Some(char::MAX.into()) {
                return None;
            }
        }
    }

    /// Up to three digits. A single one other than zero would be a reference to a group.
    fn octal(&mut self, first: char) -> Option<char> {
        let next = |rest: &str| rest.chars().next().and_then(|c| c.to_digit(8));
        if first != '0' && next(self.rest).is_none() {
            return None;
        }
        let mut number = first.to_digit(8)?;
        for _ in 0..2 {
            let Some(digit) = next(self.rest) else { break };
            number = number * 8 + digit;
            self.next();
        }
        char::from_u32(number)
    }

    /// A class whose `[` is consumed.
    fn class(&mut self, start: &'p str) -> Result<String, String> {
        let mut class = String::from(if self.accept("^") { "[^" } else { "[" });
        let mut is_first = true;
        loop {
            if self.rest.is_empty() {
                return Err(missing_bracket(start));
            }
            if !is_first && self.accept("]") {
                class.push(']');
                return Ok(class);
            }
            is_first = false;
            self.class_item(&mut class, start)?;
        }
    }

    fn class_item(&mut self, class: &mut String, class_start: &'p str) -> Result<(), String> {
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
            if let Some(items) = self.perl_class(before)? {
                class.push_str(&items);
                return Ok(());
            }
            self.rest = before;
        }
        let item = self.rest;
        let low = self.class_char(class_start)?;
        let mut high = low;
        if self.rest.starts_with('-') && !self.rest.starts_with("-]") && self.rest.len() > 1 {
            self.next();
            high = self.class_char(class_start)?;
        }
        if high < low {
            return Err(format!("invalid character class range: `{}`", self.read_since(item)));
        }
        class.push_str(&format!("\\x{{{:x}}}-\\x{{{:x}}}", u32::from(low), u32::from(high)));
        Ok(())
    }

    fn class_char(&mut self, class_start: &str) -> Result<char, String> {
        let start = self.rest;
        match self.next() {
            Some('\\') => self.escaped_char(start),
            Some(c) => Ok(c),
            None => Err(missing_bracket(class_start)),
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

fn missing_bracket(class: &str) -> String {
    format!("missing closing ]: `{class}`")
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
