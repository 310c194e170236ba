//! What was measured, as rows of a Markdown table.

use std::fmt;

/// What a figure ought to be.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// This or more.
    AtLeast(f64),
    /// Less than this.
    Below(f64),
}

impl Target {
    fn is_met(self, value: f64) -> bool {
        match self {
            Self::AtLeast(least) => value >= least,
            Self::Below(limit) => value < limit,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtLeast(least) => write!(f, "at least {least}"),
            Self::Below(limit) => write!(f, "below {limit}"),
        }
    }
}

/// One figure.
#[derive(Debug)]
pub(crate) struct Row {
    name: &'static str,
    unit: &'static str,
    value: f64,
    /// The smallest and the largest of what `value` was made from.
    range: (f64, f64),
    target: Option<Target>,
}

impl Row {
    /// A figure that is the median of what the rounds gave.
    pub(crate) fn median(name: &'static str, unit: &'static str, rounds: impl IntoIterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = rounds.into_iter().collect();
        sorted.sort_by(f64::total_cmp);
        let (first, last) = (sorted[0], sorted[sorted.len() - 1]);
        let middle = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Self { name, unit, value: middle, range: (first, last), target: None }
    }

    /// A figure that all rounds gave together; their own stand beside it.
    pub(crate) fn of_all(name: &'static str, unit: &'static str, value: f64, rounds: impl IntoIterator<Item = f64>) -> Self {
        Self { value, ..Self::median(name, unit, rounds) }
    }

    /// The same, with a target if there is one.
    pub(crate) fn target(self, target: impl Into<Option<Target>>) -> Self {
        Self { target: target.into(), ..self }
    }

    fn is_missed(&self) -> bool {
        self.target.is_some_and(|target| !target.is_met(self.value))
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (low, high) = self.range;
        let result = match self.target {
            None => String::from("|"),
            Some(target) => format!("{target} | {}", if self.is_missed() { "missed" } else { "met" }),
        };
        let measured = format!("{} {}", short(self.value), self.unit);
        write!(f, "| {} | {} | {} to {} | {result} |", self.name, measured.trim_end(), short(low), short(high))
    }
}

/// A number with three digits that mean something.
fn short(value: f64) -> String {
    match value.abs() {
        100.0.. => format!("{value:.0}"),
        10.0.. => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

/// The table; rows are printed when they are known.
#[derive(Debug)]
pub(crate) struct Table {
    /// Whether a target was missed.
    pub(crate) has_missed: bool,
}

impl Table {
    /// Prints the head.
    pub(crate) fn begin() -> Self {
        println!("| figure | measured | rounds | target | |\n| --- | ---: | ---: | --- | --- |");
        Self { has_missed: false }
    }

    /// Prints rows.
    pub(crate) fn add(&mut self, rows: &[Row]) {
        for row in rows {
            println!("{row}");
            self.has_missed |= row.is_missed();
        }
    }
}
