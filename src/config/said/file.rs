//! A configuration file: TOML (toml.io, version 1), described in sse-bridge.toml(5).
//!
//! ```toml
//! port = 8080
//! format = "json"               # of all sources
//!
//! [[source]]
//! read = "/var/log/nginx/*.log" # what stands on the command line
//! name = "web"
//! format = "text"               # of this source
//! ```

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Place, Scope, Value, Words, nearest};
use crate::config::layer::{Layer, SourceLayer};
use crate::config::{ConfigError, invalid};
use crate::event::ChannelName;

/// The largest file that is read, in bytes: nobody writes more by hand.
const LARGEST: u64 = 4 << 20;

/// The table of a source.
const SOURCE: &str = "source";

/// The keys of a source that are no options: what stands on the command line behind them, and before its `=`.
pub const READ: &str = "read";
/// See [`READ`].
pub const NAME: &str = "name";

/// Says over what `layer` says what these files say, in this order; a directory says what its `*.toml` say, by their names. Their sources stand
/// together.
///
/// # Errors
/// One of them cannot be read, or says something that cannot be.
pub fn over(layer: &mut Layer, paths: &[PathBuf]) -> Result<(), ConfigError> {
    let mut sources = Vec::new();
    for path in paths {
        for path in files_of(path)? {
            let text = read(&path)?;
            let said = parse(&path, &text)?;
            super::over(layer, &said.words)?;
            sources.extend(said.sources);
        }
    }
    if !sources.is_empty() {
        layer.sources = sources;
    }
    Ok(())
}

/// A file, or those of a directory.
fn files_of(path: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>).map_err(|error| unread(path, &error))?;
    let is_ours = |path: &PathBuf| {
        let is_hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        path.extension().is_some_and(|extension| extension == "toml") && !is_hidden
    };
    let mut files: Vec<_> = entries.into_iter().map(|entry| entry.path()).filter(is_ours).collect();
    files.sort_unstable();
    Ok(files)
}

fn read(path: &Path) -> Result<String, ConfigError> {
    let metadata = fs::metadata(path).map_err(|error| unread(path, &error))?;
    if metadata.len() > LARGEST {
        return Err(invalid(
            format!("could not read '{}': it is larger than 4 MiB", path.display()),
            "is it a configuration file?",
        ));
    }
    let bytes = fs::read(path).map_err(|error| unread(path, &error))?;
    String::from_utf8(bytes).map_err(|error| {
        let line = 1 + memchr::memchr_iter(b'\n', &error.as_bytes()[..error.utf8_error().valid_up_to()]).count();
        invalid(format!("{}:{line}: not UTF-8", path.display()), "a configuration file is TOML, which is text in UTF-8")
    })
}

fn unread(path: &Path, error: &io::Error) -> ConfigError {
    let reason = crate::errno::reason(error);
    invalid(format!("could not read '{}': {reason}", path.display()), "--config names a file, or a directory of *.toml files")
}

/// What a file says.
#[derive(Debug, Default)]
pub struct FileSays {
    /// Of the daemon, and all sources.
    pub words: Vec<Words>,
    /// Of each source.
    pub sources: Vec<SourceLayer>,
}

/// Reads the text of a file; `path` is for messages.
///
/// # Errors
/// It is no TOML, or says what is no option.
pub fn parse(path: &Path, text: &str) -> Result<FileSays, ConfigError> {
    let line = |at: usize| 1 + memchr::memchr_iter(b'\n', &text.as_bytes()[..at.min(text.len())]).count();
    let table = DeTable::parse(text).map_err(|error| {
        let place = Place::Line(path.to_owned(), line(error.span().map_or(0, |span| span.start)));
        invalid(format!("{place}: {}", error.message().replace('\n', ", ")), "the syntax is that of https://toml.io")
    })?;
    let place = |at: usize| Place::Line(path.to_owned(), line(at));
    let mut said = FileSays::default();
    for (key, value) in in_order(table.get_ref()) {
        let at = place(key.span().start);
        match (key.get_ref().as_ref(), value.get_ref()) {
            (SOURCE, DeValue::Array(tables)) => {
                for entry in tables {
                    let DeValue::Table(entry) = entry.get_ref() else { return Err(no_source_table(&at)) };
                    said.sources.push(source(entry, &at, place)?);
                }
            }
            (SOURCE, _) => return Err(no_source_table(&at)),
            (name, value) => said.words.push(words(name, value, at)?),
        }
    }
    Ok(said)
}

fn no_source_table(at: &Place) -> ConfigError {
    invalid(
        format!("{at}: a source is a table of its own"),
        "[[source]] on a line of its own, and below it read = \"/var/log/app.log\"",
    )
}

/// The keys as they stand in the file: so the first mistake is told first.
fn in_order<'t, 'i>(table: &'t DeTable<'i>) -> Vec<(&'t Spanned<toml::de::DeString<'i>>, &'t Spanned<DeValue<'i>>)> {
    let mut all: Vec<_> = table.iter().collect();
    all.sort_by_key(|(key, _)| key.span().start);
    all
}

fn source(table: &DeTable<'_>, at: &Place, place: impl Fn(usize) -> Place) -> Result<SourceLayer, ConfigError> {
    let (mut read, mut name, mut all) = (None, None, Vec::new());
    for (key, value) in in_order(table) {
        let at = place(key.span().start);
        match (key.get_ref().as_ref(), value.get_ref()) {
            (READ, DeValue::String(text)) if !text.is_empty() => read = Some(text.to_string()),
            (NAME, DeValue::String(text)) => {
                let parsed: ChannelName = text.parse().map_err(|bad| {
                    invalid(format!("{at}: '{text}' is not a channel name: {bad}"), "such as web or web/access.log")
                })?;
                name = Some(parsed);
            }
            (key @ (READ | NAME), _) => return Err(invalid(format!("{at}: '{key}' takes text"), format!("{key} = \"...\""))),
            (key, value) => all.push(words(key, value, at)?),
        }
    }
    let Some(read) = read else {
        let meant = all.iter().find(|words| nearest(&words.name, [READ].into_iter()).is_some());
        let hint = meant.map_or_else(
            || "read = \"/var/log/app.log\"".to_owned(),
            |words| format!("did you mean '{READ}' by '{}'?", words.name),
        );
        return Err(invalid(format!("{at}: a source does not say what is read"), hint));
    };
    let text = name.map_or_else(|| read.clone(), |name| format!("{name}={read}"));
    super::of_source(OsString::from(text), &all)
}

/// A key and its value.
fn words(name: &str, value: &DeValue<'_>, place: Place) -> Result<Words, ConfigError> {
    let values = match value {
        DeValue::Array(values) => values.iter().map(|value| one(name, value.get_ref(), &place)).collect::<Result<_, _>>()?,
        value => vec![one(name, value, &place)?],
    };
    Ok(Words { name: name.to_owned(), values, place })
}

fn one(name: &str, value: &DeValue<'_>, place: &Place) -> Result<Value, ConfigError> {
    match value {
        DeValue::String(text) => Ok(Value::Text(OsString::from(text.as_ref()))),
        DeValue::Integer(number) if number.radix() == 10 => Ok(Value::Text(number.as_str().replace('_', "").into())),
        DeValue::Boolean(is_on) => Ok(Value::Switch(*is_on)),
        DeValue::Table(_) => {
            let hint = if Scope::Daemon.names().iter().any(|known| known == name) {
                "NAME = VALUE"
            } else {
                "sources are [[source]]; there are no other tables"
            };
            Err(invalid(format!("{place}: '{name}' is no table"), hint))
        }
        other => Err(invalid(format!("{place}: '{name}' cannot be {}", kind(other)), "a value in quotes")),
    }
}

fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Float(_) => "a number with a point",
        DeValue::Integer(_) => "a number of another base than ten",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list in a list",
        _ => "this",
    }
}
