//! A real browser, without a window and without a driver: it opens our page, and the page tells what it heard.

use std::{
    fs, io,
    path::Path,
    process::Command,
    sync::mpsc::RecvTimeoutError,
    time::{Duration, Instant},
};

use super::{
    clients::unanswered,
    page::{Page, Post},
    process::Process,
    stream::{Heard, Stream},
};

/// Which browser.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Browser {
    Chromium,
    Firefox,
}

/// Firefox without first-run pages, updates, telemetry, and any connection that we did not ask for.
const FIREFOX_PREFERENCES: &str = r#"
user_pref("app.normandy.enabled", false);
user_pref("app.update.enabled", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("browser.newtabpage.enabled", false);
user_pref("browser.safebrowsing.downloads.remote.enabled", false);
user_pref("browser.safebrowsing.malware.enabled", false);
user_pref("browser.safebrowsing.phishing.enabled", false);
user_pref("browser.search.update", false);
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.startup.homepage_override.mstone", "ignore");
user_pref("browser.region.update.enabled", false);
user_pref("browser.topsites.contile.enabled", false);
user_pref("captivedetect.canonicalURL", "");
user_pref("datareporting.healthreport.uploadEnabled", false);
user_pref("datareporting.policy.dataSubmissionEnabled", false);
user_pref("dom.push.connection.enabled", false);
user_pref("extensions.update.enabled", false);
user_pref("geo.enabled", false);
user_pref("media.gmp-manager.updateEnabled", false);
user_pref("network.captive-portal-service.enabled", false);
user_pref("network.connectivity-service.enabled", false);
user_pref("network.dns.disablePrefetch", true);
user_pref("network.prefetch-next", false);
user_pref("network.proxy.type", 0);
user_pref("services.settings.server", "data:,");
user_pref("toolkit.telemetry.enabled", false);
user_pref("toolkit.telemetry.unified", false);
user_pref("trailhead.firstrun.didSeeAboutWelcome", true);
"#;

impl Browser {
    /// The program.
    pub(crate) fn program(self) -> &'static str {
        match self {
            Browser::Chromium => "chromium",
            Browser::Firefox => "firefox-esr",
        }
    }

    /// Lets the browser follow all streams; what it hears is added to `heard`.
    pub(crate) fn follow(self, streams: &[Stream], patience: Duration, heard: &mut Vec<Heard>) -> Result<(), String> {
        let failed = |cause: io::Error| format!("{}: {cause}", self.program());
        let page = Page::serve(streams).map_err(failed)?;
        let home = tempfile::tempdir().map_err(failed)?;
        let mut process = self.open(&page.url(), home.path()).map_err(failed)?;
        collect(&page, streams, patience, heard)
            .map_err(|problem| format!("{}: {problem}; {}", self.program(), process.complaint()))
    }

    fn open(self, url: &str, home: &Path) -> io::Result<Process> {
        let mut command = Command::new(self.program());
        command.env("HOME", home).env("XDG_CONFIG_HOME", home).env("XDG_CACHE_HOME", home).env_remove("DISPLAY");
        match self {
            Browser::Chromium => {
                command.args(["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]);
                command.args(["--disable-background-networking", "--disable-component-update", "--disable-sync"]);
                command.args(["--disable-dev-shm-usage", "--no-proxy-server"]);
                command.arg(format!("--user-data-dir={}", home.join("profile").display()));
            }
            Browser::Firefox => {
                let profile = home.join("profile");
                fs::create_dir(&profile)?;
                fs::write(profile.join("user.js"), FIREFOX_PREFERENCES)?;
                command.args(["--headless", "--no-remote", "--profile"]).arg(profile);
            }
        }
        Process::start(command.arg(url))
    }
}

/// Waits for an answer to each stream.
fn collect(page: &Page, streams: &[Stream], patience: Duration, heard: &mut Vec<Heard>) -> Result<(), String> {
    let deadline = Instant::now() + patience;
    while heard.len() < streams.len() {
        match page.posts.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(Post::Heard(one)) => heard.push(one),
            Ok(Post::Trouble(text)) => return Err(format!("the page failed: {text}")),
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return Err(unanswered(streams, heard, patience)),
        }
    }
    Ok(())
}
