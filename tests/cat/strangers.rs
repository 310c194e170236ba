//! Servers that are none of ours, or not well: clear lines, bounded memory, and the next attempt where that helps.

use std::io::Write;
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use crate::client::Cat;
use crate::harness::PATIENCE;
use crate::server::{LAST, STREAM, Server, answer, chunk};

fn over() -> String {
    answer("204 Over", "", "")
}

#[test]
fn a_page_is_no_stream() {
    let server = Server::saying(&[&answer("200 OK", "Content-Type: text/html\r\n", "<html>data: x\n\n")]);
    let (code, out, err) = Cat::start(&[&server.url("")]).end();
    assert_eq!((code, &*out), (3, ""));
    assert_eq!(
        err,
        format!(
            "sse-bridge: no event stream at {}/events: it answers with text/html; hint: streams of sse-bridge are at /events and below\n",
            server.url("")
        )
    );
}

#[test]
fn what_is_no_http_is_tried_again() {
    for garbage in ["SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 what\r\n\r\n", "", "HTTP/1.1 200 OK\r\nContent-Type: text/eve"] {
        let server = Server::saying(&[garbage, &over()]);
        let (code, out, err) = Cat::start(&[&server.url("")]).end();
        assert_eq!((code, &*out), (0, ""), "{garbage:?}: {err}");
        assert!(err.contains("no stream yet of ") && err.contains("no answer in HTTP: "), "{garbage:?}: {err}");
    }
}

#[test]
fn what_time_cures_is_tried_again() {
    let stream = format!("{STREAM}{}", chunk("retry: 100\nid: 5-1/a\ndata: x\n\n"));
    let busy = format!("{STREAM}{}{LAST}", chunk("retry: 300\nevent: busy\ndata: {\"retry\":300}\n\n"));
    let page = answer("200 OK", "Content-Type: text/html\r\n", "back soon");
    let full = answer("503 Full", "Retry-After: 0\r\n", "all places are taken\n");
    let server =
        Server::saying(&[&full, &busy, &stream, &answer("502 Bad gateway", "", ""), &page, &answer("429 Slower", "", ""), &over()]);
    let (code, out, err) = Cat::start(&[&server.url("")]).end();
    assert_eq!((code, &*out), (0, "x\n"), "{err}");
    // Each outage is told once.
    let lines: Vec<_> = err.lines().collect();
    assert_eq!(lines.len(), 3, "{err}");
    assert!(
        lines[0].starts_with("no stream yet of ") && lines[0].contains("it answers 503 all places are taken; trying again"),
        "{err}"
    );
    assert!(lines[1].contains(" is there, after "), "{err}");
    assert!(lines[2].starts_with("lost the stream of "), "{err}");
    let ids: Vec<_> = (0..7).map(|_| server.request().contains("last-event-id: 5-1/a")).collect();
    assert_eq!(ids, [false, false, false, true, true, true, true]);
}

#[test]
fn redirects_on_the_same_server_are_followed_and_others_are_not() {
    let there = answer("307 There", "Location: /logs/events?ping=1\r\n", "");
    let stream = format!("{STREAM}{}{LAST}", chunk("data: x\n\n"));
    let server = Server::saying(&[&there, &stream, &over()]);
    assert_eq!(Cat::start(&[&server.url("")]).end().1, "x\n");
    server.request();
    assert!(server.request().starts_with("GET /logs/events?ping=1 HTTP/1.1\r\n"));
    let away = Server::saying(&[&answer("302 Away", "Location: https://elsewhere.example/x\r\n", "")]);
    let (code, _, err) = Cat::start(&[&away.url("")]).end();
    assert!(
        code == 3 && err.contains("leads to another place: it leads to another server, https://elsewhere.example/x; hint: "),
        "{err}"
    );
    let round = Server::saying(&[&answer("302 Round", "Location: /events\r\n", "")]);
    let (code, _, err) = Cat::start(&[&round.url("")]).end();
    assert!(code == 3 && err.contains("it was sent on 5 times"), "{err}");
}

#[test]
fn an_event_without_an_end_costs_no_memory_and_is_told() {
    let server = Server::start(|number, socket: &mut TcpStream| {
        if number > 0 {
            let _ = socket.write_all(over().as_bytes());
            return;
        }
        let _ = socket.write_all(format!("{STREAM}{}", chunk("id: 5-1/a\ndata: before\n\nid: 5-2/a\ndata: ")).as_bytes());
        let long = chunk(&"x".repeat(1 << 20));
        for _ in 0..200 {
            let _ = socket.write_all(long.as_bytes());
        }
        let _ = socket.write_all(format!("{}{LAST}", chunk("\n\nid: 5-3/a\ndata: behind\n\n")).as_bytes());
    });
    let cat = Cat::start(&["--max-line", "1MiB", &server.url("")]);
    cat.err.wait_for("is longer than 1.0 MiB, and is left out (--max-line)");
    let resident = cat.resident();
    let (code, out, err) = cat.end();
    assert_eq!((code, &*out), (0, "before\nbehind\n"), "{err}");
    assert!(err.contains("warning: gap: an event is larger than 1048576 bytes, and is left out (--max-line)"), "{err}");
    assert!(resident < 40 << 20, "{resident} bytes");
}

/// Our own server, which has promised to speak, dies without a word.
#[test]
fn silence_ends_a_connection() {
    let server = Server::start(|number, socket: &mut TcpStream| {
        if number > 0 {
            let _ = socket.write_all(over().as_bytes());
            return;
        }
        let ping = chunk("event: ping\ndata: {}\n\n");
        let _ = socket.write_all(format!("{STREAM}{}{ping}", chunk(": sse-bridge\nretry: 100\nid: 5-1/a\ndata: x\n\n")).as_bytes());
        for _ in 0..2 {
            thread::sleep(Duration::from_millis(700)); // the pulse
            let _ = socket.write_all(ping.as_bytes());
        }
        let mut dead = socket.try_clone().unwrap();
        thread::spawn(move || {
            thread::sleep(PATIENCE);
            let _ = dead.flush(); // it is held open until then
        });
    });
    let (code, out, err) = Cat::start(&[&server.url("")]).end();
    assert_eq!((code, &*out), (0, "x\n"), "{err}");
    assert!(err.contains("nothing was heard for 3 s"), "{err}");
}

#[test]
fn what_was_read_is_not_written_again() {
    let event = |number: u32| format!("id: 5-{number}/a\ndata: {number}\n\n");
    let first = format!("{STREAM}{}", chunk(&format!("retry: 100\n{}{}", event(1), event(2))));
    // A proxy has lost the header: the server begins at the beginning.
    let again = format!("{STREAM}{}{LAST}", chunk(&format!("{}{}{}", event(1), event(2), event(3))));
    let server = Server::saying(&[&first, &again, &over()]);
    assert_eq!(Cat::start(&[&server.url("")]).end().1, "1\n2\n3\n");
    // But ids of other servers are theirs.
    let theirs = "id: 5-0\ndata: x\n\nid: 5-0\ndata: y\n\nid: 4\ndata: z\n\n";
    let server = Server::saying(&[&format!("{STREAM}{}{LAST}", chunk(theirs)), &over()]);
    assert_eq!(Cat::start(&[&server.url("")]).end().1, "x\ny\nz\n");
    assert!(server.requests.iter().nth(1).unwrap().contains("last-event-id: 4\r\n"));
}

#[test]
fn after_a_restart_numbers_are_those_of_another_life() {
    let gap = "id: 3-0\nevent: gap\ndata: {\"channels\":[\"a\"],\"reason\":\"restart\",\"from\":\"9-7/a\",\"to\":\"3-0\",\"lost\":null}\n\n";
    let first = format!("{STREAM}{}", chunk("retry: 100\nid: 9-7/a\ndata: old\n\n"));
    let second = format!("{STREAM}{}{LAST}", chunk(&format!("{gap}id: 4-1/a\ndata: new\n\n")));
    let server = Server::saying(&[&first, &second, &over()]);
    let (_, out, err) = Cat::start(&[&server.url("")]).end();
    assert_eq!(out, "old\nnew\n", "the clock was put back, and numbers begin anew");
    assert!(
        err.contains("gap: events of a may be missing, nobody knows how many, between 9-7/a and 3-0: the server has begun anew"),
        "{err}"
    );
}
