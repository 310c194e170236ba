//! The module in a page of another origin: every line once, in order, and what the stream says of itself.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::guest::{Guest, Site, metric, start_for};
use crate::harness::{Bridge, Random, scale, seed};
use crate::scene::{assert_same, numbered};
use crate::types::{Interface, state_names};
use crate::webdriver::{
    Kind, in_each_browser,
    proxy::{Cut, Mode},
};

in_each_browser! {
    what_a_stream_says_reaches_a_page_of_another_origin
    what_is_lost_is_told_as_a_gap
    connections_that_break_lose_and_double_nothing
    the_end_is_told_and_a_new_run_is_noticed
    who_is_not_allowed_is_told_so_and_comes_in_once_allowed
}

/// Moves the page's clock five minutes on.
const LATER: &str = "const now = Date.now; Date.now = () => now() + 300000";

fn what_a_stream_says_reaches_a_page_of_another_origin(kind: Kind) {
    let directory = tempfile::tempdir().expect("there is room for a directory");
    let path = directory.path().join("access.log");
    fs::write(&path, "from a file\n").expect("a file can be written");
    let file = format!("web/access={}", path.display());
    let mut guest = Guest::visit(kind, &["--heartbeat", "1s", "web/app=-", &file]);
    guest.follow("all", "events?tail=all");
    guest.follow("app", "events?channel=web/app&tail=0");
    guest.follow("nothing", "events/web/app?tail=0");
    guest.wait_for_line("all", "from a file");
    guest.wait_for_state("app", "live");
    guest.wait_for_state("nothing", "live");
    guest.wait_for("nothing", "start", "true");

    guest.bridge.feed(b"one\ntwo words\n10%\r");
    guest.wait_for("all", "progress", "told[0].text === '10%'");
    guest.bridge.feed(b"20%\n");
    guest.bridge.end_input();
    guest.wait_for("all", "end", "told[0].channel === 'web/app'");
    guest.wait_for("all", "ping", "true");
    guest.wait_for("app", "end", "true");
    assert_same("all channels", &guest.lines("all"), &["from a file", "one", "two words", "10%\n20%"]);
    assert_same("one channel", &guest.lines("app"), &["one", "two words", "10%\n20%"]);
    let behind = guest.heard("all", "line")[1]["id"].as_str().expect("an id").to_owned();
    guest.follow("behind", &format!("events?lastEventId={behind}"));
    guest.wait_for("behind", "end", "true");
    assert_same("behind a line", &guest.lines("behind"), &["two words", "10%\n20%"]);

    lines_say_when_and_where(&guest.heard("all", "line"));
    what_was_told_is_as_the_types_have_it(&guest);
    guest.assert_no_violations();
    let console = guest.browser.console();
    assert!(!console.iter().any(|said| said.contains("rror")), "{console:?}");
}

fn lines_say_when_and_where(lines: &[Value]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis();
    let channels: Vec<_> = lines.iter().map(|line| &line["channel"]).collect();
    assert_same("their channels", &channels, &["web/access", "web/app", "web/app", "web/app"]);
    for line in lines {
        let time = u128::from(line["time"].as_u64().expect("a time"));
        assert!(time <= now && now - time < 120_000, "{line}");
        let id = format!("{time}-{}/{}", line["number"], line["channel"].as_str().expect("a name"));
        assert_eq!(line["id"], id);
        assert_eq!(line["type"], "message");
    }
    let numbers: Vec<_> = lines.iter().map(|line| line["number"].as_u64().expect("a number")).collect();
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
}

/// What `sse-bridge.d.ts` declares is what came, and all of it.
fn what_was_told_is_as_the_types_have_it(guest: &Guest) {
    for line in guest.heard("all", "line") {
        Interface::named("Line").assert_fits(&line);
    }
    for (kind, name) in [("end", "End"), ("progress", "Progress")] {
        guest.heard("all", kind).iter().for_each(|told| Interface::named(name).assert_fits(&told[0]));
    }
    guest.heard("nothing", "start").iter().for_each(|told| Interface::named("Start").assert_fits(&told[0]));
    guest.heard("all", "state").iter().for_each(|state| Interface::named("State").assert_fits(state));
    assert!(guest.states("all").iter().all(|name| state_names().contains(&&**name)), "{:?}", guest.states("all"));
    let stream = "Object.keys(Object.getOwnPropertyDescriptors(streams.all))";
    Interface::named("Stream").assert_members(&guest.value(stream));
    // Nothing runs commands yet, nothing was lost.
    let asked = guest.value("[...asked, 'gap', 'run']");
    Interface::named("Handlers").assert_members(&asked);
}

fn what_is_lost_is_told_as_a_gap(kind: Kind) {
    let site = Site::start();
    let mut bridge = start_for(&site, &["--history", "256KiB"]);
    let mut early = bridge.get("/events?tail=0");
    bridge.feed(&numbered(1..=20_000));
    while early.next_event().expect("the stream goes on").data != "line 20000" {}
    drop(early);

    let mut guest = Guest::before(kind, site, bridge);
    guest.follow("all", "events?tail=all");
    guest.wait_for_line("all", "line 20000");
    let gaps = guest.heard("all", "gap");
    assert_eq!(gaps.len(), 1, "{gaps:?}");
    let (gap, came) = (&gaps[0][0], guest.lines("all"));
    Interface::named("Gap").assert_fits(gap);
    assert_eq!(gap["reason"], "dropped");
    assert!(gaps[0][1].as_str().is_some_and(|id| id.contains('-')), "its id: {gaps:?}");
    let lost = usize::try_from(gap["lost"].as_u64().expect("a number")).expect("a small one");
    assert!(lost > 1_000 && lost + came.len() == 20_000, "{lost} lost, {} came", came.len());
    assert_eq!(came[0], format!("line {}", lost + 1));

    // Another life of the daemon: what came between is unknown, and said to be.
    guest.bridge = start_for(&guest.site, &[]);
    guest.proxy.set(Mode::Pass(guest.bridge.port));
    guest.proxy.cut(Cut::Reset);
    let restart = guest.wait_for("all", "gap", "told[0].reason === 'restart'");
    Interface::named("Gap").assert_fits(&restart[0]);
    guest.bridge.feed(b"of the new daemon\n");
    guest.wait_for_line("all", "of the new daemon");
    assert_eq!(guest.lines("all").len(), came.len() + 1);
    assert_eq!(guest.heard("all", "gap").len(), 2);
}

fn connections_that_break_lose_and_double_nothing(kind: Kind) {
    let seed = seed();
    let mut random = Random::new(seed);
    let (total, cuts) = (scale(2_000, 9_500), scale(5, 40));
    let each = total / (cuts + 1);
    let mut guest = Guest::visit(kind, &[]);
    guest.follow("all", "events?tail=all");
    guest.follow_with("alone", "events?tail=all", &json!({ "share": false }));
    guest.wait_for_state("all", "live");
    guest.wait_for_state("alone", "live");
    assert_eq!(guest.value("[streams.all.sharing, streams.alone.sharing]"), json!(["lock", "alone"]));

    for round in 0..cuts {
        let cut = if random.below(2) == 0 { Cut::Close } else { Cut::Reset };
        guest.proxy.cut_after(random.below(each * 40), cut);
        let lines = numbered(round * each + 1..=(round + 1) * each);
        // In two pieces, so that lines are halved as well.
        let (first, second) = lines.split_at(random.below(lines.len()));
        guest.bridge.feed(first);
        guest.bridge.feed(second);
        guest.proxy.wait_for_cut();
    }
    guest.bridge.feed(&numbered(cuts * each + 1..=total));
    let expected: Vec<_> = (1..=total).map(|number| format!("line {number}")).collect();
    for name in ["all", "alone"] {
        guest.wait_for_line(name, &format!("line {total}"));
        assert_same(&format!("{name}, seed {seed}"), &guest.lines(name), &expected);
    }
    after_an_error_and_after_silence_it_goes_on(&mut guest, total);
}

fn after_an_error_and_after_silence_it_goes_on(guest: &mut Guest, total: usize) {
    // An answer that is the end for an EventSource.
    guest.proxy.set(Mode::Answer(502));
    guest.proxy.cut(Cut::Reset);
    guest.wait_for_state("all", "reconnecting");
    guest.proxy.wait_for_answers(2);
    guest.bridge.feed(&numbered(total + 1..=total + 10));
    guest.proxy.set(Mode::Pass(guest.bridge.port));
    guest.wait_for_line("all", &format!("line {}", total + 10));
    guest.wait_for_state("all", "live");
    guest.wait_for_state("alone", "live");

    // Nothing tells of this but the clock, so the clock goes on.
    guest.proxy.silence();
    guest.bridge.feed(&numbered(total + 11..=total + 20));
    guest.browser.run(LATER, &json!([]));
    for name in ["all", "alone"] {
        guest.wait_for_line(name, &format!("line {}", total + 20));
        let expected: Vec<_> = (1..=total + 20).map(|number| format!("line {number}")).collect();
        assert_same(name, &guest.lines(name), &expected);
        assert_eq!(guest.heard(name, "gap"), Vec::<Value>::new());
    }
    let last = guest.value("streams.all.lastId");
    assert_eq!(
        guest.heard("all", "line").last().map(|line| format!("{}-{}", line["time"], line["number"])),
        last.as_str().map(Into::into)
    );
}

fn the_end_is_told_and_a_new_run_is_noticed(kind: Kind) {
    let mut guest = Guest::visit(kind, &["--event-type", "log"]);
    guest.follow("all", "events?tail=all");
    guest.bridge.feed(b"first\nlast");
    guest.bridge.end_input();
    let end = guest.wait_for("all", "end", "true");
    Interface::named("End").assert_fits(&end[0]);
    assert_eq!(end[0]["channel"], "stdin");
    guest.wait_for_state("all", "ended");
    assert_eq!(guest.heard("all", "line")[0]["type"], "log", "a type of the daemon's is told");

    guest.bridge = start_for(&guest.site, &[]);
    guest.proxy.set(Mode::Pass(guest.bridge.port));
    guest.wait_for_state("all", "live");
    guest.bridge.feed(b"again\n");
    guest.wait_for_line("all", "again");
    assert_same("both runs", &guest.lines("all"), &["first", "last", "again"]);

    // What it closes is closed, and says nothing more.
    guest.browser.run("streams.all.close()", &json!([]));
    guest.wait_for_clients(0);
    guest.bridge.feed(b"unheard\n");
    guest.follow("next", "events?tail=all");
    guest.wait_for_line("next", "unheard");
    assert_eq!(guest.lines("all").len(), 3);
}

fn who_is_not_allowed_is_told_so_and_comes_in_once_allowed(kind: Kind) {
    let site = Site::start();
    let mut bridge = Bridge::start(&[]);
    bridge.feed(b"secret\n");
    let mut guest = Guest::before(kind, site, bridge);
    guest.follow("all", "events?tail=all");
    let flag = format!("--cors-origin {}", guest.site.origin());
    let state = guest.wait_for("all", "state", "told.name === 'refused'");
    assert!(state["reason"].as_str().is_some_and(|reason| reason.contains(&flag)), "{state}");
    assert!(state["at"].is_u64() || state["at"].is_f64(), "it says when it tries again: {state}");
    guest.bridge.wait_for_stderr(&flag);
    assert_eq!(metric(&guest.bridge, "streams_total"), 0, "it has cost no stream");
    assert_eq!(guest.lines("all"), Vec::<String>::new());

    guest.bridge = start_for(&guest.site, &[]);
    guest.bridge.feed(b"open\n");
    guest.proxy.set(Mode::Pass(guest.bridge.port));
    guest.proxy.cut(Cut::Close);
    // It tries again in half a minute, or when the network comes back.
    guest.browser.run("dispatchEvent(new Event('online'))", &json!([]));
    guest.wait_for_line("all", "open");
    guest.wait_for_state("all", "live");
    assert_same("what may be read", &guest.lines("all"), &["open"]);
}
