//! The directory as a file: the raw shape mirrors the YAML and remembers where each id stands.
//!
//! `derive(Deserialize)` was rejected: each shape would bring a reader of YAML of its own, all together as large as the
//! rest of the sandbox.

use std::collections::HashSet;
use std::fmt::Display;
use std::hash::Hash;
use std::net::IpAddr;

use super::{
    App, Corp, Department, Directory, Member, Tag, Visible,
    fields::{Fields, Placed, list, number, text, truth},
};
use crate::yaml::{self, Node, Position, Value};

/// Why a text is no directory; the message starts with `line:column` and ends with what would be right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct DirectoryError {
    message: String,
}

struct RawCorp {
    corp_id: Placed<String>,
    departments: Vec<RawDepartment>,
    tags: Vec<RawTag>,
    members: Vec<RawMember>,
    apps: Vec<RawApp>,
}

impl RawCorp {
    fn read(node: &Node) -> Result<Self, DirectoryError> {
        let fields = Fields::of(node, &["corp_id", "departments", "tags", "members", "apps"])?;
        Ok(Self {
            corp_id: text(fields.required("corp_id")?)?,
            departments: fields.list("departments", RawDepartment::read)?,
            tags: fields.list("tags", RawTag::read)?,
            members: list(fields.required("members")?, RawMember::read)?,
            apps: list(fields.required("apps")?, RawApp::read)?,
        })
    }
}

struct RawDepartment {
    id: Placed<u64>,
    name: String,
    parent: Option<Placed<u64>>,
}

impl RawDepartment {
    fn read(node: &Node) -> Result<Self, DirectoryError> {
        let fields = Fields::of(node, &["id", "name", "parent"])?;
        Ok(Self {
            id: number(fields.required("id")?)?,
            name: fields.name()?,
            parent: fields.optional("parent").map(number).transpose()?,
        })
    }
}

struct RawTag {
    id: Placed<u64>,
    name: String,
    members: Vec<Placed<String>>,
    departments: Vec<Placed<u64>>,
}

impl RawTag {
    fn read(node: &Node) -> Result<Self, DirectoryError> {
        let fields = Fields::of(node, &["id", "name", "members", "departments"])?;
        Ok(Self {
            id: number(fields.required("id")?)?,
            name: fields.name()?,
            members: fields.list("members", text)?,
            departments: fields.list("departments", number)?,
        })
    }
}

struct RawMember {
    userid: Placed<String>,
    name: String,
    departments: Vec<Placed<u64>>,
    licensed: bool,
}

impl RawMember {
    fn read(node: &Node) -> Result<Self, DirectoryError> {
        let fields = Fields::of(node, &["userid", "name", "departments", "licensed"])?;
        Ok(Self {
            userid: text(fields.required("userid")?)?,
            name: fields.name()?,
            departments: fields.list("departments", number)?,
            licensed: fields.optional("licensed").map_or(Ok(true), truth)?,
        })
    }
}

struct RawApp {
    agent_id: Placed<u64>,
    name: String,
    secret: Placed<String>,
    disabled: bool,
    callback: bool,
    visible: Option<RawVisible>,
    trusted_ips: Vec<Placed<String>>,
}

impl RawApp {
    fn read(node: &Node) -> Result<Self, DirectoryError> {
        let keys = ["agent_id", "name", "secret", "disabled", "callback", "visible", "trusted_ips"];
        let fields = Fields::of(node, &keys)?;
        Ok(Self {
            agent_id: number(fields.required("agent_id")?)?,
            name: fields.name()?,
            secret: text(fields.required("secret")?)?,
            disabled: fields.optional("disabled").map_or(Ok(false), truth)?,
            callback: fields.optional("callback").map_or(Ok(false), truth)?,
            visible: fields.optional("visible").map(RawVisible::read).transpose()?,
            trusted_ips: fields.list("trusted_ips", text)?,
        })
    }
}

struct RawVisible {
    members: Vec<Placed<String>>,
    departments: Vec<Placed<u64>>,
    tags: Vec<Placed<u64>>,
}

impl RawVisible {
    fn read(node: &Node) -> Result<Self, DirectoryError> {
        let fields = Fields::of(node, &["members", "departments", "tags"])?;
        Ok(Self {
            members: fields.list("members", text)?,
            departments: fields.list("departments", number)?,
            tags: fields.list("tags", number)?,
        })
    }
}

pub(super) fn read(source: &str) -> Result<Directory, DirectoryError> {
    let document = yaml::parse(source).map_err(|error| match error.at {
        Some(at) => fault(at, error.message),
        None => DirectoryError { message: error.message },
    })?;
    if matches!(document.value, Value::Null) {
        return Err(fault(document.at, "there is nothing here: a directory starts with `corps:`"));
    }
    let corps = Fields::of(&document, &["corps"])?.required("corps")?;
    let (at, corps) = (corps.at, list(corps, RawCorp::read)?);
    if corps.is_empty() {
        return Err(fault(at, "`corps` is empty: list at least one corp"));
    }
    unique("corp_id", corps.iter().map(|corp| (&corp.corp_id, corp.corp_id.value.clone())))?;
    let corps = corps.into_iter().map(corp).collect::<Result<_, _>>()?;
    Ok(Directory { corps })
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
            fault(ip.at, text)
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
    fn departments(&self, ids: Vec<Placed<u64>>) -> Result<Vec<u64>, DirectoryError> {
        ids.into_iter().map(|id| known("department", &self.departments, id.value, id.at)).collect()
    }

    fn tags(&self, ids: Vec<Placed<u64>>) -> Result<Vec<u64>, DirectoryError> {
        ids.into_iter().map(|id| known("tag", &self.tags, id.value, id.at)).collect()
    }

    fn userids(&self, ids: Vec<Placed<String>>) -> Result<Vec<String>, DirectoryError> {
        let ids = ids.into_iter().map(|id| (id.value.to_lowercase(), id.at));
        ids.map(|(id, at)| known("member", &self.userids, id, at)).collect()
    }
}

fn known<T: Eq + Hash + Ord + Display>(
    what: &str,
    all: &HashSet<T>,
    id: T,
    at: Position,
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
    keys: impl Iterator<Item = (&'a Placed<T>, K)>,
) -> Result<(), DirectoryError> {
    let mut seen = HashSet::new();
    for (place, key) in keys {
        if seen.contains(&key) {
            // A secret must not reach a message.
            let named = if what == "secret" { String::new() } else { format!(" `{key}`") };
            return Err(fault(place.at, format!("{what}{named} is used twice: give each its own")));
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
            known("department", &all.departments, parent.value, parent.at)?;
            let Some(next) = departments.iter().find(|one| one.id.value == parent.value) else { break };
            above = next;
        }
        // After as many steps as there are departments only a ring has still a parent.
        if let Some(parent) = &above.parent {
            let id = above.id.value;
            let text =
                format!("department `{id}` is under itself: leave `parent` out at the top of the tree");
            return Err(fault(parent.at, text));
        }
    }
    Ok(())
}

fn userid(raw: &Placed<String>) -> Result<String, DirectoryError> {
    let fits = raw.value.chars().all(|c| c.is_ascii_alphanumeric() || "-_.@".contains(c));
    if !fits || !(1..=64).contains(&raw.value.len()) {
        let text = format!("`{}` is no userid: 1 to 64 letters, digits, `-`, `_`, `.` or `@`", raw.value);
        return Err(fault(raw.at, text));
    }
    Ok(raw.value.to_lowercase())
}

fn filled(what: &str, raw: Placed<String>) -> Result<String, DirectoryError> {
    if raw.value.is_empty() {
        return Err(fault(raw.at, format!("`{what}` is empty: write any text")));
    }
    Ok(raw.value)
}

pub(super) fn fault(at: Position, message: impl Display) -> DirectoryError {
    DirectoryError { message: format!("{}:{}: {message}", at.line, at.column) }
}
