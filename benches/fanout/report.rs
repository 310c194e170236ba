//! What is printed: machine and contestants, then table by table as they are known, then what was missed.

use std::fs;

use super::extent::Extent;
use super::machine;
use super::rounds::{Field, Results};
use super::table::{Figure, Verdict};

/// How the tables are to be read.
const READING: &str = "Each figure is the median of the rounds, with the smallest and the largest beside it. *Ours to it* is the median of \
the ratios that the rounds gave, each of two measurements made seconds apart: it says more than the figures, which belong to one \
machine. The raw writer is a C program that sends and does nothing else: what a server costs at the least.";

pub(crate) struct Report {
    is_markdown: bool,
    /// What is measured.
    scenario: String,
    verdict: Verdict,
}

impl Report {
    /// Prints the machine and who takes part.
    pub(crate) fn begin(field: &Field, extent: &Extent, is_markdown: bool) -> Self {
        if is_markdown {
            println!("# Benchmarks\n\nMade by `cargo bench --bench fanout -- --markdown`.\n\n{READING}\n");
        }
        println!("- {}{}", machine::facts(), memory());
        for (who, ready) in &field.all {
            let version = ready.as_ref().map_or_else(Clone::clone, |ready| ready.version.clone());
            println!("- {who}: {version}");
        }
        println!("- {extent}\n");
        Self { is_markdown, scenario: String::new(), verdict: Verdict::default() }
    }

    /// Prints what is measured next.
    pub(crate) fn scenario(&mut self, name: &str, words: &str) {
        name.clone_into(&mut self.scenario);
        if self.is_markdown { println!("## {name}\n\n{words}.\n") } else { println!("{name}: {words}\n") }
    }

    /// Prints what has to be known of the next tables.
    pub(crate) fn note(&self, words: &str) {
        println!("{}{words}\n", if self.is_markdown { "> " } else { "" });
    }

    /// Prints the table of a figure.
    pub(crate) fn add<T>(&mut self, figure: &Figure<'_, T>, results: &[Results<T>]) {
        println!("{}", figure.table(results, &self.scenario, &mut self.verdict));
    }

    /// Prints what did not go as it ought to. Whether ours and the writer did what they must.
    pub(crate) fn end(self) -> bool {
        let list = |name: &str, all: &[String]| {
            if !all.is_empty() {
                println!("{name}:\n\n{}\n", all.iter().map(|one| format!("- {one}")).collect::<Vec<_>>().join("\n"));
            }
        };
        list("Targets missed", &self.verdict.missed);
        list("Failed", &self.verdict.failed);
        self.verdict.failed.is_empty()
    }
}

fn memory() -> String {
    let info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:")).and_then(|total| total.trim().strip_suffix(" kB"));
    let total: Option<u64> = total.and_then(|total| total.parse().ok());
    total.map_or(String::new(), |total| format!(", {} GiB of memory", total.div_ceil(1 << 20)))
}
