//! What a running history does, and who is told.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::disk::retention::LetGo;
use super::{Chore, Gone, History, Keep, Store, Sync};
use crate::batch::Backing;
use crate::channel::{ChannelLife, Channels};
use crate::event::{Age, ChannelName, Event, Position};
use crate::http::archived;

const BEGAN: u64 = 1_000_000;

const LARGE: Keep = Keep { size: 1 << 30, age: None };

fn open(directory: &Path, keep: Keep) -> Arc<History> {
    Arc::new(History::open(directory, Sync::Never, keep, BEGAN).unwrap().0)
}

fn name(channel: &str) -> ChannelName {
    channel.parse().unwrap()
}

/// Appends events of so many bytes at once, as a source does that stands here then; the ages that they got, and where they are.
fn append(store: &Store, channel: &str, age: Age, sizes: &[usize]) -> Vec<(Age, Backing)> {
    let mut turn = store.turn(&name(channel), BEGAN, age);
    for size in sizes {
        turn.add(Event { kind: None, data: &vec![b'x'; *size] });
    }
    turn.commit(Some("here")).iter().map(|batch| (batch.age(), batch.backing())).collect()
}

/// What upkeep has to do now.
fn chore(history: &History) -> Chore {
    history.wait(Instant::now())
}

fn has_events(history: &History, channel: &str) -> bool {
    history.look(|archive| archive.log(&name(channel)).is_some_and(super::disk::log::Log::has_events))
}

#[test]
fn old_lines_are_old_until_a_new_one_is_before_them() {
    let directory = tempfile::tempdir().unwrap();
    let history = open(directory.path(), LARGE);
    let store = Store::of(Arc::clone(&history));
    assert_eq!(history.age_of_old(&name("a")), Age::Old, "nothing is before them");
    assert_eq!(append(&store, "a", Age::Old, &[1]), [(Age::Old, Backing::Disk)]);
    assert_eq!(append(&store, "a", Age::Old, &[1]), [(Age::Old, Backing::Disk)]);
    append(&store, "a", Age::New, &[1]);
    assert_eq!(append(&store, "a", Age::Old, &[1]), [(Age::New, Backing::Disk)]);
    assert_eq!(history.age_of_old(&name("b")), Age::Old, "that is another channel");
    drop((store, history));
    let again = open(directory.path(), LARGE);
    assert_eq!((again.age_of_old(&name("a")), again.age_of_old(&name("b"))), (Age::New, Age::Old), "also after a restart");
}

#[test]
fn what_is_forgotten_is_gone_and_its_numbers_are_noted() {
    let directory = tempfile::tempdir().unwrap();
    let history = open(directory.path(), LARGE);
    let store = Store::of(Arc::clone(&history));
    append(&store, "a", Age::New, &[1, 1]);
    append(&store, "b", Age::New, &[1]);
    history.forget(&name("a"));
    assert!(history.source_of(&name("a")).is_none());
    let Chore::LetGo(gone, forgotten) = chore(&history) else { panic!("its file is to be removed") };
    assert_eq!((gone.len(), forgotten.count, forgotten.through.number), (1, 2, 2));
    assert!(gone[0].path.exists());
    history.remove(&gone, forgotten);
    assert!(!gone[0].path.exists() && !gone[0].path.parent().unwrap().exists());
    let noted = |directory: &Path| super::disk::life::uncounted(&super::disk::volume::Kernel, directory);
    assert_eq!(noted(directory.path()), forgotten);
    drop((store, history));
    let (again, report) = History::open(directory.path(), Sync::Never, LARGE, BEGAN).unwrap();
    assert!(report.doubtful_above.is_none(), "whoever finds them missing knows why");
    assert_eq!((report.floor.map(|floor| floor.number), again.newest().number), (Some(2), 3));
}

/// A file that cannot be removed is there again at the next start: its numbers are those of a log then.
#[test]
fn what_is_not_removed_is_not_noted() {
    let directory = tempfile::tempdir().unwrap();
    let history = open(directory.path(), LARGE);
    let store = Store::of(Arc::clone(&history));
    append(&store, "a", Age::New, &[1]);
    append(&store, "b", Age::New, &[1]);
    history.forget(&name("a"));
    let Chore::LetGo(gone, forgotten) = chore(&history) else { panic!("its file is to be removed") };
    // Nothing can remove it by this name.
    std::fs::remove_file(&gone[0].path).unwrap();
    std::fs::create_dir(&gone[0].path).unwrap();
    history.remove(&gone, forgotten);
    assert_eq!(super::disk::life::uncounted(&super::disk::volume::Kernel, directory.path()).count, 0);
}

/// The last channel of all: the numbering hangs on it until that is safe elsewhere, and then it is forgotten.
#[test]
fn what_cannot_be_forgotten_yet_is_forgotten_later() {
    let directory = tempfile::tempdir().unwrap();
    let history = open(directory.path(), LARGE);
    append(&Store::of(Arc::clone(&history)), "a", Age::New, &[1]);
    history.forget(&name("a"));
    assert!(matches!(chore(&history), Chore::Look) && has_events(&history, "a"));
    history.sync();
    assert!(history.check(BEGAN));
    let Chore::LetGo(gone, forgotten) = chore(&history) else { panic!("its file is to be removed") };
    assert_eq!((gone.len(), forgotten.count), (1, 1));
}

#[test]
fn upkeep_is_woken_by_an_append_that_lets_something_go() {
    let directory = tempfile::tempdir().unwrap();
    let history = open(directory.path(), Keep { size: 100_000, age: None });
    let waits = Arc::clone(&history);
    let (tell, told) = std::sync::mpsc::channel();
    let waiting = std::thread::spawn(move || {
        tell.send(()).unwrap();
        let began = Instant::now();
        (matches!(waits.wait(began + Duration::from_secs(60)), Chore::LetGo(..)), began.elapsed())
    });
    told.recv().unwrap();
    std::thread::sleep(Duration::from_millis(50)); // so that it waits; if it does not yet, it finds what there is
    let store = Store::of(Arc::clone(&history));
    (0..3).for_each(|_| drop(append(&store, "a", Age::New, &[60_000])));
    let (is_let_go, waited) = waiting.join().unwrap();
    assert!(is_let_go && waited < Duration::from_secs(30), "waited {waited:?}");
}

/// What a sync that failed was to make safe is made safe by the next.
#[test]
fn what_could_not_be_synced_is_synced_later() {
    let directory = tempfile::tempdir().unwrap();
    let history = open(directory.path(), LARGE);
    append(&Store::of(Arc::clone(&history)), "a", Age::New, &[1]);
    let synced = || super::disk::life::synced(&super::disk::volume::Kernel, directory.path()).map(|synced| synced.number);
    // A directory in the place of the file in which it is noted.
    let place = directory.path().join("@synced");
    std::fs::create_dir(&place).unwrap();
    history.sync();
    assert!(history.condition().failing.is_some() && synced().is_none());
    std::fs::remove_dir(&place).unwrap();
    history.sync();
    assert_eq!((history.condition().failing, synced()), (None, Some(1)));
}

/// One append that is more than a channel may hold: it is let go before it is published, and is no loss as long as memory has it.
#[test]
fn what_is_let_go_before_it_is_published_is_no_loss_while_memory_has_it() {
    let directory = tempfile::tempdir().unwrap();
    let history = open(directory.path(), Keep { size: 100_000, age: None });
    let channels = Channels::new(400_000, BEGAN);
    let tell = archived::tell(channels.clone());
    let gone: Arc<Mutex<Vec<LetGo>>> = Arc::default();
    let noted = Arc::clone(&gone);
    history.tell(move |gone| {
        if let Gone::LetGo(segment) = &gone {
            noted.lock().unwrap().push((*segment).clone());
        }
        tell(gone);
    });
    let store = Store::of(Arc::clone(&history));
    let publish = |channel: &str, sizes: &[usize]| {
        let mut turn = store.turn(&name(channel), BEGAN, Age::New);
        for size in sizes {
            turn.add(Event { kind: None, data: &vec![b'x'; *size] });
        }
        let batches = turn.commit(Some("here"));
        channels.open(name(channel)).publish(batches, ChannelLife::Open);
    };
    let status = |channel: &str| {
        let status = channels.status();
        let of = status.channels.iter().find(|status| status.name.as_str() == channel).unwrap();
        (of.events, of.dropped, of.retained)
    };
    publish("quiet", &[10_000]);
    publish("loud", &[10]);
    publish("loud", &[5000; 50]);
    let through = gone.lock().unwrap().last().and_then(|gone| gone.through);
    assert_eq!(through, Some(Position { number: 52, time: BEGAN }), "all of it was let go at once");
    assert!(!has_events(&history, "loud") && has_events(&history, "quiet"));
    assert_eq!((status("loud"), status("quiet")), ((51, 0, 51), (1, 0, 1)));
    // Memory lets it go as well.
    (0..30).for_each(|_| publish("quiet", &[60_000]));
    let (events, dropped, retained) = status("loud");
    assert!(dropped > 0 && dropped + retained == events, "{dropped} and {retained} of {events}");
}
