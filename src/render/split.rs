//! Long text in numbered parts, since WeCom shows 2,048 bytes of a message and cuts off the rest.
//!
//! Each part opens with a line of its own, `(1/3)`: at the end it would be read last, and within the first line it
//! would change a line that people search for. Nothing is lost: the parts without their numbers are the text,
//! but for the one line break at a border, which the end of a message stands for.
//!
//! A border is a line's end where that can be, then a space, then a character's end, and it stays out of links and
//! of characters that are made of several, unless one is longer than a part.

use std::ops::Range;

/// As much text as WeCom shows of one message.
pub const PART_BYTES: usize = 2048;

/// The smallest part that has room for any number and for some text.
const MIN_PART_BYTES: usize = 128;

/// How text is split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The longest part with its number; less than 128 is taken as 128.
    pub part_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { part_bytes: PART_BYTES }
    }
}

/// `text` in parts that keep to `limits`; whole and without a number when it fits in one.
pub fn split(text: &str, limits: Limits) -> Vec<String> {
    let part_bytes = limits.part_bytes.max(MIN_PART_BYTES);
    if text.len() <= part_bytes {
        return vec![text.to_owned()];
    }
    // The numbers take room, and how much depends on how many parts there are: guess one digit, then more.
    let mut digits = 1;
    loop {
        let bodies = bodies(text, part_bytes - "(/)\n".len() - 2 * digits);
        let parts = bodies.len();
        if parts.to_string().len() <= digits {
            let numbered = bodies.iter().zip(1..).map(|(body, number)| format!("({number}/{parts})\n{body}"));
            return numbered.collect();
        }
        digits += 1;
    }
}

/// The text in pieces of at most `room` bytes.
fn bodies(text: &str, room: usize) -> Vec<&str> {
    let links = links(text, room);
    let mut bodies = Vec::new();
    let mut start = 0;
    while let Some(rest) = text.get(start..).filter(|rest| !rest.is_empty()) {
        if rest.len() <= room {
            bodies.push(rest);
            break;
        }
        let end = border(rest, room, |end| !within(&links, start + end));
        let (body, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        bodies.push(body);
        start += end + usize::from(after.starts_with('\n'));
    }
    bodies
}

/// Where the first piece of `text` ends, which is longer than `room`.
fn border(text: &str, room: usize, may_end: impl Fn(usize) -> bool) -> usize {
    let ends = || (1..=room).rev().filter(|end| text.is_char_boundary(*end));
    let whole = |end: &usize| may_end(*end) && !parts_a_cluster(text, *end);
    let line = ends().find(|end| starts_at(text, *end, |c| c == '\n') && may_end(*end));
    if let Some(end) = line.filter(|end| *end > room / 2 || next_line_fits(text, *end, room)) {
        return end;
    }
    let after_space = |end: &usize| {
        *end > room / 2 && text.get(..*end).is_some_and(|body| body.ends_with(char::is_whitespace))
    };
    let space = ends().filter(after_space).find(whole);
    space.or_else(|| ends().find(whole)).or_else(|| ends().next()).unwrap_or(text.len())
}

/// Whether the line that begins after the break at `end` fits in a part, so that ending before it is of use.
fn next_line_fits(text: &str, end: usize, room: usize) -> bool {
    let line = text.get(end + 1..).and_then(|rest| rest.split('\n').next());
    line.is_none_or(|line| line.len() <= room)
}

fn starts_at(text: &str, at: usize, is: impl Fn(char) -> bool) -> bool {
    text.get(at..).and_then(|rest| rest.chars().next()).is_some_and(is)
}

/// Whether `at` lies inside of what is seen as one character. The common cases, without Unicode's tables.
fn parts_a_cluster(text: &str, at: usize) -> bool {
    let before = text.get(..at).unwrap_or_default();
    let (Some(last), Some(next)) =
        (before.chars().next_back(), text.get(at..).and_then(|rest| rest.chars().next()))
    else {
        return false;
    };
    let flag = |c: char| matches!(c, '\u{1F1E6}'..='\u{1F1FF}');
    let odd_flags = || before.chars().rev().take_while(|c| flag(*c)).count() % 2 == 1;
    extends(next) || last == '\u{200D}' || (last, next) == ('\r', '\n') || (flag(next) && odd_flags())
}

/// Whether `c` is drawn as one with the character before it.
fn extends(c: char) -> bool {
    matches!(
        c,
        '\u{0300}'..='\u{036F}'
            | '\u{0483}'..='\u{0489}'
            | '\u{0591}'..='\u{05BD}'
            | '\u{064B}'..='\u{065F}'
            | '\u{0900}'..='\u{0903}'
            | '\u{093A}'..='\u{094F}'
            | '\u{0E31}'
            | '\u{0E34}'..='\u{0E3A}'
            | '\u{0E47}'..='\u{0E4E}'
            | '\u{1AB0}'..='\u{1AFF}'
            | '\u{1DC0}'..='\u{1DFF}'
            | '\u{200D}'
            | '\u{20D0}'..='\u{20FF}'
            | '\u{302A}'..='\u{302F}'
            | '\u{3099}'..='\u{309A}'
            | '\u{FE00}'..='\u{FE0F}'
            | '\u{FE20}'..='\u{FE2F}'
            | '\u{1F3FB}'..='\u{1F3FF}'
            | '\u{E0020}'..='\u{E007F}'
            | '\u{E0100}'..='\u{E01EF}'
    )
}

/// The links `<a …>…</a>` that fit in a piece, in the text's order.
fn links(text: &str, room: usize) -> Vec<Range<usize>> {
    const CLOSE: &str = "</a>";
    let mut links = Vec::new();
    let mut from = 0;
    while let Some(open) = text.get(from..).and_then(|rest| rest.find("<a ")).map(|at| from + at) {
        let Some(length) = text.get(open..).and_then(|rest| rest.find(CLOSE)).map(|at| at + CLOSE.len())
        else {
            break;
        };
        // An opening tag that is never closed must not swallow the link after it.
        let open =
            text.get(open..open + length).and_then(|link| link.rfind("<a ")).map_or(open, |at| open + at);
        let end = open + text.get(open..).and_then(|rest| rest.find(CLOSE)).map_or(0, |at| at + CLOSE.len());
        if end - open <= room {
            links.push(open..end);
        }
        from = end.max(open + 1);
    }
    links
}

/// Whether `at` is inside of one of `ranges`; their borders are not.
fn within(ranges: &[Range<usize>], at: usize) -> bool {
    let next = ranges.partition_point(|range| range.end <= at);
    ranges.get(next).is_some_and(|range| range.start < at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn small(text: &str) -> Vec<String> {
        split(text, Limits { part_bytes: 128 })
    }

    /// The bodies of numbered parts, whose numbers are checked.
    fn bodies_of(parts: &[String]) -> Vec<&str> {
        let body = |(part, number): (&'_ String, usize)| {
            let number = format!("({number}/{})\n", parts.len());
            assert!(part.starts_with(&number), "{part:?} does not start with {number:?}");
            number.len()
        };
        let lengths: Vec<usize> = parts.iter().zip(1..).map(body).collect();
        parts.iter().zip(lengths).map(|(part, number)| part.split_at(number).1).collect()
    }

    /// Puts the text together again: after a part, one line break of the text may be left out.
    fn assert_nothing_is_lost(text: &str, bodies: &[&str]) {
        let mut rest = text;
        for body in bodies {
            assert!(rest.starts_with(body), "{body:?} is not next in {rest:?}");
            rest = rest.split_at(body.len()).1;
            rest = rest.strip_prefix('\n').unwrap_or(rest);
        }
        assert_eq!(rest, "");
    }

    #[test]
    fn a_text_that_fits_is_whole_and_has_no_number() {
        let text = "中".repeat(682) + "ab";
        assert_eq!(text.len(), PART_BYTES);
        assert_eq!(split(&text, Limits::default()), [text]);
        assert_eq!(split("", Limits::default()), [""]);
    }

    #[test]
    fn parts_end_with_lines() {
        let line = "x".repeat(49);
        let parts = small(&[line.as_str(); 4].join("\n"));
        assert_eq!(parts, [format!("(1/2)\n{line}\n{line}"), format!("(2/2)\n{line}\n{line}")]);
    }

    #[test]
    fn a_long_line_ends_at_a_space_and_without_spaces_at_a_character() {
        let parts = small(&"word ".repeat(40));
        assert!(parts.iter().all(|part| part.ends_with("word ")), "{parts:?}");
        let parts = small(&"中".repeat(100));
        assert_eq!(
            bodies_of(&parts).iter().map(|body| body.chars().count()).collect::<Vec<_>>(),
            [40, 40, 20]
        );
    }

    #[test]
    fn a_long_line_begins_in_the_part_that_has_room_for_it() {
        let parts = small(&format!("head\n{}", "x".repeat(300)));
        assert!(parts.first().unwrap().starts_with("(1/3)\nhead\nxxx"));
    }

    #[test]
    fn a_link_stays_in_one_part() {
        let link = r#"<a href="http://am.example.com/#/alerts">see</a>"#;
        for before in 1..200 {
            let text = format!("{}{link}{}", "x".repeat(before), "y".repeat(100));
            assert!(small(&text).iter().any(|part| part.contains(link)), "{before}");
        }
    }

    #[test]
    fn a_character_made_of_several_stays_in_one_part() {
        let family = "👨\u{200D}👩\u{200D}👧";
        for before in 90..130 {
            for one in [family, "e\u{301}", "🇨🇳", "👍\u{1F3FD}"] {
                let text = format!("{}{one}{}", "x".repeat(before), "y".repeat(100));
                assert!(small(&text).iter().any(|part| part.contains(one)), "{before} {one}");
            }
        }
    }

    #[test]
    fn numbers_of_any_length_fit() {
        for lines in [9, 10, 11, 99, 100, 101, 1200] {
            let text = vec!["x".repeat(110); lines].join("\n");
            let parts = small(&text);
            assert!(parts.iter().all(|part| part.len() <= 128));
            assert_nothing_is_lost(&text, &bodies_of(&parts));
        }
    }

    proptest! {
        #[test]
        fn parts_keep_to_the_limit_and_lose_nothing(
            pieces in prop::collection::vec(
                prop_oneof![
                    "\\PC{0,40}",
                    "[\n\r ]{1,3}",
                    r#"<a href="x{0,20}">[a-z\n]{0,60}(</a>)?"#,
                    "(\u{301}|\u{200D}|🇨|👍){1,60}",
                ],
                0..60,
            ),
            part_bytes in 0usize..700,
        ) {
            let text = pieces.concat();
            let parts = split(&text, Limits { part_bytes });
            let limit = part_bytes.max(MIN_PART_BYTES);
            if text.len() <= limit {
                prop_assert_eq!(parts, [text]);
            } else {
                prop_assert!(parts.iter().all(|part| part.len() <= limit));
                let bodies = bodies_of(&parts);
                prop_assert!(bodies.iter().all(|body| !body.is_empty()));
                assert_nothing_is_lost(&text, &bodies);
            }
        }
    }
}
