//! Go's `fmt.Sprintf`, with its notes for mistakes such as `%!d(string=x)`.

use super::{
    flags::Flags,
    verb::{go_type, push_verb},
};
use crate::render::go::{
    budget::{Buffer, Limit},
    runes::runes,
    value::Value,
};

/// The largest width and precision. As in Go, larger ones are mistakes.
const MAX_NUMBER: i64 = 1_000_000;
const MAX_CHAR_BYTES: usize = 4;

/// Writes `values` in `format`.
pub(in crate::render::go) fn printf(format: &[u8], values: &[Value]) -> Result<Buffer, Limit> {
    let mut printer = Printer {
        rest: format,
        values,
        next: 0,
        is_reordered: false,
        is_bad_index: false,
        out: Buffer::with_capacity(format.len()),
    };
    printer.run()?;
    Ok(printer.out)
}

struct Printer<'f> {
    rest: &'f [u8],
    values: &'f [Value],
    /// The index of the next value.
    next: usize,
    /// The format has an index such as `%[2]d`.
    is_reordered: bool,
    /// The index of the current verb is wrong.
    is_bad_index: bool,
    out: Buffer,
}

impl<'f> Printer<'f> {
    fn run(&mut self) -> Result<(), Limit> {
        while let Some(length) = self.rest.iter().position(|byte| *byte == b'%') {
            let (text, verb) = self.rest.split_at(length);
            self.out.push(text)?;
            self.rest = verb.get(1..).unwrap_or_default();
            self.verb()?;
        }
        self.out.push(std::mem::take(&mut self.rest))?;
        self.extra_values()
    }

    fn verb(&mut self) -> Result<(), Limit> {
        self.is_bad_index = false;
        let mut flags = self.flags();
        let mut has_index = self.index();
        if self.accept(b'*') {
            match self.number_value() {
                Some(width) => {
                    flags.minus |= width < 0;
                    flags.width = usize::try_from(width.unsigned_abs()).ok();
                }
                None => self.out.push("%!(BADWIDTH)")?,
            }
            has_index = false;
        } else {
            flags.width = self.number();
            self.is_bad_index |= has_index && flags.width.is_some();
        }
        if self.accept(b'.') {
            self.is_bad_index |= has_index;
            has_index = self.index();
            if self.accept(b'*') {
                match self.number_value() {
                    Some(precision) => flags.precision = usize::try_from(precision).ok(),
                    None => self.out.push("%!(BADPREC)")?,
                }
                has_index = false;
            } else {
                flags.precision = Some(self.number().unwrap_or_default());
            }
        }
        if !has_index {
            self.index();
        }
        if flags.minus {
            flags.zero = false;
        }
        let Some(verb) = self.letter() else { return self.out.push("%!(NOVERB)") };
        if verb == '%' {
            return self.out.push("%");
        }
        let value = self.values.get(self.next);
        let note = match value {
            _ if self.is_bad_index => "BADINDEX",
            None => "MISSING",
            Some(value) => {
                self.next += 1;
                if verb == 'v' {
                    flags.is_go_syntax = std::mem::take(&mut flags.sharp);
                    flags.names_fields = std::mem::take(&mut flags.plus);
                }
                return push_verb(&mut self.out, value, verb, &flags);
            }
        };
        self.out.push("%!")?;
        self.out.push_char(verb)?;
        self.out.push(format!("({note})"))
    }

    fn flags(&mut self) -> Flags {
        let mut flags = Flags::default();
        loop {
            match self.rest.first() {
                Some(b'#') => flags.sharp = true,
                Some(b'0') => flags.zero = true,
                Some(b'+') => flags.plus = true,
                Some(b'-') => flags.minus = true,
                Some(b' ') => flags.space = true,
                _ => return flags,
            }
            self.skip(1);
        }
    }

    /// Reads an index such as `[2]`. True if there is one that can be read.
    fn index(&mut self) -> bool {
        if self.rest.first() != Some(&b'[') {
            return false;
        }
        self.is_reordered = true;
        let end = self.rest.iter().position(|byte| *byte == b']').filter(|_| self.rest.len() >= 3);
        let Some(end) = end else {
            self.is_bad_index = true;
            self.skip(1);
            return false;
        };
        let digits = self.rest.get(1..end).unwrap_or_default();
        self.skip(end + 1);
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
        let index = str::from_utf8(digits).ok().filter(|_| is_number);
        let index = index.and_then(|digits| digits.parse::<usize>().ok());
        match index.and_then(|index| index.checked_sub(1)) {
            Some(index) if index < self.values.len() => self.next = index,
            _ => self.is_bad_index = true,
        }
        index.is_some()
    }

    /// Reads a width or a precision. After one that is too large, nothing more is read.
    fn number(&mut self) -> Option<usize> {
        let mut number: Option<i64> = None;
        while let Some(digit) = self.rest.first().filter(|byte| byte.is_ascii_digit()) {
            if number.is_some_and(|number| number > MAX_NUMBER) {
                self.rest = &[];
                return None;
            }
            number = Some(number.unwrap_or_default() * 10 + i64::from(digit - b'0'));
            self.skip(1);
        }
        number.and_then(|number| usize::try_from(number).ok())
    }

    /// The next value as a width or a precision.
    fn number_value(&mut self) -> Option<i64> {
        let value = self.values.get(self.next)?;
        self.next += 1;
        match value {
            Value::Int(number, _) if (-MAX_NUMBER..=MAX_NUMBER).contains(number) => Some(*number),
            _ => None,
        }
    }

    fn letter(&mut self) -> Option<char> {
        // Only these bytes are looked at, because `runes` reads ahead.
        let start = self.rest.get(..MAX_CHAR_BYTES).unwrap_or(self.rest);
        let first = runes(start).next()?;
        self.skip(first.map_or(1, char::len_utf8));
        Some(first.unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn accept(&mut self, byte: u8) -> bool {
        let is_accepted = self.rest.first() == Some(&byte);
        if is_accepted {
            self.skip(1);
        }
        is_accepted
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    /// `%!(EXTRA int=1)`
    fn extra_values(&mut self) -> Result<(), Limit> {
        let extra = self.values.get(self.next..).unwrap_or_default();
        if self.is_reordered || extra.is_empty() {
            return Ok(());
        }
        self.out.push("%!(EXTRA ")?;
        for (index, value) in extra.iter().enumerate() {
            self.out.push(if index > 0 { ", " } else { "" })?;
            if !matches!(value, Value::Nil) {
                self.out.push(go_type(value))?;
                self.out.push("=")?;
            }
            push_verb(&mut self.out, value, 'v', &Flags::default())?;
        }
        self.out.push(")")
    }
}
