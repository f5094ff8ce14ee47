//! The reads beside `message/send`: the app itself, a member, a department, a tag.
//!
//! Which errcode the real WeCom gives for what exists outside of the visible range is not known for every read: here it
//! is 60011 throughout, and a tag shows those of its members that are seen.

use serde_json::{Map, Value, json};

use super::api::{Api, Arrival};
use super::directory::{App, Corp, Sight, id};
use super::reply::{Refusal, Reply};
use super::{Settings, State, token};

const NO_PRIVILEGE: i64 = 60011;

pub(super) fn read(state: &State, settings: &Settings, arrived: &Arrival) -> Result<Reply, Refusal> {
    let (_, corp, app) = token::admitted(state, settings, arrived)?;
    let found = match arrived.api {
        Api::AgentGet => agent(corp, app, arrived)?,
        Api::UserGet => user(corp, app, arrived)?,
        Api::DepartmentGet => department(corp, app, arrived)?,
        Api::TagGet => tag(corp, app, arrived)?,
        Api::Gettoken | Api::MessageSend => Map::new(),
    };
    Ok(Reply { found, ..Reply::ok() })
}

fn agent(corp: &Corp, app: &App, arrived: &Arrival) -> Result<Map<String, Value>, Refusal> {
    let named = arrived.parameter("agentid").ok_or(Refusal::new(41011))?;
    let named = named.parse().ok().and_then(|id| corp.app(id)).ok_or(Refusal::new(40056))?;
    if named.agent_id != app.agent_id {
        return Err(Refusal::new(301002));
    }
    let (members, departments, tags) = match &app.visible {
        // Everybody: the root department.
        None => (
            Vec::new(),
            corp.departments.iter().filter(|one| one.parent.is_none()).map(|one| one.id).collect(),
            Vec::new(),
        ),
        Some(visible) => (visible.members.clone(), visible.departments.clone(), visible.tags.clone()),
    };
    let users: Vec<Value> = members.iter().map(|userid| json!({ "userid": userid })).collect();
    Ok(fields([
        ("agentid", json!(app.agent_id)),
        ("name", json!(app.name)),
        ("allow_userinfos", json!({ "user": users })),
        ("allow_partys", json!({ "partyid": departments })),
        ("allow_tags", json!({ "tagid": tags })),
        ("close", json!(0)),
    ]))
}

fn user(corp: &Corp, app: &App, arrived: &Arrival) -> Result<Map<String, Value>, Refusal> {
    let userid = arrived.parameter("userid").ok_or(Refusal::new(60111))?;
    match corp.look_up_member(app, userid) {
        Sight::Seen(member) => Ok(fields([
            ("userid", json!(member.userid)),
            ("name", json!(member.name)),
            ("department", json!(member.departments)),
            ("status", json!(1)),
        ])),
        Sight::Hidden => Err(Refusal::new(NO_PRIVILEGE)),
        Sight::Unknown => Err(Refusal::new(60111)),
    }
}

fn department(corp: &Corp, app: &App, arrived: &Arrival) -> Result<Map<String, Value>, Refusal> {
    let id = arrived.parameter("id").and_then(id).ok_or(Refusal::new(60123))?;
    match corp.look_up_department(app, id) {
        Sight::Seen(department) => {
            let parent = department.parent.unwrap_or(0);
            let department = json!({ "id": department.id, "name": department.name, "parentid": parent });
            Ok(fields([("department", department)]))
        }
        Sight::Hidden => Err(Refusal::new(NO_PRIVILEGE)),
        Sight::Unknown => Err(Refusal::new(60123)),
    }
}

fn tag(corp: &Corp, app: &App, arrived: &Arrival) -> Result<Map<String, Value>, Refusal> {
    let id = arrived.parameter("tagid").and_then(id).ok_or(Refusal::new(40068))?;
    let (tag, members, departments) = corp.look_up_tag(app, id).ok_or(Refusal::new(40068))?;
    let members: Vec<Value> =
        members.iter().map(|member| json!({ "userid": member.userid, "name": member.name })).collect();
    Ok(fields([
        ("tagname", json!(tag.name)),
        ("userlist", json!(members)),
        ("partylist", json!(departments)),
    ]))
}

fn fields<const N: usize>(pairs: [(&str, Value); N]) -> Map<String, Value> {
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}
