//! What is said elsewhere than on the command line: in files ([`mod@file`]) and in variables of the environment ([`variables`]).
//!
//! ```text
//! command line   over   variables   over   files, the later over the earlier   over   what is usual
//! ```
//!
//! There is one definition of everything that can be said: the options of the command line. A key of a file, or what follows `SSE_BRIDGE_` in the
//! name of a variable, is the name of an option, and its value is read by the very parser that reads the option's. So [`Words`] become arguments,
//! each tried alone, so that what is wrong is told of its own place, and then a [`Layer`].

pub mod file;
pub mod variables;

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::layer::{Layer, SourceLayer};
use super::shaping::expressed;
use super::way::WayLayer;
use super::{ConfigError, invalid};
use crate::expression::{self, Case};

/// The options that are of the command line alone.
const COMMAND_LINE_ONLY: [&str; 3] = ["config", "check", "name"];

/// How like another a name must be to be shown as the one that was meant.
const ALIKE: f64 = 0.8;

/// One option, said somewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Words {
    /// The name of the option, as the place has it.
    pub name: String,
    /// Its values.
    pub values: Vec<Value>,
    /// Where.
    pub place: Place,
}

/// A value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// As it would stand on the command line.
    Text(OsString),
    /// Whether something is on.
    Switch(bool),
}

/// Where something is said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// A line of a file, from 1 on.
    Line(PathBuf, usize),
    /// A variable of the environment.
    Variable(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(path, line) => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "the environment: {name}"),
        }
    }
}

/// What something is said of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// The daemon, and all its sources.
    Daemon,
    /// One source.
    Source,
}

impl Scope {
    /// All options that can be said of it.
    fn options(self) -> Command {
        let command = Command::new("sse-bridge").no_binary_name(true).disable_help_flag(true).args_override_self(true);
        match self {
            Self::Daemon => Layer::augment_args(command),
            Self::Source => WayLayer::augment_args(command),
        }
    }

    /// The option of this name.
    fn option<'c>(options: &'c Command, name: &str) -> Option<&'c Arg> {
        options.get_arguments().find(|arg| arg.get_long() == Some(name)).filter(|arg| is_for_all_places(arg))
    }

    /// The names of all options that can be said of it, as a file has them.
    #[must_use]
    pub fn names(self) -> Vec<String> {
        self.options()
            .get_arguments()
            .filter(|arg| is_for_all_places(arg))
            .filter_map(|arg| arg.get_long().map(str::to_owned))
            .collect()
    }
}

fn is_for_all_places(arg: &Arg) -> bool {
    arg.get_long().is_some_and(|long| !COMMAND_LINE_ONLY.contains(&long))
}

/// Says it all over what `layer` says.
///
/// # Errors
/// Something is no option, or its value is none.
pub fn over(layer: &mut Layer, words: &[Words]) -> Result<(), ConfigError> {
    layer.hear(&heard(words, Scope::Daemon)?);
    Ok(())
}

/// What is said of one source.
///
/// # Errors
/// As above.
pub fn of_source(source: OsString, words: &[Words]) -> Result<SourceLayer, ConfigError> {
    let mut way = WayLayer::default();
    if !words.is_empty() {
        way.update_from_arg_matches(&heard(words, Scope::Source)?).expect("each value has been read");
    }
    Ok(SourceLayer { source, way: (!words.is_empty()).then_some(way) })
}

/// Reads the words, each alone and then together.
fn heard(words: &[Words], scope: Scope) -> Result<ArgMatches, ConfigError> {
    let options = scope.options();
    let mut all = Vec::new();
    for said in words {
        let Some(option) = Scope::option(&options, &said.name) else { return Err(unknown(said, scope)) };
        let arguments = arguments(said, option)?;
        options.clone().try_get_matches_from(&arguments).map_err(|error| bad_value(said, &error))?;
        check_expressions(said, option)?;
        all.extend(arguments);
    }
    options.try_get_matches_from(all).map_err(|error| invalid(error.to_string().replace('\n', " "), "say one of them"))
}

/// Expressions are made ready when all is known that is said of a source. Then nobody knows any more where they stood, so they are tried here.
fn check_expressions(said: &Words, option: &Arg) -> Result<(), ConfigError> {
    let is_expression = option.get_value_names().is_some_and(|names| names.iter().any(|name| name == "REGEX"));
    for value in said.values.iter().filter(|_| is_expression) {
        if let Value::Text(text) = value {
            let compiled = expression::compile(&text.to_string_lossy(), Case::Counts);
            expressed(&format!("{}: {}", said.place, said.name), compiled)?;
        }
    }
    Ok(())
}

/// The arguments that say the same.
fn arguments(said: &Words, option: &Arg) -> Result<Vec<OsString>, ConfigError> {
    let long = format!("--{}", option.get_long().unwrap_or_default());
    if said.values.len() > 1 && !matches!(option.get_action(), ArgAction::Append) {
        return Err(refused(said, "takes one value", "leave the others out"));
    }
    let mut arguments = Vec::new();
    for value in &said.values {
        match (value, option.get_action()) {
            (Value::Text(text), ArgAction::Count) => {
                let count = text.to_str().and_then(|text| text.parse::<u8>().ok()).filter(|count| *count <= 4);
                let count = count.ok_or_else(|| refused(said, "takes a number from 0 to 4", "1 is what the option does once"))?;
                arguments.extend((0..count).map(|_| OsString::from(&long)));
            }
            (Value::Switch(is_on), ArgAction::Count) => arguments.extend(is_on.then(|| OsString::from(&long))),
            (Value::Text(text), _) => arguments.push([long.as_ref(), "=".as_ref(), text.as_os_str()].into_iter().collect()),
            (Value::Switch(true), _) if may_stand_bare(option) => arguments.push(OsString::from(&long)),
            (Value::Switch(false), _) if is_switch(option) => arguments.push(format!("{long}=no").into()),
            (Value::Switch(_), _) => {
                let name = option.get_value_names().and_then(|names| names.first()).map_or("VALUE", |name| name.as_str());
                return Err(refused(said, &format!("takes {name}, not a boolean"), "a value in quotes"));
            }
        }
    }
    Ok(arguments)
}

fn may_stand_bare(option: &Arg) -> bool {
    option.get_num_args().is_some_and(|count| count.min_values() == 0)
}

/// Whether an option is there or not, and has no other value.
fn is_switch(option: &Arg) -> bool {
    may_stand_bare(option) && option.get_value_names().is_some_and(|names| names.iter().any(|name| name == "no"))
}

fn refused(said: &Words, why: &str, hint: &str) -> ConfigError {
    invalid(format!("{}: '{}' {why}", said.place, said.name), hint)
}

fn unknown(said: &Words, scope: Scope) -> ConfigError {
    if COMMAND_LINE_ONLY.contains(&said.name.as_str()) {
        return refused(said, "is said on the command line only", "leave it out");
    }
    if scope == Scope::Source && Scope::option(&Scope::Daemon.options(), &said.name).is_some() {
        return refused(said, "is not said of one source", "it stands above the first [[source]]");
    }
    let hint = nearest(&said.name, scope.names().iter().map(String::as_str)).map_or_else(
        || "sse-bridge.toml(5) and sse-bridge --help list what there is".to_owned(),
        |name| format!("did you mean '{name}'?"),
    );
    refused(said, "is no option", &hint)
}

/// The name that was probably meant.
#[must_use]
pub fn nearest<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Option<&'n str> {
    let name = name.replace('_', "-").to_ascii_lowercase();
    let likeness = |known: &str| strsim::jaro_winkler(&name, known);
    let best = names.map(|known| (likeness(known), known)).max_by(|a, b| a.0.total_cmp(&b.0));
    best.filter(|(likeness, _)| *likeness >= ALIKE).map(|(_, name)| name)
}

/// What the option's own parser says of a value.
fn bad_value(said: &Words, error: &clap::Error) -> ConfigError {
    use std::error::Error;
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(", ")),
        _ => None,
    };
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    let expected = error.source().map(ToString::to_string);
    let expected = expected.or_else(|| text(ContextKind::ValidValue).map(|names| format!("expected one of {names}")));
    let hint = expected.unwrap_or_else(|| "sse-bridge --help says what it takes".to_owned());
    refused(said, &format!("cannot be '{value}'"), &hint)
}

#[cfg(test)]
mod tests;
