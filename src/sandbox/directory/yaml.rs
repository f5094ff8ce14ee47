//! The directory as a file: the raw shape mirrors the YAML and remembers where each id stands.

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;
use std::net::IpAddr;

use serde::Deserialize;
use serde_yaml::{Error, Location, MessageFormatter, Spanned, UserMessageFormatter};

use super::{App, Corp, Department, Directory, Member, Tag, Visible};

/// Why a text is no directory; the message starts with `line:column` and ends with what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DirectoryError {
    message: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDirectory {
    corps: Spanned<Vec<RawCorp>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCorp {
    corp_id: Spanned<String>,
    #[serde(default)]
    departments: Vec<RawDepartment>,
    #[serde(default)]
    tags: Vec<RawTag>,
    members: Vec<RawMember>,
    apps: Vec<RawApp>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDepartment {
    id: Spanned<u64>,
    #[serde(default)]
    name: String,
    parent: Option<Spanned<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTag {
    id: Spanned<u64>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    members: Vec<Spanned<String>>,
    #[serde(default)]
    departments: Vec<Spanned<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMember {
    userid: Spanned<String>,
    #[serde(default)]
    name: String,
    #[serde(default)]
    departments: Vec<Spanned<u64>>,
    #[serde(default = "yes")]
    licensed: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApp {
    agent_id: Spanned<u64>,
    #[serde(default)]
    name: String,
    secret: Spanned<String>,
    #[serde(default)]
    disabled: bool,
    #[serde(default)]
    callback: bool,
    visible: Option<RawVisible>,
    #[serde(default)]
    trusted_ips: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawVisible {
    #[serde(default)]
    members: Vec<Spanned<String>>,
    #[serde(default)]
    departments: Vec<Spanned<u64>>,
    #[serde(default)]
    tags: Vec<Spanned<u64>>,
}

fn yes() -> bool {
    true
}

pub(super) fn read(text: &str) -> Result<Directory, DirectoryError> {
    // A snippet would print neighbouring lines, secrets included.
    let options = serde_yaml::options! { with_snippet: false };
    let raw: RawDirectory = serde_yaml::from_str_with_options(text, options).map_err(|error| {
        let message = said(error.without_snippet());
        match error.location() {
            Some(at) => fault(at, message),
            None => DirectoryError { message },
        }
    })?;
    if raw.corps.value.is_empty() {
        return Err(fault(raw.corps.referenced, "`corps` is empty: list at least one corp"));
    }
    unique("corp_id", raw.corps.value.iter().map(|corp| (&corp.corp_id, corp.corp_id.value.clone())))?;
    let corps = raw.corps.value.into_iter().map(corp).collect::<Result<_, _>>()?;
    Ok(Directory { corps })
}

/// The library's message without its place, and without advice for programmers.
fn said(error: &Error) -> String {
    match error {
        Error::InvalidScalar { ty: "u64", .. } => "this must be a whole number".to_owned(),
        Error::InvalidScalar { ty, .. } => format!("this must be of the type {ty}"),
        Error::Unexpected { expected: "sequence start", .. } => "this must be a list".to_owned(),
        Error::Unexpected { expected: "string scalar", .. } => "this must be a text".to_owned(),
        Error::Eof { .. } => "there is nothing here: a directory starts with `corps:`".to_owned(),
        other => UserMessageFormatter.format_message(other).into_owned(),
    }
}

fn corp(raw: RawCorp) -> Result<Corp, DirectoryError> {
    unique("department id", raw.departments.iter().map(|one| (&one.id, one.id.value)))?;
    unique("tag id", raw.tags.iter().map(|one| (&one.id, one.id.value)))?;
    unique("userid", raw.members.iter().map(|one| (&one.userid, one.userid.value.to_lowercase())))?;
    unique("agent_id", raw.apps.iter().map(|one| (&one.agent_id, one.agent_id.value)))?;
    unique("secret", raw.apps.iter().map(|one| (&one.secret, one.secret.value.clone())))?;

    let known = Known {
        departments: raw.departments.iter().map(|one| one.id.value).collect(),
        tags: raw.tags.iter().map(|one| one.id.value).collect(),
        userids: raw.members.iter().map(|one| userid(&one.userid)).collect::<Result<_, _>>()?,
    };
    tree(&raw.departments, &known)?;

    let departments = raw.departments.into_iter().map(|one| Department {
        id: one.id.value,
        name: one.name,
        parent: one.parent.map(|parent| parent.value),
    });
    let tags = raw.tags.into_iter().map(|one| {
        Ok(Tag {
            id: one.id.value,
            name: one.name,
            members: known.userids(one.members)?,
            departments: known.departments(one.departments)?,
        })
    });
    let members = raw.members.into_iter().map(|one| {
        Ok(Member {
            userid: userid(&one.userid)?,
            name: one.name,
            departments: known.departments(one.departments)?,
            licensed: one.licensed,
        })
    });
    let apps = raw.apps.into_iter().map(|one| app(one, &known));
    Ok(Corp {
        corp_id: filled("corp_id", raw.corp_id)?,
        departments: departments.collect(),
        tags: tags.collect::<Result<_, _>>()?,
        members: members.collect::<Result<_, _>>()?,
        apps: apps.collect::<Result<_, _>>()?,
    })
}

fn app(raw: RawApp, known: &Known) -> Result<App, DirectoryError> {
    let visible = raw.visible.map(|visible| {
        Ok(Visible {
            members: known.userids(visible.members)?,
            departments: known.departments(visible.departments)?,
            tags: known.tags(visible.tags)?,
        })
    });
    let trusted_ips = raw.trusted_ips.into_iter().map(|ip| {
        ip.value.parse::<IpAddr>().map_err(|_| {
            let text = format!("`{}` is no IP address: write one such as 203.0.113.4", ip.value);
            fault(ip.referenced, text)
        })
    });
    Ok(App {
        agent_id: raw.agent_id.value,
        name: raw.name,
        secret: filled("secret", raw.secret)?,
        disabled: raw.disabled,
        callback: raw.callback,
        visible: visible.transpose()?,
        trusted_ips: trusted_ips.collect::<Result<_, _>>()?,
    })
}

/// What may be referred to.
struct Known {
    departments: HashSet<u64>,
    tags: HashSet<u64>,
    userids: HashSet<String>,
}

impl Known {
    fn departments(&self, ids: Vec<Spanned<u64>>) -> Result<Vec<u64>, DirectoryError> {
        ids.into_iter().map(|id| known("department", &self.departments, id.value, id.referenced)).collect()
    }

    fn tags(&self, ids: Vec<Spanned<u64>>) -> Result<Vec<u64>, DirectoryError> {
        ids.into_iter().map(|id| known("tag", &self.tags, id.value, id.referenced)).collect()
    }

    fn userids(&self, ids: Vec<Spanned<String>>) -> Result<Vec<String>, DirectoryError> {
        let ids = ids.into_iter().map(|id| (id.value.to_lowercase(), id.referenced));
        ids.map(|(id, at)| known("member", &self.userids, id, at)).collect()
    }
}

fn known<T: Eq + Hash + Ord + Display>(
    what: &str,
    all: &HashSet<T>,
    id: T,
    at: Location,
) -> Result<T, DirectoryError> {
    if all.contains(&id) {
        return Ok(id);
    }
    let mut all: Vec<&T> = all.iter().collect();
    all.sort();
    let all: Vec<String> = all.into_iter().take(10).map(T::to_string).collect();
    let these =
        if all.is_empty() { "none is listed".to_owned() } else { format!("there are {}", all.join(", ")) };
    Err(fault(at, format!("{what} `{id}` is not in this corp: {these}")))
}

fn unique<'a, T: 'a, K: Eq + Hash + Display>(
    what: &str,
    keys: impl Iterator<Item = (&'a Spanned<T>, K)>,
) -> Result<(), DirectoryError> {
    let mut seen = HashSet::new();
    for (place, key) in keys {
        if seen.contains(&key) {
            // A secret must not reach a message.
            let named = if what == "secret" { String::new() } else { format!(" `{key}`") };
            return Err(fault(place.referenced, format!("{what}{named} is used twice: give each its own")));
        }
        seen.insert(key);
    }
    Ok(())
}

fn tree(departments: &[RawDepartment], all: &Known) -> Result<(), DirectoryError> {
    for department in departments {
        let mut above = department;
        for _ in 0..departments.len() {
            let Some(parent) = &above.parent else { break };
            known("department", &all.departments, parent.value, parent.referenced)?;
            let Some(next) = departments.iter().find(|one| one.id.value == parent.value) else { break };
            above = next;
        }
        // After as many steps as there are departments only a ring has still a parent.
        if let Some(parent) = &above.parent {
            let id = above.id.value;
            let text =
                format!("department `{id}` is under itself: leave `parent` out at the top of the tree");
            return Err(fault(parent.referenced, text));
        }
    }
    Ok(())
}

fn userid(raw: &Spanned<String>) -> Result<String, DirectoryError> {
    let fits = raw.value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c));
    if !fits || !(1..=64).contains(&raw.value.len()) {
        let text = format!("`{}` is no userid: 1 to 64 letters, digits, `-`, `_`, `.` or `@`", raw.value);
        return Err(fault(raw.referenced, text));
    }
    Ok(raw.value.to_lowercase())
}

fn filled(what: &str, raw: Spanned<String>) -> Result<String, DirectoryError> {
    if raw.value.is_empty() {
        return Err(fault(raw.referenced, format!("`{what}` is empty: write any text")));
    }
    Ok(raw.value)
}

fn fault(at: Location, message: impl Display) -> DirectoryError {
    DirectoryError { message: format!("{}:{}: {message}", at.line(), at.column()) }
}
