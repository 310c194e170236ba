//! nchan, the publish-and-subscribe module of nginx, as Debian has it. Lines go in as requests.
//!
//! Its configuration is generous: memory and buffers for all lines, no log, no pings unless they are measured. nginx turns Nagle's
//! algorithm off on a connection that has been asked something before, and nchan never does: so where lines are sent, the clients
//! ask something first, as a browser does that has loaded the page. Without that, lines wait up to 40 ms for an acknowledgement.

use std::fs;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use super::contestant::{Door, Running, said};
use super::feeder::Inlet;
use super::process::{PATIENCE, Process};

const MODULE: &str = "/usr/lib/nginx/modules/ngx_nchan_module.so";

/// Seconds of its life.
const LIFE: &str = "600";

/// How often another process may take the port before nginx.
const ATTEMPTS: usize = 3;

/// Says which version there is.
pub(crate) fn find() -> Result<String, String> {
    let version = said("nginx", &["-v"]).filter(|_| Path::new(MODULE).exists());
    let version = version.ok_or("not installed: apt install nginx libnginx-mod-nchan")?;
    let version = version.rsplit('/').next().unwrap_or_default();
    let package = said("dpkg-query", &["--show", "--showformat", "${Version}", "libnginx-mod-nchan"]);
    Ok(format!("nchan {} in nginx {version}", package.as_deref().unwrap_or("of unknown version")))
}

/// Starts it without pings.
pub(crate) fn start() -> io::Result<Running> {
    start_with_ping(0)
}

/// Starts it with a ping every so many seconds.
pub(crate) fn start_with_ping(seconds: u32) -> io::Result<Running> {
    let first = start_somewhere(seconds);
    (1..ATTEMPTS).fold(first, |result, _| result.or_else(|_| start_somewhere(seconds)))
}

fn start_somewhere(ping: u32) -> io::Result<Running> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("nginx.conf");
    fs::write(&file, configuration(directory.path(), address, ping))?;
    // It has no input that would end, so it has a time, for the case that nobody is there to end it.
    let mut nginx = Command::new("timeout");
    nginx
        .args(["--foreground", LIFE, "nginx", "-p"])
        .arg(directory.path())
        .arg("-c")
        .arg(&file)
        .args(["-e", "stderr"])
        .stdin(Stdio::null());
    let process = Process::start(nginx)?;
    let inlet = wait_until_open(address)?;
    Ok(Running::with_inlet(process, Door { address, path: "/events", before: Some("/before"), greets: true }, inlet, directory))
}

fn wait_until_open(address: SocketAddr) -> io::Result<Inlet> {
    let deadline = Instant::now() + PATIENCE / 3;
    while TcpStream::connect(address).is_err() && Instant::now() < deadline {
        thread::sleep(Duration::from_millis(10));
    }
    Inlet::posts(address)
}

fn configuration(directory: &Path, address: SocketAddr, ping: u32) -> String {
    let directory = directory.display();
    // Without rights it stays who it is, and warns that `user` means nothing.
    let user = if nix::unistd::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "load_module {MODULE};
        {user}
        daemon off;
        worker_processes 1;
        worker_rlimit_nofile 100000;
        pid {directory}/pid;
        error_log stderr error;
        events {{ worker_connections 65536; }}
        http {{
            access_log off;
            tcp_nodelay on;
            keepalive_requests 4000000000;
            keepalive_timeout 1h;
            client_body_temp_path {directory}/body;
            proxy_temp_path {directory}/proxy;
            fastcgi_temp_path {directory}/fastcgi;
            uwsgi_temp_path {directory}/uwsgi;
            scgi_temp_path {directory}/scgi;
            nchan_shared_memory_size 1g;
            server {{
                listen {address} backlog=4096;
                location = /lines {{
                    nchan_publisher http;
                    nchan_channel_id lines;
                    nchan_message_buffer_length 1000000;
                }}
                location = /before {{ return 204; }}
                location = /events {{
                    nchan_subscriber eventsource;
                    nchan_channel_id lines;
                    nchan_eventsource_ping_interval {ping};
                }}
            }}
        }}"
    )
}
