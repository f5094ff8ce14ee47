//! Finds the members for `touser`, `toparty` and `totag`.

use std::cell::LazyCell;
use std::collections::{BTreeSet, HashSet};

use super::model::{App, Corp, Department, Member, Tag};

/// The recipients that a message names, trimmed and without empty items.
pub(in crate::sandbox) struct RecipientNames {
    pub(in crate::sandbox) users: Vec<String>,
    pub(in crate::sandbox) parties: Vec<String>,
    pub(in crate::sandbox) tags: Vec<String>,
}

/// The members that get a message, and the names that are not valid.
#[derive(Debug, Default, PartialEq)]
pub(in crate::sandbox) struct Recipients {
    /// In the order of the directory.
    pub(in crate::sandbox) members: Vec<String>,
    pub(in crate::sandbox) invaliduser: Vec<String>,
    pub(in crate::sandbox) invalidparty: Vec<String>,
    pub(in crate::sandbox) invalidtag: Vec<String>,
    pub(in crate::sandbox) unlicenseduser: Vec<String>,
    /// None of the names is valid. WeCom answers 81013.
    pub(in crate::sandbox) all_invalid: bool,
}

/// An app's view of a member, department or tag.
pub(in crate::sandbox) enum Lookup<T> {
    Visible(T),
    /// It exists outside the app's visible range.
    Hidden,
    Unknown,
}

impl RecipientNames {
    pub(in crate::sandbox) fn new(touser: &str, toparty: &str, totag: &str) -> Self {
        Self { users: split(touser), parties: split(toparty), tags: split(totag) }
    }

    pub(in crate::sandbox) fn is_empty(&self) -> bool {
        self.users.is_empty() && self.parties.is_empty() && self.tags.is_empty()
    }

    pub(in crate::sandbox) fn is_everybody(&self) -> bool {
        matches!(self.users.as_slice(), [only] if only == "@all")
    }
}

fn split(list: &str) -> Vec<String> {
    list.split('|').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The id of a department or tag. Leading zeros are ignored.
pub(in crate::sandbox) fn parse_id(text: &str) -> Option<u64> {
    // `parse` would also accept a sign.
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

impl Corp {
    /// Finds the members that `app` reaches under these names.
    pub(in crate::sandbox) fn recipients(&self, app: &App, named: &RecipientNames) -> Recipients {
        // A large company has many members, and most requests name only a few of them.
        let visible = LazyCell::new(|| self.visible_members(app));
        let mut found = Recipients::default();
        let mut reached: HashSet<&str> = HashSet::new();
        let mut valid_names = 0;

        if named.is_everybody() {
            valid_names = 1;
            reached.extend(&*visible);
        } else {
            for name in &named.users {
                let userid = name.to_lowercase();
                let known = self.members.iter().find(|member| member.userid == userid);
                match known.filter(|_| app.visible.is_none() || visible.contains(userid.as_str())) {
                    Some(member) => _ = reached.insert(&member.userid),
                    None => push_once(&mut found.invaliduser, userid),
                }
            }
            for name in &named.parties {
                match parse_id(name).filter(|id| self.sees_department(app, *id)) {
                    Some(id) => {
                        valid_names += 1;
                        reached.extend(self.members_of_department(id));
                    }
                    None => push_once(&mut found.invalidparty, name.clone()),
                }
            }
            for name in &named.tags {
                match parse_id(name).and_then(|id| self.visible_tag(app, id, &visible)) {
                    Some(tag) => {
                        valid_names += 1;
                        reached.extend(self.members_of_tag(tag).intersection(&visible));
                    }
                    None => push_once(&mut found.invalidtag, name.clone()),
                }
            }
        }

        for member in self.members.iter().filter(|member| reached.contains(member.userid.as_str())) {
            let list = if member.licensed { &mut found.members } else { &mut found.unlicenseduser };
            list.push(member.userid.clone());
        }
        found.all_invalid = found.members.is_empty() && valid_names == 0;
        found
    }

    pub(in crate::sandbox) fn look_up_member(&self, app: &App, userid: &str) -> Lookup<&Member> {
        let userid = userid.to_lowercase();
        match self.members.iter().find(|member| member.userid == userid) {
            Some(member) if self.visible_members(app).contains(userid.as_str()) => Lookup::Visible(member),
            Some(_) => Lookup::Hidden,
            None => Lookup::Unknown,
        }
    }

    pub(in crate::sandbox) fn look_up_department(&self, app: &App, id: u64) -> Lookup<&Department> {
        match self.departments.iter().find(|department| department.id == id) {
            Some(department) if self.sees_department(app, id) => Lookup::Visible(department),
            Some(_) => Lookup::Hidden,
            None => Lookup::Unknown,
        }
    }

    /// The tag, with those of its members and departments that the app sees.
    pub(in crate::sandbox) fn look_up_tag(
        &self,
        app: &App,
        id: u64,
    ) -> Option<(&Tag, Vec<&Member>, Vec<u64>)> {
        let tag = self.tags.iter().find(|tag| tag.id == id)?;
        let visible = self.visible_members(app);
        let seen = |member: &&Member| {
            tag.members.contains(&member.userid) && visible.contains(member.userid.as_str())
        };
        let departments = tag.departments.iter().copied().filter(|id| self.sees_department(app, *id));
        Some((tag, self.members.iter().filter(seen).collect(), departments.collect()))
    }

    fn visible_members<'a>(&'a self, app: &'a App) -> BTreeSet<&'a str> {
        let Some(visible) = &app.visible else {
            return self.members.iter().map(|member| member.userid.as_str()).collect();
        };
        let mut members: BTreeSet<&str> = visible.members.iter().map(String::as_str).collect();
        for id in &visible.departments {
            members.extend(self.members_of_department(*id));
        }
        for tag in self.tags.iter().filter(|tag| visible.tags.contains(&tag.id)) {
            members.extend(self.members_of_tag(tag));
        }
        members
    }

    // A department is visible as a whole or not at all. An app that sees only some of its members cannot address it.
    fn sees_department(&self, app: &App, id: u64) -> bool {
        let known = self.departments.iter().any(|department| department.id == id);
        known
            && app
                .visible
                .as_ref()
                .is_none_or(|visible| visible.departments.iter().any(|seen| self.is_under(id, *seen)))
    }

    fn visible_tag(&self, app: &App, id: u64, members: &BTreeSet<&str>) -> Option<&Tag> {
        let tag = self.tags.iter().find(|tag| tag.id == id)?;
        let seen = app.visible.as_ref().is_none_or(|visible| visible.tags.contains(&id));
        (seen || !self.members_of_tag(tag).is_disjoint(members)).then_some(tag)
    }

    fn members_of_tag<'a>(&'a self, tag: &'a Tag) -> BTreeSet<&'a str> {
        let mut members: BTreeSet<&str> = tag.members.iter().map(String::as_str).collect();
        for id in &tag.departments {
            members.extend(self.members_of_department(*id));
        }
        members
    }

    fn members_of_department(&self, id: u64) -> impl Iterator<Item = &str> {
        self.members
            .iter()
            .filter(move |member| member.departments.iter().any(|own| self.is_under(*own, id)))
            .map(|member| member.userid.as_str())
    }

    // This ends, because departments form a tree.
    fn is_under(&self, mut id: u64, ancestor: u64) -> bool {
        loop {
            if id == ancestor {
                return true;
            }
            match self.departments.iter().find(|department| department.id == id).and_then(|one| one.parent) {
                Some(parent) => id = parent,
                None => return false,
            }
        }
    }
}

fn push_once(list: &mut Vec<String>, name: String) {
    if !list.contains(&name) {
        list.push(name);
    }
}
