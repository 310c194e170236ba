//! Sieves against the plainest things that can be right.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::table::MAX_SIEVES;
use super::*;
use crate::event::{Event, Position};
use crate::sse::Ids;

fn recipe(must: &[&str], must_not: &[&str], case: Case, types: &[&str]) -> Recipe {
    let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    Recipe::of(texts(must), texts(must_not), case, types.iter().map(|kind| (*kind).to_owned()).collect()).unwrap()
}

fn sieve(recipe: Recipe) -> Result<Sieve, BadExpression> {
    Sieve::new(1, recipe, Arc::default())
}

fn grep(expression: &str) -> Result<Sieve, BadExpression> {
    sieve(recipe(&[expression], &[], Case::Counts, &[]))
}

fn encode(number: u64, kind: Option<&str>, data: &[u8]) -> Vec<u8> {
    let mut ids = Ids::default();
    ids.set(5, &"web/a".parse().unwrap());
    let mut out = Vec::new();
    sse::event(&mut out, &ids, number, Event { kind, data });
    out
}

fn judge(sieve: &Sieve, kind: Option<&str>, data: &[u8]) -> Verdict {
    sieve.judge(&encode(7, kind, data), &mut Vec::new())
}

#[test]
fn data_and_types_are_judged_and_control_events_pass() {
    let both = sieve(recipe(&["a.c", "x$"], &["no"], Case::Counts, &[])).unwrap();
    assert_eq!(judge(&both, None, b"abc x"), Verdict::Match);
    assert_eq!(judge(&both, Some("tick"), b"abc x"), Verdict::Match);
    for miss in [&b"abc"[..], b"x", b"ABC x", b"abc no x"] {
        assert_eq!(judge(&both, None, miss), Verdict::Miss);
    }
    let caseless = sieve(recipe(&["\u{e4}b"], &["NO"], Case::Ignored, &[])).unwrap();
    assert_eq!(judge(&caseless, None, "\u{c4}B".as_bytes()), Verdict::Match);
    assert_eq!(judge(&caseless, None, "\u{c4}B no".as_bytes()), Verdict::Miss);
    let typed = sieve(recipe(&[], &[], Case::Counts, &["tick", ""])).unwrap();
    assert_eq!(
        [Some("tick"), None, Some("tock")].map(|kind| judge(&typed, kind, b"")),
        [Verdict::Match, Verdict::Match, Verdict::Miss]
    );
    for kind in ["gap", "end", "run"] {
        assert_eq!(judge(&both, Some(kind), b"{}"), Verdict::Control);
    }
    assert_eq!(judge(&both, None, b"event: end"), Verdict::Miss, "data is no field");
}

#[test]
fn lines_inside_are_joined_by_lf() {
    assert_eq!(judge(&grep("^a\nb$").unwrap(), None, b"a\r\nb"), Verdict::Match);
    assert_eq!(judge(&grep("^b").unwrap(), None, b"a\rb"), Verdict::Miss);
    assert_eq!(judge(&grep("(?m)^b").unwrap(), None, b"a\rb"), Verdict::Match);
    assert_eq!(judge(&grep("data: ").unwrap(), None, b"a\rb"), Verdict::Miss);
    assert_eq!(
        judge(&grep(r"(?-u)\xEF\xBF\xBD").unwrap(), None, b"\xff"),
        Verdict::Match,
        "what is not UTF-8 is looked at as it is sent"
    );
}

#[test]
fn bad_expressions_are_told_in_one_line_with_their_place() {
    let told = |text: &str| grep(text).unwrap_err().to_string();
    assert_eq!(told("ab("), "bad value 'ab(' for grep: unclosed group, at character 3");
    assert_eq!(
        told("\u{e4}[z-a]"),
        "bad value '\u{e4}[z-a]' for grep: invalid character class range, the start must be <= the end, at character 3"
    );
    for bad in [
        "*",
        "a{2,1}",
        "(?z)",
        r"\p{Nothing}",
        "[[:x:",
        "(a",
        "a)",
        r"\1",
        "(?<n>a)(?<n>b)",
        "(?=a)",
        "\\",
        "(".repeat(60).as_str(),
    ] {
        let line = told(bad);
        assert!(line.contains(", at character ") && !line.contains('\n'), "{bad}: {line}");
    }
    for large in [r"\w{60}", r"\pL{64}", r"(\w\W){20}"] {
        assert!(told(large).ends_with("too large: repeat less, or use smaller classes"), "{}", told(large));
    }
    for costly in ["(a{100}){100}", "[ab]{65}", "(x|y)*x(x|y){1000}z", "(abc){23}", "a{0,66}", &".".repeat(65), r"\d{30}.{30}\s{5}"]
    {
        assert!(told(costly).contains("too costly"), "{}", told(costly));
    }
    for (good, other) in
        [("[0-9a-f]{64}", "x"), (r"\d{4}-\d{2}-\d{2}T.{0,20}[0-9a-f]{32}$", "^(GET|POST|HEAD) /"), ("(ab|cd)+", "(abc){22}")]
    {
        assert!(sieve(recipe(&[good], &[other], Case::Counts, &[])).is_ok(), "{good}");
    }
    assert!(
        sieve(recipe(&["[ab]{40}"], &["[ab]{30}"], Case::Counts, &[])).unwrap_err().to_string().contains("too costly"),
        "together"
    );
    assert!(told(&"x".repeat(MAX_EXPRESSION + 1)).ends_with("longer than 1024 bytes"));
    assert!(grep(&"x".repeat(MAX_EXPRESSION)).is_ok());
    assert!(grep(r"^\w+@\w+\.\w+$").is_ok(), "expressions that people write are not too large");
}

#[test]
fn what_looks_catastrophic_is_linear() {
    for (expression, letter) in
        [("(a+)+$", "a"), ("(a|a)*b", "a"), ("(.*)*=x", "="), ("(x+x+)+y", "x"), ("(a|b)*a(a|b){12}c", "ab")]
    {
        let sieve = grep(expression).unwrap();
        let time = |length: usize| {
            let event = encode(1, None, (letter.repeat(length) + "!").as_bytes());
            let began = Instant::now();
            assert_eq!(sieve.judge(&event, &mut Vec::new()), Verdict::Miss);
            began.elapsed()
        };
        time(1000);
        let (short, long) = (time(20_000), time(200_000));
        assert!(long < short * 60 + Duration::from_millis(50), "{expression}: {short:?}, and {long:?} for ten times as much");
    }
}

/// How long one takes is measured against one that is as light as can be, on the same machine in the same moment.
#[test]
fn light_ones_stay_light_on_the_worst_events() {
    let mut random = 7_u32;
    let mut letter = |_| {
        random ^= random << 13;
        random ^= random >> 17;
        random ^= random << 5;
        if random & 1 == 0 { b'x' } else { b'y' }
    };
    let worst: Vec<u8> = (0..1 << 20).map(&mut letter).collect();
    let event = encode(1, None, &worst);
    let time = |sieve: &Sieve| {
        let look = |_| {
            let began = Instant::now();
            assert_eq!(sieve.judge(&event, &mut Vec::new()), Verdict::Miss);
            began.elapsed()
        };
        (0..3).map(look).min().unwrap()
    };
    let least = time(&grep("[xy]z").unwrap());
    for light in ["(x|y)*x(x|y){6}z", "x.{8}z", "[xy]*x[xy]{7}z", r"(?i)x.{6}\d", "(x|y|xy|yx)*[xy]{6}z"] {
        let sieve = grep(light).unwrap();
        let took = time(&sieve);
        assert!(sieve.key().is_light, "{light}");
        assert!(took < least * 30 + Duration::from_millis(20), "{light}: {took:?}, and {least:?} for the lightest");
    }
    assert!(!grep("(x|y)*x(x|y){8}z").unwrap().key().is_light);
}

#[test]
fn the_same_recipe_is_one_sieve_while_somebody_uses_it() {
    let sieves = Sieves::new(Arc::default());
    let one = sieves.get(&recipe(&["a", "b"], &[], Case::Counts, &[])).unwrap();
    let other = sieves.get(&recipe(&["b", "", "a", "b"], &[], Case::Counts, &[])).unwrap();
    assert!(Arc::ptr_eq(&one, &other));
    assert_eq!(sieves.count(), 1);
    drop((one, other));
    assert_eq!((sieves.count(), sieves.find(&recipe(&["a", "b"], &[], Case::Counts, &[])).is_some()), (0, false));
    let many: Vec<_> = (0..MAX_SIEVES).map(|n| sieves.get(&recipe(&[&n.to_string()], &[], Case::Counts, &[])).unwrap()).collect();
    let one_more = recipe(&["one more"], &[], Case::Counts, &[]);
    assert_eq!(sieves.get(&one_more).unwrap_err(), Crowded.into());
    assert!(sieves.get(&recipe(&["7"], &[], Case::Counts, &[])).is_ok(), "one that is in use is shared");
    drop(many);
    assert!(sieves.get(&one_more).is_ok());
    assert!(Recipe::of(vec![String::new()], Vec::new(), Case::Ignored, BTreeSet::new()).is_none());
}

#[test]
fn a_part_is_looked_through_once() {
    let metrics = Arc::new(Metrics::default());
    let sieve = Sieve::new(1, recipe(&["x"], &[], Case::Counts, &[]), Arc::clone(&metrics)).unwrap();
    let part = Bytes::from([encode(1, None, b"x"), encode(2, None, b"y")].concat());
    let first = sieve.sift_shared(&part, |_| false);
    assert_eq!((sieve.sift_shared(&part, |_| false), metrics.sieve_scans.get()), (first, 1));
    let whole = sieve.sift_shared(&part.slice(..part.len() / 2), |_| false);
    assert_eq!((whole.looked, metrics.sieve_scans.get()), (part.len() / 2, 2), "another part");
}

proptest! {
    #[test]
    fn however_it_is_cut_the_same_events_pass(
        events in proptest::collection::vec((proptest::option::of(prop_oneof!["gap", "end", "tick"]), "[ab\r]{0,4}"), 1..12),
        pauses in proptest::collection::vec(any::<bool>(), 12),
    ) {
        let sieve = sieve(recipe(&["a"], &["bb"], Case::Counts, &["", "tick"])).unwrap();
        let encoded: Vec<_> = (1..).zip(&events).map(|(number, (kind, data))| encode(number, kind.as_deref(), data.as_bytes())).collect();
        let expected: Vec<_> = encoded.iter().map(|event| sieve.judge(event, &mut Vec::new())).collect();
        let passed: Vec<_> = encoded.iter().zip(&expected).filter(|(_, verdict)| **verdict != Verdict::Miss).map(|(event, _)| event.clone()).collect();
        let (mut rest, mut verdicts, mut sent, mut pauses) = (Bytes::from(encoded.concat()), Vec::new(), Vec::new(), pauses.into_iter());
        while !rest.is_empty() {
            let sifted = sieve.sift(&rest, |_| pauses.next().unwrap_or(false));
            let looked_through = rest.split_to(sifted.looked);
            verdicts.extend(sifted.each(&looked_through).map(|(_, verdict)| verdict));
            sent.extend(sifted.passed(&looked_through).unwrap_or_default());
            if let Some(last) = sifted.last {
                prop_assert!(sent.ends_with(&looked_through[last..last + sse::length_of(&looked_through[last..], 1)]));
            }
        }
        prop_assert_eq!(verdicts, expected);
        prop_assert_eq!(sent, passed.concat());
    }
}

/// What the description of a context says, said plainly: the numbers of the events that are sent.
fn around(verdicts: &[Verdict], reach: usize) -> Vec<u64> {
    let is_near = |at: usize, other: usize| {
        let (low, high) = (at.min(other), at.max(other));
        high - low <= reach && !verdicts[low..=high].contains(&Verdict::Control)
    };
    let is_sent = |at: usize| {
        verdicts[at] != Verdict::Miss || (0..verdicts.len()).any(|other| verdicts[other] == Verdict::Match && is_near(at, other))
    };
    (0..verdicts.len()).filter(|at| is_sent(*at)).map(|at| at as u64 + 1).collect()
}

/// Runs the events behind the first `from` through a context; what is sent and, behind each event, the place up to which all is decided.
fn run(context: &mut Context, verdicts: &[Verdict], from: usize, size: usize) -> (Vec<u64>, Vec<Position>) {
    let (mut sent, mut places) = (Vec::new(), Vec::new());
    for (at, verdict) in verdicts.iter().enumerate().skip(from) {
        context.take(encode(at as u64 + 1, None, &vec![b'x'; size]).into(), *verdict, &mut sent);
        places.push(context.decided());
    }
    (sent.iter().map(|event| sse::position_of(event).unwrap().number).collect(), places)
}

fn place(number: u64) -> Position {
    Position { number, time: 5 }
}

proptest! {
    #[test]
    fn a_context_is_what_it_says_and_whoever_comes_back_gets_the_rest(
        verdicts in proptest::collection::vec(prop_oneof![2 => Just(Verdict::Match), 9 => Just(Verdict::Miss), 1 => Just(Verdict::Control)], 0..40),
        reach in 1..5_usize,
    ) {
        let expected = around(&verdicts, reach);
        let (sent, places) = run(&mut Context::behind(place(0), reach, 0), &verdicts, 0, 1);
        prop_assert_eq!(&sent, &expected);
        for (at, id) in sent.iter().enumerate() {
            let have = usize::try_from(*id).unwrap();
            let before = verdicts[..have].iter().rev().take(reach).position(|verdict| *verdict != Verdict::Miss);
            let following = before.filter(|back| verdicts[have - 1 - back] == Verdict::Match).map_or(0, |back| reach - back);
            let (rest, _) = run(&mut Context::behind(place(*id), reach, following), &verdicts, have, 1);
            prop_assert_eq!(&rest, &expected[at + 1..], "back with {}", id);
        }
        for mark in places {
            let have = usize::try_from(mark.number).unwrap();
            let rest: Vec<_> = expected.iter().copied().filter(|number| *number > mark.number).collect();
            if !sent.contains(&mark.number) {
                prop_assert_eq!(&run(&mut Context::behind(mark, reach, 0), &verdicts, have, 1).0, &rest, "back with the bookmark {}", mark);
            }
        }
    }
}

#[test]
fn what_is_withheld_has_a_bound_in_bytes() {
    let misses = [Verdict::Miss; 9];
    let mut context = Context::behind(place(0), 100, 0);
    let (sent, places) = run(&mut context, &misses, 0, MAX_WITHHELD / 4);
    assert!(sent.is_empty());
    assert_eq!(places.last(), Some(&place(6)), "of nine events three fit");
    let mut out = Vec::new();
    context.take(encode(10, None, b"x").into(), Verdict::Match, &mut out);
    assert_eq!(out.len(), 4);
    context.take(encode(11, None, &vec![b'x'; 2 * MAX_WITHHELD]).into(), Verdict::Miss, &mut out);
    assert_eq!((out.len(), context.decided()), (5, place(11)), "behind a match it is sent, however large");
}
