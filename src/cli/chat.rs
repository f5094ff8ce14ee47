//! `wecom-relay chat`: creates and shows the group chats of an app.
//!
//! WeCom has no call that lists chats, so `chat list` shows those that receivers of the configuration name.

use std::{io, sync::Arc};

use serde_json::{Map, Value};
use tokio::runtime::Runtime;

use super::{failure::Failure, output::Output, runtime::runtime};
use crate::{
    app::{PrepareOptions, Prepared},
    config::{App, Config, Sender},
    intake::Address,
    language::Language,
    wecom::{
        Api, ApiError, ChatId, Recipients, WecomError,
        client::{Client, NewChat, SenderClient},
        errcode, is_separator,
        token::Token,
    },
};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Create a group chat, and print its id for chat_id
    #[command(after_help = CREATE_EXAMPLES)]
    Create(CreateArgs),
    /// Show the chats that receivers of the configuration name
    List,
    /// Show the name and the members of a chat
    Show(ShowArgs),
}

const CREATE_EXAMPLES: &str = "\
The chat shows in WeCom when it gets its first message. Only an app that sees the whole company may have chats.

Examples:
  wecom-relay chat create --name 值班 --members zhangsan,lisi
  wecom-relay chat create --app ops --name 值班 --owner zhangsan --members zhangsan,lisi,wangwu";

#[derive(Debug, clap::Args)]
struct CreateArgs {
    /// Create it with this app [default: the only app]
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    /// Give the chat this name, in at most 50 characters
    #[arg(long)]
    name: String,
    /// Make this member the owner [default: the first of the members]
    #[arg(long, value_name = "USERID")]
    owner: Option<String>,
    /// Add these members, at least two, separated by commas
    #[arg(long, value_name = "USERIDS")]
    members: String,
    /// Give the chat this id, of letters and digits [default: one that WeCom chooses]
    #[arg(long, value_name = "CHATID")]
    id: Option<String>,
}

#[derive(Debug, clap::Args)]
struct ShowArgs {
    /// Ask with this app, which must have created the chat [default: the only app]
    #[arg(long, value_name = "APP")]
    app: Option<String>,
    #[arg(value_name = "CHATID")]
    id: String,
}

pub(super) fn run(args: &Args, config: Config, output: &mut Output) -> Result<(), Failure> {
    let prepared = Prepared::new(config, PrepareOptions::default())?;
    let runtime = runtime()?;
    match &args.command {
        Command::Create(args) => create(args, &prepared, &runtime, output),
        Command::List => list(&prepared, &runtime, output),
        Command::Show(args) => {
            let chats = AppChats::of(args.app.as_deref(), &prepared, &runtime, output)?;
            chats.show(&args.id, output)
        }
    }
}

fn create(
    args: &CreateArgs,
    prepared: &Prepared,
    runtime: &Runtime,
    output: &mut Output,
) -> Result<(), Failure> {
    let mut members: Vec<String> = Vec::new();
    for member in args.members.split(is_separator).chain(args.owner.as_deref()) {
        if !member.is_empty() && !members.iter().any(|other| other.eq_ignore_ascii_case(member)) {
            members.push(member.to_owned());
        }
    }
    let (Some(first), 2..) = (members.first(), members.len()) else {
        output.error("a chat needs at least two members: name them with --members zhangsan,lisi");
        return Err(Failure::Reported);
    };
    let chat = NewChat {
        name: args.name.clone(),
        owner: args.owner.clone().unwrap_or_else(|| first.clone()),
        userlist: members,
        chatid: args.id.clone().unwrap_or_default(),
    };
    let chats = AppChats::of(args.app.as_deref(), prepared, runtime, output)?;
    let created = runtime.block_on(chats.client.create_chat(&chats.token, &chat));
    let id = created.map_err(|error| report(&error, output))?;
    output.line(&format!("created chat {id} of app {}", chats.app.name))?;
    output.line(&format!("for a receiver: app: {}, chat_id: {id}", chats.app.name))?;
    Ok(())
}

fn list(prepared: &Prepared, runtime: &Runtime, output: &mut Output) -> Result<(), Failure> {
    let mut result = Ok(());
    let mut count = 0;
    for receiver in &prepared.config.receivers {
        let (Address::Literal(Recipients::Chat(chat)), Sender::App(app)) =
            (&receiver.recipients, &receiver.sender)
        else {
            continue;
        };
        count += 1;
        output.line(&format!("receiver {}: chat {} of app {}", receiver.name, chat.as_str(), app.name))?;
        let shown = AppChats::of(Some(app.name.as_str()), prepared, runtime, output)
            .and_then(|chats| chats.show_members(chat.as_str(), output));
        if shown.is_err() {
            result = shown;
        }
    }
    if count == 0 {
        output
            .line("no receiver has a chat_id; `wecom-relay chat create` creates a chat and shows its id")?;
    }
    result
}

/// The chats of one app.
struct AppChats<'a> {
    app: Arc<App>,
    client: &'a Client,
    token: Token,
    runtime: &'a Runtime,
}

impl<'a> AppChats<'a> {
    fn of(
        name: Option<&str>,
        prepared: &'a Prepared,
        runtime: &'a Runtime,
        output: &mut Output,
    ) -> Result<Self, Failure> {
        let apps = &prepared.config.apps;
        let app = match (name, apps.as_slice()) {
            (None, [only]) => Some(only),
            (None, _) => None,
            (Some(name), apps) => apps.iter().find(|app| app.name.as_str() == name),
        };
        let names: Vec<_> = apps.iter().map(|app| app.name.as_str()).collect();
        let Some(app) = app else {
            let message = match name {
                Some(name) => format!("there is no app {name}; the configuration has: {}", names.join(", ")),
                None if names.is_empty() => {
                    "group chats need an app, and the configuration has none".to_owned()
                }
                None => format!("name the app with --app: {}", names.join(", ")),
            };
            output.error(&message);
            return Err(Failure::Reported);
        };
        // Another app of the same sender may have the client.
        let clients = prepared.clients.iter().filter_map(|(name, client)| match client.as_ref() {
            SenderClient::App(client) => Some((name, client)),
            SenderClient::Robot(_) => None,
        });
        let client = clients.into_iter().find(|(name, _)| name.0 == prepared.sender_of(app).0);
        let Some((_, client)) = client else {
            output.error(&format!(
                "the app {} has no client; this is a defect of the relay, please report it",
                app.name
            ));
            return Err(Failure::Reported);
        };
        let token = runtime.block_on(client.token()).map_err(|error| report(&error, output))?;
        Ok(Self { app: Arc::clone(app), client, token, runtime })
    }

    fn get(&self, id: &str, output: &mut Output) -> Result<Map<String, Value>, Failure> {
        let read = self.client.read(&self.token, Api::AppchatGet, ("chatid", id));
        let fields = self.runtime.block_on(read).map_err(|error| report(&error, output))?;
        Ok(fields.get("chat_info").and_then(Value::as_object).cloned().unwrap_or_default())
    }

    fn show(&self, id: &str, output: &mut Output) -> Result<(), Failure> {
        if ChatId::parse(id).is_none() {
            output.error(&format!("{id:?} is not the id of a chat"));
            return Err(Failure::Reported);
        }
        output.line(&format!("chat {id} of app {}", self.app.name))?;
        self.show_members(id, output)
    }

    fn show_members(&self, id: &str, output: &mut Output) -> Result<(), Failure> {
        let info = self.get(id, output)?;
        let text = |key: &str| info.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        let members = info.get("userlist").and_then(Value::as_array).into_iter().flatten();
        let members: Vec<_> = members.filter_map(Value::as_str).collect();
        lines(output, &[("name", text("name")), ("owner", text("owner")), ("members", members.join(", "))])?;
        Ok(())
    }
}

fn lines(output: &mut Output, values: &[(&str, String)]) -> io::Result<()> {
    values.iter().try_for_each(|(name, value)| output.line(&format!("  {name}: {value}")))
}

/// Prints an error with its advice.
fn report(error: &WecomError, output: &mut Output) -> Failure {
    match error {
        WecomError::Rejected(error) => {
            let ApiError { api, errcode, errmsg } = error;
            output.error(&format!("{} answered errcode {errcode}: {errmsg}", api.name()));
            output.error(&errcode::advice(error, Language::En));
        }
        WecomError::Transport(error) => output.error(&errcode::transport_advice(error, Language::En)),
    }
    Failure::Reported
}
