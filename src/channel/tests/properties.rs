//! Runs of random steps.

use super::*;

fn backed() -> impl Strategy<Value = Backed> {
    prop_oneof![Just(Backed::Not), Just(Backed::ByDisk)]
}

proptest! {
    #[test]
    fn every_guest_gets_everything_once_or_is_told(
            backed in backed(),
            steps in steps(),
            asks in proptest::collection::vec(0..4_u8, 4),
        ) {
        let mut world = World::backed(4, backed);
        let mut guests: Vec<_> = (0..4).map(|which| Guest::new(filter(which))).collect();
        for (guest, kind) in guests.iter_mut().zip(asks) {
            let (ages, ask) = first_ask(kind);
            guest.ages = ages;
            guest.connect(&mut world, &ask);
        }
        for step in steps {
            match step {
                Step::Read { guest, room, times } => (0..times).for_each(|_| { guests[guest].read(&mut world, room); }),
                Step::Cut { guest, lose } => guests[guest].come_back(&mut world, lose),
                Step::Stray { guest, ago } => guests[guest].come_from_another_life(&mut world, ago),
                Step::Leave { guest } => guests[guest].disconnect(&mut world),
                Step::Restart if backed == Backed::ByDisk => {
                    for guest in &mut guests {
                        guest.disconnect(&mut world);
                    }
                    world.restart();
                }
                other => happen(&mut world, &other),
            }
            world.check_what_is_kept();
            prop_assert!(world.index.held() <= HISTORY.max(world.batches.last().map_or(0, |batch| batch.3) + HISTORY));
        }
        for guest in &mut guests {
            if guest.connection.is_none() {
                guest.come_back(&mut world, 0);
            }
            while guest.read(&mut world, 200) {}
        }
    }

    #[test]
    fn queries_give_exactly_what_they_ask_for(backed in backed(), steps in steps(), which in 0..4_usize, count in 0..12_u64, ago in 0..2000_u64) {
        let mut world = published(backed, &steps);
        let view = filter(which);
        let retained: Vec<_> = world.of(&view).filter(|event| !event.is_dropped()).cloned().collect();
        let numbers = |events: &[Known]| events.iter().map(|event| event.number).collect::<Vec<_>>();
        let dropped = world.numbers(&view, Known::is_dropped);
        let floor_time = world.events.iter().find(|event| event.number == world.floor).map(|event| event.time);

        let (gap, got) = all_of(&mut world, &view, &Ask { tail: Some(Tail::All), ..Ask::default() });
        prop_assert_eq!(got, numbers(&retained));
        match gap {
            Some(gap) if world.floor > 0 => prop_assert_eq!(gap.lost, None),
            gap => prop_assert_eq!(gap.map(|gap| gap.lost), (!dropped.is_empty()).then_some(Some(dropped.len() as u64))),
        }

        let newest = &retained[retained.len().saturating_sub(usize::try_from(count).unwrap())..];
        let tail = Some(Tail::Newest(count));
        let (gap, got) = all_of(&mut world, &view, &Ask { tail, ..Ask::default() });
        prop_assert_eq!(&got, &numbers(newest), "tail={}", count);
        prop_assert_eq!(gap, None);

        for time in [world.now.saturating_sub(ago), BEGAN] {
            let since: Vec<_> =
                retained.iter().filter(|event| event.time >= time && event.age == Age::New).cloned().collect();
            let lost = world.numbers(&view, |event| event.is_dropped() && event.age == Age::New && event.time >= time);
            let (gap, got) = all_of(&mut world, &view, &Ask { since: Some(time), ..Ask::default() });
            prop_assert_eq!(&got, &numbers(&since), "since {}", time);
            if floor_time.is_some_and(|floor| floor >= time) {
                prop_assert_eq!(gap.map(|gap| gap.lost), Some(None));
            } else {
                let count = (time <= BEGAN).then_some(lost.len() as u64);
                let told = gap.map(|gap| gap.lost);
                let is_vague = backed == Backed::ByDisk && told == Some(None);
                prop_assert!(told.is_some() != lost.is_empty(), "since {}: {:?} for {:?}", time, told, lost);
                prop_assert!(lost.is_empty() || is_vague || told == Some(count), "since {}: {:?} for {:?}", time, told, lost);
            }

            let (gap, got) = all_of(&mut world, &view, &Ask { since: Some(time), tail, ..Ask::default() });
            let newest = numbers(&since[since.len().saturating_sub(usize::try_from(count).unwrap())..]);
            prop_assert_eq!(&got, &newest, "since {} tail={}", time, count);
            prop_assert_eq!(gap, None);
        }

        if let Some(middle) = retained.get(retained.len() / 2).cloned() {
            let earlier = &retained[..retained.len() / 2];
            let page = &earlier[earlier.len().saturating_sub(usize::try_from(count).unwrap())..];
            let id = EventId { position: Position { number: middle.number, time: middle.time }, channel: None };
            let (gap, got) = all_of(&mut world, &view, &Ask { before: Some(id), tail, ..Ask::default() });
            prop_assert_eq!(&got, &numbers(page), "before {}", middle.number);
            prop_assert_eq!(gap, None);
        }
    }

    #[test]
    fn foreign_ids_get_a_restart_and_what_came_later(backed in backed(), steps in steps(), which in 0..4_usize, number: u64, ahead in -3000..3000_i64) {
        let mut world = published(backed, &steps);
        let view = filter(which);
        let time = world.now.saturating_add_signed(ahead);
        let number = number.max(world.newest() + 1);
        let id = EventId { position: Position { number, time }, channel: None };
        let is_ahead = time > world.now;
        let is_owed = |event: &&Known| !event.is_dropped() && event.age == Age::New && (is_ahead || event.time > time);
        let expected: Vec<_> = world.of(&view).filter(is_owed).map(|event| event.number).collect();
        let (gap, got) = all_of(&mut world, &view, &Ask { last_event_id: Some(id.clone()), ..Ask::default() });
        prop_assert_eq!(got, expected);
        let gap = gap.expect("a foreign id is told of the restart");
        prop_assert_eq!((gap.reason, gap.from, gap.lost), (Reason::Restart, Some(id), None));
        prop_assert_eq!(gap.channels.into_iter().collect::<BTreeSet<_>>(), world.living(&view));
    }

    #[test]
    fn ids_verify_themselves(backed in backed(), steps in steps(), pick: prop::sample::Index, wrong in 1..1000_u64) {
        let mut world = published(backed, &steps);
        world.publish(0, 1, 1, Age::New);
        let event = pick.get(&world.events);
        let id = |number, time, channel: Option<usize>| EventId { position: Position { number, time }, channel: channel.map(name) };
        prop_assert!(world.knows(&id(event.number, event.time, Some(event.channel))));
        prop_assert!(world.knows(&id(event.number, event.time, None)));
        prop_assert!(world.knows(&id(0, BEGAN, None)));
        prop_assert!(!world.knows(&id(0, BEGAN + wrong, None)));
        prop_assert!(!world.knows(&id(event.number, BEGAN - wrong, None)), "before the life began");
        prop_assert!(!world.knows(&id(world.newest() + wrong, event.time, None)), "newer than the newest");
        if !event.is_dropped() {
            prop_assert!(!world.knows(&id(event.number, event.time + wrong, None)), "another time");
            prop_assert!(!world.knows(&id(event.number, event.time, Some((event.channel + 1) % 4))), "another channel");
        }
    }
}
