//! Finding and reading the file.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use super::{
    build::{self, Surroundings},
    model::Config,
    problem::{Place, Problem, Problems, Report},
};
use crate::yaml;

/// Where the file is looked for when none is named.
const PLACES: [&str; 2] = ["config.yml", "/etc/wecom-relay/config.yml"];

/// A valid configuration, and what is worth a word all the same.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// What is allowed and probably not meant, in the order in which it is written.
    pub warnings: Vec<Problem>,
}

/// The file to load: the one named, else `config.yml` in the working directory, else
/// `/etc/wecom-relay/config.yml`.
///
/// # Errors
/// When no file is named and neither place has one. A named file is not looked at here.
pub fn find(explicit: Option<&Path>) -> Result<PathBuf, Problems> {
    explicit.map_or_else(|| find_among(&PLACES.map(Path::new)), |path| Ok(path.to_owned()))
}

fn find_among(places: &[&Path]) -> Result<PathBuf, Problems> {
    if let Some(path) = places.iter().find(|path| path.exists()) {
        return Ok(path.to_path_buf());
    }
    let places: Vec<_> = places.iter().map(|path| path.display().to_string()).collect();
    let wrong = format!("there is no configuration: neither {}", places.join(" nor "));
    Err(Problem::new(Place::default(), wrong, "name the file with --config").into())
}

/// Reads a configuration, the secrets and the templates that it names. `env` answers for the environment.
///
/// # Errors
/// All problems at once, each with its place and what would be right.
pub fn load(path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    let source = file_text(path).map_err(|error| {
        let wrong = format!("the configuration cannot be read: {error}");
        Problem::new(Place::file(path), wrong, "")
    })?;
    parse(&source, path, env)
}

/// [`load`] for a text at hand, that came from `path` or is taken as if it had.
///
/// # Errors
/// As [`load`].
pub fn parse(source: &str, path: &Path, env: &dyn Fn(&str) -> Option<String>) -> Result<Loaded, Problems> {
    let file = Place::file(path);
    let document = yaml::parse(source).map_err(|error| {
        let right = "look at the line above too; a text that begins with @, *, &, ! or % needs quotes";
        Problem::new(Place { at: error.at, ..file.clone() }, error.wrong, right)
    })?;
    if matches!(document.value, yaml::Value::Null) {
        let right = "config.example.yml shows what belongs there: at least apps and receivers";
        return Err(Problem::new(file, "the configuration is empty", right).into());
    }
    let around = Surroundings { folder: path.parent().unwrap_or(Path::new("")), env };
    let mut report = Report::default();
    let config = build::config(&document, &file, &around, &mut report);
    match (config, Problems::new(report.problems)) {
        (Ok(config), None) => {
            let mut warnings = report.warnings;
            warnings.sort();
            Ok(Loaded { config, warnings })
        }
        (_, Some(problems)) => Err(problems),
        (Err(_), None) => Err(Problem::new(file, "the configuration is not valid", "").into()),
    }
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
    fn the_first_place_that_has_a_file_is_taken_and_else_all_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let (here, there) = (folder.path().join("here.yml"), folder.path().join("there.yml"));
        let places = [here.as_path(), there.as_path()];
        let error = find_among(&places).unwrap_err().to_string();
        assert!(error.contains("here.yml nor ") && error.contains("there.yml"), "{error}");
        std::fs::write(&there, "").unwrap();
        assert_eq!(find_among(&places), Ok(there.clone()));
        std::fs::write(&here, "").unwrap();
        assert_eq!(find_among(&places), Ok(here.clone()));
    }

    #[test]
    fn a_named_file_is_taken_as_it_is() {
        assert_eq!(find(Some(Path::new("no/such.yml"))), Ok(PathBuf::from("no/such.yml")));
    }
}
