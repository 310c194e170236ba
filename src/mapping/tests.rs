use std::time::Duration;

use super::*;
use crate::framing::Framer;

/// Lines through a mapper, and a clock that the test moves.
struct Bench {
    framer: Framer,
    mapper: Mapper,
    now: Instant,
    events: Vec<String>,
}

impl Bench {
    fn new(mapping: Mapping, max_line: usize) -> Self {
        let mapping = Mapping { wait: Duration::from_millis(500), ..mapping };
        let mapper = Mapper::new(Arc::new(mapping), max_line);
        Self { framer: Framer::new(max_line), mapper, now: Instant::now(), events: Vec::new() }
    }

    fn push(&mut self, text: &str) {
        let Self { framer, mapper, now, events } = self;
        framer.push(text.as_bytes(), |line| mapper.push(line, *now, &mut |event| events.push(shown(event))));
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
        let Self { mapper, now, events, .. } = self;
        if mapper.due().is_some_and(|due| due <= *now) {
            mapper.do_what_is_due(*now, &mut |event| events.push(shown(event)));
        }
    }

    fn take(&mut self) -> Vec<String> {
        std::mem::take(&mut self.events)
    }

    fn held(&self) -> u64 {
        self.mapper.taken() - self.mapper.clean()
    }
}

fn shown(event: Mapped<'_>) -> String {
    let seam = match event.seam {
        Seam::None | Seam::Perhaps => "",
        Seam::Inside => "…",
        Seam::Newline => "↵",
    };
    let kind = event.kind.map(|kind| format!("{kind}: ")).unwrap_or_default();
    format!("{kind}{}{seam}", String::from_utf8_lossy(event.data))
}

fn indent() -> Mapping {
    Mapping { grouping: Some(Rule::Indent), ..Mapping::default() }
}

fn cri(kind: Option<&str>) -> Mapping {
    let fields = cri::Fields::new(kind.map(|kind| kind.parse().unwrap()).as_ref(), &json::Data::Whole).unwrap();
    Mapping { format: Format::Cri(fields), ..Mapping::default() }
}

#[test]
fn a_group_ends_with_the_next_one_or_with_silence() {
    let mut bench = Bench::new(indent(), 100);
    bench.push("a\n b\nc\n");
    assert_eq!((bench.take(), bench.held()), (vec!["a\n b".to_owned()], 2));
    bench.wait(499);
    assert_eq!(bench.take(), [] as [&str; 0]);
    bench.push(" d\n");
    bench.wait(499);
    assert_eq!((bench.take(), bench.held()), (vec![], 5));
    bench.wait(1);
    assert_eq!((bench.take(), bench.held()), (vec!["c\n d".to_owned()], 0));
    assert_eq!(bench.mapper.due(), None);
    bench.push(" e\n");
    bench.mapper.end(&mut |event| bench.events.push(shown(event)));
    assert_eq!(bench.take(), [" e"]);
}

#[test]
fn a_group_that_is_too_long_is_several_and_counted_once() {
    let mut bench = Bench::new(indent(), 5);
    bench.push("a\n b\n c\n d\n e\nnext\n");
    bench.wait(500);
    assert_eq!(bench.take(), ["a\n b↵", " c\n d↵", " e", "next"]);
    assert_eq!(bench.mapper.tally.cut_groups, 1);
}

#[test]
fn a_line_that_is_too_long_belongs_to_no_group() {
    let mut bench = Bench::new(indent(), 5);
    bench.push("a\n 123456789\n b\n");
    bench.wait(500);
    assert_eq!(bench.take(), ["a", " 1234…", "56789", " b"]);
}

#[test]
fn chained_exceptions_are_one_event_and_other_empty_lines_their_own() {
    let trace = "Traceback (most recent call last):\n  File \"x.py\"\nValueError: a";
    let during = "During handling of the above exception, another exception occurred:";
    let cause = "The above exception was the direct cause of the following exception:";
    let chain = format!("{trace}\n\n{during}\n\n{trace}\n\n{cause}\n\n{trace}");
    let mut bench = Bench::new(indent(), 1000);
    bench.push(&format!("before\n{chain}\nafter\n"));
    bench.wait(500);
    assert_eq!(bench.take(), ["before", &chain, "after"]);
    for (text, expected) in [
        (format!("{trace}\n\nnext\n"), vec![trace, "", "next"]),
        (format!("{trace}\n\n"), vec![trace, ""]),
        (format!("{trace}\n\n\n{during}\n"), vec![trace, "", "", during]),
        (format!("before\n\n{during}\n"), vec!["before", "", during]),
        (format!("{trace}\n\n{during}\n\nnext\n"), vec![&format!("{trace}\n\n{during}"), "", "next"]),
    ] {
        bench.push(&text);
        bench.wait(500);
        assert_eq!((bench.take(), bench.held()), (expected.into_iter().map(str::to_owned).collect(), 0), "{text}");
    }
}

#[test]
fn groups_are_of_one_type() {
    let fields = json::Fields::new(Some("s".parse().unwrap()), json::Data::Of("log".parse().unwrap()));
    let mut bench = Bench::new(Mapping { format: Format::Json(fields), ..indent() }, 100);
    bench.push(
        "{\"s\":\"out\",\"log\":\"a\\n\"}\n{\"s\":\"out\",\"log\":\"\\tb\"}\n{\"s\":\"err\",\"log\":\"\\tc\"}\nplain\n  more\n{\"s\":\"gap\",\"log\":\"x\"}\n",
    );
    bench.wait(500);
    assert_eq!(bench.take(), ["out: a\n\tb", "err: \tc", "plain\n  more", "x"]);
    assert_eq!((bench.mapper.tally.unmapped, bench.mapper.tally.refused_types), (2, 1));
}

#[test]
fn parts_of_a_container_s_line_are_joined_and_keep_their_order() {
    let mut bench = Bench::new(cri(Some("stream")), 100);
    bench.push("2026-T stdout P one \n");
    bench.push("2026-T stderr F two\n2026-T stdout P three \n");
    assert_eq!((bench.take(), bench.held()), (vec![], 64));
    bench.push("2026-T stdout F four\n2026-T stdout F five\n");
    assert_eq!(
        (bench.take(), bench.held()),
        (vec!["stdout: one three four".into(), "stderr: two".into(), "stdout: five".into()], 0)
    );
}

#[test]
fn a_container_s_line_that_does_not_end_is_given_up_if_others_wait_for_it() {
    let mut bench = Bench::new(cri(None), 1000);
    bench.push("2026-T stdout P one\n");
    bench.wait(10_000);
    assert_eq!(bench.take(), [] as [&str; 0], "nobody waits");
    bench.push("2026-T stderr F two\n");
    bench.wait(499);
    bench.push("2026-T stderr F three\n");
    bench.wait(1);
    assert_eq!((bench.take(), bench.held()), (vec!["one…".into(), "two".into(), "three".into()], 0));
    bench.push("2026-T stdout P one\n");
    for _ in 0..300 {
        bench.push(&format!("2026-T stderr F {}\n", "x".repeat(100)));
    }
    assert!(bench.take().len() > 200, "too much waits");
}

#[test]
fn a_container_s_line_that_is_too_long_keeps_its_place_among_others() {
    let mut bench = Bench::new(cri(None), 30);
    for text in
        ["stdout P 01234567890123", "stderr F other", "stdout P 45678901234567", "stdout P 890", "stderr F more", "stdout F x"]
    {
        bench.push(&format!("2026-T {text}\n"));
    }
    assert_eq!((bench.take().join(" "), bench.held()), ("0123456789012345678901234567… other 890x more".into(), 0));
}

#[test]
fn a_container_s_line_that_may_hide_something_is_awaited() {
    let mut bench = Bench::new(Mapping { parts: Parts::Awaited, ..cri(None) }, 1000);
    bench.push("2026-T stdout P pass\n2026-T stderr F other\n");
    assert_eq!(bench.mapper.due(), None);
    bench.push("2026-T stdout F word\n");
    assert_eq!(bench.take(), ["password", "other"]);
}

#[test]
fn a_container_s_line_that_is_too_long_is_several_events() {
    let mut bench = Bench::new(cri(None), 30);
    bench.push("2026-T stdout P 0123456789\n2026-T stdout P 0123456789\n2026-T stdout P 0123456789\n2026-T stdout P abc\n");
    bench.push("2026-T stdout F def\n2026-T stdout F next\n");
    assert_eq!(bench.take(), ["012345678901234567890123456789…", "abcdef", "next"]);
    assert_eq!((bench.mapper.tally.long_lines, bench.held()), (1, 0));
}

#[test]
fn each_output_of_a_container_has_groups_of_its_own() {
    let mut bench = Bench::new(Mapping { grouping: Some(Rule::Indent), ..cri(Some("stream")) }, 100);
    bench.push("2026-T stderr F trace\n2026-T stdout F x\n2026-T stderr F  at\n2026-T stdout F y\n2026-T stderr F z\n");
    bench.wait(500);
    assert_eq!(bench.take(), ["stderr: trace\n at", "stdout: x", "stdout: y", "stderr: z"]);
}

#[test]
fn each_output_of_a_container_falls_silent_by_itself() {
    for parts in [Parts::GivenUp, Parts::Awaited] {
        let mut bench = Bench::new(Mapping { grouping: Some(Rule::Indent), parts, ..cri(None) }, 1000);
        bench.push("2026-T stderr F boom\n");
        for _ in 0..4 {
            bench.push("2026-T stdout F line\n");
            bench.wait(200);
        }
        assert_eq!(bench.take(), ["boom", "line", "line", "line"], "the last line has been silent for 200 ms only");
    }
}

#[test]
fn a_trace_between_whose_lines_others_come_is_one_event() {
    let mut bench = Bench::new(Mapping { grouping: Some(Rule::Indent), ..cri(None) }, 1000);
    bench.push("2026-T stderr F boom\n");
    for _ in 0..8 {
        bench.wait(100);
        bench.push("2026-T stderr F  at\n2026-T stdout F line\n");
    }
    bench.wait(500);
    assert_eq!(bench.take()[0], "boom\n at\n at\n at\n at\n at\n at\n at\n at");
}

#[test]
fn what_is_not_of_the_format_passes_as_it_is() {
    let mut bench = Bench::new(cri(None), 100);
    bench.push("what is this\n2026-T stdout F x\n");
    assert_eq!((bench.take(), bench.mapper.tally.unmapped), (vec!["what is this".into(), "x".into()], 1));
}

#[test]
fn an_event_stream_is_taken_over_but_for_what_it_says_of_itself() {
    let mut takeover = stream::Takeover::new(100);
    let mapping = Mapping { event_type: Some("usual".parse().unwrap()), ..Mapping::default() };
    let mut seen = Vec::new();
    let mut push = |text: &str| {
        takeover.push(&mapping, text.as_bytes(), &mut |taken| {
            seen.push(match taken {
                stream::Taken::Event(event) => shown(event),
                stream::Taken::Gap { lost, .. } => format!("gap {lost:?}"),
            });
        });
        takeover.taken() - takeover.clean()
    };
    assert_eq!(push(": sse-bridge\nretry: 1\nid: 1\nevent: start\ndata: {}\n\n"), 0);
    assert_eq!(push("id: 2\ndata: one\ndata: two\n\nevent: tick\ndata: 3\n\nid"), 2);
    push(": 4\nevent: gap\ndata: {\"lost\":7,\"reason\":\"slow\"}\n\nevent: gap\ndata: {\"lost\":null}\n\nevent: gap\ndata: x\n\n");
    push("event: ping\ndata:\n\nevent: end\ndata: {}\n\nevent: busy\ndata: {}\n\nevent: progress\ndata: 5%\n\n");
    push("event: message\ndata: m\n\nevent: open\ndata: o\n\nevent: run\ndata: r\n\n");
    push(&format!("data: {}\n\n", "x".repeat(200)));
    let long = "x".repeat(200);
    push(&format!("event: start\ndata: {long}\n\nevent: end\ndata: {{\"a\":\"{long}\"}}\n\n"));
    push(&format!("event: progress\ndata: {}\n\n", "x".repeat(200_000)));
    push(&format!("event: gap\ndata: {{\"channels\":[\"{long}\"],\"lost\":9}}\n\n"));
    push(&format!("event: gap\ndata: {}\n\ndata: cut", "x".repeat(200_000)));
    assert_eq!(seen.split_off(seen.len() - 2), ["gap Some(9)", "gap None"]);
    assert_eq!(seen, ["usual: one\ntwo", "tick: 3", "gap Some(7)", "gap None", "gap None", "usual: m", "o", "r", "gap Some(1)"]);
    takeover.end();
    assert_eq!((takeover.tally.cut_events, takeover.tally.refused_types), (2, 2));
    assert_eq!(takeover.taken(), takeover.clean());
}
