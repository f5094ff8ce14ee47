//! The members who may press the buttons of a receiver's cards.

/// `allow_user`, `allow_party` and `allow_tag`. If all are empty, everybody who has the card may press.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Allowed {
    /// User ids in lower case, because WeCom ignores their case.
    pub users: Vec<String>,
    /// Departments, with those below them.
    pub parties: Vec<u64>,
    pub tags: Vec<u64>,
}

impl Allowed {
    pub(super) fn is_everybody(&self) -> bool {
        *self == Self::default()
    }

    pub(super) fn names(&self, user: &str) -> bool {
        self.users.iter().any(|allowed| allowed.eq_ignore_ascii_case(user))
    }
}
