//! `wecom-relay init`: writes a configuration to start with.

use std::{
    io,
    path::{self, Path, PathBuf},
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
/// The lines of [`CONFIG`] about the outbox.
const OUTBOX_BESIDE: &str =
    "  # systemd sets STATE_DIRECTORY. Without systemd the outbox is beside this file.
  path: ${STATE_DIRECTORY:-.}/outbox.db
";
/// The same in `/etc`. A fixed path lets commands of an operator find the outbox of the service.
const OUTBOX_OF_SERVICE: &str = "  path: /var/lib/wecom-relay/outbox.db
";
const CONFIG_NAME: &str = "config.yml";
const SECRET_NAME: &str = "ops_secret";

pub(in crate::cli) fn run(args: &Args, output: &mut Output) -> Result<(), Failure> {
    let (config, secret) = (args.folder.join(CONFIG_NAME), args.folder.join(SECRET_NAME));
    // The configuration has no secret, and the user of the systemd unit must be able to read it.
    if !write_new(&config, &config_in(&args.folder), PUBLIC, output) {
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

/// The configuration to write into `folder`.
fn config_in(folder: &Path) -> String {
    let absolute = path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    if absolute.starts_with("/etc") {
        CONFIG.replace(OUTBOX_BESIDE, OUTBOX_OF_SERVICE)
    } else {
        CONFIG.to_owned()
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_in_etc_has_the_outbox_of_the_service() {
        assert!(config_in(Path::new("/etc/wecom-relay")).contains("path: /var/lib/wecom-relay/outbox.db\n"));
        assert_eq!(config_in(Path::new(".")), CONFIG);
    }
}
