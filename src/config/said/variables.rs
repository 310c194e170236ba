//! Variables of the environment: `SSE_BRIDGE_MAX_LINE` is `--max-line`, for containers. A value of several stands in several lines.
//!
//! Who runs a container gives it more variables than those meant for it. Kubernetes tells each pod of every service by variables that begin with the
//! service's name: of a service called `sse-bridge` there is `SSE_BRIDGE_PORT=tcp://10.0.0.7:8080`, and `SSE_BRIDGE_SERVICE_HOST`. These say
//! nothing to us. Another name that is no option's is told, and no reason not to start: whoever made it may have meant somebody else.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;

use super::{Place, Scope, Value, Words, nearest};
use crate::config::ConfigError;
use crate::config::layer::{Layer, SourceLayer};

/// What the names of ours begin with.
pub const PREFIX: &str = "SSE_BRIDGE_";

/// Sources, one a line.
const SOURCE: &str = "SOURCE";

/// The files that are read, one a line.
const CONFIG: &str = "CONFIG";

/// What a variable is to us.
#[derive(Debug, PartialEq)]
enum Meaning {
    /// An option.
    Option(String),
    /// Sources.
    Sources,
    /// The files that say more.
    Files,
    /// Somebody else's.
    Nothing,
    /// Of no use to anybody.
    Unknown,
}

/// Says over what `layer` says what the variables say.
///
/// # Errors
/// A value is none.
pub fn over(layer: &mut Layer, variables: &[(String, OsString)]) -> Result<(), ConfigError> {
    let names = Scope::Daemon.names();
    let mut words = Vec::new();
    for (variable, value) in variables {
        match meaning(variable, value, &names) {
            Meaning::Option(name) => {
                let values = lines(value).map(|line| Value::Text(line.to_owned())).collect();
                words.push(Words { name, values, place: Place::Variable(variable.clone()) });
            }
            Meaning::Sources => layer.sources = lines(value).map(|line| SourceLayer::from(line.to_owned())).collect(),
            Meaning::Files | Meaning::Nothing | Meaning::Unknown => {}
        }
    }
    super::over(layer, &words)
}

/// The files that a variable names.
#[must_use]
pub fn files(variables: &[(String, OsString)]) -> Vec<OsString> {
    let value = variables.iter().find(|(name, _)| name.strip_prefix(PREFIX) == Some(CONFIG));
    value.map(|(_, value)| lines(value).map(ToOwned::to_owned).collect()).unwrap_or_default()
}

fn meaning(variable: &str, value: &OsStr, names: &[String]) -> Meaning {
    let Some(rest) = variable.strip_prefix(PREFIX) else { return Meaning::Nothing };
    let name = rest.to_ascii_lowercase().replace('_', "-");
    let is_link = value.as_bytes().starts_with(b"tcp://") || value.as_bytes().starts_with(b"udp://");
    match rest {
        SOURCE => Meaning::Sources,
        CONFIG => Meaning::Files,
        "PORT" if is_link => Meaning::Nothing,
        _ if rest.starts_with("SERVICE_") || rest.starts_with("PORT_") || rest.starts_with("TEST_") => Meaning::Nothing,
        _ if names.contains(&name) => Meaning::Option(name),
        _ => Meaning::Unknown,
    }
}

/// What is to be said of variables that seem to be meant for us and say nothing.
#[must_use]
pub fn oddities(variables: &[(String, OsString)]) -> Vec<String> {
    let names = Scope::Daemon.names();
    let unknown = variables.iter().filter(|(variable, value)| meaning(variable, value, &names) == Meaning::Unknown);
    let told = unknown.map(|(variable, _)| {
        let rest = variable.strip_prefix(PREFIX).unwrap_or(variable);
        match nearest(rest, names.iter().map(String::as_str)) {
            Some(name) => format!("{variable} says nothing; did you mean {PREFIX}{}?", name.to_ascii_uppercase().replace('-', "_")),
            None => format!("{variable} says nothing; sse-bridge(1) lists what does"),
        }
    });
    told.collect()
}

/// The lines of a value; one that is empty is no value.
fn lines(value: &OsStr) -> impl Iterator<Item = &OsStr> {
    let lines = value.as_bytes().split(|byte| *byte == b'\n');
    lines.map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()).map(OsStr::from_bytes)
}

/// What of an environment is ours.
pub fn ours(all: impl Iterator<Item = (OsString, OsString)>) -> Vec<(String, OsString)> {
    let mut ours: Vec<_> = all
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    ours.sort_unstable();
    ours
}
