//! The chapter about records of all kinds.

use super::super::results::{Metric, Pair, Report};
use super::super::turn::Turn;
use super::{COSTS, Chapter, FULL_SPEED, comparison_row, comparison_rows};

/// Two brokers with records of several shapes.
pub(in super::super) const WORKLOADS: Chapter = Chapter {
    key: "workloads",
    title: "Record sizes, partitions and codecs",
    tables,
    method,
    noise: |_| String::new(),
    columns: FULL_SPEED,
};

/// A table for each: what is told, and how.
const TOLD: [(&str, Metric<Turn>); 4] = [
    ("Server CPU to produce, s/GiB", ("produce: broker CPU", "CPU s/GiB", |turn| turn.produce.server_cpu)),
    ("Server CPU to consume, s/GiB", ("consume: broker CPU", "CPU s/GiB", |turn| turn.consume.server_cpu)),
    ("Throughput to produce, MiB/s", ("produce: throughput", "MiB/s", |turn| turn.produce.mib_per_second)),
    ("Throughput to consume, MiB/s", ("consume: throughput", "MiB/s", |turn| turn.consume.mib_per_second)),
];

fn tables(report: &Report) -> String {
    TOLD.iter()
        .map(|(title, metric)| format!("### {title}\n\n{}\n", lines(&report.findings.pairs, *metric)))
        .collect()
}

/// A line for each pair in which it was measured.
fn lines(pairs: &[Pair], metric: Metric<Turn>) -> String {
    let row = |pair: &Pair| Some(comparison_row(pair.title.clone(), pair.comparisons(&[metric]).first()?));
    comparison_rows("schloss", "kafka", &pairs.iter().filter_map(row).collect::<Vec<_>>())
}

fn method(_report: &Report) -> String {
    format!(
        "Servers, settings, accounts and turns as above, without the run at a fixed rate. Values are chosen from \
         10,000 JSON documents that look like events of a shop, so that codecs have something to do; bytes are \
         those of the values before they are packed. *On disk* and *page cache* say when a batch is acknowledged, \
         as above. Old records were written before the rounds; before each turn the system is told to forget what \
         it holds of the servers' files in memory (`fadvise`), so they come from the disk.\n\n{COSTS}\n"
    )
}
