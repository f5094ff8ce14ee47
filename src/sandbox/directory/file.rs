//! Reads a directory from YAML and checks that it is consistent.

use std::{collections::HashSet, fmt::Display, hash::Hash, net::IpAddr};

use serde::Deserialize;
use serde_yaml::{Error, Location, Spanned};

use super::model::{App, Corp, Department, Directory, Member, Robot, Tag, Visible};

/// The YAML of [`Directory::builtin`], as an example of the format.
pub const BUILTIN_YAML: &str = include_str!("builtin.yml");

/// A text is not a valid directory. The message starts with `line:column` and ends with what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DirectoryError {
    message: String,
}

impl Directory {
    /// The directory that [`BUILTIN_YAML`] describes.
    #[expect(clippy::expect_used, reason = "the text is a constant of this program and a test parses it")]
    pub fn builtin() -> Self {
        Self::from_yaml(BUILTIN_YAML).expect("the built-in directory is valid")
    }

    /// Parses a directory.
    ///
    /// # Errors
    /// The text is not YAML, has an unknown or missing key, or contradicts itself. Only the first problem is reported,
    /// with its line and column.
    pub fn from_yaml(text: &str) -> Result<Self, DirectoryError> {
        let options = serde_yaml::options! { strict_booleans: true, with_snippet: false };
        let file: Option<DirectoryFile> =
            serde_yaml::from_str_with_options(text, options).map_err(|error| yaml_error(&error))?;
        let Some(DirectoryFile { corps }) = file else {
            let message = "1:1: the file is empty: a directory starts with `corps:`".to_owned();
            return Err(DirectoryError { message });
        };
        if corps.value.is_empty() {
            return Err(error_at(&corps.referenced, "`corps` is empty: list at least one corp"));
        }
        let robots = || corps.value.iter().flat_map(|corp| &corp.robots);
        unique("name", robots().map(|robot| (&robot.name, robot.name.value.clone())))?;
        unique("secret", robots().map(|robot| (&robot.key, robot.key.value.clone())))?;
        unique("corp_id", corps.value.iter().map(|corp| (&corp.corp_id, corp.corp_id.value.clone())))?;
        let corps = corps.value.into_iter().map(corp).collect::<Result<_, _>>()?;
        Ok(Self { corps })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DirectoryFile {
    corps: Spanned<Vec<CorpEntry>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CorpEntry {
    corp_id: Spanned<String>,
    #[serde(default)]
    departments: Vec<DepartmentEntry>,
    #[serde(default)]
    tags: Vec<TagEntry>,
    members: Vec<MemberEntry>,
    apps: Vec<AppEntry>,
    #[serde(default)]
    robots: Vec<RobotEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DepartmentEntry {
    id: Spanned<u64>,
    name: Option<String>,
    parent: Option<Spanned<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TagEntry {
    id: Spanned<u64>,
    name: Option<String>,
    #[serde(default)]
    members: Vec<Spanned<String>>,
    #[serde(default)]
    departments: Vec<Spanned<u64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MemberEntry {
    userid: Spanned<String>,
    name: Option<String>,
    #[serde(default)]
    departments: Vec<Spanned<u64>>,
    licensed: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AppEntry {
    agent_id: Spanned<u64>,
    name: Option<String>,
    secret: Spanned<String>,
    disabled: Option<bool>,
    callback: Option<bool>,
    visible: Option<VisibleEntry>,
    #[serde(default)]
    trusted_ips: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RobotEntry {
    name: Spanned<String>,
    key: Spanned<String>,
    members: Vec<Spanned<String>>,
    disabled: Option<bool>,
    in_group: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VisibleEntry {
    #[serde(default)]
    members: Vec<Spanned<String>>,
    #[serde(default)]
    departments: Vec<Spanned<u64>>,
    #[serde(default)]
    tags: Vec<Spanned<u64>>,
}

/// The ids of a corp that other entries may refer to.
struct KnownIds {
    departments: HashSet<u64>,
    tags: HashSet<u64>,
    userids: HashSet<String>,
}

impl KnownIds {
    fn departments(&self, ids: Vec<Spanned<u64>>) -> Result<Vec<u64>, DirectoryError> {
        ids.into_iter().map(|id| known("department", &self.departments, id.value, &id.referenced)).collect()
    }

    fn tags(&self, ids: Vec<Spanned<u64>>) -> Result<Vec<u64>, DirectoryError> {
        ids.into_iter().map(|id| known("tag", &self.tags, id.value, &id.referenced)).collect()
    }

    fn userids(&self, ids: Vec<Spanned<String>>) -> Result<Vec<String>, DirectoryError> {
        let check =
            |id: Spanned<String>| known("member", &self.userids, id.value.to_lowercase(), &id.referenced);
        ids.into_iter().map(check).collect()
    }
}

fn corp(entry: CorpEntry) -> Result<Corp, DirectoryError> {
    unique("department id", entry.departments.iter().map(|one| (&one.id, one.id.value)))?;
    unique("tag id", entry.tags.iter().map(|one| (&one.id, one.id.value)))?;
    unique("userid", entry.members.iter().map(|one| (&one.userid, one.userid.value.to_lowercase())))?;
    unique("agent_id", entry.apps.iter().map(|one| (&one.agent_id, one.agent_id.value)))?;
    unique("secret", entry.apps.iter().map(|one| (&one.secret, one.secret.value.clone())))?;

    let known = KnownIds {
        departments: entry.departments.iter().map(|one| one.id.value).collect(),
        tags: entry.tags.iter().map(|one| one.id.value).collect(),
        userids: entry.members.iter().map(|one| userid(&one.userid)).collect::<Result<_, _>>()?,
    };
    check_tree(&entry.departments, &known)?;

    let mut departments = Vec::with_capacity(entry.departments.len());
    for one in entry.departments {
        let parent = one.parent.map(|parent| parent.value);
        departments.push(Department { id: one.id.value, name: one.name.unwrap_or_default(), parent });
    }
    let mut tags = Vec::with_capacity(entry.tags.len());
    for one in entry.tags {
        tags.push(Tag {
            id: one.id.value,
            name: one.name.unwrap_or_default(),
            members: known.userids(one.members)?,
            departments: known.departments(one.departments)?,
        });
    }
    let mut members = Vec::with_capacity(entry.members.len());
    for one in entry.members {
        members.push(Member {
            userid: userid(&one.userid)?,
            name: one.name.unwrap_or_default(),
            departments: known.departments(one.departments)?,
            licensed: one.licensed.unwrap_or(true),
        });
    }
    let mut apps = Vec::with_capacity(entry.apps.len());
    for one in entry.apps {
        apps.push(app(one, &known)?);
    }
    let mut robots = Vec::with_capacity(entry.robots.len());
    for one in entry.robots {
        robots.push(Robot {
            name: filled("name", one.name)?,
            key: filled("key", one.key)?,
            members: known.userids(one.members)?,
            disabled: one.disabled.unwrap_or(false),
            in_group: one.in_group.unwrap_or(true),
        });
    }
    Ok(Corp { corp_id: filled("corp_id", entry.corp_id)?, departments, tags, members, apps, robots })
}

fn app(entry: AppEntry, known: &KnownIds) -> Result<App, DirectoryError> {
    let visible = match entry.visible {
        None => None,
        Some(visible) => Some(Visible {
            members: known.userids(visible.members)?,
            departments: known.departments(visible.departments)?,
            tags: known.tags(visible.tags)?,
        }),
    };
    let mut trusted_ips = Vec::with_capacity(entry.trusted_ips.len());
    for ip in entry.trusted_ips {
        let parsed = ip.value.parse::<IpAddr>().map_err(|_| {
            let message = format!("`{}` is not an IP address: write one such as 203.0.113.4", ip.value);
            error_at(&ip.referenced, message)
        })?;
        trusted_ips.push(parsed);
    }
    Ok(App {
        agent_id: entry.agent_id.value,
        name: entry.name.unwrap_or_default(),
        secret: filled("secret", entry.secret)?,
        disabled: entry.disabled.unwrap_or(false),
        callback: entry.callback.unwrap_or(false),
        visible,
        trusted_ips,
    })
}

fn known<T: Eq + Hash + Ord + Display>(
    kind: &str,
    ids: &HashSet<T>,
    id: T,
    location: &Location,
) -> Result<T, DirectoryError> {
    if ids.contains(&id) {
        return Ok(id);
    }
    let mut ids: Vec<&T> = ids.iter().collect();
    ids.sort();
    let ids: Vec<String> = ids.into_iter().take(10).map(T::to_string).collect();
    let existing =
        if ids.is_empty() { "none is listed".to_owned() } else { format!("there are {}", ids.join(", ")) };
    Err(error_at(location, format!("{kind} `{id}` is not in this corp: {existing}")))
}

fn unique<'a, T: 'a, K: Eq + Hash + Display>(
    kind: &str,
    keys: impl Iterator<Item = (&'a Spanned<T>, K)>,
) -> Result<(), DirectoryError> {
    let mut seen = HashSet::new();
    for (entry, key) in keys {
        if seen.contains(&key) {
            // A secret must not appear in a message.
            let name = if kind == "secret" { String::new() } else { format!(" `{key}`") };
            let message = format!("{kind}{name} is used twice: give each its own");
            return Err(error_at(&entry.referenced, message));
        }
        seen.insert(key);
    }
    Ok(())
}

fn check_tree(departments: &[DepartmentEntry], all: &KnownIds) -> Result<(), DirectoryError> {
    for department in departments {
        let mut ancestor = department;
        for _ in 0..departments.len() {
            let Some(parent) = &ancestor.parent else { break };
            known("department", &all.departments, parent.value, &parent.referenced)?;
            let Some(next) = departments.iter().find(|one| one.id.value == parent.value) else { break };
            ancestor = next;
        }
        // After as many steps as there are departments, only a cycle still has a parent.
        if let Some(parent) = &ancestor.parent {
            let id = ancestor.id.value;
            let message =
                format!("department `{id}` is under itself: leave `parent` out at the top of the tree");
            return Err(error_at(&parent.referenced, message));
        }
    }
    Ok(())
}

fn userid(text: &Spanned<String>) -> Result<String, DirectoryError> {
    let userid = &text.value;
    let has_only_allowed = userid.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c));
    if !has_only_allowed || !(1..=64).contains(&userid.len()) {
        let message =
            format!("`{userid}` is not a userid: write 1 to 64 letters, digits, `-`, `_`, `.` or `@`");
        return Err(error_at(&text.referenced, message));
    }
    Ok(userid.to_lowercase())
}

fn filled(key: &str, text: Spanned<String>) -> Result<String, DirectoryError> {
    if text.value.is_empty() {
        return Err(error_at(&text.referenced, format!("`{key}` is empty: write any text")));
    }
    Ok(text.value)
}

fn error_at(location: &Location, message: impl Display) -> DirectoryError {
    let message = format!("{}:{}: {message}", location.line(), location.column());
    DirectoryError { message }
}

fn yaml_error(error: &Error) -> DirectoryError {
    let error = error.without_snippet();
    let message = match error {
        Error::SerdeUnknownField { field, expected, .. } => {
            format!("unknown field `{field}`: use one of {}", expected.join(", "))
        }
        Error::SerdeMissingField { field, .. } => format!("missing field `{field}`"),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("duplicate key `{key}`: write it once")
        }
        Error::InvalidScalar { ty: "u64", .. } => "this must be a whole number".to_owned(),
        Error::InvalidBooleanStrict { .. } => "this must be true or false".to_owned(),
        Error::Unexpected { expected: "sequence start", .. } => "this must be a list".to_owned(),
        Error::Unexpected { expected: "mapping start", .. } => "this must be a mapping".to_owned(),
        Error::Unexpected { expected: "string scalar", .. } => "this must be a text".to_owned(),
        Error::ExternalMessage { msg, .. } => format!("this is not YAML: {msg}"),
        other => format!("this cannot be read: {other}"),
    };
    match error.location() {
        Some(location) => error_at(&location, message),
        None => DirectoryError { message },
    }
}
