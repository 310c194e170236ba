//! What sources may say alone, and not beside one another.

use std::collections::{HashMap, HashSet};

use super::{ConfigError, Glob, Names, Source, descriptor, invalid, own_name};
use crate::channel::Expected;
use crate::config::world::Origin;
use crate::event::ChannelName;

/// What each source may say alone and not beside the others.
pub(super) fn check_together(sources: &[&Source]) -> Result<(), ConfigError> {
    check_readers(sources)?;
    check_names_differ(sources)?;
    for (index, source) in sources.iter().enumerate() {
        let (before, rest) = sources.split_at(index);
        let mut others = before.iter().chain(&rest[1..]);
        match source.names() {
            Names::One(_) | Names::Streams(..) => {}
            Names::Below(above) => others.try_for_each(|other| check_below(above, other))?,
            Names::Paths(glob) => {
                let expected = source.expected();
                others.try_for_each(|other| check_found(glob, &expected, other))?;
            }
        }
    }
    Ok(())
}

/// Two readers of one pipe would divide its lines between them. A file may have several names: it is read by the first.
fn check_readers(sources: &[&Source]) -> Result<(), ConfigError> {
    let mut readers: HashMap<Origin, &Source> = HashMap::new();
    for source in sources {
        let Some(origin) = source.path().and_then(|path| Origin::of(path, descriptor(path))) else { continue };
        match readers.insert(origin, source) {
            None => {}
            Some(Source::Files(_)) if matches!(source, Source::Files(_)) => {}
            Some(first) => return Err(read_twice(&first.shown(), &source.shown())),
        }
    }
    Ok(())
}

fn read_twice(first: &str, second: &str) -> ConfigError {
    let also = if first == second { String::new() } else { format!(", also as {second}") };
    invalid(format!("{first} is given twice{also}"), "its lines go to one reader only; give it once")
}

/// A name is that of one source, whether it feeds one channel or those below the name.
fn check_names_differ(sources: &[&Source]) -> Result<(), ConfigError> {
    let mut given = HashSet::new();
    for source in sources {
        let (name, channels) = match source.names() {
            Names::One(name) | Names::Below(name) => (name, &[][..]),
            Names::Streams(name, channels) => (name, channels),
            Names::Paths(_) => continue,
        };
        let names = [name].into_iter().chain(channels.iter().filter(|channel| *channel != name));
        if let Some(name) = names.into_iter().find(|name| !given.insert(*name)) {
            return Err(invalid(format!("the name '{name}' is given twice"), "every source has a name of its own"));
        }
    }
    Ok(())
}

/// Below the NAME of a glob there are the names of its files, and no others.
fn check_below(above: &ChannelName, other: &Source) -> Result<(), ConfigError> {
    let lies_below = |name: &ChannelName| name.is_at_or_below(above);
    match other.names() {
        Names::One(name) | Names::Below(name) | Names::Streams(name, _) if lies_below(name) => Err(invalid(
            format!("the name '{name}' lies below '{above}', where the files of a glob get theirs"),
            format!("choose one that does not lie below '{above}'"),
        )),
        Names::Paths(glob) if glob.base.parent().is_some() && lies_below(&own_name(&glob.base)) => Err(invalid(
            format!("the files of '{}' get their names below '{above}', as those of another glob do", glob.whole.display()),
            format!("choose another name than '{above}'"),
        )),
        _ => Ok(()),
    }
}

/// No other source has the name of a file that an unnamed glob may find, but one that reads this very path.
fn check_found(glob: &Glob, expected: &Expected, other: &Source) -> Result<(), ConfigError> {
    match other.names() {
        Names::One(name) if expected.could_yield(name) && !other.is_named_after_its_path() => Err(found(glob, name)),
        Names::Streams(_, channels) => {
            channels.iter().find(|name| expected.could_yield(name)).map_or(Ok(()), |name| Err(found(glob, name)))
        }
        _ => Ok(()),
    }
}

fn found(glob: &Glob, name: &ChannelName) -> ConfigError {
    invalid(
        format!("the name '{name}' may also be that of a file that the glob '{}' finds", glob.whole.display()),
        "choose another one: NAME=SOURCE",
    )
}
