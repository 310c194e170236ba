//! The same questions to a daemon that has everything in memory, and to one that has just started and has it all on the disk: the answers are the same,
//! byte for byte. Where a gap of a client's own ends, any position is as good that lies between the last event that is not sent and the first that is.

use crate::directory::Directory;
use crate::harness::{Bridge, Get, Random, eventually, how_to_repeat, scale, seed};
use crate::pipes::{Pipes, wait_for_lines};
use crate::seen::{Seen, assert_same};

/// What is asked of.
const VIEWS: &[&str] = &[
    "/events?",
    "/events/logs?",
    "/events/logs/a?",
    "/events/web?",
    "/events?channel=logs/b&channel=web&",
    "/events?channel=logs/a&channel=logs/b&",
];

const CHANNELS: &[&str] = &["logs/a", "logs/b", "web", "idle"];

/// Small segments, and nothing is let go.
const OPTIONS: &[&str] = &["--keep-size", "2MiB"];

/// A history of several channels, with times apart; and the daemon that made it and has all of it in memory.
struct Told {
    place: Directory,
    pipes: Pipes,
    bridge: Bridge,
    all: Vec<Seen>,
}

impl Told {
    fn new(random: &mut Random) -> Self {
        let place = Directory::new();
        let mut pipes = Pipes::new(&place, CHANNELS);
        let bridge = place.start(&pipes.arguments(&[OPTIONS, &["--history", "256MiB"]].concat()));
        for round in 0..400 {
            // The fourth channel has nothing.
            let channel = CHANNELS[random.below(3)];
            let lines = (0..=random.below(25)).map(|line| format!("{channel} {round} {line} {}\n", "x".repeat(random.below(300))));
            let lines: String = lines.collect();
            pipes.write(channel, &lines);
            wait_for_lines(&bridge, pipes.lines);
        }
        let all = asked(&bridge, "/events?tail=all&follow=0");
        assert_eq!(all.len() as u64, pipes.lines);
        let segments: Vec<_> = CHANNELS[..3].iter().map(|channel| place.segments(channel).len()).collect();
        assert!(segments.iter().all(|count| *count >= 4), "segments of each channel: {segments:?}");
        Self { place, pipes, bridge, all }
    }

    /// Another daemon, which has nothing in memory.
    fn start_again(&mut self) -> Bridge {
        self.bridge.signal("TERM");
        assert_eq!(self.bridge.wait(), 0);
        let again = self.place.start(&self.pipes.arguments(&[OPTIONS, &["--history", "1MiB"]].concat()));
        let held = again.get("/channels").text();
        assert!(held.contains(r#""history_bytes":0"#), "something is in memory: {held}");
        again
    }
}

/// The events of an answer that ends.
fn asked(bridge: &Bridge, path: &str) -> Vec<Seen> {
    bridge.get(path).rest().iter().map(Seen::of).collect()
}

/// One question: a path, and perhaps an id to come back with.
type Question = (String, Option<String>);

/// What was answered, without what may differ.
fn answer(bridge: &Bridge, (path, id): &Question) -> String {
    let headers: Vec<_> = id.iter().map(|id| ("Last-Event-ID", &**id)).collect();
    let mut get = Get::new(bridge.port, path, &headers);
    let (status, kind) = (get.status(), get.header("content-type"));
    let body = get.text();
    if kind.as_deref() == Some("text/event-stream") {
        get.assert_strict();
    }
    format!("{status} {kind:?}\n{}", without_position(&body))
}

/// An answer that begins with a gap of the client's own, without the position where that ends.
fn without_position(body: &str) -> String {
    let lines: Vec<_> = body.split_inclusive('\n').collect();
    let Some(at) = lines.iter().position(|line| *line == "event: gap\n").filter(|at| !lines[at - 1].contains('/')) else {
        return body.to_owned();
    };
    let (_, position) = lines[at - 1].trim_end().split_once(": ").unwrap();
    body.replacen(position, "POSITION", 1).replacen(&format!(r#""to":"{position}""#), r#""to":"POSITION""#, 1)
}

/// Whoever is cut behind a gap of its own comes back to what would have come.
fn assert_gap_leads_on(bridge: &Bridge, (path, id): &Question) {
    let headers: Vec<_> = id.iter().map(|id| ("Last-Event-ID", &**id)).collect();
    let events: Vec<_> = Get::new(bridge.port, path, &headers).rest().iter().map(Seen::of).collect();
    let Some(gap) = events.first().filter(|first| first.event == "gap" && first.channel().is_empty()) else { return };
    let back: Vec<_> = bridge
        .get_with(path, &[("Last-Event-ID", &gap.id)])
        .rest()
        .iter()
        .map(Seen::of)
        .filter(|seen| seen.event != "start")
        .collect();
    assert_same(&format!("{path} behind the gap {gap:?}"), &back, &events[1..]);
}

fn questions(random: &mut Random, all: &[Seen]) -> Vec<Question> {
    let mut asked = Vec::new();
    let some_id = |random: &mut Random| all[random.below(all.len())].id.clone();
    for view in VIEWS {
        for query in ["tail=0", "tail=1", "tail=2", "tail=37", "tail=1000", "tail=99999999", "tail=all", "since=0", "since=1h", ""]
        {
            asked.push((format!("{view}{query}&follow=0"), None));
            asked.push((format!("{view}{query}&follow=0&format=text"), None));
        }
        for _ in 0..scale(12, 200) {
            let (id, count) = (some_id(random), random.below(200));
            let (time, rest) = id.split_once('-').unwrap();
            let position = format!("{time}-{}", rest.split('/').next().unwrap());
            asked.push((format!("{view}before={id}&tail={count}"), None));
            asked.push((format!("{view}before={position}&tail=all"), None));
            asked.push((format!("{view}since={time}&follow=0"), None));
            asked.push((format!("{view}since={time}&tail={count}&follow=0"), None));
            asked.push((format!("{view}follow=0"), Some(id.clone())));
            asked.push((format!("{view}follow=0&format=text"), Some(position)));
            // Ids of another life, or of none: another time for the number, a number without an event, a channel that it was not.
            let number: u64 = rest.split('/').next().unwrap().parse().unwrap();
            for strange in
                [format!("{}-{number}", time.parse::<u64>().unwrap() - 1), format!("{time}-{}", number + 500), "x".into()]
            {
                asked.push((format!("{view}follow=0"), Some(strange.clone())));
                asked.push((format!("{view}before={strange}&tail=3"), None));
            }
        }
        let newest = all.last().unwrap().id.clone();
        asked.push((format!("{view}follow=0"), Some(newest.clone())));
        asked.push((format!("{view}before={newest}&tail=5"), None));
    }
    asked
}

#[test]
fn the_disk_answers_as_the_memory_did() {
    let seed = seed();
    let mut random = Random::new(seed);
    let mut told = Told::new(&mut random);
    let questions = questions(&mut random, &told.all);
    let answers: Vec<_> = questions.iter().map(|question| answer(&told.bridge, question)).collect();
    let again = told.start_again();
    let mut different = Vec::new();
    for (question, before) in questions.iter().zip(&answers) {
        let after = answer(&again, question);
        if after != *before {
            different.push(format!("{question:?}\n{}", first_difference(before, &after)));
        }
        if question.1.is_some() && !question.0.contains("text") && after.contains("event: gap") {
            assert_gap_leads_on(&again, question);
        }
    }
    let some = different.iter().take(5).map(String::as_str).collect::<Vec<_>>().join("\n");
    assert!(
        different.is_empty(),
        "{} of {} answers differ; {}\n{some}\nit said:\n{}",
        different.len(),
        questions.len(),
        how_to_repeat(seed),
        again.stderr()
    );
}

/// The lines around the first that is not the same.
fn first_difference(before: &str, after: &str) -> String {
    let (before, after): (Vec<_>, Vec<_>) = (before.lines().collect(), after.lines().collect());
    let at = before.iter().zip(&after).position(|(before, after)| before != after).unwrap_or(before.len().min(after.len()));
    let shown = |lines: &[&str]| {
        lines.iter().skip(at.saturating_sub(1)).take(6).map(|line| format!("    {line:.150}\n")).collect::<String>()
    };
    format!(
        "  line {at} of {}, from memory:\n{}  of {}, from the disk:\n{}",
        before.len(),
        shown(&before),
        after.len(),
        shown(&after)
    )
}

#[test]
fn pages_backwards_are_everything_once() {
    let mut random = Random::new(seed());
    let mut told = Told::new(&mut random);
    let again = told.start_again();
    for view in VIEWS {
        for size in [37, 1000] {
            let everything = asked(&again, &format!("{view}tail=all&follow=0"));
            let mut pages = vec![asked(&again, &format!("{view}tail={size}&follow=0"))];
            while let Some(first) = pages.last().unwrap().first() {
                let before = asked(&again, &format!("{view}before={}&tail={size}", first.id));
                assert!(before.len() <= size && pages.len() <= everything.len(), "{view}: a page of {}", before.len());
                pages.push(before);
            }
            let together: Vec<_> = pages.into_iter().rev().flatten().collect();
            assert_same(&format!("pages of {view} by {size}"), &together, &everything);
            let of_view = everything.first().map(Seen::channel).into_iter();
            assert!(of_view.count() > 0 && told.all.iter().filter(|event| everything.contains(event)).count() == everything.len());
        }
    }
}

/// What comes after a restart goes on behind what was there, for who stays and for who asks.
#[test]
fn what_comes_after_a_restart_goes_on_behind_what_was_there() {
    let mut random = Random::new(seed());
    let mut told = Told::new(&mut random);
    let again = told.start_again();
    let middle = told.all.len() / 2;
    let mut stays = again.get_with("/events", &[("Last-Event-ID", &told.all[middle].id)]);
    let mut take = |count| stays.events(count).iter().map(Seen::of).collect::<Vec<_>>();
    assert_same("what is sent at once", &take(10), &told.all[middle + 1..middle + 11]);
    told.pipes.write("idle", "at last\n");
    told.pipes.write("web", "new\n");
    let mut rest = take(told.all.len() - middle - 11 + 2);
    let new = rest.split_off(rest.len() - 2);
    assert_same("what was there", &rest, &told.all[middle + 11..]);
    let mut data: Vec<_> = new.iter().map(|event| &*event.data).collect();
    data.sort_unstable(); // two pipes
    assert_eq!(data, ["at last", "new"]);
    let newest = asked(&again, "/events?tail=5&follow=0");
    assert_same("the newest", &newest, &[&told.all[told.all.len() - 3..], &new].concat());
    let channels = || again.get("/channels").text();
    eventually("all of it in /channels", channels, |text| text.contains(&format!(r#""oldest":"{}""#, told.all[0].id)));
}
