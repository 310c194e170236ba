//! What is read, and how: each source with the way of its lines.

use std::ffi::{OsStr, OsString};

use super::command::check_input;
use super::layer::{Layer, SourceLayer};
use super::source::{self, Source};
use super::way::{Way, WayLayer};
use super::world::World;
use super::{ConfigError, cli, invalid};

/// A source, and the way of its lines.
#[derive(Debug, Clone)]
pub struct Feed {
    /// What it is called where it is said: no other feed is called so.
    pub text: OsString,
    /// All that is said of the way of its lines.
    pub said: WayLayer,
    /// Where they come from.
    pub source: Source,
    /// What they become.
    pub way: Way,
}

/// All that is read, the command of `run` first; standard input if nothing else is said.
///
/// # Errors
/// One of them is no source, or they cannot stand beside one another, or what is said of one makes no sense.
pub(super) fn feeds(layer: &Layer, world: &World) -> Result<Vec<Feed>, ConfigError> {
    cli::check_no_subcommand(&layer.sources)?;
    let general = layer.way.check()?;
    let mut feeds = Vec::new();
    if let Some(source) = layer.run.check(layer.way.manner.check()?)? {
        feeds.push(Feed { text: "run".into(), said: layer.way.clone(), source, way: general.clone() });
    }
    for said in &layer.sources {
        feeds.push(feed(said, &layer.way, &general, world)?);
    }
    if feeds.is_empty() {
        feeds.push(Feed {
            text: "-".into(),
            said: layer.way.clone(),
            source: source::standard_input(&layer.config, world)?,
            way: general,
        });
    }
    source::check_together(&feeds.iter().map(|feed| &feed.source).collect::<Vec<_>>(), world)?;
    check_input(feeds.iter().map(|feed| &feed.source), world.stdin)?;
    if !feeds.iter().any(|feed| feed.source.is_command()) {
        layer.way.manner.refuse_without_command()?;
    }
    Ok(feeds)
}

/// One source, with what is said of it alone over what is said of all.
fn feed(said: &SourceLayer, of_all: &WayLayer, general: &Way, world: &World) -> Result<Feed, ConfigError> {
    let Some(own) = &said.way else {
        let source = source::source(&said.source, world, of_all)?;
        return Ok(Feed { text: said.source.clone(), said: of_all.clone(), source, way: general.clone() });
    };
    let way = own.clone().over(of_all);
    let source = source::source(&said.source, world, &way).map_err(|error| of(&said.source, error))?;
    if !source.is_command() {
        own.manner.refuse_without_command().map_err(|error| of(&said.source, error))?;
    }
    let checked = way.check().map_err(|error| of(&said.source, error))?;
    Ok(Feed { text: said.source.clone(), said: way, source, way: checked })
}

/// What is wrong with what is said of one source.
fn of(source: &OsStr, error: ConfigError) -> ConfigError {
    match error {
        ConfigError::Invalid { what, hint } => invalid(format!("of the source '{}': {what}", source.display()), hint),
        ConfigError::Resolve(_) => error,
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use clap::Parser;

    use super::*;
    use crate::config::cli::Arguments;
    use crate::config::way::FlushPartial;
    use crate::mapping::Format;
    use crate::source::command::{Output, Restart};
    use crate::source::file::Begin;

    /// What the options of a command line say.
    fn said(options: &[&str]) -> Layer {
        Arguments::try_parse_from([&["sse-bridge"], options].concat()).unwrap_or_else(|error| panic!("{error}")).into_layer()
    }

    fn read(general: &[&str], sources: &[(&str, &[&str])]) -> Result<Vec<Feed>, String> {
        let own = |options: &[&str]| if options.is_empty() { None } else { Some(said(options).way) };
        let layer = |(source, options): &(&str, &[&str])| SourceLayer { source: OsString::from(source), way: own(options) };
        let layer = Layer { sources: sources.iter().map(layer).collect(), ..said(general) };
        feeds(&layer, &World { directory: "/srv/dir".into(), ..World::default() }).map_err(|error| match error {
            ConfigError::Invalid { what, hint } => format!("{what}; {hint}"),
            ConfigError::Resolve(other) => other.to_string(),
        })
    }

    #[test]
    fn what_is_said_of_one_source_is_said_of_no_other() {
        let general = &["--format=json", "--data-field=msg", "--from=end", "--strip-ansi", "--drop=x", "--restart=always"];
        let feeds = read(
            general,
            &[
                ("a=/x/a", &[]),
                ("b=/x/b", &["--format=text", "--max-line=100", "--strip-ansi=no", "--flush-partial=off"]),
                ("c=/x/c", &["--from=start", "--drop=y", "--drop=z"]),
                ("d=exec:true", &["--pty", "--restart=never"]),
                ("e=exec:true", &[]),
            ],
        )
        .unwrap();
        let [as_all, text, other, once, always] = &feeds[..] else { panic!("{feeds:?}") };
        let is_json = |feed: &Feed| matches!(feed.way.recipe.mapping.format, Format::Json(_));
        assert!(is_json(as_all) && !is_json(text) && is_json(other));
        assert_eq!((as_all.way.begin, other.way.begin), (Begin::End, Begin::Start));
        assert_eq!((as_all.way.max_line, text.way.max_line), (1 << 20, 100));
        assert_eq!((as_all.way.flush_partial, text.way.flush_partial), (FlushPartial::Usual, FlushPartial::Never));
        let strips = |feed: &Feed| feed.way.recipe.shaping.escapes == crate::shaping::Escapes::Stripped;
        assert!(strips(as_all) && !strips(text) && strips(other));
        let drops = |feed: &Feed, text: &str| feed.way.recipe.shaping.dropping.as_ref().unwrap().is_match(text.as_bytes());
        assert!(drops(as_all, "x"));
        assert!(!drops(other, "x") && drops(other, "y") && drops(other, "z"), "the own words stand in place of the general ones");
        let manner = |feed: &Feed| if let Source::Command { command, .. } = &feed.source { command.manner } else { panic!() };
        assert!(matches!(manner(once).output, Output::Terminal(_)) && manner(always).output == Output::Pipes);
        assert_eq!((manner(once).restart, manner(always).restart), (Restart::Never, Restart::Always));
    }

    #[test]
    fn what_makes_no_sense_for_one_source_names_it() {
        for (general, sources, words) in [
            (&[][..], &[("a=/x/a", &["--data-field=x"][..])][..], "of the source 'a=/x/a': --data-field is about the fields"),
            (&[], &[("/x/a", &["--pty"])], "of the source '/x/a': --pty is about commands"),
            (&[], &[("/x/a", &["--max-line=1"])], "of the source '/x/a': --max-line 1 B is out of bounds"),
            (&[], &[("exec:a", &["--size=80x20"])], "of the source 'exec:a': --size is about a terminal"),
            (&["--pty"], &[("/x/a", &[])], "--pty is about commands, and none is run"),
            (&["--data-field=x"], &[("/x/a", &["--format=json"])], "--data-field is about the fields"),
            (&[], &[("exec:a", &["--stdin"]), ("-", &[])], "--stdin cannot pass"),
        ] {
            let line = read(general, sources).expect_err("it is refused");
            assert!(line.starts_with(words), "{general:?} {sources:?}: {line}");
        }
    }

    #[test]
    fn a_switch_can_be_said_to_be_off() {
        assert_eq!(said(&["--strip-ansi"]).way.shaping.strip_ansi, Some(true));
        assert_eq!(said(&["--strip-ansi=no"]).way.shaping.strip_ansi, Some(false));
        assert_eq!(said(&[]).way.shaping.strip_ansi, None);
        assert!(Arguments::try_parse_from(["sse-bridge", "--poll=maybe"]).is_err());
        assert_eq!(said(&["--poll", "x"]).sources.len(), 1, "a value stands behind =");
    }
}
