//! What survives, where, and how much of it.

use std::path::PathBuf;
use std::time::Duration;

use super::layer::Layer;
use super::source::whole;
use super::world::World;
use super::{ConfigError, YEAR, invalid, time_within};
use crate::store::{Keep, Sync};

/// History on disk where nobody says otherwise, in bytes.
const KEEP_SIZE: u64 = 1 << 30;

/// The least history on disk, in bytes: a few segments.
const LEAST_KEEP_SIZE: u64 = 1 << 20;

/// The bounds of `--keep-age`: a century is for ever, and its milliseconds are a number.
const KEEP_AGE: (Duration, Duration) = (Duration::from_secs(1), YEAR.saturating_mul(100));

/// What survives the daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct State {
    /// The state directory, from the root; it may be missing yet.
    pub directory: PathBuf,
    /// When it is made safe from a power cut.
    pub sync: Sync,
    /// What is kept.
    pub keep: Keep,
}

impl State {
    /// What a layer and the world say of it; nothing survives if neither names a directory.
    pub(super) fn check(layer: &Layer, world: &World) -> Result<Option<Self>, ConfigError> {
        let Some(directory) = layer.state_dir.as_ref().or(world.state_directory.as_ref()) else {
            return unused_option(layer).map_or(Ok(None), |name| {
                Err(invalid(format!("{name} is about a state directory, and there is none"), "--state-dir DIR says where it is"))
            });
        };
        let size = layer.keep_size.unwrap_or(KEEP_SIZE);
        if size < LEAST_KEEP_SIZE {
            return Err(invalid(format!("--keep-size {} is too small", bytesize::ByteSize(size)), "it takes at least 1MiB"));
        }
        let age = layer.keep_age.map(|age| time_within("--keep-age", age, KEEP_AGE)).transpose()?;
        let directory = whole(&world.directory, directory);
        Ok(Some(Self { directory, sync: layer.sync.unwrap_or_default(), keep: Keep { size, age } }))
    }
}

/// An option that says something of a state directory.
fn unused_option(layer: &Layer) -> Option<&'static str> {
    let said =
        [("--sync", layer.sync.is_some()), ("--keep-size", layer.keep_size.is_some()), ("--keep-age", layer.keep_age.is_some())];
    said.into_iter().find_map(|(name, is_said)| is_said.then_some(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::cli::Arguments;
    use clap::Parser;

    fn check_in(arguments: &[&str], from_systemd: Option<&str>) -> Result<Option<State>, String> {
        let arguments = Arguments::try_parse_from([&["sse-bridge"], arguments].concat()).map_err(|error| error.to_string())?;
        let layer = arguments.into_layer();
        let state_directory = from_systemd.map(PathBuf::from);
        let world = World { directory: "/srv/dir".into(), state_directory, ..World::default() };
        State::check(&layer, &world).map_err(|error| match error {
            ConfigError::Invalid { what, hint } => format!("{what}; {hint}"),
            ConfigError::Resolve(other) => other.to_string(),
        })
    }

    fn check(arguments: &[&str]) -> Result<Option<State>, String> {
        check_in(arguments, None)
    }

    #[test]
    fn nothing_survives_where_nobody_says_a_directory() {
        assert_eq!(check(&[]), Ok(None));
    }

    #[test]
    fn the_defaults_are_those_of_the_help() {
        let keep = Keep { size: 1 << 30, age: None };
        assert_eq!(check(&["--state-dir", "/s"]), Ok(Some(State { directory: "/s".into(), sync: Sync::Interval, keep })));
    }

    #[test]
    fn everything_can_be_said() {
        let said = ["--state-dir=/s", "--sync=always", "--keep-size=1MiB", "--keep-age=7d"];
        let keep = Keep { size: 1 << 20, age: Some(Duration::from_secs(7 * 86_400)) };
        assert_eq!(check(&said), Ok(Some(State { directory: "/s".into(), sync: Sync::Always, keep })));
    }

    #[test]
    fn a_path_leads_on_from_the_working_directory() {
        for (said, whole) in
            [("s", "/srv/dir/s"), ("./s/", "/srv/dir/s"), (".", "/srv/dir"), ("../s", "/srv/dir/../s"), ("/s", "/s")]
        {
            assert_eq!(check(&["--state-dir", said]).map(|state| state.unwrap().directory), Ok(PathBuf::from(whole)), "{said}");
        }
    }

    #[test]
    fn the_user_says_more_than_the_service_manager() {
        let directory = |arguments: &[&str]| check_in(arguments, Some("/var/lib/a")).unwrap().unwrap().directory;
        assert_eq!(directory(&[]), PathBuf::from("/var/lib/a"));
        assert_eq!(directory(&["--sync=never"]), PathBuf::from("/var/lib/a"));
        assert_eq!(directory(&["--state-dir=/s"]), PathBuf::from("/s"));
    }

    #[test]
    fn what_cannot_be_is_refused_in_one_line() {
        for (arguments, words) in [
            (&["--sync=always"][..], &["--sync", "--state-dir"][..]),
            (&["--keep-size=2GiB"], &["--keep-size", "--state-dir"]),
            (&["--keep-age=7d"], &["--keep-age", "--state-dir"]),
            (&["--state-dir=/s", "--keep-size=1023KiB"], &["--keep-size 1023.0 KiB", "1MiB"]),
            (&["--state-dir=/s", "--keep-size=0"], &["--keep-size 0 B", "1MiB"]),
            (&["--state-dir=/s", "--keep-age=999ms"], &["--keep-age 999ms", "1s"]),
            (&["--state-dir=/s", "--keep-age=5300w"], &["--keep-age", "out of bounds"]),
        ] {
            let line = check(arguments).expect_err("it is refused");
            assert!(words.iter().all(|word| line.contains(word)) && line.lines().count() == 1, "{arguments:?}: {line}");
        }
        for arguments in [
            &["--state-dir="][..],
            &["--state-dir=/s", "--sync=sometimes"],
            &["--state-dir=/s", "--keep-age=7"],
            &["--state-dir=/s", "--keep-size=all"],
        ] {
            assert!(check(arguments).is_err(), "{arguments:?}");
        }
    }
}
