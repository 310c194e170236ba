use std::time::Duration;

use proptest::prelude::*;
use regex::bytes::Regex;

use super::*;
use crate::mapping::grouping::Rule;
use crate::mapping::{Parts, cri, json};
use crate::shaping::redaction::Redaction;

/// What has been given, as text.
fn take(middle: &mut Middle, bytes: &[u8], into: &mut Vec<String>) {
    middle.give(bytes, |item| {
        into.push(match item {
            Item::Event(Event { kind, data }) => {
                format!("{}{}", kind.map(|kind| format!("{kind}: ")).unwrap_or_default(), String::from_utf8_lossy(data))
            }
            other => format!("{other:?}"),
        });
    });
}

fn recipe(mapping: Mapping, shaping: Shaping) -> Recipe {
    let parts = if shaping.redaction.is_some() { Parts::Awaited } else { Parts::GivenUp };
    Recipe { mapping: Arc::new(Mapping { wait: Duration::from_millis(500), parts, ..mapping }), shaping: Arc::new(shaping) }
}

fn redacting(expressions: &[&str]) -> Shaping {
    let expressions = expressions.iter().map(|text| Regex::new(text).unwrap()).collect();
    Shaping { redaction: Some(Redaction::new(expressions, "*")), ..Shaping::default() }
}

fn indent() -> Mapping {
    Mapping { grouping: Some(Rule::Indent), ..Mapping::default() }
}

fn containers() -> Mapping {
    let kind = "stream".parse().unwrap();
    Mapping { format: Format::Cri(cri::Fields::new(Some(&kind), &json::Data::Whole).unwrap()), ..Mapping::default() }
}

fn documents() -> Mapping {
    let fields = json::Fields::new(Some("t".parse().unwrap()), json::Data::Of("log".parse().unwrap()));
    Mapping { format: Format::Json(fields), ..Mapping::default() }
}

/// Recipes of every kind.
fn recipes() -> Vec<Recipe> {
    let stripping = || Shaping { escapes: Escapes::Stripped, ..Shaping::default() };
    let format = |format| Mapping { format, ..Mapping::default() };
    let start = Mapping { grouping: Some(Rule::Start(Regex::new("^a").unwrap())), ..Mapping::default() };
    vec![
        Recipe::default(),
        recipe(indent(), Shaping::default()),
        recipe(start, redacting(&["a\nb", "bc*"])),
        recipe(containers(), Shaping::default()),
        recipe(Mapping { grouping: Some(Rule::Indent), ..containers() }, redacting(&["a b", "c+"])),
        recipe(documents(), redacting(&["a", "b c"])),
        recipe(Mapping { grouping: Some(Rule::Indent), ..documents() }, stripping()),
        recipe(format(Format::Null), redacting(&["a.?b"])),
        recipe(format(Format::EventStream), Shaping::default()),
        recipe(Mapping::default(), stripping()),
        recipe(Mapping::default(), redacting(&["aa*", "b c"])),
        recipe(Mapping::default(), Shaping { dropping: regex::bytes::RegexSet::new(["a"]).ok(), ..Shaping::default() }),
    ]
}

/// Pieces of input of which each recipe knows some.
fn input() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        4 => "[abc €\t]{0,6}\n",
        1 => "\\PC{0,10}(\n|\r\n|\r|)",
        4 => "2026-T (stdout|stderr) (P|F) [abc \t]{0,6}\n",
        4 => "\\{\"t\":\"(x|y|gap)\",\"log\":\"[abc ]{0,5}(\\\\n|)\"\\}\n",
        2 => "[abc\n]{0,5}\0",
        3 => "(data|event|id): (a|gap|tick|b c)\n",
        2 => "\n",
        2 => "\x1b\\[3[0-9]m[ab]\x1b\\[m\n",
        1 => Just("  File\n".to_owned()),
    ];
    proptest::collection::vec(piece, 0..14).prop_map(|pieces| pieces.concat().into_bytes())
}

/// All events of an input that is read in pieces that end at `cuts`.
fn read(recipe: &Recipe, max_line: usize, input: &[u8], cuts: &[usize], now: Instant) -> Vec<String> {
    let mut middle = Middle::new(recipe, max_line);
    let (mut events, mut start) = (Vec::new(), 0);
    for end in cuts.iter().copied().filter(|cut| *cut < input.len()).chain([input.len()]) {
        middle.work(&input[start..end], Age::New, || now);
        take(&mut middle, &input[start..end], &mut events);
        assert!(middle.held() <= end, "{} bytes of {end} are held", middle.held());
        start = end;
    }
    middle.end(now);
    take(&mut middle, &[], &mut events);
    events
}

#[test]
fn nothing_is_shown_of_a_line_that_may_hide_something() {
    let now = Instant::now();
    let progress = |recipe: &Recipe| {
        let mut middle = Middle::new(recipe, 100);
        middle.work(b"10%\r\x1b[1m20%\x1b[m", Age::New, || now);
        take(&mut middle, b"10%\r\x1b[1m20%\x1b[m", &mut Vec::new());
        middle.progress().map(|state| String::from_utf8_lossy(&state).into_owned())
    };
    assert_eq!(progress(&Recipe::default()).as_deref(), Some("\x1b[1m20%\x1b[m"));
    let stripping = Shaping { escapes: Escapes::Stripped, ..Shaping::default() };
    assert_eq!(progress(&recipe(Mapping::default(), stripping)).as_deref(), Some("20%"));
    assert_eq!(progress(&recipe(Mapping::default(), redacting(&["x"]))), None);
    assert_eq!(progress(&recipe(documents(), Shaping::default())), None);
}

#[test]
fn what_the_rate_limit_leaves_out_is_held_until_it_is_told() {
    let limited = Shaping { rate: "2".parse().ok(), ..Shaping::default() };
    let mut middle = Middle::new(&recipe(Mapping::default(), limited), 100);
    let (start, mut events) = (Instant::now(), Vec::new());
    middle.work(b"a\nb\nc\nd\ne", Age::New, || start);
    take(&mut middle, &[], &mut events);
    assert_eq!((events.join(" "), middle.held()), ("a b".to_owned(), 5));
    let due = middle.due().unwrap();
    assert_eq!(due, start + Duration::from_secs(1));
    middle.do_what_is_due(due);
    take(&mut middle, &[], &mut events);
    assert_eq!((events.pop().unwrap(), middle.held()), ("LimitGap { lost: 2 }".to_owned(), 1));
    middle.work(b"\nf\ng\n", Age::Old, || due);
    middle.end(due);
    take(&mut middle, &[], &mut events);
    assert_eq!((events.join(" "), middle.held()), ("a b e f g".to_owned(), 0), "old lines have no rate");
}

#[test]
fn a_stream_that_is_cut_inside_an_event_loses_it_and_counts_it() {
    let events = recipe(Mapping { format: Format::EventStream, ..Mapping::default() }, Shaping::default());
    let mut middle = Middle::new(&events, 100);
    middle.work(b"data: a\n\ndata: b\n", Age::New, Instant::now);
    assert_eq!(middle.held(), 8);
    middle.end(Instant::now());
    let tally = middle.take_tally();
    assert_eq!((tally.lines, tally.mapping.cut_events, middle.held()), (1, 1, 0));
}

/// None is longer than six bytes, and they lie across each other.
const SECRETS: [&str; 4] = ["s[a1]{0,4}b", "1 1", "b s", "aé?a"];

fn secret_or_text() -> impl Strategy<Value = String> {
    prop_oneof!["[abs1 ]{0,9}", "s[a1]{0,4}b", "x{1,8}", Just("aéa".to_owned())]
}

/// A text as if it were one short line.
fn redacted(text: &str) -> String {
    let expressions = SECRETS.map(|text| Regex::new(text).unwrap()).to_vec();
    String::from_utf8(Redaction::new(expressions, "*").apply(text.as_bytes()).0.into_owned()).unwrap()
}

/// Whether there is an expression that the text matches.
fn shows(text: &[String], secret: &str) -> bool {
    let all = text.concat();
    Regex::new(secret).unwrap().is_match(all.as_bytes())
}

#[test]
fn parts_of_a_line_that_is_too_long_share_its_lot() {
    let set = |text: &str| regex::bytes::RegexSet::new([text]).ok();
    let input = b"debug 0123456789 error\nerror 0123456789 debug\nerror\n";
    for redaction in [None, redacting(&["nothing"]).redaction] {
        let dropping = Shaping { dropping: set("^debug"), redaction: redaction.clone(), ..Shaping::default() };
        let shown = read(&recipe(Mapping::default(), dropping), 10, input, &[], Instant::now());
        assert_eq!(shown, ["error 0123", "456789 deb", "ug", "error"]);
        let matching = Shaping { matching: set("^debug"), redaction, ..Shaping::default() };
        let shown = read(&recipe(Mapping::default(), matching), 10, input, &[], Instant::now());
        assert_eq!(shown, ["debug 0123", "456789 err", "or"]);
    }
}

#[test]
fn too_much_behind_a_line_that_may_hide_something_is_not_waited_for() {
    let recipe = recipe(containers(), redacting(&["s[a1]{0,90}b"]));
    let (mut middle, now, mut events) = (Middle::new(&recipe, 100), Instant::now(), Vec::new());
    let mut push = |middle: &mut Middle, text: &str| {
        middle.work(text.as_bytes(), Age::New, || now);
        take(middle, &[], &mut events);
        events.len()
    };
    push(&mut middle, "2026-T stdout P begin sa1\n");
    let others = format!("2026-T stderr F {}\n", "x".repeat(80));
    let count = (0..2000).take_while(|_| push(&mut middle, &others) == 0).count();
    assert!((100..1500).contains(&count), "{count} wait");
    push(&mut middle, "2026-T stdout P 1a1\n2026-T stdout F b and the rest\n2026-T stdout F next\n");
    assert_eq!((middle.held(), middle.take_tally().shaping.hidden_rests), (0, 1));
    let all = events.iter().filter_map(|event| event.strip_prefix("stdout: ")).collect::<Vec<_>>();
    assert_eq!(all, ["*", "next"]);
    assert_eq!(events.len(), count + 3, "nothing else is missing");
}

#[test]
fn a_secret_without_end_hides_the_rest_of_its_line_alone() {
    let recipe = recipe(Mapping::default(), redacting(&["s[a1]+"]));
    let line = format!("begin s{} end\nnext s1\n", "a1".repeat(100));
    let shown = read(&recipe, 20, line.as_bytes(), &[], Instant::now());
    assert_eq!(shown, ["begin *", "next *"]);
}

#[test]
fn at_the_bound_a_secret_is_found_and_beyond_it_nobody_knows() {
    for before in 0..60 {
        let line = |length: usize| format!("{}<{}>{}\n", "x".repeat(before), "s".repeat(length - 2), "y".repeat(100));
        let recipe = recipe(Mapping::default(), redacting(&["<s*>"]));
        let shown = read(&recipe, 30, line(30).as_bytes(), &[], Instant::now()).concat();
        assert_eq!(shown, format!("{}*{}", "x".repeat(before), "y".repeat(100)));
    }
}

proptest! {
    /// Each event has its token, whichever of them are made of the same bytes; and what is shown and told is all, also through a kill.
    #[test]
    fn events_of_a_container_are_counted_one_by_one(
        lines in proptest::collection::vec(("(stdout|stderr)", "(P|F)"), 1..24),
        rate in 1..9_u64,
    ) {
        let input = lines.iter().map(|(stream, part)| format!("2026-T {stream} {part} x\n")).collect::<Vec<_>>().concat();
        let (now, limited) = (Instant::now(), Shaping { rate: rate.to_string().parse().ok(), ..Shaping::default() });
        let written = read(&recipe(containers(), Shaping::default()), 1000, input.as_bytes(), &[], now).len();
        let recipe = recipe(containers(), limited);
        let events = read(&recipe, 1000, input.as_bytes(), &[], now);
        let shown = |events: &[String]| events.iter().filter(|event| !event.contains("Gap")).count();
        prop_assert_eq!(shown(&events), written.min(usize::try_from(rate).unwrap()));
        prop_assert_eq!(told(&events), written);
        for cut in 0..=input.len() {
            let (mut middle, mut events) = (Middle::new(&recipe, 1000), Vec::new());
            middle.work(&input.as_bytes()[..cut], Age::New, || now);
            take(&mut middle, &[], &mut events);
            events.extend(read(&recipe, 1000, &input.as_bytes()[cut - middle.held()..], &[], now));
            prop_assert_eq!(told(&events), written, "cut at {}: {:?}", cut, events);
        }
    }

    #[test]
    fn where_reads_cut_makes_no_difference(
        input in input(),
        mut cuts in proptest::collection::vec(0..300_usize, 0..12),
        max_line in 4..60_usize,
    ) {
        cuts.sort_unstable();
        let now = Instant::now();
        for (number, recipe) in recipes().iter().enumerate() {
            let whole = read(recipe, max_line, &input, &[], now);
            prop_assert_eq!(read(recipe, max_line, &input, &cuts, now), whole, "recipe {}", number);
        }
    }

    /// A daemon that is killed behind a read, and reads again what was held.
    #[test]
    fn who_reads_again_what_was_held_sees_everything_once(input in input()) {
        let now = Instant::now();
        for (number, recipe) in recipes().iter().enumerate() {
            let whole = read(recipe, 1000, &input, &[], now);
            for cut in 0..=input.len() {
                let mut middle = Middle::new(recipe, 1000);
                let mut events = Vec::new();
                middle.work(&input[..cut], Age::New, || now);
                take(&mut middle, &input[..cut], &mut events);
                let held = middle.held();
                events.extend(read(recipe, 1000, &input[cut - held..], &[], now));
                prop_assert_eq!(&events, &whole, "recipe {}, cut at {}, {} held", number, cut, held);
            }
        }
    }

    /// The same where lines are longer than they may be: what is left of one may be cut elsewhere then, but nothing is missing and nothing comes twice.
    #[test]
    fn who_reads_again_a_part_of_a_line_sees_all_of_it_once(lines in "([ab ]{0,40}\n){0,4}[ab ]{0,20}", max_line in 4..12_usize) {
        let (now, input) = (Instant::now(), lines.as_bytes());
        let content = |events: Vec<String>| events.concat().replace('\n', "");
        for recipe in [recipe(indent(), Shaping::default()), recipe(Mapping::default(), redacting(&["b b"]))] {
            let whole = content(read(&recipe, max_line, input, &[], now));
            for cut in 0..=input.len() {
                let mut middle = Middle::new(&recipe, max_line);
                let mut events = Vec::new();
                middle.work(&input[..cut], Age::New, || now);
                take(&mut middle, &input[..cut], &mut events);
                events.extend(read(&recipe, max_line, &input[cut - middle.held()..], &[], now));
                prop_assert_eq!(&content(events), &whole, "cut at {}", cut);
            }
        }
    }

    /// The same where the daemon has waited long enough between some reads: groups end then, but nothing is missing and nothing comes twice.
    #[test]
    fn who_waits_no_longer_loses_and_doubles_nothing(
        lines in "(a[ab]{0,3}\n|  b{0,4}\n|2026-T (stdout|stderr) (P|F) [ab]{0,4}\n|\\{\"log\":\"[ab]{0,4}\"\\}\n){0,12}",
        reads in proptest::collection::vec((0..40_usize, 0..3_u64), 1..10),
    ) {
        let (input, limited) = (lines.as_bytes(), Shaping { rate: "2".parse().ok(), ..redacting(&["a b"]) });
        let grouped = |mapping| Mapping { grouping: Some(Rule::Indent), ..mapping };
        for mapping in [indent(), grouped(documents()), containers(), grouped(containers())] {
            for shaping in [Shaping::default(), redacting(&["ab"])] {
                let recipe = recipe(mapping.clone(), shaping);
                let (mut middle, mut now) = (Middle::new(&recipe, 1000), Instant::now());
                let (mut events, mut start) = (Vec::new(), 0);
                for (length, halves) in &reads {
                    let end = (start + length).min(input.len());
                    middle.work(&input[start..end], Age::New, || now);
                    start = end;
                    now += Duration::from_millis(500 * halves);
                    if middle.due().is_some_and(|due| due <= now) {
                        middle.do_what_is_due(now);
                        prop_assert!(middle.due().is_none_or(|due| due > now), "it waits for nothing that is over");
                    }
                    take(&mut middle, &[], &mut events);
                }
                events.extend(read(&recipe, 1000, &input[start - middle.held()..], &[], now));
                let letters = |events: &[String], letter: char| events.concat().matches(letter).count();
                let whole = read(&recipe, 1000, input, &[], now);
                for letter in ['b', '*'] {
                    prop_assert_eq!(letters(&events, letter), letters(&whole, letter), "{:?} and not {:?}", events, whole);
                }
            }
        }
        // What is left out is told, whatever becomes of it.
        let (recipe, now) = (recipe(Mapping::default(), limited), Instant::now());
        let mut middle = Middle::new(&recipe, 1000);
        let cut = input.len() / 2;
        let mut events = Vec::new();
        middle.work(&input[..cut], Age::New, || now);
        take(&mut middle, &[], &mut events);
        events.extend(read(&recipe, 1000, &input[cut - middle.held()..], &[], now));
        prop_assert_eq!(told(&events), lines.lines().count());
    }

    /// A line in parts, however many, in reads, with terminal sequences anywhere: as if it were one. Of secrets that are no longer than a line may be.
    #[test]
    fn what_is_secret_in_a_line_does_not_depend_on_its_parts(
        pieces in proptest::collection::vec((secret_or_text(), "(\x1b\\[[0-9]{0,9}m){0,2}"), 0..30),
        mut cuts in proptest::collection::vec(0..300_usize, 0..6),
        max_line in 6..20_usize,
    ) {
        cuts.sort_unstable();
        let plain = pieces.iter().map(|(text, _)| text.as_str()).collect::<String>();
        let coloured = pieces.iter().map(|(text, escape)| format!("{text}{escape}")).collect::<Vec<_>>().concat();
        let coloured = coloured.chars().map(|c| if c == 'a' { "a\x1b[m".to_owned() } else { c.to_string() }).collect::<String>();
        for (line, escapes) in [(&plain, Escapes::Kept), (&coloured, Escapes::Stripped)] {
            let recipe = recipe(Mapping::default(), Shaping { escapes, ..redacting(&SECRETS) });
            let shown = read(&recipe, max_line, line.as_bytes(), &cuts, Instant::now());
            prop_assert_eq!(shown.concat(), redacted(&plain), "{:?}", shown);
        }
    }

    /// The same of a container's lines: parts of three outputs in turn, groups that are too long, and some silence after which only the rest of what
    /// is secret can be hidden.
    #[test]
    fn what_is_secret_in_an_output_does_not_depend_on_the_others(
        lines in proptest::collection::vec((0..3_usize, secret_or_text(), any::<bool>()), 0..30),
        mut cuts in proptest::collection::vec(0..900_usize, 0..6),
        max_line in 26..40_usize,
    ) {
        cuts.sort_unstable();
        let (mut input, mut joined) = (String::new(), [(); 3].map(|()| String::new()));
        for (output, text, _) in &lines {
            let head = ["2026-T stdout P ", "2026-T stderr P ", ""][*output];
            let line = if *output == 2 { text.repeat(3) } else { text.clone() };
            input = [&input, head, &line, "\n"].concat();
            joined[*output].push_str(&if *output == 2 { redacted(&line) } else { line });
        }
        let shown = read(&recipe(containers(), redacting(&SECRETS)), max_line, input.as_bytes(), &cuts, Instant::now());
        for (output, head) in [(0, "stdout: "), (1, "stderr: ")] {
            let all = shown.iter().filter_map(|event| event.strip_prefix(head)).collect::<String>();
            prop_assert_eq!(all, redacted(&joined[output]), "{:?}", shown);
        }
        let others = shown.iter().filter(|event| !event.contains(": ")).map(String::as_str).collect::<String>();
        prop_assert_eq!(&others, &joined[2], "{:?}", shown);
    }

    #[test]
    fn what_is_secret_in_a_group_does_not_depend_on_its_parts(
        lines in proptest::collection::vec(" [ab]{0,4}", 1..30),
        mut cuts in proptest::collection::vec(0..200_usize, 0..6),
        max_line in 6..20_usize,
    ) {
        cuts.sort_unstable();
        let input = lines.join("\n");
        let shown = read(&recipe(indent(), redacting(&["b\n a", "a(\n ){2}b"])), max_line, input.as_bytes(), &cuts, Instant::now());
        let whole = Redaction::new(["b\n a", "a(\n ){2}b"].map(|text| Regex::new(text).unwrap()).to_vec(), "*").apply(input.as_bytes()).0.into_owned();
        prop_assert_eq!(shown.concat().replace('\n', ""), String::from_utf8(whole).unwrap().replace('\n', ""), "{:?}", shown);
    }

    /// Who is silent between the lines of a group has shown what stood before, and shows nothing of what comes behind.
    #[test]
    fn what_a_silence_parts_is_secret_behind_it(lines in proptest::collection::vec((" [ab]{0,4}\n", any::<bool>()), 1..12)) {
        let recipe = recipe(indent(), redacting(&["b(\n a)+"]));
        let (mut middle, mut now, mut events) = (Middle::new(&recipe, 1000), Instant::now(), Vec::new());
        for (line, is_silent) in &lines {
            middle.work(line.as_bytes(), Age::New, || now);
            if *is_silent {
                now += Duration::from_secs(1);
                middle.do_what_is_due(now);
            }
        }
        middle.end(now);
        take(&mut middle, &[], &mut events);
        let text = lines.iter().map(|(line, _)| line.as_str()).collect::<String>();
        let secret = Regex::new("b(\n a)+").unwrap();
        let secrets: Vec<_> = secret.find_iter(text.as_bytes()).map(|found| found.range()).collect();
        let ends = lines.iter().scan(0, |end, (line, is_silent)| { *end += line.len(); Some((*end, *is_silent)) });
        let silences: Vec<_> = ends.filter_map(|(end, is_silent)| is_silent.then_some(end)).collect();
        prop_assert!(!secret.is_match(events.join("\n").as_bytes()), "{:?}", events);
        for letter in ['a', 'b'] {
            let at = |at: usize| secrets.iter().find(|secret| secret.contains(&at));
            let places = || text.match_indices(letter).map(|(place, _)| place);
            let least = places().filter(|place| at(*place).is_none()).count();
            let early = |place: usize| at(place).is_some_and(|secret| silences.iter().any(|silence| place < *silence && *silence < secret.end));
            let most = least + places().filter(|place| early(*place)).count();
            let shown = events.concat().matches(letter).count();
            prop_assert!(least <= shown && shown <= most, "{} of {}, not {} to {}: {:?}", shown, letter, least, most, events);
        }
    }

    /// A daemon that is killed behind a read while lines that are too long are redacted: nothing is shown of a secret, nothing is missing or comes twice.
    #[test]
    fn who_is_killed_inside_a_long_line_repeats_nothing_and_shows_nothing(
        pieces in proptest::collection::vec((0..3_usize, "(s[a1]{0,4}b|[x ]{1,6})"), 0..12),
        max_line in 26..40_usize,
    ) {
        let kinds = ["2026-T stdout P ", "2026-T stderr F ", "2026-T stdout F "];
        let contained = pieces.iter().map(|(kind, text)| format!("{}{text}{text}\n", kinds[*kind])).collect::<Vec<_>>().concat();
        let plain = pieces.iter().map(|(_, text)| text.repeat(4)).collect::<String>();
        let count = |events: &[String]| events.concat().matches('x').count();
        for (mapping, max_line, input) in [(containers(), max_line, contained), (Mapping::default(), max_line - 20, plain)] {
            let (recipe, now, input) = (recipe(mapping, redacting(&["s[a1]{0,4}b"])), Instant::now(), input.as_bytes());
            let whole = read(&recipe, max_line, input, &[], now);
            for cut in 0..=input.len() {
                let (mut middle, mut events) = (Middle::new(&recipe, max_line), Vec::new());
                middle.work(&input[..cut], Age::New, || now);
                take(&mut middle, &[], &mut events);
                events.extend(read(&recipe, max_line, &input[cut - middle.held()..], &[], now));
                prop_assert_eq!(count(&events), count(&whole), "cut at {}: {:?} and not {:?}", cut, events, whole);
                prop_assert!(!shows(&events, "s[a1]{0,4}b"), "cut at {}: {:?}", cut, events);
            }
        }
    }

    #[test]
    fn what_is_shown_and_what_is_told_is_all(steps in proptest::collection::vec((0..400_u64, 0..9_usize), 1..40), rate in 1..9_u64) {
        let limited = Shaping { rate: rate.to_string().parse().ok(), ..Shaping::default() };
        let mut middle = Middle::new(&recipe(Mapping::default(), limited), 100);
        let (mut now, mut events, mut written) = (Instant::now(), Vec::new(), 0);
        for (millis, count) in steps {
            now += Duration::from_millis(millis);
            if middle.due().is_some_and(|due| due <= now) {
                middle.do_what_is_due(now);
            }
            middle.work("x\n".repeat(count).as_bytes(), Age::New, || now);
            written += count;
            take(&mut middle, &[], &mut events);
            prop_assert_eq!(told(&events) + middle.held() / 2, written, "what is held is not told yet");
        }
        middle.end(now);
        take(&mut middle, &[], &mut events);
        prop_assert_eq!(told(&events), written);
    }
}

/// How many lines are shown, or told to be missing.
fn told(events: &[String]) -> usize {
    let lost =
        |event: &String| event.strip_prefix("LimitGap { lost: ").and_then(|rest| rest.trim_end_matches(" }").parse::<usize>().ok());
    events.iter().map(|event| lost(event).unwrap_or(1)).sum()
}
