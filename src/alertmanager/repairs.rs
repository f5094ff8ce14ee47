//! Wrong values of a payload that were corrected or ignored.

use std::fmt;

/// A kind of repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repair {
    /// Invalid UTF-8, UTF-16 in place of UTF-8, a byte-order mark, or half of a surrogate pair.
    Encoding,
    /// Small mistakes in the JSON, such as a raw line break in a string or an extra comma.
    Syntax,
    /// Control characters and terminal colours in texts.
    ControlCharacter,
    /// A value of another type than documented, which is shown as text.
    Type,
    /// A status that is missing, or neither `firing` nor `resolved`.
    Status,
    /// A time that is not written as in RFC 3339.
    Time,
    /// An entry among the alerts that is not an object.
    Alert,
    /// A field that occurs more than once in an object.
    RepeatedField,
    /// Alerts, labels or unknown fields that exceed a limit and are left out, or long texts that are cut.
    TooMuch,
}

impl Repair {
    /// All kinds, in the order of their declaration.
    pub const ALL: [Self; 9] = [
        Self::Encoding,
        Self::Syntax,
        Self::ControlCharacter,
        Self::Type,
        Self::Status,
        Self::Time,
        Self::Alert,
        Self::RepeatedField,
        Self::TooMuch,
    ];

    /// The `kind` label of the metric.
    pub fn name(self) -> &'static str {
        match self {
            Self::Encoding => "encoding",
            Self::Syntax => "syntax",
            Self::ControlCharacter => "control_character",
            Self::Type => "type",
            Self::Status => "status",
            Self::Time => "time",
            Self::Alert => "alert",
            Self::RepeatedField => "repeated_field",
            Self::TooMuch => "too_much",
        }
    }
}

/// A set of [`Repair`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Repairs(u16);

impl Repairs {
    pub fn add(&mut self, repair: Repair) {
        self.0 |= 1 << repair as u16;
    }

    /// Adds `repair` if `is_repaired`.
    pub fn add_if(&mut self, is_repaired: bool, repair: Repair) {
        if is_repaired {
            self.add(repair);
        }
    }

    pub fn add_all(&mut self, others: Self) {
        self.0 |= others.0;
    }

    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Repair> {
        Repair::ALL.into_iter().filter(move |repair| self.0 & (1 << *repair as u16) != 0)
    }
}

impl fmt::Display for Repairs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.iter().map(Repair::name).collect::<Vec<_>>().join(", "))
    }
}
