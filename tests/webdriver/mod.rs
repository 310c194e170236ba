//! Chromium, driven through its `WebDriver`: as much of the protocol as the page's tests need.
//!
//! A [`Browser`] is one chromedriver with one headless Chromium and a profile of its own; dropping it ends both. Waiting
//! happens inside the page: a script looks at the page in each frame and answers as soon as it sees what it waits for, or,
//! when its time is over, with what it sees instead.

pub(crate) mod proxy;

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Duration,
};

use serde_json::{Value, json};

/// How long a script waits inside the page for what a test expects.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long any single answer of the driver may take.
const ANSWER: Duration = Duration::from_secs(90);

/// One Chromium.
pub(crate) struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

/// What the reader's system prefers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Theme {
    Dark,
    Light,
}

impl Browser {
    /// Starts a browser with a window of usual size.
    pub(crate) fn start() -> Self {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("chromedriver starts (`tests/install` installs it)");
        let port = port_of(&mut driver);
        // From here on a panic ends the driver, too.
        let mut browser = Self { driver, port, session: String::new() };
        let options = json!({ "args": ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--window-size=1100,720"] });
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let session = browser.call("POST", "/session", &json!({ "capabilities": { "alwaysMatch": wanted } }));
        let id = session["sessionId"].as_str().expect("a session has an id");
        browser.session = format!("/session/{id}");
        browser.command("POST", "/timeouts", &json!({ "script": ANSWER.as_millis() }));
        browser
    }

    /// Opens a page and waits until it is loaded.
    pub(crate) fn open(&self, url: &str) {
        self.command("POST", "/url", &json!({ "url": url }));
    }

    /// Runs a script in the page: the body of a function of `arguments`.
    pub(crate) fn run(&self, script: &str, arguments: &Value) -> Value {
        self.command("POST", "/execute/sync", &json!({ "script": script, "args": arguments }))
    }

    /// Waits until a script, the body of a function of `arguments`, returns something true; `what` names that for people.
    pub(crate) fn wait(&self, what: &str, script: &str, arguments: &Value) -> Value {
        let watch = format!(
            "const done = arguments[arguments.length - 1];
             const until = Date.now() + {};
             const look = function () {{ {script} }};
             const seen = () => ({{
                 state: document.documentElement.dataset.state,
                 text: document.body.innerText.slice(-2000),
             }});
             (function watch(args) {{
                 const value = look.apply(null, args);
                 if (value) return done({{ value }});
                 if (Date.now() > until) return done({{ instead: seen() }});
                 setTimeout(watch, 15, args);
             }})([...arguments].slice(0, -1));",
            PATIENCE.as_millis()
        );
        let mut answer = self.command("POST", "/execute/async", &json!({ "script": watch, "args": arguments }));
        if answer.get("value").is_none() {
            let state = answer["instead"]["state"].as_str().unwrap_or("?");
            let text = answer["instead"]["text"].as_str().unwrap_or("?");
            panic!("the page does not show {what}; its state is `{state}` and it shows:\n{text}");
        }
        answer["value"].take()
    }

    /// Presses one key; `key` is its character by the `WebDriver` standard.
    pub(crate) fn press(&self, key: char) {
        let strokes = ["keyDown", "keyUp"].map(|stroke| json!({ "type": stroke, "value": key }));
        let keyboard = json!({ "type": "key", "id": "keyboard", "actions": strokes });
        self.command("POST", "/actions", &json!({ "actions": [keyboard] }));
    }

    /// Makes the browser say that its reader prefers this theme.
    pub(crate) fn prefer(&self, theme: Theme) {
        let value = match theme {
            Theme::Dark => "dark",
            Theme::Light => "light",
        };
        let media = json!({ "features": [{ "name": "prefers-color-scheme", "value": value }] });
        self.command("POST", "/goog/cdp/execute", &json!({ "cmd": "Emulation.setEmulatedMedia", "params": media }));
    }

    /// What the console has said since the last call.
    pub(crate) fn console(&self) -> Vec<String> {
        let entries = self.command("POST", "/se/log", &json!({ "type": "browser" }));
        let entries = entries.as_array().expect("the console is a list");
        entries.iter().map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect()
    }

    /// Keeps a picture of the window.
    pub(crate) fn screenshot(&self, path: &Path) {
        let picture = self.command("GET", "/screenshot", &Value::Null);
        let bytes = from_base64(picture.as_str().expect("a picture is text"));
        fs::create_dir_all(path.parent().expect("a picture has a directory")).expect("the directory can be made");
        fs::write(path, bytes).expect("the picture can be written");
    }

    /// A command of the session.
    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        self.call(method, &format!("{}{path}", self.session), body)
    }

    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let (status, mut answer) = self.request(method, path, body).unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        assert_eq!(status, 200, "{method} {path}: {answer}");
        answer["value"].take()
    }

    /// One request on a connection of its own.
    fn request(&self, method: &str, path: &str, body: &Value) -> std::io::Result<(u16, Value)> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(ANSWER))?;
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
        )?;
        let mut stream = BufReader::new(stream);
        let (status, length) = read_head(&mut stream)?;
        let mut answer = vec![0; length];
        stream.read_exact(&mut answer)?;
        Ok((status, serde_json::from_slice(&answer)?))
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            let _ = self.request("DELETE", &self.session, &Value::Null);
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The port that chromedriver names when it is ready.
fn port_of(driver: &mut Child) -> u16 {
    let output = BufReader::new(driver.stdout.take().expect("its output is piped"));
    let (found, port) = mpsc::channel();
    thread::spawn(move || {
        // To its end, so that the driver can always write.
        for line in output.lines().map_while(Result::ok) {
            let name = line.split_once("started successfully on port ").map(|(_, rest)| rest.trim_end_matches('.'));
            if let Some(port) = name.and_then(|name| name.parse().ok()) {
                let _ = found.send(port);
            }
        }
    });
    port.recv_timeout(ANSWER).unwrap_or_else(|_| {
        let _ = driver.kill();
        panic!("chromedriver does not name its port within {ANSWER:?}");
    })
}

/// Status and length of an answer.
fn read_head(stream: &mut impl BufRead) -> std::io::Result<(u16, usize)> {
    let (mut status, mut length) = (0, 0);
    for line in stream.by_ref().lines() {
        let line = line?.to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(rest) = line.strip_prefix("http/1.1 ") {
            status = rest.split(' ').next().and_then(|code| code.parse().ok()).unwrap_or(0);
        } else if let Some(rest) = line.strip_prefix("content-length:") {
            length = rest.trim().parse().unwrap_or(0);
        }
    }
    Ok((status, length))
}

fn from_base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bytes, mut bits, mut width) = (Vec::new(), 0_u32, 0);
    for value in text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte)) {
        bits = (bits << 6) | u32::try_from(value).expect("a digit has six bits");
        width += 6;
        if width >= 8 {
            width -= 8;
            bytes.push(u8::try_from(bits >> width & 0xff).expect("a byte has eight bits"));
        }
    }
    bytes
}
