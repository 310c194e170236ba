use std::path::Path;

use clap::Parser;

use super::*;
use crate::config::cli::Arguments;

/// A value of each option that can be said of the daemon: on the command line, and in a file.
const SAMPLES: &[(&str, &str, &str)] = &[
    ("allow-anonymous", "", "true"),
    ("allow-host", "=.example.com", "[\".example.com\"]"),
    ("cors-origin", "=https://example.com", "\"https://example.com\""),
    ("data-field", "=log.text", "'log.text'"),
    ("drop", "=a b", "['a b']"),
    ("event-type", "=tick", "\"tick\""),
    ("event-type-field", "=level", "\"level\""),
    ("exit-on-eof", "=1m", "\"1m\""),
    ("fifo-mode", "=0600", "\"0600\""),
    ("fifo-remove", "=no", "false"),
    ("flush-partial", "=off", "\"off\""),
    ("format", "=json", "\"json\""),
    ("from", "=-12", "-12"),
    ("heartbeat", "=5s", "\"5s\""),
    ("history", "=1000000", "1_000_000"),
    ("keep-age", "=7d", "\"7d\""),
    ("keep-size", "=1GiB", "\"1GiB\""),
    ("kill-after", "=3s", "\"3s\""),
    ("listen", "=[::1]:80", "[\"[::1]:80\"]"),
    ("log-format", "=json", "\"json\""),
    ("match", "=a|b", "'a|b'"),
    ("max-clients", "=7", "7"),
    ("max-line", "=1000", "1_000"),
    ("multiline", "=indent", "\"indent\""),
    ("multiline-start", "=^\\d", "'^\\d'"),
    ("multiline-wait", "=1s", "\"1s\""),
    ("only-fields", "=a,b", "[\"a\", \"b\"]"),
    ("poll", "", "true"),
    ("port", "=80", "80"),
    ("pty", "", "true"),
    ("quiet", "", "1"),
    ("rate-limit", "=6000/m", "\"6000/m\""),
    ("redact", "=x", "[\"x\"]"),
    ("redact-with", "=***", "\"***\""),
    ("restart", "=always", "\"always\""),
    ("retry", "=1s", "\"1s\""),
    ("rotate-wait", "=1s", "\"1s\""),
    ("size", "=80x24", "\"80x24\""),
    ("state-dir", "=/var/lib/x", "\"/var/lib/x\""),
    ("stdin", "=no", "false"),
    ("strip-ansi", "", "true"),
    ("sync", "=always", "\"always\""),
    ("tail", "=all", "\"all\""),
    ("tee", "", "true"),
    ("title", "=A log", "\"A log\""),
    ("verbose", "", "true"),
    ("write-timeout", "=1m", "\"1m\""),
];

fn from_command_line(arguments: &[String]) -> Layer {
    let arguments = ["sse-bridge".to_owned()].into_iter().chain(arguments.iter().cloned());
    Arguments::try_parse_from(arguments).unwrap_or_else(|error| panic!("{error}")).into_layer()
}

fn from_file(text: &str) -> Result<Layer, String> {
    let path = Path::new("/etc/x.toml");
    let said = file::parse(path, text).map_err(line)?;
    let mut layer = Layer { sources: said.sources, ..Layer::default() };
    over(&mut layer, &said.words).map_err(line)?;
    Ok(layer)
}

fn line(error: ConfigError) -> String {
    match error {
        ConfigError::Invalid { what, hint } => format!("{what}; {hint}"),
        ConfigError::Resolve(other) => other.to_string(),
    }
}

#[test]
fn every_option_says_the_same_in_a_file_and_in_a_variable() {
    let names = Scope::Daemon.names();
    for name in &names {
        let (_, argument, value) = SAMPLES.iter().find(|(known, ..)| known == name).unwrap_or_else(|| panic!("a sample of {name}"));
        let expected = format!("{:?}", from_command_line(&[format!("--{name}{argument}")]));
        let file = from_file(&format!("{name} = {value}\n")).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(format!("{file:?}"), expected, "{name}");
        let variable = format!("SSE_BRIDGE_{}", name.to_ascii_uppercase().replace('-', "_"));
        let text = match argument.strip_prefix('=') {
            Some(text) => text,
            None if matches!(name.as_str(), "verbose" | "quiet") => "1",
            None => "yes",
        };
        let mut layer = Layer::default();
        variables::over(&mut layer, &[(variable, text.into())]).unwrap_or_else(|error| panic!("{}", line(error)));
        assert_eq!(format!("{layer:?}"), expected, "{name} as a variable");
    }
    assert_eq!(SAMPLES.len(), names.len(), "samples of options that are none");
}

#[test]
fn every_option_of_a_source_says_the_same_there() {
    for name in Scope::Source.names() {
        let (_, argument, value) = SAMPLES.iter().find(|(known, ..)| *known == name).unwrap();
        let layer = from_file(&format!("[[source]]\nread = \"/x\"\n{name} = {value}\n")).unwrap_or_else(|error| panic!("{error}"));
        let [SourceLayer { source, way: Some(way) }] = &layer.sources[..] else { panic!("{layer:?}") };
        assert_eq!(source, "/x");
        assert_eq!(format!("{way:?}"), format!("{:?}", from_command_line(&[format!("--{name}{argument}")]).way), "{name}");
    }
}

#[test]
fn sources_are_tables_with_a_name_or_none() {
    let layer =
        from_file("port = 1\n[[source]]\nread = '/a'\n\n[[source]]\nname = \"web/x\"\nread = 'exec:a=b c'\npty = true\n").unwrap();
    let sources: Vec<_> = layer.sources.iter().map(|source| source.source.to_str().unwrap()).collect();
    assert_eq!(sources, ["/a", "web/x=exec:a=b c"]);
    assert!(layer.sources[0].way.is_none() && layer.sources[1].way.as_ref().is_some_and(|way| way.manner.pty == Some(true)));
}

#[test]
fn what_is_wrong_is_told_of_its_line_with_what_would_be_right() {
    for (text, words) in [
        ("port = 1\nprot = 2", "/etc/x.toml:2: 'prot' is no option; did you mean 'port'?"),
        ("max_line = 2", "/etc/x.toml:1: 'max_line' is no option; did you mean 'max-line'?"),
        ("zzz = 2", "/etc/x.toml:1: 'zzz' is no option; sse-bridge.toml(5)"),
        ("port = \"many\"", "/etc/x.toml:1: 'port' cannot be 'many'; expected a number from 0 to 65535"),
        ("\nport = true", "/etc/x.toml:2: 'port' takes PORT, not a boolean"),
        ("poll = \"maybe\"", "/etc/x.toml:1: 'poll' cannot be 'maybe'; expected yes or no"),
        ("history = 1.5", "/etc/x.toml:1: 'history' cannot be a number with a point"),
        ("history = 0x10", "/etc/x.toml:1: 'history' cannot be a number of another base"),
        ("port = [1, 2]", "/etc/x.toml:1: 'port' takes one value"),
        ("listen = [[1]]", "/etc/x.toml:1: 'listen' cannot be a list in a list"),
        ("format = \"xml\"", "/etc/x.toml:1: 'format' cannot be 'xml'; expected one of text, json, cri, null, sse"),
        ("verbose = 9", "/etc/x.toml:1: 'verbose' takes a number from 0 to 4"),
        ("config = \"/y\"", "/etc/x.toml:1: 'config' is said on the command line only"),
        ("check = true", "/etc/x.toml:1: 'check' is said on the command line only"),
        ("port = 1\nport = 2", "/etc/x.toml:2: duplicate key"),
        ("port = ", "/etc/x.toml:1: "),
        ("[port]\nx = 1", "/etc/x.toml:1: 'port' is no table; NAME = VALUE"),
        ("[http]\nport = 1", "/etc/x.toml:1: 'http' is no table; sources are [[source]]"),
        ("[source]\nread = \"x\"", "/etc/x.toml:1: a source is a table of its own; [[source]]"),
        ("source = [\"x\"]", "/etc/x.toml:1: a source is a table of its own"),
        ("\n[[source]]\nname = \"x\"", "/etc/x.toml:2: a source does not say what is read; read = "),
        ("[[source]]\nreed = \"x\"", "/etc/x.toml:1: a source does not say what is read; did you mean 'read' by 'reed'?"),
        ("[[source]]\nread = 1", "/etc/x.toml:2: 'read' takes text"),
        ("[[source]]\nread = '/x'\nname = \"a b\"", "/etc/x.toml:3: 'a b' is not a channel name"),
        (
            "[[source]]\nread = '/x'\nport = 1",
            "/etc/x.toml:3: 'port' is not said of one source; it stands above the first [[source]]",
        ),
        ("[[source]]\nread = '/x'\nfrmat = 'json'", "/etc/x.toml:3: 'frmat' is no option; did you mean 'format'?"),
        ("[[source]]\nread = '/x'\nmax-line = 'x'", "/etc/x.toml:3: 'max-line' cannot be 'x'; expected a size such as 16MiB"),
        ("drop = ['a', '[']", "/etc/x.toml:1: drop: '[' is no regular expression"),
        (
            "[[source]]\nread = '/x'\nredact = '\\w{1,1000}'",
            "/etc/x.toml:3: redact: the regular expression '\\w{1,1000}' is too large",
        ),
        ("format = \"json\"\nverbose = 1\nquiet = 1", "cannot be used with"),
    ] {
        let refused = from_file(text).expect_err(&format!("{text:?} is refused"));
        assert!(refused.contains(words) && refused.lines().count() == 1, "{text:?}\n  {refused}\n  {words}");
    }
}

#[test]
fn variables_of_others_say_nothing() {
    let variables: Vec<(String, OsString)> = [
        ("SSE_BRIDGE_PORT", "tcp://10.0.0.7:8080"),
        ("SSE_BRIDGE_PORT_8080_TCP_ADDR", "10.0.0.7"),
        ("SSE_BRIDGE_SERVICE_HOST", "10.0.0.7"),
        ("SSE_BRIDGE_TEST_SEED", "7"),
        ("SSE_BRIDGE_MAXLINE", "7"),
        ("SSE_BRIDGE_ZZZ", "7"),
    ]
    .map(|(name, value)| (name.to_owned(), value.into()))
    .into();
    let mut layer = Layer::default();
    variables::over(&mut layer, &variables).unwrap();
    assert_eq!(format!("{layer:?}"), format!("{:?}", Layer::default()));
    let odd = variables::oddities(&variables);
    assert_eq!(
        odd,
        [
            "SSE_BRIDGE_MAXLINE says nothing; did you mean SSE_BRIDGE_MAX_LINE?",
            "SSE_BRIDGE_ZZZ says nothing; sse-bridge(1) lists what does"
        ]
    );
    let bad = variables::over(&mut layer, &[("SSE_BRIDGE_PORT".to_owned(), "x".into())]).map_err(line);
    assert_eq!(bad.unwrap_err(), "the environment: SSE_BRIDGE_PORT: 'port' cannot be 'x'; expected a number from 0 to 65535");
}

#[test]
fn several_values_of_a_variable_stand_in_lines() {
    let mut layer = Layer::default();
    let said = |name: &str, value: &str| (name.to_owned(), OsString::from(value));
    variables::over(&mut layer, &[said("SSE_BRIDGE_SOURCE", "/a\n web=/b \n\n"), said("SSE_BRIDGE_REDACT", "a, b\nc")]).unwrap();
    let sources: Vec<_> = layer.sources.iter().map(|source| source.source.to_str().unwrap()).collect();
    assert_eq!(sources, ["/a", "web=/b"]);
    assert_eq!(layer.way.shaping.redact, ["a, b", "c"]);
    assert_eq!(variables::files(&[said("SSE_BRIDGE_CONFIG", "/x\n/y")]), ["/x", "/y"]);
}

#[test]
fn the_command_line_says_more_than_variables_and_these_more_than_files() {
    let directory = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
    write(
        "10-a.toml",
        "port = 1\nretry = '1s'\nheartbeat = '1s'\npoll = true\nverbose = 2\nallow-host = ['a', 'b']\n[[source]]\nread = '/a'\n",
    );
    write("20-b.toml", "heartbeat = '2s'\ntitle = 'b'\n[[source]]\nread = '/b'\n");
    write(".hidden.toml", "port = \"no\"");
    write("notes.txt", "port = \"no\"");
    let layer = |arguments: &[&str], variables: &[(&str, &str)]| {
        let config = format!("--config={}", directory.path().display());
        let all = [&["sse-bridge", &config], arguments].concat();
        let matches = <Arguments as clap::CommandFactory>::command().try_get_matches_from(all).unwrap();
        let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        Arguments::from_arg_matches(&matches).unwrap().layer(&matches, &variables).map_err(line).unwrap()
    };
    let sources =
        |layer: &Layer| layer.sources.iter().map(|source| source.source.to_string_lossy().into_owned()).collect::<Vec<_>>();
    let of_files = layer(&[], &[]);
    assert_eq!((of_files.port, of_files.heartbeat.unwrap().as_secs(), of_files.title.as_deref()), (Some(1), 2, Some("b")));
    assert_eq!((sources(&of_files), of_files.verbose, of_files.poll), (vec!["/a".to_owned(), "/b".to_owned()], 2, Some(true)));
    let of_all = layer(&["--heartbeat=4s", "--poll=no", "-q"], &[("SSE_BRIDGE_HEARTBEAT", "3s"), ("SSE_BRIDGE_RETRY", "3s")]);
    assert_eq!((of_all.heartbeat.unwrap().as_secs(), of_all.retry.unwrap().as_secs(), of_all.port), (4, 3, Some(1)));
    assert_eq!((of_all.poll, of_all.verbose, of_all.quiet, of_all.allow_host.len()), (Some(false), 0, 1, 2));
    assert_eq!(sources(&layer(&["/c"], &[])), ["/c"], "who names sources means these");
    let run = layer(&["/c"], &[("SSE_BRIDGE_ALLOW_HOST", "c")]);
    assert_eq!(run.allow_host, ["c"]);
}
