//! The conformance matrix: what goes into a bridge as bytes comes out of real clients as events.
//!
//! ```text
//! case ─▸ bridge ─▸ (cutter) ─▸ client ─▸ what it heard ─▸ table
//!   input whole, in 1- and      wire whole, in 1- and
//!   2-byte pieces               2-byte pieces
//! ```
//!
//! Thirty rows, ten columns. The bridge is the real binary. Our own client comes first: it follows each case live through
//! the strict parser, and what it read is compared with what the case expects. The other clients, each started once,
//! then follow all streams: they must hear the same events with the same ids, in the same order, exactly once. The column
//! `bodies` is more than a client: it reads each stream over HTTP/1.0, HTTP/1.1 and HTTP/2, and the bodies must be the same
//! bytes. `ended` and `live` ask the same of every kind of request, and of clients that are there while lines come.
//!
//! A cell is `ok`, a known fault of that client by its name (which must be exactly that fault), `-` where the row does not
//! concern clients, or `FAILED`; below the table, a failure prints what was expected and what came.
//!
//! `cargo test --test conformance -- --nocapture` prints the table; it is also written to `conformance.md` in the target
//! directory.
#![allow(clippy::print_stdout, reason = "the table is what this prints")]

mod harness;

mod conformance {
    // The words between the matrix and its clients.
    pub(crate) mod stream;

    // What is played.
    pub(crate) mod cases;
    pub(crate) mod row;
    pub(crate) mod special;

    // How bytes go in and come out.
    pub(crate) mod cutter;
    pub(crate) mod feed;
    pub(crate) mod raw;

    // Who follows.
    pub(crate) mod bodies;
    pub(crate) mod browser;
    pub(crate) mod clients;
    pub(crate) mod page;
    pub(crate) mod process;
    pub(crate) mod tools;

    // What is said of it.
    pub(crate) mod faults;
    pub(crate) mod table;

    // The same bytes over every version of HTTP, beyond the matrix.
    mod ended;
    mod live;
}

use std::{fs, path::Path, thread};

use conformance::{
    cases,
    clients::Client,
    row::Row,
    special,
    stream::Stream,
    table::{Answers, Table},
    tools,
};

#[test]
fn every_client_hears_every_case() {
    tools::require();
    let rows = rows();
    let table = Table::new(&rows, &follow_all(&rows));
    drop(rows); // the bridges have nothing to add to a failure
    println!("\n{table}");
    write_down(&table);
    let failures = table.failures();
    assert!(failures.is_empty(), "{} cells failed:\n\n{}\n", failures.len(), failures.join("\n"));
}

/// All rows in order, their bridges running.
fn rows() -> Vec<Row> {
    let slow = thread::spawn(special::heartbeat_at_a_slow_socket);
    let mut rows: Vec<Row> = Vec::new();
    for case in cases::all() {
        if rows.last().is_none_or(|row| row.number != case.number) {
            rows.push(Row::new(case.number, case.title));
        }
        rows.last_mut().expect("a row was pushed").play(&case);
    }
    rows.iter_mut().filter(|row| row.number == 28).for_each(special::reserved_types);
    rows.extend([special::broken_connection(), special::forged_settings()]);
    rows.push(slow.join().expect("the row of the slow socket was played"));
    rows.sort_by_key(|row| row.number);
    rows
}

/// Lets all clients follow all streams, at the same time.
fn follow_all(rows: &[Row]) -> Vec<(Client, Answers)> {
    thread::scope(|scope| {
        let followers = Client::ALL.map(|client| {
            let streams: Vec<Stream> = rows.iter().flat_map(|row| row.streams_for(client)).collect();
            (client, scope.spawn(move || client.follow(&streams)))
        });
        let join = |(client, follower): (Client, thread::ScopedJoinHandle<'_, Answers>)| {
            (
                client,
                follower
                    .join()
                    .unwrap_or_else(|_| Answers { problem: Some("its driver panicked".to_owned()), ..Answers::default() }),
            )
        };
        followers.into_iter().map(join).collect()
    })
}

fn write_down(table: &Table) {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the directory for tests stands in the target directory");
    let path = target.join("conformance.md");
    fs::write(&path, table.to_string()).unwrap_or_else(|cause| panic!("could not write {}: {cause}", path.display()));
}
