//! Reads the state of the sandbox into a view.

use std::collections::{BTreeSet, HashMap};

use super::{
    extras::DemoPress,
    faults::{FaultButton, described, press_fault_label},
    message::message_view,
    presses::press_views,
    view::{ButtonView, CallView, Fate, PhoneTab, PhoneView},
    words::Words,
};
use crate::{
    pages::Moments,
    sandbox::{
        callback::PressFault,
        calls::Calls,
        record::{Delivered, MemberOutcome, Message},
        state::State,
    },
    text::percent_encode,
};

/// The messages on a page. A phone may have many more, and a browser must stay usable.
const MAX_MESSAGES: usize = 100;

/// The phone that the reader asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    pub(super) member: Option<String>,
    pub(super) group: Option<String>,
}

/// The page for one phone. An unknown member or group gets the first phone.
pub(super) fn view(state: &mut State, asked: &Asked, moments: &Moments, words: &Words) -> PhoneView {
    let faults = state.faults.active(moments.now);
    let language = moments.language;
    let groups = group_names(state);
    let members = member_names(state);
    let (owner, is_group) = chosen(asked, &members, &groups);
    let screen: HashMap<&str, &Delivered> = match is_group {
        true => HashMap::new(),
        false => state.record.screen(&owner).map(|shown| (shown.msgid.as_str(), shown)).collect(),
    };
    let mut newest = Vec::new();
    let mut older = 0;
    for message in state.record.newest_first() {
        let Some(fate) = fate(message, &owner, is_group) else { continue };
        if newest.len() == MAX_MESSAGES {
            older += 1;
            continue;
        }
        let shown = screen.get(message.msgid.as_str()).copied();
        newest.push(message_view(message, shown, fate, sender(state, message), moments));
    }
    let tab = |name: &String, key: &str, shown: usize, is_current: bool| PhoneTab {
        name: name.clone(),
        path: format!("?{key}={}", percent_encode(name)),
        shown,
        is_current,
    };
    let member_tab =
        |name: &String| tab(name, "member", state.record.delivered_count(name), !is_group && *name == owner);
    let group_tab = |name: &String| {
        tab(name, "group", state.record.delivered_to_group_count(name), is_group && *name == owner)
    };
    PhoneView {
        members: members.iter().map(member_tab).collect(),
        groups: groups.iter().map(group_tab).collect(),
        owner: owner.clone(),
        is_group,
        messages: newest,
        older,
        totals: state.record.totals(),
        faults: FaultButton::ALL.map(|fault| button(fault.name(), fault.label(language))).into(),
        in_force: faults.iter().map(|fault| described(fault, language)).collect(),
        calls: calls(&state.calls),
        console: state.extras.console.clone(),
        sends: sends(state, words),
        press_faults: PressFault::ALL
            .map(|fault| button(fault.name(), press_fault_label(fault, language)))
            .into(),
        next_press: state.presses.next_fault.map(|fault| press_fault_label(fault, language)),
        presses: press_views(&state.presses, moments, words),
        has_callbacks: state.callbacks.all().next().is_some(),
    }
}

fn member_names(state: &State) -> Vec<String> {
    let members = state.directory.corps.iter().flat_map(|corp| &corp.members);
    // Two corps may have the same user id, and a phone shows both.
    members.map(|member| member.userid.clone()).collect::<BTreeSet<_>>().into_iter().collect()
}

fn group_names(state: &State) -> Vec<String> {
    let robots = state.directory.corps.iter().flat_map(|corp| &corp.robots);
    let robots = robots.map(|robot| robot.name.clone());
    robots.chain(state.chats.ids().map(str::to_owned)).collect()
}

/// The owner of the phone, and true if it is a group.
fn chosen(asked: &Asked, members: &[String], groups: &[String]) -> (String, bool) {
    if let Some(group) = asked.group.as_ref().filter(|group| groups.contains(group)) {
        return (group.clone(), true);
    }
    let member = asked.member.as_ref().filter(|member| members.contains(member));
    (member.or(members.first()).cloned().unwrap_or_default(), false)
}

/// The result of the message on this phone. `None` if it is not for it.
fn fate(message: &Message, owner: &str, is_group: bool) -> Option<Fate> {
    let outcome = match (&message.group, is_group) {
        (Some(group), true) if **group == *owner => {
            // A chat may drop a message for some of its members.
            let shown = message.members.iter().find(|(_, outcome)| *outcome == MemberOutcome::Shown);
            shown.or(message.members.first()).map(|(_, outcome)| *outcome)
        }
        (None, false) => {
            message.members.iter().find(|(userid, _)| userid == owner).map(|(_, outcome)| *outcome)
        }
        _ => None,
    };
    Some(match outcome? {
        MemberOutcome::Shown => Fate::Shown,
        MemberOutcome::Dropped => Fate::Dropped,
        MemberOutcome::Duplicate => Fate::Duplicate,
    })
}

/// The name over a bubble: that of the app, or of the group of a robot.
fn sender(state: &State, message: &Message) -> String {
    let app = state.directory.corp(&message.corp_id).and_then(|corp| corp.app(message.agent_id));
    match (app, &message.group) {
        (Some(app), _) => app.name.clone(),
        (None, Some(group)) => group.to_string(),
        (None, None) => format!("AgentId {}", message.agent_id),
    }
}

fn calls(calls: &Calls) -> Vec<CallView> {
    let made = calls.counts().iter().filter(|(_, results)| !results.is_empty());
    made.map(|(api, results)| {
        let results: Vec<String> =
            results.iter().map(|(result, count)| format!("{result} × {count}")).collect();
        CallView { api, results: results.join(" · ") }
    })
    .collect()
}

fn sends(state: &State, words: &Words) -> Vec<ButtonView> {
    if state.extras.presses.is_none() {
        return Vec::new();
    }
    let label = |press| match press {
        DemoPress::Sample => words.sample,
        DemoPress::Resolved => words.resolved,
        DemoPress::Storm => words.storm,
    };
    DemoPress::ALL.map(|press| button(press.name(), label(press))).into()
}

fn button(name: &'static str, label: &'static str) -> ButtonView {
    ButtonView { name, label }
}
