//! Finds and reads the configuration file.

use std::{
    cell::RefCell,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    build::{self, LoadContext},
    diagnostic::{ConfigError, Diagnostic, Diagnostics, Location},
    environment,
    model::{Config, Outbox},
    punctuation::{check_quotes, slip_near},
};
use crate::{
    clock::{Clock as _, SystemClock},
    yaml,
};

const DEFAULT_PATHS: [&str; 2] = ["config.yml", "/etc/wecom-relay/config.yml"];

/// A valid configuration with its warnings, in the order of the file.
#[derive(Debug, Clone)]
pub struct Loaded {
    pub config: Config,
    pub warnings: Vec<Diagnostic>,
}

/// The configuration file: `explicit`, else `config.yml` in the working directory, else
/// `/etc/wecom-relay/config.yml`. An explicit file may be missing.
///
/// # Errors
/// No file is named, and neither default path exists.
pub fn find(explicit: Option<&Path>) -> Result<PathBuf, ConfigError> {
    explicit.map_or_else(|| find_among(&DEFAULT_PATHS.map(Path::new)), |path| Ok(path.to_owned()))
}

fn find_among(paths: &[&Path]) -> Result<PathBuf, ConfigError> {
    if let Some(path) = paths.iter().find(|path| path.exists()) {
        return Ok(path.to_path_buf());
    }
    let paths: Vec<_> = paths.iter().map(|path| path.display().to_string()).collect();
    let message = format!("there is no configuration: neither {} exists", paths.join(" nor "));
    Err(Diagnostic::new(
        Location::default(),
        message,
        "write one with `wecom-relay init`, or name the file with --config",
    )
    .into())
}

/// Reads a configuration, and the secrets and templates that it names. `env` reads the environment.
///
/// # Errors
/// All errors at once.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
    parse(&read(path)?, path, env)
}

/// `outbox` of a configuration. The rest of the file may have mistakes, and its secrets need not be readable.
///
/// # Errors
/// All errors of `outbox` at once.
pub fn load_outbox(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Outbox, ConfigError> {
    let text = read(path)?;
    let context = LoadContext {
        file: path,
        text: &text,
        env,
        now: SystemClock.now(),
        only_secrets: true,
        secret_files: RefCell::default(),
    };
    let file = Location::file(path);
    let mut document = tree(&context)?;
    if let yaml::Value::Map(entries) = &mut document.value {
        entries.retain(|entry| entry.key == "outbox");
    }
    let mut diagnostics = Diagnostics::default();
    environment::expand(&mut document, &file, env, &mut diagnostics);
    let outbox = build::only_outbox(&document, &file, &context, &mut diagnostics);
    match (outbox, ConfigError::new(diagnostics.errors)) {
        (Ok(outbox), None) => Ok(outbox),
        (_, Some(error)) => Err(error),
        (Err(_), None) => Err(Diagnostic::new(file, "the outbox is not valid", "").into()),
    }
}

fn read(path: &Path) -> Result<String, ConfigError> {
    file_text(path).map_err(|error| {
        let message = format!("the configuration cannot be read: {error}");
        Diagnostic::new(Location::file(path), message, "").into()
    })
}

/// [`load`] with the text of the file. Relative paths start at the folder of `path`.
///
/// # Errors
/// All errors at once.
pub fn parse(source: &str, path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, ConfigError> {
    let context = LoadContext {
        file: path,
        text: source,
        env,
        now: SystemClock.now(),
        only_secrets: false,
        secret_files: RefCell::default(),
    };
    build(&context)
}

/// `config` with its secret files as they are now. Everything else stays, also if its file has changed.
///
/// # Errors
/// All errors at once.
pub fn reread_secrets(config: &Config) -> Result<Loaded, ConfigError> {
    let context = LoadContext {
        file: &config.origin.path,
        text: config.origin.text.expose(),
        env: &environment_variable,
        now: SystemClock.now(),
        only_secrets: true,
        secret_files: RefCell::default(),
    };
    let mut loaded = build(&context)?;
    loaded.config.templates.clone_from(&config.templates);
    Ok(loaded)
}

/// A variable of the environment of this process.
pub fn environment_variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The tree of the file.
fn tree(context: &LoadContext<'_>) -> Result<yaml::Node, ConfigError> {
    let (source, file) = (context.text, Location::file(context.file));
    let document = yaml::parse(source).map_err(|error| {
        if let Some(slip) = error.at.and_then(|at| slip_near(source, at.line)) {
            return Diagnostic::new(
                Location { position: Some(slip.at), ..file.clone() },
                slip.message,
                slip.help,
            );
        }
        let help = syntax_help(&error.message);
        Diagnostic::new(Location { position: error.at, ..file.clone() }, error.message, help)
    })?;
    if matches!(document.value, yaml::Value::Null) {
        let help = "see config.example.yml; at least apps and receivers are needed";
        return Err(Diagnostic::new(file, "the configuration is empty", help).into());
    }
    Ok(document)
}

fn build(context: &LoadContext<'_>) -> Result<Loaded, ConfigError> {
    let (source, path, env) = (context.text, context.file, context.env);
    let file = Location::file(path);
    let mut document = tree(context)?;
    let mut diagnostics = Diagnostics::default();
    check_quotes(&document, source, &file, &mut diagnostics);
    environment::expand(&mut document, &file, env, &mut diagnostics);
    let unresolved = std::mem::take(&mut diagnostics.errors);
    let config = build::config(&document, &file, context, &mut diagnostics);
    // Such a value is often wrong in other ways too, which would only confuse.
    let is_new = |error: &Diagnostic| {
        unresolved.iter().all(|first| first.location().position != error.location().position)
    };
    diagnostics.errors.retain(is_new);
    diagnostics.errors.extend(unresolved);
    match (config, ConfigError::new(diagnostics.errors)) {
        (Ok(config), None) => {
            let mut warnings = diagnostics.warnings;
            warnings.sort();
            Ok(Loaded { config, warnings })
        }
        (_, Some(error)) => Err(error),
        (Err(_), None) => Err(Diagnostic::new(file, "the configuration is not valid", "").into()),
    }
}

/// The help for a syntax error, chosen by words of its text, because the parser has no codes.
fn syntax_help(message: &str) -> &'static str {
    const HELP: [(&str, &str); 10] = [
        ("second document", "remove the line --- and what follows it"),
        ("alias (*…)", "quote a text that starts with *"),
        ("tags are not allowed", "quote a text that starts with !"),
        ("single-quoted scalar", "write '' for a ' within single quotes"),
        ("unclosed quote", "close the quote; write '' for a ' within single quotes"),
        ("unclosed bracket", "close every [ and {, and quote a text that starts with one of them"),
        ("unknown escape", "write \\\\ for a \\ within double quotes, or use single quotes"),
        ("quoted scalar", "close the quote; write '' for a ' within single quotes"),
        ("unexpected character", "quote a text that starts with @, %, ` or |"),
        (
            "did not find expected",
            "give all keys of a mapping, and all dashes of a list, the same indentation",
        ),
    ];
    let found = HELP.iter().find(|(words, _)| message.contains(words));
    found.map_or(
        "look at the line above too; a text that has a colon and a space in it needs quotes",
        |(_, help)| help,
    )
}

fn file_text(path: &Path) -> io::Result<String> {
    const LONGEST_BYTES: u64 = 1 << 20;
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST_BYTES {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.as_bytes().iter().take(error.utf8_error().valid_up_to());
        let line = 1 + valid.filter(|byte| **byte == b'\n').count();
        io::Error::other(format!("line {line} is not UTF-8"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_default_path_that_exists_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here.yml"), folder.path().join("there.yml"));
        let paths = [here.as_path(), there.as_path()];
        let error = find_among(&paths).unwrap_err().to_string();
        assert!(error.contains("here.yml nor ") && error.contains("there.yml"), "{error}");
        std::fs::write(&there, "").unwrap();
        assert_eq!(find_among(&paths), Ok(there.clone()));
        std::fs::write(&here, "").unwrap();
        assert_eq!(find_among(&paths), Ok(here.clone()));
    }

    #[test]
    fn an_explicit_file_is_used_as_it_is() {
        assert_eq!(find(Some(Path::new("no/such.yml"))), Ok(PathBuf::from("no/such.yml")));
    }
}
