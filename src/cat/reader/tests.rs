//! A server that has everything, and clients that take a part of it, stop, and come back.

use proptest::prelude::*;

use super::*;
use crate::cat::shape;
use crate::cat::shape::Paint;
use crate::event::{ChannelName, Event, Position};
use crate::sse::{self, Ids, parse::Parser};

/// The events of a server from `first` on, with numbers from 1.
fn stream(events: &[(Option<&str>, String)], first: usize) -> Vec<u8> {
    let (mut wire, mut ids) = (Vec::new(), Ids::default());
    let channel: ChannelName = "web/a".parse().unwrap();
    for (number, (kind, data)) in (1..).zip(events).skip(first) {
        ids.set(100 + number / 3, &channel);
        sse::event(&mut wire, &ids, number, Event { kind: *kind, data: data.as_bytes() });
    }
    wire
}

/// How many events are at or below a place.
fn behind(place: &Place) -> usize {
    super::super::place::read(&place.id).map_or(0, |id| usize::try_from(id.position.number).unwrap())
}

fn reader(shape: Shape, sieve: &Sieve, place: &Place) -> Reader {
    Reader::new(shape, None, Arc::new(sieve.clone()), OnGap::GoOn, place)
}

/// One run: completes what was begun, reads the wire behind that, and takes at most `room` bytes of what is written.
fn run(shape: Shape, sieve: &Sieve, place: &mut Place, wire: impl Fn(usize) -> Vec<u8>, mut room: usize, piece: usize) -> Vec<u8> {
    let (mut parser, mut taken) = (Parser::new(1 << 20), Vec::new());
    let mut write = |block: &Block, place: &mut Place| {
        let count = room.min(block.bytes.len());
        taken.extend_from_slice(&block.bytes[..count]);
        block.move_on(place, count);
        room -= count;
        count == block.bytes.len()
    };
    if let Some(part) = &place.part.clone()
        && !write(&Block::rest_of(part), place)
    {
        return taken;
    }
    let mut reader = reader(shape, sieve, place);
    for bytes in wire(behind(place)).chunks(piece) {
        parser.push(bytes, |event| reader.take(event));
        for step in reader.steps() {
            if let Step::Write(block) = step
                && !write(&block, place)
            {
                return taken;
            }
        }
    }
    taken
}

fn shapes() -> impl Strategy<Value = Shape> {
    prop_oneof![Just(Shape::Lines), Just(Shape::Ndjson), Just(Shape::Labelled(Paint::Coloured))]
}

/// Whether a text is all events in order, each once and whole, in any of the shapes. What begins with one shape of an event begins with no other.
fn in_any_shape(events: &[(Option<&str>, String)], sieve: &Sieve, text: &[u8]) -> Result<(), String> {
    let mut rest = text;
    for number in 0..events.len() {
        let (kind, data) = &events[number];
        let is_control = matches!(kind, Some("end" | "gap"));
        let shapes = [Shape::Ndjson, Shape::Lines, Shape::Labelled(Paint::Coloured)];
        let mut written = shapes.iter().filter(|shape| !is_control || **shape == Shape::Ndjson).map(|shape| {
            let mut out = Vec::new();
            Parser::new(1 << 20).push(&stream(&events[..=number], number), |event| {
                shape::write(*shape, None, &event.unwrap(), &mut out);
            });
            out
        });
        if is_control || sieve.passes(data.as_bytes()) {
            match written.find(|written| rest.starts_with(written)) {
                Some(written) => rest = &rest[written.len()..],
                None if is_control => {}
                None => return Err(format!("no event {}: {}", number + 1, String::from_utf8_lossy(rest))),
            }
        }
    }
    if rest.is_empty() { Ok(()) } else { Err(format!("too much: {}", String::from_utf8_lossy(rest))) }
}

proptest! {
    #[test]
    fn whatever_is_taken_all_runs_together_give_everything_once(
        events in proptest::collection::vec((prop_oneof![3 => Just(None), 1 => Just(Some("tick")), 1 => Just(Some("end")), 1 => Just(Some("gap"))], "[a-cx]{0,12}(\n[a-cx]{0,5})?"), 0..25),
        wanted in prop_oneof![Just(""), Just("a"), Just("x$")],
        stops in proptest::collection::vec((0..120_usize, any::<bool>(), 1..200_usize, shapes()), 0..12),
        last in shapes(),
    ) {
        let sieve = Sieve::new(&[wanted.to_owned()], &[], crate::expression::Case::Counts).unwrap();
        let (mut place, mut seen) = (Place::default(), Vec::new());
        for (room, is_from_the_beginning, piece, shape) in stops.into_iter().chain([(usize::MAX, false, 64, last)]) {
            // A proxy may lose what the client says of its place.
            let wire = |behind| stream(&events, if is_from_the_beginning { 0 } else { behind });
            seen.extend(run(shape, &sieve, &mut place, wire, room, piece));
        }
        prop_assert_eq!(in_any_shape(&events, &sieve, &seen), Ok(()));
        let last = Position { number: events.len() as u64, time: 100 + events.len() as u64 / 3 };
        prop_assert!(events.is_empty() || place.id == format!("{last}/web/a").into_bytes(), "{:?}", place);
    }

    #[test]
    fn no_stream_makes_it_panic(wire: Vec<u8>, text in "(id: ?[0-9-]{0,5}\n|event: (gap|busy|end|ping|run)\n|data: ?(\\{\\}|\\{\"retry\":9\\}|x)?\n|\n){0,20}") {
        for bytes in [&wire[..], text.as_bytes()] {
            let mut reader = reader(Shape::Ndjson, &Sieve::default(), &Place::default());
            Parser::new(100).push(bytes, |event| reader.take(event));
            reader.steps();
        }
    }
}

#[test]
fn nothing_is_read_behind_a_gap_that_stops() {
    let wire = b"id: 5-1/a\ndata: x\n\nid: 5-2/a\nevent: gap\ndata: {}\n\nid: 5-3/a\ndata: y\n\n";
    let mut reader = Reader::new(Shape::Lines, None, Arc::default(), OnGap::Stop, &Place::default());
    Parser::new(1000).push(wire, |event| reader.take(event));
    let steps = reader.steps();
    assert!(matches!(&steps[..], [Step::Write(block), Step::Stop(_)] if block.bytes == b"x\n"), "{steps:?}");
    Parser::new(1000).push(wire, |event| reader.take(event));
    assert!(reader.steps().is_empty());
}

#[test]
fn what_the_protocol_says_to_clients_is_no_line() {
    let wire = b"event: ping\ndata: {}\n\nevent: progress\ndata: 50%\n\nid: 5-0\nevent: start\ndata: {}\n\nretry: 9\nevent: busy\ndata: {\"retry\":9}\n\n";
    let mut reader = reader(Shape::Lines, &Sieve::default(), &Place::default());
    reader.recognize();
    Parser::new(1000).push(wire, |event| reader.take(event));
    let steps = reader.steps();
    let [Step::Ping, Step::Write(block), Step::Busy(busy)] = &steps[..] else { panic!("{steps:?}") };
    let mut place = Place::default();
    block.move_on(&mut place, 0);
    assert_eq!((&*place.id, block.bytes.len(), busy.retry), (&b"5-0"[..], 0, Some(9)));
}

fn read(reader: &mut Reader, wire: &str) -> (String, Vec<String>) {
    let (mut text, mut said) = (Vec::new(), Vec::new());
    Parser::new(100).push(wire.as_bytes(), |event| reader.take(event));
    for step in reader.steps() {
        match step {
            Step::Write(block) => text.extend(block.bytes),
            Step::Say(notice) => said.push(notice.line),
            other => said.push(format!("{other:?}")),
        }
    }
    (String::from_utf8(text).unwrap(), said)
}

#[test]
fn types_of_others_are_theirs() {
    // Ids of Redis look like positions.
    let theirs = "id: 5-1\nevent: start\ndata: {\"job\":1}\n\nevent: progress\ndata: 50%\n\nid: 5-2\nevent: end\ndata: {}\n\nevent: ping\ndata: p\n\n";
    let mut lines = reader(Shape::Lines, &Sieve::default(), &Place::default());
    assert_eq!(read(&mut lines, theirs), ("{\"job\":1}\n50%\n{}\np\n".into(), vec![]));
    let mut objects = reader(Shape::Ndjson, &Sieve::default(), &Place::default());
    let (text, _) = read(&mut objects, theirs);
    assert!(text.contains("\"type\":\"start\",\"data\":\"{\\\"job\\\":1}\"") && text.lines().count() == 4, "{text}");
    // Ours say who they are, or it shows.
    for ours in ["id: 5-1/a\ndata: x\n\n", "id: 5-1\nevent: start\ndata: {\"channels\":[\"a\"],\"newest\":null}\n\n"] {
        let mut reader = reader(Shape::Lines, &Sieve::default(), &Place::default());
        let (text, said) = read(&mut reader, &format!("{ours}event: progress\ndata: 50%\n\n"));
        assert_eq!((text.len() <= 2, said), (true, vec![]), "{text}");
    }
    let place = Place { id: b"5-1/a".to_vec(), part: None };
    assert_eq!(read(&mut reader(Shape::Lines, &Sieve::default(), &place), "event: progress\ndata: x\n\n").0, "");
}

#[test]
fn a_gap_is_told_once() {
    let gap = |id: &str| format!("id: {id}\nevent: gap\ndata: {{\"channels\":[\"a\"],\"reason\":\"dropped\",\"lost\":3}}\n\n");
    let mut reader = reader(Shape::Lines, &Sieve::default(), &Place::default());
    reader.recognize();
    assert_eq!(read(&mut reader, &gap("5-3")).1.len(), 1);
    assert_eq!(read(&mut reader, &gap("5-3")).1.len(), 0, "it comes again to who was cut behind it");
    assert_eq!(read(&mut reader, &gap("5-4")).1.len(), 1);
}

#[test]
fn what_is_too_long_is_told_once_as_soon_as_it_is_known() {
    let long = format!("id: 5-2/a\ndata: {}\n\n", "x".repeat(300));
    let mut reader = reader(Shape::Lines, &Sieve::default(), &Place::default());
    let said = vec!["gap: an event is longer than 100 B, and is left out (--max-line)".to_owned()];
    assert_eq!(read(&mut reader, &long), (String::new(), said.clone()));
    reader.grows_too_large(100);
    reader.grows_too_large(100);
    assert_eq!(read(&mut reader, ""), (String::new(), said.clone()), "it comes");
    assert_eq!(
        read(&mut reader, &format!("{long}id: 5-3/a\ndata: y\n\n{long}")),
        ("y\n".into(), said),
        "one was told, and the next is not"
    );
    let mut strict = Reader::new(Shape::Lines, None, Arc::default(), OnGap::Stop, &Place::default());
    strict.grows_too_large(100);
    assert!(matches!(&strict.steps()[..], [Step::Stop(_)]));
}
