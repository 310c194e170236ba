//! What the page is called where nobody says: the source, then the host.
//!
//! A tab shows the beginning of a title, so what differs from tab to tab comes first, and short: a NAME as it was given, else the
//! last part of a path.

use std::path::Path;

use super::USUAL_PORT;
use super::feed::Feed;
use super::source::{Source, own_name, stdin_name};
use crate::event::ChannelName;
use crate::source::file::{Files, Glob};

/// What the page is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Title {
    /// As the user says.
    Said(String),
    /// What is read, and the name of the machine, if it has one.
    Usual {
        /// The sources, in a word.
        what: String,
        /// The machine.
        host: Option<String>,
    },
}

impl Title {
    /// The usual one for these sources, of which there is at least one.
    pub(super) fn usual(feeds: &[Feed], host: Option<&str>) -> Self {
        let first = feeds.first().map(|feed| shown(&feed.source)).unwrap_or_default();
        let what = match feeds.len() {
            0 | 1 => first,
            count => format!("{first} and {} more", count - 1),
        };
        Self::Usual { what, host: host.map(str::to_owned) }
    }

    /// The title of a daemon that listens on this port: two daemons of one machine that read their standard input differ in nothing else.
    #[must_use]
    pub fn on(&self, port: u16) -> String {
        let title = match self {
            Self::Said(title) => return title.clone(),
            Self::Usual { what, host: None } => what.clone(),
            Self::Usual { what, host: Some(host) } if port == USUAL_PORT => format!("{what} · {host}"),
            Self::Usual { what, host: Some(host) } => format!("{what} · {host}:{port}"),
        };
        title.chars().map(|c| if is_hidden(c) { '\u{FFFD}' } else { c }).collect()
    }
}

/// What tells a source from others, in a word.
fn shown(source: &Source) -> String {
    match source {
        Source::Stdin { channel } if *channel == stdin_name() => "standard input".to_owned(),
        Source::Stdin { channel } | Source::Files(Files::Matching { name: Some(channel), .. }) => channel.to_string(),
        Source::Descriptor { channel, path } => given(channel, path).unwrap_or_else(|| path.display().to_string()),
        Source::Fifo { channel, path, .. } | Source::Files(Files::One { channel, path }) => {
            given(channel, path).unwrap_or_else(|| last(path))
        }
        Source::Files(Files::Matching { name: None, glob }) => shown_glob(glob),
        Source::Command { name, .. } => name.to_string(),
    }
}

/// The NAME of what has one beside its path.
fn given(channel: &ChannelName, path: &Path) -> Option<String> {
    (*channel != own_name(path)).then(|| channel.to_string())
}

fn last(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// `nginx/*.log`: from the last directory that is said in full.
fn shown_glob(glob: &Glob) -> String {
    let wild = glob.whole.strip_prefix(&glob.base).unwrap_or(&glob.whole);
    Path::new(glob.base.file_name().unwrap_or(glob.base.as_os_str())).join(wild).to_string_lossy().into_owned()
}

/// Whether a character of a file's name would be seen only by what it does to others: controls, and those that turn the direction.
fn is_hidden(c: char) -> bool {
    c.is_control() || matches!(c, '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;

    use super::*;
    use crate::config::feed::feeds;
    use crate::config::layer::{Layer, SourceLayer};
    use crate::config::way::WayLayer;
    use crate::config::world::World;

    fn read(sources: Vec<OsString>, world: &World) -> Vec<Feed> {
        feeds(&Layer { sources: sources.into_iter().map(SourceLayer::from).collect(), ..Layer::default() }, world).unwrap()
    }

    fn stdin() -> [Feed; 1] {
        let (said, source) = (WayLayer::default(), Source::Stdin { channel: stdin_name() });
        [Feed { text: "-".into(), way: said.check().unwrap(), said, source }]
    }

    fn title(texts: &[&str]) -> String {
        let texts = texts.iter().map(OsString::from).collect();
        let world = World { directory: "/work".into(), ..World::default() };
        Title::usual(&read(texts, &world), Some("build.example")).on(8080)
    }

    #[test]
    fn what_differs_comes_first() {
        for (source, shown) in [
            ("-", "standard input"),
            ("stdin:", "standard input"),
            ("load=-", "load"),
            ("/srv/none/app.log", "app.log"),
            ("../none/app.log", "app.log"),
            ("web=/srv/none/app.log", "web"),
            ("web/front=/srv/none/app.log", "web/front"),
            ("fifo:/srv/none/app.fifo", "app.fifo"),
            ("build=fifo:/srv/none/app.fifo", "build"),
            ("/dev/fd/2", "/dev/fd/2"),
            ("/srv/none/nginx/*.log", "nginx/*.log"),
            ("/srv/none/**/*.log", "none/**/*.log"),
            ("/*.log", "/*.log"),
            ("web=/srv/none/*.log", "web"),
            ("exec:/usr/bin/make -j2", "make"),
        ] {
            assert_eq!(title(&[source]), format!("{shown} · build.example"), "{source}");
        }
        assert_eq!(title(&["/srv/none/app.log", "-"]), "app.log and 1 more · build.example");
        assert_eq!(title(&["a=-", "/srv/none/app.log", "/srv/none/*.err"]), "a and 2 more · build.example");
    }

    #[test]
    fn a_machine_without_a_name_has_none() {
        assert_eq!(Title::usual(&stdin(), None).on(80), "standard input");
    }

    #[test]
    fn daemons_of_one_machine_differ() {
        assert_eq!(Title::usual(&stdin(), Some("build")).on(8081), "standard input · build:8081");
        assert_eq!(Title::Said("nightly".to_owned()).on(8081), "nightly");
    }

    #[test]
    fn the_name_of_a_file_turns_nothing_around() {
        let path = OsString::from_vec(b"/srv/none/a\x1b\xe2\x80\xaegpj\xff.log".to_vec());
        assert_eq!(Title::usual(&read(vec![path], &World::default()), None).on(80), "a\u{FFFD}\u{FFFD}gpj\u{FFFD}.log");
    }
}
