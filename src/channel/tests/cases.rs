//! Single cases, each with its reason.

use futures_util::FutureExt;

use super::*;

#[test]
fn a_channel_below_its_even_share_loses_nothing() {
    let mut world = World::new(2);
    world.publish(0, 1, 1, Age::New);
    (0..100).for_each(|_| world.publish(1, 3, 1, Age::New));
    assert_eq!(world.index.channels[&0].dropped.count(), 0);
    assert!(world.index.channels[&1].dropped.count() > 250);
}

#[test]
fn a_finished_view_is_over_only_for_who_has_everything() {
    let mut world = World::new(3);
    (0..3).for_each(|channel| world.publish(channel, 2, 1, Age::New));
    (0..2).for_each(|channel| world.index.end(channel, EndReason::Eof));
    let open = |world: &mut World, which: usize, number: u64| {
        let view = world.index.join(&filter(which));
        let time = world.events.iter().find(|event| event.number == number).unwrap().time;
        let id = EventId { position: Position { number, time }, channel: None };
        matches!(world.begin(view, &Ask { last_event_id: Some(id), ..Ask::default() }), Opening::Over)
    };
    assert!(open(&mut world, 1, 4), "web has ended, and 4 is its last");
    assert!(open(&mut world, 1, 6), "a later id of another channel covers it as well");
    assert!(!open(&mut world, 1, 3), "one event is still owed");
    assert!(!open(&mut world, 0, 6), "db goes on");
}

#[test]
fn progress_is_seen_once_and_goes_with_its_line() {
    let mut world = World::new(1);
    let view = world.index.join(&Filter::All);
    let Opening::Stream(mut cursor, _) = world.begin(view, &Ask::default()) else { panic!("a stream") };
    let mut read = |world: &World| match world.index.read(view, &mut cursor, 100) {
        Reading::Progress(states) => format!("{states:?}"),
        other => format!("{other:?}"),
    };
    world.index.set_progress(0, Bytes::from_static(b"10%"));
    world.index.set_progress(0, Bytes::from_static(b"20%"));
    assert_eq!(read(&world), "[b\"20%\"]");
    assert_eq!(read(&world), "CaughtUp");
    world.index.set_progress(0, Bytes::from_static(b"30%"));
    world.publish(0, 1, 1, Age::New);
    assert!(read(&world).starts_with("Events"));
    assert_eq!(read(&world), "CaughtUp");
}

/// Two channels of two lines each, from 1 and from 3, the second of them old.
fn new_and_old() -> World {
    let mut world = World::new(3);
    world.publish(0, 2, 1, Age::New);
    world.publish(1, 2, 1, Age::Old);
    world
}

#[test]
fn a_client_that_skips_old_lines_stands_at_the_event_that_it_takes_in_pieces() {
    let mut world = new_and_old();
    let view = world.index.join(&Filter::All);
    let ask = Ask { since: Some(BEGAN), ..Ask::default() };
    let Opening::Stream(mut cursor, _) = world.begin(view, &ask) else { panic!("a stream") };
    let mut last_of_read = |room| {
        let Reading::Events(parts) = world.index.read(view, &mut cursor, room) else { panic!("events") };
        (parts.concat(), world.index.event_at(&cursor))
    };
    let (large, last) = last_of_read(1);
    assert!(large.len() > 1 && last.is_some_and(|last| large.ends_with(&last)));
}

#[test]
fn a_stream_with_nothing_but_old_lines_starts_behind_them() {
    let mut world = World::new(1);
    world.publish(0, 5, 1, Age::Old);
    let view = world.index.join(&Filter::All);
    let ask = Ask { since: Some(BEGAN), ..Ask::default() };
    let Opening::Stream(mut cursor, Greeting::Start(start)) = world.begin(view, &ask) else { panic!("start") };
    assert_eq!((start.position.number, start.newest.map(|id| id.position.number)), (5, Some(5)));
    assert!(matches!(world.index.read(view, &mut cursor, 100), Reading::CaughtUp));
    // An id of this life: from here on the client is like any other.
    let ask = Ask { last_event_id: Some(EventId { position: start.position, channel: None }), ..Ask::default() };
    world.publish(0, 1, 1, Age::New);
    assert_eq!(all_of_plainly(&mut world, &ask), [6]);
    let beginning = EventId { position: Position { number: 0, time: BEGAN }, channel: None };
    assert_eq!(all_of_plainly(&mut world, &Ask { last_event_id: Some(beginning), ..Ask::default() }), [1, 2, 3, 4, 5, 6]);
}

/// A subscription to channels that are not on a disk.
fn subscribed(channels: &Channels, filter: &Filter, ask: &Ask) -> Option<(Subscriber, Greeting)> {
    match channels.subscribe(filter, ask, BEGAN, &Answers::default()) {
        Subscription::Stream(subscriber, greeting) => Some((subscriber, greeting)),
        Subscription::Over => None,
        Subscription::Unknown(question) => panic!("there is no disk to answer: {question:?}"),
    }
}

fn all_of_plainly(world: &mut World, ask: &Ask) -> Vec<u64> {
    let view = world.index.join(&Filter::All);
    let Opening::Stream(mut cursor, Greeting::None) = world.begin(view, ask) else { panic!("no greeting") };
    let Reading::Events(parts) = world.index.read(view, &mut cursor, usize::MAX) else { panic!("events") };
    world.index.leave(view);
    parts.iter().flat_map(|part| ids(part)).map(|id| id.position.number).collect()
}

#[test]
fn who_stays_is_told_only_of_what_its_view_contained() {
    let mut world = World::new(4);
    for channel in [2, 0, 1, 3] {
        world.publish(channel, 1, 1, Age::New);
    }
    let db = Filter::of(["db".parse().unwrap()]);
    let mut guests = [Guest::new(db.clone()), Guest::new(Filter::All)];
    for guest in &mut guests {
        guest.connect(&mut world, &Ask { tail: Some(Tail::All), ..Ask::default() });
        while guest.read(&mut world, 1000) {}
    }
    for channel in [0, 1, 3] {
        world.retire(channel);
    }
    assert_eq!((world.burials, world.index.floor.through.number), (2, 3));
    assert_eq!(world.index.position(3).time, world.event(3).time, "the time of what is gone is known at the floor");
    assert!(guests.iter_mut().all(|guest| !guest.read(&mut world, 1000)), "they have everything");
    // Only who makes a view anew cannot be told more than that.
    guests[0].come_back(&mut world, 0);
    assert_eq!(guests[0].ids.last().map(|id| id.position.number), Some(4));
    let since = Some(world.now + 1);
    let (gap, _) = all_of(&mut world, &db, &Ask { since, ..Ask::default() });
    assert_eq!(gap, None);
}

#[test]
fn a_forgotten_channel_comes_back_with_its_next_line() {
    let channels = Channels::new(1 << 20, BEGAN);
    let store = Store::new(BEGAN);
    let web = channels.open(name(0));
    let publish = |text: &[u8]| {
        let mut turn = store.turn(web.name(), BEGAN, Age::New);
        turn.add(Event { kind: None, data: text });
        web.publish(turn.commit(None), ChannelLife::Open);
    };
    publish(b"one");
    let (mut client, _) = subscribed(&channels, &filter(1), &Ask { tail: Some(Tail::All), ..Ask::default() }).unwrap();
    assert!(matches!(client.read(100, None), Reading::Events(_)));
    assert!(matches!(client.read(100, None), Reading::CaughtUp));
    assert_eq!(web.newest().map(|id| id.position.number), Some(1));

    let mut ear = client.listen();
    web.show_progress(b"10%");
    ear.note();
    web.retire();
    web.retire();
    web.show_progress(b"20%");
    web.set_condition(Condition::Failing("permission denied".to_owned()));
    assert!(ear.changed().now_or_never().is_some(), "who waits is told that nothing comes");
    assert!(matches!(client.read(100, None), Reading::Finished));
    let status = channels.status();
    assert_eq!((status.channels.len(), status.history_bytes, status.dropped, web.newest()), (0, 0, 1, None));
    assert!(!channels.knows(&name(0)));

    publish(b"two");
    let Reading::Events(parts) = client.read(100, None) else { panic!("events") };
    assert_eq!(ids(&parts[0])[0].position.number, 2);
    assert!(matches!(client.read(100, None), Reading::CaughtUp));
    let status = &channels.status().channels[0];
    assert_eq!((status.events, status.dropped, status.retained, status.state), (2, 1, 1, State::Open));

    web.publish(Vec::new(), ChannelLife::Ended(EndReason::Error));
    web.retire();
    let _ = channels.open(name(0));
    assert!(matches!(client.read(100, None), Reading::CaughtUp), "it begins anew");
}

#[test]
fn an_expected_channel_is_waited_for() {
    let channels = Channels::new(1 << 20, BEGAN);
    let (web, a, db) = ("web".parse().unwrap(), name(0), name(2));
    let segments = vec![Segment::Literal("web".to_owned()), Segment::Glob(Glob::new(|segment| segment.len() == 1))];
    assert!(!channels.knows(&web));
    let (mut early, _) = subscribed(&channels, &filter(1), &Ask::default()).unwrap();
    assert!(matches!(early.read(100, None), Reading::Finished), "nothing can come");
    channels.expect(vec![Expected::new(segments)]);
    assert!(channels.knows(&web) && channels.knows(&a) && !channels.knows(&db));
    assert!(matches!(early.read(100, None), Reading::CaughtUp), "something can come");

    let (mut client, greeting) = subscribed(&channels, &filter(2), &Ask::default()).unwrap();
    let position = Position { number: 0, time: BEGAN };
    assert_eq!(greeting, Greeting::Start(Start { channels: Vec::new(), newest: None, position }));
    assert!(matches!(client.read(100, None), Reading::CaughtUp));
    channels.open(a).publish(Vec::new(), ChannelLife::Ended(EndReason::Eof));
    assert!(matches!(client.read(100, None), Reading::CaughtUp), "it could come back");
    let other = subscribed(&channels, &Filter::of([db]), &Ask::default()).unwrap().0.read(100, None);
    assert!(matches!(other, Reading::Finished));
}

#[test]
fn the_state_of_a_channel_is_told_with_its_reason() {
    let channels = Channels::new(1 << 20, BEGAN);
    let web = channels.open(name(0));
    let state = || {
        let status = &channels.status().channels[0];
        let json = serde_json::to_value(status).unwrap();
        (json["state"].as_str().unwrap().to_owned(), json["reason"].as_str().map(str::to_owned), status.has_failed)
    };
    assert_eq!(state(), ("open".into(), None, false));
    web.set_condition(Condition::Waiting("no such file or directory".to_owned()));
    assert_eq!(state(), ("waiting".into(), Some("no such file or directory".into()), false));
    web.set_condition(Condition::Failing("permission denied".to_owned()));
    assert_eq!(state(), ("failing".into(), Some("permission denied".into()), true));
    web.set_condition(Condition::Open);
    assert_eq!(state(), ("open".into(), None, false));
    web.publish(Vec::new(), ChannelLife::Ended(EndReason::Eof));
    assert_eq!(state(), ("ended".into(), Some("eof".into()), false));
    web.publish(Vec::new(), ChannelLife::Ended(EndReason::Error));
    assert_eq!(state(), ("ended".into(), Some("error".into()), true));
}

#[test]
fn the_gap_of_a_source_is_an_event_that_names_its_own_place() {
    let store = Store::new(BEGAN);
    let mut turn = store.turn(&name(0), BEGAN, Age::New);
    let to = turn.position();
    let gap = Gap { channels: vec![name(0)], reason: Reason::Truncated, from: None, to, lost: None };
    turn.add_control("gap", &gap);
    let text = String::from_utf8(turn.commit(None)[0].encoded().to_vec()).unwrap();
    let data = r#"{"channels":["web/a"],"reason":"truncated","from":null,"to":"1000000-1","lost":null}"#;
    assert_eq!(text, format!("id: 1000000-1/web/a\nevent: gap\ndata: {data}\n\n"));
}

#[test]
fn who_reads_up_to_another_meets_it() {
    let mut world = World::new(2);
    (0..2).for_each(|_| {
        world.publish(0, 2, 1, Age::New);
        world.publish(1, 1, 1, Age::New);
    });
    let view = world.index.join(&filter(1));
    let open = |world: &World, tail| match world.begin(view, &Ask { tail: Some(tail), ..Ask::default() }) {
        Opening::Stream(cursor, _) => cursor,
        Opening::Over | Opening::Unknown(_) => panic!("it goes on"),
    };
    let (mut ahead, mut behind) = (open(&world, Tail::Newest(1)), open(&world, Tail::All));
    while let Reading::Events(_) = world.index.read(view, &mut ahead, 1) {}
    world.publish(0, 2, 1, Age::New);
    let mut count = 0;
    while behind != ahead {
        let Reading::Events(parts) = world.index.read_to(view, &mut behind, 1, ahead.number()) else { panic!("events") };
        count += parts.iter().map(|part| ids(part).len()).sum::<usize>();
    }
    assert_eq!(count, 6);
    let Reading::Events(_) = world.index.read_to(view, &mut behind, 1, ahead.number()) else { panic!("it goes on from there") };
}

/// Where the end of a channel is missing its source says it again: whoever was there is told first, whatever it has seen last.
#[test]
fn who_was_there_before_an_end_went_missing_is_told_first() {
    let mut index = Index::new(HISTORY, BEGAN);
    let stored = |last, published| Stored { published, last, old_through: 0, archived: Some(last), losses: Vec::new() };
    // Of `web/a` the events 2 and 4 are missing, of which nobody knows; 3 is the other's; 5 is given to nobody.
    let place = |number| Position { number, time: BEGAN + number };
    index.go_on(place(5), Some(place(5)));
    index.restore(&name(0), &stored(place(1), 1));
    index.restore(&name(2), &stored(place(3), 1));
    for channel in [0, 2] {
        index.open(&name(channel));
    }
    for which in [Filter::All, filter(1), filter(2)] {
        let view = index.join(&which);
        let gap_for = |position: Position, channel: Option<usize>| {
            let id = EventId { position, channel: channel.map(name) };
            let ask = Ask { last_event_id: Some(id), ..Ask::default() };
            let mut answers = Answers::default();
            let on_disk = Some((position.time, name(if position.number == 3 { 2 } else { 0 })));
            let at = on_disk.filter(|_| [1, 3].contains(&position.number));
            answers.learn_event(position.number, Around { at, ..Around::default() });
            let Opening::Stream(_, greeting) = index.begin(view, &ask, BEGAN + 100, &answers) else { panic!("a stream") };
            if let Greeting::Gap(gap) = greeting { Some(gap.reason) } else { None }
        };
        for (number, channel) in [(1, 0), (2, 0), (3, 2), (4, 0)] {
            assert_eq!(gap_for(place(number), Some(channel)), Some(Reason::Dropped), "{number} of {which:?}");
            assert_eq!(gap_for(place(number), None), Some(Reason::Dropped), "{number} of {which:?}");
        }
        // Nobody knew that it was given before.
        assert_eq!(gap_for(Position { time: BEGAN + 4, ..place(5) }, Some(0)), Some(Reason::Restart));
        assert_eq!(gap_for(place(5), None), None, "who began behind it has missed nothing");
        index.leave(view);
    }
}
