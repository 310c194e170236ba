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
    let busy = format!("{STREAM}{}{LAST}", chunk(": sse-bridge\nretry: 300\nevent: busy\ndata: {\"retry\":300}\n\n"));
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
    cat.err.wait_for("warning: gap: an event is longer than 1.0 MiB, and is left out (--max-line)");
    let resident = cat.resident();
    let (code, out, err) = cat.end();
    assert_eq!((code, &*out), (0, "before\nbehind\n"), "{err}");
    assert_eq!(err.matches("--max-line").count(), 1, "{err}");
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

/// A proxy passes on the first bytes of a refusal before the rest: nobody is there for all that.
#[test]
fn a_busy_server_whose_first_bytes_come_alone_is_not_there() {
    let server = Server::start(|_, socket: &mut TcpStream| {
        let _ = socket.write_all(format!("{STREAM}{}", chunk(": sse-bridge\nretry: 100\n")).as_bytes());
        thread::sleep(Duration::from_millis(50)); // so they come alone
        let _ = socket.write_all(format!("{}{LAST}", chunk("event: busy\ndata: {\"retry\":100}\n\n")).as_bytes());
    });
    let (code, out, err) = Cat::start(&["--max-wait", "1s", &server.url("")]).end();
    assert_eq!((code, &*out), (75, ""), "{err}");
    assert!(err.contains("no stream yet of ") && !err.contains(" is there, after ") && err.lines().count() == 2, "{err}");
}

/// Those who may also come late, after it was believed that there is a stream.
#[test]
fn a_busy_server_that_says_so_late_is_not_there_either() {
    let server = Server::start(|_, socket: &mut TcpStream| {
        let _ = socket.write_all(format!("{STREAM}{}", chunk(": sse-bridge\nretry: 100\n")).as_bytes());
        thread::sleep(Duration::from_millis(1300)); // longer than it is doubted
        let _ = socket.write_all(format!("{}{LAST}", chunk("event: busy\ndata: {\"retry\":100}\n\n")).as_bytes());
    });
    let (code, _, err) = Cat::start(&["--max-wait", "2s", &server.url("")]).end();
    assert_eq!(code, 75, "{err}");
}

/// Types that ours keep for themselves are somebody's own elsewhere.
#[test]
fn types_of_others_are_theirs() {
    let body = "id: 5-1\nevent: start\ndata: {\"job\":1}\n\nevent: progress\ndata: 50%\n\nevent: busy\ndata: no\n\nevent: end\ndata: {}\n\n";
    let server = Server::saying(&[&format!("{STREAM}{}{LAST}", chunk(body)), &over()]);
    let (code, out, err) = Cat::start(&[&server.url("")]).end();
    assert_eq!((code, &*out, &*err), (0, "{\"job\":1}\n50%\nno\n{}\n", ""));
    let server = Server::saying(&[&format!("{STREAM}{}{LAST}", chunk(body)), &over()]);
    let (_, out, _) = Cat::start(&["--ndjson", &server.url("")]).end();
    assert!(out.contains("\"type\":\"end\",\"data\":\"{}\"}") && out.lines().count() == 4, "{out}");
}

/// A daemon that was started again has not found its files yet.
#[test]
fn a_channel_that_is_not_there_again_is_waited_for() {
    let stream = |number: u32| format!("{STREAM}{}", chunk(&format!("retry: 100\nid: 5-{number}/a\ndata: {number}\n\n")));
    let gone = answer("404 Gone", "", "no channel 'a'\n");
    let server = Server::saying(&[&stream(1), &gone, &gone, &stream(2), &over()]);
    let directory = tempfile::tempdir().unwrap();
    let state = directory.path().join("state").display().to_string();
    let (code, out, err) = Cat::start(&["--state", &state, &server.url("")]).end();
    assert_eq!((code, &*out), (0, "1\n2\n"), "{err}");
    assert_eq!(err.matches("lost the stream of ").count(), 2, "each outage is told once: {err}");
    // It was there for an earlier run; and --max-wait gives up.
    let server_again = Server::saying(&[&gone]);
    let text = std::fs::read_to_string(&state).unwrap();
    std::fs::write(&state, text.replace(&server.url(""), &server_again.url(""))).unwrap();
    let (code, _, err) = Cat::start(&["--state", &state, "--max-wait", "1s", &server_again.url("")]).end();
    assert_eq!(code, 75, "{err}");
    assert!(err.contains("it answers 404 no channel 'a'; trying again"), "{err}");
}

/// What a server does not take as a filter is filtered here.
#[test]
fn a_refused_filter_ends_nothing() {
    let body = "id: 5-1/a\ndata: one\n\nid: 5-2/a\ndata: two\n\n";
    let stream = format!("{STREAM}{}", chunk(&format!("retry: 100\n{body}")));
    let busy = format!("{STREAM}{}{LAST}", chunk(": sse-bridge\nretry: 60000\nevent: busy\ndata: {\"retry\":60000}\n\n"));
    let is_filtered = |server: &Server| server.request().starts_with("GET /events?tail=all&grep=w&");
    for (refusal, asks_again) in
        [(answer("400 Bad", "", "too many expressions\n"), false), (answer("503 Full", "", "full\n"), true), (busy, true)]
    {
        let mut answers = vec![&*refusal, &*stream];
        if asks_again {
            answers.push(&refusal);
        }
        let over = over();
        answers.push(&over);
        let server = Server::saying(&answers);
        let (code, out, err) = Cat::start(&["--tail", "all", "--grep", "w", &server.url("")]).end();
        assert_eq!((code, &*out), (0, "two\n"), "{err}");
        assert_eq!(err.matches("does not take the filter: ").count(), 1, "{err}");
        assert!(is_filtered(&server) && !is_filtered(&server) && is_filtered(&server) == asks_again, "{err}");
    }
    // If it is refused without as well, it was not for the filter.
    let server = Server::saying(&[&answer("400 Bad", "", "bad value for tail\n")]);
    let (code, _, err) = Cat::start(&["--grep", "w", &server.url("")]).end();
    assert!(code == 3 && err.contains("400 bad value for tail") && !err.contains("filter"), "{err}");
    // Whoever has lines around a match sent knows what to ask.
    let server = Server::saying(&[&answer("400 Bad", "", "no\n")]);
    let (code, _, _) = Cat::start(&["--grep", "w", &server.url("/events?context=2")]).end();
    assert_eq!((code, server.requests.try_iter().count()), (3, 1));
}

#[test]
fn more_expressions_than_the_daemon_takes_are_no_matter() {
    let mut bridge = crate::harness::Bridge::start(&[]);
    bridge.feed(b"ab\na\n");
    bridge.end_input();
    let greps = ["--grep", "a", "--grep", "b"].iter().cycle().take(40);
    let url = bridge.url("");
    let arguments: Vec<&str> = greps.copied().chain(["--tail", "all", &url]).collect();
    let (code, out, err) = Cat::start(&arguments).end();
    assert_eq!((code, &*out), (0, "ab\n"), "{err}");
}

/// What comes again to a client that was cut right behind it is told once.
#[test]
fn a_gap_that_comes_again_is_told_once() {
    let gap = "retry: 100\nid: 7-9\nevent: gap\ndata: {\"channels\":[\"a\"],\"reason\":\"dropped\",\"from\":null,\"to\":\"7-9\",\"lost\":8}\n\n";
    let first = format!("{STREAM}{}", chunk(&format!(": sse-bridge\n{gap}")));
    let server = Server::saying(&[&first, &format!("{STREAM}{}{LAST}", chunk(&format!("{gap}id: 8-10/a\ndata: x\n\n"))), &over()]);
    let (code, out, err) = Cat::start(&[&server.url("")]).end();
    assert_eq!((code, &*out, err.matches("gap: ").count()), (0, "x\n", 1), "{err}");
}
