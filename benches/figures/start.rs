//! Time from the start of the process to the first connection.
//!
//! A connection is open as soon as the kernel has a listening socket, whatever the process does meanwhile. So the figure with
//! the target is the answer to the first request on that first connection: nobody can say that it was not accepted.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use socket2::{Domain, Socket, Type};

use super::client;
use super::process::{self, Process};
use super::table::{Row, Target};

/// How often another process may take the port before us.
const ATTEMPTS: usize = 3;

/// No start takes longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two attempts to connect: short beside what is measured, long enough to leave the core to the start.
const PAUSE: Duration = Duration::from_micros(50);

/// From just before the process is made.
struct Times {
    connect: Duration,
    answer: Duration,
    ready_line: Duration,
}

/// Starts it so many times.
pub(crate) fn measure(runs: usize) -> io::Result<Vec<Row>> {
    let times = (0..runs).map(|_| run_somewhere()).collect::<io::Result<Vec<_>>>()?;
    let row = |name, of: fn(&Times) -> Duration| {
        let in_ms = times.iter().map(|times| of(times).as_secs_f64() * 1e3);
        Row::median(name, "ms", in_ms)
    };
    Ok(vec![
        row("start to first connect", |times| times.connect),
        row("start to first accepted connection (its request is answered)", |times| times.answer).target(Target::Below(30.0)),
        row("start to ready line", |times| times.ready_line),
    ])
}

fn run_somewhere() -> io::Result<Times> {
    let first = run();
    (1..ATTEMPTS).fold(first, |result, _| result.or_else(|_| run()))
}

fn run() -> io::Result<Times> {
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
    let mut command = process::bridge(None, port);
    command.stdin(Stdio::piped());
    let began = Instant::now();
    let bridge = Process::start(command)?;
    let mut socket = connect_as_soon_as_possible(port)?;
    let connect = began.elapsed();
    client::wait_for_answer(&mut socket)?;
    let answer = began.elapsed();
    let ready_line = bridge.wait_for("listening on http://")?.at.saturating_duration_since(began);
    Ok(Times { connect, answer, ready_line })
}

fn connect_as_soon_as_possible(port: u16) -> io::Result<TcpStream> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match connect(port) {
            Err(_) if Instant::now() < deadline => thread::sleep(PAUSE),
            result => return result,
        }
    }
}

/// Connects from another loopback address: from the same one, sooner or later the kernel chooses the port itself as ours, and
/// we are connected with nobody but us.
fn connect(port: u16) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), 0)).into())?;
    socket.connect(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)).into())?;
    Ok(socket.into())
}
