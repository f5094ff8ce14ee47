//! `wecom-relay init`: writes a configuration to start with.

use std::{
    io,
    path::{Path, PathBuf},
};

use crate::cli::{
    failure::Failure,
    new_file::{self, PRIVATE, PUBLIC},
    no_config::NoConfig,
    output::Output,
};

#[derive(Debug, clap::Args)]
#[command(after_help = "\
No file is overwritten.

Examples:
  wecom-relay init
  wecom-relay init /etc/wecom-relay")]
pub(in crate::cli) struct Args {
    /// Write the files into this folder
    #[arg(value_name = "FOLDER", default_value = ".")]
    folder: PathBuf,
    #[command(flatten)]
    no_config: NoConfig,
}

const CONFIG: &str = include_str!("config.yml");
const CONFIG_NAME: &str = "config.yml";
const SECRET_NAME: &str = "ops_secret";

pub(in crate::cli) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let (config, secret) = (args.folder.join(CONFIG_NAME), args.folder.join(SECRET_NAME));
    // The configuration has no secret, and the user of the systemd unit must be able to read it.
    if !write_new(&config, CONFIG, PUBLIC, output) {
        return Err(Failure::Reported);
    }
    let has_new_secret = !secret.exists();
    if has_new_secret && !write_new(&secret, "", PRIVATE, output) {
        return Err(Failure::Reported);
    }
    let (config, secret) = (config.display(), secret.display());
    output.line(&format!("written: {config}"))?;
    if has_new_secret {
        output.line(&format!("written: {secret} (empty; only its owner can read it)"))?;
    }
    output.line("next steps:")?;
    output.line(&format!("  1. put the app's Secret into {secret}"))?;
    output.line(&format!("  2. write corp_id, agent_id and to_user into {config}"))?;
    output.line(&format!("  3. wecom-relay check --config {config}"))?;
    output.line(&format!("  4. wecom-relay doctor --config {config}"))?;
    output.line(&format!("  5. wecom-relay serve --config {config}"))?;
    Ok(())
}

/// Writes a file that does not exist yet. Returns false if that is not possible.
fn write_new(path: &Path, text: &str, mode: u32, output: &mut Output) -> bool {
    let Err(error) = new_file::write(path, text, mode) else { return true };
    let path = path.display();
    output.error(&match error.kind() {
        io::ErrorKind::AlreadyExists => {
            format!("{path} exists already, and is not changed; name another folder")
        }
        _ => format!(
            "{path} cannot be written: {error}; name a folder that exists and that this user can write to"
        ),
    });
    false
}
