//! Half a gigabyte of events from memory to one client.
//!
//! The first client of a server has every line checked. The second is the one that counts: it lets the kernel throw the bytes
//! away without copying them, so that it is never the slower end, and must get as many as the first.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, recv};

use super::check::Stream;
use super::client::Meter;
use super::contestant::{Door, Ready, Running, Who};
use super::extent::Extent;
use super::feeder::pour;
use super::process::PATIENCE;
use super::report::Report;
use super::rounds::Field;
use super::run::float;
use super::standing::thousands;
use super::table::{Figure, Target};
use super::{axum, ours, usage, writer};

const BLOCK: usize = 1024 * 1024;

/// What a thread has used is known to the last microsecond when it sleeps.
const REST: Duration = Duration::from_millis(20);

/// In MB/s: by the clock on the wall, and by the CPU time of the server.
struct Pace {
    wall: f64,
    cpu: f64,
}

/// Runs it.
pub(crate) fn measure(field: &Field, extent: &Extent, report: &mut Report) {
    report.scenario("replay", &format!("{} lines as events from memory to one client", thousands(extent.replay_lines)));
    let part = [Who::Ours, Who::Writer, Who::Axum];
    let results = field.interleave("replay", &part, |ready| pace(ready, extent.replay_lines));
    let targets = [(Who::Writer, Target::AtLeast(0.7)), (Who::Axum, Target::AtLeast(5.0))];
    report.add(&figure("MB/s", &|pace: &Pace| Some(pace.wall), &targets), &results);
    report.add(&figure("MB in a second of CPU", &|pace: &Pace| Some(pace.cpu), &[]), &results);
}

fn figure<'a>(name: &'a str, value: &'a dyn Fn(&Pace) -> Option<f64>, ratios: &'a [(Who, Target)]) -> Figure<'a, Pace> {
    Figure { name, value, ratios, own: None, remark: &|_| String::new() }
}

fn pace(ready: &Ready, lines: u64) -> io::Result<Pace> {
    let server = filled(ready, lines)?;
    let body = checked(&server.door, lines)?;
    let (before, began) = (usage::of(server.id())?, Instant::now());
    let bytes = discarded(&server.door)?;
    let wall = began.elapsed();
    thread::sleep(REST);
    let cpu = usage::of(server.id())?.since(before).cpu;
    if bytes < body {
        return Err(io::Error::other(format!("{bytes} bytes came, and {body} to the client before")));
    }
    let pace = |time: Duration| float(bytes) / 1e6 / time.as_secs_f64();
    Ok(Pace { wall: pace(wall), cpu: pace(cpu) })
}

/// A server that has so many lines in memory.
fn filled(ready: &Ready, lines: u64) -> io::Result<Running> {
    match ready.who {
        Who::Ours => {
            let mut server = Running::with_pipe(ours::command(&["--history", "2GiB"]), true)?;
            let mut inlet = server.take_inlet();
            pour(&mut inlet, lines)?;
            Meter::connect(server.door.address.port())?.wait_for_lines(lines)?;
            server.give_back(inlet);
            server.door.path = "/events?tail=all&follow=0";
            Ok(server)
        }
        Who::Writer => Running::with_all(writer::command("replay"), lines),
        _ => Running::with_all(axum::command(&["replay"]), lines),
    }
}

/// Bytes of events for a client that looks at each line.
fn checked(door: &Door, lines: u64) -> io::Result<u64> {
    let mut socket = ask(door)?;
    let (mut stream, mut block) = (Stream::new(), vec![0; BLOCK]);
    loop {
        match socket.read(&mut block)? {
            0 => break,
            count => stream.take(&block[..count], |_, _| ())?,
        }
    }
    let faults = stream.faults;
    if stream.newest() != lines || faults.lost + faults.repeated > 0 {
        return Err(io::Error::other(format!("line {} of {lines} was the last; {faults:?}", stream.newest())));
    }
    Ok(stream.body)
}

/// Bytes for a client that throws them away.
fn discarded(door: &Door) -> io::Result<u64> {
    use std::os::fd::AsRawFd;
    let socket = ask(door)?;
    let (mut block, mut bytes) = (vec![0; BLOCK], 0);
    loop {
        match recv(socket.as_raw_fd(), &mut block, MsgFlags::MSG_TRUNC) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes += count as u64,
            Err(Errno::EINTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// Asks for everything, up to the end of the connection.
fn ask(door: &Door) -> io::Result<TcpStream> {
    let mut socket = TcpStream::connect(door.address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let request = door.request(0).expect("there is one").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
    socket.write_all(request.as_bytes())?;
    Ok(socket)
}
