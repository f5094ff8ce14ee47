//! The read calls: the app itself, a member, a department, a tag.
//!
//! We do not know for every read which errcode WeCom gives for something outside the visible range. The sandbox always
//! answers 60011. A tag contains only its visible members.

use serde_json::{Map, Value, json};

use super::auth::{Authorized, authorize};
use super::directory::{App, Corp, Lookup, parse_id};
use super::reply::{ErrorReply, Reply};
use super::request::{Api, ApiRequest};
use super::settings::Settings;
use super::state::State;

const NO_PRIVILEGE: i64 = 60011;

pub(super) fn read(state: &State, settings: &Settings, request: &ApiRequest) -> Result<Reply, ErrorReply> {
    let Authorized { corp, app, .. } = authorize(state, settings, request)?;
    let found = match request.api {
        Api::AgentGet => agent(corp, app, request)?,
        Api::UserGet => user(corp, app, request)?,
        Api::DepartmentGet => department(corp, app, request)?,
        Api::TagGet => tag(corp, app, request)?,
        _ => Map::new(),
    };
    Ok(Reply { found, ..Reply::ok() })
}

fn agent(corp: &Corp, app: &App, request: &ApiRequest) -> Result<Map<String, Value>, ErrorReply> {
    let named = request.parameter("agentid").ok_or(ErrorReply::new(41011))?;
    let named = named.parse().ok().and_then(|id| corp.app(id)).ok_or(ErrorReply::new(40056))?;
    if named.agent_id != app.agent_id {
        return Err(ErrorReply::new(301002));
    }
    let (members, departments, tags) = match &app.visible {
        // An app that sees the whole company lists the root department.
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

fn user(corp: &Corp, app: &App, request: &ApiRequest) -> Result<Map<String, Value>, ErrorReply> {
    let userid = request.parameter("userid").ok_or(ErrorReply::new(60111))?;
    match corp.look_up_member(app, userid) {
        Lookup::Visible(member) => Ok(fields([
            ("userid", json!(member.userid)),
            ("name", json!(member.name)),
            ("department", json!(member.departments)),
            ("status", json!(1)),
        ])),
        Lookup::Hidden => Err(ErrorReply::new(NO_PRIVILEGE)),
        Lookup::Unknown => Err(ErrorReply::new(60111)),
    }
}

fn department(corp: &Corp, app: &App, request: &ApiRequest) -> Result<Map<String, Value>, ErrorReply> {
    let id = request.parameter("id").and_then(parse_id).ok_or(ErrorReply::new(60123))?;
    match corp.look_up_department(app, id) {
        Lookup::Visible(department) => {
            let parent = department.parent.unwrap_or(0);
            let department = json!({ "id": department.id, "name": department.name, "parentid": parent });
            Ok(fields([("department", department)]))
        }
        Lookup::Hidden => Err(ErrorReply::new(NO_PRIVILEGE)),
        Lookup::Unknown => Err(ErrorReply::new(60123)),
    }
}

fn tag(corp: &Corp, app: &App, request: &ApiRequest) -> Result<Map<String, Value>, ErrorReply> {
    let id = request.parameter("tagid").and_then(parse_id).ok_or(ErrorReply::new(40068))?;
    let (tag, members, departments) = corp.look_up_tag(app, id).ok_or(ErrorReply::new(40068))?;
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
