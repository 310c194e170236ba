//! What mapping and shaping cost: `cargo bench --bench mapping`.
//!
//! The same bytes go through the middle of the way in blocks of 64 KiB, and are named and encoded by a store in memory, as in the daemon. A round is
//! all rows in turn, so whatever else the machine does meets all alike; a row's ratio is of measurements that were made right after each other.
//! 1 MB is 10^6 bytes of input.
#![allow(clippy::cast_precision_loss, clippy::print_stdout, clippy::unwrap_used, reason = "a benchmark prints, and may panic")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use regex::bytes::Regex;
use sse_bridge::event::{Age, Event};
use sse_bridge::framing::Framer;
use sse_bridge::mapping::grouping::Rule;
use sse_bridge::mapping::{Format, Mapping, cri, json};
use sse_bridge::pipeline::middle::{Middle, Recipe};
use sse_bridge::shaping::redaction::Redaction;
use sse_bridge::shaping::{Escapes, Item, Shaping};
use sse_bridge::store::Store;

const BLOCK: usize = 64 * 1024;
const MAX_LINE: usize = 1 << 20;

/// Bytes of a row in a round.
const BYTES: usize = 64 << 20;

const ROUNDS: usize = 9;

/// What is measured.
struct Row {
    name: &'static str,
    input: Vec<u8>,
    /// Without one the lines are framed and named, and nothing else.
    recipe: Option<Recipe>,
}

fn main() {
    let rows = rows();
    let mut times = vec![Vec::new(); rows.len()];
    for round in 0..=ROUNDS {
        for (row, times) in rows.iter().zip(&mut times) {
            let time = measure(row);
            if round > 0 {
                times.push(time); // the first warms up
            }
        }
    }
    println!("| middle of the way | MB/s | ratio to the first row |\n| --- | ---: | ---: |");
    for (row, own) in rows.iter().zip(&times) {
        let rates = own.iter().zip(std::iter::repeat(row.input.len())).map(|(time, bytes)| bytes as f64 / 1e6 / time.as_secs_f64());
        let ratios = own.iter().zip(&times[0]).map(|(own, first)| own.as_secs_f64() / first.as_secs_f64());
        println!("| {} | {:.0} | {:.3} |", row.name, median(rates), median(ratios));
    }
}

fn rows() -> Vec<Row> {
    let text = |number: usize| {
        format!("{number:08} GET /api/v1/items/{number} HTTP/1.1 200 user=alice took={}ms {}\n", number % 97, "x".repeat(60))
    };
    let document = |number: usize| {
        format!(
            "{{\"time\":\"2026-11-21T10:00:00.123Z\",\"level\":\"info\",\"msg\":\"request {number} was served\",\"http\":{{\"method\":\"GET\",\"path\":\"/api/v1/items/{number}\",\"status\":200}},\"took\":{}}}\n",
            number % 97
        )
    };
    let docker = |number: usize| {
        format!(
            "{{\"log\":\"{number:08} GET /api/v1/items/{number} \\\"agent\\\" 200 {}\\n\",\"stream\":\"stdout\",\"time\":\"2026-11-21T10:00:00.123456789Z\"}}\n",
            "x".repeat(60)
        )
    };
    let container = |number: usize| format!("2026-11-21T10:00:00.123456789Z stdout F {}", text(number));
    let trace = |number: usize| {
        format!(
            "{number:08} java.lang.IllegalStateException: no\n{}",
            "\tat com.example.service.Handler.handle(Handler.java:123)\n".repeat(12)
        )
    };
    let field = |name: &str| Some(name.parse().unwrap());
    let of = |format| Mapping { format, wait: Duration::from_secs(1), ..Mapping::default() };
    let by_type = json::Fields::new(field("level"), json::Data::Whole);
    let by_data = json::Fields::new(field("stream"), json::Data::Of("log".parse().unwrap()));
    let row = |name, input, mapping, shaping| Row {
        name,
        input,
        recipe: Some(Recipe { mapping: Arc::new(mapping), shaping: Arc::new(shaping) }),
    };
    let redacting = Redaction::new(vec![Regex::new("password=\\S+").unwrap()], "[redacted]");
    let grouping = Mapping { grouping: Some(Rule::Indent), ..of(Format::Text) };
    vec![
        Row { name: "text, without a middle", input: input(text), recipe: None },
        row("text", input(text), Mapping::default(), Shaping::default()),
        row("json with a type field", input(document), of(Format::Json(by_type)), Shaping::default()),
        row("json with type and data (docker)", input(docker), of(Format::Json(by_data)), Shaping::default()),
        row("cri", input(container), of(Format::Cri(cri::Fields::default())), Shaping::default()),
        row("stack traces by indentation", input(trace), grouping, Shaping::default()),
        row(
            "text, escapes stripped",
            input(text),
            Mapping::default(),
            Shaping { escapes: Escapes::Stripped, ..Shaping::default() },
        ),
        row(
            "text, one expression redacted",
            input(text),
            Mapping::default(),
            Shaping { redaction: Some(redacting), ..Shaping::default() },
        ),
    ]
}

/// Lines of one kind, about [`BYTES`] of them.
fn input(line: impl Fn(usize) -> String) -> Vec<u8> {
    let mut input = Vec::with_capacity(BYTES + BLOCK);
    let mut number = 0;
    while input.len() < BYTES {
        input.extend_from_slice(line(number).as_bytes());
        number += 1;
    }
    input
}

fn measure(row: &Row) -> Duration {
    let (store, name) = (Store::new(1), "bench".parse().unwrap());
    let mut middle = row.recipe.as_ref().map(|recipe| Middle::new(recipe, MAX_LINE));
    let mut framer = Framer::new(MAX_LINE);
    let began = Instant::now();
    for block in row.input.chunks(BLOCK) {
        if let Some(middle) = &mut middle {
            middle.work(block, Age::New, Instant::now);
        }
        let mut turn = store.turn(&name, 1, Age::New);
        match &mut middle {
            None => framer.push(block, |line| turn.add(Event { kind: None, data: line.content })),
            Some(middle) => middle.give(block, |item| {
                if let Item::Event(event) = item {
                    turn.add(event);
                }
            }),
        }
        black_box(turn.commit(None));
    }
    began.elapsed()
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
