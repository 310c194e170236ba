use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;

use crate::harness::{Random, eventually, how_to_repeat, scale, seed};
use crate::reload::Scene;

/// How many files there are.
const FILES: usize = 5;

fn configured(root: &Path, chosen: &BTreeSet<usize>, changed: bool) -> String {
    let more = if changed { "event-type = \"x\"\n" } else { "" };
    chosen
        .iter()
        .map(|file| format!("[[source]]\nname = \"f{file}\"\nread = \"{}/f{file}.log\"\nfrom = \"start\"\n{more}", root.display()))
        .collect()
}

/// Lines are written all the time while sources come, go and change: in the end each is there once, in order.
#[test]
fn every_line_of_a_source_that_comes_and_goes_is_there_once() {
    let seed = seed();
    let mut random = Random::new(seed);
    let all: BTreeSet<usize> = (0..FILES).collect();
    let mut scene = Scene::start(|root| "history = \"64MiB\"\n".to_owned() + &configured(root, &all, false));
    let mut written = [0_usize; FILES];
    let mut open = OpenOptions::new();
    let mut files: Vec<_> =
        (0..FILES).map(|file| open.create(true).append(true).open(scene.path(&format!("f{file}.log"))).unwrap()).collect();
    for round in 0..scale(30, 300) {
        for _ in 0..random.below(200) {
            let file = random.below(FILES);
            written[file] += 1;
            writeln!(files[file], "{}", written[file]).unwrap();
        }
        let chosen: BTreeSet<usize> = all.iter().copied().filter(|_| random.below(3) > 0).collect();
        // Without any source there would be standard input.
        let chosen = if chosen.is_empty() { BTreeSet::from([0]) } else { chosen };
        scene.reload(|root| "history = \"64MiB\"\n".to_owned() + &configured(root, &chosen, round % 3 == 0));
    }
    scene.reload(|root| "history = \"64MiB\"\n".to_owned() + &configured(root, &all, false));
    for (file, count) in written.iter().enumerate() {
        let expected: Vec<String> = (1..=*count).map(|line| line.to_string()).collect();
        let ask = || {
            let events = scene.bridge.get(&format!("/events/f{file}?tail=all&follow=0")).rest();
            events
                .into_iter()
                .map(|event| if event.event == "gap" { format!("gap {}", event.data) } else { event.data })
                .collect::<Vec<_>>()
        };
        // Where what was given first differs, and what stands around it.
        let difference = || {
            let given = ask();
            let at = given.iter().zip(&expected).position(|(given, expected)| given != expected).unwrap_or(expected.len());
            (given != expected)
                .then(|| (file, at, given[at.saturating_sub(2).min(given.len())..(at + 3).min(given.len())].to_vec()))
        };
        eventually(&format!("each line once; {}", how_to_repeat(seed)), difference, Option::is_none);
    }
}
