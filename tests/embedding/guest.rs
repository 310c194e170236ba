//! A page of somebody else, which reads a daemon: served by the test on a port of its own, so of another origin, under a policy
//! that allows nothing but the daemon.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::thread;

use serde_json::{Value, json};

use crate::harness::{Bridge, eventually};
use crate::scene::strings;
use crate::webdriver::{Browser, Kind, Tab, proxy::Proxy};

/// What the page may do. It writes no styles into itself, makes no markup of text, and reads from daemons only.
const POLICY: &str = "default-src 'none'; style-src 'self'; connect-src http://127.0.0.1:*; base-uri 'none'; img-src data:; \
                      form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'; script-src 'self' ";

/// The page's server.
pub struct Site {
    port: u16,
}

impl Site {
    /// Serves the page until the tests are over.
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let port = listener.local_addr().expect("a listener has an address").port();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                thread::spawn(move || serve(&socket));
            }
        });
        Self { port }
    }

    pub fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The page that reads the daemon at this address.
    pub fn page_for(&self, daemon: &str) -> String {
        format!("{}/?daemon={daemon}", self.origin())
    }
}

fn serve(mut socket: &TcpStream) {
    let lines = BufReader::new(socket).lines().map_while(Result::ok);
    let Some(request) = lines.take_while(|line| !line.is_empty()).collect::<Vec<_>>().into_iter().next() else { return };
    let target = request.split(' ').nth(1).unwrap_or_default();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let (kind, body) = match path {
        "/guest.js" => ("text/javascript", include_str!("guest.js")),
        "/guest.css" => ("text/css", include_str!("guest.css")),
        _ => ("text/html", include_str!("guest.html")),
    };
    let daemon = query.trim_start_matches("daemon=").split('&').next().unwrap_or_default().trim_end_matches('/');
    let head = format!("Content-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n", body.len());
    // A browser that has gone needs no answer.
    let _ = write!(socket, "HTTP/1.1 200 OK\r\n{head}Content-Security-Policy: {POLICY}{daemon}\r\n\r\n{body}");
}

/// A browser before such a page, which reads the daemon through a proxy.
pub struct Guest {
    pub browser: Browser,
    pub proxy: Proxy,
    pub bridge: Bridge,
    pub site: Site,
}

impl Guest {
    /// Opens the page before a daemon with these arguments that lets it read.
    pub fn visit(kind: Kind, arguments: &[&str]) -> Self {
        let site = Site::start();
        let bridge = start_for(&site, arguments);
        Self::before(kind, site, bridge)
    }

    pub fn before(kind: Kind, site: Site, bridge: Bridge) -> Self {
        let guest = Self { browser: Browser::start(kind), proxy: Proxy::start(bridge.port), bridge, site };
        guest.browser.open(&guest.page());
        guest.wait_for_module();
        guest
    }

    /// Opens the page in one more tab.
    pub fn visit_again(&self) -> Tab {
        let tab = self.browser.new_tab(&self.page());
        self.wait_for_module();
        tab
    }

    /// Opens the page anew, with an element in it from the beginning.
    pub fn visit_with_an_element(&self, path: &str) {
        self.browser.open(&format!("{}&element={path}", self.page()));
        self.wait_for_module();
    }

    fn page(&self) -> String {
        self.site.page_for(&self.proxy.url())
    }

    fn wait_for_module(&self) {
        self.browser.wait("the module", "return Boolean(window.put)", &json!([]));
    }

    /// Follows a stream, by a path or an address, under a name of the test's.
    pub fn follow(&self, name: &str, path: &str) {
        self.follow_with(name, path, &json!({}));
    }

    pub fn follow_with(&self, name: &str, path: &str, options: &Value) {
        self.browser.run("follow(...arguments)", &json!([name, path, options]));
    }

    /// Puts an element with these attributes into the page; its `src` is a path.
    pub fn put(&self, path: &str, attributes: &Value) {
        let script = "put({ ...arguments[1], src: new URL(arguments[0], daemon).href })";
        self.browser.run(script, &json!([path, attributes]));
    }

    /// What came of a kind: `line`, `gap`, `state`.
    pub fn heard(&self, name: &str, kind: &str) -> Vec<Value> {
        let heard = self.browser.run("return heard[arguments[0]]?.[arguments[1]] ?? []", &json!([name, kind]));
        heard.as_array().expect("a list").clone()
    }

    /// The texts of the lines that came.
    pub fn lines(&self, name: &str) -> Vec<String> {
        strings(&json!(self.heard(name, "line").iter().map(|line| &line["data"]).collect::<Vec<_>>()))
    }

    /// The names of the states that were told.
    pub fn states(&self, name: &str) -> Vec<String> {
        strings(&json!(self.heard(name, "state").iter().map(|state| &state["name"]).collect::<Vec<_>>()))
    }

    /// Waits until something of this kind has come for which an expression of `told` is true.
    pub fn wait_for(&self, name: &str, kind: &str, expression: &str) -> Value {
        let script = format!("return heard[arguments[0]]?.[arguments[1]]?.find((told) => {expression})");
        self.browser.wait(&format!("`{kind}` of `{name}` with {expression}"), &script, &json!([name, kind]))
    }

    pub fn wait_for_line(&self, name: &str, text: &str) {
        self.wait_for(name, "line", &format!("told.data === {}", json!(text)));
    }

    /// Waits until the stream is in this state.
    pub fn wait_for_state(&self, name: &str, state: &str) {
        let script = "return streams[arguments[0]].state.name === arguments[1]";
        self.browser.wait(&format!("the state `{state}` of `{name}`"), script, &json!([name, state]));
    }

    pub fn value(&self, expression: &str) -> Value {
        self.browser.run(&format!("return {expression}"), &json!([]))
    }

    pub fn wait_until(&self, what: &str, expression: &str) {
        self.browser.wait(what, &format!("return {expression}"), &json!([]));
    }

    /// Feeds lines and waits until the daemon has read them.
    pub fn feed_whole(&mut self, lines: &[u8]) {
        let count =
            metric(&self.bridge, "input_lines_total") + u64::try_from(memchr::memchr_iter(b'\n', lines).count()).expect("they fit");
        self.bridge.feed(lines);
        eventually("the last line", || metric(&self.bridge, "input_lines_total"), |read| *read == count);
    }

    /// Waits until the daemon has so many open streams.
    pub fn wait_for_clients(&self, count: u64) {
        eventually(&format!("{count} open streams"), || metric(&self.bridge, "clients"), |clients| *clients == count);
    }

    /// Nothing was tried that the page's policy forbids.
    pub fn assert_no_violations(&self) {
        assert_eq!(self.value("violations"), json!([]));
    }
}

/// Starts a daemon that lets pages of the site read.
pub fn start_for(site: &Site, arguments: &[&str]) -> Bridge {
    let origin = site.origin();
    Bridge::start(&[&["--cors-origin", &origin], arguments].concat())
}

/// A number that the daemon counts.
pub fn metric(bridge: &Bridge, name: &str) -> u64 {
    bridge.metric(name)
}
