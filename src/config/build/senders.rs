//! `apps` and `robots`: at least one, each with a unique name.

use std::sync::Arc;

use super::{apps, certificates, context::LoadContext, message::Audience, robots, values::UsedName};
use crate::{
    config::{
        diagnostic::{Diagnostics, ErrorGuaranteed, quoted},
        model::{App, Robot, Sender},
        raw::Field,
    },
    nearest::suggestion,
    tls::ExtraRoots,
};

const EXAMPLE: &str = "list at least one, with name, corp_id, agent_id and a secret";

/// The apps and robots, valid or not. Receivers may name one with errors without a second error.
pub(super) struct Senders<'y> {
    apps: Listed<'y, App>,
    robots: Listed<'y, Robot>,
}

/// The apps, or the robots.
struct Listed<'y, T> {
    /// The name in texts.
    kind: &'static str,
    names: Vec<&'y str>,
    valid: Vec<Arc<T>>,
    /// The number of those in the file.
    listed: usize,
    /// `Ok` if all are valid.
    complete: Result<(), ErrorGuaranteed>,
}

pub(super) fn read<'y>(
    apps: &Field<'y>,
    robots: &Field<'y>,
    context: &LoadContext<'_>,
    diagnostics: &mut Diagnostics,
) -> Senders<'y> {
    let roots = certificates::of_environment(context, diagnostics);
    let mut reader = ListReader { used_names: Vec::new(), roots, context };
    let mut senders = Senders {
        apps: reader.list("app", apps, apps::read, diagnostics),
        robots: reader.list("robot", robots, robots::read, diagnostics),
    };
    if senders.apps.listed == 0 && senders.robots.listed == 0 && senders.apps.complete.is_ok() {
        let help = if robots.is_written() { "list an app or a robot" } else { EXAMPLE };
        senders.apps.complete = Err(diagnostics.error(&apps.location, "there is no app and no robot", help));
    }
    warn_of_duplicates(&senders, diagnostics);
    senders
}

struct ListReader<'c, 'y> {
    /// The names in use, of apps and robots.
    used_names: Vec<UsedName<'y>>,
    /// The CAs of the environment.
    roots: ExtraRoots,
    context: &'c LoadContext<'c>,
}

/// Reads an app or a robot.
type ReadSender<'y, T> = fn(
    &Field<'y>,
    &mut Vec<UsedName<'y>>,
    &ExtraRoots,
    &LoadContext<'_>,
    &mut Diagnostics,
) -> Result<T, ErrorGuaranteed>;

impl<'y> ListReader<'_, 'y> {
    fn list<T>(
        &mut self,
        kind: &'static str,
        field: &Field<'y>,
        read: ReadSender<'y, T>,
        diagnostics: &mut Diagnostics,
    ) -> Listed<'y, T> {
        let mut list = Listed { kind, names: Vec::new(), valid: Vec::new(), listed: 0, complete: Ok(()) };
        let items = match field.items(diagnostics) {
            Ok(items) => items.unwrap_or_default(),
            Err(reported) => {
                list.complete = Err(reported);
                return list;
            }
        };
        list.listed = items.len();
        let first = self.used_names.len();
        for item in &items {
            match read(item, &mut self.used_names, &self.roots, self.context, diagnostics) {
                Ok(sender) => list.valid.push(Arc::new(sender)),
                Err(reported) => list.complete = Err(reported),
            }
        }
        list.names = self.used_names.iter().skip(first).map(|used| used.name).collect();
        list
    }
}

impl<T> Listed<'_, T> {
    fn named(
        &self,
        name: &str,
        name_of: impl Fn(&T) -> &str,
        field: &Field<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Arc<T>, ErrorGuaranteed> {
        if let Some(sender) = self.valid.iter().find(|sender| name_of(sender) == name) {
            return Ok(Arc::clone(sender));
        }
        // The named one is probably one with errors, which are reported already.
        if let Err(reported) = self.complete
            && (self.names.is_empty() || self.names.contains(&name))
        {
            return Err(reported);
        }
        let message = format!("there is no {} {}", self.kind, quoted(name));
        Err(diagnostics.error(&field.location, message, suggestion(name, &self.names)))
    }

    fn only(&self) -> Option<&Arc<T>> {
        match (self.valid.as_slice(), self.complete) {
            ([only], Ok(())) => Some(only),
            _ => None,
        }
    }
}

impl Senders<'_> {
    /// The sender that a receiver names with one of its keys. Without both it is the only app, or the only robot.
    pub(super) fn of_receiver(
        &self,
        app: &Field<'_>,
        robot: &Field<'_>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Sender, ErrorGuaranteed> {
        match (app.text(diagnostics)?, robot.text(diagnostics)?) {
            (Some(_), Some(_)) => {
                let message = "a receiver has one sender, and this one names an app and a robot";
                let help = "remove one of them, and name the receiver of the other one in also";
                Err(diagnostics.error(&robot.location, message, help))
            }
            (Some(name), None) => {
                self.apps.named(name, |app| app.name.as_str(), app, diagnostics).map(Sender::App)
            }
            (None, Some(name)) => {
                self.robots.named(name, |robot| robot.name.as_str(), robot, diagnostics).map(Sender::Robot)
            }
            (None, None) => self.only(app, diagnostics),
        }
    }

    fn only(&self, field: &Field<'_>, diagnostics: &mut Diagnostics) -> Result<Sender, ErrorGuaranteed> {
        if let Some(app) = self.apps.only() {
            return Ok(Sender::App(Arc::clone(app)));
        }
        if let (0, Some(robot)) = (self.apps.listed, self.robots.only()) {
            return Ok(Sender::Robot(Arc::clone(robot)));
        }
        let complete = self.apps.complete.and(self.robots.complete);
        if let Err(reported) = complete
            && self.apps.listed < 2
        {
            return Err(reported);
        }
        if self.apps.listed == 0 {
            let help = format!("name the robot that sends: {}", self.robots.names.join(", "));
            let message = "there are several robots, and this receiver names none";
            return Err(diagnostics.error(&field.location, message, help));
        }
        let help = format!("name the app that sends: {}", self.apps.names.join(", "));
        let message = "there are several apps, and this receiver names none";
        Err(diagnostics.error(&field.location, message, help))
    }

    /// The audience of a receiver that names no sender.
    pub(super) fn default_audience(&self) -> Audience {
        if self.apps.listed == 0 && self.robots.listed > 0 { Audience::Robot } else { Audience::Members }
    }

    pub(super) fn into_valid(self) -> Result<ValidSenders, ErrorGuaranteed> {
        self.apps.complete?;
        self.robots.complete?;
        Ok(ValidSenders { apps: self.apps.valid, robots: self.robots.valid })
    }
}

pub(super) struct ValidSenders {
    pub(super) apps: Vec<Arc<App>>,
    pub(super) robots: Vec<Arc<Robot>>,
}

fn warn_of_duplicates(senders: &Senders<'_>, diagnostics: &mut Diagnostics) {
    for (index, app) in senders.apps.valid.iter().enumerate() {
        let is_same = |other: &&Arc<App>| other.corp_id == app.corp_id && other.agent_id == app.agent_id;
        let Some(other) = senders.apps.valid.iter().take(index).find(is_same) else { continue };
        let key = &other.location.key;
        let message = if other.connection.api_url == app.connection.api_url {
            format!(
                "this is the same WeCom app as {key}, so its messages are sent with the credentials of {key}, within the lower limits of both"
            )
        } else {
            format!("this is the same WeCom app as {key}, and each of them counts its own limits")
        };
        diagnostics.warn(&app.location, message, "use one of them for both");
    }
    for (index, robot) in senders.robots.valid.iter().enumerate() {
        let is_same = |other: &&Arc<Robot>| other.key.fingerprint() == robot.key.fingerprint();
        let Some(other) = senders.robots.valid.iter().take(index).find(is_same) else { continue };
        let key = &other.location.key;
        let message = if other.connection.api_url == robot.connection.api_url {
            format!("this is the same robot as {key}, so both are one sender, within the lower limit of both")
        } else {
            format!("this is the same robot as {key}, and each of them counts its own limit")
        };
        diagnostics.warn(&robot.location, message, "use one of them for both");
    }
}
