//! A server that has everything, and clients that take a part of it, stop, and come back.

use proptest::prelude::*;

use super::*;
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

/// One run: reads the wire, and takes at most `room` bytes of what is written.
fn run(shape: Shape, sieve: &Sieve, place: &mut Place, wire: &[u8], mut room: usize, piece: usize) -> Vec<u8> {
    let (mut reader, mut parser, mut taken) = (reader(shape, sieve, place), Parser::new(1 << 20), Vec::new());
    for bytes in wire.chunks(piece) {
        parser.push(bytes, |event| reader.take(event));
        for step in reader.steps() {
            if let Step::Write(block) = step {
                let count = room.min(block.bytes.len());
                taken.extend_from_slice(&block.bytes[..count]);
                block.move_on(place, count);
                room -= count;
                if count < block.bytes.len() {
                    return taken;
                }
            }
        }
    }
    taken
}

proptest! {
    #[test]
    fn whatever_is_taken_all_runs_together_give_everything_once(
        events in proptest::collection::vec((prop_oneof![3 => Just(None), 1 => Just(Some("tick")), 1 => Just(Some("end")), 1 => Just(Some("gap"))], "[a-cx]{0,12}(\n[a-cx]{0,5})?"), 0..25),
        shape in prop_oneof![Just(Shape::Lines), Just(Shape::Ndjson), Just(Shape::Labelled(Paint::Coloured))],
        wanted in prop_oneof![Just(""), Just("a"), Just("x$")],
        stops in proptest::collection::vec((0..120_usize, any::<bool>(), 1..200_usize), 0..12),
    ) {
        let sieve = Sieve::new(&[wanted.to_owned()], &[], crate::expression::Case::Counts).unwrap();
        let all = run(shape, &sieve, &mut Place::default(), &stream(&events, 0), usize::MAX, 64);
        let (mut place, mut seen) = (Place::default(), Vec::new());
        for (room, is_from_the_beginning, piece) in stops.into_iter().chain([(usize::MAX, false, 64)]) {
            // A proxy may lose what the client says of its place.
            let first = if is_from_the_beginning { 0 } else { behind(&place) };
            seen.extend(run(shape, &sieve, &mut place, &stream(&events, first), room, piece));
        }
        prop_assert_eq!(String::from_utf8_lossy(&seen), String::from_utf8_lossy(&all));
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
    Parser::new(1000).push(wire, |event| reader.take(event));
    let steps = reader.steps();
    let [Step::Ping, Step::Write(block), Step::Busy(Some(pause))] = &steps[..] else { panic!("{steps:?}") };
    let mut place = Place::default();
    block.move_on(&mut place, 0);
    assert_eq!((&*place.id, block.bytes.len(), pause.as_millis()), (&b"5-0"[..], 0, 9));
}
