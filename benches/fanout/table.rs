//! What was measured, as a Markdown table: a row for each contestant, with the ratio of ours to it beside the target.

use super::contestant::Who;
use super::rounds::Results;

const HEAD: [&str; 6] = ["", "rounds", "ours to it", "rounds", "target", ""];

/// What the ratio of ours to another ought to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    AtMost(f64),
    /// This part of it.
    OneOf(f64),
    AtLeast(f64),
}

impl Target {
    fn is_met(self, ratio: f64) -> bool {
        match self {
            Self::AtMost(limit) => ratio <= limit,
            Self::OneOf(parts) => ratio * parts <= 1.0,
            Self::AtLeast(least) => ratio >= least,
        }
    }

    fn words(self) -> String {
        match self {
            Self::AtMost(limit) => format!("≤ {limit}"),
            Self::OneOf(parts) => format!("≤ 1/{parts}"),
            Self::AtLeast(least) => format!("≥ {least}"),
        }
    }
}

/// One figure of all contestants.
pub(crate) struct Figure<'a, T> {
    /// With its unit.
    pub(crate) name: &'a str,
    /// Nothing if that round does not count.
    pub(crate) value: &'a dyn Fn(&T) -> Option<f64>,
    /// What ours ought to be as a ratio to these.
    pub(crate) ratios: &'a [(Who, Target)],
    /// What ours ought to be itself.
    pub(crate) own: Option<Target>,
    /// What else is to be said of one.
    pub(crate) remark: &'a dyn Fn(&Results<T>) -> String,
}

/// What did not go as it ought to.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) missed: Vec<String>,
    /// Who could not be measured, or did not deliver what it must.
    pub(crate) failed: Vec<String>,
}

/// Middle, smallest and largest.
struct Spread {
    middle: f64,
    low: f64,
    high: f64,
}

impl Spread {
    fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut sorted: Vec<f64> = values.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (*sorted.first()?, *sorted.last()?);
        Some(Self { middle: f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]), low, high })
    }

    /// As two cells; the second is empty if all are the same.
    fn cells(spread: Option<&Self>, without: &str) -> [String; 2] {
        let Some(spread) = spread else { return [without.to_owned(), String::new()] };
        let (low, high) = (short(spread.low), short(spread.high));
        let range = if low == high { String::new() } else { format!("{low} to {high}") };
        [short(spread.middle), range]
    }
}

impl<T> Figure<'_, T> {
    /// The table as text.
    pub(crate) fn table(&self, results: &[Results<T>], scenario: &str, verdict: &mut Verdict) -> String {
        let mut found = Verdict::default();
        let ours = results.iter().find(|results| results.who == Who::Ours);
        let [first, rest @ ..] = HEAD.map(str::to_owned);
        let mut rows = vec![[vec![first, self.name.to_owned()], rest.to_vec()].concat()];
        rows.extend(results.iter().map(|row| self.row(row, ours, &mut found)));
        verdict.missed.extend(found.missed.iter().map(|what| format!("{scenario}: {what}")));
        verdict.failed.extend(found.failed.iter().map(|what| format!("{scenario}: {what}")));
        aligned(&rows)
    }

    fn row(&self, row: &Results<T>, ours: Option<&Results<T>>, verdict: &mut Verdict) -> Vec<String> {
        let is_ours = row.who == Who::Ours;
        let value = Spread::of(row.all().filter_map(self.value));
        let ratio = ours.filter(|_| !is_ours).and_then(|ours| Spread::of(self.ratios_of(ours, row)));
        let of_ratio = self.ratios.iter().find(|(who, _)| *who == row.who).map(|(_, target)| *target);
        let (target, judged) = if is_ours { (self.own, &value) } else { (of_ratio, &ratio) };
        let judged = judged.as_ref().map(|spread| spread.middle);
        let judgement = target.map_or(String::new(), |target| self.judge(target, judged, row.who, verdict));
        let remark = self.remark(row, verdict);
        let (value, ratio) = (Spread::cells(value.as_ref(), "-"), Spread::cells(ratio.as_ref(), ""));
        [vec![row.who.to_string()], value.to_vec(), ratio.to_vec(), vec![judgement, remark]].concat()
    }

    /// Of the rounds that count for both.
    fn ratios_of(&self, ours: &Results<T>, other: &Results<T>) -> impl Iterator<Item = f64> {
        let rounds = ours.rounds.iter().zip(&other.rounds);
        rounds.filter_map(|(ours, other)| Some((self.value)(ours.as_ref()?)? / (self.value)(other.as_ref()?)?))
    }

    fn judge(&self, target: Target, value: Option<f64>, who: Who, verdict: &mut Verdict) -> String {
        let words = target.words();
        match value {
            None => words,
            Some(value) if target.is_met(value) => format!("{words}: met"),
            Some(value) => {
                let to = if who == Who::Ours { String::new() } else { format!(", to {who}") };
                verdict.missed.push(format!("{}{to}: {}, not {words}", self.name, short(value)));
                format!("{words}: **missed**")
            }
        }
    }

    fn remark(&self, row: &Results<T>, verdict: &mut Verdict) -> String {
        let mut words = Vec::new();
        if let Some(failure) = row.failures.first() {
            let is_absent = row.rounds.is_empty();
            if row.who.must_deliver() || !is_absent {
                verdict.failed.push(format!("{}: {failure}", row.who));
            }
            words.push(if is_absent { failure.clone() } else { format!("**failed** {} times: {failure}", row.failures.len()) });
        }
        words.push((self.remark)(row));
        words.retain(|word| !word.is_empty());
        words.join("; ")
    }
}

/// Cells as a Markdown table whose columns stand below each other; the first row is the head, numbers are in all columns but the
/// first and the last two.
fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows[0].len();
    let has_numbers = |column: usize| (1..columns - 2).contains(&column);
    let widths: Vec<_> =
        (0..columns).map(|column| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0).max(3)).collect();
    let line = |row: &[String]| {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| match column {
            _ if has_numbers(column) => format!(" {cell:>width$} |"),
            _ if column == columns - 1 => format!(" {cell} |"),
            _ => format!(" {cell:<width$} |"),
        });
        format!("|{}\n", cells.collect::<String>())
    };
    let rule = (0..columns).map(|column| match widths[column] {
        width if has_numbers(column) => format!(" {}: |", "-".repeat(width - 1)),
        _ if column == columns - 1 => " --- |".to_owned(),
        width => format!(" {} |", "-".repeat(width)),
    });
    let rule = format!("|{}\n", rule.collect::<String>());
    [line(&rows[0]), rule].into_iter().chain(rows[1..].iter().map(|row| line(row))).collect()
}

/// A number with three digits that mean something.
fn short(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        1.0.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}
