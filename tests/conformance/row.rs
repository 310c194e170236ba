//! A row of the matrix while it is played: the bridges that serve it, and what each client is given to follow.

use std::io;

use super::{
    cases::{Case, Expected, Input},
    clients::Client,
    cutter::{Cutter, Plan},
    faults,
    feed::Writer,
    raw::{Request, judge},
    stream::{Said, Stream, Until, lasts, types},
};
use crate::harness::{Bridge, parser::Message};

/// Milliseconds in which every client can follow any stream.
const LIMIT: u64 = 30_000;

/// Bytes of data up to which a wire is cut in pieces.
const SMALL: usize = 4096;

/// What is asked for: everything.
pub(crate) const PATH: &str = "/events?tail=all";

/// A row.
pub(crate) struct Row {
    /// Its number in the list of cases.
    pub(crate) number: u8,
    /// Its title.
    pub(crate) title: &'static str,
    /// What only the bytes, the exit code or the ids can show; it belongs to the column of the parser.
    pub(crate) own: Result<(), String>,
    /// What every client follows. Nothing: the row does not concern them, and the note says why.
    pub(crate) trials: Vec<Trial>,
    /// Why the other columns are empty.
    pub(crate) note: Option<&'static str>,
    /// The servers, alive as long as somebody may ask them.
    houses: Vec<House>,
}

/// One stream and what must be heard of it.
pub(crate) struct Trial {
    /// The stream, for any client.
    pub(crate) stream: Stream,
    /// What must be heard, without what comes and goes.
    pub(crate) expected: Vec<Said>,
    /// The client for whom this trial is; all, if none.
    pub(crate) only: Option<Client>,
    /// A cutter reads the request, which it can only if that came over HTTP/1.
    pub(crate) is_over_http1: bool,
    /// The connection breaks between the response's head and the first byte of its body.
    pub(crate) breaks_before_body: bool,
    /// A client that hears of no break has not been tried.
    pub(crate) must_break: bool,
}

/// A bridge and the cutters before it.
pub(crate) struct House {
    /// The bridge.
    pub(crate) bridge: Bridge,
    cutters: Vec<Cutter>,
}

impl House {
    /// Starts a bridge that lets our page in.
    pub(crate) fn open(arguments: &[&str]) -> Self {
        let mut all = vec!["--cors-origin", "*"];
        all.extend(arguments);
        Self { bridge: Bridge::start(&all), cutters: Vec::new() }
    }

    /// Puts a cutter before the bridge and gives its port.
    pub(crate) fn cut(&mut self, plan: Plan) -> io::Result<u16> {
        let cutter = Cutter::start(self.bridge.port, plan)?;
        let port = cutter.port;
        self.cutters.push(cutter);
        Ok(port)
    }
}

/// How the bytes of a case come and go.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Whole,
    Input(usize),
    Wire(usize),
}

impl Cut {
    fn name(self) -> String {
        match self {
            Cut::Whole => "whole".to_owned(),
            Cut::Input(size) => format!("input in pieces of {size}"),
            Cut::Wire(size) => format!("wire in pieces of {size}"),
        }
    }
}

impl Row {
    /// A row in which nothing has been tried yet.
    pub(crate) fn new(number: u8, title: &'static str) -> Self {
        Self { number, title, own: Ok(()), trials: Vec::new(), note: None, houses: Vec::new() }
    }

    /// Keeps a house for the clients to come.
    pub(crate) fn keep(&mut self, house: House) {
        self.houses.push(house);
    }

    /// Notes the outcome of a check of the row's own; the first failure stays.
    pub(crate) fn check(&mut self, what: &str, outcome: Result<(), String>) {
        if self.own.is_ok() {
            self.own = outcome.map_err(|problem| format!("{what}: {problem}"));
        }
    }

    /// Plays a case: our own reader follows the input live; for the other clients, the bridges stay.
    pub(crate) fn play(&mut self, case: &Case) {
        let cuts: &[Cut] = match case.input {
            Input::Small(_) => &[Cut::Whole, Cut::Input(1), Cut::Input(2)],
            Input::Big(_) | Input::By(_) => &[Cut::Whole],
        };
        for cut in cuts {
            let outcome = self.deliver(case, *cut);
            self.check(&cut.name(), outcome);
        }
    }

    fn deliver(&mut self, case: &Case, cut: Cut) -> Result<(), String> {
        let mut house = House::open(case.arguments);
        let heard = listen(&mut house, case, cut)?;
        let expected = expect(case, heard)?;
        let ports = trial_ports(&mut house, cut, &expected).map_err(|cause| cause.to_string())?;
        self.trials.extend(ports.into_iter().map(|(cut, port)| trial(case, &cut.name(), port, expected.clone())));
        self.keep(house);
        Ok(())
    }

    /// The trials of one client.
    pub(crate) fn trials_for(&self, client: Client) -> impl Iterator<Item = &Trial> {
        let is_for =
            move |trial: &&Trial| trial.only.is_none_or(|only| only == client) && (client.is_over_http1() || !trial.is_over_http1);
        self.trials.iter().filter(is_for)
    }

    /// What one client is to follow. Its name stands in each URL, so that a cutter breaks each client's connection once.
    pub(crate) fn streams_for(&self, client: Client) -> impl Iterator<Item = Stream> {
        self.trials_for(client).map(move |trial| {
            let mut stream = trial.stream.clone();
            stream.url = format!("{}&client={}", stream.url, client.name());
            if let Some(limit) = faults::known(client, self.number, trial).and_then(|fault| fault.limit) {
                stream.limit = limit;
            }
            stream
        })
    }
}

/// Where the clients find a case: at the bridge, and if it came whole and is small also behind two cutters.
fn trial_ports(house: &mut House, cut: Cut, expected: &[Said]) -> io::Result<Vec<(Cut, u16)>> {
    let bytes: usize = expected.iter().map(|said| said.data.len()).sum();
    let mut ports = vec![(cut, house.bridge.port)];
    if matches!(cut, Cut::Whole) && bytes <= SMALL {
        for size in [1, 2] {
            ports.push((Cut::Wire(size), house.cut(Plan::Pieces(size))?));
        }
    }
    Ok(ports)
}

fn trial(case: &Case, name: &str, port: u16, expected: Vec<Said>) -> Trial {
    let variant = if case.only.is_some() { format!("{} ", case.title) } else { String::new() };
    Trial {
        stream: stream(format!("{} {variant}{name}", case.number), port, PATH, case.until, &expected),
        expected,
        only: case.only,
        is_over_http1: false,
        breaks_before_body: false,
        must_break: false,
    }
}

/// A stream in which `expected` is to be heard.
pub(crate) fn stream(name: String, port: u16, path: &str, until: Until, expected: &[Said]) -> Stream {
    Stream {
        name,
        url: format!("http://127.0.0.1:{port}{path}"),
        types: types(expected.iter().map(|said| said.event.as_str())),
        until,
        returns: until == Until::Closed,
        limit: LIMIT,
    }
}

/// Reads the case live: the reader is there before the input comes. What it says has passed the strict parser.
fn listen(house: &mut House, case: &Case, cut: Cut) -> Result<Vec<Said>, String> {
    let mut read = || -> io::Result<Request> {
        let mut request = Request::get(house.bridge.port, PATH, "")?;
        request.read_head()?;
        write(&house.bridge, &case.input, cut)?;
        house.bridge.end_input();
        request.read_to_end()?;
        Ok(request)
    };
    let request = read().map_err(|cause| cause.to_string())?;
    let mut response = request.response;
    response.parser.finish();
    judge(&response.parser)?;
    judge_ids(&response.messages)?;
    Ok(said(response.messages).into_iter().filter(lasts).collect())
}

fn write(bridge: &Bridge, input: &Input, cut: Cut) -> io::Result<()> {
    let mut writer = Writer::open(bridge.pid())?;
    match (input, cut) {
        (Input::By(write), _) => write(bridge.pid()),
        (Input::Small(bytes) | Input::Big(bytes), Cut::Input(size)) => writer.write_in_pieces(bytes, size),
        (Input::Small(bytes) | Input::Big(bytes), Cut::Whole | Cut::Wire(_)) => writer.write(bytes),
    }
}

/// The parser's messages in the words of the matrix.
pub(crate) fn said(messages: Vec<Message>) -> Vec<Said> {
    messages.into_iter().map(|message| Said { id: message.id, event: message.event, data: message.data }).collect()
}

/// Each event has an id of its own, `<ms>-<n>/stdin`, and the numbers grow.
fn judge_ids(messages: &[Message]) -> Result<(), String> {
    let mut newest = 0;
    for message in messages.iter().filter(|message| !matches!(message.event.as_str(), "start" | "progress" | "ping")) {
        let number = number_of(&message.id).ok_or_else(|| format!("not an id of ours: {:?}", message.id))?;
        if !message.has_own_id || number <= newest {
            return Err(format!("the event with the id {} follows number {newest}", message.id));
        }
        newest = number;
    }
    Ok(())
}

/// The number of an event of standard input.
fn number_of(id: &str) -> Option<u64> {
    let (time, number) = id.strip_suffix("/stdin")?.split_once('-')?;
    time.parse::<u64>().ok()?;
    number.parse().ok()
}

/// What all clients must hear: what the case expects, with the ids that the bridge gave, and `end`.
fn expect(case: &Case, heard: Vec<Said>) -> Result<Vec<Said>, String> {
    let Some((end, events)) = heard.split_last() else { return Err("nothing was heard".to_owned()) };
    let told: serde_json::Value = serde_json::from_str(&end.data).unwrap_or_default();
    if end.event != "end" || told["channel"] != "stdin" {
        return Err(format!("the last event is not the end of stdin: {} {:.200}", end.event, end.data));
    }
    match &case.expected {
        Expected::Exactly(expected) => {
            let ids = events.iter().map(|event| event.id.clone()).chain(std::iter::repeat(String::new()));
            let expected: Vec<Said> = expected
                .iter()
                .zip(ids)
                .map(|((event, data), id)| Said { id, event: (*event).to_owned(), data: data.clone() })
                .collect();
            super::table::compare(&expected, events)?;
        }
        Expected::Approved(approve) => approve(events)?,
    }
    Ok(heard)
}
