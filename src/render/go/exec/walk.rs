//! Actions and the flow between them.

use super::{
    execution::{Execution, Run, Variable},
    failure::Place,
};
use crate::{
    alertmanager::severity_rank,
    render::{
        go::{
            budget::Buffer,
            format::push_printed,
            runes::lossy,
            syntax::{Branch, Node, Pipe},
            value::{Alert, ListType, Value},
        },
        rendered::{AlertKind, AlertRange},
    },
    text::shorten,
};

/// What to do after a list of nodes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Next,
    Break,
    Continue,
}

impl<'t> Execution<'t> {
    pub(super) fn walk(&mut self, nodes: &'t [Node], dot: &Value) -> Run<Flow> {
        self.deeper(|execution| {
            for node in nodes {
                let flow = execution.node(node, dot)?;
                if flow != Flow::Next {
                    return Ok(flow);
                }
            }
            Ok(Flow::Next)
        })
    }

    fn node(&mut self, node: &'t Node, dot: &Value) -> Run<Flow> {
        self.step()?;
        match node {
            Node::Text(text) => {
                let written = self.out.push(text);
                self.at_place(written)?;
            }
            Node::Action(pipe) => {
                let value = self.pipe(pipe, dot)?;
                if pipe.variables.is_empty() {
                    self.place = Place::Pipe(pipe);
                    let written = push_printed(&mut self.out, &value);
                    self.at_place(written)?;
                }
            }
            Node::If(branch) => return self.branch(branch, dot, false),
            Node::With(branch) => return self.branch(branch, dot, true),
            Node::Range(branch) => return self.range(branch, dot),
            Node::Template { at, name, argument } => {
                self.place = Place::Template { at: *at, name, argument: argument.as_ref() };
                self.template(name, argument.as_ref(), dot)?;
            }
            Node::Break => return Ok(Flow::Break),
            Node::Continue => return Ok(Flow::Continue),
        }
        Ok(Flow::Next)
    }

    fn branch(&mut self, branch: &'t Branch, dot: &Value, changes_dot: bool) -> Run<Flow> {
        let outer_variables = self.variables.len();
        let value = self.pipe(&branch.pipe, dot)?;
        let flow = if value.is_true() {
            self.walk(&branch.body, if changes_dot { &value } else { dot })?
        } else {
            self.walk(&branch.otherwise, dot)?
        };
        self.variables.truncate(outer_variables);
        Ok(flow)
    }

    fn template(&mut self, name: &'t str, argument: Option<&'t Pipe>, dot: &Value) -> Run<()> {
        let template = self.definition(name)?;
        let dot = match argument {
            Some(pipe) => self.pipe(pipe, dot)?,
            None => Value::Nil,
        };
        // A template sees no variables of its caller.
        let variables = vec![Variable { name: "$", value: dot.clone() }];
        let caller_variables = std::mem::replace(&mut self.variables, variables);
        let caller = std::mem::replace(&mut self.template, template);
        self.walk(&template.body, &dot)?;
        self.template = caller;
        self.variables = caller_variables;
        Ok(())
    }

    fn range(&mut self, branch: &'t Branch, dot: &Value) -> Run<Flow> {
        let outer_variables = self.variables.len();
        let value = self.pipe(&branch.pipe, dot)?;
        let has_turns = match &value {
            Value::List(list) => {
                let is_alerts = matches!(list.kind, ListType::Alerts | ListType::AlertSlice);
                for (index, item) in list.items.iter().enumerate() {
                    let flow = match item {
                        Value::Alert(alert) if is_alerts && !self.is_in_alert => {
                            self.alert_turn(branch, index, alert, item)?
                        }
                        _ => self.turn(branch, Value::count(index), item)?,
                    };
                    if flow == Flow::Break {
                        break;
                    }
                }
                !list.items.is_empty()
            }
            Value::Kv(kv) => {
                for pair in &kv.0 {
                    let (name, value) = (Value::str(pair.name.clone()), Value::str(pair.value.clone()));
                    if self.turn(branch, name, &value)? == Flow::Break {
                        break;
                    }
                }
                !kv.0.is_empty()
            }
            Value::Dict(dict) => {
                for (name, value) in &dict.entries {
                    if self.turn(branch, Value::str(name.clone()), value)? == Flow::Break {
                        break;
                    }
                }
                !dict.entries.is_empty()
            }
            Value::Int(count, kind) => {
                if branch.pipe.variables.len() > 1 {
                    let shown = shown(&value);
                    return self.fail(format!("can't use {shown} to iterate over more than one variable"));
                }
                for number in 0..*count {
                    let number = Value::Int(number, *kind);
                    if self.turn(branch, Value::Nil, &number)? == Flow::Break {
                        break;
                    }
                }
                *count > 0
            }
            Value::Nil => false,
            _ => {
                let advice = match value {
                    Value::Data(_) => "; write .Alerts, or .Alerts.Firing where a template gets its argument",
                    _ => "",
                };
                return self.fail(format!("range can't iterate over {}{advice}", shown(&value)));
            }
        };
        let flow = if has_turns { Flow::Next } else { self.walk(&branch.otherwise, dot)? };
        self.variables.truncate(outer_variables);
        Ok(flow)
    }

    /// One turn of a range, with its variables.
    fn turn(&mut self, branch: &'t Branch, index: Value, item: &Value) -> Run<Flow> {
        self.step()?;
        let outer_variables = self.variables.len();
        let mut values = [index, item.clone()];
        let used = match branch.pipe.variables.len() {
            1 => values.get_mut(1..),
            count => values.get_mut(..count),
        };
        for (name, value) in branch.pipe.variables.iter().zip(used.unwrap_or_default()) {
            // The pipe has declared these variables, so a declaration assigns them too.
            self.assign(name, std::mem::replace(value, Value::Nil))?;
        }
        let flow = self.walk(&branch.body, item)?;
        self.variables.truncate(outer_variables);
        Ok(flow)
    }

    /// A turn of the outermost range over alerts. What it writes is the text of the alert.
    fn alert_turn(&mut self, branch: &'t Branch, index: usize, alert: &Alert, item: &Value) -> Run<Flow> {
        let start = self.out.len();
        self.is_in_alert = true;
        let flow = self.turn(branch, Value::count(index), item)?;
        self.is_in_alert = false;
        if self.out.len() > start {
            self.alerts.push(AlertRange { range: start..self.out.len(), kind: kind(alert) });
        }
        Ok(flow)
    }
}

fn kind(alert: &Alert) -> AlertKind {
    if &*alert.status == b"resolved" {
        return AlertKind::Resolved;
    }
    let severity = alert.labels.get(b"severity");
    let severity = severity.map_or("", |severity| str::from_utf8(severity).unwrap_or_default());
    AlertKind::Firing { rank: severity_rank(severity) }
}

/// The beginning of a value, for an error.
fn shown(value: &Value) -> String {
    const MAX_BYTES: usize = 60;
    let mut text = Buffer::default();
    match push_printed(&mut text, value) {
        Ok(()) => shorten(&lossy(text.into_bytes()), MAX_BYTES).into_owned(),
        Err(limit) => limit.to_string(),
    }
}
