//! The passwords of the console. Only digests are kept and compared.

use std::fmt;

use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::secret::Secret;

/// The rights of a reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Reads everything and changes nothing.
    Viewer,
    Operator,
}

impl Role {
    pub fn name(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct PasswordDigest([u8; 32]);

/// The passwords that open the console. Without any, nobody can log in.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Passwords {
    known: Vec<(PasswordDigest, Role)>,
}

impl Passwords {
    pub fn add(&mut self, password: &Secret, role: Role) {
        self.known.push((digest(password.expose()), role));
    }

    pub fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// The rights that `offered` gives. The time does not depend on it, because all digests are compared.
    pub(super) fn role(&self, offered: &str) -> Option<Role> {
        let offered = digest(offered);
        let matches = self.known.iter().filter(|(known, _)| bool::from(known.0.ct_eq(&offered.0)));
        let roles: Vec<Role> = matches.map(|(_, role)| *role).collect();
        roles.into_iter().max()
    }

    /// Changes with the passwords and with their roles.
    pub(super) fn fingerprint(&self) -> Vec<u8> {
        let bytes = |(digest, role): &(PasswordDigest, Role)| {
            let role = match role {
                Role::Viewer => 1,
                Role::Operator => 2,
            };
            digest.0.into_iter().chain([role])
        };
        self.known.iter().flat_map(bytes).collect()
    }
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.known.iter().map(|(_, role)| role)).finish()
    }
}

fn digest(text: &str) -> PasswordDigest {
    PasswordDigest(Sha256::digest(text).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_password_gives_its_role() {
        let mut passwords = Passwords::default();
        passwords.add(&Secret::new("operators-password"), Role::Operator);
        passwords.add(&Secret::new("viewers-password"), Role::Viewer);
        let roles = ["operators-password", "viewers-password", "", "operators-passwor"];
        let roles = roles.map(|offered| passwords.role(offered));
        assert_eq!(roles, [Some(Role::Operator), Some(Role::Viewer), None, None]);
        assert_eq!(format!("{passwords:?}"), "[Operator, Viewer]");
    }
}
