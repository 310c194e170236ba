//! What is asked of `sse-bridge healthcheck`, and where that is by itself: where the daemon listens that was told the same.
//!
//! The comments are the help that users read.
#![allow(clippy::doc_markdown, rustdoc::bare_urls, reason = "the help is plain text")]

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{ConfigError, USUAL_PORT, cli, invalid, value};
use crate::http::listener;

/// What is asked of the daemon of this machine.
#[derive(Debug, Clone, Args)]
#[command(
    about = "Ask the daemon of this machine whether it serves, for containers",
    long_about = "Asks a daemon whether it serves, and says nothing if it does: for images that have no shell and no curl. Without a URL it asks the \
                  daemon of this machine, at the address that SSE_BRIDGE_PORT, SSE_BRIDGE_LISTEN and the configuration file give; what is said on the \
                  daemon's own command line it cannot know.",
    after_help = "Examples:\n  sse-bridge healthcheck                    /readyz of the daemon of this machine\n  \
                  sse-bridge healthcheck '/readyz?strict'   fails also if a source has failed, or history cannot be written\n  \
                  sse-bridge healthcheck :8081              another port\n  \
                  HEALTHCHECK CMD [\"/sse-bridge\", \"healthcheck\"]\n\n\
                  Exit codes: 0 it serves; 1 it does not, and why stands on standard error; 2 the command line."
)]
pub struct Healthcheck {
    /// A path of the daemon of this machine (/healthz), or where another one is: http://HOST:PORT/readyz, HOST:PORT or :PORT [default: /readyz]
    #[arg(value_name = "URL")]
    pub url: Option<String>,

    /// A configuration file of the daemon, or a directory of *.toml files; may be repeated [default: $SSE_BRIDGE_CONFIG]
    #[arg(long, value_name = "FILE")]
    pub config: Vec<PathBuf>,

    /// How long the answer may take, all in all [default: 3s]
    #[arg(long, value_name = "TIME", value_parser = value::duration, default_value = "3s", hide_default_value = true)]
    pub timeout: Duration,
}

impl Healthcheck {
    /// What is asked, as a URL.
    ///
    /// # Errors
    /// The configuration cannot be read, or says nothing of a port.
    pub fn url(&self, variables: &[(String, OsString)]) -> Result<String, ConfigError> {
        let asked = self.url.as_deref().unwrap_or("/readyz");
        if asked.starts_with('/') {
            return Ok(format!("http://{}{asked}", self.own_address(variables)?));
        }
        let (place, query) = asked.split_once('?').unwrap_or((asked, ""));
        let place = place.strip_suffix('/').unwrap_or(place);
        let has_path = place.split_once("://").map_or(place, |(_, behind)| behind).contains('/');
        let (path, mark) = (if has_path { "" } else { "/readyz" }, if query.is_empty() { "" } else { "?" });
        Ok(format!("{place}{path}{mark}{query}"))
    }

    fn own_address(&self, variables: &[(String, OsString)]) -> Result<SocketAddr, ConfigError> {
        let layer = cli::elsewhere(self.config.clone(), variables)?;
        let port = layer.port.unwrap_or(USUAL_PORT);
        let listened = listener::resolve(&layer.listen, port)?;
        let address = listened.first().map_or(SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port), |first| reached(*first));
        match address.port() {
            0 => Err(invalid("nobody knows which port is meant by 0", "give the URL: sse-bridge healthcheck :8080")),
            _ => Ok(address),
        }
    }
}

/// Who listens on all addresses is reached on loopback.
fn reached(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(asked: Option<&str>, variables: &[(&str, &str)]) -> Result<String, String> {
        let asked = Healthcheck { url: asked.map(str::to_owned), config: Vec::new(), timeout: Duration::ZERO };
        let variables: Vec<_> = variables.iter().map(|(name, value)| ((*name).to_owned(), OsString::from(value))).collect();
        asked.url(&variables).map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_asked_where_the_daemon_listens_that_was_told_the_same() {
        for (variables, expected) in [
            (&[][..], "http://127.0.0.1:8080/readyz"),
            (&[("SSE_BRIDGE_PORT", "9000")], "http://127.0.0.1:9000/readyz"),
            (&[("SSE_BRIDGE_PORT", "tcp://10.0.0.7:8080")], "http://127.0.0.1:8080/readyz"),
            (&[("SSE_BRIDGE_LISTEN", "0.0.0.0"), ("SSE_BRIDGE_PORT", "9000")], "http://127.0.0.1:9000/readyz"),
            (&[("SSE_BRIDGE_LISTEN", "[::]:9001\n127.0.0.2:9002")], "http://[::1]:9001/readyz"),
            (&[("SSE_BRIDGE_LISTEN", "10.1.2.3")], "http://10.1.2.3:8080/readyz"),
        ] {
            assert_eq!(url(None, variables).as_deref(), Ok(expected), "{variables:?}");
        }
        assert!(url(None, &[("SSE_BRIDGE_PORT", "0")]).is_err());
    }

    #[test]
    fn a_url_may_be_short() {
        for (asked, expected) in [
            ("/healthz", "http://127.0.0.1:8080/healthz"),
            ("/readyz?strict", "http://127.0.0.1:8080/readyz?strict"),
            (":8081", ":8081/readyz"),
            ("h:1/", "h:1/readyz"),
            ("http://h", "http://h/readyz"),
            ("http://h?strict", "http://h/readyz?strict"),
            ("http://h/logs/readyz", "http://h/logs/readyz"),
        ] {
            assert_eq!(url(Some(asked), &[]).as_deref(), Ok(expected), "{asked}");
        }
    }
}
