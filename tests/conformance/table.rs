//! The table: what was heard against what must be heard, one cell for each row and client.

use std::{collections::HashMap, fmt, fmt::Write as _};

use super::{
    clients::Client,
    faults::{self, Fault},
    row::{Row, Trial},
    stream::{Heard, Said, lasts},
};

/// What a client said.
#[derive(Default)]
pub(crate) struct Answers {
    /// What it heard, by the names of the streams.
    pub(crate) heard: HashMap<String, Heard>,
    /// Why there is no more.
    pub(crate) problem: Option<String>,
}

/// Why a row has no stream, if that is not by its nature.
const FAILED_BEFORE: &str = "there is no stream to follow: the parser's cell says why";

/// One cell.
enum Cell {
    /// Everything was heard.
    Good,
    /// A known fault, and nothing else.
    Known(&'static Fault),
    /// The row does not concern this client; the note says why.
    Empty(&'static str),
    /// Something else was heard, in each of these trials.
    Bad(Vec<String>),
}

/// The whole matrix.
pub(crate) struct Table {
    versions: Vec<(Client, String)>,
    rows: Vec<(u8, &'static str, Vec<Cell>)>,
}

impl Table {
    /// Judges what the clients heard. `answers` has one entry for each client, in their order.
    pub(crate) fn new(rows: &[Row], answers: &[(Client, Answers)]) -> Self {
        let judged = |row: &Row| {
            let cells = answers.iter().map(|(client, answers)| judge(*client, row, answers)).collect();
            (row.number, row.title, cells)
        };
        Self {
            versions: answers.iter().map(|(client, _)| (*client, client.version())).collect(),
            rows: rows.iter().map(judged).collect(),
        }
    }

    /// Everything that is neither good nor known, with what a person needs.
    pub(crate) fn failures(&self) -> Vec<String> {
        let mut failures = Vec::new();
        for (number, title, cells) in &self.rows {
            for ((client, _), cell) in self.versions.iter().zip(cells) {
                if let Cell::Bad(problems) = cell {
                    let some = problems.iter().take(3).map(String::as_str).collect::<Vec<_>>().join("\n    ");
                    let more = problems.len().saturating_sub(3);
                    let more = if more > 0 { format!("\n    and {more} more") } else { String::new() };
                    failures.push(format!("row {number} ({title}), {}:\n    {some}{more}", client.name()));
                }
            }
        }
        failures
    }

    /// The notes below the table, in the order of their first appearance.
    fn notes(&self) -> Vec<&'static str> {
        let mut notes = Vec::new();
        for cell in self.rows.iter().flat_map(|(_, _, cells)| cells) {
            if let Some(note) = cell.note()
                && !notes.contains(&note)
            {
                notes.push(note);
            }
        }
        notes
    }
}

impl Cell {
    fn note(&self) -> Option<&'static str> {
        match self {
            Cell::Good | Cell::Bad(_) => None,
            Cell::Known(fault) => Some(fault.about),
            Cell::Empty(note) => Some(note),
        }
    }

    fn text(&self, notes: &[&'static str]) -> String {
        let mark = self.note().and_then(|note| notes.iter().position(|known| *known == note)).map_or(0, |at| at + 1);
        match self {
            Cell::Good => "ok".to_owned(),
            Cell::Known(fault) => format!("fault: {} [{mark}]", fault.name),
            Cell::Empty(_) => format!("- [{mark}]"),
            Cell::Bad(_) => "FAILED".to_owned(),
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let notes = self.notes();
        let mut lines = vec![["#", "case"].map(str::to_owned).to_vec()];
        lines[0].extend(self.versions.iter().map(|(client, _)| client.name().to_owned()));
        for (number, title, cells) in &self.rows {
            let mut line = vec![number.to_string(), (*title).to_owned()];
            line.extend(cells.iter().map(|cell| cell.text(&notes)));
            lines.push(line);
        }
        write_aligned(f, &lines)?;
        writeln!(f)?;
        for (client, version) in &self.versions {
            writeln!(f, "- {}: {version}", client.name())?;
        }
        writeln!(f)?;
        for (at, note) in notes.iter().enumerate() {
            writeln!(f, "[{}] {note}.", at + 1)?;
        }
        Ok(())
    }
}

/// A table that is Markdown and can be read as it is.
fn write_aligned(f: &mut fmt::Formatter<'_>, lines: &[Vec<String>]) -> fmt::Result {
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    for (at, line) in lines.iter().enumerate() {
        for (cell, width) in line.iter().zip(&widths) {
            write!(f, "| {cell:width$} ")?;
        }
        writeln!(f, "|")?;
        if at == 0 {
            widths.iter().try_for_each(|width| write!(f, "|{}", "-".repeat(width + 2)))?;
            writeln!(f, "|")?;
        }
    }
    Ok(())
}

fn judge(client: Client, row: &Row, answers: &Answers) -> Cell {
    let trials: Vec<&Trial> = row.trials_for(client).collect();
    if client == Client::Parser
        && let Err(problem) = &row.own
    {
        return Cell::Bad(vec![problem.clone()]);
    }
    match row.note {
        _ if !trials.is_empty() => judge_trials(client, row.number, &trials, answers),
        Some(_) if client == Client::Parser => Cell::Good,
        note => Cell::Empty(note.unwrap_or(FAILED_BEFORE)),
    }
}

fn judge_trials(client: Client, row: u8, trials: &[&Trial], answers: &Answers) -> Cell {
    let mut known = None;
    let mut problems = Vec::new();
    for trial in trials {
        let name = &trial.stream.name;
        let Some(heard) = answers.heard.get(name) else {
            problems.push(format!("{name}: no answer: {}", answers.problem.as_deref().unwrap_or("the driver left it out")));
            continue;
        };
        match (faults::known(client, row, trial), judge_trial(trial, heard)) {
            (None, Ok(())) => {}
            (Some(fault), Err(_)) if (fault.is_this)(trial, heard) => known = Some(fault),
            (Some(fault), Ok(())) => {
                problems.push(format!("{name}: the known fault {:?} is gone: take it out of the list of faults", fault.name));
            }
            (_, Err(problem)) => problems.push(format!("{name}: {problem}")),
        }
    }
    match known {
        _ if !problems.is_empty() => Cell::Bad(problems),
        Some(fault) => Cell::Known(fault),
        None => Cell::Good,
    }
}

fn judge_trial(trial: &Trial, heard: &Heard) -> Result<(), String> {
    let got: Vec<Said> = heard.messages.iter().filter(|said| lasts(said)).cloned().collect();
    match &heard.error {
        Some(error) => Err(format!("{error} (heard {} of {} events, {} breaks)", got.len(), trial.expected.len(), heard.breaks)),
        None if trial.must_break && heard.breaks == 0 => Err("the connection did not break".to_owned()),
        None => compare(&trial.expected, &got),
    }
}

/// Tells the first difference.
pub(crate) fn compare(expected: &[Said], got: &[Said]) -> Result<(), String> {
    let nothing = Said::default();
    for at in 0..expected.len().max(got.len()) {
        let (want, have) = (expected.get(at).unwrap_or(&nothing), got.get(at).unwrap_or(&nothing));
        if want != have {
            return Err(format!(
                "event {} of {} ({} were heard)\n      expected {}\n      got      {}",
                at + 1,
                expected.len(),
                got.len(),
                show(expected.get(at), &have.data),
                show(got.get(at), &want.data)
            ));
        }
    }
    Ok(())
}

/// Characters of data that are shown before and behind the first that differs.
const AROUND: usize = 40;

/// An event on one line, its data around the place where it differs from `other`.
fn show(said: Option<&Said>, other: &str) -> String {
    let Some(said) = said else { return "nothing".to_owned() };
    let same = said.data.chars().zip(other.chars()).take_while(|(one, two)| one == two).count();
    let start = same.saturating_sub(AROUND);
    let part: String = said.data.chars().skip(start).take(2 * AROUND).collect();
    let mut text = format!("id {:?}, type {:?}, data {part:?}", said.id, said.event);
    if part.len() < said.data.len() {
        let _ = write!(text, " from character {start}, of {} bytes", said.data.len());
    }
    text
}
